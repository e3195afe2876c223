//! A view's index against a sorted vector, at a size at which it has many blocks.
//!
//! The toy database of `toy_mvcc` proves the rule of snapshots with a handful of rows; here hundreds of
//! rows are counted, charted, listed, divided, joined, released and asked for again, in blocks of random
//! sizes, while changes arrive and answers come late. After every step each position that the index
//! claims to know equals the vector's.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod answers;
mod driver;
mod model;
mod scenario;

use proptest::prelude::{ProptestConfig, proptest};

use crate::driver::play;
use crate::scenario::scenario;

/// Scenarios played; `PROPTEST_CASES` overrides it.
const CASES: u32 = 200;

fn cases() -> u32 {
    std::env::var("PROPTEST_CASES")
        .ok()
        .and_then(|cases| cases.parse().ok())
        .unwrap_or(CASES)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: cases(), ..ProptestConfig::default() })]

    #[test]
    fn the_index_equals_a_sorted_vector(scenario in scenario()) {
        play(&scenario);
    }
}
