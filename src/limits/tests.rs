use super::*;
use crate::model::Name;

const LOCAL: Caller = Caller::Local { uid: 1 };
const LONG: Duration = Duration::from_secs(60);

fn token(name: &str) -> Caller {
    Caller::Token {
        name: Name::new(name).unwrap(),
    }
}

async fn commands(limits: &Limits, caller: &Caller, count: usize) -> Vec<CommandPermit> {
    let mut held = Vec::new();
    for _ in 0..count {
        held.push(limits.command(caller, Duration::ZERO).await.unwrap());
    }
    held
}

async fn waiting(limits: &Limits, count: usize) {
    while limits.table().waiting() < count {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn a_command_over_the_limit_waits_and_is_then_refused_with_the_numbers() {
    let limits = Limits::default();
    let mut held = commands(&limits, &LOCAL, 32).await;
    let refused = limits.command(&LOCAL, Duration::from_millis(20)).await.unwrap_err();
    assert!(
        matches!(
            refused,
            Refused::Busy {
                limit: 32,
                whose: Full::All,
                waited_ms: 20..,
                waiting: 0
            }
        ),
        "{refused:?}"
    );
    assert!(
        refused.to_string().starts_with("32 commands are running, which"),
        "{refused}"
    );

    let next = limits.command(&LOCAL, LONG);
    held.pop();
    next.await.unwrap();
}

#[tokio::test]
async fn the_queue_is_bounded_and_ends_with_the_server() {
    let limits = Limits::default();
    let _held = commands(&limits, &LOCAL, 32).await;
    let mut queue = tokio::task::JoinSet::new();
    for _ in 0..256 {
        let limits = limits.clone();
        queue.spawn(async move { limits.command(&LOCAL, LONG).await.map(drop) });
    }
    waiting(&limits, 256).await;
    let refused = limits.command(&LOCAL, LONG).await.unwrap_err();
    assert_eq!(
        refused,
        Refused::Queue {
            limit: 256,
            whose: Full::All
        }
    );
    limits.end();
    while let Some(result) = queue.join_next().await {
        assert_eq!(result.unwrap(), Err(Refused::Ending));
    }
    assert_eq!(limits.admit(&LOCAL).unwrap_err(), Refused::Ending);
}

#[tokio::test]
async fn permits_come_back_when_dropped() {
    let limits = Limits::default();
    for _ in 0..1000 {
        limits.command(&LOCAL, Duration::ZERO).await.unwrap();
        limits.admit(&LOCAL).unwrap();
    }
    let held = commands(&limits, &LOCAL, 32).await;
    limits.command(&LOCAL, Duration::ZERO).await.unwrap_err();
    drop(held);
    assert!(limits.table().is_empty());
}

#[test]
fn one_caller_leaves_sessions_and_calls_to_others() {
    let limits = Limits::new(Caps::default(), Among::Many, &[]);
    let mut held = Vec::new();
    for _ in 0..64 {
        held.push(limits.session(&token("a")).unwrap());
    }
    let own = limits.session(&token("a")).unwrap_err();
    assert_eq!(own, Refused::OwnSessions { limit: 64 });
    for at in 64..256 {
        held.push(limits.session(&token(&format!("b{}", at / 64))).unwrap());
    }
    assert_eq!(
        limits.session(&token("c")).unwrap_err(),
        Refused::Sessions { limit: 256 }
    );
    let mut calls = Vec::new();
    for _ in 0..128 {
        calls.push(limits.admit(&token("a")).unwrap());
    }
    let refused = limits.admit(&token("a")).unwrap_err();
    assert_eq!(
        refused.to_string(),
        "128 calls of yours are running, which is the limit; hint: wait for answers before you send more"
    );
    limits.admit(&token("b")).unwrap();
}

#[tokio::test]
async fn whoever_runs_least_is_next_and_nobody_has_more_than_their_share() {
    let limits = Limits::new(Caps::default(), Among::Many, &[]);
    let mut held = Vec::new();
    for name in ["a", "b", "c", "d"] {
        held.push(commands(&limits, &token(name), 8).await);
    }
    let own = limits.command(&token("a"), Duration::ZERO).await.unwrap_err();
    assert!(
        own.to_string().starts_with("8 commands of yours are running, which"),
        "{own}"
    );

    // All of the greedy one's calls came before that of somebody who has nothing.
    let (came, mut order) = tokio::sync::mpsc::unbounded_channel();
    let mut queue = tokio::task::JoinSet::new();
    for name in ["a", "a", "a", "late"] {
        let before = limits.table().waiting();
        let (limits, came) = (limits.clone(), came.clone());
        let waits = limits.clone();
        queue.spawn(async move {
            let held = limits.command(&token(name), LONG).await.unwrap();
            came.send(name).unwrap();
            held
        });
        waiting(&waits, before + 1).await;
    }
    held[0].pop();
    assert_eq!(order.recv().await, Some("late"));
    held[0].pop();
    assert_eq!(order.recv().await, Some("a"));
}

#[tokio::test]
async fn a_call_that_gives_up_leaves_its_place_to_the_next() {
    let limits = Limits::default();
    let mut held = commands(&limits, &LOCAL, 32).await;
    let gives_up = tokio::spawn({
        let limits = limits.clone();
        async move { limits.command(&LOCAL, LONG).await.map(drop) }
    });
    waiting(&limits, 1).await;
    let stays = tokio::spawn({
        let limits = limits.clone();
        async move { limits.command(&LOCAL, LONG).await.map(drop) }
    });
    waiting(&limits, 2).await;
    gives_up.abort();
    gives_up.await.unwrap_err();
    assert_eq!(limits.table().waiting(), 1);
    held.pop();
    assert_eq!(stays.await.unwrap(), Ok(()));
}

#[test]
fn subscriptions_of_one_caller_are_bounded_and_come_back() {
    let (one, other) = (Caller::Local { uid: 1 }, Caller::Local { uid: 2 });
    let limits = Limits::default();
    let held: Vec<_> = (0..SUBSCRIPTIONS_PER_CALLER)
        .map(|_| limits.subscription(&one).unwrap())
        .collect();
    assert_eq!(limits.subscription(&one).unwrap_err(), Refused::Subscriptions);
    limits.subscription(&other).unwrap();
    drop(held);
    limits.subscription(&one).unwrap();
    assert!(limits.subscriptions.lock().unwrap().is_empty());
}
