//! What tests of interactive sessions share.

use serde_json::{Value, json};

use crate::harness::{Era, Reply, Server, is_there};

/// A server with one session in it.
pub(crate) struct Terminal {
    pub(crate) server: Server,
    pub(crate) session: String,
}

impl Terminal {
    pub(crate) fn open(arguments: Value) -> Self {
        Self::open_with(&[], arguments)
    }

    /// The same on a server with further options.
    pub(crate) fn open_with(options: &[&str], arguments: Value) -> Self {
        let mut server = Server::start_with(Era::Modern, options);
        let reply = server.call("terminal_open", arguments);
        assert!(!reply.is_error, "{}", reply.text);
        let session = reply.facts["session"].as_str().unwrap().to_owned();
        Self { server, session }
    }

    pub(crate) fn call(&mut self, tool: &str, mut arguments: Value) -> Reply {
        arguments["session"] = self.session.clone().into();
        self.server.call(tool, arguments)
    }

    pub(crate) fn exec(&mut self, command: &str) -> Reply {
        let reply = self.call("terminal_exec", json!({"command": command}));
        assert!(!reply.is_error, "{command}: {}", reply.text);
        reply
    }

    /// Types, waits, and gives the answer with the screen.
    pub(crate) fn send(&mut self, input: Value, wait: Value) -> Reply {
        let reply = self.call("terminal_send", json!({"input": input, "wait": wait}));
        assert!(!reply.is_error, "{}", reply.text);
        assert_ne!(reply.facts["fired"], "timeout", "{input}: {}", reply.text);
        reply
    }

    /// Waits, and gives the answer with the screen.
    pub(crate) fn wait(&mut self, until: Value) -> Reply {
        let reply = self.call("terminal_wait", json!({"until": until}));
        assert!(!reply.is_error, "{}", reply.text);
        assert_ne!(reply.facts["fired"], "timeout", "{}", reply.text);
        reply
    }

    pub(crate) fn screen(&mut self) -> String {
        self.call("terminal_snapshot", json!({})).text
    }
}

/// A session with this shell.
pub(crate) fn shell(name: &str) -> Terminal {
    Terminal::open(json!({"shell": name, "cols": 80, "rows": 24}))
}

/// Those of these shells that the machine has.
pub(crate) fn there<const N: usize>(names: [&'static str; N]) -> impl Iterator<Item = &'static str> {
    names.into_iter().filter(|name| is_there(name))
}
