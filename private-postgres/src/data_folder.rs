//! What lies in the data folder, and who may use it.
//!
//! ```text
//! cluster/       PostgreSQL's data directory
//! socket/        its Unix socket, where the path is short enough for one
//! postgresql/    downloaded programs, if none were installed
//! postgres.log   PostgreSQL's log
//! password       of PostgreSQL's user `rowcast`, made up at the first start
//! port           the TCP port of the last run
//! database_url   how to connect: psql "$(cat database_url)"
//! lock           held, and the process id in it, while a process runs the server
//! ```

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{Read, Seek, SeekFrom, Write};
use std::net::{Ipv4Addr, TcpListener};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use rand::Rng;
use rand::distr::Alphanumeric;

use crate::StartError;
use crate::account::Account;

/// The longest path of a Unix socket, in bytes, that Linux and macOS both take.
const SOCKET_PATH_MAX: usize = 103;

/// The log is put aside at a start when it is larger, in bytes.
const LOG_BYTES_MAX: u64 = 8 << 20;

/// Ports to choose from: below the range that the kernel takes outgoing ports from, which could
/// occupy the port while the server restarts.
const PORTS: std::ops::Range<u16> = 20_000..32_000;

/// How many ports are tried.
const PORT_ATTEMPTS: usize = 64;

/// The data folder.
#[derive(Clone, Debug)]
pub(crate) struct DataFolder {
    root: PathBuf,
}

impl DataFolder {
    /// Creates the folder if needed, and finds out which account PostgreSQL is to run as in it.
    pub(crate) fn open(path: &Path) -> Result<(Self, Account), StartError> {
        fs::create_dir_all(path).map_err(StartError::io("create the folder", path))?;
        let root = path
            .canonicalize()
            .map_err(StartError::io("open the folder", path))?;
        let folder = Self { root };
        let account = Account::choose(&folder.cluster())?;
        let mut entries = folder
            .root
            .read_dir()
            .map_err(StartError::io("read the folder", &folder.root))?;
        if entries.next().is_none() {
            // A folder with something in it keeps its owner: it may serve other programs too.
            account.own(&folder.root)?;
        }
        account.check_traversal(&folder.root)?;
        Ok((folder, account))
    }

    pub(crate) fn cluster(&self) -> PathBuf {
        self.root.join("cluster")
    }

    pub(crate) fn log(&self) -> PathBuf {
        self.root.join("postgres.log")
    }

    pub(crate) fn downloads(&self) -> PathBuf {
        self.root.join("postgresql")
    }

    pub(crate) fn password_file(&self) -> PathBuf {
        self.root.join("password")
    }

    /// The major version of PostgreSQL that wrote the data, if there is any.
    pub(crate) fn data_version(&self) -> Option<u32> {
        fs::read_to_string(self.cluster().join("PG_VERSION"))
            .ok()?
            .trim()
            .parse()
            .ok()
    }

    /// Takes the folder for this process, until the file is dropped or the process ends, however
    /// it ends.
    pub(crate) fn lock(&self) -> Result<File, StartError> {
        let path = self.root.join("lock");
        let failed = || StartError::io("lock", &path);
        let mut options = OpenOptions::new();
        options
            .create(true)
            .truncate(false)
            .read(true)
            .write(true)
            .mode(0o600);
        let mut file = options.open(&path).map_err(failed())?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                let mut pid = String::new();
                file.read_to_string(&mut pid).map_err(failed())?;
                let pid = pid.trim().to_owned();
                return Err(StartError::InUse {
                    folder: self.root.clone(),
                    pid,
                });
            }
            Err(TryLockError::Error(error)) => return Err(failed()(error)),
        }
        file.set_len(0).map_err(failed())?;
        writeln!(file, "{}", std::process::id()).map_err(failed())?;
        Ok(file)
    }

    /// The password: a new one if there is no data yet.
    pub(crate) fn password(&self, account: &Account) -> Result<String, StartError> {
        let file = self.password_file();
        match fs::read_to_string(&file) {
            Ok(password) => return Ok(password.trim().to_owned()),
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                return Err(StartError::io("read", file)(error));
            }
            Err(_) if self.data_version().is_some() => {
                return Err(StartError::PasswordMissing { file });
            }
            Err(_) => {}
        }
        let letters = rand::rng().sample_iter(Alphanumeric).take(32);
        let password: String = letters.map(char::from).collect();
        write_private(&file, &password)?;
        // `initdb` reads it.
        account.own(&file)?;
        Ok(password)
    }

    /// Writes down how to connect.
    pub(crate) fn write_connection(&self, port: u16, url: &str) -> Result<(), StartError> {
        write_private(&self.root.join("port"), &port.to_string())?;
        write_private(&self.root.join("database_url"), url)
    }

    /// The port to listen on: the one asked for, else the last one, else any that is free.
    pub(crate) fn choose_port(&self, asked: Option<u16>) -> Result<u16, StartError> {
        if let Some(port) = asked {
            return if is_free(port) {
                Ok(port)
            } else {
                Err(StartError::PortInUse(port))
            };
        }
        let last = fs::read_to_string(self.root.join("port")).ok();
        if let Some(last) = last.and_then(|text| text.trim().parse().ok()) {
            if is_free(last) {
                return Ok(last);
            }
            tracing::info!(
                port = last,
                "PostgreSQL's last port is occupied; choosing another"
            );
        }
        let mut random = rand::rng();
        let mut candidates = (0..PORT_ATTEMPTS).map(|_| random.random_range(PORTS));
        candidates
            .find(|&port| is_free(port))
            .ok_or(StartError::NoFreePort)
    }

    /// An empty folder for the Unix socket; `None` where its path would be too long. What a killed
    /// server left in it would keep a new one from starting.
    pub(crate) fn socket_folder(&self, account: &Account) -> Result<Option<PathBuf>, StartError> {
        let folder = self.root.join("socket");
        let longest = folder.join(".s.PGSQL.65535");
        if longest.as_os_str().as_bytes().len() > SOCKET_PATH_MAX {
            return Ok(None);
        }
        if folder.exists() {
            fs::remove_dir_all(&folder).map_err(StartError::io("remove", &folder))?;
        }
        make_private_folder(&folder, account)?;
        Ok(Some(folder))
    }

    /// Opens the log for appending; an overlong one is put aside.
    pub(crate) fn open_log(&self) -> Result<Log, StartError> {
        let path = self.log();
        if path.metadata().is_ok_and(|meta| meta.len() > LOG_BYTES_MAX) {
            let aside = path.with_extension("log.1");
            fs::rename(&path, aside).map_err(StartError::io("rename", &path))?;
        }
        let mut options = OpenOptions::new();
        options.create(true).append(true).mode(0o600);
        let file = options
            .open(&path)
            .map_err(StartError::io("write", &path))?;
        let start = file
            .metadata()
            .map_err(StartError::io("read", &path))?
            .len();
        Ok(Log { path, file, start })
    }
}

/// PostgreSQL's log, from one start of it on.
#[derive(Debug)]
pub(crate) struct Log {
    path: PathBuf,
    file: File,
    start: u64,
}

impl Log {
    /// For a process to write to.
    pub(crate) fn writer(&self) -> Result<File, StartError> {
        self.file
            .try_clone()
            .map_err(StartError::io("write", &self.path))
    }

    /// What was written since the start.
    pub(crate) fn text(&self) -> String {
        let mut bytes = Vec::new();
        let read = File::open(&self.path).and_then(|mut file| {
            file.seek(SeekFrom::Start(self.start))?;
            file.take(64 << 10).read_to_end(&mut bytes)
        });
        match read {
            Ok(_) => String::from_utf8_lossy(&bytes).into_owned(),
            Err(error) => format!("its log cannot be read: {error}"),
        }
    }
}

/// A folder that only the account may enter.
pub(crate) fn make_private_folder(path: &Path, account: &Account) -> Result<(), StartError> {
    fs::create_dir_all(path).map_err(StartError::io("create the folder", path))?;
    fs::set_permissions(path, fs::Permissions::from_mode(0o700))
        .map_err(StartError::io("set the permissions of", path))?;
    account.own(path)
}

/// Writes a file that only its owner may read; whole, or not at all.
fn write_private(path: &Path, text: &str) -> Result<(), StartError> {
    let new = path.with_extension("new");
    let mut options = OpenOptions::new();
    options.create(true).write(true).truncate(true).mode(0o600);
    let write = || {
        let mut file = options.open(&new)?;
        writeln!(file, "{text}")?;
        file.sync_all()?;
        fs::rename(&new, path)
    };
    write().map_err(StartError::io("write", path))
}

fn is_free(port: u16) -> bool {
    TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok()
}
