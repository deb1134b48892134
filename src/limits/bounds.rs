//! How much there may be at a time: of all callers together, and of one.

/// How much may be going on at a time. All callers together, unless it says otherwise.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Caps {
    /// Calls of any kind: waits and reads cost little, but not nothing.
    pub calls: usize,
    /// Commands that run.
    pub commands: usize,
    /// Calls that may wait for a command to end before theirs starts.
    pub queue: usize,
    /// Sessions with a live command.
    pub sessions: usize,
    /// The same for one caller, so that another still gets some.
    pub sessions_per_caller: usize,
}

/// How many callers share it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Among {
    /// One, who may have nearly everything.
    One,
    /// Many: a few greedy ones leave room for others.
    Many,
}

/// The same, of each caller too.
#[derive(Clone, Copy, Debug)]
pub(super) struct Bounds {
    pub(super) calls: Bound,
    pub(super) commands: Bound,
    pub(super) queue: Bound,
    pub(super) sessions: Bound,
}

/// A number for all callers together, and one for each.
#[derive(Clone, Copy, Debug)]
pub(super) struct Bound {
    pub(super) all: usize,
    pub(super) each: usize,
}

impl Default for Caps {
    fn default() -> Self {
        Self {
            calls: 1024,
            commands: 32,
            queue: 256,
            sessions: 256,
            sessions_per_caller: 224,
        }
    }
}

impl Bounds {
    /// Among many, each has at most a quarter of the commands and sessions, and an eighth of the calls and of the queue.
    pub(super) fn of(caps: &Caps, among: Among) -> Self {
        let part = |all: usize, of: usize| Bound {
            all,
            each: match among {
                Among::One => all,
                Among::Many => (all / of).max(1),
            },
        };
        let sessions = part(caps.sessions, 4);
        Self {
            calls: part(caps.calls, 8),
            commands: part(caps.commands, 4),
            queue: part(caps.queue, 8),
            sessions: Bound {
                all: caps.sessions,
                each: sessions.each.min(caps.sessions_per_caller),
            },
        }
    }
}
