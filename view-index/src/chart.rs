//! The division of a large block into small ones, as one walk along it found it.

use std::sync::Arc;

use crate::blocks::{Block, BlockList, Bound, Content, Drift, Sizes};
use crate::effects::Effects;
use crate::keys::KeySet;
use crate::order::{Key, KeyError, Order};
use crate::ranks::Ranks;
use crate::row::{RowKey, TableRow};

/// One block of a chart.
#[derive(Clone, Debug)]
pub struct ChartBlock {
    /// Its first row; only the columns of the view's order need be there.
    pub first: Arc<TableRow>,
    /// How many rows it has.
    pub count: u64,
    /// Which, where no index serves the view.
    pub keys: Option<KeySet>,
}

/// A range of a view's keys, divided and counted at a state of its own.
#[derive(Clone, Debug)]
pub struct Chart {
    lower: Bound,
    upper: Option<Bound>,
    list: BlockList,
}

impl Chart {
    /// The chart of the keys from `lower` up to `upper` (`None`: the view's end).
    ///
    /// # Errors
    /// If a block's first row has no key.
    pub(crate) fn new(
        (lower, upper): (Bound, Option<Bound>),
        blocks: Vec<ChartBlock>,
        order: &Order,
        ranks: &Ranks,
        sizes: Sizes,
    ) -> Result<Self, KeyError> {
        let mut list = Vec::with_capacity(blocks.len().max(1));
        for block in blocks {
            let lower = if list.is_empty() {
                lower.clone()
            } else {
                Bound::At(order.key(&block.first, ranks)?)
            };
            list.push(Block {
                lower,
                count: i64::try_from(block.count).unwrap_or(i64::MAX),
                content: block.keys.map_or(Content::Counted, Content::Listed),
            });
        }
        if list.is_empty() {
            list.push(Block {
                lower: lower.clone(),
                count: 0,
                content: Content::Counted,
            });
        }
        Ok(Self {
            lower,
            upper,
            list: BlockList::new(list, sizes),
        })
    }

    fn contains(&self, order: &Order, key: &Key) -> bool {
        let is_behind = |upper: &Bound| upper.admits(order, key);
        self.lower.admits(order, key) && !self.upper.as_ref().is_some_and(is_behind)
    }

    /// Whether it lists keys.
    pub(crate) fn is_listed(&self) -> bool {
        let listed = |block: &Block| matches!(block.content, Content::Listed(_));
        self.list.iter().any(listed)
    }

    /// Applies a batch.
    pub(crate) fn apply(&mut self, effects: &Effects, order: &Order) {
        for side in &effects.sides {
            if self.contains(order, &side.key) {
                let index = self.list.index_of(order, &side.key);
                self.list.count(index, side.difference);
                if side.difference < 0
                    && let Content::Listed(keys) = self.list.content(index)
                {
                    keys.remove(&side.row);
                }
            }
        }
        for (key, present) in &effects.current {
            if let Some(row) = present
                && self.contains(order, &row.key)
            {
                let index = self.list.index_of(order, &row.key);
                if let Content::Listed(keys) = self.list.content(index) {
                    keys.insert(key);
                }
            }
        }
    }

    /// Puts the division, which shows the same state as the list, into it; `false` if there is nothing left
    /// to divide.
    ///
    /// # Errors
    /// [`Drift`] if the two disagree; then the list is unchanged.
    pub(crate) fn adopt(self, list: &mut BlockList, order: &Order) -> Result<bool, Drift> {
        if !self.list.iter().all(Block::agrees) {
            return Err(Drift);
        }
        let Some(target) = self.target(list, order) else {
            return Ok(false);
        };
        if !self.is_known_around(list, order, target) {
            return Ok(false);
        }
        let blocks = self.part(list, order, target)?;
        if let Some(divided) = list.get(target)
            && divided.is_counted()
            && blocks.iter().map(|block| block.count).sum::<i64>() != divided.count
        {
            return Err(Drift);
        }
        list.replace(target..target + 1, blocks);
        Ok(true)
    }

    /// The block to divide: the one that is not counted, else the largest merely counted one in the range.
    fn target(&self, list: &BlockList, order: &Order) -> Option<usize> {
        let candidates = list.iter().enumerate().filter(|(index, block)| {
            let begins_inside = self.lower.is_at_or_before(order, &block.lower);
            let ends_inside = match (&self.upper, list.get(index + 1)) {
                (None, _) => true,
                (Some(upper), Some(next)) => next.lower.is_at_or_before(order, upper),
                (Some(_), None) => false,
            };
            let divisible = matches!(block.content, Content::Uncounted { .. } | Content::Counted);
            begins_inside && ends_inside && divisible
        });
        candidates
            .max_by_key(|(_, block)| (!block.is_counted(), block.count))
            .map(|(index, _)| index)
    }

    /// Whether it is known what the chart has besides a block. It is not if what was loaded in the meantime
    /// was let go again, and joined to a block that lies across an end of the chart's range, or only counted
    /// although the chart lists keys.
    fn is_known_around(&self, list: &BlockList, order: &Order, target: usize) -> bool {
        let is_listed = self.is_listed();
        list.iter().enumerate().all(|(index, block)| {
            let next = list.get(index + 1).map(|next| &next.lower);
            let upper = self.upper.as_ref();
            let is_before = next.is_some_and(|next| next.is_at_or_before(order, &self.lower));
            let is_behind = upper.is_some_and(|upper| upper.is_at_or_before(order, &block.lower));
            if index == target || is_before || is_behind {
                return true;
            }
            let begins_inside = self.lower.is_at_or_before(order, &block.lower);
            let ends_inside = match (upper, next) {
                (None, _) => true,
                (Some(upper), Some(next)) => next.is_at_or_before(order, upper),
                (Some(_), None) => false,
            };
            match block.content {
                Content::Loaded(_) => true,
                Content::Listed(_) => begins_inside && ends_inside,
                Content::Counted | Content::Uncounted { .. } => {
                    begins_inside && ends_inside && !is_listed
                }
            }
        })
    }

    /// The part of the chart that falls into a block of the list. The rows of the chart that stand before
    /// or behind it were loaded or counted in the meantime.
    fn part(self, list: &BlockList, order: &Order, target: usize) -> Result<Vec<Block>, Drift> {
        let (before, behind) = self.known_around(list, order, target);
        let lower = list
            .get(target)
            .map_or(Bound::Min, |block| block.lower.clone());
        let upper = list.get(target + 1).map(|next| next.lower.clone());
        let first = self.list.index_before_bound(order, &lower);
        let skipped = before.count - i64::try_from(self.list.start_of(first)).unwrap_or(0);
        if skipped < 0 {
            return Err(Drift);
        }
        let total = self.list.total();
        let mut left = total - before.count - behind.count;
        let mut blocks = Vec::new();
        for (nth, mut block) in self.list.into_blocks().into_iter().skip(first).enumerate() {
            let ends_here = upper
                .as_ref()
                .is_some_and(|upper| upper.is_at_or_before(order, &block.lower));
            if ends_here && nth > 0 {
                break;
            }
            if nth == 0 {
                block.lower = lower.clone();
                block.count -= skipped;
            }
            // The last block's rows may go on behind the upper bound.
            block.count = block.count.min(left);
            left -= block.count;
            if let Content::Listed(keys) = &mut block.content {
                for key in before.keys.iter().chain(&behind.keys) {
                    keys.remove(key);
                }
            }
            if !block.agrees() {
                return Err(Drift);
            }
            blocks.push(block);
        }
        if left == 0 { Ok(blocks) } else { Err(Drift) }
    }

    /// What the list knows of the chart's range on either side of a block.
    fn known_around(&self, list: &BlockList, order: &Order, target: usize) -> (Known, Known) {
        let (mut before, mut behind) = (Known::default(), Known::default());
        for (index, block) in list.iter().enumerate() {
            let known = if index < target {
                &mut before
            } else {
                &mut behind
            };
            match &block.content {
                _ if index == target => {}
                Content::Loaded(rows) => {
                    for loaded in rows.iter().filter(|row| self.contains(order, &row.key)) {
                        known.count += 1;
                        known.keys.push(loaded.row.key.clone());
                    }
                }
                // No such block lies across an end of the chart's range.
                _ if !self.lower.is_at_or_before(order, &block.lower) => {}
                _ if self
                    .upper
                    .as_ref()
                    .is_some_and(|upper| upper.is_at_or_before(order, &block.lower)) => {}
                Content::Listed(keys) => {
                    known.count += block.count;
                    known.keys.extend(keys.to_keys());
                }
                Content::Counted | Content::Uncounted { .. } => known.count += block.count,
            }
        }
        (before, behind)
    }
}

#[derive(Default)]
struct Known {
    count: i64,
    keys: Vec<RowKey>,
}
