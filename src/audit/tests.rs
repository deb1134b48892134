mod alive;
mod torn;

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::json;

use super::read::{Anchored, Wrong, list, verify};
use super::*;

const LOCAL: Caller = Caller::Local { uid: 1000 };

/// A directory for an audit, which goes with it.
struct Place(PathBuf);

impl Place {
    fn new() -> Self {
        let mut random = [0; 8];
        getrandom::fill(&mut random).unwrap();
        let name = format!("terrarium-test-audit-{:016x}", u64::from_le_bytes(random));
        Self(std::env::temp_dir().join(name))
    }

    fn audit(&self) -> Audit {
        self.audit_with(|_| {})
    }

    fn audit_with(&self, change: impl FnOnce(&mut Settings)) -> Audit {
        let mut settings = Settings::new(self.0.clone());
        change(&mut settings);
        Audit::to_files(InstanceId::random().unwrap(), settings, Redactor::default(), None)
    }

    fn files(&self) -> Vec<PathBuf> {
        list(&self.0).unwrap().into_iter().map(|found| found.path).collect()
    }

    fn lines(&self) -> Vec<Line<'static>> {
        let files = self.files();
        let read = |path: &PathBuf| read::lines_of(std::io::BufReader::new(fs::File::open(path).unwrap())).map(|l| l.1);
        files.iter().flat_map(read).collect()
    }

    fn events(&self) -> Vec<Event> {
        self.lines().iter().map(|line| line.event).collect()
    }

    fn wrong(&self) -> Vec<Wrong> {
        verify(&self.0, &[]).unwrap().wrong
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        fs::remove_dir_all(&self.0).ok(); // a test may have removed it
    }
}

async fn call(audit: &Audit) -> Result<Closing, AuditError> {
    let arguments = json!({"command": "true"});
    let mut entry = audit
        .asked(&LOCAL, "terminal_run", arguments.as_object().unwrap())
        .await?;
    let decision = Decision {
        rule: Some("terminals"),
        profile: Some("default"),
        ..Decision::default()
    };
    entry.judged_by("2026-11-1");
    entry.allowed(decision).await?;
    let facts = Facts {
        exit_code: Some(0),
        ..Facts::default()
    };
    Ok(entry.done(Outcome::Done, &facts).await)
}

async fn calls(audit: &Audit, times: usize) {
    for _ in 0..times {
        assert!(matches!(call(audit).await, Ok(Closing::Recorded)));
    }
}

/// Changes the only file.
fn edit(path: &Path, change: impl FnOnce(&mut Vec<String>)) {
    let mut lines: Vec<String> = fs::read_to_string(path).unwrap().lines().map(str::to_owned).collect();
    change(&mut lines);
    fs::write(path, lines.join("\n") + "\n").unwrap();
}

#[tokio::test]
async fn a_call_is_asked_decided_and_done_in_this_order() {
    let place = Place::new();
    let audit = place.audit();
    calls(&audit, 1).await;
    audit.end();
    assert_eq!(
        place.events(),
        [Event::Opened, Event::Asked, Event::Allowed, Event::Done, Event::Ended]
    );
    let lines = place.lines();
    assert_eq!(lines[1].argument_bytes, Some(18));
    assert_eq!(lines[1].digest.as_ref().unwrap().len(), 64);
    assert_eq!(lines[2].policy.as_deref(), Some("2026-11-1"));
    assert_eq!(
        (lines[3].outcome.as_deref(), lines[3].exit_code),
        (Some("done"), Some(0))
    );
    let report = verify(&place.0, &[]).unwrap();
    assert_eq!((report.lines, report.files), (5, 1));
    assert_eq!((report.wrong, report.torn), (vec![], vec![]));
}

#[tokio::test]
async fn a_dropped_call_says_that_its_outcome_is_unknown() {
    let place = Place::new();
    let audit = place.audit();
    drop(audit.asked(&LOCAL, "terminal_run", &Map::new()).await.unwrap());
    let last = place.lines().pop().unwrap();
    assert_eq!(last.outcome.as_deref(), Some("cancelled, outcome unknown"));
}

#[tokio::test]
async fn nobody_else_can_read_it() {
    use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
    let place = Place::new();
    let audit = place.audit();
    calls(&audit, 1).await;
    assert_eq!(fs::metadata(&place.0).unwrap().mode() & 0o777, 0o700);
    for entry in fs::read_dir(&place.0).unwrap() {
        assert_eq!(entry.unwrap().metadata().unwrap().mode() & 0o777, 0o600);
    }
    drop(audit);
    fs::set_permissions(&place.0, fs::Permissions::from_mode(0o755)).unwrap();
    let error = call(&place.audit()).await.unwrap_err().to_string();
    assert!(error.contains("hint: chmod 0700"), "{error}");
}

#[tokio::test]
async fn what_is_changed_taken_out_or_moved_is_found() {
    let place = Place::new();
    calls(&place.audit(), 5).await;
    let path = place.files().pop().unwrap();
    let whole = fs::read_to_string(&path).unwrap();
    assert_eq!(place.wrong(), []);
    edit(&path, |lines| {
        lines[4] = lines[4].replace("terminal_run", "terminal_rum")
    });
    assert!(matches!(
        place.wrong()[0],
        Wrong::Changed {
            why: LineError::Hash,
            ..
        }
    ));
    fs::write(&path, &whole).unwrap();
    edit(&path, |lines| drop(lines.remove(4)));
    assert!(matches!(place.wrong()[..], [Wrong::Order { n: 6, after: 4, .. }]));
    fs::write(&path, &whole).unwrap();
    edit(&path, |lines| lines.swap(4, 5));
    assert!(matches!(place.wrong()[0], Wrong::Order { n: 6, after: 4, .. }));
    // A line of the right place with a hash of its own, in another chain.
    fs::write(&path, &whole).unwrap();
    let other = Place::new();
    calls(&other.audit(), 5).await;
    let foreign = fs::read_to_string(&other.files()[0]).unwrap();
    edit(&path, |lines| lines[4] = foreign.lines().nth(4).unwrap().to_owned());
    assert!(matches!(place.wrong()[0], Wrong::Link { n: 5, .. }));
    for (more, torn) in [("{\"what\": 1}\n", 0), ("{\"what\": 1", 1)] {
        fs::write(&path, format!("{whole}{more}")).unwrap();
        let report = verify(&place.0, &[]).unwrap();
        assert_eq!((report.wrong.len(), report.torn.len()), (1 - torn, torn), "{more}");
    }
}

#[tokio::test]
async fn a_cut_end_and_a_rewritten_chain_show_against_an_anchor() {
    let place = Place::new();
    let audit = place.audit();
    calls(&audit, 3).await;
    let (name, n, hash) = audit.files.as_ref().unwrap().writer.head().unwrap();
    let anchor = Anchored { name, n, hash };
    assert_eq!(verify(&place.0, &[anchor]).unwrap().anchors, 1);
    let path = place.files().pop().unwrap();
    edit(&path, |lines| lines.truncate(6));
    assert_eq!(place.wrong(), []);
    let wrong = verify(&place.0, &[anchor]).unwrap().wrong;
    assert_eq!(
        wrong,
        [Wrong::Cut {
            file: name,
            n: 10,
            last: 6
        }]
    );
    drop(audit);
    calls(&place.audit(), 3).await;
    let wrong = verify(&place.0, &[anchor]).unwrap().wrong;
    assert_eq!(wrong, [Wrong::Rewritten { file: name, n: 10 }]);
    fs::remove_file(&path).unwrap();
    let wrong = verify(&place.0, &[anchor]).unwrap().wrong;
    assert_eq!(wrong, [Wrong::Missing { file: name }]);
}

#[tokio::test]
async fn a_chain_goes_on_over_restarts_and_over_files() {
    let place = Place::new();
    for _ in 0..3 {
        let audit = place.audit_with(|settings| settings.rotate = 4096);
        calls(&audit, 10).await;
        audit.end();
    }
    let files = place.files();
    assert!(files.len() > 5, "{files:?}");
    assert_eq!(place.wrong(), []);
    fs::remove_file(&files[2]).unwrap();
    assert!(matches!(place.wrong()[..], [Wrong::Missing { file }] if file.number == 3));
    // The last one is told of by the one before it.
    fs::remove_file(files.last().unwrap()).unwrap();
    assert_eq!(place.wrong().len(), 2);
}

#[tokio::test]
async fn two_at_a_time_write_to_two_files() {
    let place = Place::new();
    let (one, two) = (place.audit(), place.audit());
    for _ in 0..3 {
        calls(&one, 1).await;
        calls(&two, 1).await;
    }
    assert_eq!(place.files().len(), 2);
    assert!(place.files().iter().all(|path| super::files::is_live(path)));
    drop((one, two));
    assert!(!place.files().iter().any(|path| super::files::is_live(path)));
    calls(&place.audit(), 1).await;
    assert_eq!((place.files().len(), place.wrong()), (2, vec![]));
}

#[tokio::test]
async fn the_oldest_files_go_with_a_record_and_those_in_use_stay() {
    let place = Place::new();
    let held = place.audit();
    calls(&held, 20).await;
    let in_use = place.files().pop().unwrap();
    let audit = place.audit_with(|settings| (settings.rotate, settings.keep_bytes) = (4096, 30_000));
    calls(&audit, 60).await;
    let total: u64 = list(&place.0).unwrap().iter().map(|found| found.bytes).sum();
    assert!(total < 40_000, "{total}");
    assert!(in_use.exists());
    assert!(place.events().contains(&Event::Retired));
    assert_eq!(place.wrong(), []);
    drop(audit);
    let audit = place.audit_with(|settings| settings.keep_age = Duration::ZERO);
    calls(&audit, 1).await;
    assert_eq!((place.files().len(), place.wrong()), (2, vec![]));
}

#[tokio::test]
async fn without_its_directory_calls_are_refused_until_it_is_back() {
    use std::os::unix::fs::DirBuilderExt as _;
    let place = Place::new();
    let audit = place.audit();
    calls(&audit, 1).await;
    let head = audit.files.as_ref().unwrap().writer.head().unwrap().2;
    fs::remove_dir_all(&place.0).unwrap();
    for _ in 0..2 {
        let error = call(&audit).await.unwrap_err().to_string();
        assert!(error.contains("put the directory back"), "{error}");
    }
    fs::DirBuilder::new().mode(0o700).create(&place.0).unwrap();
    calls(&audit, 1).await;
    let first = place.lines().remove(0);
    assert_eq!(first.head.as_deref(), Some(head.to_string().as_str()));
    assert!(matches!(place.wrong()[..], [Wrong::Taken { .. }]));
}

#[tokio::test]
async fn a_removed_file_refuses_one_call_and_is_told_of() {
    let place = Place::new();
    let audit = place.audit();
    calls(&audit, 1).await;
    fs::remove_file(place.files().pop().unwrap()).unwrap();
    let error = call(&audit).await.unwrap_err().to_string();
    assert!(error.contains("its file was removed or renamed"), "{error}");
    calls(&audit, 1).await;
    assert!(matches!(place.wrong()[..], [Wrong::Taken { .. }]));
}

#[tokio::test]
async fn a_closing_record_that_fails_is_late_and_nothing_goes_before_it() {
    let place = Place::new();
    let audit = place.audit();
    calls(&audit, 1).await;
    let mut entry = audit.asked(&LOCAL, "terminal_run", &Map::new()).await.unwrap();
    entry.allowed(Decision::default()).await.unwrap();
    let aside = place.0.with_extension("aside");
    fs::rename(&place.0, &aside).unwrap();
    let closing = entry.done(Outcome::Done, &Facts::default()).await;
    assert!(matches!(closing, Closing::Late(_)));
    assert!(call(&audit).await.is_err());
    fs::rename(&aside, &place.0).unwrap();
    calls(&audit, 1).await;
    let lines = place.lines();
    let late: Vec<_> = lines.iter().filter(|line| line.late).map(|line| line.event).collect();
    assert_eq!(late, [Event::Done]);
    assert_eq!(
        place
            .wrong()
            .iter()
            .filter(|w| !matches!(w, Wrong::Taken { .. }))
            .count(),
        0
    );
}

#[tokio::test]
async fn every_mode_records_the_same() {
    for sync in [SyncMode::Group, SyncMode::Every] {
        let place = Place::new();
        let audit = place.audit_with(|settings| settings.sync = sync);
        let many = (0..20).map(|_| call(&audit));
        for closing in futures_join(many).await {
            assert!(matches!(closing, Ok(Closing::Recorded)));
        }
        assert_eq!((place.lines().len(), place.wrong()), (61, vec![]));
    }
}

/// All of them at once.
async fn futures_join<F: Future>(futures: impl Iterator<Item = F>) -> Vec<F::Output> {
    let mut futures: Vec<_> = futures.map(Box::pin).collect();
    let mut done = Vec::new();
    std::future::poll_fn(|context| {
        futures.retain_mut(|future| match future.as_mut().poll(context) {
            std::task::Poll::Ready(output) => {
                done.push(output);
                false
            }
            std::task::Poll::Pending => true,
        });
        if futures.is_empty() {
            std::task::Poll::Ready(())
        } else {
            std::task::Poll::Pending
        }
    })
    .await;
    done
}

#[tokio::test]
async fn no_secret_stands_in_a_record_and_texts_have_a_bound() {
    let place = Place::new();
    let redactor = Redactor::default();
    redactor.add("hunter2-hunter2").unwrap();
    let audit = Audit::to_files(
        InstanceId::random().unwrap(),
        Settings::new(place.0.clone()),
        redactor,
        None,
    );
    let long = format!("{}hunter2-hunter2{}", "x".repeat(505), "é".repeat(1000));
    audit.note(Event::Alert, "hunter2-hunter2\"\n", &long).await.unwrap();
    let line = place.lines().pop().unwrap();
    assert_eq!(line.by.as_deref(), Some("[redacted]\"\n"));
    let why = line.why.unwrap();
    assert!(
        why.len() <= 512 && why.contains("[redac") && !why.contains("hunter"),
        "{why}"
    );
    assert_eq!(place.wrong(), []);
}
