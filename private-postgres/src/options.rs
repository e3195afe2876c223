//! What the caller chooses.

use std::path::PathBuf;

/// How a private PostgreSQL is to run.
#[derive(Clone, Debug)]
pub struct Options {
    /// The folder that holds everything: data, password, log, socket. Created if missing. Its
    /// content outlives the process.
    pub data_dir: PathBuf,
    /// The TCP port on 127.0.0.1. `None` takes the port of the last run, or a free one if that is
    /// occupied; a port asked for here and occupied is an error.
    pub port: Option<u16>,
    /// Whether a commit survives a power cut. `false` is for tests: it turns `fsync`,
    /// `synchronous_commit` and `full_page_writes` off, and lets Ctrl-C in a terminal end the
    /// server together with the test run. A test that kills the server and counts on its last
    /// commits sets `synchronous_commit` to `on`.
    pub durable: bool,
    /// The locale that `initdb` is given (the encoding is always UTF-8). ICU collations can be
    /// chosen per column whatever it is.
    pub locale: String,
    /// More PostgreSQL settings, as (name, value). They win over Rowcast's own.
    pub extra_settings: Vec<(String, String)>,
}

impl Options {
    /// Data that is kept and survives a power cut.
    pub fn durable(data_dir: impl Into<PathBuf>) -> Self {
        Self {
            data_dir: data_dir.into(),
            port: None,
            durable: true,
            locale: "C".to_owned(),
            extra_settings: Vec::new(),
        }
    }

    /// A fast server for a test.
    pub fn throwaway(data_dir: impl Into<PathBuf>) -> Self {
        Self {
            durable: false,
            ..Self::durable(data_dir)
        }
    }

    /// Adds a PostgreSQL setting.
    #[must_use]
    pub fn setting(mut self, name: &str, value: &str) -> Self {
        self.extra_settings
            .push((name.to_owned(), value.to_owned()));
        self
    }
}

/// How the server is asked to stop.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StopMode {
    /// Ends all sessions, writes everything out, and exits: the next start needs no recovery.
    Fast,
    /// Exits at once; the next start recovers from the write-ahead log and empties unlogged tables.
    Immediate,
}

/// What [`kill`](crate::PrivatePostgres::kill) ends with SIGKILL.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KillTarget {
    /// One session's process. PostgreSQL then ends all others, recovers and goes on by itself;
    /// unlogged tables are empty afterwards.
    Backend,
    /// The main process. Nothing restarts it but [`restart`](crate::PrivatePostgres::restart).
    Postmaster,
}
