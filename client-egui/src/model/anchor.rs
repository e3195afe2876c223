//! Keeping what is being read in place while rows come and go above it.

use std::sync::Arc;

use protocol::Value;

use super::RowEntry;

/// How many rows on each side of the anchor are asked whether it was the anchor that moved.
const WITNESSES: usize = 4;

/// A contiguous range of a view's rows.
#[derive(Clone, Debug, Default)]
pub(super) struct HeldRows {
    /// The position in the view of the first row.
    pub(super) start: u64,
    pub(super) rows: Arc<Vec<Arc<RowEntry>>>,
}

impl HeldRows {
    pub(super) fn at(&self, position: u64) -> Option<&RowEntry> {
        let index = usize::try_from(position.checked_sub(self.start)?).ok()?;
        self.rows.get(index).map(|row| &**row)
    }

    /// The position behind the last row.
    pub(super) fn end(&self) -> u64 {
        self.start + self.rows.len() as u64
    }

    pub(super) fn position_of(&self, key: &[Value]) -> Option<u64> {
        let index = self.rows.iter().position(|row| row.key == key)?;
        Some(self.start + index as u64)
    }
}

/// Where the place that `key` marked at `position` before is after: at the same row, unless that one
/// is gone or has itself moved against its neighbours; then at its nearest neighbour that is left.
pub(super) fn follow(before: &HeldRows, after: &HeldRows, key: &[Value], position: u64) -> u64 {
    let Some(old) = before.position_of(key) else {
        return after.position_of(key).unwrap_or(position);
    };
    let index = (old - before.start) as usize;
    let survivors = |rows: &mut dyn Iterator<Item = &Arc<RowEntry>>| -> Vec<u64> {
        rows.filter_map(|row| after.position_of(&row.key))
            .take(WITNESSES)
            .collect()
    };
    let below = survivors(&mut before.rows[index + 1..].iter());
    let above = survivors(&mut before.rows[..index].iter().rev());
    if let Some(new) = after.position_of(key) {
        let passed_below = below.iter().filter(|below| **below < new).count();
        let passed_above = above.iter().filter(|above| **above > new).count();
        if passed_below * 2 <= below.len() && passed_above * 2 <= above.len() {
            return new;
        }
    }
    match (below.first(), above.first()) {
        (Some(next), _) => *next,
        (None, Some(previous)) => *previous,
        (None, None) => position,
    }
}
