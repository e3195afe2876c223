//! What a view must have asked of the database.

use std::ops::Range;

use super::ViewIndex;
use crate::blocks::{Block, Bound, Content};
use crate::piece::Origin;
use crate::row::RowKey;

/// What must be asked of the database so that some positions can be shown.
#[derive(Clone, Debug)]
pub enum Need {
    /// Rows that follow each other.
    Rows {
        /// Where their counting begins, and how many rows to skip from there.
        origin: Origin,
        /// How many.
        count: u64,
        /// The position of the first of them.
        position: u64,
    },
    /// Rows by their keys.
    Listed {
        /// The blocks that they are all rows of.
        origin: Origin,
        /// Their keys.
        keys: Vec<RowKey>,
        /// The position of the first of them.
        position: u64,
    },
    /// A chart of the keys from a bound up to another (`None`: the view's end), with about so many rows.
    Chart {
        /// Where it begins.
        lower: Bound,
        /// Where it ends.
        upper: Option<Bound>,
        /// Rows to be expected.
        expected: u64,
    },
}

impl ViewIndex {
    /// What must be asked so that the rows of a [gap](Self::gap) can be shown, and some rows on either side
    /// of it; `None` if that cannot be said before the view is counted.
    pub fn need(&self, gap: &Range<u64>, margin: u64) -> Option<Need> {
        let (index, span) = self.blocks.first_missing(gap)?;
        let block = self.blocks.get(index)?;
        match &block.content {
            Content::Loaded(_) => None,
            Content::Listed(_) => Some(self.listed(index, span.start, gap.end)),
            Content::Uncounted { .. } => {
                let count = gap.end.saturating_add(margin) - span.start;
                (count <= self.blocks.sizes().ahead_max).then(|| Need::Rows {
                    origin: Origin::Behind {
                        bound: block.lower.clone(),
                        skipped: 0,
                    },
                    count,
                    position: span.start,
                })
            }
            Content::Counted => {
                let from = gap.start.max(span.start);
                // The margin may begin in a block before this one, if that is merely counted too.
                let wanted = from.saturating_sub(margin);
                let (first, start) = self.blocks.index_at(wanted);
                let plain = |block: &Block| matches!(block.content, Content::Counted);
                let all_plain = (first..index).all(|at| self.blocks.get(at).is_some_and(plain));
                let (first, start, from) = if all_plain {
                    (first, start, wanted)
                } else {
                    (index, span.start, wanted.max(span.start))
                };
                if from - start > self.blocks.sizes().skipped_max {
                    return self.last(from, margin).or_else(|| self.chart_of(first));
                }
                Some(Need::Rows {
                    origin: Origin::Behind {
                        bound: self.blocks.get(first)?.lower.clone(),
                        skipped: from - start,
                    },
                    count: self.unlisted_until(index, gap.end.saturating_add(margin)) - from,
                    position: from,
                })
            }
        }
    }

    /// The view's rows from a position on, if they are so few that they are read from its end: that needs no chart.
    fn last(&self, from: u64, margin: u64) -> Option<Need> {
        let rows = self.total().saturating_sub(from).saturating_add(margin);
        let is_near = self.total_is_exact() && rows <= self.blocks.sizes().ahead_max;
        is_near.then_some(Need::Rows {
            origin: Origin::End,
            count: rows,
            position: from,
        })
    }

    /// How far rows can be asked for by their positions, from a block on: a block that lists its keys cannot
    /// be divided, so it is asked for by itself.
    fn unlisted_until(&self, index: usize, end: u64) -> u64 {
        let is_listed = |at: &usize| {
            let block = self.blocks.get(*at);
            block.is_some_and(|block| matches!(block.content, Content::Listed(_)))
        };
        (index..self.blocks.len())
            .take_while(|&at| self.blocks.start_of(at) < end)
            .find(is_listed)
            .map_or(end, |at| self.blocks.start_of(at))
    }

    /// The listed blocks from one on, as far as `end`.
    fn listed(&self, first: usize, position: u64, end: u64) -> Need {
        let (mut keys, mut behind) = (Vec::new(), first);
        while let Some(block) = self.blocks.get(behind)
            && let Content::Listed(listed) = &block.content
            && (behind == first || position + (keys.len() as u64) < end)
            && (keys.len() as u64) < self.blocks.sizes().looked_up_max
        {
            keys.extend(listed.to_keys());
            behind += 1;
        }
        let bound = |index: usize| self.blocks.get(index).map(|block| block.lower.clone());
        Need::Listed {
            origin: Origin::Listed {
                lower: bound(first).unwrap_or(Bound::Min),
                upper: bound(behind),
            },
            keys,
            position,
        }
    }

    fn chart_of(&self, index: usize) -> Option<Need> {
        let block = self.blocks.get(index)?;
        Some(Need::Chart {
            lower: block.lower.clone(),
            upper: self.blocks.get(index + 1).map(|next| next.lower.clone()),
            expected: u64::try_from(block.extent()).unwrap_or(0),
        })
    }

    /// The chart of what is not counted, or was counted by a [`Tally`](crate::Tally) alone: a jump there would have to wait for it.
    /// `None` if there is nothing of either kind; what a view [forgot](Self::collapse) is charted when it is needed.
    pub fn undivided(&self) -> Option<Need> {
        let tallied = || {
            let blocks = self.blocks.iter().enumerate();
            let plain = blocks.filter(|(_, block)| matches!(block.content, Content::Counted));
            let (index, block) = plain.max_by_key(|(_, block)| block.count)?;
            let is_large = u64::try_from(block.count).ok()? > self.blocks.sizes().skipped_max;
            (self.is_undivided && is_large).then_some(index)
        };
        self.chart_of(self.blocks.uncounted().or_else(tallied)?)
    }
}
