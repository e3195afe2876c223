//! How wide the columns are, and where.

use std::collections::HashMap;

use egui::Rangef;
use protocol::{Column, ColumnKind};

/// The narrowest a column can be dragged, in points.
const WIDTH_MIN: f32 = 48.0;

/// The widest a column is made when its first rows arrive, in points.
const FIRST_WIDTH_MAX: f32 = 250.0;

/// What a column gets whose values are too long to be read in a grid anyway, in points.
const PROSE_WIDTH: f32 = 180.0;

/// The widest a column becomes by a double click on its edge, in points; it can be dragged further.
pub(super) const FITTED_WIDTH_MAX: f32 = 640.0;

/// The widths that columns were given, by name.
#[derive(Clone, Debug, Default)]
pub(super) struct ColumnWidths {
    given: HashMap<String, Given>,
}

#[derive(Clone, Copy, Debug)]
struct Given {
    width: f32,
    by_hand: bool,
}

impl ColumnWidths {
    /// Whether a column has no width yet.
    pub(super) fn is_new(&self, column: &Column) -> bool {
        !self.given.contains_key(&column.name)
    }

    /// Whether a column may still become wider by itself: a number cut off reads as another number.
    pub(super) fn may_grow(&self, column: &Column) -> bool {
        let given = self.given.get(&column.name);
        is_right_aligned(column.kind) && given.is_none_or(|given| !given.by_hand)
    }

    /// Gives a column the width that fits its values, in points, within reason.
    pub(super) fn fit_at_first(&mut self, column: &Column, width: f32) {
        let is_prose = width > 1.6 * FIRST_WIDTH_MAX;
        let width = match column.kind {
            // Part of a UUID is of no use.
            ColumnKind::Uuid => width,
            _ if is_prose => PROSE_WIDTH,
            _ => width.clamp(WIDTH_MIN, FIRST_WIDTH_MAX),
        };
        self.given.insert(
            column.name.clone(),
            Given {
                width,
                by_hand: false,
            },
        );
    }

    /// Gives a column the width that a person wants, in points.
    pub(super) fn set_by_hand(&mut self, column: &Column, width: f32) {
        let width = width.max(WIDTH_MIN);
        self.given.insert(
            column.name.clone(),
            Given {
                width,
                by_hand: true,
            },
        );
    }

    /// A column's width, in points.
    pub(super) fn of(&self, column: &Column) -> f32 {
        let given = self.given.get(&column.name);
        given.map_or_else(|| default_width(column.kind), |given| given.width)
    }

    /// The columns shown, by their indices, and where each is, from x = 0.
    pub(super) fn spans(&self, columns: &[Column], shown: &[usize]) -> Vec<(usize, Rangef)> {
        let mut x = 0.0;
        let mut spans = Vec::with_capacity(shown.len());
        for &index in shown {
            let end = x + self.of(&columns[index]);
            spans.push((index, Rangef::new(x, end)));
            x = end;
        }
        spans
    }
}

/// What a column of this kind needs before any of its values is known.
fn default_width(kind: ColumnKind) -> f32 {
    match kind {
        ColumnKind::Bool => 76.0,
        ColumnKind::Int | ColumnKind::Float | ColumnKind::Numeric => 104.0,
        ColumnKind::Date | ColumnKind::Time => 112.0,
        ColumnKind::Timestamp | ColumnKind::TimestampTz => 196.0,
        ColumnKind::Interval | ColumnKind::Enum => 128.0,
        ColumnKind::Uuid => 272.0,
        ColumnKind::Text => 200.0,
        ColumnKind::Json | ColumnKind::Array | ColumnKind::Bytes | ColumnKind::Other => 200.0,
    }
}

/// Whether values of this kind read best with their ends aligned.
pub(super) fn is_right_aligned(kind: ColumnKind) -> bool {
    matches!(
        kind,
        ColumnKind::Int | ColumnKind::Float | ColumnKind::Numeric
    )
}
