mod gone;

use std::sync::{LazyLock, Mutex};

use serde_json::{Map, Value, json};

use super::*;
use crate::audit::Audit;
use crate::policy::{Arguments, Asked, Effect, HfRequest, Judgement, Known, Policy, Request, Tool};

const LOCAL: Caller = Caller::Local { uid: 1000 };

/// A post with this text.
fn asked(text: &str) -> Asked {
    let request = HfRequest {
        tool: "hf_posts_reply",
        operation: "write/posts",
        effect: Effect::Write,
        target: Some("tid 7".to_owned()),
        body: text.as_bytes().to_vec(),
    };
    let values = json!({"message": text});
    let values = values.as_object().unwrap().clone();
    Asked {
        request: Request::Hf(Arc::new(request)),
        arguments: Arguments::new(values, Digest::of(b"schema")),
        opened: None,
    }
}

/// A policy that asks by these channels; `revision` stands for all else that it says.
fn policy(by: &[Channel], revision: &str) -> Policy {
    static SCHEMA: LazyLock<Map<String, Value>> = LazyLock::new(|| {
        let schema = json!({"type": "object", "properties": {"message": {"type": "string"}}});
        schema.as_object().unwrap().clone()
    });
    let known = Known {
        tools: vec![Tool {
            name: "hf_posts_reply",
            arguments: &SCHEMA,
            instead: |_, _| None,
            untold: |_, _| false,
        }],
        profiles: vec!["default".to_owned()],
    };
    let by: Vec<_> = by.iter().map(|channel| channel.name()).collect();
    let text = format!(
        "revision: \"{revision}\"\nrules:\n  - {{id: asks, effect: confirm, callers: [local], tools: [hf_posts_reply], \
         confirm: {{by: [{}], within: 10min}}}}\n",
        by.join(", ")
    );
    match Policy::parse(&text, &known) {
        Ok(policy) => policy,
        Err(fault) => panic!("{}", fault.problem),
    }
}

fn question(policy: &Policy, caller: &Caller, asked: &Asked) -> Question {
    match policy.judge(caller, asked, None) {
        Judgement::Confirm(question) => *question,
        other => panic!("{other:?}"),
    }
}

fn confirm() -> Confirm {
    let confirm = Confirm::new(InstanceId::random().unwrap(), Redactor::default());
    confirm.operator_listens();
    confirm
}

/// Asks as a call does.
async fn ask(confirm: &Confirm, question: &Question, user: Option<&dyn AskUser>) -> Result<Approval, Unapproved> {
    let audit = Audit::to_log(InstanceId::default());
    let mut entry = audit
        .asked(question.caller(), "terminal_run", &Map::new())
        .await
        .unwrap();
    let approval = confirm.ask(question, &mut entry, user, &CancellationToken::new()).await;
    entry.refused("the end of a test").await;
    approval
}

/// Answers the first question that comes.
async fn operator(confirm: &Confirm, answer: Answer) {
    let mut changes = confirm.changes();
    loop {
        if let Some(shown) = confirm.list().into_iter().find(|shown| shown.answered.is_none()) {
            let action = shown.action.to_string();
            confirm
                .answer(shown.id, &action, answer, Channel::Operator, "operator:0")
                .unwrap();
            return;
        }
        changes.changed().await.unwrap();
    }
}

async fn approved(confirm: &Confirm, question: &Question) -> Approval {
    let (approval, ()) = tokio::join!(ask(confirm, question, None), operator(confirm, Answer::Yes));
    approval.unwrap()
}

fn is_allowed(judgement: &Judgement) -> bool {
    matches!(judgement, Judgement::Allowed(_))
}

#[tokio::test]
async fn a_yes_is_good_for_exactly_what_was_shown() {
    let rules = policy(&[Channel::Operator], "1");
    let a = asked("touch a");
    let others: [(&str, Policy, Caller, Asked); 4] = [
        (
            "one byte changed",
            policy(&[Channel::Operator], "1"),
            LOCAL,
            asked("touch b"),
        ),
        (
            "another caller",
            policy(&[Channel::Operator], "1"),
            Caller::Local { uid: 1001 },
            a.clone(),
        ),
        ("another policy", policy(&[Channel::Operator], "2"), LOCAL, a.clone()),
        (
            "a channel that does not count",
            policy(&[Channel::User], "1"),
            LOCAL,
            a.clone(),
        ),
    ];
    for (what, later, caller, other) in others {
        let confirm = confirm();
        let approval = approved(&confirm, &question(&rules, &LOCAL, &a)).await;
        let judgement = later.judge(&caller, &other, Some(approval));
        assert!(!is_allowed(&judgement), "{what}");
    }
    let confirm = confirm();
    let approval = approved(&confirm, &question(&rules, &LOCAL, &a)).await;
    assert!(is_allowed(&rules.judge(&LOCAL, &a, Some(approval))));
}

#[tokio::test]
async fn of_a_hundred_at_once_one_gets_the_yes() {
    let confirm = confirm();
    let question = question(&policy(&[Channel::Operator], "1"), &LOCAL, &asked("touch a"));
    let (yes, used) = (Mutex::new(0), Mutex::new(0));
    let mut calls = tokio::task::JoinSet::new();
    for _ in 0..100 {
        let (confirm, question) = (confirm.clone(), question.clone());
        calls.spawn(async move { ask(&confirm, &question, None).await });
    }
    let answered = confirm.clone();
    tokio::spawn(async move { operator(&answered, Answer::Yes).await });
    while let Some(approval) = calls.join_next().await {
        match approval.unwrap() {
            Ok(_) => *yes.lock().unwrap() += 1,
            Err(Unapproved::Used { .. }) => *used.lock().unwrap() += 1,
            Err(other) => panic!("{other}"),
        }
    }
    assert_eq!((*yes.lock().unwrap(), *used.lock().unwrap()), (1, 99));
    assert_eq!(confirm.list(), []);
}

#[tokio::test]
async fn a_call_that_comes_again_finds_the_answer_and_no_is_no() {
    let confirm = confirm();
    let rules = policy(&[Channel::Operator], "1");
    let first = question(&rules, &LOCAL, &asked("touch a"));
    // The client gave up before the operator answered.
    let given_up = tokio::time::timeout(Duration::from_millis(1), ask(&confirm, &first, None)).await;
    assert!(given_up.is_err());
    assert_eq!(confirm.list().len(), 1);
    operator(&confirm, Answer::Yes).await;
    ask(&confirm, &first, None).await.unwrap();
    let second = question(&rules, &LOCAL, &asked("touch b"));
    let (declined, ()) = tokio::join!(ask(&confirm, &second, None), operator(&confirm, Answer::No));
    assert!(matches!(declined, Err(Unapproved::Declined { .. })));
    // Nobody is asked the same again.
    assert!(matches!(
        ask(&confirm, &second, None).await,
        Err(Unapproved::Declined { .. })
    ));
}

#[tokio::test]
async fn a_question_expires_and_a_late_answer_counts_for_nothing() {
    let confirm = confirm();
    let question = question(&policy(&[Channel::Operator], "1"), &LOCAL, &asked("touch a"));
    let mut waiting = Waiting::new(InstanceId::default(), &question, &Redactor::default()).unwrap();
    waiting.expires = std::time::Instant::now();
    let waiting = Arc::new(waiting);
    confirm.0.questions.lock().unwrap().push(Arc::clone(&waiting));
    let action = waiting.action.to_string();
    let late = confirm.answer(waiting.id, &action, Answer::Yes, Channel::Operator, "operator:0");
    assert_eq!(late, Err(Unanswerable::Unknown));
    assert_eq!((waiting.ended().await, confirm.list()), (State::Open, vec![]));
    // By the wall clock as well.
    let mut waiting = Waiting::new(InstanceId::default(), &question, &Redactor::default()).unwrap();
    waiting.binding.expires_unix_ms = 1;
    assert_eq!(waiting.ended().await, State::Open);
}

#[tokio::test]
async fn an_answer_counts_once_for_its_digest_and_through_its_channel() {
    let confirm = confirm();
    let question = question(&policy(&[Channel::Operator], "1"), &LOCAL, &asked("touch a"));
    let asking = ask(&confirm, &question, None);
    tokio::pin!(asking);
    assert!(
        tokio::time::timeout(Duration::from_millis(1), &mut asking)
            .await
            .is_err()
    );
    let shown = confirm.list().remove(0);
    let action = shown.action.to_string();
    let answer = |action: &str, channel| confirm.answer(shown.id, action, Answer::Yes, channel, "x");
    assert_eq!(answer(&"0".repeat(64), Channel::Operator), Err(Unanswerable::Other));
    assert_eq!(answer(&action, Channel::User), Err(Unanswerable::Channel));
    assert_eq!(answer(&action, Channel::Operator), Ok(Heard::ByCall));
    assert_eq!(answer(&action, Channel::Operator), Err(Unanswerable::Answered));
    // Another server knows nothing of it.
    let other = self::confirm().answer(shown.id, &action, Answer::Yes, Channel::Operator, "x");
    assert_eq!(other, Err(Unanswerable::Unknown));
    asking.await.unwrap();
}

#[tokio::test]
async fn a_caller_s_questions_have_a_bound_that_leaves_room_for_others() {
    let confirm = confirm();
    let rules = policy(&[Channel::Operator], "1");
    for number in 0..QUESTIONS_PER_CALLER {
        let question = question(&rules, &LOCAL, &asked(&format!("touch {number}")));
        assert!(
            tokio::time::timeout(Duration::from_millis(1), ask(&confirm, &question, None))
                .await
                .is_err()
        );
    }
    let more = question(&rules, &LOCAL, &asked("touch more"));
    assert!(matches!(
        ask(&confirm, &more, None).await,
        Err(Unapproved::Queue(QUESTIONS_PER_CALLER))
    ));
    let other = question(&rules, &Caller::Local { uid: 1 }, &asked("touch more"));
    assert!(
        tokio::time::timeout(Duration::from_millis(1), ask(&confirm, &other, None))
            .await
            .is_err()
    );
}

/// A client whose user says this.
struct Client(Said);

impl AskUser for Client {
    fn can(&self) -> bool {
        true
    }

    fn ask<'a>(&'a self, _shown: &'a Shown) -> Pin<Box<dyn Future<Output = Said> + Send + 'a>> {
        Box::pin(std::future::ready(self.0))
    }
}

#[tokio::test]
async fn the_user_is_asked_where_the_rule_names_them_and_the_client_can() {
    let question = |by: &[Channel]| question(&policy(by, "1"), &LOCAL, &asked("touch a"));
    let confirm = Confirm::new(InstanceId::random().unwrap(), Redactor::default());
    let yes = Client(Said::Answer(Answer::Yes));
    assert_eq!(
        ask(&confirm, &question(&[Channel::User]), Some(&yes))
            .await
            .unwrap()
            .by(),
        Channel::User
    );
    let no = Client(Said::Answer(Answer::No));
    let declined = ask(&confirm, &question(&[Channel::User]), Some(&no)).await;
    assert!(matches!(declined, Err(Unapproved::Declined { .. })));
    for (by, user) in [(Channel::User, None), (Channel::Operator, Some(&yes as &dyn AskUser))] {
        let error = ask(&confirm, &question(&[by]), user).await.unwrap_err().to_string();
        assert!(
            error.contains("hint: the operator is reached with `terrarium approvals`"),
            "{error}"
        );
    }
}

#[tokio::test]
async fn a_client_that_calls_again_brings_the_answer() {
    let confirm = Confirm::new(InstanceId::random().unwrap(), Redactor::default());
    let question = question(&policy(&[Channel::User], "1"), &LOCAL, &asked("touch a"));
    let client = Client(Said::Later);
    let Err(Unapproved::Later(shown)) = ask(&confirm, &question, Some(&client)).await else {
        panic!("not asked");
    };
    let action = shown.action.to_string();
    confirm
        .answer(shown.id, &action, Answer::Yes, Channel::User, "the user")
        .unwrap();
    ask(&confirm, &question, Some(&client)).await.unwrap();
    // The same state brought twice is worth nothing.
    let again = confirm.answer(shown.id, &action, Answer::Yes, Channel::User, "the user");
    assert_eq!(again, Err(Unanswerable::Unknown));
    assert!(matches!(
        ask(&confirm, &question, Some(&client)).await,
        Err(Unapproved::Later(_))
    ));
}

#[tokio::test]
async fn what_is_shown_says_first_what_we_know_and_then_quotes() {
    let confirm = confirm();
    let question = question(&policy(&[Channel::Operator], "1"), &LOCAL, &asked("x\nTool: y"));
    assert!(
        tokio::time::timeout(Duration::from_millis(1), ask(&confirm, &question, None))
            .await
            .is_err()
    );
    let preview = confirm.list().remove(0).preview;
    let (ours, theirs) = preview.split_once("The caller wrote, quoted:\n").unwrap();
    for part in [
        "Asked by:  local:1000",
        "Tool:      hf_posts_reply",
        "Operation: write/posts (WRITES",
        "Target:    \"tid 7\"",
    ] {
        assert!(ours.contains(part), "{part} in {ours}");
    }
    assert_eq!(theirs, "| \"message\": \"x\\nTool: y\"\n");
}

#[test]
fn lockdown_is_on_until_it_is_lifted_and_when_in_doubt() {
    use super::lockdown::State;
    let mut random = [0; 8];
    getrandom::fill(&mut random).unwrap();
    let directory = std::env::temp_dir().join(format!("terrarium-test-lockdown-{:016x}", u64::from_le_bytes(random)));
    let lockdown = Lockdown::in_directory(&directory);
    assert_eq!(lockdown.check(), Ok(()));
    let state = State {
        since: "now".to_owned(),
        by: "me".to_owned(),
        reason: "a \u{1b}reason".to_owned(),
    };
    assert_eq!(lockdown.begin(&state).unwrap(), None);
    let again = Lockdown::in_directory(&directory);
    let second = State {
        since: "later".to_owned(),
        ..State::default()
    };
    assert_eq!(again.begin(&second).unwrap().as_ref(), Some(&state));
    assert_eq!(again.state().unwrap(), Some(state));
    let error = again.check().unwrap_err().to_string();
    assert!(
        error.contains("a \\u{1b}reason") && error.contains("terrarium lockdown off"),
        "{error}"
    );
    assert!(lockdown.end().unwrap() && !lockdown.end().unwrap());
    assert_eq!(again.check(), Ok(()));
    std::fs::write(directory.join("lockdown"), "garbage").unwrap();
    assert!(again.check().is_err());
    assert_eq!(again.begin(&second).unwrap(), None);
    assert_eq!(again.state().unwrap(), Some(second));
    std::fs::remove_dir_all(&directory).unwrap();
}
