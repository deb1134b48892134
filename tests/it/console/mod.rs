//! The operator's console: who gets in, what is refused and counted, what is shown and what can be done.

mod acts;
mod browser;
mod screens;

use serde_json::json;

use browser::{Browser, Place};

const NOTHING: &str = "policy:\n  revision: \"1\"\n  rules: []\n";
const EVIL: &str = "evil.example";
/// The page.
const FILES: [&str; 7] = [
    "/",
    "/console.css",
    "/console.js",
    "/keyboard.js",
    "/panels.js",
    "/screen.js",
    "/icon.svg",
];
/// What only the operator may ask for.
const ASKS: [&str; 9] = [
    "/api/events",
    "/api/take",
    "/api/type",
    "/api/release",
    "/api/leave",
    "/api/whole",
    "/api/decide",
    "/api/lockdown",
    "/api/verify",
];

/// How many requests and connections were turned away, as the page says.
fn turned_away(browser: &Browser) -> u64 {
    let event = browser.watch().until("refused", |_| true);
    let text = event["text"].as_str().unwrap().to_owned();
    text.split(' ').next().unwrap().parse().unwrap_or(0)
}

#[test]
fn a_link_lets_one_browser_in_once() {
    let (place, _server) = Place::start(NOTHING);
    let code = place.code();
    // A code is no token, and what looks like one is no code.
    let bearer = format!("Bearer {code}");
    assert_eq!(
        place
            .post("/api/verify", &[("Authorization", &bearer)], &json!({}))
            .status,
        401
    );
    let guess = format!("terrarium_{}", "0".repeat(64));
    for wrong in ["", "x", &guess, &code[..code.len() - 1], &format!("{code}0")] {
        let answer = place.post("/api/login", &[], &json!({"code": wrong}));
        assert_eq!(answer.status, 401, "{answer:?}");
        assert!(answer.body.contains("run `terrarium console` again"), "{answer:?}");
        assert_eq!(
            answer.header("connection"),
            Some("close"),
            "each guess costs a connection"
        );
    }
    let first = place.post("/api/login", &[], &json!({"code": code}));
    assert_eq!(first.status, 200, "{first:?}");
    let replayed = place.post("/api/login", &[], &json!({"code": code}));
    assert_eq!(replayed.status, 401, "{replayed:?}");

    let token = first.message()["token"].as_str().unwrap().to_owned();
    let address = place.address.clone();
    let browser = Browser { address, token };
    assert_eq!(browser.ask("/api/verify", &json!({})).status, 200);
    assert_eq!(turned_away(&browser), 7);
    assert_eq!(place.record("login").len(), 1);
    // Logging out ends the token.
    assert_eq!(browser.ask("/api/leave", &json!({})).status, 200);
    assert_eq!(browser.ask("/api/verify", &json!({})).status, 401);
    // The next link is another.
    assert_ne!(place.login().token, browser.token);
}

#[test]
fn nobody_but_the_operator_is_told_or_does_anything() {
    let (place, _server) = Place::start(NOTHING);
    let browser = place.login();
    let good = format!("Bearer {}", browser.token);
    let wrong = format!("Bearer terrarium_{}", "0".repeat(64));
    let basic = format!("Basic {}", browser.token);
    for path in ASKS {
        for headers in [
            vec![],
            vec![("Authorization", wrong.as_str())],
            vec![("Authorization", basic.as_str())],
            vec![("Authorization", browser.token.as_str())],
            vec![("Authorization", good.as_str()), ("Authorization", good.as_str())],
            vec![("Cookie", good.as_str())],
        ] {
            let answer = place.post(path, &headers, &json!({}));
            assert_eq!(
                (answer.status, answer.header("set-cookie")),
                (401, None),
                "{path} {headers:?}"
            );
        }
        // A token in the address is refused even if it is good: addresses are logged and shared.
        let address = format!("{path}?token={}", browser.token);
        let answer = place.post(&address, &[("Authorization", &good)], &json!({}));
        assert_eq!(
            (answer.status, answer.body.contains("never belongs in a URL")),
            (400, true)
        );
        let answer = place.request("GET", path, &place.address, &[("Authorization", &good)], "");
        assert_eq!(answer.status, 405, "{path}");
    }
    assert_eq!(place.get("/api/nothing").status, 404);
    assert_eq!(place.get("/../etc/passwd").status, 404);
    assert_eq!(turned_away(&browser), 9 * 8 + 2);
}

#[test]
fn another_sites_page_gets_nothing_and_does_nothing() {
    let (place, _server) = Place::start(NOTHING);
    let browser = place.login();
    let good = format!("Bearer {}", browser.token);
    let (_, port) = place.address.rsplit_once(':').unwrap();
    let json = ("Content-Type", "application/json");
    let authorized = [json, ("Authorization", good.as_str())];
    // DNS rebinding: another name that leads here, with everything else right.
    for host in [
        EVIL,
        &format!("{EVIL}:{port}"),
        "127.0.0.1",
        "localhost:1",
        &format!("localhost.{EVIL}:{port}"),
        "",
    ] {
        for (method, path) in [("GET", "/"), ("GET", "/console.js"), ("POST", "/api/verify")] {
            let answer = place.request(method, path, host, &authorized, "{}");
            assert_eq!(answer.status, 403, "{host} {path}: {answer:?}");
        }
    }
    // Pages of other origins, one on another port of this host among them.
    for origin in [
        "null",
        "http://evil.example",
        "http://localhost:3000",
        "http://127.0.0.1:3000",
        &format!("https://{}", place.address),
    ] {
        for path in ["/api/login", "/api/verify", "/api/decide"] {
            let headers = [&authorized[..], &[("Origin", origin)]].concat();
            let answer = place.request("POST", path, &place.address, &headers, "{}");
            assert_eq!(
                (answer.status, answer.header("access-control-allow-origin")),
                (403, None),
                "{origin} {path}"
            );
        }
        let preflight = [("Origin", origin), ("Access-Control-Request-Headers", "authorization")];
        let answer = place.request("OPTIONS", "/api/verify", &place.address, &preflight, "");
        assert_eq!(
            (answer.status, answer.header("access-control-allow-origin")),
            (403, None)
        );
    }
    for site in ["cross-site", "same-site"] {
        for (method, path) in [("GET", "/"), ("GET", "/console.js"), ("POST", "/api/verify")] {
            let headers = [&authorized[..], &[("Sec-Fetch-Site", site)]].concat();
            let answer = place.request(method, path, &place.address, &headers, "{}");
            assert_eq!(answer.status, 403, "{site} {path}");
        }
    }
    assert_eq!(turned_away(&browser), 18 + 20 + 6);
}

#[test]
fn what_a_form_can_send_is_refused_and_what_the_page_sends_is_not() {
    let (place, _server) = Place::start(NOTHING);
    let browser = place.login();
    // What a form can send is of another kind, and is refused before it is looked at.
    let code = place.code();
    for kind in [
        "text/plain",
        "application/x-www-form-urlencoded",
        "multipart/form-data; boundary=x",
        "application/json; charset=utf-8",
    ] {
        let body = json!({"code": code}).to_string();
        let answer = place.request("POST", "/api/login", &place.address, &[("Content-Type", kind)], &body);
        assert_eq!(answer.status, 415, "{kind}");
    }
    assert_eq!(turned_away(&browser), 4);
    // All that was right but for that.
    let ours = format!("http://{}", place.address);
    let good = format!("Bearer {}", browser.token);
    let authorized = [("Content-Type", "application/json"), ("Authorization", good.as_str())];
    let headers = [
        &authorized[..],
        &[("Origin", ours.as_str()), ("Sec-Fetch-Site", "same-origin")],
    ]
    .concat();
    assert_eq!(
        place
            .request("POST", "/api/verify", &place.address, &headers, "{}")
            .status,
        200
    );
    assert_eq!(place.post("/api/login", &[], &json!({"code": code})).status, 200);
}

#[test]
fn the_page_has_nothing_that_could_make_markup_or_script_of_text() {
    let (place, _server) = Place::start(NOTHING);
    let answers: Vec<_> = FILES.iter().map(|path| place.get(path)).collect();
    assert!(
        answers
            .iter()
            .all(|answer| answer.status == 200 && answer.body.len() > 100),
        "{answers:?}"
    );
    for answer in &answers {
        let text = &answer.body;
        for word in [
            "http://",
            "https://",
            "innerHTML",
            "outerHTML",
            "insertAdjacent",
            "document.write",
            "eval(",
            "Function(",
            "style=",
            "onclick=",
            "javascript:",
            "document.cookie",
            "localStorage",
        ] {
            assert!(
                !text.replace("http://www.w3.org/2000/svg", "").contains(word),
                "{word}: {text}"
            );
        }
    }
}

#[test]
fn browsers_are_told_to_run_nothing_but_the_pages_own_files() {
    let (place, _server) = Place::start(NOTHING);
    let browser = place.login();
    let mut answers: Vec<_> = FILES.iter().map(|path| place.get(path)).collect();
    answers.push(browser.ask("/api/verify", &json!({})));
    answers.push(place.get("/nowhere"));
    answers.push(place.post("/api/verify", &[], &json!({})));
    for answer in &answers {
        let policy = answer.header("content-security-policy").unwrap();
        for part in [
            "default-src 'none'",
            "script-src 'self'",
            "frame-ancestors 'none'",
            "base-uri 'none'",
            "form-action 'none'",
            "require-trusted-types-for 'script'",
            "trusted-types 'none'",
        ] {
            assert!(policy.contains(part), "{part} is not in {policy}");
        }
        assert!(!policy.contains("unsafe") && !policy.contains("http"), "{policy}");
        let header = |name: &str| answer.header(name).unwrap().to_owned();
        assert_eq!(header("x-content-type-options"), "nosniff");
        assert_eq!(header("x-frame-options"), "DENY");
        assert_eq!(header("referrer-policy"), "no-referrer");
        assert_eq!(header("cache-control"), "no-store");
        assert_eq!(header("cross-origin-opener-policy"), "same-origin");
        assert_eq!(header("cross-origin-resource-policy"), "same-origin");
        assert_eq!(answer.header("set-cookie"), None);
    }
}

#[test]
fn there_is_no_console_unless_it_is_asked_for_and_none_for_other_machines() {
    let mut server = crate::harness::Server::start(crate::harness::Era::Modern);
    server.call("terminal_list", json!({})); // it is up
    let output = crate::harness::program()
        .args(["console", "--server", &server.pid().to_string()])
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(!output.status.success() && said.contains("--console"), "{said}");
    for address in ["0.0.0.0:0", "[::]:0", "192.0.2.1:0"] {
        let output = crate::harness::program()
            .args(["serve", "--console", address])
            .stdin(std::process::Stdio::null())
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(
            !output.status.success() && said.contains("for this machine only"),
            "{said}"
        );
    }
}

#[test]
fn half_open_connections_keep_the_operator_out_for_no_time() {
    let (place, _server) = Place::start(NOTHING);
    let flood: Vec<_> = (0..300)
        .map(|_| std::net::TcpStream::connect(&place.address).unwrap())
        .collect();
    let browser = place.login();
    assert_eq!(browser.ask("/api/verify", &json!({})).status, 200);
    assert!(turned_away(&browser) >= 100, "the oldest strangers had to go");
    drop(flood);
}
