//! The rules, and the judgement of one request by them.
//!
//! Default deny. There is only the embedded set of rules: nothing here can be configured, and no
//! rule asks a person.

use super::grant::Grant;
use super::reason::Reason;
use super::request::{Caller, Request};

/// What a policy says of a request.
#[derive(Debug)]
pub enum Judgement {
    /// It may be done, exactly so.
    Allowed(Grant),
    /// It may not.
    Denied(Reason),
}

/// Who may ask for what.
#[derive(Clone, Debug)]
pub struct Policy {
    rules: Vec<Rule>,
}

#[derive(Clone, Debug)]
struct Rule {
    id: &'static str,
    caller: CallerKind,
    tools: Tools,
    profiles: Profiles,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum CallerKind {
    Local,
    Operator,
}

#[derive(Clone, Copy, Debug)]
enum Tools {
    /// Those whose names start so.
    Prefix(&'static str),
    All,
}

#[derive(Clone, Debug)]
enum Profiles {
    These(Vec<&'static str>),
    All,
}

impl Policy {
    /// The policy that holds where the operator gave none: the local caller may use the terminal
    /// tools with three of the shipped profiles, and the person at the command line any profile.
    pub fn embedded() -> Self {
        let terminals = Rule {
            id: "terminals",
            caller: CallerKind::Local,
            tools: Tools::Prefix("terminal_"),
            profiles: Profiles::These(vec!["default", "read-only", "build"]),
        };
        let operator = Rule {
            id: "operator",
            caller: CallerKind::Operator,
            tools: Tools::All,
            profiles: Profiles::All,
        };
        Self {
            rules: vec![terminals, operator],
        }
    }

    /// Judges one request. The grant owns it, so that nothing else can be done in its name.
    pub fn judge(&self, caller: &Caller, request: Request) -> Judgement {
        let tool = request.tool();
        let mut denied = Reason::NoRule {
            caller: caller.clone(),
            tool,
        };
        for rule in &self.rules {
            if !rule.speaks_of(caller, tool) {
                continue;
            }
            match rule.profile_refused(&request) {
                None => return Judgement::Allowed(Grant::new(caller, request)),
                Some(reason) => denied = reason,
            }
        }
        Judgement::Denied(denied)
    }

    /// The profiles that a caller may use with a tool, out of `names`.
    pub fn profiles<'a>(&self, caller: &Caller, tool: &str, names: &[&'a str]) -> Vec<&'a str> {
        let allows = |name: &str| {
            self.rules
                .iter()
                .any(|rule| rule.speaks_of(caller, tool) && rule.profiles.contain(name))
        };
        names.iter().copied().filter(|name| allows(name)).collect()
    }
}

impl Rule {
    fn speaks_of(&self, caller: &Caller, tool: &str) -> bool {
        let tools = match self.tools {
            Tools::Prefix(prefix) => tool.starts_with(prefix),
            Tools::All => true,
        };
        tools && self.caller == CallerKind::of(caller)
    }

    fn profile_refused(&self, request: &Request) -> Option<Reason> {
        match (request, &self.profiles) {
            (Request::Launch(launch), Profiles::These(allowed)) if !self.profiles.contain(&launch.profile.name) => {
                Some(Reason::Profile {
                    rule: self.id,
                    profile: launch.profile.name.clone(),
                    allowed: allowed.clone(),
                })
            }
            _ => None,
        }
    }
}

impl Profiles {
    fn contain(&self, name: &str) -> bool {
        match self {
            Self::These(names) => names.contains(&name),
            Self::All => true,
        }
    }
}

impl CallerKind {
    fn of(caller: &Caller) -> Self {
        match caller {
            Caller::Local { .. } => Self::Local,
            Caller::Operator { .. } => Self::Operator,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::workspace::{Keep, Owner};
    use crate::model::{Program, SessionId, ShellLine, Workspace};
    use crate::policy::request::{LaunchRequest, Terminal};

    const LOCAL: Caller = Caller::Local { uid: 1000 };
    const OPERATOR: Caller = Caller::Operator { uid: 1000 };

    fn launch(tool: &'static str, profile: &str) -> Request {
        Request::Launch(Box::new(LaunchRequest {
            tool,
            profile: crate::profile::Profiles::embedded().get(profile).unwrap(),
            workspace: Workspace {
                path: "/w".into(),
                device: 0,
                inode: 0,
                owner: Owner { uid: 0, gid: 0 },
                keep: Keep::Always,
            },
            program: Program::Shell(ShellLine::new("true").unwrap()),
            cwd: None,
            env: Vec::new(),
            terminal: Terminal::None,
            timeout: None,
            cpu_time: None,
        }))
    }

    #[test]
    fn the_embedded_policy_is_this_table() {
        let session = SessionId::random().unwrap();
        let table = [
            (LOCAL, launch("terminal_run", "default"), None),
            (LOCAL, launch("terminal_run", "read-only"), None),
            (LOCAL, launch("terminal_run", "build"), None),
            (LOCAL, launch("terminal_run", "network"), Some("terminals")),
            (LOCAL, launch("terminal_run", "strict"), Some("terminals")),
            (LOCAL, launch("run", "default"), Some("none")),
            (OPERATOR, launch("run", "default"), None),
            (OPERATOR, launch("run", "network"), None),
            (OPERATOR, launch("run", "strict"), None),
            (LOCAL, Request::List, None),
            (LOCAL, Request::Close { session }, None),
            (
                LOCAL,
                Request::Observe {
                    tool: "terminal_read",
                    session,
                },
                None,
            ),
            (
                LOCAL,
                Request::Observe {
                    tool: "hf_read",
                    session,
                },
                Some("none"),
            ),
        ];
        for (caller, request, expected) in table {
            let what = format!("{caller} {request:?}");
            let found = match Policy::embedded().judge(&caller, request) {
                Judgement::Allowed(_) => None,
                Judgement::Denied(reason) => Some(reason.rule()),
            };
            assert_eq!(found, expected, "{what}");
        }
    }

    #[test]
    fn a_denial_names_the_rule_and_what_can_be_done() {
        let Judgement::Denied(reason) = Policy::embedded().judge(&LOCAL, launch("terminal_run", "network")) else {
            panic!("allowed");
        };
        let text = reason.to_string();
        for part in ["\"terminals\"", "\"network\"", "default, read-only, build", "operator"] {
            assert!(text.contains(part), "{part} in {text}");
        }
    }

    #[test]
    fn a_caller_is_told_only_of_profiles_that_are_allowed() {
        let names = ["build", "default", "network"];
        let policy = Policy::embedded();
        assert_eq!(policy.profiles(&LOCAL, "terminal_run", &names), ["build", "default"]);
        assert_eq!(policy.profiles(&OPERATOR, "run", &names), names);
    }
}
