//! Relative dates: a view stands at an instant, which advances in steps.
//!
//! What such a test holds always contains what it would hold at the present moment: it is wider by what is
//! left of the step, or was over of it. So a row that is written now is seen now.

use protocol::{ColumnKind, FilterOp, Version};
use sqlx::postgres::PgPool;

use super::Plan;
use crate::changes::Mark;
use crate::db::catalog::TableDef;
use crate::db::query::Condition;
use crate::db::relative::{Span, bounds};

/// A relative date in a view's filter.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Relative {
    /// The column's place in the table.
    pub(super) column: usize,
    pub(super) kind: ColumnKind,
    /// In the future, not in the past.
    pub(super) is_next: bool,
    /// How far, as PostgreSQL writes it.
    pub(super) interval: String,
    /// Seconds between two instants that it is looked at.
    pub(super) step: i64,
}

impl Relative {
    /// A relative date of so many seconds, more or less.
    pub(super) fn new(
        column: usize,
        kind: ColumnKind,
        is_next: bool,
        interval: String,
        seconds: f64,
    ) -> Self {
        let step = match kind {
            ColumnKind::Date => DAY,
            _ => step(seconds),
        };
        Self {
            column,
            kind,
            is_next,
            interval,
            step,
        }
    }

    /// The step that a second is in.
    pub(super) fn instant(&self, second: i64) -> i64 {
        second - second.rem_euclid(self.step)
    }

    /// What it means at a second.
    pub(super) fn span(&self, second: i64) -> Span {
        let from = self.instant(second);
        // A day is in the past, the present and the future at once: it needs no room for the rest of it.
        let until = match self.kind {
            ColumnKind::Date => from,
            _ => from + self.step,
        };
        Span {
            kind: self.kind,
            is_next: self.is_next,
            interval: self.interval.clone(),
            from,
            until,
        }
    }
}

impl Plan {
    /// Whether it has relative dates: a view of it moves with time.
    pub fn is_relative(&self) -> bool {
        !self.relatives.is_empty()
    }

    /// What names the rows that it has in this state.
    pub fn version(&self, mark: &Mark) -> Version {
        if self.is_relative() {
            mark.version_at(self.second)
        } else {
            mark.version()
        }
    }

    /// The second since 1970 that its relative dates stand at; `None` if it has none.
    pub fn stands_at(&self) -> Option<i64> {
        self.is_relative().then_some(self.second)
    }

    /// Whether its relative dates stand elsewhere at this second, since 1970.
    pub fn is_behind(&self, second: i64) -> bool {
        let moves = |it: &Relative| it.instant(second) != it.instant(self.second);
        second > self.second && self.relatives.iter().any(moves)
    }

    /// The same at another second: one statement.
    ///
    /// # Errors
    /// If PostgreSQL cannot be asked.
    pub async fn at(
        &self,
        second: i64,
        table: &TableDef,
        pool: &PgPool,
    ) -> Result<Self, sqlx::Error> {
        let spans: Vec<Span> = self.relatives.iter().map(|it| it.span(second)).collect();
        let mut there = self.clone();
        there.second = second;
        there.bounds = bounds(pool, &spans).await?;
        there.condition = there.in_sql(table);
        Ok(there)
    }

    /// The rows that may be in one and not in the other of two views that only time divides: those between
    /// their bounds, by ranges of the columns.
    pub fn between(&self, later: &Self, table: &TableDef) -> Condition {
        let dates = self.relatives.iter().zip(&self.bounds).zip(&later.bounds);
        let ranges = dates.flat_map(|((relative, old), new)| {
            let range = |from: &String, to: &String| {
                let ends = [from.clone(), to.clone()];
                Condition::test(table, relative.column, FilterOp::WithinLast, &ends)
            };
            [range(&old.lower, &new.lower), range(&old.upper, &new.upper)]
        });
        let moved = Condition::join(ranges.collect(), false);
        let either = vec![self.condition.clone(), later.condition.clone()];
        Condition::join(vec![moved, Condition::join(either, false)], true)
    }
}

const HOUR: f64 = 3_600.0;
const DAY: i64 = 86_400;

/// How often a relative date of so many seconds is looked at: at least 360 times in its length.
fn step(seconds: f64) -> i64 {
    if seconds <= HOUR {
        1
    } else if seconds <= 24.0 * HOUR {
        10
    } else if seconds <= 31.0 * 24.0 * HOUR {
        60
    } else {
        600
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_span_contains_the_present_step() {
        let span = |kind, seconds, second| {
            let relative = Relative::new(0, kind, false, "P1D".into(), seconds);
            let span = relative.span(second);
            (span.from, span.until)
        };
        assert_eq!(span(ColumnKind::TimestampTz, 60.0, 1_003), (1_003, 1_004));
        assert_eq!(span(ColumnKind::Timestamp, 86_400.0, 1_003), (1_000, 1_010));
        assert_eq!(span(ColumnKind::TimestampTz, 86_401.0, 1_003), (960, 1_020));
        assert_eq!(span(ColumnKind::TimestampTz, 1e8, 1_003), (600, 1_200));
        assert_eq!(span(ColumnKind::Date, 1e8, 86_401), (86_400, 86_400));
        assert_eq!(span(ColumnKind::TimestampTz, 60.0, -1), (-1, 0));
        assert_eq!(span(ColumnKind::TimestampTz, 86_400.0, -1), (-10, 0));
    }
}
