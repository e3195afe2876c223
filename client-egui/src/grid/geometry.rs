//! Where the parts of the grid are on the screen in this frame.

use egui::{Rangef, Rect, pos2};

use super::scroll::{ScrollExtent, ScrollPosition};
use crate::theme::size;

/// Where the parts of the grid are on the screen in this frame.
#[derive(Clone, Debug)]
pub(super) struct Geometry {
    /// The columns' names.
    pub(super) header: Rect,
    /// The filter fields.
    pub(super) filters: Rect,
    /// The cells.
    pub(super) body: Rect,
    /// The row numbers, beside the body.
    pub(super) gutter: Rect,
    /// The totals beneath the cells; of no height while none are shown.
    pub(super) totals: Rect,
    /// The vertical scrollbar's track.
    pub(super) vertical: Rect,
    /// The horizontal scrollbar's track; of no height while all columns fit.
    pub(super) horizontal: Rect,
    /// The columns shown, by their indices in the schema, and where each is, from the left edge of the
    /// first. Other columns are nowhere.
    pub(super) spans: Vec<(usize, Rangef)>,
    /// How far the columns are scrolled to the left, in points.
    pub(super) scroll_x: f32,
    /// How far the rows are scrolled.
    pub(super) scroll: ScrollPosition,
    /// Where a row is held that has moved away while it is edited: the rows from here on make room.
    pub(super) held_row: Option<u64>,
}

/// The parts of the grid that are not always there.
#[derive(Clone, Copy, Debug)]
pub(super) struct Parts {
    /// The filter fields.
    pub(super) filters: bool,
    /// The row of totals.
    pub(super) totals: bool,
}

impl Geometry {
    /// Divides `area`; `scroll_x` and `scroll` are brought into their ranges.
    pub(super) fn new(
        area: Rect,
        parts: Parts,
        gutter_width: f32,
        spans: Vec<(usize, Rangef)>,
        scroll_x: f32,
        scroll: ScrollPosition,
        total: u64,
    ) -> Self {
        let content = spans.last().map_or(0.0, |(_, span)| span.max);
        let left = area.left() + gutter_width;
        let right = area.right() - size::SCROLLBAR;
        let header_bottom = area.top() + size::HEADER;
        let height = |is_there: bool, height: f32| if is_there { height } else { 0.0 };
        let top = header_bottom + height(parts.filters, size::FILTER_ROW);
        let overflows = content > right - left;
        let track = area.bottom() - height(overflows, size::SCROLLBAR);
        let bottom = (track - height(parts.totals, size::TOTALS_ROW)).max(top);
        let body = Rect::from_min_max(pos2(left, top), pos2(right, bottom.max(top)));
        let extent = ScrollExtent {
            total,
            visible: rows_in(body),
        };
        Self {
            header: Rect::from_min_max(pos2(left, area.top()), pos2(right, header_bottom)),
            filters: Rect::from_min_max(pos2(left, header_bottom), pos2(right, top)),
            body,
            gutter: Rect::from_min_max(pos2(area.left(), top), pos2(left, bottom)),
            vertical: Rect::from_min_max(pos2(right, top), pos2(area.right(), bottom)),
            totals: Rect::from_min_max(pos2(left, bottom), pos2(right, track.max(bottom))),
            horizontal: Rect::from_min_max(pos2(left, track), pos2(right, area.bottom())),
            spans,
            scroll_x: scroll_x.clamp(0.0, (content - body.width()).max(0.0)),
            scroll: scroll.clamped(extent),
            held_row: None,
        }
    }

    /// What the vertical scrollbar scrolls.
    pub(super) fn extent(&self, total: u64) -> ScrollExtent {
        ScrollExtent {
            total,
            visible: rows_in(self.body),
        }
    }

    /// The columns' width together, in points.
    pub(super) fn content_width(&self) -> f32 {
        self.spans.last().map_or(0.0, |(_, span)| span.max)
    }

    /// A column's place among those shown, from 0.
    pub(super) fn place_of(&self, column: usize) -> Option<usize> {
        self.spans.iter().position(|(shown, _)| *shown == column)
    }

    /// The column that is `step` columns further right than `column`, as far as there are any.
    pub(super) fn column_beside(&self, column: usize, step: isize) -> usize {
        let place = self.place_of(column).unwrap_or(0);
        let last = self.spans.len().saturating_sub(1);
        let place = place.saturating_add_signed(step).min(last);
        self.spans.get(place).map_or(column, |(beside, _)| *beside)
    }

    /// A column on the screen, which may be partly or wholly outside of the body.
    pub(super) fn column_x(&self, column: usize) -> Option<Rangef> {
        let (_, span) = self.spans.get(self.place_of(column)?)?;
        Some(self.on_screen(*span))
    }

    fn on_screen(&self, span: Rangef) -> Rangef {
        let offset = self.body.left() - self.scroll_x;
        Rangef::new(span.min + offset, span.max + offset)
    }

    /// The columns that are at least partly visible.
    pub(super) fn visible_columns(&self) -> impl Iterator<Item = (usize, Rangef)> + '_ {
        let seen = self.body.x_range();
        self.spans
            .iter()
            .map(|(column, span)| (*column, self.on_screen(*span)))
            .filter(move |(_, x)| x.max > seen.min && x.min < seen.max)
    }

    /// A row on the screen.
    pub(super) fn row_y(&self, row: u64) -> Rangef {
        let makes_room = self.held_row.is_some_and(|held| row >= held);
        self.place_y(row + u64::from(makes_room))
    }

    /// Where a row would be on the screen, were none held.
    pub(super) fn place_y(&self, row: u64) -> Rangef {
        let rows = row as i128 - i128::from(self.scroll.row());
        let top = (rows as f64 - self.scroll.fraction()) * f64::from(size::ROW);
        let top = self.body.top() + (top as f32).round();
        Rangef::new(top, top + size::ROW)
    }

    /// A cell on the screen; `None` if its column is not shown.
    pub(super) fn cell(&self, row: u64, column: usize) -> Option<Rect> {
        let x = self.column_x(column)?;
        Some(Rect::from_x_y_ranges(x, self.row_y(row)))
    }

    /// The row at a height on the screen, if there is one.
    pub(super) fn row_at(&self, y: f32, total: u64) -> Option<u64> {
        let from_top = f64::from((y - self.body.top()) / size::ROW) + self.scroll.fraction();
        let place = self.scroll.row().checked_add(from_top.max(0.0) as u64)?;
        let row = match self.held_row {
            Some(held) if place == held => return None,
            Some(held) if place > held => place - 1,
            _ => place,
        };
        (self.body.y_range().contains(y) && row < total).then_some(row)
    }

    /// The column at a position on the screen, if there is one.
    pub(super) fn column_at(&self, x: f32) -> Option<usize> {
        self.visible_columns()
            .find(|(_, span)| span.contains(x))
            .map(|(column, _)| column)
    }

    /// The rows that are at least partly visible.
    pub(super) fn visible_rows(&self, total: u64) -> std::ops::Range<u64> {
        let first = self.scroll.row();
        let count = (rows_in(self.body) + self.scroll.fraction()).ceil() as u64;
        first..first.saturating_add(count).min(total)
    }
}

fn rows_in(body: Rect) -> f64 {
    f64::from(body.height() / size::ROW)
}
