//! STUB, to be replaced by the loader of `sandbox-profiles/`: same names, no files.
//!
//! It knows the shipped names and gives each the same plain profile, so that all that stands above
//! can be built and tested.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use super::profile::{
    Enforcement, Environment, Filesystem, Home, Limits, Network, Profile, Syscalls, WorkspaceAccess, WriteAndExecute,
};
use crate::model::{ByteCount, Span};

const NAMES: [&str; 5] = ["build", "default", "network", "read-only", "strict"];

/// The profiles there are.
#[derive(Clone, Debug)]
pub struct Profiles {}

impl Profiles {
    /// The shipped ones.
    pub fn embedded() -> Self {
        Self {}
    }

    /// The shipped ones and those of a directory.
    pub fn with_directory(_directory: &Path) -> Result<Self, ProfileError> {
        Ok(Self {})
    }

    /// The profile with this name.
    pub fn get(&self, name: &str) -> Result<Arc<Profile>, ProfileError> {
        if NAMES.contains(&name) {
            Ok(Arc::new(plain(name)))
        } else {
            Err(ProfileError::NoSuchProfile { name: name.to_owned() })
        }
    }

    /// All names, in order.
    pub fn names(&self) -> Vec<&str> {
        NAMES.to_vec()
    }
}

/// Why a profile cannot be had.
#[derive(Debug, thiserror::Error)]
pub enum ProfileError {
    /// No file says so.
    #[error("no profile is called {name:?}; hint: one of {}", NAMES.join(", "))]
    NoSuchProfile {
        /// What was asked for.
        name: String,
    },
}

fn plain(name: &str) -> Profile {
    Profile {
        name: name.to_owned(),
        summary: "stub".to_owned(),
        filesystem: Filesystem {
            workspace: WorkspaceAccess::ReadWriteExecute,
            read: Vec::new(),
            execute: Vec::new(),
            protect: Vec::new(),
            home: Home::Private,
            write_and_execute: WriteAndExecute::Allowed,
        },
        network: Network::None,
        isolation: Enforcement::Preferred,
        syscalls: Syscalls { rules: BTreeMap::new() },
        limits: Limits {
            memory: ByteCount::new(1 << 30),
            processes: 256,
            cpu: "25%".parse().unwrap_or_else(|_| unreachable!("a constant")),
            cpu_time: None,
            open_files: 1024,
            file_size: ByteCount::new(100 << 20),
            tmp: ByteCount::new(256 << 20),
            home: ByteCount::new(256 << 20),
            workspace_growth: ByteCount::new(1 << 30),
            workspace_files: 100_000,
            output: ByteCount::new(64 << 20),
            wall_time: Span::new(Duration::from_secs(8 * 3600)),
            idle_time: Span::new(Duration::from_secs(2 * 3600)),
            enforcement: Enforcement::Preferred,
        },
        environment: Environment {
            pass: Vec::new(),
            set: BTreeMap::new(),
        },
    }
}
