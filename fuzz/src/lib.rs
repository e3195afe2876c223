//! Fuzz targets: pure code, fed with arbitrary bytes.
//!
//! A target reads bytes as what it tests needs (a text, a message, a scenario of a property test) and panics
//! where the code breaks a law, or differs from a model. `tests/regressions.rs` feeds each target what
//! once failed and a fixed lot of random bytes, on every run of the tests. `run.sh` lets libFuzzer
//! look for more: it keeps what reaches new code and goes on from there.

#![allow(clippy::unwrap_used, reason = "a target fails by panicking")]

mod bytes;
#[cfg(feature = "http")]
mod cursors;
#[cfg(feature = "http")]
mod filter_text;
mod index;
mod messages;
mod snapshots;
mod summaries;
mod values;

/// Something that is fed with bytes.
#[derive(Clone, Copy, Debug)]
pub struct Target {
    /// What `run.sh` and the folder of its regressions call it.
    pub name: &'static str,
    /// Feeds it; panics if that shows a mistake.
    pub run: fn(&[u8]),
}

/// All of them.
pub const TARGETS: &[Target] = &[
    target("index", index::run),
    target("snapshots", snapshots::run),
    target("summaries", summaries::run),
    target("values", values::run),
    target("messages", messages::run),
    #[cfg(feature = "http")]
    target("filter_text", filter_text::run),
    #[cfg(feature = "http")]
    target("cursors", cursors::run),
];

const fn target(name: &'static str, run: fn(&[u8])) -> Target {
    Target { name, run }
}
