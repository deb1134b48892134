//! What the operator does for the Hack Forums tools, and what must never come out.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use serde_json::json;

use crate::command::until;
use crate::harness::{Era, Server, program};
use crate::hf::{ALL, Setting, TOKEN, writes};
use crate::hf_fake::{Fake, MODES, asks};

#[test]
fn no_byte_of_the_token_comes_out() {
    let (setting, other) = (Setting::new(&[ALL]), Fake::start());
    setting.fake.send_to(&other);
    let mut sent = 0;
    for mode in MODES
        .iter()
        .filter(|mode| !["slow", "drip", "headdrip", "continues", "hourly", "429"].contains(mode))
    {
        setting.fake.be(mode);
        for (tool, given) in [("hf_me_read", json!({})), ("hf_posts_reply", writes()[1].1.clone())] {
            let config = setting.config();
            let output = program()
                .args(["call", tool, &given.to_string(), "--json", "--config"])
                .arg(config)
                .env("TERRARIUM_HF_TOKEN", TOKEN)
                .env("TERRARIUM_LOG", "trace")
                .env("XDG_STATE_HOME", &setting.directory)
                .output()
                .unwrap();
            for said in [&output.stdout, &output.stderr] {
                let said = String::from_utf8_lossy(said);
                assert!(!said.contains("FAKE_0123456789"), "{mode} {tool}: {said}");
            }
        }
        setting.command(&["hf", "journal", "clear", &entry(&setting)]);
        sent += setting.fake.requests().len();
    }
    assert!(sent >= MODES.len(), "only {sent} requests were sent");
    assert!(other.requests().is_empty());
    for file in everything_in(&setting.directory) {
        let text = std::fs::read(&file).unwrap();
        let held = text.windows(15).any(|part| part == b"FAKE_0123456789");
        assert!(!held, "{}", file.display());
    }
}

/// The name of the first write of unknown outcome.
fn entry(setting: &Setting) -> String {
    let list = setting.command(&["hf", "journal", "list"]);
    let text = String::from_utf8(list.stdout).unwrap();
    text.split(' ').next().unwrap().to_owned()
}

fn everything_in(directory: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path());
    entries
        .flat_map(|path| {
            if path.is_dir() {
                everything_in(&path)
            } else {
                vec![path]
            }
        })
        .filter(|path| path.is_file())
        .collect()
}

#[test]
fn the_journal_is_the_operators_business() {
    let setting = Setting::new(&[ALL]);
    let mut server = setting.server();
    setting.fake.be("close");
    let (tool, given) = writes().remove(1);
    let reply = server.call(tool, given.clone());
    assert!(
        reply.is_error && reply.text.starts_with("unknown outcome"),
        "{}",
        reply.text
    );
    let record = setting.command(&["audit", "export", "--json"]);
    let record = String::from_utf8(record.stdout).unwrap();
    let closed = record.lines().rfind(|line| line.contains(tool)).unwrap();
    assert!(closed.contains("\"outcome\":\"outcome unknown\""), "{record}");
    setting.fake.be("ok");
    assert!(server.call(tool, given.clone()).is_error);
    assert_eq!(setting.fake.requests().len(), 1);
    let id = entry(&setting);
    assert!(reply.text.contains(&id));
    assert!(setting.command(&["hf", "journal", "clear", &id]).status.success());
    assert_eq!(setting.command(&["hf", "journal", "clear", &id]).status.code(), Some(1));
    assert!(!server.call(tool, given).is_error);
}

#[test]
fn the_operator_sets_up_looks_and_logs_out() {
    let setting = Setting::new(&[ALL]);
    let said = |arguments: &[&str]| {
        let output = setting.command(arguments);
        (String::from_utf8(output.stdout).unwrap(), output.status.code())
    };
    let (doctor, code) = said(&["hf", "doctor"]);
    assert!(
        doctor.contains("ready: no") && doctor.contains("terrarium hf login"),
        "{doctor}"
    );
    assert_eq!(code, Some(1));
    let token = setting.directory.join("old-token.json");
    std::fs::write(
        &token,
        json!({"access_token": TOKEN, "scope": ["Posts"], "token_type": "Bearer"}).to_string(),
    )
    .unwrap();
    let old = setting.directory.join("config.yaml");
    std::fs::write(&old, "profile: full_api\nenabled_capabilities: [bytes.bump]\n").unwrap();
    let (imported, code) = said(&[
        "hf",
        "import",
        old.to_str().unwrap(),
        "--token",
        token.to_str().unwrap(),
    ]);
    assert!(
        imported.contains("enable: [bytes.bump]") && imported.contains("bytes.transfer"),
        "{imported}"
    );
    assert_eq!((code, imported.contains("FAKE")), (Some(0), false));
    let (status, code) = said(&["hf", "status"]);
    assert!(
        status.contains("permissions: Posts") && !status.contains("FAKE"),
        "{status}"
    );
    assert_eq!(code, Some(0));
    let mut server = Server::start_in(
        Era::Modern,
        &["--config", setting.config().to_str().unwrap()],
        &[("XDG_STATE_HOME", setting.directory.as_path())],
    );
    assert!(!server.call("hf_posts_read", json!({"tid": 7})).is_error);
    let reply = server.call("hf_bytes_read", json!({"uid": 7}));
    assert!(reply.text.contains("lacks the permission Bytes"), "{}", reply.text);
    assert_eq!(setting.fake.requests().len(), 1);
    assert!(said(&["hf", "logout"]).0.contains("stays good at Hack Forums"));
    assert_eq!(said(&["hf", "logout"]), ("There was no token.\n".to_owned(), Some(0)));
    assert_eq!(said(&["hf", "status"]).1, Some(1));
    assert!(
        server
            .call("hf_posts_read", json!({"tid": 7}))
            .text
            .starts_with("auth: there is no token")
    );
}

#[test]
fn a_token_that_cannot_be_used_is_told_of_with_the_reason() {
    let setting = Setting::new(&[ALL]);
    let kept = setting.directory.join("terrarium/hf/token.json");
    std::fs::create_dir_all(kept.parent().unwrap()).unwrap();
    std::fs::write(&kept, json!({"access_token": TOKEN}).to_string()).unwrap();
    let open = std::os::unix::fs::PermissionsExt::from_mode(0o644);
    std::fs::set_permissions(&kept, open).unwrap();
    for command in ["status", "doctor"] {
        let output = setting.command(&["hf", command]);
        let said = String::from_utf8(output.stdout).unwrap();
        assert!(said.contains("may be opened by others (mode 644)"), "{command}: {said}");
        assert_eq!(output.status.code(), Some(1));
    }
}

#[test]
fn a_client_is_kept_only_if_it_could_be_one() {
    let setting = Setting::new(&[ALL]);
    let kept = |id: &str, secret: &str| {
        let mut command = program();
        command
            .args(["hf", "setup", "--client-id", id, "--config"])
            .arg(setting.config());
        command.env("XDG_STATE_HOME", &setting.directory);
        command
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        child.stdin.take().unwrap().write_all(secret.as_bytes()).ok(); // it may have refused the name already
        let output = child.wait_with_output().unwrap();
        (output.status.success(), String::from_utf8(output.stderr).unwrap())
    };
    for (id, secret, wrong) in [
        ("c id\x1b[2J", "secret", "name"),
        ("", "secret", "name"),
        ("é", "secret", "name"),
        ("id", "x y", "secret"),
        ("id", "x\x07y", "secret"),
    ] {
        let (done, said) = kept(id, secret);
        let expected = format!("the client's {wrong} must be visible ASCII characters without spaces");
        assert!(!done && said.contains(&expected), "{id:?} {secret:?}: {said}");
        assert!(!setting.directory.join("terrarium/hf/client.json").exists());
    }
    assert!(kept("0123abc", "s3cret\n").0);
    assert!(setting.directory.join("terrarium/hf/client.json").exists());
}

#[test]
fn a_profile_on_the_command_line_narrows_and_never_widens() {
    let setting = Setting::new(&[ALL]);
    let offered = |more: &[&str]| {
        let mut server = setting.server_with(more);
        let list = server.request("tools/list", json!({}));
        let tools = list["result"]["tools"].as_array().unwrap().clone();
        let names: Vec<String> = tools
            .iter()
            .filter_map(|tool| tool["name"].as_str().map(str::to_owned))
            .filter(|name| name.starts_with("hf_"))
            .collect();
        let found = server.request("server/discover", json!({}));
        (names, found["result"]["instructions"].as_str().unwrap().to_owned())
    };
    let (all, instructions) = offered(&[]);
    assert!(instructions.contains("read and write at Hack Forums"), "{instructions}");
    assert_eq!(offered(&["--hf-profile", "full_api"]).0, all);
    let (reads, instructions) = offered(&["--hf-profile", "reader"]);
    assert!(
        instructions.contains("Nothing here writes there") && instructions.len() < 2048,
        "{instructions}"
    );
    let writes: Vec<&str> = writes().into_iter().map(|(tool, _)| tool).collect();
    assert!(
        reads
            .iter()
            .all(|name| all.contains(name) && !writes.contains(&name.as_str()))
    );
    assert!(reads.contains(&"hf_posts_read".to_owned()), "{reads:?}");
    let (none, instructions) = offered(&["--hf-profile", "custom"]);
    assert!(
        none.is_empty() && !instructions.contains("Hack Forums"),
        "{instructions}"
    );
    let refused = setting.command(&["serve", "--hf-profile", "admin"]);
    let said = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(!refused.status.success() && said.contains("forum_operator"), "{said}");
    std::fs::write(
        setting.config(),
        "policy: {revision: \"x\", rules: [{id: a, effect: allow, callers: [local], tools: [terminal_list]}]}\n",
    )
    .unwrap();
    let refused = setting.command(&["serve", "--hf-profile", "reader"]);
    let said = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(!refused.status.success() && said.contains("section `hf`"), "{said}");
}

#[test]
fn an_approved_write_is_sent_once_as_it_was_shown_and_a_denied_one_never() {
    let rule = "{id: write, effect: confirm, callers: [local], tools: [hf_posts_reply], confirm: {by: [operator], \
                within: 5min}}";
    let setting = Setting::new(&[rule]);
    let mut server = setting.server();
    let given = json!({"tid": 7, "message": "**bold** x", "message_format": "markdown", "confirm_live": true});
    let question = || {
        let mut open = Vec::new();
        until("a question", || {
            open = setting.questions();
            open.len() == 1
        });
        open.remove(0)
    };
    let call = server.send_call("hf_posts_reply", given.clone());
    let id = question();
    assert!(setting.fake.requests().is_empty());
    let approved = setting.approvals(&["approve", &id]);
    let shown = String::from_utf8_lossy(&approved.stdout).into_owned();
    assert!(shown.contains("[b]bold[/b] x") && !shown.contains("FAKE"), "{shown}");
    let reply = server.reply(call);
    assert!(!reply.is_error, "{}", reply.text);
    let sent = setting.fake.requests();
    assert_eq!(sent.len(), 1);
    let body = asks(std::str::from_utf8(&sent[0].body).unwrap());
    assert_eq!(body["posts"], json!({"_tid": 7, "_message": "[b]bold[/b] x"}));
    let call = server.send_call("hf_posts_reply", given.clone());
    setting.approvals(&["deny", &question()]);
    let reply = server.reply(call);
    reply.refused("declined");
    let mut nearly = given;
    nearly["confirm_live"] = json!("true");
    assert!(server.call("hf_posts_reply", nearly).is_error);
    assert!(setting.questions().is_empty() && setting.fake.requests().is_empty());
}

#[test]
fn a_file_that_cannot_be_read_as_it_should_says_nothing_of_what_is_in_it() {
    let setting = Setting::new(&[ALL]);
    let kept = setting.directory.join("terrarium/hf");
    let private = |path: &Path, text: &str| {
        use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
        std::fs::DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(path.parent().unwrap())
            .unwrap();
        let mut options = std::fs::OpenOptions::new();
        let mut file = options
            .write(true)
            .create(true)
            .truncate(true)
            .mode(0o600)
            .open(path)
            .unwrap();
        file.write_all(text.as_bytes()).unwrap();
    };
    // A token in quotes, one in a wrong place, and one that is a name.
    for text in [
        format!("\"{TOKEN}\""),
        format!("{{\"access_token\": [\"{TOKEN}\"]}}"),
        format!("{{\"{TOKEN}\": 1}}"),
    ] {
        private(&kept.join("token.json"), &text);
        private(&kept.join("client.json"), &text);
        let old = setting.directory.join("old.yaml");
        std::fs::write(&old, "profile: full_api\n").unwrap();
        let token = kept.join("token.json");
        for arguments in [
            &["call", "hf_me_read", "{}"][..],
            &["hf", "status"],
            &["hf", "doctor"],
            &["hf", "login"],
            &[
                "hf",
                "import",
                old.to_str().unwrap(),
                "--token",
                token.to_str().unwrap(),
            ],
        ] {
            let output = setting.command(arguments);
            let said = [output.stdout, output.stderr]
                .map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
                .concat();
            assert!(
                (said.contains("line 1") || said.contains("cannot be used")) && !said.contains("FAKE"),
                "{arguments:?} {text}: {said}"
            );
        }
    }
}
