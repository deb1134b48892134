//! What a yes is good for: one action by one caller under one policy, once.

use std::time::Duration;

use super::*;
use crate::model::{InstanceId, QuestionId, SessionId};

const ASKING: &str = "revision: a\nrules:\n  - {id: ask, effect: confirm, tools: [terminal_run], profiles: [default, build], \
                      confirm: {by: [operator], within: 1min}}\n";

fn question(policy: &Policy, caller: &Caller, asked: &Asked) -> Question {
    match policy.judge(caller, asked, None) {
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

fn changed(run: &Asked, change: &dyn Fn(&mut LaunchRequest)) -> Asked {
    let Request::Launch(request) = &run.request else {
        panic!()
    };
    let mut request = LaunchRequest::clone(request);
    change(&mut request);
    Asked {
        request: Request::Launch(Arc::new(request)),
        ..run.clone()
    }
}

/// The default profile with one process more.
fn larger() -> Arc<crate::profile::Profile> {
    let mut profile = (*crate::profile::Profiles::embedded().get("default").unwrap()).clone();
    profile.limits.processes += 1;
    Arc::new(profile)
}

/// Whether the operator's yes to the launch of `run` by the local caller under [`ASKING`] is good for this.
fn good_for(policy: &Policy, caller: &Caller, asked: &Asked) -> bool {
    let (asking, run, bound) = (load(ASKING), launch("terminal_run", "default"), binding());
    let action = question(&asking, &LOCAL, &run).action(&bound);
    taken(policy, caller, asked, Approval::given(action, bound, Channel::Operator))
}

fn taken(policy: &Policy, caller: &Caller, asked: &Asked, approval: Approval) -> bool {
    match policy.judge(caller, asked, Some(approval)) {
        Judgement::Allowed(grant) => {
            assert_eq!(grant.rule().as_str(), "ask");
            true
        }
        Judgement::Denied(Reason::Approval { .. } | Reason::NoRule { .. }) => false,
        other => panic!("{other:?}"),
    }
}

#[test]
fn an_approval_is_for_one_action_by_one_caller_under_one_policy() {
    let (policy, run) = (load(ASKING), launch("terminal_run", "default"));
    assert_eq!(question(&policy, &LOCAL, &run).within(), Duration::from_secs(60));
    assert!(good_for(&policy, &LOCAL, &run));
    assert!(!good_for(&policy, &Caller::Local { uid: 1 }, &run), "another caller");
    let with = |value: Value, schema: &[u8]| Asked {
        arguments: Arguments::new(value.as_object().unwrap().clone(), Digest::of(schema)),
        ..run.clone()
    };
    assert!(good_for(&policy, &LOCAL, &with(json!({"profile": "default"}), b"1")));
    let one_more = json!({"profile": "default", "command": " "});
    let others = [
        ("path", changed(&run, &|request| request.workspace.path = "/v".into())),
        ("device", changed(&run, &|request| request.workspace.device = 9)),
        ("inode", changed(&run, &|request| request.workspace.inode = 9)),
        ("profile", changed(&run, &|request| request.profile = larger())),
        ("another profile", launch("terminal_run", "build")),
        ("another tool", launch("terminal_open", "default")),
        ("schema", with(json!({"profile": "default"}), b"2")),
        ("one byte more", with(one_more, b"1")),
    ];
    for (what, other) in &others {
        assert!(!good_for(&policy, &LOCAL, other), "{what}");
    }
    let revised = load(&ASKING.replace("revision: a", "revision: b"));
    assert!(!good_for(&revised, &LOCAL, &run), "another policy");
}

#[test]
fn an_approval_is_by_one_channel_for_one_asking_in_one_server_until_one_time() {
    let (policy, bound, run) = (load(ASKING), binding(), launch("terminal_run", "default"));
    let action = |binding: &Binding| question(&policy, &LOCAL, &run).action(binding);
    let given = |action, bound, by| taken(&policy, &LOCAL, &run, Approval::given(action, bound, by));
    assert!(given(action(&bound), bound, Channel::Operator));
    assert!(!given(action(&bound), bound, Channel::User), "another channel");
    assert!(!given(action(&binding()), bound, Channel::Operator), "another question");
    let later = Binding {
        expires_unix_ms: bound.expires_unix_ms + 1,
        ..bound
    };
    assert!(!given(action(&bound), later, Channel::Operator), "another expiry");
    let elsewhere = Binding {
        instance: InstanceId::random().unwrap(),
        ..bound
    };
    assert!(!given(action(&elsewhere), bound, Channel::Operator), "another server");
}

#[test]
fn a_question_about_a_session_is_about_that_session_only() {
    let policy = load(
        "revision: a\nrules:\n  - {id: ask, effect: confirm, tools: [terminal_exec], confirm: {by: [operator], within: 1min}}\n",
    );
    let exec = |session| Asked {
        request: Request::Act {
            tool: "terminal_exec",
            session,
        },
        arguments: Arguments::none(),
        opened: None,
    };
    let (one, bound) = (exec(SessionId::random().unwrap()), binding());
    let yes = || Approval::given(question(&policy, &LOCAL, &one).action(&bound), bound, Channel::Operator);
    assert!(matches!(
        policy.judge(&LOCAL, &one, Some(yes())),
        Judgement::Allowed(Grant::Session(_))
    ));
    let other = exec(SessionId::random().unwrap());
    assert!(matches!(
        policy.judge(&LOCAL, &other, Some(yes())),
        Judgement::Denied(Reason::Approval { .. })
    ));
}

#[test]
fn a_reload_changes_what_is_judged_from_then_on() {
    let (run, current) = (launch("terminal_run", "default"), Current::new(load(ASKING)));
    let (old, bound) = (current.get(), binding());
    let yes = Approval::given(question(&old, &LOCAL, &run).action(&bound), bound, Channel::Operator);
    current.replace(load(
        &ASKING
            .replace("effect: confirm", "effect: deny")
            .replace(", confirm: {by: [operator], within: 1min}", ""),
    ));
    let judged = current.get().judge(&LOCAL, &run, Some(yes));
    assert!(matches!(judged, Judgement::Denied(Reason::Rule { .. })), "{judged:?}");
}

#[test]
fn a_line_end_or_one_more_entry_hides_nothing_from_the_person_who_is_to_be_asked() {
    let policy = load(
        "revision: a\nrules:\n  - {id: ask, effect: confirm, tools: [hf_posts_reply], arguments: {message: {pattern: '.*casino.*'}}, \
         others: allow, confirm: {by: [operator], within: 1min}}\n  - {id: rest, effect: allow, callers: [local], tools: [hf_posts_reply]}\n",
    );
    let judged = |message: &str| {
        let Value::Object(given) = json!({"tid": 5, "message": message}) else {
            panic!()
        };
        let arguments = filled("hf_posts_reply", &given);
        policy.judge(
            &LOCAL,
            &Asked {
                arguments,
                ..launch("hf_posts_reply", "default")
            },
            None,
        )
    };
    assert!(matches!(judged("a casino"), Judgement::Confirm(_)));
    assert!(matches!(judged("a garden"), Judgement::Allowed(_)));
    for hidden in ["\na casino", "a casino\n", "a\ncasino\nhere"] {
        assert!(!matches!(judged(hidden), Judgement::Allowed(_)), "{hidden:?}");
    }
}
