//! A PostgreSQL with a catalogue in it, and a Rowcast server on it: processes of their own, as a user
//! has them.

use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;

use anyhow::Context;
use private_postgres::PrivatePostgres;
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};
use tokio_postgres::NoTls;
use tokio_util::sync::CancellationToken;

/// How long the server may take to start.
const START_MAX: Duration = Duration::from_secs(60);

/// What precedes the address in the line that says that the server is ready.
const READY: &str = "ready at http://";

/// Rows of the table that only the raw measurement changes.
pub(crate) const RAW_ROWS: i64 = 1_000;

/// PostgreSQL and the server. Dropping it stops both.
pub(crate) struct Stage {
    server: Child,
    /// Where the server takes sockets.
    pub(crate) socket_url: String,
    /// PostgreSQL's address.
    pub(crate) database_url: String,
    /// For what the measurement itself asks.
    pub(crate) client: tokio_postgres::Client,
    /// PostgreSQL's version.
    pub(crate) postgres_version: String,
    postgres: PrivatePostgres,
    _folder: TempDir,
}

/// How the stage is to be set.
#[derive(Debug)]
pub(crate) struct Setting {
    /// Rows in `public.products`.
    pub(crate) products: u64,
    /// Whether commits wait for the disk.
    pub(crate) durable: bool,
    /// The server's program.
    pub(crate) server: PathBuf,
}

impl Stage {
    /// Starts PostgreSQL, fills it and starts the server.
    pub(crate) async fn set(setting: &Setting) -> anyhow::Result<Self> {
        let folder = tempfile::Builder::new()
            .prefix("rowcast-bench-")
            .tempdir()?;
        let options = if setting.durable {
            private_postgres::Options::durable(folder.path())
        } else {
            // Only the disk is left out: without synchronous_commit another process would write the log.
            private_postgres::Options::throwaway(folder.path()).setting("synchronous_commit", "on")
        };
        let postgres = PrivatePostgres::start(options).await?;
        let database_url = postgres.url();
        fill(&database_url, setting.products).await?;
        let (client, connection) = tokio_postgres::connect(&database_url, NoTls).await?;
        // Its error reaches the client's next call as well.
        tokio::spawn(async { drop(connection.await) });
        let raw = format!(
            "CREATE TABLE bench_raw (id bigint PRIMARY KEY, number bigint NOT NULL); \
             INSERT INTO bench_raw SELECT id, 0 FROM generate_series(0, {RAW_ROWS} - 1) AS id"
        );
        client.batch_execute(&raw).await?;
        for statement in ["VACUUM ANALYZE", "CHECKPOINT"] {
            client.batch_execute(statement).await?;
        }
        let postgres_version = client
            .query_one("SHOW server_version", &[])
            .await?
            .try_get(0)?;
        let (server, address) = start_server(&setting.server, &database_url).await?;
        Ok(Self {
            server,
            socket_url: format!("ws://{address}/ws"),
            database_url,
            client,
            postgres_version,
            postgres,
            _folder: folder,
        })
    }

    /// The server's process.
    pub(crate) fn server_pid(&self) -> Option<u32> {
        self.server.id()
    }

    /// PostgreSQL's main process.
    pub(crate) fn postgres_pid(&self) -> Option<u32> {
        self.postgres.pid().and_then(|pid| u32::try_from(pid).ok())
    }

    /// The folder with PostgreSQL's programs.
    pub(crate) fn programs(&self) -> &std::path::Path {
        self.postgres.programs()
    }

    /// Fails if the server has ended.
    pub(crate) fn check(&mut self) -> anyhow::Result<()> {
        match self.server.try_wait()? {
            None => Ok(()),
            Some(status) => anyhow::bail!("the server ended: {status}"),
        }
    }
}

async fn fill(database_url: &str, products: u64) -> anyhow::Result<()> {
    let options = seed::Options {
        products,
        events: 0,
        seed: 1,
        until: seed::parse_date("2026-01-01").map_err(anyhow::Error::msg)?,
        report: seed::Report::Terminal,
    };
    seed::run(database_url, &options, &CancellationToken::new()).await?;
    Ok(())
}

/// Starts the server on a free port and waits until it says where.
async fn start_server(program: &PathBuf, database_url: &str) -> anyhow::Result<(Child, String)> {
    let mut command = Command::new(program);
    command.args([
        "--host",
        "127.0.0.1",
        "--port",
        "0",
        "--database-url",
        database_url,
    ]);
    for variable in [
        "REDIS_URL",
        "ROWCAST_DEMO",
        "ROWCAST_POOL_SIZE",
        "LOG_FORMAT",
    ] {
        command.env_remove(variable);
    }
    let rust_log = std::env::var("RUST_LOG").unwrap_or_else(|_| "warn".to_owned());
    command
        .env("RUST_LOG", rust_log)
        .stdout(Stdio::piped())
        .kill_on_drop(true);
    let mut server = command.spawn().with_context(|| {
        format!(
            "cannot start {}; build it: cargo build --release -p server -p bench",
            program.display()
        )
    })?;
    let mut lines = BufReader::new(server.stdout.take().context("no output")?).lines();
    let address = async {
        while let Some(line) = lines.next_line().await? {
            if let Some((_, address)) = line.split_once(READY) {
                return Ok(address.trim().to_owned());
            }
        }
        anyhow::bail!("the server ended without being ready")
    };
    let address = tokio::time::timeout(START_MAX, address).await;
    Ok((
        server,
        address.context("the server does not become ready")??,
    ))
}
