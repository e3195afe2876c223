//! What the machine is and what runs on it, from Linux' `/proc`.

use std::collections::HashMap;
use std::fs;
use std::time::Instant;

use serde::Serialize;

/// Clock ticks per second in `/proc`: fixed by Linux' user interface.
const TICKS_PER_SECOND: f64 = 100.0;

/// Which machine this is.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Machine {
    pub(crate) processor: String,
    pub(crate) cores: usize,
    pub(crate) kernel: String,
}

impl Machine {
    /// This one.
    pub(crate) fn read() -> Self {
        let info = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
        let model = info
            .lines()
            .find_map(|line| line.strip_prefix("model name")?.split_once(": "));
        let kernel = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
        Self {
            processor: model.map_or_else(String::new, |(_, name)| name.trim().to_owned()),
            cores: std::thread::available_parallelism().map_or(1, usize::from),
            kernel: kernel.trim().to_owned(),
        }
    }
}

/// Processor time used, in cores: 1 is one core all the time.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub(crate) struct Load {
    pub(crate) server: f64,
    pub(crate) postgres: f64,
    pub(crate) bench: f64,
    /// Everything else on the machine, which disturbs the measurement.
    pub(crate) others: f64,
}

/// Processor time used until a moment, in seconds.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Meter {
    at: Instant,
    server: f64,
    postgres: f64,
    bench: f64,
    all: f64,
}

impl Meter {
    /// Reads the meters of the server's process, PostgreSQL's main process, and this one.
    pub(crate) fn read(server: Option<u32>, postgres: Option<u32>) -> Self {
        let processes = processes();
        let of = |pid: Option<u32>| pid.map_or(0.0, |pid| with_children(&processes, pid));
        Self {
            at: Instant::now(),
            server: of(server),
            postgres: of(postgres),
            bench: processes
                .get(&std::process::id())
                .map_or(0.0, |process| process.seconds),
            all: busy_seconds(),
        }
    }

    /// What was used since an earlier reading.
    pub(crate) fn since(&self, earlier: &Self) -> Load {
        let seconds = (self.at - earlier.at).as_secs_f64();
        let used = |now: f64, before: f64| ((now - before) / seconds * 100.0).round() / 100.0;
        let (server, postgres, bench) = (
            used(self.server, earlier.server),
            used(self.postgres, earlier.postgres),
            used(self.bench, earlier.bench),
        );
        let others = (used(self.all, earlier.all) - server - postgres - bench).max(0.0);
        Load {
            server,
            postgres,
            bench,
            others: (others * 100.0).round() / 100.0,
        }
    }
}

/// Memory of a process that is in use now, in bytes.
pub(crate) fn resident_bytes(pid: u32) -> Option<u64> {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kibibytes: u64 = line.split_whitespace().next()?.parse().ok()?;
    Some(kibibytes * 1024)
}

struct Process {
    parent: u32,
    seconds: f64,
}

fn processes() -> HashMap<u32, Process> {
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    let pids = entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    pids.filter_map(|pid| Some((pid, process(pid)?))).collect()
}

fn process(pid: u32) -> Option<Process> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The name in parentheses may hold anything; the fields after it are numbers.
    let fields: Vec<&str> = stat.rsplit_once(')')?.1.split_whitespace().collect();
    let ticks = |at: usize| fields.get(at)?.parse::<f64>().ok();
    // Its own, and that of its children that have ended.
    let seconds = (ticks(11)? + ticks(12)? + ticks(13)? + ticks(14)?) / TICKS_PER_SECOND;
    Some(Process {
        parent: fields.get(1)?.parse().ok()?,
        seconds,
    })
}

fn with_children(processes: &HashMap<u32, Process>, pid: u32) -> f64 {
    let own = processes.get(&pid).map_or(0.0, |process| process.seconds);
    let children = processes.values().filter(|process| process.parent == pid);
    own + children.map(|process| process.seconds).sum::<f64>()
}

/// Seconds in which the machine's cores were not idle.
fn busy_seconds() -> f64 {
    let stat = fs::read_to_string("/proc/stat").unwrap_or_default();
    let fields = stat
        .lines()
        .next()
        .unwrap_or_default()
        .split_whitespace()
        .skip(1);
    let ticks: Vec<f64> = fields.filter_map(|field| field.parse().ok()).collect();
    // user, nice, system, (idle, iowait,) irq, softirq
    let busy = [0, 1, 2, 5, 6].iter().filter_map(|&at| ticks.get(at));
    busy.sum::<f64>() / TICKS_PER_SECOND
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_process_uses_processor_time() {
        let before = Meter::read(Some(std::process::id()), None);
        let mut sum = 0_u64;
        while before.at.elapsed().as_millis() < 60 {
            sum = std::hint::black_box(sum.wrapping_add(1));
        }
        let after = Meter::read(Some(std::process::id()), None);
        assert!(after.bench > before.bench && after.server > before.server);
        assert!(after.all >= after.bench - before.bench && before.postgres == 0.0);
    }
}
