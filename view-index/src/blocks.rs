//! A view as a counted list of key ranges, with rows only where someone looks.
//!
//! The blocks of a [`BlockList`] divide the whole key space. Every block knows how many rows it holds;
//! a *loaded* one also holds the rows. A position is found by adding up counts, a key by binary search.

use std::ops::Range;
use std::sync::Arc;

use crate::order::{Key, Order};
use crate::row::TableRow;

/// Where a block begins: every key at or after it, up to the next block's, belongs to the block.
#[derive(Clone, Debug)]
pub(crate) enum Bound {
    /// Before every key.
    Min,
    /// This key belongs to the block.
    At(Key),
    /// This key is the last one that does not.
    After(Key),
}

impl Bound {
    /// Whether a key stands at or behind this bound.
    fn admits(&self, order: &Order, key: &Key) -> bool {
        match self {
            Self::Min => true,
            Self::At(bound) => order.compare(bound, key).is_le(),
            Self::After(bound) => order.compare(bound, key).is_lt(),
        }
    }

    /// Whether this bound stands at or before `other`.
    fn is_at_or_before(&self, order: &Order, other: &Self) -> bool {
        match (self, other) {
            (Self::Min, _) => true,
            (_, Self::Min) => false,
            (Self::After(a), Self::At(b)) => order.compare(a, b).is_lt(),
            (Self::At(a) | Self::After(a), Self::At(b) | Self::After(b)) => {
                order.compare(a, b).is_le()
            }
        }
    }
}

/// A row with its key.
#[derive(Clone, Debug)]
pub(crate) struct LoadedRow {
    pub(crate) key: Key,
    pub(crate) row: Arc<TableRow>,
}

/// A range of keys.
#[derive(Clone, Debug)]
pub(crate) struct Block {
    pub(crate) lower: Bound,
    /// How many rows it holds, kept by summing images. Negative only while a piece of a view is being
    /// caught up.
    pub(crate) count: i64,
    /// The rows themselves, kept by what each row is at the end of a batch; so at that moment there
    /// are `count` of them, which proves that neither account drifts.
    pub(crate) rows: Option<Vec<LoadedRow>>,
}

/// The counts do not add up: a change was missed or counted twice. The view must be rebuilt.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the view's counts do not add up")]
pub struct Drift;

/// Blocks that divide the key space; never empty, the first one begins at [`Bound::Min`].
#[derive(Clone, Debug)]
pub(crate) struct BlockList {
    blocks: Vec<Block>,
}

impl BlockList {
    /// These blocks, in order, the first from [`Bound::Min`].
    pub(crate) fn new(blocks: Vec<Block>) -> Self {
        debug_assert!(matches!(
            blocks.first(),
            Some(Block {
                lower: Bound::Min,
                ..
            })
        ));
        Self { blocks }
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &Block> {
        self.blocks.iter()
    }

    /// Rows in all blocks.
    pub(crate) fn total(&self) -> i64 {
        self.blocks.iter().map(|block| block.count).sum()
    }

    /// The block that a key belongs to.
    pub(crate) fn block_of(&mut self, order: &Order, key: &Key) -> &mut Block {
        let index = self.index_of(order, key);
        &mut self.blocks[index]
    }

    fn index_of(&self, order: &Order, key: &Key) -> usize {
        self.blocks
            .partition_point(|block| block.lower.admits(order, key))
            .saturating_sub(1)
    }

    /// How many rows stand before a key. Exact for keys of loaded blocks; for a key of a block that is
    /// only counted, the block's first position.
    pub(crate) fn rank(&self, order: &Order, key: &Key) -> u64 {
        let index = self.index_of(order, key);
        let before: i64 = self.blocks[..index].iter().map(|block| block.count).sum();
        let inside = self.blocks[index].rows.as_ref().map_or(0, |rows| {
            rows.partition_point(|loaded| order.compare(&loaded.key, key).is_lt())
        });
        u64::try_from(before).unwrap_or(0) + inside as u64
    }

    /// Every block with the positions of its rows.
    fn spans(&self) -> impl Iterator<Item = (Range<u64>, &Block)> {
        let mut start = 0;
        self.blocks.iter().map(move |block| {
            let end = start + u64::try_from(block.count).unwrap_or(0);
            let span = start..end;
            start = end;
            (span, block)
        })
    }

    /// The part of `range` that is not loaded, from its first missing row to its last.
    pub(crate) fn gap(&self, range: &Range<u64>) -> Option<Range<u64>> {
        let mut gap: Option<Range<u64>> = None;
        for (span, block) in self.spans() {
            let part = span.start.max(range.start)..span.end.min(range.end);
            if block.rows.is_none() && !part.is_empty() {
                gap = Some(gap.map_or(part.start, |gap| gap.start)..part.end);
            }
        }
        gap
    }

    /// The loaded rows at the positions of `range`, which must have no gap.
    pub(crate) fn rows(&self, range: &Range<u64>) -> Vec<&LoadedRow> {
        let mut found = Vec::new();
        for (span, block) in self.spans() {
            let part = span.start.max(range.start)..span.end.min(range.end);
            if let Some(rows) = &block.rows
                && part.start < part.end
            {
                let first = usize::try_from(part.start - span.start).unwrap_or(usize::MAX);
                let last = usize::try_from(part.end - span.start).unwrap_or(usize::MAX);
                found.extend(rows.get(first..last).unwrap_or_default());
            }
        }
        found
    }

    /// Replaces the loaded block of `piece`, another division of the same rows, into this one.
    ///
    /// # Errors
    /// [`Drift`] if the two disagree about how many rows there are; then this list is unchanged.
    pub(crate) fn adopt(&mut self, order: &Order, piece: BlockList) -> Result<(), Drift> {
        let Some(at) = piece.blocks.iter().position(|block| block.rows.is_some()) else {
            return Ok(());
        };
        let before: i64 = piece.blocks[..at].iter().map(|block| block.count).sum();
        let upper = piece.blocks.get(at + 1).map(|block| block.lower.clone());
        let Some(mut loaded) = piece.blocks.into_iter().nth(at) else {
            return Ok(());
        };
        let after = before + loaded.count;
        let (mut merged, mut behind) = (Vec::with_capacity(self.blocks.len() + 2), Vec::new());
        let mut start = 0;
        for (index, block) in self.blocks.iter().enumerate() {
            let end = start + block.count;
            let next = self.blocks.get(index + 1).map(|next| &next.lower);
            if !loaded.lower.is_at_or_before(order, &block.lower) {
                let inside = next.is_none_or(|next| !next.is_at_or_before(order, &loaded.lower));
                let left = if inside {
                    block.head(order, &loaded.lower, before - start)?
                } else {
                    Some(block.clone())
                };
                match left {
                    Some(left) => merged.push(left),
                    // Nothing stands between this block's bound and the piece: it begins there.
                    None => loaded.lower = block.lower.clone(),
                }
            }
            if let Some(upper) = &upper
                && next.is_none_or(|next| !next.is_at_or_before(order, upper))
            {
                let inside = !upper.is_at_or_before(order, &block.lower);
                let right = if inside {
                    block.tail(order, upper, end - after)?
                } else {
                    Some(block.clone())
                };
                behind.extend(right);
            }
            start = end;
        }
        merged.push(loaded);
        merged.append(&mut behind);
        if merged.iter().map(|block| block.count).sum::<i64>() != start {
            return Err(Drift);
        }
        self.blocks = merged;
        self.join_loaded();
        Ok(())
    }

    /// Loaded neighbours become one block.
    fn join_loaded(&mut self) {
        let blocks = std::mem::take(&mut self.blocks);
        for mut block in blocks {
            match (self.blocks.last_mut(), &mut block.rows) {
                (
                    Some(Block {
                        rows: Some(rows),
                        count,
                        ..
                    }),
                    Some(more),
                ) => {
                    rows.append(more);
                    *count += block.count;
                }
                (
                    Some(Block {
                        rows: None, count, ..
                    }),
                    None,
                ) => *count += block.count,
                _ => self.blocks.push(block),
            }
        }
    }

    /// Keeps rows only at the positions of `wanted` (ascending, not overlapping); the others are only
    /// counted from then on. Returns the rows let go.
    pub(crate) fn release(&mut self, wanted: &[Range<u64>]) -> Vec<LoadedRow> {
        let mut released = Vec::new();
        let mut start = 0;
        for mut block in std::mem::take(&mut self.blocks) {
            let end = start + u64::try_from(block.count).unwrap_or(0);
            match block.rows.take() {
                None => self.blocks.push(block),
                Some(rows) => {
                    let kept = self.keep(block.lower, rows, start, wanted);
                    released.extend(kept);
                }
            }
            start = end;
        }
        self.join_loaded();
        released
    }

    /// Appends a loaded block, split into what is wanted and what is not; returns the latter's rows.
    fn keep(
        &mut self,
        lower: Bound,
        rows: Vec<LoadedRow>,
        start: u64,
        wanted: &[Range<u64>],
    ) -> Vec<LoadedRow> {
        let is_wanted = |position: u64| wanted.iter().any(|range| range.contains(&position));
        let mut released = Vec::new();
        let mut lower = Some(lower);
        let mut open: Option<Block> = None;
        for (position, loaded) in (start..).zip(rows) {
            let keep = is_wanted(position);
            if open
                .as_ref()
                .is_none_or(|block| block.rows.is_some() != keep)
            {
                self.blocks.extend(open.take());
                let lower = lower
                    .take()
                    .unwrap_or_else(|| Bound::At(loaded.key.clone()));
                open = Some(Block {
                    lower,
                    count: 0,
                    rows: keep.then(Vec::new),
                });
            }
            if let Some(block) = &mut open {
                block.count += 1;
                match &mut block.rows {
                    Some(kept) => kept.push(loaded),
                    None => released.push(loaded),
                }
            }
        }
        // An empty loaded block proves that its range is empty, at no cost.
        self.blocks.extend(open.or_else(|| {
            lower.map(|lower| Block {
                lower,
                count: 0,
                rows: Some(Vec::new()),
            })
        }));
        released
    }
}

impl Block {
    /// The part before `bound`, of `count` rows; `None` if it is empty and merely counted.
    fn head(&self, order: &Order, bound: &Bound, count: i64) -> Result<Option<Self>, Drift> {
        self.part(self.lower.clone(), count, |key| !bound.admits(order, key))
    }

    /// The part from `bound` on, of `count` rows; `None` if it is empty and merely counted.
    fn tail(&self, order: &Order, bound: &Bound, count: i64) -> Result<Option<Self>, Drift> {
        self.part(bound.clone(), count, |key| bound.admits(order, key))
    }

    fn part(
        &self,
        lower: Bound,
        count: i64,
        belongs: impl Fn(&Key) -> bool,
    ) -> Result<Option<Self>, Drift> {
        let rows: Option<Vec<LoadedRow>> = self.rows.as_ref().map(|rows| {
            rows.iter()
                .filter(|loaded| belongs(&loaded.key))
                .cloned()
                .collect()
        });
        let agrees = rows
            .as_ref()
            .is_none_or(|rows| i64::try_from(rows.len()) == Ok(count));
        if count < 0 || !agrees {
            return Err(Drift);
        }
        Ok((count > 0 || rows.is_some()).then_some(Self { lower, count, rows }))
    }
}
