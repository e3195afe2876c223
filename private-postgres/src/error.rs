//! Why a private PostgreSQL did not start or stop, in words its owner can act on.

use std::path::PathBuf;

/// Why a private PostgreSQL did not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// No PostgreSQL on this machine, and none could be downloaded.
    #[error(
        "PostgreSQL {wanted} was not found on this machine, and it could not be downloaded \
         ({download}). Install PostgreSQL (Debian, Ubuntu: apt install postgresql; macOS: brew \
         install postgresql), or set DATABASE_URL to a database of yours"
    )]
    NoInstallation {
        /// Which versions would do, e.g. `14 or newer`.
        wanted: String,
        /// Why the download failed.
        download: String,
    },
    /// The data was written by a major version of PostgreSQL that is not here.
    #[error(
        "the data in {folder} was written by PostgreSQL {data}, but this machine has {found}, and \
         PostgreSQL {data} could not be downloaded ({download}). Install PostgreSQL {data}, or move \
         the folder away to start with empty data"
    )]
    OtherVersion {
        /// The data folder.
        folder: PathBuf,
        /// The major version that wrote it.
        data: u32,
        /// The versions found.
        found: String,
        /// Why the download failed.
        download: String,
    },
    /// Another process holds the data folder.
    #[error(
        "the data folder {folder} is in use by another running server (process {pid}). Stop that \
         one first, or choose another folder"
    )]
    InUse {
        /// The data folder.
        folder: PathBuf,
        /// The other process, as it wrote itself down.
        pid: String,
    },
    /// Started as root without an account to drop to.
    #[error(
        "PostgreSQL refuses to run as root, and this machine has neither a user `postgres` nor \
         `nobody`. Start as an ordinary user"
    )]
    NoAccount,
    /// Started as root; the account PostgreSQL runs as cannot reach the data.
    #[error(
        "PostgreSQL refuses to run as root and so runs as the user `{user}`, who may not enter \
         {folder}. Run `chmod o+x {folder}`, choose a data folder elsewhere (such as \
         /var/lib/rowcast), or start as an ordinary user"
    )]
    NotTraversable {
        /// The account.
        user: String,
        /// The outermost folder it cannot enter.
        folder: PathBuf,
    },
    /// The data belongs to somebody else.
    #[error(
        "the data in {folder} belongs to the user with id {owner}, and this process runs as {user}. \
         Start as the same user as before, or choose another folder"
    )]
    WrongOwner {
        /// The data folder.
        folder: PathBuf,
        /// Who owns it.
        owner: u32,
        /// Who we are.
        user: u32,
    },
    /// The port asked for is occupied.
    #[error("port {0} on 127.0.0.1 is in use by another program. Stop it, or choose another port")]
    PortInUse(u16),
    /// No free port was found.
    #[error("no free TCP port was found on 127.0.0.1 for PostgreSQL")]
    NoFreePort,
    /// `initdb` failed.
    #[error("initdb could not create the database in {folder}: {reason}")]
    Initdb {
        /// The data folder.
        folder: PathBuf,
        /// The last lines it printed.
        reason: String,
    },
    /// `postgres` ended before it was ready.
    #[error("PostgreSQL did not start: {reason} (its log: {log})")]
    Exited {
        /// What its log says.
        reason: String,
        /// The log.
        log: PathBuf,
    },
    /// `postgres` runs but does not become ready.
    #[error("PostgreSQL was not ready after {seconds} s (its log: {log})")]
    NotReady {
        /// How long was waited.
        seconds: u64,
        /// The log.
        log: PathBuf,
    },
    /// The server runs, but does not let us in.
    #[error("PostgreSQL is running but refused the connection: {reason}")]
    Connect {
        /// PostgreSQL's message.
        reason: String,
    },
    /// The generated password is gone.
    #[error(
        "the file {file} is missing: it holds the password of the data beside it. Restore it, or \
         move the folder away to start with empty data"
    )]
    PasswordMissing {
        /// Where it should be.
        file: PathBuf,
    },
    /// A file or a program could not be used.
    #[error("cannot {action} {path}: {source}{}", crate::error::hint(.source))]
    Io {
        /// What was tried, e.g. `create the folder`.
        action: &'static str,
        /// With what.
        path: PathBuf,
        /// Why it failed.
        source: std::io::Error,
    },
}

impl StartError {
    /// For `map_err`: names what was tried, and with what.
    pub(crate) fn io(
        action: &'static str,
        path: impl Into<PathBuf>,
    ) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.into();
        move |source| Self::Io {
            action,
            path,
            source,
        }
    }
}

/// What to do about the commonest IO errors.
fn hint(error: &std::io::Error) -> &'static str {
    use std::io::ErrorKind as Kind;
    match error.kind() {
        Kind::StorageFull | Kind::QuotaExceeded => ". The disk is full: free some space",
        Kind::PermissionDenied => ". Start as the user who owns it, or choose another folder",
        Kind::ReadOnlyFilesystem => ". The file system is read-only: choose another folder",
        _ => "",
    }
}

/// Why a private PostgreSQL did not stop.
#[derive(Debug, thiserror::Error)]
pub enum StopError {
    /// It still runs.
    #[error("PostgreSQL (process {pid}) did not stop within {seconds} s")]
    StillRunning {
        /// Its main process.
        pid: i32,
        /// How long was waited.
        seconds: u64,
    },
    /// It could not be signalled or waited for.
    #[error("cannot signal PostgreSQL (process {pid}): {source}")]
    Signal {
        /// Its main process.
        pid: i32,
        /// Why.
        source: std::io::Error,
    },
    /// The session to be killed could not be opened.
    #[error("no session could be opened to be killed: {0}")]
    Session(#[source] Box<StartError>),
    /// There is no running server.
    #[error("PostgreSQL is not running")]
    NotRunning,
}
