//! PostgreSQL's main process: started by us, or found running.

use std::path::Path;
use std::process::{Child, Command};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

use crate::data_folder::Log;
use crate::pid_file::{PidFile, is_alive};
use crate::{StartError, StopError, StopMode};

/// How long a start may take. Recovery after a crash of a large database is the slow case.
const START_DEADLINE: Duration = Duration::from_secs(300);

/// How long a stop may take: a fast one writes out all that is in memory.
const STOP_DEADLINE: Duration = Duration::from_secs(60);

/// How often a process that cannot be waited for is looked at.
const LOOK_INTERVAL: Duration = Duration::from_millis(10);

/// PostgreSQL's main process.
#[derive(Debug)]
pub(crate) enum Postmaster {
    /// Our child.
    Started(Child),
    /// Started by a process that is gone.
    Adopted(i32),
}

/// Why a start failed, for the caller to decide what is worth another try.
#[derive(Debug)]
pub(crate) enum Failure {
    /// The port was taken at the last moment.
    PortTaken,
    /// Processes of a killed server have not ended yet.
    OldProcesses,
    /// Anything else.
    Final(StartError),
}

impl Postmaster {
    /// Starts it and waits until it takes connections.
    pub(crate) async fn start(
        mut command: Command,
        cluster: &Path,
        log: &Log,
        log_path: &Path,
    ) -> Result<Self, Failure> {
        let failed = StartError::io("run", command.get_program().to_owned());
        let final_io = |error| Failure::Final(failed(error));
        let child = match (log.writer(), log.writer()) {
            (Ok(out), Ok(err)) => command.stdout(out).stderr(err).spawn().map_err(final_io)?,
            (Err(error), _) | (_, Err(error)) => return Err(Failure::Final(error)),
        };
        let mut postmaster = Self::Started(child);
        let exited = |text: &str| StartError::Exited {
            reason: reason(text),
            log: log_path.into(),
        };
        match postmaster
            .wait_until_ready(cluster, log_path)
            .await
            .map_err(Failure::Final)?
        {
            true => Ok(postmaster),
            false => Err(match log.text() {
                text if text.contains("could not bind") => Failure::PortTaken,
                text if text.contains("still in use") => Failure::OldProcesses,
                text => Failure::Final(exited(&text)),
            }),
        }
    }

    /// Waits until it takes connections: true, or false if it ended.
    pub(crate) async fn wait_until_ready(
        &mut self,
        cluster: &Path,
        log_path: &Path,
    ) -> Result<bool, StartError> {
        let deadline = Instant::now() + START_DEADLINE;
        let mut look = tokio::time::interval(LOOK_INTERVAL);
        let mut tell = Instant::now() + Duration::from_secs(10);
        loop {
            look.tick().await;
            if !self.is_running() {
                return Ok(false);
            }
            if PidFile::read(cluster).is_some_and(|file| file.pid == self.pid() && file.ready) {
                return Ok(true);
            }
            let now = Instant::now();
            if now > deadline {
                let seconds = START_DEADLINE.as_secs();
                return Err(StartError::NotReady {
                    seconds,
                    log: log_path.into(),
                });
            }
            if now > tell {
                tracing::info!("PostgreSQL is not ready yet; after a crash it recovers first");
                tell = now + Duration::from_secs(10);
            }
        }
    }

    pub(crate) fn pid(&self) -> i32 {
        match self {
            Self::Started(child) => child.id().cast_signed(),
            Self::Adopted(pid) => *pid,
        }
    }

    /// Whether it has not ended yet.
    pub(crate) fn is_running(&mut self) -> bool {
        match self {
            // Waiting for a child also lets the kernel forget it.
            Self::Started(child) => matches!(child.try_wait(), Ok(None)),
            Self::Adopted(pid) => is_alive(*pid),
        }
    }

    /// Asks it to stop.
    pub(crate) fn request_stop(&self, mode: StopMode) -> Result<(), StopError> {
        self.signal(match mode {
            StopMode::Fast => Signal::INT,
            StopMode::Immediate => Signal::QUIT,
        })
    }

    /// Ends it without any chance to tidy up.
    pub(crate) fn kill(&self) -> Result<(), StopError> {
        self.signal(Signal::KILL)
    }

    fn signal(&self, signal: Signal) -> Result<(), StopError> {
        signal_process(self.pid(), signal)
    }

    /// Waits until it has ended.
    pub(crate) async fn wait_until_stopped(&mut self) -> Result<(), StopError> {
        let deadline = Instant::now() + STOP_DEADLINE;
        let mut look = tokio::time::interval(LOOK_INTERVAL);
        while self.is_running() {
            if Instant::now() > deadline {
                let seconds = STOP_DEADLINE.as_secs();
                return Err(StopError::StillRunning {
                    pid: self.pid(),
                    seconds,
                });
            }
            look.tick().await;
        }
        Ok(())
    }

    /// The same for a destructor, which cannot await.
    pub(crate) fn wait_blocking(&mut self, at_most: Duration) -> bool {
        let deadline = Instant::now() + at_most;
        while self.is_running() {
            if Instant::now() > deadline {
                return false;
            }
            #[allow(
                clippy::disallowed_methods,
                reason = "a process that is not our child cannot be waited for, only looked at"
            )]
            std::thread::sleep(LOOK_INTERVAL);
        }
        true
    }
}

/// Sends a signal; a process that is gone already is no error.
pub(crate) fn signal_process(pid: i32, signal: Signal) -> Result<(), StopError> {
    let sent = match Pid::from_raw(pid) {
        Some(process) => kill_process(process, signal),
        None => Err(rustix::io::Errno::SRCH),
    };
    match sent {
        Ok(()) | Err(rustix::io::Errno::SRCH) => Ok(()),
        Err(error) => Err(StopError::Signal {
            pid,
            source: error.into(),
        }),
    }
}

/// The lines of a log or of a program's output that say why it ended.
pub(crate) fn reason(text: &str) -> String {
    let lines: Vec<&str> = text
        .lines()
        .map(str::trim)
        .filter(|line| !line.is_empty())
        .collect();
    let telling = ["FATAL:", "PANIC:", "error:", "ERROR:", "HINT:", "DETAIL:"];
    let mut said: Vec<&str> = lines
        .iter()
        .filter_map(|line| {
            telling
                .iter()
                .find_map(|word| line.find(word).map(|at| &line[at..]))
        })
        .collect();
    if said.is_empty() {
        said = lines[lines.len().saturating_sub(3)..].to_vec();
    }
    if said.is_empty() {
        return "it ended without a message".to_owned();
    }
    let mut text = said.join("; ");
    if text.contains("No space left on device") {
        text.push_str(". The disk is full: free some space");
    } else if text.contains("Permission denied") {
        text.push_str(". Start as the user who owns the data folder, or choose another folder");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::reason;

    #[test]
    fn finds_the_reason_in_a_log() {
        let log =
            "2026 LOG:  starting\n2026 [9] FATAL:  could not write: No space left on device\n";
        assert_eq!(
            reason(log),
            "FATAL:  could not write: No space left on device. The disk is full: free some space"
        );
        assert_eq!(reason("a\nb\nc\nd\n"), "b; c; d");
        assert_eq!(reason(""), "it ended without a message");
    }
}
