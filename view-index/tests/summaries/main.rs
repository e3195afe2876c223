//! Summaries against a naive recount, under random changes, late queries and shuffled sides.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod history;
mod play;
mod recount;

use proptest::prelude::{any, proptest};
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

proptest! {
    #[test]
    fn a_summary_is_what_a_recount_gives(seed in any::<u64>()) {
        play::play(&mut ChaCha8Rng::seed_from_u64(seed));
    }
}
