//! With what status a process of ours ends: as `env`, `timeout` and shells have it. docs/exit-codes.md lists them.

/// What stands in for a command that ran out of time, as in timeout(1).
pub(super) const TIMED_OUT: u8 = 124;
/// Our own failure, as `env` and `timeout` have it.
pub(super) const FAILED: u8 = 125;
/// The signal that ends what is in the way; with it goes a command whose own status nobody saw.
const SIGKILL: i64 = 9;
/// Signals are above this, as in shells.
const SIGNALS: i64 = 128;

/// How a command ended, or did not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ended {
    /// By itself.
    Code(i64),
    /// By a signal.
    Signal(i64),
    /// With its sandbox, as at a limit.
    Killed,
    /// It ran out of time, or still runs.
    OutOfTime,
    /// Nobody knows.
    Unknown,
}

impl Ended {
    /// The status that says so.
    pub(super) fn status(self) -> u8 {
        let number = match self {
            Self::Code(code) => code,
            Self::Signal(number) => SIGNALS + number,
            Self::Killed => SIGNALS + SIGKILL,
            Self::OutOfTime => return TIMED_OUT,
            Self::Unknown => return FAILED,
        };
        u8::try_from(number).unwrap_or(FAILED)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_end_has_the_status_that_shells_give_it() {
        for (ended, status) in [
            (Ended::Code(7), 7),
            (Ended::Code(256), FAILED),
            (Ended::Signal(15), 143),
            (Ended::Signal(i64::MAX - SIGNALS), FAILED),
            (Ended::Killed, 137),
            (Ended::OutOfTime, 124),
            (Ended::Unknown, 125),
        ] {
            assert_eq!(ended.status(), status, "{ended:?}");
        }
    }
}
