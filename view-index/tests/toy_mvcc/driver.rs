//! Plays a scenario: what the server's reader, fetches, views and windows do, against the model.

use std::ops::Range;

use protocol::Value;
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use view_index::{Need, Origin, Ranks, Sizes, Snapshot, Total, ViewIndex, Xid};

use super::database::Database;
use super::pending::{Pending, QueriedRows, What};
use super::sabotage::Sabotage;
use super::scenario::{Scenario, Step};
use super::table::{
    Condition, NAME, NAMES, Picks, SortBy, ask_places, compare, product_order, table_row,
    total_order, value, values_of,
};
use super::viewer::{Truth, Viewer};

const WINDOWS_MAX: usize = 3;
const PENDING_MAX: usize = 4;
/// Small, so that a few rows are divided as millions are.
const SIZES: Sizes = Sizes {
    counted: 4,
    listed: 3,
    skipped_max: 6,
    ahead_max: 10,
    looked_up_max: 5,
};
/// Rounds of reading and acknowledging after which everything must have settled.
const SETTLING_ROUNDS: usize = 100;

/// The view, and the state of the database that it shows.
struct Tracked {
    view: ViewIndex,
    seen: Snapshot,
}

pub(crate) struct Driver {
    database: Database,
    order: Vec<SortBy>,
    condition: Condition,
    ranks: Ranks,
    view: Tracked,
    /// The reader's last snapshot.
    read: Snapshot,
    pending: Vec<Pending>,
    estimate: Option<u64>,
    listed: bool,
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
        let condition = scenario.condition.clone();
        let mut product = order.clone();
        if sabotage == Some(Sabotage::BreakTie)
            && let Some(last) = product.last_mut()
        {
            last.descending = !last.descending;
        }
        let predicate = condition.predicate(&ranks);
        let product = product_order(&product);
        let total = total(&database, &condition, &seen, scenario.estimate);
        Self {
            view: Tracked {
                view: ViewIndex::new(product, predicate, total, SIZES),
                seen: seen.clone(),
            },
            read: seen,
            database,
            order,
            condition,
            ranks,
            pending: Vec::new(),
            estimate: scenario.estimate,
            listed: scenario.listed,
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
            Step::Fetch { start, count } => {
                if let Some(gap) = self.view.view.gap(&(start..start + count)) {
                    self.ask(&gap, false);
                }
            }
            Step::Chart => {
                if let Some(need) = self.view.view.undivided() {
                    self.query(need);
                }
            }
            Step::Count => self.count(),
            Step::Collapse => self.view.view.collapse(),
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
        for pending in &mut self.pending {
            pending.apply(
                &self.view.view,
                &self.read,
                &batch,
                &self.ranks,
                self.sabotage,
            );
        }
        let twice = usize::from(self.sabotage == Some(Sabotage::ApplyTwice));
        if !self.view.seen.covers(&batch.next) {
            for _ in 0..=twice {
                let (changes, verdicts) = (&batch.changes, &batch.verdicts);
                self.view
                    .view
                    .apply(changes, verdicts, &self.ranks, &self.view.seen)
                    .unwrap();
            }
            self.view.seen = batch.next.clone();
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

    /// Asks for what a window misses.
    fn ask(&mut self, gap: &Range<u64>, at_end: bool) {
        let view = &self.view.view;
        let last = Need::Rows {
            origin: Origin::End,
            count: 8,
            position: u64::MAX,
        };
        let need = view.need(gap, 1).or_else(|| view.undivided());
        let waits = matches!(need, None | Some(Need::Chart { .. }));
        let need = if at_end && (waits || !view.total_is_exact()) {
            Some(last)
        } else {
            need
        };
        if let Some(need) = need {
            self.query(need);
        }
    }

    fn query(&mut self, need: Need) {
        if self.pending.len() == PENDING_MAX {
            return;
        }
        let queried = self.database.snapshot();
        let all = select(&self.database, &self.order, &self.condition, &queried);
        let names = all
            .iter()
            .filter_map(|row| value(NAME, row[NAME]).to_postgres_text());
        self.learn(names.collect());
        let order = self.view.view.order().clone();
        let rows = all.into_iter().map(|row| {
            let key = order.key(&table_row(&row), &self.ranks).unwrap();
            (row, key)
        });
        let truth = QueriedRows {
            rows: rows.collect(),
            order,
            listed: self.listed,
        };
        let view = &self.view;
        let pending = truth.answer(need, &view.view, &view.seen, queried, &self.ranks);
        self.pending.push(pending);
    }

    fn count(&mut self) {
        if self.pending.len() == PENDING_MAX {
            return;
        }
        let queried = self.database.snapshot();
        let all = select(&self.database, &self.order, &self.condition, &queried);
        let pending = Pending::count(all.len() as u64, &self.view.view, queried);
        self.pending.push(pending);
    }

    /// Pieces, charts and tallies that show the same state as the view become part of it.
    fn adopt(&mut self) {
        for pending in std::mem::take(&mut self.pending) {
            if !self.view.seen.covers(&pending.queried) || !pending.is_at(&self.view.seen) {
                self.pending.push(pending);
                continue;
            }
            let (position, rows) = pending.rows;
            match pending.what {
                What::Piece(piece) => drop(self.view.view.adopt(piece).unwrap()),
                What::Chart(chart) => drop(self.view.view.adopt_chart(chart).unwrap()),
                What::Tally(tally) => {
                    self.view.view.adopt_tally(tally).unwrap();
                    assert!(self.view.view.total_is_exact());
                }
            }
            for viewer in &mut self.viewers {
                viewer.hold_at(position, &rows);
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
        self.view.view.release(&merged, usize::MAX);
        assert!(self.view.view.held() as u64 <= merged.iter().map(|r| r.end - r.start).sum());
    }

    fn rebuild(&mut self) {
        let seen = self.database.snapshot();
        let total = total(&self.database, &self.condition, &seen, self.estimate);
        let (order, predicate) = (
            self.view.view.order().clone(),
            self.view.view.predicate().clone(),
        );
        let view = ViewIndex::new(order, predicate, total, SIZES);
        self.view = Tracked { view, seen };
        self.pending.clear();
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
            let gap = viewer.refresh(&self.view.view, &truth, self.sabotage);
            missing.extend(gap.map(|gap| (gap, viewer.is_at_end())));
        }
        self.viewers = viewers;
        for (gap, at_end) in missing {
            self.ask(&gap, at_end);
        }
    }

    fn check_view(&self) {
        let truth = self.truth();
        let view = &self.view.view;
        view.check().unwrap();
        let is_exact = view.total_is_exact();
        if is_exact {
            assert_eq!(view.total(), truth.rows.len() as u64, "total");
        }
        let mut missing = Vec::new();
        for (position, row) in (0..).zip(&truth.rows) {
            if position >= view.known_until() {
                break;
            }
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
        if is_exact {
            assert_eq!(view.gap(&(0..view.total())), gap);
            assert_eq!(view.held(), truth.rows.len() - missing.len());
        }
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
            if self.pending.is_empty() && self.viewers.iter().all(|viewer| viewer.settled) {
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

/// `count(*)`, or what the planner thinks.
fn total(
    database: &Database,
    condition: &Condition,
    snapshot: &Snapshot,
    estimate: Option<u64>,
) -> Total {
    let all = select(database, &[], condition, snapshot).len() as u64;
    estimate.map_or(Total::Exact(all), Total::Estimate)
}
