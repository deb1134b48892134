//! Finds rules about what is typed that another rule makes pointless.
//!
//! A command line is text for a shell: whoever may type one thing freely may do all that its sandbox allows. A rule that
//! lets only some lines through holds nothing back while another lets the same caller type what they like.
//!
//! Whether a pattern lets one more line through than another cannot be told. So what stands beside a restriction must be
//! the same restriction, or a list of exact values, which everybody can read.

use std::sync::Arc;

use serde_json::{Map, Value};

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

/// A rule as meant and as written.
type Both<'a> = (&'a Rule, &'a RuleFile);

/// Whether what a rule says about commands can be got around by another rule, or by itself with another tool.
pub(super) fn check(rule: &Rule, file: &RuleFile, all: &[(Arc<Rule>, &At<RuleFile>)]) -> Result<(), PolicyProblem> {
    let others = || all.iter().map(|(other, at)| (&**other, &at.value));
    for typing in TYPING.iter().filter(|typing| restricts((rule, file), typing)) {
        for other in others().filter(|(other, _)| other.effect != RuleEffect::Deny && share_callers(rule, other)) {
            let reaches = |around: &&Typing| match (around.types(), typing.types()) {
                (true, false) => others().any(|opener| opens((rule, file), typing, opener, other.0)),
                (true, true) => true,
                (false, _) => typing.around.contains(&around.tool) && share_profiles(rule, other.0),
            };
            let mut around = TYPING.iter().filter(reaches);
            if let Some(free) = around.find(|around| lets_more(other, around, (rule, file))) {
                return Err(PolicyProblem::Bypassed {
                    tool: typing.tool,
                    by: other.0.id.as_str().to_owned(),
                    other: free.tool,
                });
            }
        }
    }
    Ok(())
}

impl Typing {
    /// Whether it types into a session, under the session's profile, which no rule about typing names.
    fn types(&self) -> bool {
        matches!(self.tool, "terminal_exec" | "terminal_send")
    }
}

/// Whether the rule looks at what the tool brings into a sandbox.
fn restricts((rule, file): Both<'_>, typing: &Typing) -> bool {
    let listed = |name: &&str| schema(file, name).is_some_and(|schema| !says_nothing(schema));
    rule.tools.contains(typing.tool) && typing.content.iter().any(listed)
}

/// Whether `other` lets the tool bring in more than exact values that it lists and what `rule` lets through in the same
/// words.
fn lets_more(other: Both<'_>, around: &Typing, rule: Both<'_>) -> bool {
    let (meant, file) = other;
    if !meant.tools.contains(around.tool) {
        return false;
    }
    let Some(arguments) = &meant.arguments else { return true };
    let open = arguments.others == Others::Allow;
    if std::ptr::eq(meant, rule.0) {
        // A call has one of command and argv: one that must be given keeps the other out.
        return open && !needs(other, around);
    }
    let mut content = around.content.iter();
    let same = around
        .content
        .iter()
        .all(|name| schema(file, name) == schema(rule.1, name));
    open || (!same && content.any(|name| schema(file, name).is_some_and(|schema| !is_exact(schema))))
}

/// Whether `opener` opens a session in a sandbox that `rule` speaks of, into which `typist` lets the same caller type. A
/// rule about what is opened means its own sessions, and those with a program of their own.
fn opens(rule: Both<'_>, typing: &Typing, opener: Both<'_>, typist: &Rule) -> bool {
    let Some(open) = TYPING.iter().find(|typing| typing.tool == "terminal_open") else {
        return false;
    };
    let meant = opener.0;
    let another = typing.tool != open.tool || (!std::ptr::eq(meant, rule.0) && !needs(opener, open));
    meant.effect != RuleEffect::Deny
        && meant.tools.contains(open.tool)
        && another
        && share_callers(rule.0, meant)
        && share_callers(typist, meant)
        && share_profiles(rule.0, meant)
}

/// Whether a rule lists some of what the tool brings in, and it must be given.
fn needs((rule, file): Both<'_>, typing: &Typing) -> bool {
    let optional = |name: &str| rule.arguments.as_ref().is_some_and(|all| all.optional.contains(name));
    let needed = |name: &&str| schema(file, name).is_some() && !optional(name);
    typing.content.iter().any(needed)
}

/// What a rule says about an argument, as written.
fn schema<'a>(file: &'a RuleFile, name: &str) -> Option<&'a Value> {
    Some(&file.arguments.given()?.value.get(name)?.value)
}

/// Whether a schema takes whatever the tool takes.
fn says_nothing(schema: &Value) -> bool {
    let words = |object: &Map<String, Value>| {
        object
            .keys()
            .all(|word| matches!(word.as_str(), "type" | "description"))
    };
    schema.as_object().is_none_or(words)
}

/// Whether all text that a schema takes is written in it, piece by piece.
fn is_exact(schema: &Value) -> bool {
    let Some(object) = schema.as_object() else {
        return schema == &Value::Bool(false);
    };
    let list = |word: &str| object.get(word).and_then(Value::as_array);
    let any = |word: &str| list(word).is_some_and(|all| !all.is_empty() && all.iter().all(is_exact));
    let entries = || {
        let properties = object.get("properties").and_then(Value::as_object);
        let closed = object.get("additionalProperties").is_none_or(is_exact);
        closed && properties.is_some_and(|all| all.values().all(is_exact))
    };
    let is = object.get("type").and_then(Value::as_str);
    object.contains_key("const")
        || object.contains_key("enum")
        || any("anyOf")
        || list("allOf").is_some_and(|all| all.iter().any(is_exact))
        || object.get("items").is_some_and(is_exact)
        || is.is_some_and(|name| matches!(name, "boolean" | "integer" | "number"))
        || entries()
}

fn share_callers(one: &Rule, other: &Rule) -> bool {
    match (&one.callers, &other.callers) {
        (Some(one), Some(other)) => one.iter().any(|a| other.iter().any(|b| a.overlaps(b))),
        _ => true,
    }
}

/// Whether both could mean the same sandbox.
fn share_profiles(rule: &Rule, other: &Rule) -> bool {
    match (&rule.profiles, &other.profiles) {
        (Some(one), Some(other)) => one.iter().any(|name| other.contains(name)),
        _ => true,
    }
}
