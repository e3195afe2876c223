//! Which range of a view to ask for.

use std::time::Duration;

/// The most often a window is moved: about once in two frames, however fast the scrolling is.
pub(super) const MOVE_INTERVAL: Duration = Duration::from_millis(30);

/// Rows in a window before the server has said what it allows.
pub(super) const ROWS_MAX_DEFAULT: u32 = 500;

/// A contiguous range of positions of a view.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Range {
    pub(super) start: u64,
    pub(super) count: u32,
}

impl Range {
    pub(super) fn end(self) -> u64 {
        self.start.saturating_add(u64::from(self.count))
    }

    /// These rows and about a screen on each side, within what the server allows.
    pub(super) fn with_overscan(self, rows_max: u32) -> Self {
        let rows_max = rows_max.max(1);
        let visible = self.count.min(rows_max);
        let overscan = visible.min((rows_max - visible) / 2);
        let above = u64::from(overscan).min(self.start);
        let start = self.start - above;
        // What cannot be held above the first row is held below.
        Self {
            start,
            count: visible
                .saturating_add(overscan.saturating_mul(2))
                .min(rows_max),
        }
    }

    /// Whether `visible` can be scrolled for half a screen yet before this range ends, or the view
    /// does. `rows_max` bounds what a better range could offer.
    pub(super) fn is_comfortable_for(
        self,
        visible: Self,
        total: Option<u64>,
        rows_max: u32,
    ) -> bool {
        let best = visible.with_overscan(rows_max);
        let margin_above = (visible.start - best.start) / 2;
        let margin_below = best.end().saturating_sub(visible.end()) / 2;
        let above = self.start <= visible.start.saturating_sub(margin_above);
        let needed_end = visible.end().saturating_add(margin_below).min(best.end());
        let below = self.end() >= needed_end || total.is_some_and(|total| self.end() >= total);
        above && below
    }
}
