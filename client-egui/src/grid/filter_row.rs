//! The fields beneath the header that filter by column.

use std::collections::HashMap;
use std::time::Duration;

use egui::{EventFilter, Key, Modifiers, Rect, TextEdit, Ui, UiBuilder, vec2};
use protocol::{Column, ColumnKind};
use web_time::Instant;

use super::geometry::Geometry;
use super::state::GridState;
use super::widget::GridView;
use crate::app::Command;
use crate::model::filter_from_input;
use crate::theme::{self, size};

/// How long after the last keystroke a filter applies by itself.
const SETTLE: Duration = Duration::from_millis(300);

/// What is typed above the columns, by name.
#[derive(Clone, Debug, Default)]
pub(super) struct FilterFields {
    fields: HashMap<String, FilterField>,
}

#[derive(Clone, Debug, Default)]
struct FilterField {
    text: String,
    applied: String,
    typed_at: Option<Instant>,
    error: Option<String>,
}

impl FilterFields {
    pub(super) fn new(filters: impl IntoIterator<Item = (String, String)>) -> Self {
        let field = |text: String| FilterField {
            applied: text.clone(),
            text,
            ..FilterField::default()
        };
        Self {
            fields: filters
                .into_iter()
                .map(|(name, text)| (name, field(text)))
                .collect(),
        }
    }

    /// Unless something newer is being typed there.
    pub(super) fn set(&mut self, column: &str, text: &str) {
        let field = self.fields.entry(column.to_owned()).or_default();
        if field.typed_at.is_none() {
            text.clone_into(&mut field.text);
            field.error = None;
        }
        text.clone_into(&mut field.applied);
    }

    pub(super) fn clear(&mut self) {
        self.fields.clear();
    }
}

/// Draws the fields and applies what is typed in them.
pub(super) fn show(
    ui: &mut Ui,
    view: &GridView<'_>,
    state: &mut GridState,
    geometry: &Geometry,
    commands: &mut Vec<Command>,
) {
    let mut clipped = ui.new_child(UiBuilder::new().max_rect(geometry.filters));
    clipped.set_clip_rect(ui.clip_rect().intersect(geometry.filters));
    for (index, x) in geometry.visible_columns() {
        let area = Rect::from_x_y_ranges(x, geometry.filters.y_range()).shrink2(vec2(5.0, 4.0));
        let column = &view.schema.columns[index];
        let field = state.fields_of(&column.name);
        if let Some(text) = show_field(&mut clipped, view, column, field, area) {
            commands.push(Command::SetFilter {
                column: column.name.clone(),
                text,
            });
        }
    }
}

impl GridState {
    fn fields_of(&mut self, column: &str) -> &mut FilterField {
        if !self.filters.fields.contains_key(column) {
            self.filters
                .fields
                .insert(column.to_owned(), FilterField::default());
        }
        self.filters.fields.entry(column.to_owned()).or_default()
    }
}

/// Draws one field; returns the text to apply, if it is time to.
fn show_field(
    ui: &mut Ui,
    view: &GridView<'_>,
    column: &Column,
    field: &mut FilterField,
    area: Rect,
) -> Option<String> {
    let id = view.id.with(("filter", &column.name));
    let focused = ui.memory(|memory| memory.has_focus(id));
    let key = |key| {
        ui.ctx()
            .input_mut(|input| input.consume_key(Modifiers::NONE, key))
    };
    let escaped = focused && key(Key::Escape);
    let entered = focused && key(Key::Enter);
    paint_frame(ui, view, field, area, focused);
    let text_color = if field.error.is_some() {
        view.palette.bad
    } else {
        view.palette.text
    };
    let edit = TextEdit::singleline(&mut field.text)
        .id(id)
        .font(theme::text_font())
        .text_color(text_color)
        .hint_text(
            egui::RichText::new("Filter")
                .color(view.palette.faint)
                .size(size::SMALL),
        )
        // The first Escape empties the field, the second leaves it.
        .event_filter(EventFilter {
            escape: true,
            horizontal_arrows: true,
            ..EventFilter::default()
        })
        .frame(egui::Frame::NONE.inner_margin(egui::Margin::symmetric(7, 3)))
        .align(egui::Align2::LEFT_CENTER)
        .desired_width(area.width());
    let response = ui
        .put(area, edit)
        .accessible_name(format!("Filter {}", column.name));
    let cleared = escaped && !field.text.is_empty();
    if cleared {
        field.text.clear();
    } else if escaped {
        response.surrender_focus();
    }
    if response.changed() {
        field.typed_at = Some(view.now);
        field.error = None;
    }
    match &field.error {
        Some(error) => response.on_hover_text(error),
        None => response.on_hover_text(hint(column.kind)),
    };
    let due = due(ui, field, view.now) || entered || cleared;
    due.then(|| apply(column, field)).flatten()
}

fn paint_frame(ui: &Ui, view: &GridView<'_>, field: &FilterField, area: Rect, focused: bool) {
    let palette = view.palette;
    let hovered = ui.rect_contains_pointer(area);
    let color = match (&field.error, focused) {
        (Some(_), _) => palette.bad,
        (None, true) => palette.accent,
        (None, false) if !field.applied.is_empty() => palette.accent,
        (None, false) if hovered => palette.border,
        (None, false) => palette.hairline,
    };
    let stroke = egui::Stroke::new(1.0, color);
    ui.painter()
        .rect(area, 5.0, palette.field, stroke, egui::StrokeKind::Inside);
}

/// Whether the typing has paused for long enough; otherwise another frame comes when it will have.
fn due(ui: &Ui, field: &FilterField, now: Instant) -> bool {
    let Some(typed_at) = field.typed_at else {
        return false;
    };
    let waited = now.saturating_duration_since(typed_at);
    if let Some(left) = SETTLE.checked_sub(waited).filter(|left| !left.is_zero()) {
        ui.ctx().request_repaint_after(left);
        return false;
    }
    true
}

fn apply(column: &Column, field: &mut FilterField) -> Option<String> {
    field.typed_at = None;
    match filter_from_input(column, &field.text) {
        Ok(_) => field.error = None,
        Err(error) => {
            field.error = Some(error.to_string());
            return None;
        }
    }
    if field.text == field.applied {
        return None;
    }
    field.applied.clone_from(&field.text);
    Some(field.text.clone())
}

/// What can be typed above a column of this kind.
fn hint(kind: ColumnKind) -> &'static str {
    match kind {
        ColumnKind::Text | ColumnKind::Json | ColumnKind::Array | ColumnKind::Other => {
            "word: contains it\n=word: equals it, !=word: does not\n^word: starts with it\n\
             =a|b|c: one of these\nnull or !null: without or with a value"
        }
        ColumnKind::Bool => "true or false\nnull or !null: without or with a value",
        ColumnKind::Enum | ColumnKind::Uuid | ColumnKind::Bytes => {
            "value: equals it, !=value: does not\na|b|c: one of these\n\
             null or !null: without or with a value"
        }
        ColumnKind::Int | ColumnKind::Float | ColumnKind::Numeric => {
            "10: equals it, !=10: does not\n>10, >=10, <10, <=10\n10..20, 10.., ..20: from, to, \
             ends included\n1|2|3: one of these\nnull or !null: without or with a value"
        }
        ColumnKind::Date | ColumnKind::Timestamp | ColumnKind::TimestampTz => {
            "2026-11-21: on that day\n>2026-11-21, <=2026-11-21 12:00\n\
             2026-11-01..2026-11-30: from, to, ends included\n\
             null or !null: without or with a value"
        }
        ColumnKind::Time | ColumnKind::Interval => {
            "value: equals it, !=value: does not\n>value, >=value, <value, <=value\n\
             null or !null: without or with a value"
        }
    }
}
