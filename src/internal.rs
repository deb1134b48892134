//! What the fuzzer calls. The inputs that are kept in `fuzz/corpus` run as tests too.

/// A target: takes any bytes, and panics when something does not hold that must.
pub type Target = fn(&[u8]);

/// All targets by name; each has its file in `fuzz/fuzz_targets` and its folder in `fuzz/corpus`.
pub const TARGETS: [(&str, Target); 21] = [
    ("arguments", crate::tools::fuzz::arguments),
    ("audit", crate::audit::fuzz::audit),
    ("calls", crate::server::fuzz::calls),
    ("control", crate::server::control::fuzz::control),
    ("frames", crate::sandbox::fuzz::frames),
    ("hf_answer", crate::hf::fuzz::hf_answer),
    ("hf_arguments", crate::hf::fuzz::hf_arguments),
    ("hf_callback", crate::hf::fuzz::hf_callback),
    ("hf_mycode", crate::hf::fuzz::hf_mycode),
    ("keys", crate::session::fuzz::keys),
    ("marks", crate::session::fuzz::marks),
    ("matching", crate::policy::fuzz::matching),
    ("output", crate::session::fuzz::output),
    ("path", crate::profile::fuzz::path),
    ("policy", crate::policy::fuzz::policy),
    ("profile", crate::profile::fuzz::profile),
    ("redact", crate::audit::fuzz::redact),
    ("screen", crate::session::fuzz::screen),
    ("sealed", crate::server::fuzz::sealed),
    ("syscall_base", crate::profile::fuzz::syscall_base),
    ("waits", crate::session::fuzz::waits),
];

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::Path;

    use super::*;

    #[test]
    fn what_the_fuzzer_found_stays_right() {
        let fuzz = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz");
        for (name, target) in TARGETS {
            assert!(fuzz.join(format!("fuzz_targets/{name}.rs")).is_file(), "{name}");
            let inputs: Vec<_> = fs::read_dir(fuzz.join("corpus").join(name)).unwrap().collect();
            assert!(inputs.len() > 2, "{name}: no seeds");
            for input in inputs {
                target(&fs::read(input.unwrap().path()).unwrap());
            }
        }
    }
}
