//! Limits: of each process by rlimits, of all by cgroup, and what the launcher watches itself.

use std::path::Path;

use super::Limit;
use super::filesystem::TMPFS_FILES;
use super::places::Places;
use super::plan::Modes;
use super::protect::Depth;
use super::spec::{Grows, Growth, Resource, Watch};
use crate::kernel::proctree;
use crate::policy::LaunchRequest;
use crate::profile::{Limits, WorkspaceAccess};

/// Users that no distribution gives out: above systemd's container range, below what is negative to some programs (systemd's UIDS-GIDS).
const SESSION_UIDS: std::ops::RangeInclusive<u32> = 0x7000_0000..=0x7FFF_FFFF;

/// A user for one sandbox of root's, drawn from so many that two of a thousand hardly ever share one: counts by user are its own.
pub(super) fn session_uid() -> Result<u32, getrandom::Error> {
    Ok(SESSION_UIDS.start() | getrandom::u32()? >> 4)
}

/// Whether [`session_uid`] could have given it.
pub(super) fn is_session_uid(uid: u32) -> bool {
    SESSION_UIDS.contains(&uid)
}

/// Limits that every process has by itself.
pub(super) fn rlimits(limits: &Limits, modes: &Modes) -> Vec<(Resource, u64, u64)> {
    let both = |resource, value: u64| (resource, value, value);
    let mut all = vec![
        both(Resource::OpenFiles, u64::from(limits.open_files)),
        both(Resource::FileSize, limits.file_size.bytes()),
        both(Resource::Core, 0),
        both(Resource::LockedMemory, 8 << 20),
        both(Resource::MessageQueues, 819_200),
        both(Resource::PendingSignals, 4096),
        // What a user's groups may have been given, as `audio` for sound: to come before all other programs.
        both(Resource::RealTime, 0),
        both(Resource::Nice, 0),
    ];
    if own_count(modes) {
        // One more for pid 1; and where a cgroup counts too, it comes first: it tells what it refused.
        let spare = 1 + u64::from(modes.cgroup);
        all.push(both(Resource::Processes, u64::from(limits.processes) + spare));
    } else if !modes.cgroup {
        // The count is the whole user's: what is there now may stay. The launcher counts the sandbox's own.
        let others = u64::from(proctree::of_user(modes.identity.outside.0));
        all.push(both(Resource::Processes, others + u64::from(limits.processes) + 1));
    }
    if !modes.cgroup {
        all.push(both(Resource::Data, limits.memory.bytes()));
    }
    all
}

/// Whether the kernel's count by user is this sandbox's own: in a user namespace, or as nobody else.
pub(super) fn own_count(modes: &Modes) -> bool {
    modes.namespaces.user || (modes.identity.change && is_session_uid(modes.identity.outside.0))
}

/// What the launcher watches.
pub(super) fn watch(request: &LaunchRequest, modes: &Modes, places: &Places) -> Watch {
    let limits = &request.profile.limits;
    let ms = |d: std::time::Duration| u64::try_from(d.as_millis()).unwrap_or(u64::MAX);
    let wall = ms(limits.wall_time.duration());
    let wall = match request.timeout.map(ms) {
        Some(timeout) if timeout <= wall => (timeout, Limit::Timeout),
        _ => (wall, Limit::WallTime),
    };
    let cpu = [limits.cpu_time.map(|s| s.duration()), request.cpu_time]
        .into_iter()
        .flatten()
        .min();
    let writable = request.profile.filesystem.workspace != WorkspaceAccess::Read;
    let mut growth = Vec::new();
    let mut grows = |what, directory: &Path, bytes, files| {
        let directory = directory.to_owned();
        growth.push(Growth {
            directory,
            bytes,
            files,
            what,
        });
    };
    if writable {
        let files = u64::from(limits.workspace_files);
        let workspace = request.workspace.path();
        grows(Grows::Workspace, workspace, limits.workspace_growth.bytes(), files);
    }
    if places.private.is_some() {
        grows(Grows::Tmp, &places.tmp, limits.tmp.bytes(), TMPFS_FILES);
    }
    if let Some(home) = places.home_on_host() {
        grows(Grows::Home, home, limits.home.bytes(), TMPFS_FILES);
    }
    Watch {
        wall,
        idle: ms(limits.idle_time.duration()),
        cpu: cpu.map(ms),
        memory: (!modes.cgroup).then(|| limits.memory.bytes()),
        processes: (!modes.cgroup && !own_count(modes)).then(|| limits.processes.saturating_add(1)),
        growth,
        protect: request.profile.filesystem.protect.clone(),
        depth: if modes.namespaces.mount {
            Depth::Itself
        } else {
            Depth::Whole
        },
        workspace: request.workspace.path().to_owned(),
    }
}
