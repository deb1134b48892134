//! What is counted at a door.

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;

use super::refused::Refused;

/// Who came, and who was turned away. Clones count together.
#[derive(Clone, Debug, Default)]
pub(in crate::server) struct Counts {
    /// Requests and connections that were turned away.
    pub(in crate::server) turned_away: Family<Reason, Counter>,
    total: Counter,
    /// Connections that have not said who they are.
    pub(in crate::server) strangers: Gauge,
    /// Connections of known callers.
    pub(in crate::server) connections: Gauge,
}

/// Why somebody was turned away, as a label.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(in crate::server) struct Reason {
    reason: &'static str,
}

impl Counts {
    /// A request or a connection was turned away.
    pub(in crate::server) fn refused(&self, reason: Refused) {
        let reason = reason.name();
        tracing::debug!(reason, "refused");
        self.turned_away.get_or_create(&Reason { reason }).inc();
        self.total.inc();
    }

    /// How many were turned away, for whatever reason.
    pub(in crate::server) fn total(&self) -> u64 {
        self.total.get()
    }
}
