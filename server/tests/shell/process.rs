//! The program itself, as a user runs it.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Instant;

use crate::fixture::{PATIENCE, any_port, ask};

const ROWCAST: &str = env!("CARGO_BIN_EXE_rowcast");

/// A running `rowcast` with a PostgreSQL of its own.
struct Program {
    child: Child,
    port: u16,
    /// What it printed, up to the line that says it is ready.
    printed: String,
}

impl Program {
    async fn start(data: &Path) -> Self {
        let port = any_port().await.local_addr().unwrap().port();
        let mut child = Command::new(ROWCAST)
            .args(["--seed-products=0", &format!("--port={port}")])
            .arg("--data-dir")
            .arg(data)
            .env_remove("DATABASE_URL")
            .env_remove("REDIS_URL")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut printed = String::new();
        let mut lines = BufReader::new(child.stdout.take().unwrap());
        while !printed.contains("Rowcast is ready at ") {
            assert_ne!(
                lines.read_line(&mut printed).unwrap(),
                0,
                "it ended: {printed}"
            );
        }
        Self {
            child,
            port,
            printed,
        }
    }

    fn signal(&self, name: &str) {
        let pid = self.child.id().to_string();
        assert!(
            Command::new("kill")
                .args(["-s", name, &pid])
                .status()
                .unwrap()
                .success()
        );
    }

    async fn ended(&mut self) -> Option<i32> {
        let started = Instant::now();
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status.code();
            }
            assert!(started.elapsed() < PATIENCE, "it does not end");
            tokio::task::yield_now().await;
        }
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        // It may have ended already; a failed test must not leave it running.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

fn healthcheck(port: u16) -> bool {
    let mut check = Command::new(ROWCAST);
    check
        .args(["healthcheck", "--port", &port.to_string()])
        .stderr(Stdio::null());
    check.status().unwrap().success()
}

fn postmaster(data: &Path) -> Option<u32> {
    let file = std::fs::read_to_string(data.join("postgres/cluster/postmaster.pid")).ok()?;
    file.lines().next()?.parse().ok()
}

#[tokio::test]
async fn starts_stops_and_survives_being_killed() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path();

    let mut first = Program::start(data).await;
    let url = std::fs::read_to_string(data.join("postgres/database_url")).unwrap();
    let psql = format!("psql '{}'", url.trim());
    assert!(first.printed.contains(&psql), "{}", first.printed);
    let ready = format!("Rowcast is ready at http://127.0.0.1:{}\n", first.port);
    assert!(first.printed.ends_with(&ready), "{}", first.printed);
    let started = Instant::now();
    while !healthcheck(first.port) {
        assert!(started.elapsed() < PATIENCE, "it does not become ready");
    }
    let postgres = postmaster(data).unwrap();

    // Another one on the same data is refused, with the reason.
    let second = Command::new(ROWCAST)
        .args(["--port=0", "--data-dir"])
        .arg(data)
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&second.stderr);
    assert!(
        !second.status.success() && said.contains("in use by another"),
        "{said}"
    );

    first.signal("KILL");
    first.ended().await;
    let mut third = Program::start(data).await;
    assert_eq!(
        postmaster(data),
        Some(postgres),
        "the PostgreSQL left behind is taken over"
    );
    let to = ([127, 0, 0, 1], third.port).into();
    assert_eq!(ask(to, "GET", "/livez", &[]).await.status, 200);

    // PostgreSQL by itself is started again.
    let killed = Command::new("kill")
        .args(["-9", &postgres.to_string()])
        .status()
        .unwrap();
    assert!(killed.success());
    let started = Instant::now();
    while postmaster(data) == Some(postgres) || !healthcheck(third.port) {
        assert!(
            started.elapsed() < PATIENCE,
            "PostgreSQL is not started again"
        );
        tokio::task::yield_now().await;
    }
    third.signal("TERM");
    assert_eq!(third.ended().await, Some(0));
    assert_eq!(postmaster(data), None, "PostgreSQL was left running");
    assert!(!healthcheck(third.port));
}

#[test]
fn says_its_version_and_explains_bad_values() {
    let version = Command::new(ROWCAST).arg("--version").output().unwrap();
    let expected = concat!("rowcast ", env!("CARGO_PKG_VERSION"));
    assert!(String::from_utf8_lossy(&version.stdout).starts_with(expected));

    let bad = Command::new(ROWCAST)
        .env("RUST_LOG", "server=loud")
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&bad.stderr);
    assert!(
        !bad.status.success() && said.contains("RUST_LOG=info"),
        "{said}"
    );
    let bad = Command::new(ROWCAST).env("PORT", "http").output().unwrap();
    let said = String::from_utf8_lossy(&bad.stderr);
    assert!(!bad.status.success() && said.contains("--port"), "{said}");
}
