//! The record of what was asked, decided and done, each before the next happens.
//!
//! An [`Entry`] goes through a call with it. Arguments are never recorded, only their size. Records
//! go to the log (target `audit`); what is decided is the business of [`crate::policy`].

mod record;

pub use record::{CallId, Outcome, Record, Word};

use std::io;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::policy::{Caller, Reason};

/// Writes records.
#[derive(Debug)]
pub struct Audit {
    next: AtomicU64,
    sink: Sink,
}

/// Where records go.
#[derive(Debug)]
enum Sink {
    /// The log on standard error.
    Log,
    #[cfg(test)]
    Memory(std::sync::Mutex<Vec<Record>>),
}

/// Why a call cannot go on: nothing happens without a record.
#[derive(Debug, thiserror::Error)]
pub enum AuditError {
    /// The record cannot be written.
    #[error("cannot write the audit record, and nothing is done without one")]
    Write {
        /// Why.
        #[source]
        source: io::Error,
    },
}

/// The record of one call. Dropped before [`Entry::done`] it says that the outcome is unknown.
#[derive(Debug)]
pub struct Entry<'a> {
    audit: &'a Audit,
    call: CallId,
    caller: Caller,
    tool: String,
    open: bool,
}

impl Audit {
    /// Records to the log.
    pub fn to_log() -> Self {
        Self {
            next: AtomicU64::new(1),
            sink: Sink::Log,
        }
    }

    /// Somebody asks for something. `tool` is what the caller wrote, cut to a sane length.
    pub fn asked(&self, caller: &Caller, tool: &str, argument_bytes: usize) -> Result<Entry<'_>, AuditError> {
        let entry = Entry {
            audit: self,
            call: CallId::new(self.next.fetch_add(1, Ordering::Relaxed)),
            caller: caller.clone(),
            tool: tool.chars().take(64).collect(),
            open: true,
        };
        entry.write(Word::Asked { argument_bytes })?;
        Ok(entry)
    }

    fn write(&self, record: &Record) -> Result<(), AuditError> {
        match &self.sink {
            Sink::Log => record.log(),
            #[cfg(test)]
            Sink::Memory(records) => records.lock().unwrap().push(record.clone()),
        }
        Ok(())
    }
}

impl Entry<'_> {
    /// The call's number.
    pub fn call(&self) -> CallId {
        self.call
    }

    /// The policy allowed it.
    pub fn allowed(&self, profile: Option<&str>) -> Result<(), AuditError> {
        self.write(Word::Allowed {
            profile: profile.map(str::to_owned),
        })
    }

    /// The policy denied it.
    pub fn denied(mut self, reason: &Reason, profile: Option<&str>) {
        self.close(Word::Denied {
            rule: reason.rule(),
            profile: profile.map(str::to_owned),
        });
    }

    /// It was refused before the policy saw it: bad arguments, or a limit.
    pub fn refused(mut self, why: &'static str) {
        self.close(Word::Refused { why });
    }

    /// It was done, or could not be. A failing record never turns a done action into an error.
    pub fn done(mut self, outcome: Outcome) {
        self.close(Word::Done { outcome });
    }

    fn close(&mut self, word: Word) {
        self.open = false;
        if let Err(error) = self.write(word) {
            tracing::error!(target: "audit", call = %self.call, %error, "record lost");
        }
    }

    fn write(&self, word: Word) -> Result<(), AuditError> {
        self.audit.write(&Record {
            call: self.call,
            caller: self.caller.clone(),
            tool: self.tool.clone(),
            word,
        })
    }
}

impl Drop for Entry<'_> {
    fn drop(&mut self) {
        if self.open {
            self.close(Word::Done {
                outcome: Outcome::Cancelled,
            });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LOCAL: Caller = Caller::Local { uid: 1000 };

    fn in_memory() -> Audit {
        Audit {
            next: AtomicU64::new(1),
            sink: Sink::Memory(Vec::new().into()),
        }
    }

    fn words(audit: &Audit) -> Vec<Word> {
        match &audit.sink {
            Sink::Memory(records) => records.lock().unwrap().iter().map(|r| r.word.clone()).collect(),
            Sink::Log => Vec::new(),
        }
    }

    #[test]
    fn a_call_is_asked_decided_and_done_in_this_order() {
        let audit = in_memory();
        let entry = audit.asked(&LOCAL, "terminal_run", 23).unwrap();
        entry.allowed(Some("default")).unwrap();
        entry.done(Outcome::Done);
        let expected = [
            Word::Asked { argument_bytes: 23 },
            Word::Allowed {
                profile: Some("default".to_owned()),
            },
            Word::Done { outcome: Outcome::Done },
        ];
        assert_eq!(words(&audit), expected);
    }

    #[test]
    fn a_dropped_call_says_that_its_outcome_is_unknown() {
        let audit = in_memory();
        drop(audit.asked(&LOCAL, "terminal_run", 0).unwrap());
        let last = words(&audit).pop().unwrap();
        assert_eq!(
            last,
            Word::Done {
                outcome: Outcome::Cancelled
            }
        );
        assert_eq!(last.to_string(), "cancelled, outcome unknown");
    }
}
