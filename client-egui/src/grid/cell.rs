//! Drawing one value.

use egui::{Align, Color32, Painter, Rect, Stroke, pos2, vec2};
use protocol::{Column, ColumnKind, Highlight, Value};

use super::columns::is_right_aligned;
use super::text::{Marking, marked_line, paint_line, paint_marked_line};
use crate::model::display_cell;
use crate::theme::{self, Palette, size};

/// What a cell without a value shows.
pub(super) const NULL_TEXT: &str = "null";

/// Between a tag's edge and its text, in points.
const TAG_PADDING: f32 = 7.0;

/// A tag that would get less room than this is left out, in points.
const TAG_ROOM_MIN: f32 = 20.0;

/// What a cell says, for copying and for assistive technology.
pub(super) fn cell_text(column: &Column, value: &Value) -> String {
    match value {
        Value::Null => NULL_TEXT.to_owned(),
        value => display_cell(column, value),
    }
}

/// How to draw a value.
#[derive(Clone, Copy)]
pub(super) struct ValueStyle<'a> {
    pub(super) color: Color32,
    pub(super) palette: &'a Palette,
    /// What a search looks for, in the kinds of values that it looks in.
    pub(super) highlight: Option<&'a Highlight>,
}

impl ValueStyle<'_> {
    fn marking(&self, kind: ColumnKind) -> Option<Marking<'_>> {
        let is_searched = matches!(
            kind,
            ColumnKind::Text | ColumnKind::Json | ColumnKind::Array | ColumnKind::Other
        );
        let highlight = self.highlight.filter(|_| is_searched)?;
        let background = self.palette.mark;
        Some(Marking {
            highlight,
            background,
        })
    }
}

/// Draws a value in `cell`.
pub(super) fn paint_value(
    painter: &Painter,
    cell: Rect,
    column: &Column,
    value: &Value,
    style: ValueStyle<'_>,
) {
    let palette = style.palette;
    let area = cell.shrink2(vec2(size::CELL_PADDING, 0.0));
    let align = if is_right_aligned(column.kind) {
        Align::Max
    } else {
        Align::Min
    };
    match value {
        Value::Null => {
            paint_line(
                painter,
                area,
                NULL_TEXT,
                theme::small_font(),
                palette.faint,
                align,
            );
        }
        Value::Bool(true) => paint_check(painter, area.left_center(), palette.accent),
        Value::Bool(false) => paint_dash(painter, area.left_center(), palette.faint),
        Value::Text(text) if column.kind == ColumnKind::Array => {
            paint_array(painter, area, column, text, style);
        }
        value => {
            let text = display_cell(column, value);
            let font = (font_of(column.kind), style.color);
            let marking = style.marking(column.kind);
            paint_marked_line(painter, area, &text, font, align, marking);
        }
    }
}

/// Draws a list of texts as tags; anything else (nested or mixed) as its text.
fn paint_array(painter: &Painter, area: Rect, column: &Column, json: &str, style: ValueStyle<'_>) {
    let palette = style.palette;
    let marking = style.marking(column.kind);
    let Ok(tags) = serde_json::from_str::<Vec<String>>(json) else {
        let text = display_cell(column, &Value::text(json));
        let font = (theme::text_font(), style.color);
        return paint_marked_line(painter, area, &text, font, Align::Min, marking);
    };
    let mut left = area.left() - 2.0;
    for tag in tags {
        let room = area.right() - left - 2.0 * TAG_PADDING;
        if room < TAG_ROOM_MIN {
            break;
        }
        let font = (theme::small_font(), palette.muted);
        let galley = marked_line(painter, &tag, font, room, marking);
        let size = galley.size() + vec2(2.0 * TAG_PADDING, 5.0);
        let chip = Rect::from_min_size(pos2(left, (area.center().y - size.y / 2.0).round()), size);
        painter.rect_filled(chip, size.y / 2.0, palette.hover);
        painter.galley(chip.min + vec2(TAG_PADDING, 2.5), galley, palette.muted);
        left = chip.right() + 5.0;
    }
}

/// Draws a placeholder for a value that is not here yet. `row` varies its length.
pub(super) fn paint_placeholder(
    painter: &Painter,
    cell: Rect,
    kind: ColumnKind,
    row: u64,
    color: Color32,
) {
    let area = cell.shrink2(vec2(size::CELL_PADDING, 0.0));
    let share = 0.45 + 0.09 * ((row.wrapping_mul(7) + area.left() as u64) % 5) as f32;
    let bar = vec2(area.width() * share, 8.0);
    let left = if is_right_aligned(kind) {
        area.right() - bar.x
    } else {
        area.left()
    };
    let rect = Rect::from_min_size(pos2(left, area.center().y - bar.y / 2.0), bar);
    painter.rect_filled(rect, 4.0, color);
}

/// The font that values of this kind are drawn in.
pub(super) fn font_of(kind: ColumnKind) -> egui::FontId {
    match kind {
        ColumnKind::Uuid | ColumnKind::Json | ColumnKind::Bytes => {
            egui::FontId::monospace(size::TEXT - 1.0)
        }
        _ => theme::text_font(),
    }
}

/// A check mark that starts at `left`.
fn paint_check(painter: &Painter, left: egui::Pos2, color: Color32) {
    let points = [vec2(1.0, 0.5), vec2(5.0, 4.5), vec2(12.5, -4.5)].map(|offset| left + offset);
    painter.line(points.to_vec(), Stroke::new(2.0, color));
}

fn paint_dash(painter: &Painter, left: egui::Pos2, color: Color32) {
    painter.line_segment(
        [left + vec2(2.0, 0.0), left + vec2(10.0, 0.0)],
        Stroke::new(1.5, color),
    );
}
