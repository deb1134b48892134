//! What is verified while servers write it.

use super::read::{Report, verify_listed};
use super::*;

/// A directory of which some files were listed, and written on since.
async fn verified_late(change: fn(&mut Settings)) -> (Place, Report) {
    let place = Place::new();
    let audit = place.audit_with(|settings| {
        settings.rotate = 1;
        change(settings);
    });
    calls(&audit, 3).await;
    let listed = list(&place.0).unwrap();
    calls(&audit, 1).await;
    let report = verify_listed(&place.0, listed, &[]).unwrap();
    (place, report)
}

#[tokio::test]
async fn files_that_a_server_made_meanwhile_are_not_gone() {
    let (_place, report) = verified_late(|_| {}).await;
    assert!(report.lines > 0);
    assert_eq!(report.wrong, vec![]);
}

#[tokio::test]
async fn files_that_a_server_retired_meanwhile_are_not_gone() {
    let (place, report) = verified_late(|settings| settings.keep_bytes = 6_000).await;
    assert!(place.events().contains(&Event::Retired));
    assert_eq!(report.wrong, vec![]);
    // One that somebody else took away is, also while servers write.
    let listed = list(&place.0).unwrap();
    fs::remove_file(&listed[0].path).unwrap();
    let report = verify_listed(&place.0, listed, &[]).unwrap();
    assert!(
        matches!(report.wrong[..], [Wrong::Missing { .. }]),
        "{:?}",
        report.wrong
    );
}
