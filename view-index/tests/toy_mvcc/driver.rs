//! Plays a scenario: what the server's reader, fetches, views and windows do, against the model.

use std::ops::Range;

use protocol::Value;
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use view_index::{Fetched, Key, Ranks, Snapshot, ViewIndex, Xid};

use crate::database::{Batch, Database};
use crate::sabotage::Sabotage;
use crate::scenario::{Scenario, Step};
use crate::table::{
    Condition, NAME, NAMES, Picks, SortBy, ask_places, compare, product_order, table_row,
    total_order, value, values_of,
};
use crate::viewer::{Truth, Viewer};

const WINDOWS_MAX: usize = 3;
const PIECES_MAX: usize = 4;
/// Rounds of reading and acknowledging after which everything must have settled.
const SETTLING_ROUNDS: usize = 100;

/// A view, or a piece of one, and the state of the database that it shows.
struct Tracked {
    view: ViewIndex,
    seen: Snapshot,
    /// What was fetched for it: from which position, and each row with its key.
    fetched: (u64, Vec<(Picks, Key)>),
    /// Whether nothing has been applied to it yet.
    fresh: bool,
}

impl Tracked {
    fn is_at(&self, snapshot: &Snapshot) -> bool {
        self.seen.covers(snapshot) && snapshot.covers(&self.seen)
    }

    fn apply(&mut self, previous: &Snapshot, batch: &Batch, ranks: &Ranks, how: Option<Sabotage>) {
        if self.seen.covers(&batch.next) {
            return;
        }
        let seen = match how {
            Some(Sabotage::ForgetFetchSnapshot) => previous,
            _ => &self.seen,
        };
        let twice = if how == Some(Sabotage::ApplyTwice) {
            2
        } else {
            1
        };
        for _ in 0..twice {
            self.view
                .apply(&batch.changes, &batch.verdicts, ranks, seen)
                .unwrap();
        }
        self.seen = batch.next.clone();
        self.fresh = false;
    }
}

pub(crate) struct Driver {
    database: Database,
    order: Vec<SortBy>,
    condition: Condition,
    ranks: Ranks,
    view: Tracked,
    /// The reader's last snapshot.
    read: Snapshot,
    pieces: Vec<Tracked>,
    viewers: Vec<Viewer>,
    edits: u64,
    rng: ChaCha8Rng,
    sabotage: Option<Sabotage>,
}

/// Plays a scenario to its end; panics where code and model disagree.
pub(crate) fn play(scenario: &Scenario, sabotage: Option<Sabotage>) {
    let mut driver = Driver::new(scenario, sabotage);
    for step in &scenario.steps {
        driver.step(step);
        driver.settle();
        driver.check_view();
    }
    driver.finish();
}

impl Driver {
    fn new(scenario: &Scenario, sabotage: Option<Sabotage>) -> Self {
        let database = Database::new(&scenario.rows);
        let order = total_order(&scenario.sort);
        let mut ranks = Ranks::default();
        let names: Vec<String> = (0..values_of(NAME))
            .filter_map(|pick| value(NAME, pick).to_postgres_text())
            .collect();
        ranks.learn(NAMES, ask_places(&[], &names));
        let seen = database.snapshot();
        let range = scenario.start..scenario.start + scenario.count;
        let condition = scenario.condition.clone();
        let (fetched, total) = fetch(&database, &order, &condition, &seen, &range);
        let mut product = order.clone();
        if sabotage == Some(Sabotage::BreakTie)
            && let Some(last) = product.last_mut()
        {
            last.descending = !last.descending;
        }
        let predicate = condition.predicate(&ranks);
        let product = product_order(&product);
        let view = ViewIndex::new(product, predicate, fetched, total, &ranks).unwrap();
        Self {
            view: Tracked {
                view,
                seen: seen.clone(),
                fetched: (0, Vec::new()),
                fresh: true,
            },
            read: seen,
            database,
            order,
            condition,
            ranks,
            pieces: Vec::new(),
            viewers: Vec::new(),
            edits: 0,
            rng: ChaCha8Rng::seed_from_u64(scenario.seed),
            sabotage,
        }
    }

    fn writer(&self, nth: usize) -> Option<Xid> {
        let running = self.database.running();
        running.get(nth % running.len().max(1)).copied()
    }

    fn step(&mut self, step: &Step) {
        match *step {
            Step::Begin => {
                self.database.begin(self.sabotage);
            }
            Step::Insert { writer, row } => {
                let xid = self
                    .writer(writer)
                    .unwrap_or_else(|| self.database.begin(self.sabotage));
                self.database.insert(xid, row);
            }
            Step::Update {
                writer,
                target,
                row,
                keep_key,
            } => {
                let xid = self
                    .writer(writer)
                    .unwrap_or_else(|| self.database.begin(self.sabotage));
                self.database.update(xid, target, row, keep_key);
            }
            Step::Delete { writer, target } => {
                let xid = self
                    .writer(writer)
                    .unwrap_or_else(|| self.database.begin(self.sabotage));
                self.database.delete(xid, target);
            }
            Step::Commit { writer } => {
                if let Some(xid) = self.writer(writer) {
                    self.database.commit(xid);
                    self.edits += 1;
                    let nth = writer % self.viewers.len().max(1);
                    if let Some(viewer) = self.viewers.get_mut(nth) {
                        viewer.edited(self.edits, xid);
                    }
                }
            }
            Step::Abort { writer } => {
                if let Some(xid) = self.writer(writer) {
                    self.database.abort(xid);
                }
            }
            Step::Read => self.read(),
            Step::Fetch { start, count } => self.fetch(&(start..start + count)),
            Step::Release { margin } => self.release(margin),
            Step::Forget => self.ranks.forget_unused(),
            Step::Rebuild => self.rebuild(),
            _ => self.window_step(step),
        }
    }

    fn window_step(&mut self, step: &Step) {
        let count = self.viewers.len().max(1);
        match *step {
            Step::Open {
                start,
                count,
                columns,
            } if self.viewers.len() < WINDOWS_MAX => {
                let id = u32::try_from(self.viewers.len()).unwrap();
                self.viewers.push(Viewer::open(id, start, count, columns));
            }
            Step::Move {
                window,
                start,
                count: rows,
            } => {
                if let Some(viewer) = self.viewers.get_mut(window % count) {
                    viewer.move_to(start, rows);
                }
            }
            Step::Acknowledge { window } => {
                if let Some(viewer) = self.viewers.get_mut(window % count) {
                    viewer.acknowledge();
                }
            }
            Step::Reconnect { window } => {
                let (database, seen) = (&self.database, &self.view.seen);
                if let Some(viewer) = self.viewers.get_mut(window % count) {
                    let touched =
                        |since: &Snapshot, key: &[Value]| database.touched(since, seen, key);
                    viewer.reconnect(&self.view.view, touched, self.sabotage);
                }
            }
            _ => {}
        }
    }

    fn read(&mut self) {
        let next = self.database.snapshot();
        if self.sabotage != Some(Sabotage::ReuseXid) {
            assert!(
                next.covers(&self.read),
                "{next} was taken after {}",
                self.read
            );
        }
        let batch = self
            .database
            .batch(&self.read, next, &mut self.rng, self.sabotage);
        let rows = batch
            .changes
            .current
            .iter()
            .filter_map(|(_, row)| row.as_ref());
        let images = batch.changes.sides.iter().map(|side| &side.row).chain(rows);
        self.learn(
            images
                .filter_map(|row| row.cells[NAME].to_postgres_text())
                .collect(),
        );
        for tracked in self.pieces.iter_mut().chain([&mut self.view]) {
            tracked.apply(&self.read, &batch, &self.ranks, self.sabotage);
        }
        for viewer in &mut self.viewers {
            viewer.changed(batch.changes.changed_at_micros, &self.view.seen);
        }
        self.read = batch.next;
    }

    /// Asks the toy database where names stand that are not known.
    fn learn(&mut self, mut names: Vec<String>) {
        names.sort();
        names.dedup();
        names.retain(|name| self.ranks.get(NAMES, name).is_none());
        let answers = ask_places(&self.ranks.bounds(NAMES), &names);
        self.ranks.learn(NAMES, answers);
    }

    fn fetch(&mut self, range: &Range<u64>) {
        if self.pieces.len() == PIECES_MAX {
            return;
        }
        let seen = self.database.snapshot();
        let (fetched, _) = fetch(&self.database, &self.order, &self.condition, &seen, range);
        let names = fetched
            .rows
            .iter()
            .filter_map(|row| row.cells[NAME].to_postgres_text());
        self.learn(names.collect());
        let all = select(&self.database, &self.order, &self.condition, &seen);
        let order = self.view.view.order();
        let rows = fetched
            .rows
            .iter()
            .map(|row| order.key(row, &self.ranks).unwrap());
        let first = usize::try_from(range.start).unwrap();
        let rows = all.into_iter().skip(first).zip(rows).collect();
        let view = self.view.view.piece(fetched, &self.ranks).unwrap();
        self.pieces.push(Tracked {
            view,
            seen,
            fetched: (range.start, rows),
            fresh: true,
        });
    }

    /// Pieces that show the same state as the view become part of it.
    fn adopt(&mut self) {
        for piece in std::mem::take(&mut self.pieces) {
            if !piece.is_at(&self.view.seen) {
                self.pieces.push(piece);
                continue;
            }
            self.view.view.adopt(piece.view).unwrap();
            let (start, rows) = piece.fetched;
            if piece.fresh {
                let held = start..start + rows.len() as u64;
                assert_eq!(self.view.view.gap(&held), None, "what was adopted is held");
            }
            for viewer in &mut self.viewers {
                viewer.hold_at(start, &rows);
            }
        }
    }

    fn release(&mut self, margin: u64) {
        let around = |range: Range<u64>| range.start.saturating_sub(margin)..range.end + margin;
        let mut wanted: Vec<Range<u64>> = self
            .viewers
            .iter()
            .map(|viewer| around(viewer.wanted(&self.view.view)))
            .collect();
        wanted.sort_by_key(|range| range.start);
        let mut merged: Vec<Range<u64>> = Vec::new();
        for range in wanted {
            match merged.last_mut() {
                Some(last) if range.start <= last.end => last.end = last.end.max(range.end),
                _ => merged.push(range),
            }
        }
        self.view.view.release(&merged);
        assert!(self.view.view.held() as u64 <= merged.iter().map(|r| r.end - r.start).sum());
    }

    fn rebuild(&mut self) {
        let seen = self.database.snapshot();
        let range = 0..self.edits % 8;
        let (fetched, total) = fetch(&self.database, &self.order, &self.condition, &seen, &range);
        let names = fetched
            .rows
            .iter()
            .filter_map(|row| row.cells[NAME].to_postgres_text());
        self.learn(names.collect());
        let (order, predicate) = (
            self.view.view.order().clone(),
            self.view.view.predicate().clone(),
        );
        let view = ViewIndex::new(order, predicate, fetched, total, &self.ranks).unwrap();
        self.view = Tracked {
            view,
            seen,
            fetched: (0, Vec::new()),
            fresh: true,
        };
        self.pieces.clear();
        for viewer in &mut self.viewers {
            viewer.reset();
            viewer.changed(None, &self.view.seen);
        }
    }

    /// `SELECT … ORDER BY` at the view's state.
    fn truth(&self) -> Truth<'_> {
        let snapshot = self.view.seen.clone();
        let rows = select(&self.database, &self.order, &self.condition, &snapshot);
        Truth {
            order: &self.order,
            rows,
            snapshot,
        }
    }

    /// Adopts what can be adopted, lets every window send, and fetches what they lack.
    fn settle(&mut self) {
        self.adopt();
        let mut viewers = std::mem::take(&mut self.viewers);
        let mut missing = Vec::new();
        let truth = self.truth();
        for viewer in &mut viewers {
            missing.extend(viewer.refresh(&self.view.view, &truth, self.sabotage));
        }
        self.viewers = viewers;
        for gap in missing {
            self.fetch(&gap);
        }
    }

    fn check_view(&self) {
        let truth = self.truth();
        let view = &self.view.view;
        view.check().unwrap();
        assert_eq!(view.total(), truth.rows.len() as u64, "total");
        let mut missing = Vec::new();
        for (position, row) in (0..).zip(&truth.rows) {
            let at = position..position + 1;
            if let Some(gap) = view.gap(&at) {
                assert_eq!(gap, at);
                missing.push(position);
                continue;
            }
            assert_eq!(view.rows(&at), [table_row(row)], "the row at {position}");
            let key = view.key_at(position).expect("a held row has a key");
            assert_eq!(view.rank(&key), position);
        }
        let gap = missing
            .first()
            .zip(missing.last())
            .map(|(first, last)| *first..last + 1);
        assert_eq!(view.gap(&(0..view.total())), gap);
        assert_eq!(view.held(), truth.rows.len() - missing.len());
    }

    /// Ends every transaction and proves that every window comes to rest on the truth.
    fn finish(mut self) {
        for (nth, xid) in self.database.running().into_iter().enumerate() {
            if nth % 2 == 0 {
                self.database.commit(xid);
            } else {
                self.database.abort(xid);
            }
        }
        for _ in 0..SETTLING_ROUNDS {
            self.read();
            self.settle();
            self.check_view();
            for viewer in &mut self.viewers {
                viewer.acknowledge();
            }
            if self.pieces.is_empty() && self.viewers.iter().all(|viewer| viewer.settled) {
                self.viewers.iter().for_each(Viewer::check_echoes);
                return;
            }
        }
        panic!("the windows do not come to rest");
    }
}

/// `SELECT … WHERE … ORDER BY`.
fn select(
    database: &Database,
    order: &[SortBy],
    condition: &Condition,
    snapshot: &Snapshot,
) -> Vec<Picks> {
    let mut rows = database.rows_at(snapshot);
    rows.retain(|row| condition.evaluate(row) == Some(true));
    rows.sort_by(|a, b| compare(order, a, b));
    rows
}

/// The same with `LIMIT` and `OFFSET`, and the number of rows without them.
fn fetch(
    database: &Database,
    order: &[SortBy],
    condition: &Condition,
    snapshot: &Snapshot,
    range: &Range<u64>,
) -> (Fetched, u64) {
    let all = select(database, order, condition, snapshot);
    let at = |position: u64| usize::try_from(position).unwrap().min(all.len());
    let rows = &all[at(range.start)..at(range.end)];
    let fetched = Fetched {
        start: range.start,
        rows: rows.iter().map(table_row).collect(),
        reached_end: (rows.len() as u64) < range.end - range.start,
    };
    (fetched, all.len() as u64)
}
