//! Who has a yes, and what becomes of the questions of those who are gone.

use super::*;

#[test]
fn a_yes_belongs_to_one_call_and_only_once_that_is_on_record() {
    let question = question(&policy(&[Channel::Operator], "1"), &LOCAL, &asked("touch a"));
    let waiting = Waiting::new(InstanceId::default(), &question, &Redactor::default()).unwrap();
    assert!(Claim::of(&waiting).is_none(), "nobody said yes");
    let yes = State::Yes {
        channel: Channel::Operator,
        by: "operator:0".to_owned(),
    };
    waiting.answer.send_replace(yes.clone());
    let first = Claim::of(&waiting).unwrap();
    assert!(Claim::of(&waiting).is_none(), "one has it");
    drop(first); // as where the record cannot be written
    assert_eq!(*waiting.answer.borrow(), yes);
    let second = Claim::of(&waiting).unwrap();
    assert_eq!(second.by(), "operator:0");
    second.used().unwrap();
    assert!(waiting.is_used() && Claim::of(&waiting).is_none());
    // Withdrawn while it is put on record.
    waiting.answer.send_replace(yes);
    let late = Claim::of(&waiting).unwrap();
    waiting.withdraw();
    assert!(matches!(late.used(), Err(Unapproved::Cancelled)));
    assert!(Claim::of(&waiting).is_none());
}

#[tokio::test]
async fn whoever_is_gone_is_asked_for_nothing_and_has_no_yes() {
    let confirm = confirm();
    let rules = policy(&[Channel::Operator], "1");
    let (mine, others) = (
        question(&rules, &LOCAL, &asked("touch a")),
        question(&rules, &Caller::Local { uid: 1 }, &asked("touch a")),
    );
    for question in [&mine, &others] {
        let asking = tokio::time::timeout(Duration::from_millis(1), ask(&confirm, question, None));
        assert!(asking.await.is_err());
    }
    // A yes that nobody has fetched goes as well.
    let shown = confirm.list().remove(0);
    let action = shown.action.to_string();
    confirm
        .answer(shown.id, &action, Answer::Yes, Channel::Operator, "operator:0")
        .unwrap();
    confirm.forget(&LOCAL);
    let left: Vec<Caller> = confirm.list().into_iter().map(|shown| shown.caller).collect();
    assert_eq!(left, [Caller::Local { uid: 1 }]);
    // A call that was cancelled before asks nothing any more, however late it comes to that.
    let audit = Audit::to_log(InstanceId::default());
    let mut entry = audit.asked(&LOCAL, "terminal_run", &Map::new()).await.unwrap();
    let cancelled = CancellationToken::new();
    cancelled.cancel();
    let late = confirm.ask(&mine, &mut entry, None, &cancelled).await;
    assert!(matches!(late, Err(Unapproved::Cancelled)));
    entry.refused("the end of a test").await;
    assert_eq!(confirm.list().len(), 1);
    // And one that waits hears of it.
    let (waits, ()) = tokio::join!(ask(&confirm, &mine, None), async {
        let mut changes = confirm.changes();
        while confirm.list().len() < 2 {
            changes.changed().await.unwrap();
        }
        confirm.forget(&LOCAL);
    });
    assert!(matches!(waits, Err(Unapproved::Declined { .. })));
}
