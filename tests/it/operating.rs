//! What docs/operating.md says about machines is what was seen on them.

use std::collections::BTreeMap;

use crate::harness::{not_tested, program};

const SEEN: &str = include_str!("../../.ci/machines/expected.tsv");
const PAGE: &str = include_str!("../../docs/operating.md");
const PROFILES: [&str; 5] = ["default", "read-only", "build", "network", "strict"];

/// Machine, how it was started, and user.
type Place<'a> = (&'a str, &'a str, &'a str);

#[test]
fn the_matrix_on_the_page_is_what_was_seen() {
    let mut found: BTreeMap<Place<'_>, BTreeMap<&str, BTreeMap<&str, &str>>> = BTreeMap::new();
    for line in SEEN.lines() {
        let fields: Vec<&str> = line.split('\t').collect();
        let [kernel, boot, machine, user, profile, "doctor", seen] = fields[..] else {
            continue;
        };
        let result = match seen.split(['(', ':', ';', ',']).next().unwrap() {
            "refused" => "refused",
            _ if seen == "runs" => "runs",
            "runs" if seen.starts_with("runs, degraded; ") => "degraded",
            other => panic!("{other:?} in {line}"),
        };
        let place = found.entry((boot, machine, user)).or_default();
        place.entry(kernel).or_default().insert(profile, result);
    }
    let mut lines = vec![
        format!("| machine | booted with | user | Linux | {} |", PROFILES.join(" | ")),
        format!("|---|---|---|---|{}", "---|".repeat(PROFILES.len())),
    ];
    for ((boot, machine, user), kernels) in found {
        let mut rows: Vec<(Vec<&str>, Vec<&str>)> = Vec::new();
        for (kernel, results) in kernels {
            let cells: Vec<&str> = PROFILES.iter().map(|profile| results[profile]).collect();
            match rows.iter_mut().find(|(_, same)| *same == cells) {
                Some((together, _)) => together.push(kernel),
                None => rows.push((vec![kernel], cells)),
            }
        }
        for (kernels, cells) in rows {
            let (kernels, cells) = (kernels.join(", "), cells.join(" | "));
            lines.push(format!("| {machine} | {boot} | {user} | {kernels} | {cells} |"));
        }
    }
    assert!(lines.len() > 2, "nothing was seen");
    let (_, rest) = PAGE.split_once("<!-- matrix -->\n").unwrap();
    let (on_the_page, _) = rest.split_once("<!-- end of matrix -->").unwrap();
    let lines = lines.join("\n");
    assert!(
        on_the_page.trim_end() == lines,
        "docs/operating.md should say\n{lines}\n"
    );
}

#[test]
fn what_is_watched_instead_of_enforced_is_degraded_and_what_holds_needs_no_fix() {
    let output = program()
        .args(["doctor", "--json", "--pretend", "cgroup"])
        .output()
        .unwrap();
    let report: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let mut seen = 0;
    for profile in ["default", "read-only", "build", "network"] {
        let found = &report[profile];
        if found["result"].as_str().unwrap().starts_with("refused") {
            continue;
        }
        assert_eq!(found["result"], "runs, degraded", "{found}");
        for protection in found["protections"].as_array().unwrap() {
            let holds = protection["state"] == "active";
            let no_cgroup = protection["why"].as_str().unwrap().contains("no cgroup");
            assert!(!holds || (protection["fix"].is_null() && !no_cgroup), "{protection}");
            seen += 1;
        }
    }
    if seen == 0 {
        not_tested("every profile is refused here without a cgroup");
    }
}

#[test]
fn nothing_was_left_and_no_limit_was_passed() {
    for line in SEEN.lines() {
        let fields: Vec<&str> = line.split('\t').collect();
        let [_, _, machine, _, _, what, seen] = fields[..] else {
            panic!("{line}");
        };
        // With all of our processes at once goes whoever removes an empty cgroup, unless that is systemd; and without
        // a process namespace their end cannot be followed at once.
        let swept = seen == "nothing"
            || what.contains("zygote+launcher")
                && (seen == "until the next start: cgroup" || machine.ends_with("no user namespaces"));
        assert!(!what.starts_with("left after") || swept, "{line}");
        assert!(!seen.contains("HAD IT"), "{line}");
    }
}
