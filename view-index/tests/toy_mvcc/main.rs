//! The pure core against a toy multi-version database.
//!
//! Random transactions interleave with the reader's batches, fetches at other snapshots, moving
//! windows and broken sockets; after every step the view and every client must equal `SELECT … WHERE …
//! ORDER BY … LIMIT … OFFSET` of the model at the same snapshot. A failing scenario is shrunk, printed
//! and kept in `tests/proptest-regressions/`; `PROPTEST_CASES` asks for more of them.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod database;
mod driver;
mod pending;
mod sabotage;
mod scenario;
mod table;
mod viewer;

use proptest::prelude::{ProptestConfig, proptest};
use proptest::test_runner::{RngAlgorithm, TestError, TestRng, TestRunner};

use crate::driver::play;
use crate::sabotage::Sabotage;
use crate::scenario::scenario;

/// Scenarios played; `PROPTEST_CASES` overrides it.
const CASES: u32 = 4_000;

fn cases() -> u32 {
    std::env::var("PROPTEST_CASES")
        .ok()
        .and_then(|cases| cases.parse().ok())
        .unwrap_or(CASES)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: cases(), ..ProptestConfig::default() })]

    #[test]
    fn every_version_equals_the_select_at_its_snapshot(scenario in scenario()) {
        play(&scenario, None);
    }
}

/// Every mistake must be caught by the checks above, in a fixed set of scenarios that pass without it.
#[test]
fn the_checks_catch_every_mistake() {
    for sabotage in Sabotage::ALL {
        assert!(is_caught(Some(sabotage)), "{sabotage:?} went unnoticed");
    }
    assert!(
        !is_caught(None),
        "the scenarios do not pass without a mistake"
    );
}

fn is_caught(sabotage: Option<Sabotage>) -> bool {
    let config = ProptestConfig {
        cases: CASES,
        failure_persistence: None,
        max_shrink_iters: 0,
        ..ProptestConfig::default()
    };
    let rng = TestRng::deterministic_rng(RngAlgorithm::ChaCha);
    let outcome = TestRunner::new_with_rng(config, rng).run(&scenario(), |scenario| {
        play(&scenario, sabotage);
        Ok(())
    });
    match outcome {
        Ok(()) => false,
        Err(TestError::Fail(..)) => true,
        Err(TestError::Abort(reason)) => panic!("the scenarios could not be played: {reason}"),
    }
}
