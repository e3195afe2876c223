//! Puts the commit that is built into the version, where it is known.

use std::process::Command;

#[allow(clippy::print_stdout, reason = "how a build script speaks to Cargo")]
fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    // Set by container builds, which have no repository to ask.
    println!("cargo::rerun-if-env-changed=ROWCAST_GIT_SHA");
    let commit = std::env::var("ROWCAST_GIT_SHA").ok().or_else(|| {
        // A development build would be compiled anew after every commit, for nothing.
        let release = std::env::var("PROFILE").is_ok_and(|profile| profile == "release");
        release.then(repository_head).flatten()
    });
    let number = env!("CARGO_PKG_VERSION");
    match commit.filter(|commit| !commit.is_empty()) {
        Some(commit) => {
            println!("cargo::rustc-env=ROWCAST_VERSION={number} ({commit})");
            println!("cargo::rustc-env=ROWCAST_GIT_SHA={commit}");
        }
        None => println!("cargo::rustc-env=ROWCAST_VERSION={number}"),
    }
}

#[allow(clippy::print_stdout, reason = "how a build script speaks to Cargo")]
fn repository_head() -> Option<String> {
    println!("cargo::rerun-if-changed=../.git/logs/HEAD");
    let output = Command::new("git")
        .args(["rev-parse", "--short=12", "HEAD"])
        .output()
        .ok()?;
    output
        .status
        .success()
        .then(|| String::from_utf8_lossy(&output.stdout).trim().to_owned())
}
