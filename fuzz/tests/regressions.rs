//! Every target, fed with what once made it fail and with some random bytes.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
#![allow(clippy::print_stdout, reason = "a test prints what repeats it")]

use std::fs;
use std::path::{Path, PathBuf};

use fuzz::{TARGETS, Target};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// Random inputs per target.
const INPUTS: usize = 150;
const INPUT_BYTES_MAX: usize = 1_500;

fn target(name: &str) -> Target {
    *TARGETS.iter().find(|target| target.name == name).unwrap()
}

/// Files under `regressions/NAME`, in order.
fn regressions(name: &str) -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("regressions")
        .join(name);
    let Ok(entries) = fs::read_dir(&folder) else {
        return Vec::new();
    };
    let mut files: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
    files.sort();
    files
}

fn feed(name: &str) {
    let target = target(name);
    for file in regressions(name) {
        println!("{}", file.display());
        (target.run)(&fs::read(&file).unwrap());
    }
    for seed in 0..INPUTS as u64 {
        println!("{name}: random bytes of seed {seed}");
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let mut bytes = vec![0; rng.random_range(0..INPUT_BYTES_MAX)];
        rng.fill(&mut bytes[..]);
        // Texts are of few characters, so that some make sense.
        if seed % 2 == 0 {
            let text = b"0123456789-+.:,eE TZ/\"'(){}[]<>=!_abnotrd\n";
            bytes
                .iter_mut()
                .for_each(|byte| *byte = text[usize::from(*byte) % text.len()]);
            bytes.truncate(rng.random_range(0..60));
        }
        (target.run)(&bytes);
    }
}

#[test]
fn the_index_is_the_sorted_vector() {
    feed("index");
}

#[test]
fn versions_are_states_of_the_database() {
    feed("snapshots");
}

#[test]
fn summaries_are_recounts() {
    feed("summaries");
}

#[test]
fn values_are_ordered_and_write_back() {
    feed("values");
}

#[test]
fn messages_write_back() {
    feed("messages");
}

#[test]
fn filters_write_back() {
    feed("filter_text");
}

#[test]
fn cursors_are_only_those_handed_out() {
    feed("cursors");
}

/// What is kept belongs to a target.
#[test]
fn every_regression_has_a_target() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("regressions");
    for entry in fs::read_dir(folder).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        assert!(TARGETS.iter().any(|target| target.name == name), "{name}");
    }
}
