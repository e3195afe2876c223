//! What one client is sent of a summary.

use std::collections::HashMap;
use std::sync::Arc;

use protocol::{Generation, Row, RowOp, SummaryId, SummaryUpdate, UpdateNumber, Value, Version};

use super::index::SummaryIndex;

/// Messages a client may not have acknowledged: one, and one more for a move, which never waits.
const UNACKNOWLEDGED_MAX: u64 = 1;

/// The groups of a summary that one client shows, and what it has been sent of them.
#[derive(Debug)]
pub struct ShownGroups {
    id: SummaryId,
    generation: Generation,
    start: u64,
    count: u32,
    /// The client's last move has not been answered.
    moved: bool,
    /// `None`: the client holds nothing.
    sent: Option<Sent>,
    number: UpdateNumber,
    acknowledged: UpdateNumber,
    /// When the oldest change was made that no message contains.
    changed_at_micros: Option<i64>,
}

/// What the client holds.
#[derive(Debug)]
struct Sent {
    version: Version,
    start: u64,
    groups: u64,
    rows: u64,
    shown: Vec<SentGroup>,
}

#[derive(Clone, Debug)]
struct SentGroup {
    key: Arc<[Value]>,
    cells: Arc<[Value]>,
}

impl ShownGroups {
    /// `count` groups from a position on.
    pub fn new(id: SummaryId, generation: Generation, start: u64, count: u32) -> Self {
        Self {
            id,
            generation,
            start,
            count,
            moved: true,
            sent: None,
            number: 0,
            acknowledged: 0,
            changed_at_micros: None,
        }
    }

    /// The summary's number on its socket.
    pub fn id(&self) -> SummaryId {
        self.id
    }

    /// Shows other groups. Ignored if a later move is known.
    pub fn move_to(&mut self, generation: Generation, start: u64, count: u32) {
        if generation > self.generation {
            self.generation = generation;
            self.start = start;
            self.count = count;
            self.moved = true;
        }
    }

    /// The client has applied this message and all before it.
    pub fn acknowledge(&mut self, number: UpdateNumber) {
        self.acknowledged = self.acknowledged.max(number.min(self.number));
    }

    /// Something in the summary changed, at this time by PostgreSQL's clock.
    pub fn changed(&mut self, at_micros: Option<i64>) {
        self.changed_at_micros = match (self.changed_at_micros, at_micros) {
            (Some(a), Some(b)) => Some(a.min(b)),
            (a, b) => a.or(b),
        };
    }

    /// What the client holds no longer means anything: the keys or the values are others.
    pub fn reset(&mut self) {
        self.sent = None;
    }

    /// The message that brings the client to the summary as it is, at `version`; `None` if it holds that, or
    /// has not acknowledged enough, or extreme values are [in doubt](SummaryIndex::is_in_doubt).
    pub fn refresh(&mut self, index: &SummaryIndex, version: &Version) -> Option<SummaryUpdate> {
        let allowed = UNACKNOWLEDGED_MAX + u64::from(self.moved);
        if index.is_in_doubt() || self.number - self.acknowledged >= allowed {
            return None;
        }
        let groups = index.len() as u64;
        let start = self.start.min(groups);
        let from = usize::try_from(start).unwrap_or(usize::MAX);
        let shown = index
            .groups(from, usize::try_from(self.count).unwrap_or(usize::MAX))
            .map(|(key, cells)| SentGroup {
                key: key.clone(),
                cells: cells.clone(),
            });
        let now = Sent {
            version: version.clone(),
            start,
            groups,
            rows: index.rows(),
            shown: shown.collect(),
        };
        if !self.moved
            && self
                .sent
                .as_ref()
                .is_some_and(|sent| sent.shows_the_same(&now))
        {
            self.changed_at_micros = None;
            return None;
        }
        Some(self.message(now))
    }

    fn message(&mut self, now: Sent) -> SummaryUpdate {
        self.number += 1;
        self.moved = false;
        let before = self.sent.take();
        let held = before.as_ref().map_or(&[][..], |sent| &sent.shown);
        let rows_shown = |group: &SentGroup| match group.cells.first() {
            Some(Value::Int(rows)) => u64::try_from(*rows).unwrap_or(0),
            _ => 0,
        };
        let message = SummaryUpdate {
            summary: self.id,
            generation: self.generation,
            number: self.number,
            to: now.version.clone(),
            start: now.start,
            groups: now.groups,
            rows: now.rows,
            rest: now
                .rows
                .saturating_sub(now.shown.iter().map(rows_shown).sum()),
            shown: diff(held, &now.shown),
            from: before.map(|sent| sent.version),
            changed_at_micros: self.changed_at_micros.take(),
        };
        self.sent = Some(now);
        message
    }
}

impl Sent {
    fn shows_the_same(&self, now: &Self) -> bool {
        let same = |(a, b): (&SentGroup, &SentGroup)| a.key == b.key && a.cells == b.cells;
        (self.start, self.groups, self.rows) == (now.start, now.groups, now.rows)
            && self.shown.len() == now.shown.len()
            && self.shown.iter().zip(&now.shown).all(same)
    }
}

/// The groups of now, written in terms of those before.
fn diff(before: &[SentGroup], now: &[SentGroup]) -> Vec<RowOp> {
    let by_key: HashMap<&[Value], usize> = (0..)
        .zip(before)
        .map(|(index, sent)| (&*sent.key, index))
        .collect();
    let mut ops = Vec::new();
    for group in now {
        let Some(&index) = by_key.get(&*group.key) else {
            ops.push(RowOp::Row(Row {
                key: group.key.to_vec(),
                cells: group.cells.to_vec(),
            }));
            continue;
        };
        let held = &before[index].cells;
        let cells: Vec<(u32, Value)> = (0..)
            .zip(held.iter().zip(group.cells.iter()))
            .filter(|(_, (a, b))| a != b)
            .map(|(at, (_, value))| (at, value.clone()))
            .collect();
        keep(&mut ops, u32::try_from(index).unwrap_or(u32::MAX), cells);
    }
    ops
}

fn keep(ops: &mut Vec<RowOp>, index: u32, cells: Vec<(u32, Value)>) {
    if !cells.is_empty() {
        ops.push(RowOp::Patch { from: index, cells });
    } else if let Some(RowOp::Keep { from, count }) = ops.last_mut()
        && *from + *count == index
    {
        *count += 1;
    } else {
        ops.push(RowOp::Keep {
            from: index,
            count: 1,
        });
    }
}
