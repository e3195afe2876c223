//! A view as a counted list of key ranges, with rows only where someone looks.
//!
//! The blocks of a `BlockList` divide the whole key space. Every block knows how many rows it holds, except
//! while a large view is still being counted; a *loaded* one also holds the rows. A position is found by a
//! Fenwick tree over the counts, a key by binary search over the blocks' first keys: both
//! in O(log n), and so is counting a row in or out. Dividing and joining blocks, which happens once in about
//! a thousand changes or when a window moves, rebuilds the tree in O(blocks).

use std::iter::Peekable;
use std::ops::Range;
use std::slice;
use std::sync::Arc;

use crate::fenwick::Fenwick;
use crate::keys::KeySet;
use crate::order::{Key, Order};
use crate::row::TableRow;

/// How finely a view is divided, in rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sizes {
    /// Rows in a counted block: few enough to be skipped one by one on the way to a row, enough that
    /// ten million rows need only some ten thousand blocks.
    pub counted: u64,
    /// Rows in a block whose keys are listed: all of them are read to show one.
    pub listed: u64,
    /// Rows that may be skipped on the way to a row; in a larger block the way is charted first.
    pub skipped_max: u64,
    /// Rows read along with an uncounted block's first ones, so that slow scrolling need not wait for the count.
    pub ahead_max: u64,
    /// Rows looked up by their keys in one query.
    pub looked_up_max: u64,
}

impl Default for Sizes {
    fn default() -> Self {
        Self {
            counted: 1_024,
            listed: 256,
            skipped_max: 16_384,
            ahead_max: 4_096,
            looked_up_max: 4_096,
        }
    }
}

/// Where a block begins: every key at or after it, up to the next block's, belongs to the block.
#[derive(Clone, Debug)]
pub enum Bound {
    /// Before every key.
    Min,
    /// This key belongs to the block.
    At(Key),
    /// This key is the last one that does not.
    After(Key),
}

impl Bound {
    /// Whether a key stands at or behind this bound.
    pub fn admits(&self, order: &Order, key: &Key) -> bool {
        match self {
            Self::Min => true,
            Self::At(bound) => order.compare(bound, key).is_le(),
            Self::After(bound) => order.compare(bound, key).is_lt(),
        }
    }

    /// Whether this bound stands at or before `other`.
    pub(crate) fn is_at_or_before(&self, order: &Order, other: &Self) -> bool {
        match (self, other) {
            (Self::Min, _) => true,
            (_, Self::Min) => false,
            (Self::After(a), Self::At(b)) => order.compare(a, b).is_lt(),
            (Self::At(a) | Self::After(a), Self::At(b) | Self::After(b)) => {
                order.compare(a, b).is_le()
            }
        }
    }

    /// Whether the two stand at the same place.
    pub(crate) fn is(&self, order: &Order, other: &Self) -> bool {
        match (self, other) {
            (Self::Min, Self::Min) => true,
            (Self::At(a), Self::At(b)) | (Self::After(a), Self::After(b)) => {
                order.compare(a, b).is_eq()
            }
            _ => false,
        }
    }

    fn bytes(&self) -> usize {
        match self {
            Self::Min => 0,
            Self::At(key) | Self::After(key) => key.iter().map(crate::KeyPart::bytes).sum(),
        }
    }
}

/// A row with its key.
#[derive(Clone, Debug)]
pub(crate) struct LoadedRow {
    pub(crate) key: Key,
    pub(crate) row: Arc<TableRow>,
}

/// What is known of a block's rows.
#[derive(Clone, Debug)]
pub(crate) enum Content {
    /// Not even how many there are: about `expected`, and the block's count is how many more or fewer came
    /// since that was estimated.
    Uncounted { expected: u64 },
    /// Only how many there are.
    Counted,
    /// Which ones they are.
    Listed(KeySet),
    /// The rows themselves, in order, kept by what each row is at the end of a batch; so at that moment
    /// there are as many as the count says, which proves that neither account drifts.
    Loaded(Vec<LoadedRow>),
}

/// A range of keys.
#[derive(Clone, Debug)]
pub(crate) struct Block {
    pub(crate) lower: Bound,
    /// How many rows it holds, kept by summing images. Negative only in the midst of a batch, or in a block that
    /// is [`Content::Uncounted`].
    pub(crate) count: i64,
    pub(crate) content: Content,
}

/// The counts do not add up: a change was missed or counted twice. The view must be rebuilt.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the view's counts do not add up")]
pub struct Drift;

impl Block {
    /// Positions that the block takes up. A block that is not counted takes at least one: what is on either
    /// side of it are no neighbours.
    pub(crate) fn extent(&self) -> i64 {
        match self.content {
            Content::Uncounted { expected } => i64::try_from(expected)
                .unwrap_or(i64::MAX)
                .saturating_add(self.count)
                .max(1),
            _ => self.count,
        }
    }

    pub(crate) fn is_counted(&self) -> bool {
        !matches!(self.content, Content::Uncounted { .. })
    }

    pub(crate) fn rows(&self) -> Option<&Vec<LoadedRow>> {
        match &self.content {
            Content::Loaded(rows) => Some(rows),
            _ => None,
        }
    }

    /// Whether what is held and what is counted agree.
    pub(crate) fn agrees(&self) -> bool {
        let is_count = |held: usize| i64::try_from(held) == Ok(self.count);
        match &self.content {
            Content::Uncounted { .. } => true,
            Content::Counted => self.count >= 0,
            Content::Listed(keys) => is_count(keys.len()),
            Content::Loaded(rows) => is_count(rows.len()),
        }
    }

    fn bytes(&self) -> usize {
        let content = match &self.content {
            Content::Listed(keys) => keys.bytes(),
            _ => 0,
        };
        size_of::<Self>() + size_of::<i64>() + self.lower.bytes() + content
    }
}

/// Blocks that divide a range of keys, from the first one's lower bound on; never empty.
#[derive(Clone, Debug)]
pub(crate) struct BlockList {
    blocks: Vec<Block>,
    /// Over the blocks' extents.
    sums: Fenwick,
    /// The index of the first block that is not counted.
    uncounted: Option<usize>,
    sizes: Sizes,
}

impl BlockList {
    /// These blocks, in order.
    pub(crate) fn new(blocks: Vec<Block>, sizes: Sizes) -> Self {
        debug_assert!(!blocks.is_empty());
        let mut list = Self {
            blocks,
            sums: Fenwick::default(),
            uncounted: None,
            sizes,
        };
        list.divided();
        list
    }

    /// The blocks are others now: learns anew what is known of them all, in O(blocks).
    fn divided(&mut self) {
        self.sums = Fenwick::new(self.blocks.iter().map(Block::extent));
        self.uncounted = self.blocks.iter().position(|block| !block.is_counted());
    }

    /// The index of the first block that is not counted.
    pub(crate) fn uncounted(&self) -> Option<usize> {
        self.uncounted
    }

    pub(crate) fn sizes(&self) -> Sizes {
        self.sizes
    }

    pub(crate) fn iter(&self) -> slice::Iter<'_, Block> {
        self.blocks.iter()
    }

    pub(crate) fn len(&self) -> usize {
        self.blocks.len()
    }

    pub(crate) fn get(&self, index: usize) -> Option<&Block> {
        self.blocks.get(index)
    }

    pub(crate) fn into_blocks(self) -> Vec<Block> {
        self.blocks
    }

    /// Rows in all blocks; with an estimate for the ones that are not counted.
    pub(crate) fn total(&self) -> i64 {
        self.sums.total()
    }

    /// The index of the block that a key belongs to.
    pub(crate) fn index_of(&self, order: &Order, key: &Key) -> usize {
        self.blocks
            .partition_point(|block| block.lower.admits(order, key))
            .saturating_sub(1)
    }

    /// The index of the block that begins at a bound, if one does.
    pub(crate) fn index_at_bound(&self, order: &Order, bound: &Bound) -> Option<usize> {
        let index = self
            .blocks
            .partition_point(|block| block.lower.is_at_or_before(order, bound))
            .checked_sub(1)?;
        self.blocks[index].lower.is(order, bound).then_some(index)
    }

    /// The index of the last block that begins at or before a bound.
    pub(crate) fn index_before_bound(&self, order: &Order, bound: &Bound) -> usize {
        self.blocks
            .partition_point(|block| block.lower.is_at_or_before(order, bound))
            .saturating_sub(1)
    }

    /// The index of the block at a position, and the position of its first row; the last block's for a
    /// position behind them all.
    pub(crate) fn index_at(&self, position: u64) -> (usize, u64) {
        let position = i64::try_from(position).unwrap_or(i64::MAX);
        let index = self.sums.index_at(position).min(self.blocks.len() - 1);
        (index, self.start_of(index))
    }

    /// The position of a block's first row.
    pub(crate) fn start_of(&self, index: usize) -> u64 {
        u64::try_from(self.sums.sum(index)).unwrap_or(0)
    }

    /// Counts rows in or out of a block.
    pub(crate) fn count(&mut self, index: usize, difference: i64) {
        let block = &mut self.blocks[index];
        let before = block.extent();
        block.count += difference;
        let moved = block.extent() - before;
        self.sums.add(index, moved);
    }

    /// What a block holds, to be changed to the same kind of content. Its count is changed by
    /// [`Self::count`] alone.
    pub(crate) fn content(&mut self, index: usize) -> &mut Content {
        &mut self.blocks[index].content
    }

    /// Puts other blocks in the place of some.
    pub(crate) fn replace(&mut self, range: Range<usize>, blocks: Vec<Block>) {
        let around = range.start.saturating_sub(1);
        let end = range.start + blocks.len() + 1;
        self.blocks.splice(range, blocks);
        self.join(around..end.min(self.blocks.len()));
        self.divided();
    }

    /// Joins neighbours among these blocks, where they are of one kind and not too large.
    fn join(&mut self, range: Range<usize>) {
        let mut index = range.start;
        let mut end = range.end;
        while index + 1 < end {
            if !can_join(&self.blocks[index], &self.blocks[index + 1], self.sizes) {
                index += 1;
                continue;
            }
            let next = self.blocks.remove(index + 1);
            let block = &mut self.blocks[index];
            block.count += next.count;
            if let (Content::Loaded(rows), Content::Loaded(more)) =
                (&mut block.content, next.content)
            {
                rows.extend(more);
            }
            end -= 1;
        }
    }

    /// How many rows stand before a key. Exact for keys of loaded blocks; for a key of any other, the
    /// block's first position.
    pub(crate) fn rank(&self, order: &Order, key: &Key) -> u64 {
        let index = self.index_of(order, key);
        let inside = self.blocks[index].rows().map_or(0, |rows| {
            rows.partition_point(|loaded| order.compare(&loaded.key, key).is_lt())
        });
        self.start_of(index) + inside as u64
    }

    /// The blocks that share positions with `range`, each with its index and the positions of its rows.
    fn spans(&self, range: &Range<u64>) -> impl Iterator<Item = (usize, Range<u64>, &Block)> {
        let (first, mut start) = self.index_at(range.start);
        let behind = range.end;
        self.blocks[first..]
            .iter()
            .enumerate()
            .map(move |(nth, block)| {
                let end = start + u64::try_from(block.extent()).unwrap_or(0);
                let span = start..end;
                start = end;
                (first + nth, span, block)
            })
            .take_while(move |(_, span, _)| span.start < behind)
    }

    /// The part of `range` that is not loaded, from its first missing row to its last.
    pub(crate) fn gap(&self, range: &Range<u64>) -> Option<Range<u64>> {
        let mut gap: Option<Range<u64>> = None;
        for (_, span, block) in self.spans(range) {
            let part = span.start.max(range.start)..span.end.min(range.end);
            if block.rows().is_none() && !part.is_empty() {
                gap = Some(gap.map_or(part.start, |gap| gap.start)..part.end);
            }
        }
        gap
    }

    /// The loaded rows at the positions of `range`, which must have no gap.
    pub(crate) fn rows(&self, range: &Range<u64>) -> Vec<&LoadedRow> {
        let mut found = Vec::new();
        for (_, span, block) in self.spans(range) {
            let part = span.start.max(range.start)..span.end.min(range.end);
            if let Some(rows) = block.rows()
                && part.start < part.end
            {
                let first = usize::try_from(part.start - span.start).unwrap_or(usize::MAX);
                let last = usize::try_from(part.end - span.start).unwrap_or(usize::MAX);
                found.extend(rows.get(first..last).unwrap_or_default());
            }
        }
        found
    }

    /// The index of the first block of `range` that is not loaded, with the positions of its rows.
    pub(crate) fn first_missing(&self, range: &Range<u64>) -> Option<(usize, Range<u64>)> {
        self.spans(range)
            .find(|(_, span, block)| block.rows().is_none() && !span.is_empty())
            .map(|(index, span, _)| (index, span))
    }

    /// Keeps rows only at the positions of `wanted` (ascending, not overlapping); the others are only
    /// counted, or `listed`, from then on. Once `enough` rows were let go, the blocks behind stay as they are.
    /// Returns the rows let go.
    pub(crate) fn release(
        &mut self,
        wanted: &[Range<u64>],
        listed: bool,
        enough: usize,
    ) -> Vec<LoadedRow> {
        let mut release = Release {
            wanted: wanted.iter().peekable(),
            listed,
            room: if listed {
                self.sizes.listed
            } else {
                self.sizes.counted
            },
            blocks: Vec::with_capacity(self.blocks.len()),
            released: Vec::new(),
        };
        let mut start = 0;
        for block in std::mem::take(&mut self.blocks) {
            let end = start + u64::try_from(block.extent()).unwrap_or(0);
            match block.content {
                Content::Loaded(rows) if release.released.len() < enough => {
                    release.divide(block.lower, rows, start);
                }
                _ => release.blocks.push(block),
            }
            start = end;
        }
        self.blocks = release.blocks;
        self.join(0..self.blocks.len());
        self.divided();
        release.released
    }

    /// Forgets how the rows that are not loaded are divided: their number stays counted.
    pub(crate) fn collapse(&mut self) {
        let mut blocks: Vec<Block> = Vec::new();
        for block in std::mem::take(&mut self.blocks) {
            let is_plain = |block: &Block| block.rows().is_none() && block.is_counted();
            match blocks.last_mut() {
                Some(last) if is_plain(last) && is_plain(&block) => {
                    last.count += block.count;
                    last.content = Content::Counted;
                }
                _ if is_plain(&block) => blocks.push(Block {
                    content: Content::Counted,
                    ..block
                }),
                _ => blocks.push(block),
            }
        }
        *self = Self::new(blocks, self.sizes);
    }

    /// Memory held for the division itself, in bytes; the loaded rows are not in it.
    pub(crate) fn bytes(&self) -> usize {
        self.blocks.iter().map(Block::bytes).sum()
    }
}

fn can_join(block: &Block, next: &Block, sizes: Sizes) -> bool {
    match (&block.content, &next.content) {
        (Content::Loaded(_), Content::Loaded(_)) => true,
        (Content::Counted, Content::Counted) => {
            u64::try_from(block.count + next.count).is_ok_and(|count| count <= sizes.counted)
        }
        _ => false,
    }
}

/// Dividing loaded blocks into what is wanted and what is not.
struct Release<'a> {
    /// Those that do not end before the position at hand.
    wanted: Peekable<slice::Iter<'a, Range<u64>>>,
    listed: bool,
    /// Rows in a block that is not loaded.
    room: u64,
    blocks: Vec<Block>,
    released: Vec<LoadedRow>,
}

impl Release<'_> {
    /// Appends the parts of a loaded block whose first row is at position `start`.
    fn divide(&mut self, lower: Bound, rows: Vec<LoadedRow>, start: u64) {
        let mut lower = Some(lower);
        let mut run: Vec<LoadedRow> = Vec::new();
        let mut run_is_wanted = false;
        for (position, loaded) in (start..).zip(rows) {
            while self.wanted.next_if(|range| range.end <= position).is_some() {}
            let is_wanted = self
                .wanted
                .peek()
                .is_some_and(|range| range.contains(&position));
            let is_full = !is_wanted && run.len() as u64 >= self.room;
            if is_wanted != run_is_wanted || is_full {
                self.close(&mut lower, &mut run, run_is_wanted);
                run_is_wanted = is_wanted;
            }
            run.push(loaded);
        }
        self.close(&mut lower, &mut run, run_is_wanted);
        // An empty loaded block proves that its range is empty, at no cost.
        self.blocks.extend(lower.map(|lower| Block {
            lower,
            count: 0,
            content: Content::Loaded(Vec::new()),
        }));
    }

    fn close(&mut self, lower: &mut Option<Bound>, run: &mut Vec<LoadedRow>, is_wanted: bool) {
        let Some(first) = run.first() else { return };
        let lower = lower.take().unwrap_or_else(|| Bound::At(first.key.clone()));
        let run = std::mem::take(run);
        let count = i64::try_from(run.len()).unwrap_or(i64::MAX);
        let content = if is_wanted {
            Content::Loaded(run)
        } else {
            let keys = run.iter().map(|loaded| loaded.row.key.clone());
            let content = if self.listed {
                Content::Listed(KeySet::new(keys.collect()))
            } else {
                Content::Counted
            };
            self.released.extend(run);
            content
        };
        self.blocks.push(Block {
            lower,
            count,
            content,
        });
    }
}
