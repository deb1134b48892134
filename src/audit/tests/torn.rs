//! Lines that their writer could not complete, and others that somebody changed.

use super::*;

#[tokio::test]
async fn a_torn_line_is_told_of_by_the_next() {
    let place = Place::new();
    calls(&place.audit(), 2).await;
    let path = place.files().pop().unwrap();
    let whole = fs::read(&path).unwrap();
    let last = whole[..whole.len() - 1].iter().rposition(|b| *b == b'\n').unwrap() + 1;
    for cut in [last + 1, last + 40, whole.len() - 1] {
        fs::write(&path, &whole[..cut]).unwrap();
        let report = verify(&place.0, &[]).unwrap();
        assert_eq!((report.wrong.len(), report.torn.len()), (0, 1), "cut at {cut}");
        calls(&place.audit(), 1).await;
        let report = verify(&place.0, &[]).unwrap();
        assert_eq!((report.wrong, report.torn.len()), (vec![], 1), "cut at {cut}");
        // Of the last only the line end is lacking.
        let torn = if cut < whole.len() - 1 { (6, cut - last) } else { (7, 0) };
        assert_eq!(place.lines()[torn.0].torn, Some(u64::try_from(torn.1).unwrap()));
    }
    // What stands there now was not what was torn.
    fs::write(&path, &whole[..last + 40]).unwrap();
    calls(&place.audit(), 1).await;
    let mut text = fs::read(&path).unwrap();
    text.remove(last + 3);
    fs::write(&path, text).unwrap();
    assert!(matches!(place.wrong()[0], Wrong::Torn { .. }));
}

#[tokio::test]
async fn a_line_that_was_torn_twice_is_no_changed_one() {
    let place = Place::new();
    calls(&place.audit(), 2).await;
    let path = place.files().pop().unwrap();
    let whole = fs::read(&path).unwrap();
    let last = whole[..whole.len() - 1].iter().rposition(|b| *b == b'\n').unwrap() + 1;
    for again in ["\n", "\n{\"v\":1,"] {
        fs::write(&path, [&whole[..last + 40], again.as_bytes()].concat()).unwrap();
        for _ in 0..2 {
            let report = verify(&place.0, &[]).unwrap();
            assert_eq!((report.wrong, report.torn.len()), (vec![], 1), "{again:?}");
            calls(&place.audit(), 1).await;
        }
    }
}

#[tokio::test]
async fn whole_lines_at_the_end_that_were_changed_are_no_torn_ones() {
    let changes: [fn(&str) -> String; 2] = [
        |whole| {
            let mut lines: Vec<String> = whole.lines().map(str::to_owned).collect();
            let end = lines.len() - 3;
            for line in &mut lines[end..] {
                *line = line.replace("\"hash\"", "\"hxsh\"");
            }
            lines.join("\n") + "\n"
        },
        |whole| whole.replace('\n', "\r\n"),
    ];
    for change in changes {
        let place = Place::new();
        calls(&place.audit(), 3).await;
        let path = place.files().pop().unwrap();
        let whole = fs::read_to_string(&path).unwrap();
        fs::write(&path, change(&whole)).unwrap();
        // Also not where the next start took them for torn, and told of them.
        for _ in 0..2 {
            let report = verify(&place.0, &[]).unwrap();
            assert!(report.torn.is_empty(), "{:?}", report.torn);
            assert!(matches!(report.wrong[0], Wrong::Changed { .. }), "{:?}", report.wrong);
            calls(&place.audit(), 1).await;
        }
    }
}

#[tokio::test]
async fn a_file_that_was_made_and_not_yet_written_to_is_no_missing_one() {
    let place = Place::new();
    let small = |settings: &mut Settings| settings.rotate = 1;
    calls(&place.audit_with(small), 1).await;
    let files = place.files();
    let last = files.last().unwrap();
    // Its writer was killed between the line that names it and its own first.
    fs::write(last, b"").unwrap();
    assert_eq!(place.wrong(), vec![]);
    calls(&place.audit(), 1).await;
    assert_eq!((place.wrong(), place.files().len()), (vec![], files.len()));
    // One that is not there is missed as before.
    fs::write(last, b"").unwrap();
    fs::remove_file(last).unwrap();
    assert!(
        matches!(place.wrong()[..], [Wrong::Missing { .. }]),
        "{:?}",
        place.wrong()
    );
}
