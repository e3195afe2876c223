//! `postmaster.pid`, and whether the process it names is the server it claims to be.

use std::ffi::{OsStr, OsString};
use std::fs;
use std::os::unix::ffi::OsStringExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::StartError;

/// What a running server says of itself in its data directory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct PidFile {
    pub(crate) pid: i32,
    /// Not there yet while the server starts.
    pub(crate) port: Option<u16>,
    /// It takes connections.
    pub(crate) ready: bool,
}

impl PidFile {
    /// Reads the file; `None` if there is none, or one without a process id.
    pub(crate) fn read(cluster: &Path) -> Option<Self> {
        Self::parse(&fs::read_to_string(path(cluster)).ok()?)
    }

    fn parse(text: &str) -> Option<Self> {
        let lines: Vec<&str> = text.lines().map(str::trim).collect();
        Some(Self {
            // Negative in single-user mode.
            pid: lines.first()?.parse().ok().filter(|&pid: &i32| pid > 0)?,
            port: lines.get(3).and_then(|line| line.parse().ok()),
            ready: lines.get(7) == Some(&"ready"),
        })
    }

    /// The running server of this data directory.
    ///
    /// A file left behind by a server that is gone is removed where PostgreSQL itself would take it
    /// for a living one and refuse to start: its process id was given to another program since, or
    /// nobody has waited for the ended process. Whether sessions of it are still at work, PostgreSQL
    /// finds out without the file.
    pub(crate) fn of_running_server(cluster: &Path) -> Result<Option<Self>, StartError> {
        let Some(file) = Self::read(cluster) else {
            return Ok(None);
        };
        if is_server(file.pid, cluster) {
            return Ok(Some(file));
        }
        if exists(file.pid) {
            tracing::info!(
                pid = file.pid,
                "removing the postmaster.pid of a server that is gone"
            );
            let path = path(cluster);
            fs::remove_file(&path).map_err(StartError::io("remove", path))?;
        }
        Ok(None)
    }
}

fn path(cluster: &Path) -> PathBuf {
    cluster.join("postmaster.pid")
}

/// Whether the process exists and has not ended (one that has ended but was not yet waited for by
/// its parent has).
pub(crate) fn is_alive(pid: i32) -> bool {
    if let Ok(stat) = fs::read_to_string(format!("/proc/{pid}/stat")) {
        let state = stat
            .rsplit_once(") ")
            .map(|(_, rest)| rest.as_bytes().first().copied());
        return !matches!(state, Some(Some(b'Z' | b'X')));
    }
    exists(pid)
}

/// Whether the kernel knows the process, ended or not.
fn exists(pid: i32) -> bool {
    let Some(pid) = rustix::process::Pid::from_raw(pid) else {
        return false;
    };
    match rustix::process::test_kill_process(pid) {
        Ok(()) => true,
        Err(error) => error == rustix::io::Errno::PERM,
    }
}

/// Whether the process is a PostgreSQL server on this data directory.
fn is_server(pid: i32, cluster: &Path) -> bool {
    if !is_alive(pid) {
        return false;
    }
    let arguments = arguments(pid);
    let program = arguments.first().map(Path::new).and_then(Path::file_name);
    if !program.is_some_and(|name| name == "postgres" || name == "postmaster") {
        return false;
    }
    // The server works in its data directory; the link can only be read by its user and by a root
    // that is not confined, so its arguments count too.
    let works_there =
        fs::read_link(format!("/proc/{pid}/cwd")).is_ok_and(|folder| folder == cluster);
    works_there
        || arguments
            .iter()
            .any(|argument| argument == cluster.as_os_str())
}

fn arguments(pid: i32) -> Vec<OsString> {
    if let Ok(bytes) = fs::read(format!("/proc/{pid}/cmdline")) {
        let parts = bytes
            .split(|&byte| byte == 0)
            .filter(|part| !part.is_empty());
        return parts
            .map(|part| OsString::from_vec(part.to_vec()))
            .collect();
    }
    let output = Command::new("ps")
        .args(["-ww", "-o", "args=", "-p", &pid.to_string()])
        .output();
    let text = output.map(|output| output.stdout).unwrap_or_default();
    let parts = text
        .split(|&byte| byte.is_ascii_whitespace())
        .filter(|part| !part.is_empty());
    parts
        .map(|part| OsStr::new(&*String::from_utf8_lossy(part)).to_owned())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::{PidFile, is_alive};

    #[test]
    fn parses_every_stage_of_the_file() {
        let full = "4711\n/data\n1700000000\n25001\n/data/socket\n127.0.0.1\n  42  0\nready   \n";
        let parsed = PidFile {
            pid: 4711,
            port: Some(25_001),
            ready: true,
        };
        assert_eq!(PidFile::parse(full), Some(parsed));
        let starting = full.replace("ready   ", "starting");
        assert_eq!(
            PidFile::parse(&starting),
            Some(PidFile {
                ready: false,
                ..parsed
            })
        );
        let early = PidFile {
            pid: 4711,
            port: None,
            ready: false,
        };
        assert_eq!(PidFile::parse("4711\n/data\n"), Some(early));
        assert_eq!(PidFile::parse(""), None);
        assert_eq!(PidFile::parse("-1\n"), None);
    }

    #[test]
    fn knows_who_lives() {
        assert!(is_alive(i32::try_from(std::process::id()).unwrap()));
        assert!(!is_alive(i32::MAX));
    }
}
