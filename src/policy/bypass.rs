//! Finds rules about what is typed that another rule makes pointless.
//!
//! A command line is text for a shell: whoever may type one thing freely may do all that its sandbox allows. A rule that
//! lets only some lines through holds nothing back while another lets the same caller type what they like.

use std::sync::Arc;

use super::error::PolicyProblem;
use super::file::{Others, RuleEffect, RuleFile};
use super::rule::Rule;
use crate::yaml::At;

/// A tool that brings commands into a sandbox, and the arguments that hold them.
struct Typing {
    tool: &'static str,
    content: &'static [&'static str],
    /// The tools that bring the same into the same sandbox.
    around: &'static [&'static str],
}

const TYPING: [Typing; 4] = [
    Typing {
        tool: "terminal_run",
        content: &["command", "argv", "stdin", "stdin_base64"],
        around: &["terminal_run", "terminal_open"],
    },
    Typing {
        tool: "terminal_open",
        content: &["command", "argv", "shell"],
        around: &["terminal_run", "terminal_open"],
    },
    Typing {
        tool: "terminal_exec",
        content: &["command"],
        around: &["terminal_exec", "terminal_send", "terminal_open", "terminal_run"],
    },
    Typing {
        tool: "terminal_send",
        content: &["input"],
        around: &["terminal_exec", "terminal_send", "terminal_open", "terminal_run"],
    },
];

/// Whether what `rule` says about commands can be got around by another rule, or by itself with another tool.
pub(super) fn check(rule: &Rule, all: &[(Arc<Rule>, &At<RuleFile>)]) -> Result<(), PolicyProblem> {
    for typing in TYPING.iter().filter(|typing| restricts(rule, typing)) {
        for (other, _) in all.iter().filter(|(other, _)| other.effect != RuleEffect::Deny) {
            if !share_callers(rule, other) {
                continue;
            }
            let around = TYPING.iter().filter(|around| typing.around.contains(&around.tool));
            let free = around
                .into_iter()
                .find(|around| lets_all(other, around) && share_profiles(rule, other, around));
            if let Some(free) = free {
                return Err(PolicyProblem::Bypassed {
                    tool: typing.tool,
                    by: other.id.as_str().to_owned(),
                    other: free.tool,
                });
            }
        }
    }
    Ok(())
}

/// Whether the rule looks at what the tool brings into a sandbox.
fn restricts(rule: &Rule, typing: &Typing) -> bool {
    let listed =
        |arguments: &super::rule::Arguments| typing.content.iter().any(|name| arguments.listed.contains_key(*name));
    rule.tools.contains(typing.tool) && rule.arguments.as_ref().is_some_and(listed)
}

/// Whether the rule lets the tool bring in anything.
fn lets_all(rule: &Rule, typing: &Typing) -> bool {
    rule.tools.contains(typing.tool)
        && match &rule.arguments {
            None => true,
            Some(arguments) => arguments.others == Others::Allow && !restricts(rule, typing),
        }
}

fn share_callers(one: &Rule, other: &Rule) -> bool {
    match (&one.callers, &other.callers) {
        (Some(one), Some(other)) => one.iter().any(|a| other.iter().any(|b| a.overlaps(b))),
        _ => true,
    }
}

/// Whether both could mean the same sandbox. What is typed into a session is under the session's profile, which no rule
/// about typing names.
fn share_profiles(rule: &Rule, other: &Rule, around: &Typing) -> bool {
    let types = matches!(around.tool, "terminal_exec" | "terminal_send");
    match (&rule.profiles, &other.profiles) {
        (Some(one), Some(other)) if !types => one.iter().any(|name| other.contains(name)),
        _ => true,
    }
}
