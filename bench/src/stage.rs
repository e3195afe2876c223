//! A PostgreSQL and a Rowcast server on it: processes of their own, as a user has them.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use anyhow::Context;
use private_postgres::PrivatePostgres;
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};
use tokio_postgres::NoTls;
use tokio_util::sync::CancellationToken;

use crate::machine::Meter;

/// How long the server may take to start.
const START_MAX: Duration = Duration::from_secs(60);

/// What precedes the address in the line that says that the server is ready.
const READY: &str = "ready at http://";

/// Rows of the table that only the raw measurement changes.
pub(crate) const RAW_ROWS: i64 = 1_000;

/// A PostgreSQL. Dropping it stops it.
pub(crate) struct Postgres {
    /// Its address.
    pub(crate) database_url: String,
    /// For what the measurement itself asks.
    pub(crate) client: tokio_postgres::Client,
    pub(crate) version: String,
    postgres: PrivatePostgres,
    /// Gone with it, unless it is the user's.
    _folder: Option<TempDir>,
}

impl Postgres {
    /// Starts one whose commits wait for the disk or not: in a folder that is kept, with what it holds already,
    /// or in a new one.
    pub(crate) async fn start(durable: bool, folder: Option<&Path>) -> anyhow::Result<Self> {
        let (path, own) = match folder {
            Some(folder) => (folder.to_owned(), None),
            None => {
                let own = tempfile::Builder::new()
                    .prefix("rowcast-bench-")
                    .tempdir()?;
                (own.path().to_owned(), Some(own))
            }
        };
        let options = if durable {
            private_postgres::Options::durable(path)
        } else {
            // Only the disk is left out: without synchronous_commit another process would write the log.
            private_postgres::Options::throwaway(path).setting("synchronous_commit", "on")
        };
        let postgres = PrivatePostgres::start(options).await?;
        let database_url = postgres.url();
        let client = connect(&database_url).await?;
        let version = client.query_one("SHOW server_version", &[]).await?;
        Ok(Self {
            version: version.try_get(0)?,
            database_url,
            client,
            postgres,
            _folder: own,
        })
    }

    /// Its main process.
    pub(crate) fn pid(&self) -> Option<u32> {
        self.postgres.pid().and_then(|pid| u32::try_from(pid).ok())
    }

    /// The folder with its programs.
    pub(crate) fn programs(&self) -> &Path {
        self.postgres.programs()
    }
}

/// Another connection.
pub(crate) async fn connect(database_url: &str) -> anyhow::Result<tokio_postgres::Client> {
    let (client, connection) = tokio_postgres::connect(database_url, NoTls).await?;
    // Its error reaches the client's next call as well.
    tokio::spawn(async { drop(connection.await) });
    Ok(client)
}

/// A Rowcast server. Dropping it ends it.
pub(crate) struct Server {
    process: Child,
    /// Where it takes sockets.
    pub(crate) socket_url: String,
}

impl Server {
    /// Starts the program on a free port.
    pub(crate) async fn start(program: &Path, database_url: &str) -> anyhow::Result<Self> {
        let (process, address) = start_server(program, database_url).await?;
        let socket_url = format!("ws://{address}/ws");
        Ok(Self {
            process,
            socket_url,
        })
    }

    /// Its process.
    pub(crate) fn pid(&self) -> Option<u32> {
        self.process.id()
    }

    /// Fails if it has ended.
    pub(crate) fn check(&mut self) -> anyhow::Result<()> {
        match self.process.try_wait()? {
            None => Ok(()),
            Some(status) => anyhow::bail!("the server ended: {status}"),
        }
    }

    /// Ends it.
    pub(crate) async fn stop(mut self) -> anyhow::Result<()> {
        Ok(self.process.kill().await?)
    }
}

/// The server's program, unless it is named: beside this one.
pub(crate) fn server_program(named: Option<&PathBuf>) -> anyhow::Result<PathBuf> {
    Ok(match named {
        Some(named) => named.clone(),
        None => std::env::current_exe()?.with_file_name("rowcast"),
    })
}

/// PostgreSQL with a catalogue in it, and the server. Dropping it stops both.
pub(crate) struct Stage {
    // Fields are dropped in this order.
    pub(crate) server: Server,
    pub(crate) postgres: Postgres,
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
        let postgres = Postgres::start(setting.durable, None).await?;
        fill(&postgres.database_url, setting.products).await?;
        let raw = format!(
            "CREATE TABLE public.bench_raw (id bigint PRIMARY KEY, number bigint NOT NULL); \
             INSERT INTO public.bench_raw SELECT id, 0 FROM generate_series(0, {RAW_ROWS} - 1) AS id"
        );
        for statement in [raw.as_str(), "VACUUM ANALYZE", "CHECKPOINT"] {
            postgres.client.batch_execute(statement).await?;
        }
        let server = Server::start(&setting.server, &postgres.database_url).await?;
        Ok(Self { server, postgres })
    }

    /// Reads the meters of all that takes part.
    pub(crate) fn meter(&self) -> Meter {
        Meter::read(self.server.pid(), self.postgres.pid())
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
async fn start_server(program: &Path, database_url: &str) -> anyhow::Result<(Child, String)> {
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
