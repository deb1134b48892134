//! The rules, and the judgement of one request by them.
//!
//! Default deny. There is only the embedded set of rules: nothing here can be configured, and no
//! rule asks a person.

use std::time::Duration;

use super::digest::Digest;
use super::grant::Grant;
use super::question::{Approval, Channel, Question, RuleId};
use super::reason::Reason;
use super::request::{Asked, Caller, Request};

/// What a policy says of a request.
#[derive(Debug)]
pub enum Judgement {
    /// It may be done, exactly so.
    Allowed(Grant),
    /// It may be done when a person says yes to it.
    Confirm(Box<Question>),
    /// It may not.
    Denied(Reason),
}

/// Who may ask for what.
#[derive(Clone, Debug)]
pub struct Policy {
    rules: Vec<Rule>,
    digest: Digest,
}

#[derive(Clone, Debug)]
struct Rule {
    id: RuleId,
    confirm: Option<Confirm>,
    caller: CallerKind,
    tools: Tools,
    profiles: Profiles,
}

/// Who is asked, and for how long.
#[derive(Clone, Debug)]
struct Confirm {
    by: Vec<Channel>,
    within: Duration,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum CallerKind {
    Local,
    Operator,
    Token,
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
            id: RuleId::new("terminals"),
            confirm: None,
            caller: CallerKind::Local,
            tools: Tools::Prefix("terminal_"),
            profiles: Profiles::These(vec!["default", "read-only", "build"]),
        };
        let operator = Rule {
            id: RuleId::new("operator"),
            confirm: None,
            caller: CallerKind::Operator,
            tools: Tools::All,
            profiles: Profiles::All,
        };
        Self {
            rules: vec![terminals, operator],
            digest: Digest::of(b"embedded"),
        }
    }

    /// Judges one request. The grant owns it, so that nothing else can be done in its name. An approval is used up.
    pub fn judge(&self, caller: &Caller, asked: &Asked, approval: Option<Approval>) -> Judgement {
        let request = &asked.request;
        let tool = request.tool();
        let mut denied = Reason::NoRule {
            caller: caller.clone(),
            tool,
        };
        for rule in &self.rules {
            if !rule.speaks_of(caller, tool) {
                continue;
            }
            match (rule.profile_refused(request), &rule.confirm) {
                (Some(reason), _) => denied = reason,
                (None, None) => return Judgement::Allowed(Grant::new(caller, asked, rule.id.clone())),
                (None, Some(confirm)) => return self.confirmed(caller, asked, rule, confirm, approval),
            }
        }
        Judgement::Denied(denied)
    }

    fn confirmed(
        &self,
        caller: &Caller,
        asked: &Asked,
        rule: &Rule,
        confirm: &Confirm,
        approval: Option<Approval>,
    ) -> Judgement {
        let by = confirm.by.clone();
        let question = Question::new(caller, asked, rule.id.clone(), by, confirm.within, &self.digest);
        match approval {
            None => Judgement::Confirm(Box::new(question)),
            Some(approval) if approval.answers(&question) => {
                Judgement::Allowed(Grant::new(caller, asked, rule.id.clone()))
            }
            Some(_) => Judgement::Denied(Reason::Approval { rule: rule.id.clone() }),
        }
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
                    rule: self.id.clone(),
                    profile: launch.profile.name.clone(),
                    allowed: allowed.iter().map(|name| (*name).to_owned()).collect(),
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
            Caller::Token { .. } => Self::Token,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::model::workspace::{Keep, Owner};
    use crate::model::{InstanceId, QuestionId};
    use crate::model::{Program, SessionId, ShellLine, Workspace};
    use crate::policy::Arguments;
    use crate::policy::question::Binding;
    use crate::policy::request::{LaunchRequest, Terminal};

    const LOCAL: Caller = Caller::Local { uid: 1000 };
    const OPERATOR: Caller = Caller::Operator { uid: 1000 };

    fn launch(tool: &'static str, profile: &str) -> Request {
        Request::Launch(Arc::new(LaunchRequest {
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

    fn asked(request: Request) -> Asked {
        Asked {
            request,
            arguments: Arguments::new(serde_json::Map::new(), Digest::of(b"")),
            opened_with: None,
        }
    }

    /// A policy that asks the operator about every run of a caller.
    fn asking() -> Policy {
        let mut policy = Policy::embedded();
        policy.rules[0].confirm = Some(Confirm {
            by: vec![Channel::Operator],
            within: Duration::from_secs(60),
        });
        policy
    }

    fn question(policy: &Policy, asked: &Asked) -> Question {
        match policy.judge(&LOCAL, asked, None) {
            Judgement::Confirm(question) => *question,
            other => panic!("{other:?}"),
        }
    }

    fn binding() -> Binding {
        Binding {
            instance: InstanceId::random().unwrap(),
            question: QuestionId::random().unwrap(),
            expires_unix_ms: 1_000,
        }
    }

    #[test]
    fn an_approval_is_for_one_action_by_one_caller_under_one_policy() {
        let (policy, bound) = (asking(), binding());
        let run = asked(launch("terminal_run", "default"));
        let yes = |by| Approval::given(question(&policy, &run).action(&bound), bound, by);
        let allowed = |policy: &Policy, caller: &Caller, asked: &Asked, approval| match policy.judge(
            caller,
            asked,
            Some(approval),
        ) {
            Judgement::Allowed(_) => true,
            Judgement::Denied(Reason::Approval { rule }) => rule.as_str() != "terminals",
            other => panic!("{other:?}"),
        };
        assert!(allowed(&policy, &LOCAL, &run, yes(Channel::Operator)));
        assert!(!allowed(&policy, &LOCAL, &run, yes(Channel::User)), "another channel");
        assert!(!allowed(
            &policy,
            &Caller::Local { uid: 1 },
            &run,
            yes(Channel::Operator)
        ));
        let mut other = run.clone();
        other.arguments = Arguments::new(serde_json::Map::new(), Digest::of(b"another schema"));
        assert!(!allowed(&policy, &LOCAL, &other, yes(Channel::Operator)));
        for request in [launch("terminal_run", "build"), launch("terminal_open", "default")] {
            assert!(!allowed(&policy, &LOCAL, &asked(request), yes(Channel::Operator)));
        }
        let mut changed = asking();
        changed.digest = Digest::of(b"another policy");
        assert!(!allowed(&changed, &LOCAL, &run, yes(Channel::Operator)));
        let elsewhere = Approval::given(question(&policy, &run).action(&binding()), bound, Channel::Operator);
        assert!(!allowed(&policy, &LOCAL, &run, elsewhere), "another asking");
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
            let found = match Policy::embedded().judge(&caller, &asked(request), None) {
                Judgement::Allowed(_) => None,
                Judgement::Confirm(question) => panic!("{question:?}"),
                Judgement::Denied(reason) => Some(reason.rule()),
            };
            assert_eq!(found.as_ref().map(RuleId::as_str), expected, "{what}");
        }
    }

    #[test]
    fn a_denial_names_the_rule_and_what_can_be_done() {
        let Judgement::Denied(reason) =
            Policy::embedded().judge(&LOCAL, &asked(launch("terminal_run", "network")), None)
        else {
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
