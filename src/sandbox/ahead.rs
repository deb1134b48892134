//! Sandboxes that are built before anybody asks for them, because the next call is often like the last one.
//!
//! Each waits for one task, which may come or not. It is used only where what is planned for a call is
//! exactly what it was built from, and for one call; see docs/design/0003-launch-cost.md.

use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::oneshot;

use super::plan::Mark;
use crate::model::Program;
use crate::model::command::Shell;
use crate::policy::LaunchRequest;
use crate::profile::Profile;

/// At most so many wait: one for commands, and one for shells.
const AT_MOST: usize = 2;
/// How long a command that does not end is left to itself before another sandbox is built.
pub(super) const MOMENT: Duration = Duration::from_millis(5);
/// How long one waits. It holds on to the file systems that it shows.
pub(super) const WAITS_FOR: Duration = Duration::from_secs(60);

/// A sandbox that waits for its task, or will soon. Closing its socket ends it.
#[derive(Debug)]
pub(super) struct Prepared {
    pub(super) kind: Kind,
    pub(super) mark: Mark,
    /// Its base as it was sent.
    pub(super) base: Vec<u8>,
    pub(super) socket: UnixStream,
    /// Dropped with it: who would end it after a while has nothing to do then.
    pub(super) _waits: oneshot::Sender<()>,
}

/// What calls must have in common for the same sandbox to be likely.
#[derive(Clone, Debug)]
pub(super) struct Kind {
    profile: Arc<Profile>,
    shell: Option<Shell>,
}

impl Kind {
    pub(super) fn of(request: &LaunchRequest) -> Self {
        Self {
            profile: Arc::clone(&request.profile),
            shell: match &request.program {
                Program::Interactive(shell) => Some(*shell),
                _ => None,
            },
        }
    }

    fn is(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.profile, &other.profile) && self.shell == other.shell
    }
}

/// Those that wait, the oldest first.
#[derive(Debug, Default)]
pub(super) struct Waiting {
    all: Vec<Prepared>,
    /// Whether one is being built: a burst of calls needs no burst of sandboxes.
    pub(super) being_built: bool,
}

impl Waiting {
    pub(super) fn take(&mut self, kind: &Kind) -> Option<Prepared> {
        let at = self.all.iter().position(|prepared| prepared.kind.is(kind))?;
        Some(self.all.remove(at))
    }

    /// Whether one of this kind is wanted; then it counts as being built.
    pub(super) fn start(&mut self, kind: &Kind) -> bool {
        let wanted = !self.being_built && !self.all.iter().any(|prepared| prepared.kind.is(kind));
        self.being_built |= wanted;
        wanted
    }

    /// Adds one; of all only so many stay.
    pub(super) fn add(&mut self, prepared: Prepared) {
        if self.all.len() >= AT_MOST {
            self.all.remove(0);
        }
        self.all.push(prepared);
    }

    pub(super) fn end(&mut self, mark: &Mark) {
        self.all.retain(|prepared| prepared.mark != *mark);
    }
}
