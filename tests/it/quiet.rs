//! No telemetry: a server on standard input and output asks nothing of the network.
//!
//! It runs in a network namespace without any interface, where the kernel counts each packet that finds no way out.

use std::fs;

use serde_json::json;

use crate::harness::{Era, Server, host_program, not_tested};

/// What a network namespace takes: a user namespace too, where this is not root.
fn alone() -> &'static [&'static str] {
    if nix::unistd::geteuid().is_root() {
        &["--net"]
    } else {
        &["--map-current-user", "--net"]
    }
}

#[test]
fn a_server_asks_nothing_of_the_network() {
    let probe = "(echo >/dev/tcp/127.0.0.1/9) 2>/dev/null; cat /proc/self/net/snmp";
    let asked = host_program("unshare")
        .args(alone())
        .args(["bash", "-c", probe])
        .output()
        .unwrap();
    if !asked.status.success() {
        assert!(
            std::env::var_os("CI").is_none() || !nix::unistd::geteuid().is_root(),
            "{asked:?}"
        );
        not_tested("no network namespace can be had here");
        return;
    }
    // Who asks is seen: this is not a test that cannot fail.
    assert!(asks(&String::from_utf8_lossy(&asked.stdout)) > 0, "{asked:?}");

    let mut wrapper = vec!["unshare"];
    wrapper.extend(alone());
    let mut server = Server::start_under(&wrapper, Era::Legacy);
    assert_eq!(counted(server.pid()), 0, "after the start");
    let reply = server.call(
        "terminal_run",
        json!({"command": "(echo >/dev/tcp/127.0.0.1/9); echo done"}),
    );
    assert!(reply.text.contains("done"), "{}", reply.text);
    let opened = server.call("terminal_open", json!({}));
    assert!(!opened.is_error, "{}", opened.text);
    server.call("terminal_list", json!({}));
    assert_eq!(counted(server.pid()), 0, "after calls");
}

/// What the server's network namespace was asked for, on both versions of IP.
fn counted(pid: u32) -> u64 {
    let read = |name: &str| fs::read_to_string(format!("/proc/{pid}/net/{name}")).unwrap_or_default();
    let six = read("snmp6");
    let wanted = ["Ip6OutRequests", "Ip6OutNoRoutes", "Udp6OutDatagrams"];
    let six = six.lines().filter_map(|line| line.split_once(char::is_whitespace));
    let six = six.filter(|(name, _)| wanted.contains(name));
    asks(&read("snmp")) + six.map(|(_, count)| count.trim().parse::<u64>().unwrap()).sum::<u64>()
}

/// Requests, and requests that had no way out, of version 4.
fn asks(snmp: &str) -> u64 {
    let lines: Vec<&str> = snmp.lines().collect();
    let pairs = lines.chunks_exact(2);
    let counts = pairs.flat_map(|pair| {
        let protocol = pair[0].split(':').next().unwrap().to_owned();
        let names = pair[0].split_whitespace().zip(pair[1].split_whitespace());
        names.map(move |(name, count)| (format!("{protocol}{name}"), count.to_owned()))
    });
    let wanted = ["IpOutRequests", "IpOutNoRoutes", "TcpActiveOpens", "UdpOutDatagrams"];
    let counts: Vec<_> = counts.filter(|(name, _)| wanted.contains(&name.as_str())).collect();
    assert_eq!(counts.len(), wanted.len(), "{snmp}");
    counts.iter().map(|(_, count)| count.parse::<u64>().unwrap()).sum()
}
