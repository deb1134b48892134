//! How many connections there may be. Those that have not said who they are share a few places: when all are taken the
//! oldest goes, so that a flood of half-open connections keeps nobody out for long.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use super::counts::Counts;
use super::refused::Refused;
use crate::model::Name;

/// Connections that have not said who they are.
pub(in crate::server) const STRANGERS: usize = 128;
/// How long they may take to say it, TLS and all.
pub(in crate::server) const INTRODUCTION: Duration = Duration::from_secs(10);
/// Connections of known callers.
pub(in crate::server) const CONNECTIONS: usize = 1024;
/// Those of one caller. Behind a proxy, connections are the proxy's.
pub(in crate::server) const CONNECTIONS_PER_CALLER: usize = 64;

/// All connections.
pub(in crate::server) struct Doors {
    places: Arc<Mutex<Places>>,
    behind_proxy: bool,
    counts: Counts,
}

#[derive(Default)]
struct Places {
    last: u64,
    strangers: BTreeMap<u64, CancellationToken>,
    known: usize,
    of: HashMap<Name, usize>,
}

/// One connection: a stranger until a request with a good token came over it.
pub(in crate::server) struct Visitor {
    number: u64,
    /// It must go, as there are too many like it.
    pub(in crate::server) crowded_out: CancellationToken,
    known: OnceLock<Name>,
    places: Arc<Mutex<Places>>,
    behind_proxy: bool,
    counts: Counts,
}

impl Doors {
    pub(in crate::server) fn new(behind_proxy: bool, counts: Counts) -> Self {
        Self {
            places: Arc::default(),
            behind_proxy,
            counts,
        }
    }

    /// Takes a connection in; the oldest stranger may have to go for it.
    pub(in crate::server) fn enter(&self) -> Arc<Visitor> {
        let mut places = lock(&self.places);
        if places.strangers.len() >= STRANGERS
            && let Some((_, oldest)) = places.strangers.pop_first()
        {
            oldest.cancel();
            self.counts.strangers.dec();
            self.counts.refused(Refused::Crowd);
        }
        places.last += 1;
        let (number, crowded_out) = (places.last, CancellationToken::new());
        places.strangers.insert(number, crowded_out.clone());
        self.counts.strangers.inc();
        Arc::new(Visitor {
            number,
            crowded_out,
            known: OnceLock::new(),
            places: Arc::clone(&self.places),
            behind_proxy: self.behind_proxy,
            counts: self.counts.clone(),
        })
    }
}

impl Visitor {
    /// A request with this caller's token came over it. The first one counts.
    pub(in crate::server) fn is(&self, name: &Name) -> Result<(), Refused> {
        if self.is_known() {
            return Ok(());
        }
        let mut places = lock(&self.places);
        let own = places.of.get(name).copied().unwrap_or_default();
        let crowd = own >= CONNECTIONS_PER_CALLER && !self.behind_proxy;
        if places.known >= CONNECTIONS || crowd {
            return Err(Refused::Connections);
        }
        if self.known.set(name.clone()).is_err() {
            return Ok(()); // known by another request just now
        }
        if places.strangers.remove(&self.number).is_some() {
            self.counts.strangers.dec();
        }
        places.known += 1;
        *places.of.entry(name.clone()).or_default() += 1;
        self.counts.connections.inc();
        Ok(())
    }

    /// Whether it said who it is.
    pub(in crate::server) fn is_known(&self) -> bool {
        self.known.get().is_some()
    }
}

impl Drop for Visitor {
    fn drop(&mut self) {
        let mut places = lock(&self.places);
        if places.strangers.remove(&self.number).is_some() {
            self.counts.strangers.dec();
        }
        if let Some(name) = self.known.get() {
            places.known = places.known.saturating_sub(1);
            self.counts.connections.dec();
            if let Some(own) = places.of.get_mut(name) {
                *own = own.saturating_sub(1);
                if *own == 0 {
                    places.of.remove(name);
                }
            }
        }
    }
}

fn lock(places: &Mutex<Places>) -> MutexGuard<'_, Places> {
    places.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn doors(behind_proxy: bool) -> Doors {
        Doors::new(behind_proxy, Counts::default())
    }

    #[test]
    fn the_oldest_stranger_goes_and_whoever_said_its_name_stays() {
        let doors = doors(false);
        let known = doors.enter();
        known.is(&Name::new("a").unwrap()).unwrap();
        let oldest = doors.enter();
        let others: Vec<_> = (0..STRANGERS).map(|_| doors.enter()).collect();
        assert!(oldest.crowded_out.is_cancelled());
        assert!(!known.crowded_out.is_cancelled());
        assert!(others.iter().all(|other| !other.crowded_out.is_cancelled()));
        assert_eq!(doors.counts.strangers.get(), 128);
        drop((oldest, others, known));
        assert_eq!((doors.counts.strangers.get(), doors.counts.connections.get()), (0, 0));
    }

    #[test]
    fn one_caller_leaves_connections_to_others() {
        let doors = doors(false);
        let (a, b) = (Name::new("a").unwrap(), Name::new("b").unwrap());
        let held: Vec<_> = (0..CONNECTIONS_PER_CALLER).map(|_| doors.enter()).collect();
        assert!(held.iter().all(|visitor| visitor.is(&a).is_ok()));
        let next = doors.enter();
        assert_eq!(next.is(&a), Err(Refused::Connections));
        assert_eq!(next.is(&b), Ok(()));
        drop(held);
        assert_eq!(doors.enter().is(&a), Ok(()));
    }

    #[test]
    fn a_proxys_connections_are_nobodys() {
        let doors = doors(true);
        let a = Name::new("a").unwrap();
        let held: Vec<_> = (0..=CONNECTIONS_PER_CALLER).map(|_| doors.enter()).collect();
        assert!(held.iter().all(|visitor| visitor.is(&a).is_ok()));
    }
}
