//! The words of the system as types: sizes, times, commands, paths. No input or output.
//!
//! Every value from outside is parsed here once; the rest of the code cannot see the raw form.

pub mod command;
pub mod env;
pub mod id;
pub mod plain;
pub mod size;
pub mod words;
pub mod workspace;

pub use command::{Argument, CommandError, Program, Shell, ShellLine};
pub use env::{EnvError, EnvName, EnvValue};
pub use id::{InstanceId, Name, NameError, QuestionId, SessionId};
pub use size::{ByteCount, CpuShare, SizeError, Span};
pub use workspace::Workspace;
