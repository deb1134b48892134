//! Landlock's rules, from the spec to the kernel (landlock(7)).

use std::io;
use std::os::fd::OwnedFd;
use std::path::Path;

use landlock::{
    ABI, Access as _, AccessFs, AccessNet, BitFlags, CompatLevel, Compatible as _, PathBeneath, Ruleset,
    RulesetAttr as _, RulesetCreatedAttr as _, Scope,
};

use rustix::fs::{Mode, OFlags};

use super::file_id::FileId;
use super::spec::{Access, LandlockSpec};
use super::step::{AtStep as _, Step, StepError};

/// Restricts this process and its children to the rules, for good.
pub(super) fn restrict(spec: &LandlockSpec) -> Result<(), StepError> {
    let abi = version(spec.abi);
    let failed = |error: landlock::RulesetError| StepError::about(Step::Landlock, &error, &of_system(&error));
    let mut ruleset = Ruleset::default().set_compatibility(CompatLevel::HardRequirement);
    ruleset = ruleset.handle_access(AccessFs::from_all(abi)).map_err(failed)?;
    if spec.deny_tcp && spec.abi >= 4 {
        ruleset = ruleset
            .handle_access(AccessNet::BindTcp | AccessNet::ConnectTcp)
            .map_err(failed)?;
    }
    if spec.abi >= 6 {
        ruleset = ruleset
            .scope(Scope::AbstractUnixSocket | Scope::Signal)
            .map_err(failed)?;
    }
    let mut created = ruleset.create().map_err(failed)?;
    for (path, access) in &spec.rules {
        let fd = match open(path, access.seen) {
            Ok(fd) => fd,
            Err(_) if access.optional => continue,
            Err(error) => return Err(error).at_path(Step::Landlock, path),
        };
        let directory = path.is_dir();
        let bits = rights(*access, abi, directory);
        if !bits.is_empty() {
            created = created.add_rule(PathBeneath::new(fd, bits)).map_err(failed)?;
        }
    }
    created.restrict_self().map_err(failed)?;
    Ok(())
}

/// The kernel's answer that an error comes from.
fn of_system(error: &landlock::RulesetError) -> io::Error {
    let first: &dyn std::error::Error = error;
    let mut causes = std::iter::successors(Some(first), |error| error.source());
    let number = causes.find_map(|cause| cause.downcast_ref::<io::Error>()?.raw_os_error());
    io::Error::from_raw_os_error(number.unwrap_or(libc::EIO))
}

/// What a rule is about; that what was `seen` before is still there.
fn open(path: &Path, seen: Option<FileId>) -> io::Result<OwnedFd> {
    let no_link = if seen.is_some() {
        OFlags::NOFOLLOW
    } else {
        OFlags::empty()
    };
    let fd = rustix::fs::open(path, OFlags::PATH | OFlags::CLOEXEC | no_link, Mode::empty())?;
    FileId::check(seen, &fd)?;
    Ok(fd)
}

/// Every right that an access stands for, as far as this version knows it.
fn rights(access: Access, abi: ABI, directory: bool) -> BitFlags<AccessFs> {
    let mut bits = BitFlags::empty();
    if access.read {
        bits |= AccessFs::ReadFile | AccessFs::ReadDir;
    }
    if access.execute {
        bits |= AccessFs::Execute;
    }
    if access.write {
        // Everything that changes something, but making devices.
        bits |= AccessFs::from_write(abi) & !(AccessFs::MakeChar | AccessFs::MakeBlock);
        bits &= !BitFlags::from(AccessFs::IoctlDev);
    }
    if access.ioctl {
        bits |= AccessFs::IoctlDev;
    }
    bits &= AccessFs::from_all(abi);
    if directory {
        bits
    } else {
        bits & AccessFs::from_file(abi)
    }
}

fn version(number: u8) -> ABI {
    match number {
        0 => ABI::Unsupported,
        1 => ABI::V1,
        2 => ABI::V2,
        3 => ABI::V3,
        4 => ABI::V4,
        5 => ABI::V5,
        6 => ABI::V6,
        _ => ABI::V7, // nothing after it is used here
    }
}
