use std::os::unix::fs::PermissionsExt as _;
use std::sync::Arc;

use super::*;
use crate::policy::RuleId;
use crate::policy::file::Period;

/// A private directory that goes at the end.
struct Directory(PathBuf);

impl Directory {
    fn new() -> Self {
        let mut random = [0; 8];
        getrandom::fill(&mut random).unwrap();
        Self(std::env::temp_dir().join(format!("terrarium-budget-{:x}", u64::from_le_bytes(random))))
    }

    fn budget(&self) -> Budget {
        Budget::in_directory(Some(self.0.clone()))
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        std::fs::remove_dir_all(&self.0).ok(); // it may not have been made
    }
}

fn times(most: u64) -> Quota {
    Quota {
        rule: RuleId::new("r"),
        counts: Counts::Times,
        takes: 1,
        most,
        per: Period::Hour,
    }
}

fn sum(takes: u64, most: u64) -> Quota {
    Quota {
        counts: Counts::Sum {
            field: "amount".to_owned(),
        },
        takes,
        ..times(most)
    }
}

const HOUR: u64 = 3600 * 1000;

#[test]
fn a_bound_looks_back_over_its_period_and_says_when_there_is_room() {
    let at = Directory::new();
    let reserve = |quota: &Quota, now| count(&at.0, std::slice::from_ref(quota), Purpose::Reserve, now).unwrap();
    let start = 1_000_000_000_000;
    assert_eq!(reserve(&times(2), start), None);
    assert_eq!(reserve(&times(2), start + HOUR / 2), None);
    let Some(Reason::Used { left: 0, wait_s, .. }) = reserve(&times(2), start + HOUR - 1500) else {
        panic!("three in an hour");
    };
    assert_eq!(wait_s, Some(2));
    assert_eq!(reserve(&times(2), start + HOUR), None, "the first is an hour ago");
    assert!(reserve(&times(2), start + HOUR).is_some());
    // A clock that was set back frees nothing.
    assert!(reserve(&times(2), start - HOUR).is_some());
}

#[test]
fn a_sum_is_not_overdrawn_by_one_request_or_by_many() {
    let at = Directory::new();
    let reserve = |quota: &Quota| count(&at.0, std::slice::from_ref(quota), Purpose::Reserve, 1000).unwrap();
    let never = reserve(&sum(11, 10));
    assert!(
        matches!(
            never,
            Some(Reason::Used {
                wait_s: None,
                left: 10,
                ..
            })
        ),
        "{never:?}"
    );
    assert_eq!(reserve(&sum(10, 10)), None);
    assert!(reserve(&sum(1, 10)).is_some());
    assert_eq!(reserve(&sum(0, 10)), None, "nothing is always there");
    assert!(reserve(&sum(u64::MAX, 10)).is_some());
    assert_eq!(reserve(&times(1)), None, "times and sums are counted apart");
}

#[test]
fn of_several_bounds_all_are_reserved_or_none() {
    let at = Directory::new();
    let both = [times(5), sum(20, 10)];
    assert!(count(&at.0, &both, Purpose::Reserve, 1000).unwrap().is_some());
    let five: Vec<Quota> = (0..5).map(|_| times(5)).collect();
    assert_eq!(count(&at.0, &five, Purpose::Look, 1000).unwrap(), None);
    assert_eq!(count(&at.0, &five, Purpose::Reserve, 1000).unwrap(), None);
    assert!(count(&at.0, &five, Purpose::Look, 1000).unwrap().is_some());
}

#[tokio::test]
async fn a_hundred_at_once_in_two_servers_get_exactly_what_there_is() {
    let at = Directory::new();
    let servers = [Arc::new(at.budget()), Arc::new(at.budget())];
    let mut tasks = tokio::task::JoinSet::new();
    for n in 0..100 {
        let server = Arc::clone(&servers[n % 2]);
        tasks.spawn(async move { server.reserve(&[times(7)]).await.is_ok() });
    }
    let done = tasks.join_all().await.into_iter().filter(|done| *done).count();
    assert_eq!(done, 7);
    let error = at.budget().reserve(&[times(7)]).await.unwrap_err();
    assert!(
        matches!(error, BudgetError::Used { .. }),
        "a restart clears nothing: {error}"
    );
}

#[tokio::test]
async fn what_cannot_be_counted_is_refused() {
    let at = Directory::new();
    at.budget().reserve(&[times(7)]).await.unwrap();
    let mode = |name: &str| at.0.join(name).metadata().unwrap().permissions().mode() & 0o777;
    assert_eq!((mode("counted.json"), mode("counted.lock")), (0o600, 0o600));
    for broken in [
        "",
        "{",
        "[]",
        r#"{"version":2,"rules":{}}"#,
        r#"{"version":1,"rules":{},"more":1}"#,
    ] {
        std::fs::write(at.0.join("counted.json"), broken).unwrap();
        let error = at.budget().reserve(&[times(7)]).await.unwrap_err();
        assert!(matches!(error, BudgetError::Count { .. }), "{broken}: {error}");
    }
    std::fs::remove_file(at.0.join("counted.json")).unwrap();
    std::os::unix::fs::symlink("/dev/null", at.0.join("counted.json")).unwrap();
    assert!(at.budget().reserve(&[times(7)]).await.is_err(), "a link");
    let nowhere = Budget::in_directory(Some("/proc/none".into()));
    assert!(matches!(
        nowhere.reserve(&[times(1)]).await,
        Err(BudgetError::Count { .. })
    ));
    assert!(matches!(
        Budget::in_directory(None).reserve(&[times(1)]).await,
        Err(BudgetError::NoDirectory)
    ));
    assert!(
        Budget::in_directory(None).reserve(&[]).await.is_ok(),
        "nothing to count needs no file"
    );
}

/// Puts a book in place that holds `entries` for the quota.
fn write_book(at: &Directory, quota: &Quota, entries: impl Iterator<Item = (u64, u64)>) {
    own_file::make_directory(&at.0).unwrap();
    let mut book = Book {
        version: VERSION,
        ..Book::default()
    };
    book.rules.insert(key(quota), entries.collect());
    write(&at.0.join("counted.json"), &book).unwrap();
}

#[test]
fn what_is_long_over_does_not_lock_a_bound_for_ever() {
    let at = Directory::new();
    let now = 1_000_000_000_000;
    let quota = Quota {
        per: Period::Minute,
        ..times(200)
    };
    let reserve = |now| count(&at.0, std::slice::from_ref(&quota), Purpose::Reserve, now).unwrap();
    let full = u64::try_from(MAX_ENTRIES).unwrap();
    // Of days ago, and of an hour ago: what fills the book of a rule that is used two hundred times a minute.
    for age in [72 * HOUR, HOUR] {
        write_book(&at, &quota, (0..full).map(|n| (now - age + n, 1)));
        for n in 0..200 {
            assert_eq!(reserve(now + n), None, "{age} {n}");
        }
        let Some(Reason::Used { left: 0, wait_s, .. }) = reserve(now + 200) else {
            panic!("201 in a minute");
        };
        assert_eq!(wait_s, Some(60));
        assert!(read(&at.0.join("counted.json")).unwrap().rules[&key(&quota)].len() <= MAX_ENTRIES);
    }
}

#[test]
fn more_uses_than_are_remembered_are_refused_as_that() {
    let at = Directory::new();
    let now = 1_000_000_000_000;
    let quota = sum(1, 1 << 40);
    write_book(
        &at,
        &quota,
        (0..u64::try_from(MAX_ENTRIES).unwrap()).map(|n| (now - 1000 * 1000 + n, 1)),
    );
    let reason = count(&at.0, &[quota], Purpose::Reserve, now)
        .unwrap()
        .unwrap()
        .to_string();
    assert!(reason.contains("10000 uses"), "{reason}");
    assert!(reason.contains("try again in 2600 s"), "{reason}");
}
