//! A toy multi-version database with a change log, and the snapshots PostgreSQL would take of it.

use std::collections::{BTreeMap, BTreeSet};

use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;
use view_index::{End, RowKey, Side, Snapshot, TableChanges, Verdicts, Xid, ends};

use super::sabotage::Sabotage;
use super::table::{ASKED, PickedKey, Picks, key_of, key_values, table_row, verdict};

/// One version of a row.
struct RowVersion {
    row: Picks,
    made_by: Xid,
    ended_by: Option<Xid>,
}

struct LogEntry {
    xid: Xid,
    appeared: bool,
    row: Picks,
}

/// What a batch did, as the server's reader hands it on.
pub(crate) struct Batch {
    pub(crate) next: Snapshot,
    pub(crate) changes: TableChanges,
    pub(crate) verdicts: Verdicts,
}

pub(crate) struct Database {
    versions: Vec<RowVersion>,
    log: Vec<LogEntry>,
    running: BTreeSet<Xid>,
    next_xid: Xid,
    latest_ended: Xid,
}

const FIRST_XID: Xid = 700;

impl Database {
    /// A database in which these rows were committed before the change log was installed.
    pub(crate) fn new(rows: &[Picks]) -> Self {
        let mut by_key: BTreeMap<PickedKey, Picks> = BTreeMap::new();
        for row in rows {
            by_key.insert(key_of(row), *row);
        }
        let version = |row| RowVersion {
            row,
            made_by: FIRST_XID - 1,
            ended_by: None,
        };
        Self {
            versions: by_key.into_values().map(version).collect(),
            log: Vec::new(),
            running: BTreeSet::new(),
            next_xid: FIRST_XID,
            latest_ended: FIRST_XID - 1,
        }
    }

    pub(crate) fn running(&self) -> Vec<Xid> {
        self.running.iter().copied().collect()
    }

    pub(crate) fn begin(&mut self, sabotage: Option<Sabotage>) -> Xid {
        let ended = FIRST_XID..self.latest_ended;
        let reused = ended.rev().find(|xid| !self.running.contains(xid));
        let xid = match reused {
            Some(xid) if sabotage == Some(Sabotage::ReuseXid) => xid,
            _ => {
                self.next_xid += 1;
                self.next_xid - 1
            }
        };
        self.running.insert(xid);
        xid
    }

    pub(crate) fn commit(&mut self, xid: Xid) {
        self.end(xid);
    }

    pub(crate) fn abort(&mut self, xid: Xid) {
        self.versions.retain(|version| version.made_by != xid);
        for version in &mut self.versions {
            version.ended_by = version.ended_by.filter(|&by| by != xid);
        }
        self.log.retain(|entry| entry.xid != xid);
        self.end(xid);
    }

    fn end(&mut self, xid: Xid) {
        self.running.remove(&xid);
        self.latest_ended = self.latest_ended.max(xid);
    }

    /// The versions a statement of `xid` may write: the newest ones, committed or its own.
    fn writable(&self, xid: Xid) -> Vec<usize> {
        let newest = |version: &RowVersion| {
            version.ended_by.is_none()
                && (version.made_by == xid || !self.running.contains(&version.made_by))
        };
        (0..self.versions.len())
            .filter(|&at| newest(&self.versions[at]))
            .collect()
    }

    /// Whether a row of this key exists, or may come to exist again, apart from version `except`.
    fn is_taken(&self, xid: Xid, key: PickedKey, except: Option<usize>) -> bool {
        self.versions.iter().enumerate().any(|(at, version)| {
            let gone = version
                .ended_by
                .is_some_and(|by| by == xid || !self.running.contains(&by));
            key_of(&version.row) == key && !gone && Some(at) != except
        })
    }

    pub(crate) fn insert(&mut self, xid: Xid, row: Picks) {
        if !self.is_taken(xid, key_of(&row), None) {
            self.put(xid, row);
        }
    }

    /// Updates one of the rows that `xid` may write; `keep_key` leaves its primary key alone.
    pub(crate) fn update(&mut self, xid: Xid, target: usize, row: Picks, keep_key: bool) {
        let writable = self.writable(xid);
        let Some(&at) = writable.get(target % writable.len().max(1)) else {
            return;
        };
        let mut row = row;
        if keep_key {
            for column in super::table::KEY {
                row[column] = self.versions[at].row[column];
            }
        }
        if !self.is_taken(xid, key_of(&row), Some(at)) {
            self.take(xid, at);
            self.put(xid, row);
        }
    }

    pub(crate) fn delete(&mut self, xid: Xid, target: usize) {
        let writable = self.writable(xid);
        if let Some(&at) = writable.get(target % writable.len().max(1)) {
            self.take(xid, at);
        }
    }

    fn put(&mut self, xid: Xid, row: Picks) {
        self.versions.push(RowVersion {
            row,
            made_by: xid,
            ended_by: None,
        });
        self.log.push(LogEntry {
            xid,
            appeared: true,
            row,
        });
    }

    fn take(&mut self, xid: Xid, at: usize) {
        self.versions[at].ended_by = Some(xid);
        self.log.push(LogEntry {
            xid,
            appeared: false,
            row: self.versions[at].row,
        });
    }

    /// `pg_current_snapshot()`.
    pub(crate) fn snapshot(&self) -> Snapshot {
        let xmax = self.latest_ended + 1;
        let running: Vec<Xid> = self.running.range(..xmax).copied().collect();
        Snapshot::new(running.first().copied().unwrap_or(xmax), xmax, running)
    }

    /// The rows that a snapshot sees.
    pub(crate) fn rows_at(&self, snapshot: &Snapshot) -> Vec<Picks> {
        let visible = |version: &&RowVersion| {
            snapshot.sees(version.made_by) && !version.ended_by.is_some_and(|by| snapshot.sees(by))
        };
        self.versions
            .iter()
            .filter(visible)
            .map(|version| version.row)
            .collect()
    }

    /// Whether a change between two snapshots names a row.
    pub(crate) fn touched(
        &self,
        earlier: &Snapshot,
        later: &Snapshot,
        key: &[protocol::Value],
    ) -> bool {
        let between = |entry: &&LogEntry| !earlier.sees(entry.xid) && later.sees(entry.xid);
        self.log
            .iter()
            .filter(between)
            .any(|entry| *key_values(key_of(&entry.row)) == *key)
    }

    /// What happened between `previous` and `next`, in no particular order.
    pub(crate) fn batch(
        &self,
        previous: &Snapshot,
        next: Snapshot,
        rng: &mut ChaCha8Rng,
        sabotage: Option<Sabotage>,
    ) -> Batch {
        let previous = match sabotage {
            Some(Sabotage::SkipRunning) => Snapshot::new(previous.xmax(), previous.xmax(), []),
            _ => previous.clone(),
        };
        let unseen = |entry: &&LogEntry| !previous.sees(entry.xid) && next.sees(entry.xid);
        let mut entries: Vec<&LogEntry> = self.log.iter().filter(unseen).collect();
        entries.shuffle(rng);
        if sabotage == Some(Sabotage::DropSide) {
            entries.pop();
        }
        let shown = match sabotage {
            Some(Sabotage::LateRows) => self.rows_at(&Snapshot::new(Xid::MAX, Xid::MAX, [])),
            _ => self.rows_at(&next),
        };
        let side = |entry: &&LogEntry| Side {
            xid: entry.xid,
            appeared: entry.appeared,
            row: table_row(&entry.row),
        };
        let sides: Vec<Side> = entries.iter().map(side).collect();
        // As the server does: the table is asked only for what the images leave open.
        let row = |(key, end): (RowKey, End)| {
            let is_it = |picks: &&Picks| key_values(key_of(picks)) == key;
            let row = match &end {
                End::Unknown => shown.iter().find(is_it),
                End::Known(None) => None,
                End::Known(Some(row)) => entries
                    .iter()
                    .map(|entry| &entry.row)
                    .find(|picks| table_row(picks) == *row),
            };
            (key, row.copied())
        };
        let current: Vec<(RowKey, Option<Picks>)> = ends(&sides).into_iter().map(row).collect();
        let verdicts = |row: Option<&Picks>| -> [Option<bool>; ASKED] {
            std::array::from_fn(|condition| row.and_then(|row| verdict(condition, row)))
        };
        Batch {
            changes: TableChanges {
                sides,
                current: current
                    .iter()
                    .map(|(key, row)| (key.clone(), row.as_ref().map(table_row)))
                    .collect(),
                changed_at_micros: (!entries.is_empty()).then_some(1),
            },
            verdicts: Verdicts {
                conditions: ASKED,
                sides: entries
                    .iter()
                    .flat_map(|entry| verdicts(Some(&entry.row)))
                    .collect(),
                current: current
                    .iter()
                    .flat_map(|(_, row)| verdicts(row.as_ref()))
                    .collect(),
            },
            next,
        }
    }
}
