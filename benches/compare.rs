//! Whole-process figures against a plain fork and exec.
fn main() {}
