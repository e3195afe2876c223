//! Servers: in the test's process, and the real program.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use client_egui::model::Headless;
use protocol::Encoding;
use server::{Database, RunningServer, ServerOptions};
use tempfile::NamedTempFile;

use crate::eventually::{SOON, eventually};
use crate::{TestDatabase, TestRedis};

/// A server in this process.
#[derive(Debug)]
pub struct TestServer {
    running: RunningServer,
}

impl TestServer {
    /// A server on a database, by itself.
    ///
    /// # Panics
    /// If it does not start.
    pub async fn start(database: &TestDatabase) -> Self {
        Self::with(Self::options(database)).await
    }

    /// One of several servers on a database.
    ///
    /// # Panics
    /// If it does not start.
    pub async fn start_with_redis(database: &TestDatabase, redis: &TestRedis) -> Self {
        Self::with(ServerOptions {
            redis_url: Some(redis.url()),
            ..Self::options(database)
        })
        .await
    }

    /// What [`Self::start`] starts with.
    pub fn options(database: &TestDatabase) -> ServerOptions {
        ServerOptions {
            web_dir: target_dir().join("web-dist"),
            ..ServerOptions::new(Database::Url(database.url().to_owned()))
        }
    }

    /// A server with these options, on a port of its own.
    ///
    /// # Panics
    /// If it does not start.
    pub async fn with(options: ServerOptions) -> Self {
        Self::at(options, 0).await
    }

    /// A server with these options on this port.
    ///
    /// # Panics
    /// If it does not start.
    pub async fn at(options: ServerOptions, port: u16) -> Self {
        let listener = server::start::listen(IpAddr::V4(Ipv4Addr::LOCALHOST), port).await;
        let listener = listener.expect("no port is free");
        let running = server::start(options, listener).await;
        Self {
            running: running.unwrap_or_else(|error| panic!("the server: {error}")),
        }
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.running.address()
    }

    /// The address of its socket.
    pub fn socket_url(&self) -> String {
        socket_url(self.address())
    }

    /// The address of its page.
    pub fn page_url(&self) -> String {
        format!("http://{}/", self.address())
    }

    /// A viewer without a screen.
    ///
    /// # Panics
    /// If it does not connect.
    pub async fn viewer(&self) -> Headless {
        viewer(&self.socket_url()).await
    }

    /// Stops it in order.
    pub async fn stop(self) {
        self.running.stop().await;
    }
}

/// The address of the socket of the server (or proxy) at `address`.
pub fn socket_url(address: SocketAddr) -> String {
    format!("ws://{address}/ws")
}

/// A viewer without a screen, connected.
///
/// # Panics
/// If it does not connect.
pub async fn viewer(url: &str) -> Headless {
    let viewer = Headless::connect_with(url, Encoding::Binary).await;
    viewer.unwrap_or_else(|error| panic!("no viewer at {url}: {error}"))
}

/// The target folder that this test was built into.
///
/// # Panics
/// If the test's program is not in one.
pub fn target_dir() -> PathBuf {
    let program = std::env::current_exe().expect("a program has a path");
    let folder = program
        .ancestors()
        .nth(3)
        .expect("target/profile/deps/program");
    folder.to_path_buf()
}

/// The `rowcast` program, as a process of its own; killed with the value.
#[derive(Debug)]
pub struct ServerProcess {
    process: Child,
    address: SocketAddr,
    log: NamedTempFile,
}

impl ServerProcess {
    /// Starts it on a database and a port, and waits until it is ready.
    ///
    /// # Panics
    /// If it is not built, or ends.
    pub async fn start(database: &TestDatabase, redis: Option<&TestRedis>, port: u16) -> Self {
        let this = std::env::current_exe().expect("a program has a path");
        let profile = this
            .ancestors()
            .nth(2)
            .expect("target/profile/deps/program");
        let program = profile.join("rowcast");
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        let log = NamedTempFile::new().expect("no temporary file can be made");
        let output = || log.as_file().try_clone().expect("the log can be written");
        let mut command = Command::new(&program);
        command
            .args(["--host", "127.0.0.1", "--port", &port.to_string()])
            .env("DATABASE_URL", database.url())
            .env("REDIS_URL", redis.map(TestRedis::url).unwrap_or_default())
            .env("ROWCAST_WEB_DIR", target_dir().join("web-dist"))
            .stdin(Stdio::null())
            .stdout(output())
            .stderr(output());
        let process = command.spawn().unwrap_or_else(|error| {
            panic!(
                "{}: {error}. Build it: cargo build --workspace",
                program.display()
            )
        });
        let mut server = Self {
            process,
            address,
            log,
        };
        eventually("the rowcast program is ready", SOON, async || {
            let ended = server.process.try_wait().ok().flatten();
            assert!(
                ended.is_none(),
                "the rowcast program ended; if it is older than this test, build it (cargo build --workspace): {}",
                server.log()
            );
            server.log().contains("Rowcast is ready")
        })
        .await;
        server
    }

    /// What it has said so far.
    pub fn log(&self) -> String {
        std::fs::read_to_string(self.log.path()).unwrap_or_default()
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The address of its socket.
    pub fn socket_url(&self) -> String {
        socket_url(self.address)
    }

    /// Its memory in use, in KiB.
    ///
    /// # Panics
    /// If it does not run.
    pub fn resident_kib(&self) -> u64 {
        let status = format!("/proc/{}/status", self.process.id());
        let status = std::fs::read_to_string(status).expect("the program runs");
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        line.and_then(|line| line.trim().split(' ').next()?.parse().ok())
            .expect("VmRSS")
    }

    /// Kills it with SIGKILL.
    pub fn kill(&mut self) {
        drop(self.process.kill());
        drop(self.process.wait());
    }
}

impl Drop for ServerProcess {
    fn drop(&mut self) {
        self.kill();
    }
}
