//! One view: which rows, in which order, and how many before each.

use std::collections::HashMap;
use std::ops::Range;
use std::sync::Arc;

use crate::blocks::{Block, BlockList, Bound, Drift, LoadedRow};
use crate::order::{Key, KeyError, Order};
use crate::predicate::Predicate;
use crate::ranks::Ranks;
use crate::row::{RowKey, TableChanges, TableRow, Verdicts};
use crate::snapshot::Snapshot;

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

/// Rows of a view as one query returned them.
#[derive(Clone, Debug)]
pub struct Fetched {
    /// The position of the first row, in the view at the query's snapshot.
    pub start: u64,
    /// The rows, in the view's order.
    pub rows: Vec<Arc<TableRow>>,
    /// Whether the view ends with the last of them.
    pub reached_end: bool,
}

/// The rows of a view: counted everywhere, held where someone looks.
#[derive(Clone, Debug)]
pub struct ViewIndex {
    order: Order,
    predicate: Predicate,
    blocks: BlockList,
    /// Where each held row stands.
    places: HashMap<RowKey, Key>,
}

impl ViewIndex {
    /// A view of `total` rows, of which some were fetched at the same snapshot.
    ///
    /// # Errors
    /// If a fetched row has no key.
    pub fn new(
        order: Order,
        predicate: Predicate,
        fetched: Fetched,
        total: u64,
        ranks: &Ranks,
    ) -> Result<Self, ViewError> {
        let mut view = Self::build(order, predicate, fetched, ranks)?;
        view.set_total(total)?;
        Ok(view)
    }

    /// The same view as another query saw it, to be caught up and then [adopted](Self::adopt). How many
    /// rows come after the fetched ones is not known, so totals of a piece mean nothing.
    ///
    /// # Errors
    /// If a fetched row has no key.
    pub fn piece(&self, fetched: Fetched, ranks: &Ranks) -> Result<Self, ViewError> {
        Self::build(self.order.clone(), self.predicate.clone(), fetched, ranks)
    }

    fn build(
        order: Order,
        predicate: Predicate,
        fetched: Fetched,
        ranks: &Ranks,
    ) -> Result<Self, ViewError> {
        let Fetched {
            start,
            rows,
            reached_end,
        } = fetched;
        let mut loaded = Vec::with_capacity(rows.len());
        for row in rows {
            loaded.push(LoadedRow {
                key: order.key(&row, ranks)?,
                row,
            });
        }
        let places = loaded
            .iter()
            .map(|row| (row.row.key.clone(), row.key.clone()))
            .collect();
        let counted = |lower, count| Block {
            lower,
            count,
            rows: None,
        };
        let start = i64::try_from(start).map_err(|_| Drift)?;
        let mut blocks = Vec::with_capacity(3);
        let ends = loaded
            .first()
            .zip(loaded.last())
            .map(|(a, b)| (a.key.clone(), b.key.clone()));
        match ends {
            Some((first, last)) => {
                let lower = if start > 0 {
                    Bound::At(first)
                } else {
                    Bound::Min
                };
                if start > 0 {
                    blocks.push(counted(Bound::Min, start));
                }
                let count = i64::try_from(loaded.len()).map_err(|_| Drift)?;
                blocks.push(Block {
                    lower,
                    count,
                    rows: Some(loaded),
                });
                if !reached_end {
                    blocks.push(counted(Bound::After(last), 0));
                }
            }
            // The view was empty.
            None if start == 0 && reached_end => {
                blocks.push(Block {
                    lower: Bound::Min,
                    count: 0,
                    rows: Some(Vec::new()),
                });
            }
            // It ended before `start`, or no rows were asked for: nothing is known of it but its total.
            None => blocks.push(counted(Bound::Min, 0)),
        }
        Ok(Self {
            order,
            predicate,
            blocks: BlockList::new(blocks),
            places,
        })
    }

    fn set_total(&mut self, total: u64) -> Result<(), Drift> {
        let missing = i64::try_from(total).map_err(|_| Drift)? - self.blocks.total();
        let mut blocks: Vec<Block> = self.blocks.iter().cloned().collect();
        match blocks.last_mut() {
            Some(last) if last.rows.is_none() && missing >= 0 => last.count += missing,
            _ if missing == 0 => {}
            _ => return Err(Drift),
        }
        self.blocks = BlockList::new(blocks);
        Ok(())
    }

    /// Rows in the view.
    pub fn total(&self) -> u64 {
        u64::try_from(self.blocks.total()).unwrap_or(0)
    }

    /// Rows held in memory.
    pub fn held(&self) -> usize {
        self.places.len()
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

    /// The part of a range of positions that is not held, from its first missing row to its last.
    pub fn gap(&self, range: &Range<u64>) -> Option<Range<u64>> {
        self.blocks.gap(range)
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
    /// Counts are kept by summing images, which works in any order; held rows are replaced by what
    /// each is at the end of the batch. After the last batch that the state did not cover the two agree
    /// again, which [`Self::check`] proves.
    ///
    /// # Errors
    /// If a row has no key; the view must then be rebuilt.
    pub fn apply(
        &mut self,
        changes: &TableChanges,
        verdicts: &Verdicts,
        ranks: &Ranks,
        seen: &Snapshot,
    ) -> Result<(), ViewError> {
        for (index, side) in changes.sides.iter().enumerate() {
            if seen.sees(side.xid)
                || !self
                    .predicate
                    .holds(&side.row, verdicts.side(index), ranks)?
            {
                continue;
            }
            let key = self.order.key(&side.row, ranks)?;
            let block = self.blocks.block_of(&self.order, &key);
            block.count += if side.appeared { 1 } else { -1 };
        }
        // All go before any comes: two texts of one key (1.0 and 1.00) may change places.
        for (key, _) in &changes.current {
            self.remove(key);
        }
        for (index, (_, row)) in changes.current.iter().enumerate() {
            if let Some(row) = row
                && self.predicate.holds(row, verdicts.current(index), ranks)?
            {
                self.insert(row.clone(), ranks)?;
            }
        }
        Ok(())
    }

    fn remove(&mut self, key: &RowKey) {
        let Some(place) = self.places.remove(key) else {
            return;
        };
        let order = &self.order;
        if let Some(rows) = &mut self.blocks.block_of(order, &place).rows {
            let at = rows.partition_point(|held| order.compare(&held.key, &place).is_lt());
            rows.remove(at);
        }
    }

    /// Holds a row if it falls among the held ones.
    fn insert(&mut self, row: Arc<TableRow>, ranks: &Ranks) -> Result<(), KeyError> {
        let order = &self.order;
        let key = order.key(&row, ranks)?;
        if let Some(rows) = &mut self.blocks.block_of(order, &key).rows {
            let at = rows.partition_point(|held| order.compare(&held.key, &key).is_lt());
            self.places.insert(row.key.clone(), key.clone());
            rows.insert(at, LoadedRow { key, row });
        }
        Ok(())
    }

    /// Proves that the counts and the held rows agree.
    ///
    /// # Errors
    /// [`Drift`] if not.
    pub fn check(&self) -> Result<(), Drift> {
        let agrees = |block: &Block| match &block.rows {
            Some(rows) => i64::try_from(rows.len()) == Ok(block.count),
            None => block.count >= 0,
        };
        if self.blocks.iter().all(agrees) {
            Ok(())
        } else {
            Err(Drift)
        }
    }

    /// Holds the rows of a [piece](Self::piece) that has been caught up with this view.
    ///
    /// # Errors
    /// [`Drift`] if the two disagree.
    pub fn adopt(&mut self, piece: Self) -> Result<(), Drift> {
        for block in piece.blocks.iter() {
            let wrong = |rows: &Vec<LoadedRow>| i64::try_from(rows.len()) != Ok(block.count);
            if block.rows.as_ref().is_some_and(wrong) {
                return Err(Drift);
            }
        }
        self.blocks.adopt(&self.order, piece.blocks)?;
        self.places.extend(piece.places);
        Ok(())
    }

    /// Lets go of the rows that are not at the `wanted` positions (ascending, not overlapping).
    pub fn release(&mut self, wanted: &[Range<u64>]) {
        for loaded in self.blocks.release(wanted) {
            self.places.remove(&loaded.row.key);
        }
    }
}
