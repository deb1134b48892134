//! One of `terrarium::internal::TARGETS`.
#![no_main]
libfuzzer_sys::fuzz_target!(|bytes: &[u8]| terrarium::server::fuzz::calls(bytes));
