//! One view: which rows, in which order, and how many before each.

mod needs;

use std::collections::HashMap;
use std::ops::Range;
use std::sync::Arc;

pub use self::needs::Need;
use crate::blocks::{Block, BlockList, Bound, Content, Drift, LoadedRow, Sizes};
use crate::chart::{Chart, ChartBlock};
use crate::effects::Effects;
use crate::order::{Key, KeyError, Order};
use crate::piece::{Fetched, Piece};
use crate::predicate::Predicate;
use crate::ranks::Ranks;
use crate::row::{RowKey, TableChanges, TableRow, Verdicts};
use crate::snapshot::Snapshot;
use crate::tally::Tally;

/// A view cannot follow its table any further and must be built anew.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ViewError {
    /// A row has no place in the view's order, or the filter cannot be decided.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// The counts do not add up.
    #[error(transparent)]
    Drift(#[from] Drift),
}

/// How many rows a view has, as far as is known when it is opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Total {
    /// They were counted.
    Exact(u64),
    /// The planner thinks so; a [`Tally`] or a [`Chart`] will tell.
    Estimate(u64),
}

/// The rows of a view: counted everywhere, held where someone looks.
#[derive(Clone, Debug)]
pub struct ViewIndex {
    order: Order,
    predicate: Predicate,
    blocks: BlockList,
    /// Where each held row stands.
    places: HashMap<RowKey, Key>,
    /// No index serves the view: blocks that are not loaded list their rows' keys.
    is_listed: bool,
    /// A tally counted it before a chart divided it.
    is_undivided: bool,
    /// Counts the changes of what the view holds or counts.
    revision: u64,
}

impl ViewIndex {
    /// A view of so many rows, of which none is held.
    pub fn new(order: Order, predicate: Predicate, total: Total, sizes: Sizes) -> Self {
        let (count, content) = match total {
            Total::Exact(total) => (i64::try_from(total).unwrap_or(i64::MAX), Content::Counted),
            Total::Estimate(expected) => (0, Content::Uncounted { expected }),
        };
        let all = Block {
            lower: Bound::Min,
            count,
            content,
        };
        Self {
            order,
            predicate,
            blocks: BlockList::new(vec![all], sizes),
            places: HashMap::new(),
            is_listed: false,
            is_undivided: false,
            revision: 0,
        }
    }

    /// Rows in the view; an estimate unless [`Self::total_is_exact`].
    pub fn total(&self) -> u64 {
        u64::try_from(self.blocks.total()).unwrap_or(0)
    }

    /// Whether every row is counted.
    pub fn total_is_exact(&self) -> bool {
        self.blocks.uncounted().is_none()
    }

    /// How many of the first positions are exact: all of them once the view is counted.
    pub fn known_until(&self) -> u64 {
        let uncounted = self.blocks.uncounted();
        uncounted.map_or(u64::MAX, |index| self.blocks.start_of(index))
    }

    /// Rows held in memory.
    pub fn held(&self) -> usize {
        self.places.len()
    }

    /// Memory that the view's division takes, in bytes; the held rows are not in it.
    pub fn bytes(&self) -> usize {
        self.blocks.bytes()
    }

    /// Blocks that the view is divided into.
    pub fn blocks(&self) -> usize {
        self.blocks.len()
    }

    /// Another number than before if a window on the view may show anything else. Most batches change most
    /// views in nothing: whoever has seen this revision need not look again.
    pub fn revision(&self) -> u64 {
        self.revision
    }

    /// The view's order.
    pub fn order(&self) -> &Order {
        &self.order
    }

    /// The view's filter.
    pub fn predicate(&self) -> &Predicate {
        &self.predicate
    }

    /// How many rows stand before a key that was read from a held row.
    pub fn rank(&self, key: &Key) -> u64 {
        self.blocks.rank(&self.order, key)
    }

    /// The key of the held row at a position.
    pub fn key_at(&self, position: u64) -> Option<Key> {
        self.blocks
            .rows(&(position..position + 1))
            .first()
            .map(|loaded| loaded.key.clone())
    }

    /// The part of a range of positions that is not held, from its first missing row to its last. While the
    /// total is an estimate, positions behind it are missing too.
    pub fn gap(&self, range: &Range<u64>) -> Option<Range<u64>> {
        let gap = self.blocks.gap(range);
        let total = self.total();
        if range.end <= total.max(range.start) || self.total_is_exact() {
            return gap;
        }
        let start = gap.map_or(total.max(range.start), |gap| gap.start);
        Some(start..range.end)
    }

    /// The rows at a range of positions that has no [gap](Self::gap).
    pub fn rows(&self, range: &Range<u64>) -> Vec<Arc<TableRow>> {
        self.blocks
            .rows(range)
            .into_iter()
            .map(|loaded| loaded.row.clone())
            .collect()
    }

    /// Applies a batch, except for what a state that had `seen` this much already contains.
    ///
    /// # Errors
    /// If a row has no key, or a count no longer agrees with the rows held; the view must then be rebuilt.
    pub fn apply(
        &mut self,
        changes: &TableChanges,
        verdicts: &Verdicts,
        ranks: &Ranks,
        seen: &Snapshot,
    ) -> Result<(), ViewError> {
        let effects = self.effects((changes, verdicts), ranks, seen)?;
        Ok(self.put(effects)?)
    }

    /// Counts and holds what came, and no longer what went. At the end the counts and the rows of every
    /// block that was touched agree again, which is proved here.
    fn put(&mut self, effects: Effects) -> Result<(), Drift> {
        let concerns =
            |(key, row): &(RowKey, Option<_>)| row.is_some() || self.places.contains_key(key);
        if effects.sides.is_empty() && !effects.current.iter().any(concerns) {
            return Ok(());
        }
        self.revision += 1;
        let mut touched = Vec::with_capacity(effects.sides.len() + effects.current.len());
        for side in &effects.sides {
            let index = self.blocks.index_of(&self.order, &side.key);
            touched.push(index);
            self.blocks.count(index, side.difference);
            if side.difference < 0
                && let Content::Listed(keys) = self.blocks.content(index)
            {
                keys.remove(&side.row);
            }
        }
        // All go before any comes: two texts of one key (1.0 and 1.00) may change places.
        for (key, _) in &effects.current {
            touched.extend(self.remove(key));
        }
        for (key, present) in effects.current {
            if let Some(row) = present {
                touched.push(self.insert(&key, row));
            }
        }
        let agrees = |index: usize| self.blocks.get(index).is_some_and(Block::agrees);
        if touched.into_iter().all(agrees) {
            Ok(())
        } else {
            Err(Drift)
        }
    }

    /// Replaces the filter by another one. Among `rows`, which are as they are in this view's state, must be
    /// all those that are in only one of the two views; sides do not matter.
    ///
    /// # Errors
    /// If a row has no key, one of the filters cannot be decided, or the counts do not add up; the view must
    /// then be rebuilt.
    pub fn advance(
        &mut self,
        predicate: Predicate,
        rows: &TableChanges,
        verdicts: &Verdicts,
        ranks: &Ranks,
    ) -> Result<(), ViewError> {
        let filters = (&self.predicate, &predicate);
        let effects = Effects::between(filters, &self.order, (rows, verdicts), ranks)?;
        self.put(effects)?;
        self.predicate = predicate;
        Ok(())
    }

    fn effects(
        &self,
        changes: (&TableChanges, &Verdicts),
        ranks: &Ranks,
        seen: &Snapshot,
    ) -> Result<Effects, KeyError> {
        Effects::new((&self.order, &self.predicate), changes, ranks, seen)
    }

    /// Holds a row no longer, if it did; returns the index of its block.
    fn remove(&mut self, key: &RowKey) -> Option<usize> {
        let place = self.places.remove(key)?;
        let (order, index) = (&self.order, self.blocks.index_of(&self.order, &place));
        if let Content::Loaded(rows) = self.blocks.content(index) {
            let at = rows.partition_point(|held| order.compare(&held.key, &place).is_lt());
            rows.remove(at);
        }
        Some(index)
    }

    /// Holds a row if it falls among the held ones, or lists it; returns the index of its block.
    fn insert(&mut self, key: &RowKey, row: LoadedRow) -> usize {
        let (order, index) = (&self.order, self.blocks.index_of(&self.order, &row.key));
        match self.blocks.content(index) {
            Content::Loaded(rows) => {
                let at = rows.partition_point(|held| order.compare(&held.key, &row.key).is_lt());
                self.places.insert(key.clone(), row.key.clone());
                rows.insert(at, row);
            }
            Content::Listed(keys) => keys.insert(key),
            Content::Counted | Content::Uncounted { .. } => {}
        }
        index
    }

    /// Proves that the counts and the held rows of all blocks agree, in O(blocks). Every change proves
    /// it of the blocks that it touches.
    ///
    /// # Errors
    /// [`Drift`] if not.
    pub fn check(&self) -> Result<(), Drift> {
        if self.blocks.iter().all(Block::agrees) {
            Ok(())
        } else {
            Err(Drift)
        }
    }

    /// Fetched rows, to be [brought](Self::bring) to this view's state and [adopted](Self::adopt).
    ///
    /// # Errors
    /// If a row has no key.
    pub fn piece(&self, fetched: Fetched, ranks: &Ranks) -> Result<Piece, KeyError> {
        Piece::new(fetched, &self.order, ranks)
    }

    /// Applies a batch to a piece whose query had `seen` this much.
    ///
    /// # Errors
    /// If a row has no key.
    pub fn bring(
        &self,
        piece: &mut Piece,
        changes: (&TableChanges, &Verdicts),
        ranks: &Ranks,
        seen: &Snapshot,
    ) -> Result<(), KeyError> {
        piece.apply(&self.effects(changes, ranks, seen)?, &self.order);
        Ok(())
    }

    /// Holds the rows of a piece that shows the same state as this view; `false` if the view has no place
    /// for them any more.
    ///
    /// # Errors
    /// [`Drift`] if the two disagree.
    pub fn adopt(&mut self, piece: Piece) -> Result<bool, Drift> {
        let Some(rows) = piece.adopt(&mut self.blocks, &self.order)? else {
            return Ok(false);
        };
        let places = rows
            .into_iter()
            .map(|held| (held.row.key.clone(), held.key));
        self.places.extend(places);
        self.revision += 1;
        Ok(true)
    }

    /// A division of the keys from one bound up to another, to be [brought](Self::bring_chart) to this view's
    /// state and [adopted](Self::adopt_chart).
    ///
    /// # Errors
    /// If a block's first row has no key.
    pub fn chart(
        &self,
        range: (Bound, Option<Bound>),
        blocks: Vec<ChartBlock>,
        ranks: &Ranks,
    ) -> Result<Chart, KeyError> {
        Chart::new(range, blocks, &self.order, ranks, self.blocks.sizes())
    }

    /// Applies a batch to a chart whose queries had `seen` this much.
    ///
    /// # Errors
    /// If a row has no key.
    pub fn bring_chart(
        &self,
        chart: &mut Chart,
        changes: (&TableChanges, &Verdicts),
        ranks: &Ranks,
        seen: &Snapshot,
    ) -> Result<(), KeyError> {
        chart.apply(&self.effects(changes, ranks, seen)?, &self.order);
        Ok(())
    }

    /// Divides the view as a chart that shows the same state says; `false` if there was nothing to divide.
    ///
    /// # Errors
    /// [`Drift`] if the two disagree.
    pub fn adopt_chart(&mut self, chart: Chart) -> Result<bool, Drift> {
        let is_listed = chart.is_listed();
        let adopted = chart.adopt(&mut self.blocks, &self.order)?;
        self.is_listed |= adopted && is_listed;
        self.is_undivided &= !adopted;
        self.revision += u64::from(adopted);
        Ok(adopted)
    }

    /// The number of all rows, to be [brought](Self::bring_tally) to this view's state and
    /// [adopted](Self::adopt_tally).
    pub fn tally(&self, count: u64) -> Tally {
        Tally::new(count)
    }

    /// Applies a batch to a tally whose query had `seen` this much.
    ///
    /// # Errors
    /// If a row has no key.
    pub fn bring_tally(
        &self,
        tally: &mut Tally,
        changes: (&TableChanges, &Verdicts),
        ranks: &Ranks,
        seen: &Snapshot,
    ) -> Result<(), KeyError> {
        tally.apply(&self.effects(changes, ranks, seen)?);
        Ok(())
    }

    /// Makes the total exact by a tally that shows the same state; `false` if it was.
    ///
    /// # Errors
    /// [`Drift`] if the two disagree.
    pub fn adopt_tally(&mut self, tally: Tally) -> Result<bool, Drift> {
        let adopted = tally.adopt(&mut self.blocks)?;
        self.is_undivided |= adopted;
        self.revision += u64::from(adopted);
        Ok(adopted)
    }

    /// Lets go of the rows that are not at the `wanted` positions (ascending, not overlapping), or of about
    /// `enough` of them. Returns how many rows it were: fewer than `enough` if all are gone.
    pub fn release(&mut self, wanted: &[Range<u64>], enough: usize) -> usize {
        let released = self.blocks.release(wanted, self.is_listed, enough);
        for loaded in &released {
            self.places.remove(&loaded.row.key);
        }
        self.revision += u64::from(!released.is_empty());
        released.len()
    }

    /// Forgets how the rows that are not held are divided, to free memory: they stay counted, and what is
    /// shown stays shown, but the next jump must have its part of the view charted again.
    pub fn collapse(&mut self) {
        self.blocks.collapse();
        self.is_listed = false;
        self.is_undivided = false;
        self.revision += 1;
    }
}
