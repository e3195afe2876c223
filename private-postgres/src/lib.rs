//! A PostgreSQL of one's own in a folder: started with what is installed (or downloaded), as any
//! user including root, found again after a crash, stopped with its starter.
//!
//! [`PrivatePostgres::start`] is all that most callers need. It listens on 127.0.0.1 only, with a
//! generated password; `src/data_folder.rs` says what lies where. Runs on Unix.

mod account;
mod data_folder;
mod error;
mod initdb;
mod installation;
mod options;
mod pid_file;
mod postmaster;

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use rustix::process::Signal;
use tokio_postgres::NoTls;

use crate::account::Account;
use crate::data_folder::DataFolder;
pub use crate::error::{StartError, StopError};
use crate::installation::Installation;
pub use crate::installation::OLDEST_VERSION;
pub use crate::options::{KillTarget, Options, StopMode};
use crate::pid_file::PidFile;
use crate::postmaster::{Failure, Postmaster, signal_process};

/// The user and the database.
const NAME: &str = "rowcast";

/// How long processes of a killed server may take to notice and end.
const OLD_PROCESSES_DEADLINE: Duration = Duration::from_secs(30);

/// How often a running server is looked at by [`PrivatePostgres::ended`].
const ENDED_INTERVAL: Duration = Duration::from_millis(500);

/// How long a destructor waits for the server to stop.
const DROP_DEADLINE: Duration = Duration::from_secs(10);

/// A PostgreSQL server that stops with this value. Its data stays.
#[derive(Debug)]
pub struct PrivatePostgres {
    options: Options,
    folder: DataFolder,
    account: Account,
    installation: Installation,
    password: String,
    port: u16,
    /// `None` while stopped.
    postmaster: Option<Postmaster>,
    /// Keeps other processes out of the data folder.
    _lock: File,
}

impl PrivatePostgres {
    /// Starts a server in `options.data_dir`, which it fills first if it is empty. A server that
    /// still runs there because its starter was killed is taken over as it is.
    ///
    /// # Errors
    /// Whatever keeps it from running; every error says what to do.
    pub async fn start(options: Options) -> Result<Self, StartError> {
        let (folder, account) = DataFolder::open(&options.data_dir)?;
        let lock = folder.lock()?;
        let password = folder.password(&account)?;
        let installation = Installation::find(
            folder.data_version(),
            &folder.cluster(),
            &folder.downloads(),
        )
        .await?;
        let mut server = Self {
            options,
            folder,
            account,
            installation,
            password,
            port: 0,
            postmaster: None,
            _lock: lock,
        };
        if !server.adopt().await? {
            if server.folder.data_version().is_none() {
                initdb::run(
                    &server.folder,
                    &server.account,
                    &server.installation,
                    &server.options,
                )?;
            }
            server.launch(server.options.port).await?;
        }
        server.create_database().await?;
        server.folder.write_connection(server.port, &server.url())?;
        Ok(server)
    }

    /// How to connect, e.g. `postgres://rowcast:…@127.0.0.1:25001/rowcast`; it stays the same for
    /// the life of this value. The user is a superuser.
    pub fn url(&self) -> String {
        format!(
            "postgres://{NAME}:{}@127.0.0.1:{}/{NAME}",
            self.password, self.port
        )
    }

    /// The port on 127.0.0.1.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The major version of PostgreSQL.
    pub fn major_version(&self) -> u32 {
        self.installation.major
    }

    /// The folder with PostgreSQL's programs (`psql`, `pg_dump`, …).
    pub fn programs(&self) -> &Path {
        &self.installation.bin
    }

    /// PostgreSQL's log.
    pub fn log(&self) -> PathBuf {
        self.folder.log()
    }

    /// The process id of the server's main process, while it runs.
    pub fn pid(&self) -> Option<i32> {
        self.postmaster.as_ref().map(Postmaster::pid)
    }

    /// Stops the server; [`restart`](Self::restart) starts it again. Does nothing if it is stopped.
    ///
    /// # Errors
    /// If it does not stop within a minute, or cannot be signalled.
    pub async fn stop(&mut self, mode: StopMode) -> Result<(), StopError> {
        let Some(postmaster) = &mut self.postmaster else {
            return Ok(());
        };
        postmaster.request_stop(mode)?;
        postmaster.wait_until_stopped().await?;
        self.postmaster = None;
        Ok(())
    }

    /// Completes when the server has ended without being asked to; at once if it is stopped.
    pub async fn ended(&mut self) {
        let mut look = tokio::time::interval(ENDED_INTERVAL);
        // A process that is not our child cannot be waited for, only looked at.
        while self.postmaster.as_mut().is_some_and(Postmaster::is_running) {
            look.tick().await;
        }
        self.postmaster = None;
    }

    /// Starts the server again on the same port; stops it first if it runs.
    ///
    /// # Errors
    /// As for [`start`](Self::start); a server that cannot be stopped is reported as in use.
    pub async fn restart(&mut self) -> Result<(), StartError> {
        self.stop(StopMode::Fast)
            .await
            .map_err(|error| StartError::Exited {
                reason: error.to_string(),
                log: self.folder.log(),
            })?;
        self.launch(Some(self.port)).await
    }

    /// Ends a process of the server with SIGKILL, as a crash would.
    ///
    /// # Errors
    /// If the server does not run, or the process cannot be signalled.
    pub async fn kill(&mut self, target: KillTarget) -> Result<(), StopError> {
        match target {
            KillTarget::Backend => {
                let session = |error| StopError::Session(Box::new(error));
                let (client, connection) = self.connect(NAME).await.map_err(session)?;
                let row = client.query_one("SELECT pg_backend_pid()", &[]).await;
                let pid: i32 = row.map_err(|error| session(refused(&error)))?.get(0);
                signal_process(pid, Signal::KILL)?;
                // Ends when PostgreSQL has noticed.
                drop(client);
                connection.abort();
                Ok(())
            }
            KillTarget::Postmaster => {
                let postmaster = self.postmaster.as_mut().ok_or(StopError::NotRunning)?;
                postmaster.kill()?;
                postmaster.wait_until_stopped().await?;
                self.postmaster = None;
                Ok(())
            }
        }
    }

    /// Takes over a server that runs on this data already.
    async fn adopt(&mut self) -> Result<bool, StartError> {
        let cluster = self.folder.cluster();
        let Some(file) = PidFile::of_running_server(&cluster)? else {
            return Ok(false);
        };
        let mut postmaster = Postmaster::Adopted(file.pid);
        // It may be starting, or on its way out.
        if !postmaster
            .wait_until_ready(&cluster, &self.folder.log())
            .await?
        {
            return Ok(false);
        }
        let Some(port) = PidFile::read(&cluster).and_then(|file| file.port) else {
            return Ok(false);
        };
        tracing::info!(
            pid = file.pid,
            port,
            "taking over the PostgreSQL that an earlier run left"
        );
        self.port = port;
        self.postmaster = Some(postmaster);
        Ok(true)
    }

    /// Starts the main process; tries again where waiting or another port helps.
    async fn launch(&mut self, asked: Option<u16>) -> Result<(), StartError> {
        let deadline = Instant::now() + OLD_PROCESSES_DEADLINE;
        // Leaves nothing behind that PostgreSQL would take for another server.
        PidFile::of_running_server(&self.folder.cluster())?;
        let mut port = self.folder.choose_port(asked)?;
        let mut again = tokio::time::interval(Duration::from_millis(100));
        loop {
            again.tick().await;
            let log = self.folder.open_log()?;
            let command = self.server_command(port)?;
            let started =
                Postmaster::start(command, &self.folder.cluster(), &log, &self.folder.log()).await;
            match started {
                Ok(postmaster) => {
                    self.port = port;
                    self.postmaster = Some(postmaster);
                    return Ok(());
                }
                Err(Failure::PortTaken) if asked.is_none() && Instant::now() < deadline => {
                    port = self.folder.choose_port(None)?;
                }
                Err(Failure::PortTaken) => return Err(StartError::PortInUse(port)),
                Err(Failure::OldProcesses) if Instant::now() < deadline => {}
                Err(Failure::OldProcesses) => {
                    return Err(StartError::Exited {
                        reason: "processes of an earlier run do not end".to_owned(),
                        log: self.folder.log(),
                    });
                }
                Err(Failure::Final(error)) => return Err(error),
            }
        }
    }

    fn server_command(&self, port: u16) -> Result<Command, StartError> {
        use std::os::unix::process::CommandExt;
        let sockets = self.folder.socket_folder(&self.account)?;
        let sockets = sockets.map(|folder| folder.to_string_lossy().into_owned());
        let mut settings = vec![
            ("listen_addresses", "127.0.0.1".to_owned()),
            ("port", port.to_string()),
            ("unix_socket_directories", sockets.unwrap_or_default()),
            ("password_encryption", "scram-sha-256".to_owned()),
            ("cluster_name", NAME.to_owned()),
        ];
        if !self.options.durable {
            let off = ["fsync", "synchronous_commit", "full_page_writes"];
            settings.extend(off.map(|name| (name, "off".to_owned())));
        }
        let extra = self.options.extra_settings.iter();
        settings.extend(extra.map(|(name, value)| (name.as_str(), value.clone())));

        let mut command = self.account.command(self.installation.program("postgres"));
        command.arg("-D").arg(self.folder.cluster());
        for (name, value) in settings {
            command.arg("-c").arg(format!("{name}={value}"));
        }
        if self.options.durable {
            // Ctrl-C in a terminal goes to the whole process group; the server's owner still
            // needs the database to shut down in order.
            command.process_group(0);
        }
        Ok(command)
    }

    async fn create_database(&self) -> Result<(), StartError> {
        let (client, _connection) = self.connect("postgres").await?;
        let query = "SELECT 1 FROM pg_database WHERE datname = $1";
        let found = client
            .query_opt(query, &[&NAME])
            .await
            .map_err(|error| refused(&error))?;
        if found.is_none() {
            let create = format!("CREATE DATABASE {NAME}");
            client
                .batch_execute(&create)
                .await
                .map_err(|error| refused(&error))?;
        }
        Ok(())
    }

    async fn connect(
        &self,
        database: &str,
    ) -> Result<(tokio_postgres::Client, tokio::task::JoinHandle<()>), StartError> {
        let mut config = tokio_postgres::Config::new();
        config
            .host("127.0.0.1")
            .port(self.port)
            .user(NAME)
            .password(&self.password);
        config
            .dbname(database)
            .connect_timeout(Duration::from_secs(10));
        let (client, connection) = config
            .connect(NoTls)
            .await
            .map_err(|error| refused(&error))?;
        // Its error reaches the client's next call as well.
        Ok((client, tokio::spawn(async { drop(connection.await) })))
    }
}

impl Drop for PrivatePostgres {
    fn drop(&mut self) {
        let Some(postmaster) = &mut self.postmaster else {
            return;
        };
        let mode = if self.options.durable {
            StopMode::Fast
        } else {
            StopMode::Immediate
        };
        let stopped = postmaster.request_stop(mode);
        if stopped.is_err() || !postmaster.wait_blocking(DROP_DEADLINE) {
            tracing::warn!(pid = postmaster.pid(), "PostgreSQL did not stop in time");
        }
    }
}

fn refused(error: &tokio_postgres::Error) -> StartError {
    let reason = match error.as_db_error() {
        Some(answer) => answer.message().to_owned(),
        None => error.to_string(),
    };
    StartError::Connect { reason }
}
