//! libFuzzer, looking for what makes the target fail that `FUZZ_TARGET` names. `run.sh` builds and starts it.

#![no_main]
#![allow(unsafe_code, reason = "libFuzzer calls a function by its bare name")]

use std::sync::LazyLock;

use fuzz::{TARGETS, Target};
use libfuzzer_sys::fuzz_target;

static TARGET: LazyLock<&Target> = LazyLock::new(|| {
    let name = std::env::var("FUZZ_TARGET").unwrap_or_default();
    let target = TARGETS.iter().find(|target| target.name == name);
    target.unwrap_or_else(|| panic!("FUZZ_TARGET={name} is none of the targets: {TARGETS:?}"))
});

fuzz_target!(|bytes: &[u8]| (TARGET.run)(bytes));
