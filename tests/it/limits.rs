//! Each limit is named when it is met. Needs a working sandbox.

use serde_json::json;

use crate::run::run;

#[test]
fn the_process_limit_is_named_when_it_is_met_and_not_just_below() {
    let spawn = |count: u32| {
        let command = format!("for i in $(seq {count}); do sleep 5 & done; [ $(jobs -rp | wc -l) = {count} ]");
        run(json!({"command": command, "timeout_s": 60}))
    };
    let over = spawn(140);
    assert!(
        over.text.contains("limit: processes (128): ") || over.text.contains("allows 128 processes"),
        "{}",
        over.text
    );
    let under = spawn(100);
    assert!(
        under.facts["exit_code"] == 0 && !under.text.contains("processes"),
        "{}",
        under.text
    );
}

#[test]
fn the_memory_limit_is_named_also_where_the_command_outlives_it() {
    let command = "python3 -c 'x = bytearray(1500 << 20); print(1)' || echo went on";
    let reply = run(json!({"command": command}));
    let named = reply
        .text
        .contains("limit: memory (1GiB): 1 of its processes were ended");
    // Without a cgroup each process is refused what goes over, and says so itself.
    let refused = reply.text.contains("MemoryError");
    assert!(reply.text.contains("went on\n") && (named || refused), "{}", reply.text);
}
