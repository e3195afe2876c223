//! One run of pgbench.

use std::io::Write;
use std::path::{Path, PathBuf};

use anyhow::Context;
use tokio::process::Command;

use super::workload::{Script, TPCB_SCALE};

/// How statements are sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Protocol {
    /// As text, planned every time.
    Simple,
    /// Prepared once per connection.
    Prepared,
}

/// The program: beside PostgreSQL's other ones, or wherever PATH says.
pub(super) fn program(programs: &Path) -> PathBuf {
    let installed = programs.join("pgbench");
    if installed.exists() {
        installed
    } else {
        PathBuf::from("pgbench")
    }
}

/// Makes and fills pgbench's own tables.
pub(super) async fn initialize(programs: &Path, database_url: &str) -> anyhow::Result<()> {
    let mut command = Command::new(program(programs));
    command
        .args(["--initialize", "--quiet"])
        .args(["--scale", &TPCB_SCALE.to_string()])
        .arg(database_url);
    output_of(command).await?;
    Ok(())
}

/// What a run of it prints.
async fn output_of(mut command: Command) -> anyhow::Result<String> {
    let output = command
        .kill_on_drop(true)
        .output()
        .await
        .context("cannot run pgbench; install it: it comes with PostgreSQL")?;
    anyhow::ensure!(
        output.status.success(),
        "pgbench failed: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// What to run.
#[derive(Clone, Debug)]
pub(super) struct Pgbench {
    pub(super) program: PathBuf,
    pub(super) database_url: String,
    pub(super) script: Script,
    pub(super) protocol: Protocol,
    pub(super) clients: u32,
    pub(super) seconds: u32,
}

impl Pgbench {
    /// Runs it; returns transactions per second.
    pub(super) async fn run(&self) -> anyhow::Result<f64> {
        let protocol = match self.protocol {
            Protocol::Simple => "simple",
            Protocol::Prepared => "prepared",
        };
        let mut command = Command::new(&self.program);
        command
            .arg("--no-vacuum")
            .args(["--protocol", protocol])
            .args(["--client", &self.clients.to_string()])
            .args(["--time", &self.seconds.to_string()]);
        let mut file = tempfile::NamedTempFile::new()?;
        match self.script {
            Script::Builtin(name) => command.args(["--builtin", name]),
            Script::Text(text) => {
                file.write_all(text.as_bytes())?;
                command.arg("--file").arg(file.path())
            }
        };
        command.arg(&self.database_url);
        let text = output_of(command).await?;
        text.lines()
            .find_map(|line| line.strip_prefix("tps = ")?.split(' ').next()?.parse().ok())
            .with_context(|| format!("pgbench says no rate: {text}"))
    }
}
