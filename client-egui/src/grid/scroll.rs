//! Where the grid is scrolled to: a row number and a fraction of a row, never pixels, which an
//! `f32` cannot count past a few million rows.

/// The topmost visible row, and how much of it is scrolled out of sight.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct ScrollPosition {
    row: u64,
    fraction: f64,
}

/// What is scrolled, in rows.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ScrollExtent {
    /// Rows in the view.
    pub total: u64,
    /// Rows that fit on the screen, the last one perhaps in part.
    pub visible: f64,
}

impl ScrollPosition {
    /// With `row` topmost.
    pub fn at_row(row: u64) -> Self {
        Self { row, fraction: 0.0 }
    }

    /// The topmost row, from 0.
    pub fn row(self) -> u64 {
        self.row
    }

    /// How much of the topmost row is out of sight, from 0 up to but not including 1.
    pub fn fraction(self) -> f64 {
        self.fraction
    }

    /// Whether the very first row is wholly visible.
    pub fn is_top(self) -> bool {
        self.row == 0 && self.fraction == 0.0
    }

    /// Scrolled down by a number of rows (up if negative), not past the first row.
    pub fn scrolled(self, rows: f64) -> Self {
        let sum = self.fraction + rows;
        let whole = sum.floor();
        // A float cast saturates, so that absurd distances end at an end.
        let moved = self.row.checked_add_signed(whole as i64);
        match moved {
            Some(row) => Self {
                row,
                fraction: sum - whole,
            },
            None if whole < 0.0 => Self::default(),
            None => Self::at_row(u64::MAX),
        }
    }

    /// Not past the last row.
    pub fn clamped(self, extent: ScrollExtent) -> Self {
        let last = extent.last();
        if self.row > last.row || (self.row == last.row && self.fraction > last.fraction) {
            last
        } else {
            self
        }
    }

    /// Moved as little as makes `row` wholly visible.
    pub fn revealing(self, row: u64, extent: ScrollExtent) -> Self {
        if row < self.row || (row == self.row && self.fraction > 0.0) {
            return Self::at_row(row);
        }
        let bottom = ScrollExtent {
            total: row.saturating_add(1),
            ..extent
        }
        .last();
        let is_below =
            bottom.row > self.row || (bottom.row == self.row && bottom.fraction > self.fraction);
        if is_below { bottom } else { self }
    }

    /// How far down this is, from 0 (the first row) to 1 (the last).
    pub fn share(self, extent: ScrollExtent) -> f64 {
        let end = extent.last().in_rows();
        if end > 0.0 {
            (self.in_rows() / end).clamp(0.0, 1.0)
        } else {
            0.0
        }
    }

    /// The position this far down: the reverse of [`share`](Self::share).
    pub fn at_share(share: f64, extent: ScrollExtent) -> Self {
        let share = share.clamp(0.0, 1.0);
        let end = extent.last();
        if share >= 1.0 {
            return end;
        }
        Self::default()
            .scrolled(share * end.in_rows())
            .clamped(extent)
    }

    fn in_rows(self) -> f64 {
        self.row as f64 + self.fraction
    }
}

impl ScrollExtent {
    /// The furthest position: the last row ends at the bottom of the screen.
    pub fn last(self) -> ScrollPosition {
        let whole = self.visible.ceil().max(0.0);
        let row = self.total.checked_sub(whole as u64);
        row.map_or_else(ScrollPosition::default, |row| ScrollPosition {
            row,
            fraction: whole - self.visible,
        })
    }

    /// The part of the view that is on the screen, from 0 to 1.
    pub fn visible_share(self) -> f64 {
        if self.total == 0 {
            1.0
        } else {
            (self.visible / self.total as f64).min(1.0)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEN_MILLION: ScrollExtent = ScrollExtent {
        total: 10_000_000,
        visible: 20.5,
    };
    const HUGE: ScrollExtent = ScrollExtent {
        total: 1 << 53,
        visible: 20.0,
    };

    #[test]
    fn every_row_of_ten_million_can_be_reached_one_by_one() {
        for start in [0, 3_500_000, 9_999_900] {
            let mut position = ScrollPosition::at_row(start);
            for expected in start..start + 50 {
                assert_eq!((position.row(), position.fraction()), (expected, 0.0));
                position = position.scrolled(1.0);
            }
        }
    }

    #[test]
    fn small_steps_add_up_far_down() {
        let mut position = ScrollPosition::at_row(9_007_199_254_740_000);
        for _ in 0..1_000 {
            position = position.scrolled(0.125);
        }
        assert_eq!(position, ScrollPosition::at_row(9_007_199_254_740_125));
    }

    #[test]
    fn the_end_shows_the_last_row_whole() {
        for extent in [TEN_MILLION, HUGE] {
            let end = ScrollPosition::default().scrolled(1e300).clamped(extent);
            let shown = (extent.total - end.row()) as f64 - end.fraction();
            assert_eq!(shown, extent.visible);
            assert_eq!(end.share(extent), 1.0);
            assert_eq!(end.scrolled(5.0).clamped(extent), end);
        }
    }

    #[test]
    fn the_start_is_the_start() {
        let position = ScrollPosition::at_row(3).scrolled(-1e300);
        assert!(position.is_top());
        assert_eq!(position.share(TEN_MILLION), 0.0);
    }

    #[test]
    fn a_share_and_its_position_agree() {
        for extent in [TEN_MILLION, HUGE] {
            for share in [0.0, 0.1, 0.25, 0.5, 0.999_999, 1.0] {
                let back = ScrollPosition::at_share(share, extent).share(extent);
                assert!((back - share).abs() < 1e-12, "{share} came back as {back}");
            }
        }
    }

    #[test]
    fn revealing_moves_no_further_than_needed() {
        let position = ScrollPosition::at_row(100).scrolled(0.5);
        assert_eq!(
            position.revealing(100, TEN_MILLION),
            ScrollPosition::at_row(100)
        );
        assert_eq!(position.revealing(110, TEN_MILLION), position);
        assert_eq!(
            position.revealing(90, TEN_MILLION),
            ScrollPosition::at_row(90)
        );
        let below = position.revealing(121, TEN_MILLION);
        assert_eq!((below.row(), below.fraction()), (101, 0.5));
    }

    #[test]
    fn fewer_rows_than_fit_do_not_scroll() {
        let extent = ScrollExtent {
            total: 3,
            visible: 20.0,
        };
        assert!(ScrollPosition::at_row(2).clamped(extent).is_top());
        assert_eq!(extent.visible_share(), 1.0);
        assert!(
            ScrollExtent {
                total: 0,
                visible: 20.0
            }
            .last()
            .is_top()
        );
    }
}
