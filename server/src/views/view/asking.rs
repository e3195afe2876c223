//! What a view asks of PostgreSQL, and what of it is under way.

use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use protocol::{ErrorCode, Progress, ServerMsg, ViewSpec};
use tokio::sync::watch;
use tokio::task::AbortHandle;
use view_index::{Need, Origin, Sizes, ViewIndex};

use super::{ClientWindow, Uncountable, View};
use crate::changes::Mark;
use crate::limits::{FETCH_MARGIN, FETCHES_PER_VIEW_MAX};
use crate::views::fetching::{Asked, Kind, Question};

/// A query under way.
#[derive(Debug)]
pub(super) struct UnderWay {
    question: Question,
    /// Ends it, once it runs.
    abort: Option<AbortHandle>,
    /// Tells the table that a count or a chart is under way.
    _counting: Option<Arc<()>>,
    /// Gone with it: what waits for it sees that.
    ended: watch::Sender<()>,
}

impl View {
    /// Whether nothing is known of it, and nothing asked that is still of use.
    pub fn is_blank(&self) -> bool {
        let is_of_use = |asked: &UnderWay| asked.question.life == self.life;
        self.index.is_none() && !self.under_way.iter().any(is_of_use)
    }

    /// Whether it is being counted or divided.
    pub fn is_counting(&self) -> bool {
        let is_rows = |asked: &UnderWay| asked.question.what.kind() == Kind::Rows;
        !self.under_way.iter().all(is_rows)
    }

    /// Whether it is being divided.
    pub fn is_charting(&self) -> bool {
        self.under_way(Kind::Chart).next().is_some()
    }

    fn under_way(&self, kind: Kind) -> impl Iterator<Item = &UnderWay> {
        let is_of_kind = move |asked: &&UnderWay| asked.question.what.kind() == kind;
        self.under_way.iter().filter(is_of_kind)
    }

    /// Remembers how to end a query that has begun.
    pub fn began(&mut self, number: u64, abort: AbortHandle) {
        let asked = |asked: &&mut UnderWay| asked.question.number == number;
        if let Some(asked) = self.under_way.iter_mut().find(asked) {
            asked.abort = Some(abort);
        }
    }

    /// A query has ended.
    pub fn answered(&mut self, question: &Question) {
        let is_other = |asked: &UnderWay| asked.question.number != question.number;
        self.under_way.retain(is_other);
    }

    pub(super) fn break_off_counts(&mut self) {
        self.break_off(|kind| kind != Kind::Rows);
    }

    /// The division has told the total: counting the rows is of no use any more.
    pub fn break_off_count(&mut self) {
        self.break_off(|kind| kind == Kind::Count);
    }

    fn break_off(&mut self, is_meant: impl Fn(Kind) -> bool) {
        self.under_way.retain(|asked| {
            let is_meant = is_meant(asked.question.what.kind());
            if is_meant && let Some(abort) = &asked.abort {
                abort.abort();
            }
            !is_meant
        });
    }

    /// Tells the clients how far the count has come: the chart's, since one statement says nothing before its end.
    pub fn tell_progress(&self) {
        let is_exact = self.index.as_ref().is_some_and(ViewIndex::total_is_exact);
        let chart = self.under_way.iter().find_map(|asked| {
            let Asked::Chart {
                expected, counted, ..
            } = &asked.question.what
            else {
                return None;
            };
            Some((counted.load(Ordering::Relaxed), *expected))
        });
        let Some((counted, expected)) = chart.filter(|_| !is_exact) else {
            return;
        };
        for shown in self.windows.values() {
            shown.client.send(ServerMsg::Progress(Progress {
                window: shown.window.id(),
                counted,
                expected: expected.max(counted),
            }));
        }
    }

    /// The first queries: the first window's rows, with the total or an estimate; and the total, where that is no
    /// part of the other.
    pub(super) fn first_question(&mut self) -> Vec<Question> {
        let Some((_, ClientWindow { window, .. })) = self.windows.first_key_value() else {
            return Vec::new();
        };
        let start = window
            .requested()
            .map(|range| range.start.saturating_sub(FETCH_MARGIN));
        let above = window
            .requested()
            .map_or(0, |range| range.start - start.unwrap_or(0));
        let count = above + u64::from(window.count()) + FETCH_MARGIN;
        let expected = Arc::new(watch::Sender::default());
        let first = Some(expected.subscribe());
        let mut questions: Vec<Question> = Vec::new();
        questions.extend(self.question(Asked::First {
            start,
            count,
            expected,
        }));
        if !questions.is_empty() && !self.is_untallied {
            questions.extend(self.question(Asked::Count { first }));
        }
        questions
    }

    /// The query for a gap and so many rows around it; so many `last` rows are wanted, if it is at the view's end.
    pub(super) fn ask_for(
        &mut self,
        (gap, margin): (&Range<u64>, u64),
        last: Option<u64>,
        mark: &Mark,
    ) -> Option<Question> {
        let index = self.index.as_ref()?;
        let need = index.need(gap, margin);
        let waits = matches!(need, None | Some(Need::Chart { .. }));
        // Last rows need no numbers.
        if let Some(count) = last.filter(|_| waits || !index.total_is_exact()) {
            return self.question(Asked::Rows {
                origin: Origin::End,
                count: count + FETCH_MARGIN,
                position: u64::MAX,
            });
        }
        if waits && let Some(Uncountable { message, .. }) = &self.uncountable {
            let message = message.clone();
            self.refuse(Some(gap), ErrorCode::NoIndex, &message);
            return None;
        }
        self.question(Asked::of(need?, &mark.snapshot))
    }

    /// The query that counts the view, unless it is counted or cannot be.
    pub(super) fn ask_for_count(&mut self) -> Option<Question> {
        let is_exact = self.index.as_ref()?.total_is_exact();
        if is_exact || self.windows.is_empty() || self.is_untallied {
            return None;
        }
        self.question(Asked::Count { first: None })
    }

    /// The query that divides the view, unless it is divided or cannot be. If nobody waits for that, it lets a
    /// count go first that is quick.
    pub(super) fn ask_for_chart(&mut self, mark: &Mark, is_awaited: bool) -> Option<Question> {
        if self.windows.is_empty() || self.uncountable.is_some() {
            return None;
        }
        let need = self.index.as_ref()?.undivided()?;
        let mut what = Asked::of(need, &mark.snapshot);
        if let Asked::Chart {
            expected, after, ..
        } = &mut what
            && let Some(count) = self.under_way(Kind::Count).next()
        {
            // So few need no division, once it is known that they are few.
            if *expected <= Sizes::default().skipped_max {
                return None;
            }
            *after = (!is_awaited).then(|| count.ended.subscribe());
        }
        self.question(what)
    }

    /// The question, unless its answer is under way or enough others are.
    fn question(&mut self, what: Asked) -> Option<Question> {
        let kind = what.kind();
        let room = match kind {
            Kind::Rows if self.index.is_some() => FETCHES_PER_VIEW_MAX,
            Kind::Rows | Kind::Count | Kind::Chart => 1,
        };
        let is_asked = |asked: &UnderWay| asked.question.what.overlaps(&what);
        if self.under_way(kind).count() >= room || self.under_way(kind).any(is_asked) {
            return None;
        }
        self.questions += 1;
        let question = Question {
            view: self.id,
            life: self.life,
            number: self.questions,
            spec: self.spec_for(&what),
            what,
        };
        let counting = match kind {
            Kind::Rows => None,
            Kind::Count | Kind::Chart => self.charts.upgrade(),
        };
        self.under_way.push(UnderWay {
            question: question.clone(),
            abort: None,
            _counting: counting,
            ended: watch::Sender::default(),
        });
        Some(question)
    }

    /// What the first of its clients had asked for, for questions that may be refused for want of an index.
    fn spec_for(&self, what: &Asked) -> Option<Box<ViewSpec>> {
        let is_chart = what.kind() == Kind::Chart;
        let shown = self.windows.values().next().filter(|_| is_chart)?;
        Some(Box::new(shown.spec.clone()))
    }
}
