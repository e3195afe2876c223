//! Rows that a query returned, on their way into a view.

use std::collections::HashSet;
use std::sync::Arc;

use crate::blocks::{Block, BlockList, Bound, Content, Drift, LoadedRow};
use crate::effects::Effects;
use crate::order::{KeyError, Order};
use crate::ranks::Ranks;
use crate::row::{RowKey, TableRow};

/// Where the rows of a query begin.
#[derive(Clone, Debug)]
pub enum Origin {
    /// So many rows behind the beginning of a block.
    Behind {
        /// Where the block begins.
        bound: Bound,
        /// Rows skipped.
        skipped: u64,
    },
    /// They are the view's last ones.
    End,
    /// They are all rows of some neighbouring listed blocks, asked for by their keys.
    Listed {
        /// Where the first block begins.
        lower: Bound,
        /// Where the block behind the last one begins; `None` at the view's end.
        upper: Option<Bound>,
    },
}

/// Rows of a view as one query returned them.
#[derive(Clone, Debug)]
pub struct Fetched {
    /// Where they begin.
    pub origin: Origin,
    /// The rows, in the view's order; in any order if asked for by their keys.
    pub rows: Vec<Arc<TableRow>>,
    /// Whether there are no more: the view ends with the last of them (begins with the first, for
    /// [`Origin::End`]).
    pub complete: bool,
}

/// [`Fetched`] rows while they are brought from their query's state to the view's.
#[derive(Clone, Debug)]
pub struct Piece {
    origin: Origin,
    /// Rows between the origin's bound and the first row held.
    skipped: i64,
    /// The held rows' range of keys begins here,
    lower: Bound,
    /// and ends here; `None` for the end of the view.
    upper: Option<Bound>,
    /// Rows in that range, kept by summing images.
    count: i64,
    rows: Vec<LoadedRow>,
    /// No rows were asked for, or fewer were there than were to be skipped: it says nothing about any row.
    is_void: bool,
}

impl Piece {
    /// The piece of these rows.
    ///
    /// # Errors
    /// If a row has no key.
    pub(crate) fn new(fetched: Fetched, order: &Order, ranks: &Ranks) -> Result<Self, KeyError> {
        let mut rows = Vec::with_capacity(fetched.rows.len());
        for row in fetched.rows {
            let key = order.key(&row, ranks)?;
            rows.push(LoadedRow { key, row });
        }
        let is_void = rows.is_empty()
            && match fetched.origin {
                Origin::Behind { skipped, .. } => skipped > 0 || !fetched.complete,
                Origin::End => !fetched.complete,
                Origin::Listed { .. } => false,
            };
        let first = rows.first().map(|first| Bound::At(first.key.clone()));
        let last = rows.last().map(|last| Bound::After(last.key.clone()));
        let (skipped, lower, upper) = match &fetched.origin {
            Origin::Behind { bound, skipped } => {
                let lower = if *skipped == 0 { None } else { first };
                let upper = if fetched.complete { None } else { last };
                (*skipped, lower.unwrap_or_else(|| bound.clone()), upper)
            }
            Origin::End => {
                let lower = if fetched.complete { None } else { first };
                (0, lower.unwrap_or(Bound::Min), None)
            }
            Origin::Listed { lower, upper } => {
                rows.sort_by(|a, b| order.compare(&a.key, &b.key));
                (0, lower.clone(), upper.clone())
            }
        };
        Ok(Self {
            skipped: i64::try_from(skipped).unwrap_or(i64::MAX),
            count: i64::try_from(rows.len()).unwrap_or(i64::MAX),
            origin: fetched.origin,
            lower,
            upper,
            rows,
            is_void,
        })
    }

    fn contains(&self, order: &Order, key: &crate::order::Key) -> bool {
        let is_behind = |upper: &Bound| upper.admits(order, key);
        self.lower.admits(order, key) && !self.upper.as_ref().is_some_and(is_behind)
    }

    /// Applies a batch.
    pub(crate) fn apply(&mut self, effects: &Effects, order: &Order) {
        if !matches!(self.origin, Origin::Listed { .. }) {
            for side in &effects.sides {
                if self.contains(order, &side.key) {
                    self.count += side.difference;
                } else if let Origin::Behind { bound, .. } = &self.origin
                    && bound.admits(order, &side.key)
                    && !self.lower.admits(order, &side.key)
                {
                    self.skipped += side.difference;
                }
            }
        }
        let named: HashSet<&RowKey> = effects.current.iter().map(|(key, _)| key).collect();
        self.rows.retain(|loaded| !named.contains(&loaded.row.key));
        for (_, present) in &effects.current {
            if let Some(row) = present
                && self.contains(order, &row.key)
            {
                let at = self
                    .rows
                    .partition_point(|held| order.compare(&held.key, &row.key).is_lt());
                self.rows.insert(at, row.clone());
            }
        }
        if matches!(self.origin, Origin::Listed { .. }) {
            self.count = i64::try_from(self.rows.len()).unwrap_or(i64::MAX);
        }
    }

    /// Puts the rows, which show the same state as the list, into it; `false` if the list has no place for
    /// them any more. Returns the rows that are held from then on.
    ///
    /// # Errors
    /// [`Drift`] if the two disagree about how many rows there are; then the list is unchanged.
    pub(crate) fn adopt(
        self,
        list: &mut BlockList,
        order: &Order,
    ) -> Result<Option<Vec<LoadedRow>>, Drift> {
        if self.is_void {
            return Ok(None);
        }
        if usize::try_from(self.count) != Ok(self.rows.len()) || self.skipped < 0 {
            return Err(Drift);
        }
        let place = match &self.origin {
            Origin::Behind { bound, .. } => self.place_behind(bound, list, order)?,
            Origin::End => self.place_at_end(list, order)?,
            Origin::Listed { lower, upper } => {
                self.place_listed(lower, upper.as_ref(), list, order)?
            }
        };
        let Some(Place {
            first,
            behind,
            left,
            right,
        }) = place
        else {
            return Ok(None);
        };
        let rows = self.rows.clone();
        let lower = match &left {
            Some(_) => self.lower,
            // Nothing stands between the block's bound and the first row: the loaded block begins there.
            None => list
                .get(first)
                .map_or(Bound::Min, |block| block.lower.clone()),
        };
        let loaded = Block {
            lower,
            count: self.count,
            content: Content::Loaded(self.rows),
        };
        let blocks = left.into_iter().chain([loaded]).chain(right).collect();
        list.replace(first..behind, blocks);
        Ok(Some(rows))
    }

    /// For rows counted from the beginning of a block.
    fn place_behind(
        &self,
        bound: &Bound,
        list: &BlockList,
        order: &Order,
    ) -> Result<Option<Place>, Drift> {
        let Some(anchor) = list.index_at_bound(order, bound) else {
            return Ok(None);
        };
        let first = list.index_before_bound(order, &self.lower).max(anchor);
        let between = list.iter().skip(anchor).take(first - anchor);
        if between.clone().any(|block| !block.is_counted()) {
            return Ok(None);
        }
        let left_count = self.skipped - between.map(|block| block.count).sum::<i64>();
        let left = self.left(list, order, first, Some(left_count))?;
        self.with_right(list, order, first, left)
    }

    /// For the view's last rows: everything that is not among them stands before.
    fn place_at_end(&self, list: &BlockList, order: &Order) -> Result<Option<Place>, Drift> {
        let first = list.index_before_bound(order, &self.lower);
        let left = self.left(list, order, first, None)?;
        self.with_right(list, order, first, left)
    }

    /// What stands before the rows in the block that they begin in: `count` rows, if that is known.
    fn left(
        &self,
        list: &BlockList,
        order: &Order,
        first: usize,
        count: Option<i64>,
    ) -> Result<Left, Drift> {
        let Some(block) = list.get(first) else {
            return Err(Drift);
        };
        let begins_here = self.lower.is(order, &block.lower);
        match &block.content {
            Content::Loaded(rows) => {
                let outside = |loaded: &&LoadedRow| !self.lower.admits(order, &loaded.key);
                let rows: Vec<LoadedRow> = rows.iter().take_while(outside).cloned().collect();
                let held = i64::try_from(rows.len()).unwrap_or(i64::MAX);
                if count.is_some_and(|count| count != held) {
                    return Err(Drift);
                }
                Ok(Left::Block(block_of(
                    &block.lower,
                    Content::Loaded(rows),
                    held,
                )))
            }
            Content::Listed(_) if !begins_here => Ok(Left::NoPlace),
            _ if begins_here && count.unwrap_or(0) == 0 => Ok(Left::Block(None)),
            _ => match count {
                Some(count) if count < 0 => Err(Drift),
                Some(count) => Ok(Left::Block(block_of(&block.lower, Content::Counted, count))),
                None => Ok(Left::Rest),
            },
        }
    }

    /// The blocks replaced, and what stands behind the rows in the last of them.
    fn with_right(
        &self,
        list: &BlockList,
        order: &Order,
        first: usize,
        left: Left,
    ) -> Result<Option<Place>, Drift> {
        let (behind, cut) = self.last_block(list, order);
        let replaced = || list.iter().take(behind).skip(first);
        let all_counted = replaced().all(Block::is_counted);
        let sum: i64 = replaced().map(Block::extent).sum();
        let rest = sum - self.count;
        let lower = list
            .get(first)
            .map_or(Bound::Min, |block| block.lower.clone());
        let left = match left {
            Left::NoPlace => return Ok(None),
            Left::Block(left) => left,
            // All that is not held stands before: there is nothing behind the end.
            Left::Rest if all_counted && rest < 0 => return Err(Drift),
            Left::Rest if all_counted => {
                return Ok(Some(Place {
                    first,
                    behind,
                    left: block_of(&lower, Content::Counted, rest),
                    right: None,
                }));
            }
            Left::Rest => {
                return Ok(Some(Place {
                    first,
                    behind,
                    left: Some(uncounted(&lower, rest)),
                    right: None,
                }));
            }
        };
        let rest = rest - left.as_ref().map_or(0, |left| left.count);
        let right = match (&self.upper, cut) {
            (Some(upper), Some(block)) => match &block.content {
                Content::Listed(_) => return Ok(None),
                Content::Loaded(rows) => {
                    let inside = |loaded: &&LoadedRow| upper.admits(order, &loaded.key);
                    let rows: Vec<LoadedRow> = rows.iter().filter(inside).cloned().collect();
                    let held = i64::try_from(rows.len()).unwrap_or(i64::MAX);
                    if all_counted && held != rest {
                        return Err(Drift);
                    }
                    block_of(upper, Content::Loaded(rows), held)
                }
                _ if !all_counted => Some(uncounted(upper, rest)),
                _ if rest < 0 => return Err(Drift),
                _ => block_of(upper, Content::Counted, rest),
            },
            _ if all_counted && rest != 0 => return Err(Drift),
            _ => None,
        };
        Ok(Some(Place {
            first,
            behind,
            left,
            right,
        }))
    }

    /// The index behind the last block that shares keys with the rows, and that block if a part of it
    /// stands behind them.
    fn last_block<'a>(&self, list: &'a BlockList, order: &Order) -> (usize, Option<&'a Block>) {
        let Some(upper) = &self.upper else {
            return (list.len(), None);
        };
        let last = list.index_before_bound(order, upper);
        match list.get(last) {
            Some(block) if block.lower.is(order, upper) => (last, None),
            block => (last + 1, block),
        }
    }

    /// For rows of listed blocks: they must still be the same blocks.
    fn place_listed(
        &self,
        lower: &Bound,
        upper: Option<&Bound>,
        list: &BlockList,
        order: &Order,
    ) -> Result<Option<Place>, Drift> {
        let first = list.index_at_bound(order, lower);
        let behind = match upper {
            Some(upper) => list.index_at_bound(order, upper),
            None => Some(list.len()),
        };
        let (Some(first), Some(behind)) = (first, behind) else {
            return Ok(None);
        };
        let replaced = || list.iter().take(behind).skip(first);
        if replaced().any(|block| !block.is_counted()) {
            return Ok(None);
        }
        if replaced().map(|block| block.count).sum::<i64>() != self.count {
            return Err(Drift);
        }
        Ok(Some(Place {
            first,
            behind,
            left: None,
            right: None,
        }))
    }
}

/// Where a piece goes: instead of the blocks `first..behind`, with what remains of them on either side.
struct Place {
    first: usize,
    behind: usize,
    left: Option<Block>,
    right: Option<Block>,
}

/// What remains of the block that a piece begins in.
enum Left {
    Block(Option<Block>),
    /// As many rows as the replaced blocks have and the piece has not.
    Rest,
    /// The block cannot be divided there.
    NoPlace,
}

/// A block, unless it is empty.
fn block_of(lower: &Bound, content: Content, count: i64) -> Option<Block> {
    (count > 0).then(|| Block {
        lower: lower.clone(),
        count,
        content,
    })
}

fn uncounted(lower: &Bound, expected: i64) -> Block {
    Block {
        lower: lower.clone(),
        count: 0,
        content: Content::Uncounted {
            expected: u64::try_from(expected).unwrap_or(0),
        },
    }
}
