//! Plays a scenario and compares the index with the sorted vector after every step.

use std::collections::VecDeque;
use std::ops::Range;
use std::sync::Arc;

use view_index::{Need, Ranks, TableRow, Total, Verdicts, ViewIndex};

use super::answers::{Pending, Queried};
use super::model::{Model, Picked, row_of};
use super::scenario::{Scenario, Step};

/// Answers under way at once.
const PENDING_MAX: usize = 6;
/// One position of so many is looked at after a step.
const STRIDE: usize = 13;
const CHECKED_AT_END: usize = 10;
/// Rounds of asking after which everything must be known.
const SETTLING_ROUNDS: usize = 3_000;

struct Driver<'a> {
    scenario: &'a Scenario,
    model: Model,
    view: ViewIndex,
    pending: VecDeque<Pending>,
}

/// Everything that a window on a view can tell apart, at one of its revisions.
#[derive(Debug, PartialEq)]
struct Shown {
    total: u64,
    known_until: u64,
    /// The rows held, by position.
    rows: Vec<Option<Arc<TableRow>>>,
}

impl Shown {
    fn of(view: &ViewIndex) -> Self {
        let row = |position: u64| view.rows(&(position..position + 1)).pop();
        Self {
            total: view.total(),
            known_until: view.known_until(),
            rows: (0..view.total()).map(row).collect(),
        }
    }
}

/// Plays a scenario to its end; panics where index and model disagree.
pub(crate) fn play(scenario: &Scenario) {
    let model = Model::new(scenario);
    let total = match scenario.estimate {
        Some(estimate) => Total::Estimate(estimate),
        None => Total::Exact(model.rows().len() as u64),
    };
    let view = ViewIndex::new(model.order(), model.predicate(), total, scenario.sizes);
    let mut driver = Driver {
        scenario,
        model,
        view,
        pending: VecDeque::new(),
    };
    for (nth, step) in scenario.steps.iter().enumerate() {
        let before = (driver.view.revision(), Shown::of(&driver.view));
        driver.step(step);
        driver.check(nth, STRIDE);
        if driver.view.revision() == before.0 {
            assert_eq!(Shown::of(&driver.view), before.1, "the same revision");
        }
    }
    driver.finish();
}

impl Driver<'_> {
    fn step(&mut self, step: &Step) {
        match step {
            Step::Change(changes) => self.change(changes),
            Step::Show {
                place,
                count,
                margin,
            } => {
                let start = self.position(*place);
                self.show(&(start..start + count), *margin);
            }
            Step::ShowEnd { count } => {
                let answer = self.queried().end(&self.view, *count);
                self.ask(answer);
            }
            Step::Chart => {
                if let Some(need) = self.view.undivided() {
                    let answer = self.queried().answer(&self.view, need);
                    self.ask(answer);
                }
            }
            Step::Count => {
                let answer = self.queried().count(&self.view);
                self.ask(answer);
            }
            Step::Arrive(count) => {
                for _ in 0..*count {
                    if let Some(answer) = self.pending.pop_front() {
                        answer.adopt(&mut self.view);
                    }
                }
            }
            Step::Release { places, count } => self.release(places, *count),
            Step::Collapse => self.view.collapse(),
        }
    }

    fn position(&self, place: u8) -> u64 {
        self.view.total() * u64::from(place) / 256
    }

    fn change(&mut self, changes: &[super::scenario::Change]) {
        let batch = self.model.change(changes);
        let next = self.model.snapshot();
        for answer in &mut self.pending {
            answer.apply(&self.view, &batch, &next);
        }
        let (ranks, verdicts) = (Ranks::default(), Verdicts::default());
        self.view
            .apply(&batch.changes, &verdicts, &ranks, &batch.previous)
            .unwrap();
    }

    fn queried(&self) -> Queried {
        Queried {
            rows: self.model.rows(),
            seen: self.model.snapshot(),
            order: self.model.order(),
            sizes: self.scenario.sizes,
            listed: self.scenario.listed,
        }
    }

    fn ask(&mut self, answer: Pending) {
        if self.pending.len() < PENDING_MAX {
            self.pending.push_back(answer);
        }
    }

    /// What a window does: asks for what is missing. Returns whether anything was.
    fn show(&mut self, range: &Range<u64>, margin: u64) -> bool {
        let Some(gap) = self.view.gap(range) else {
            return false;
        };
        assert!(gap.start >= range.start && gap.end <= range.end && !gap.is_empty());
        if let Some(need) = self.view.need(&gap, margin) {
            if let Need::Rows { count, .. } = need {
                assert!(count > 0);
            }
            let answer = self.queried().answer(&self.view, need);
            self.ask(answer);
        }
        true
    }

    fn release(&mut self, places: &[u8], count: u64) {
        let mut starts: Vec<u64> = places.iter().map(|&place| self.position(place)).collect();
        starts.sort_unstable();
        let mut wanted: Vec<Range<u64>> = Vec::new();
        for start in starts {
            match wanted.last_mut() {
                Some(last) if start <= last.end => last.end = start + count,
                _ => wanted.push(start..start + count),
            }
        }
        // In portions, as a server does that has others to serve.
        let portion = usize::try_from(count).unwrap().max(1);
        while self.view.release(&wanted, portion) >= portion {}
        let room: u64 = wanted.iter().map(|range| range.end - range.start).sum();
        assert!(
            self.view.held() as u64 <= room,
            "only what is wanted is held"
        );
    }

    /// Looks at some positions, others after every step; at all of them in the end.
    fn check(&self, step: usize, stride: usize) {
        let (rows, view) = (self.model.rows(), &self.view);
        view.check().unwrap();
        let total = rows.len() as u64;
        let known = view.known_until();
        if view.total_is_exact() {
            assert_eq!(view.total(), total, "total");
            assert_eq!(known, u64::MAX);
        }
        let known = (0..)
            .zip(&rows)
            .take_while(|(position, _)| *position < known);
        for (position, row) in known.skip(step % stride).step_by(stride) {
            self.check_position(position, row);
        }
        self.check_end(&rows);
    }

    /// A row that is held must be the right one.
    fn check_position(&self, position: u64, row: &Picked) {
        let (view, at) = (&self.view, position..position + 1);
        if let Some(gap) = view.gap(&at) {
            assert_eq!(gap, at);
            assert!(view.key_at(position).is_none());
            return;
        }
        assert_eq!(view.rows(&at), [row_of(*row)], "the row at {position}");
        let key = view.key_at(position).expect("a held row has a key");
        assert_eq!(view.rank(&key), position, "a row's rank is its position");
    }

    /// Rows held up to the end are the last ones, even if nobody knows their number.
    fn check_end(&self, rows: &[Picked]) {
        let total = self.view.total();
        for (back, row) in (1..=total).zip(rows.iter().rev()).take(CHECKED_AT_END) {
            let at = total - back..total - back + 1;
            if self.view.gap(&at).is_some() || at.start < self.view.known_until() {
                return;
            }
            assert_eq!(self.view.rows(&at), [row_of(*row)], "{back} before the end");
        }
    }

    /// Lets everything arrive, and proves that in the end every row can be shown.
    fn finish(mut self) {
        for _ in 0..SETTLING_ROUNDS {
            while let Some(answer) = self.pending.pop_front() {
                answer.adopt(&mut self.view);
            }
            if let Some(need) = self.view.undivided() {
                let answer = self.queried().answer(&self.view, need);
                self.ask(answer);
            } else if !self.show(&(0..self.view.total()), 0) {
                self.check(0, 1);
                assert_eq!(self.view.held(), self.model.rows().len());
                return;
            }
        }
        panic!(
            "rows are still missing: {:?}",
            self.view.gap(&(0..self.view.total()))
        );
    }
}
