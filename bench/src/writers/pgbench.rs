//! One run of pgbench.

use std::io::Write;
use std::path::PathBuf;

use anyhow::Context;
use tokio::process::Command;

/// How statements are sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Protocol {
    /// As text, planned every time.
    Simple,
    /// Prepared once per connection.
    Prepared,
}

/// What to run.
#[derive(Clone, Debug)]
pub(super) struct Pgbench {
    pub(super) program: PathBuf,
    pub(super) database_url: String,
    pub(super) script: String,
    pub(super) protocol: Protocol,
    pub(super) clients: u32,
    pub(super) seconds: u32,
}

impl Pgbench {
    /// Runs it; returns transactions per second.
    pub(super) async fn run(&self) -> anyhow::Result<f64> {
        let mut script = tempfile::NamedTempFile::new()?;
        script.write_all(self.script.as_bytes())?;
        let protocol = match self.protocol {
            Protocol::Simple => "simple",
            Protocol::Prepared => "prepared",
        };
        let output = Command::new(&self.program)
            .arg("--no-vacuum")
            .args(["--protocol", protocol])
            .args(["--client", &self.clients.to_string()])
            .args(["--time", &self.seconds.to_string()])
            .arg("--file")
            .arg(script.path())
            .arg(&self.database_url)
            .kill_on_drop(true)
            .output()
            .await
            .with_context(|| {
                format!(
                    "cannot run {}; install PostgreSQL's pgbench",
                    self.program.display()
                )
            })?;
        let text = String::from_utf8_lossy(&output.stdout);
        let rate = text
            .lines()
            .find_map(|line| line.strip_prefix("tps = ")?.split(' ').next()?.parse().ok());
        match rate {
            Some(rate) if output.status.success() => Ok(rate),
            _ => anyhow::bail!(
                "pgbench failed: {}",
                String::from_utf8_lossy(&output.stderr)
            ),
        }
    }
}
