use std::io::{Read as _, Write as _};
use std::sync::Arc;
use std::time::Duration;

use super::*;
use crate::limits::Limits;
use crate::model::workspace::{Keep, Owner};
use crate::model::{Program, ShellLine, Workspace};
use crate::profile::{Profile, Profiles};
use crate::sandbox::fake::{self, Heard, Inside};
use crate::sandbox::handle::Order;
use crate::sandbox::{Ending, Status};

const LOCAL: Caller = Caller::Local { uid: 1 };
const OTHER: Caller = Caller::Local { uid: 2 };

fn launch() -> LaunchRequest {
    LaunchRequest {
        tool: "terminal_run",
        profile: Profiles::embedded().get("default").unwrap(),
        workspace: Workspace {
            path: "/w".into(),
            device: 0,
            inode: 0,
            owner: Owner { uid: 0, gid: 0 },
            keep: Keep::Always,
        },
        program: Program::Shell(ShellLine::new("make\tall").unwrap()),
        cwd: None,
        env: Vec::new(),
        terminal: Wanted::None,
        timeout: None,
        cpu_time: None,
    }
}

async fn start(sessions: &Sessions, caller: &Caller, launch: &LaunchRequest, stdin: &[u8]) -> (Session, Inside) {
    let permit = Limits::default().command(caller, Duration::ZERO).await.unwrap();
    let room = sessions.room(launch.terminal).await.unwrap();
    let (sandbox, inside) = fake::sandbox().unwrap();
    let session = sessions
        .start(
            caller,
            launch,
            sandbox,
            Manner {
                stdin: Some(stdin.to_vec()),
                ..Manner::default()
            },
            room,
            permit,
        )
        .unwrap();
    (session, inside)
}

fn end(inside: Inside, ending: Ending) {
    inside.heard.ending.send(Some(ending)).unwrap();
}

#[tokio::test]
async fn output_is_kept_apart_and_complete_at_the_end() {
    let sessions = Sessions::default();
    let (session, mut inside) = start(&sessions, &LOCAL, &launch(), b"").await;
    inside.stdout.write_all(b"out\xff\n").unwrap();
    inside.stderr.write_all(b"err\n").unwrap();
    end(inside, fake::ended(Status::Code(3)));
    assert_eq!(session.finished().await.unwrap().ending.status, Status::Code(3));
    let shown = session.excerpts(1000).await.unwrap();
    assert_eq!(
        (&shown.main.head[..], &shown.error.head[..]),
        (&b"out\xff\n"[..], &b"err\n"[..])
    );
    let again = session.read(Stream::Main, 1, 2).await.unwrap();
    assert_eq!((again.start, &again.bytes[..], again.total), (1, &b"ut"[..], 5));
}

#[tokio::test]
async fn input_larger_than_a_pipe_is_written_and_then_ends() {
    let sessions = Sessions::default();
    let input = vec![b'i'; 3_000_000];
    let (session, mut inside) = start(&sessions, &LOCAL, &launch(), &input).await;
    let read = tokio::task::spawn_blocking(move || {
        let mut all = Vec::new();
        inside.stdin.read_to_end(&mut all).unwrap();
        (all, inside)
    });
    let (all, inside) = read.await.unwrap();
    assert_eq!(all, input);
    end(inside, fake::ended(Status::Code(0)));
    session.finished().await.unwrap();
}

#[tokio::test]
async fn a_command_that_is_given_no_input_gets_the_end_at_once() {
    let sessions = Sessions::default();
    let (_session, mut inside) = start(&sessions, &LOCAL, &launch(), b"").await;
    let read = tokio::task::spawn_blocking(move || inside.stdin.read(&mut [0]).unwrap());
    assert_eq!(read.await.unwrap(), 0);
}

#[tokio::test]
async fn a_stream_that_somebody_holds_open_does_not_delay_the_end() {
    let sessions = Sessions::default();
    let (session, mut inside) = start(&sessions, &LOCAL, &launch(), b"").await;
    inside.stdout.write_all(b"last words").unwrap();
    inside.heard.ending.send(Some(fake::ended(Status::Code(0)))).unwrap();
    let finished = tokio::time::timeout(Duration::from_secs(5), session.finished()).await;
    assert_eq!(finished.unwrap().unwrap().ending.status, Status::Code(0));
    assert_eq!(session.progress().main, 10);
    drop(inside);
}

#[tokio::test(flavor = "multi_thread")]
async fn too_much_output_stops_the_command_and_nothing_blocks() {
    let sessions = Sessions::default();
    let mut request = launch();
    let mut profile = Profile::clone(&request.profile);
    profile.limits.output = crate::model::ByteCount::new(8 << 20);
    request.profile = Arc::new(profile);
    let (session, inside) = start(&sessions, &LOCAL, &request, b"").await;
    let Inside {
        mut stdout,
        heard: Heard { mut orders, ending },
        ..
    } = inside;
    let flood = tokio::task::spawn_blocking(move || stdout.write_all(&vec![b'x'; (8 << 20) + 1]));
    let expected = Order::Stop {
        why: Stop::Output,
        grace_ms: 0,
    };
    let mut order = orders.recv().await;
    while order == Some(Order::Busy) {
        order = orders.recv().await; // a slow flood is told of first
    }
    assert_eq!(order, Some(expected));
    flood.await.unwrap().unwrap();
    ending.send(Some(fake::ended(Status::Signal(9)))).unwrap();
    session.finished().await.unwrap();
    let progress = session.progress();
    assert_eq!(progress.main, (8 << 20) + 1);
    assert!(progress.held <= OUTPUT_KEPT + (1 << 20), "{}", progress.held);
}

#[tokio::test]
async fn just_as_much_output_as_allowed_stops_nothing() {
    let sessions = Sessions::default();
    let mut request = launch();
    let mut profile = Profile::clone(&request.profile);
    profile.limits.output = crate::model::ByteCount::new(4);
    request.profile = Arc::new(profile);
    let (session, mut inside) = start(&sessions, &LOCAL, &request, b"").await;
    inside.stdout.write_all(b"1234").unwrap();
    inside.heard.ending.send(Some(fake::ended(Status::Code(0)))).unwrap();
    session.finished().await.unwrap();
    assert!(inside.heard.orders.try_recv().is_err());
}

#[tokio::test]
async fn another_callers_session_does_not_exist() {
    let sessions = Sessions::default();
    let (session, _inside) = start(&sessions, &LOCAL, &launch(), b"").await;
    let id = session.about().id;
    for name in ["s1", &id.to_string()] {
        assert_eq!(sessions.resolve(&LOCAL, name).unwrap(), id);
        let refused = sessions.resolve(&OTHER, name).unwrap_err();
        assert!(matches!(refused, SessionError::NoSuchSession { .. }), "{refused}");
    }
    assert!(sessions.get(&OTHER, id).is_err());
    assert!(sessions.list(&OTHER).is_empty());
    for name in ["", "s", "s+1", "s2", "S1", "1"] {
        assert!(sessions.resolve(&LOCAL, name).is_err(), "{name:?}");
    }
    assert_eq!(session.about().command, "make all");
}

#[tokio::test]
async fn a_forgotten_session_ends_and_is_gone_for_those_who_hold_it() {
    let sessions = Sessions::default();
    let (session, mut inside) = start(&sessions, &LOCAL, &launch(), b"").await;
    sessions.forget(&LOCAL, session.about().id);
    assert!(sessions.list(&LOCAL).is_empty());
    // Those who still wait keep it alive; when they go it is dropped, and the sandbox with it.
    drop(session);
    assert_eq!(inside.heard.orders.recv().await, None);
}

#[tokio::test]
async fn the_oldest_finished_sessions_go_first() {
    let sessions = Sessions::default();
    for _ in 0..FINISHED + 2 {
        let (session, inside) = start(&sessions, &LOCAL, &launch(), b"").await;
        end(inside, fake::ended(Status::Code(0)));
        session.finished().await.unwrap();
    }
    let (_live, _inside) = start(&sessions, &LOCAL, &launch(), b"").await;
    let left = sessions.list(&LOCAL);
    assert_eq!(left.len(), FINISHED + 1);
    assert_eq!(left.first().unwrap().about().alias, "s3");
}

#[tokio::test]
async fn the_end_of_the_server_stops_all_and_starts_nothing() {
    let sessions = Sessions::default();
    let (_session, mut inside) = start(&sessions, &LOCAL, &launch(), b"").await;
    sessions.end(Duration::from_millis(7), Duration::from_millis(20)).await;
    let expected = Order::Stop {
        why: Stop::Closed,
        grace_ms: 7,
    };
    assert_eq!(inside.heard.orders.recv().await, Some(expected));
    let permit = Limits::default().command(&LOCAL, Duration::ZERO).await.unwrap();
    let room = sessions.room(Wanted::None).await.unwrap();
    let refused = sessions.start(
        &LOCAL,
        &launch(),
        fake::sandbox().unwrap().0,
        Manner::default(),
        room,
        permit,
    );
    assert!(matches!(refused, Err(SessionError::Ending)));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn output_stays_within_the_servers_memory_and_finished_sessions_go_for_it() {
    let least = Actor::least_memory(None);
    let sessions = Sessions::new(ByteCount::new((2 * least + 300_000) as u64));
    let (second, _running) = start(&sessions, &LOCAL, &launch(), b"").await;
    let (first, mut inside) = start(&sessions, &LOCAL, &launch(), b"").await;
    inside.stdout.write_all(&[b'a'; 1_500_000]).unwrap();
    let mut watch = first.watch();
    while first.progress().main < 1_500_000 {
        assert!(watch.changed().await);
        watch.seen();
    }
    // What is in the middle goes: 200 kB are always kept, and 262 144 bytes more were there to be had.
    let kept = first.read(Stream::Main, 100_000, 10).await.unwrap();
    assert_eq!(kept.dropped, 1_500_000 - 200_000 - 262_144);
    let error = sessions.room(Wanted::None).await.unwrap_err().to_string();
    assert!(error.contains("hint: end a session with terminal_close"), "{error}");
    // The first has ended: it goes for a third.
    end(inside, fake::ended(Status::Code(0)));
    first.finished().await.unwrap();
    let (third, _running) = start(&sessions, &LOCAL, &launch(), b"").await;
    assert!(sessions.get(&LOCAL, first.about().id).is_err());
    assert!(!second.is_gone() && !third.is_gone());
    assert!(sessions.room(Wanted::None).await.is_err());
}
