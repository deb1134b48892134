//! Counts records, and failures to write one.

/// Lines that are in the record.
const RECORDS: &str = "terrarium_audit_records_total";
/// Attempts to write that failed: calls are refused meanwhile.
const FAILURES: &str = "terrarium_audit_failures_total";

pub(super) fn written() {
    metrics::counter!(RECORDS).increment(1);
}

pub(super) fn failed() {
    metrics::counter!(FAILURES).increment(1);
}
