//! Editing one cell in place.

use egui::{
    Area, EventFilter, Frame, Id, Key, Layout, Modifiers, Order, Rect, TextEdit, Ui, UiBuilder,
    vec2,
};
use protocol::{Column, ColumnKind, Value};

use super::columns::is_right_aligned;
use super::geometry::Geometry;
use super::state::GridState;
use super::widget::{GridView, select};
use crate::app::Command;
use crate::model::{NULL_INPUT, RowEntry, Slot, WindowCache, edit_text, parse_input};
use crate::panels::format::sentence;
use crate::theme;

/// The narrowest editor, in points; it may cover the cell beside it.
const WIDTH_MIN: f32 = 120.0;

/// A cell being edited.
#[derive(Debug)]
pub(super) struct Editor {
    pub(super) row: u64,
    column: usize,
    /// The row as it was when the editing began.
    entry: RowEntry,
    /// What the cell showed then.
    seen: Value,
    text: String,
    error: Option<String>,
    /// The text field has been given the keyboard.
    focused: bool,
    select_all: bool,
}

impl Editor {
    /// The row as it was when the editing began, if it is no longer where it was: it moved away or
    /// is gone, and is shown in its old place until the editing ends.
    pub(super) fn held_row(&self, cache: &WindowCache) -> Option<&RowEntry> {
        match cache.row(self.row) {
            Slot::Loaded(entry) if entry.key() == self.entry.key() => None,
            Slot::Loaded(_) => Some(&self.entry),
            Slot::Loading => cache
                .total()
                .is_some_and(|total| self.row >= total)
                .then_some(&self.entry),
        }
    }
}

/// Starts editing the selected cell, with `typed` in place of its value if given. Returns whether
/// it could.
pub(super) fn start(view: &GridView<'_>, state: &mut GridState, typed: Option<String>) -> bool {
    let Some(cell) = state.selected.clone() else {
        return false;
    };
    let Some(column) = view.schema.columns.get(cell.column) else {
        return false;
    };
    let Slot::Loaded(entry) = view.cache.row(cell.row) else {
        return false;
    };
    let Some(shown) = view.model.cell(view.window, cell.row, cell.column) else {
        return false;
    };
    if !column.editable || shown.needs_attention() {
        return false;
    }
    let select_all = typed.is_none();
    state.editor = Some(Editor {
        row: cell.row,
        column: cell.column,
        entry: entry.clone(),
        seen: shown.shown().clone(),
        text: typed.unwrap_or_else(|| edit_text(column, shown.shown())),
        error: None,
        focused: false,
        select_all,
    });
    true
}

/// Ends editing and asks for the change. Returns whether nothing is being edited afterwards: text
/// that is no value of the column keeps the editor open.
pub(super) fn commit(
    view: &GridView<'_>,
    state: &mut GridState,
    commands: &mut Vec<Command>,
) -> bool {
    let Some(editor) = &mut state.editor else {
        return true;
    };
    let Some(column) = view.schema.columns.get(editor.column) else {
        state.editor = None;
        return true;
    };
    match parse_input(column, &editor.text) {
        Ok(value) => {
            let key = editor.entry.key().to_vec();
            commands.push(Command::Edit {
                window: view.window,
                key,
                column: column.name.clone(),
                seen: editor.seen.clone(),
                value,
            });
            state.editor = None;
            state.wants_focus = true;
            true
        }
        Err(error) => {
            editor.error = Some(sentence(&error.to_string()));
            editor.focused = false;
            editor.select_all = false;
            false
        }
    }
}

fn cancel(state: &mut GridState) {
    state.editor = None;
    state.wants_focus = true;
}

/// Draws the editor, if a cell is being edited.
pub(super) fn show(
    ui: &mut Ui,
    view: &GridView<'_>,
    state: &mut GridState,
    geometry: &Geometry,
    commands: &mut Vec<Command>,
) {
    let Some(editor) = &mut state.editor else {
        return;
    };
    let shown = view.schema.columns.get(editor.column);
    let (Some(column), Some(x)) = (shown, geometry.column_x(editor.column)) else {
        // The column is hidden: a field that nobody sees must not keep the keyboard.
        return cancel(state);
    };
    let cell = Rect::from_x_y_ranges(x, geometry.place_y(editor.row));
    let choices = choices(column);
    let ended = if choices.is_empty() {
        text_field(ui, view, editor, column, cell, geometry)
    } else {
        choice_list(ui, view, editor, column, cell, &choices)
    };
    match ended {
        None => {}
        Some(Ended::Cancelled) => cancel(state),
        Some(Ended::Committed { step }) => {
            let (row, at) = (editor.row, editor.column);
            if commit(view, state, commands) && step != 0 {
                select(view, state, row, geometry.column_beside(at, step));
            }
        }
    }
}

/// How the person ended the editing.
enum Ended {
    Cancelled,
    /// `step`: how many columns to move on.
    Committed {
        step: isize,
    },
}

fn ended_by_key(ui: &Ui) -> Option<Ended> {
    ui.ctx().input_mut(|input| {
        if input.consume_key(Modifiers::NONE, Key::Escape) {
            Some(Ended::Cancelled)
        } else if input.consume_key(Modifiers::NONE, Key::Enter) {
            Some(Ended::Committed { step: 0 })
        } else if input.consume_key(Modifiers::SHIFT, Key::Tab) {
            Some(Ended::Committed { step: -1 })
        } else if input.consume_key(Modifiers::NONE, Key::Tab) {
            Some(Ended::Committed { step: 1 })
        } else {
            None
        }
    })
}

fn text_field(
    ui: &mut Ui,
    view: &GridView<'_>,
    editor: &mut Editor,
    column: &Column,
    cell: Rect,
    geometry: &Geometry,
) -> Option<Ended> {
    let id = view.id.with("editor");
    // Only a focused field may take the keys: on the first frame they belong to what opened it.
    let ended = if editor.focused {
        ended_by_key(ui)
    } else {
        None
    };
    let palette = view.palette;
    let area = Rect::from_min_size(cell.min, vec2(cell.width().max(WIDTH_MIN), cell.height()));
    // Wider than its cell it must not end behind the grid's edge, where nobody sees what is typed.
    let beyond = (area.right() - geometry.body.right()).clamp(0.0, area.width() - cell.width());
    let area = area.translate(vec2(-beyond, 0.0));
    let mut ui = ui.new_child(UiBuilder::new().max_rect(area));
    ui.set_clip_rect(ui.clip_rect().intersect(geometry.body.expand(2.0)));
    let color = if editor.error.is_some() {
        palette.bad
    } else {
        palette.accent
    };
    let stroke = egui::Stroke::new(2.0, color);
    ui.painter()
        .rect(area, 3.0, palette.field, stroke, egui::StrokeKind::Inside);
    let align = if is_right_aligned(column.kind) {
        egui::Align::Max
    } else {
        egui::Align::Min
    };
    let output = TextEdit::singleline(&mut editor.text)
        .id(id)
        .font(theme::text_font())
        .text_color(palette.text)
        .frame(Frame::NONE.inner_margin(egui::Margin::symmetric(12, 0)))
        .align(egui::Align2([align, egui::Align::Center]))
        .min_size(area.size())
        .desired_width(area.width())
        .event_filter(EventFilter {
            tab: true,
            escape: true,
            horizontal_arrows: true,
            vertical_arrows: true,
        })
        .show(&mut ui);
    let response = output
        .response
        .response
        .accessible_name(format!("Edit {}", column.name));
    if !editor.focused {
        editor.focused = true;
        response.request_focus();
        place_cursor(ui.ctx(), id, output.state, editor);
    } else if response.lost_focus() && ended.is_none() {
        return Some(Ended::Committed { step: 0 });
    }
    if response.changed() {
        editor.error = None;
    }
    if let Some(error) = &editor.error {
        error_box(&ui, view, area, error);
    }
    ended
}

fn place_cursor(
    ctx: &egui::Context,
    id: Id,
    mut state: egui::text_edit::TextEditState,
    editor: &Editor,
) {
    let end = egui::text::CCursor::new(editor.text.chars().count());
    let start = if editor.select_all {
        egui::text::CCursor::default()
    } else {
        end
    };
    state
        .cursor
        .set_char_range(Some(egui::text::CCursorRange::two(start, end)));
    state.store(ctx, id);
}

/// Says beneath the cell why its text is no value.
fn error_box(ui: &Ui, view: &GridView<'_>, area: Rect, error: &str) {
    Area::new(view.id.with("edit error"))
        .order(Order::Foreground)
        .fixed_pos(area.left_bottom() + vec2(0.0, 4.0))
        .interactable(false)
        .show(ui.ctx(), |ui| {
            Frame::popup(ui.style()).show(ui, |ui| {
                ui.set_max_width(320.0);
                ui.colored_label(view.palette.bad, error);
            });
        });
}

/// The values to choose from, if there are few: text to show, text to enter.
fn choices(column: &Column) -> Vec<String> {
    let mut choices: Vec<String> = match column.kind {
        ColumnKind::Bool => vec!["true".to_owned(), "false".to_owned()],
        ColumnKind::Enum => column.labels.clone(),
        _ => return Vec::new(),
    };
    if column.nullable {
        choices.push(NULL_INPUT.to_owned());
    }
    choices
}

fn choice_list(
    ui: &mut Ui,
    view: &GridView<'_>,
    editor: &mut Editor,
    column: &Column,
    cell: Rect,
    choices: &[String],
) -> Option<Ended> {
    let mut ended = if editor.focused {
        ended_by_key(ui)
    } else {
        None
    };
    let before = editor.focused;
    editor.focused = true;
    step_choice(ui, editor, choices);
    let stroke = egui::Stroke::new(2.0, view.palette.accent);
    ui.painter()
        .rect_stroke(cell, 2.0, stroke, egui::StrokeKind::Inside);
    let shown = Area::new(view.id.with("choices"))
        .order(Order::Foreground)
        .fixed_pos(cell.left_bottom())
        .constrain(true)
        .show(ui.ctx(), |ui| {
            Frame::popup(ui.style()).show(ui, |ui| {
                ui.set_min_width(cell.width().max(WIDTH_MIN) - 18.0);
                egui::ScrollArea::vertical()
                    .max_height(280.0)
                    .show(ui, |ui| {
                        if let Some(chosen) = choice_buttons(ui, editor, column, choices) {
                            editor.text = chosen;
                            ended = Some(Ended::Committed { step: 0 });
                        }
                    });
            });
        });
    if before && ended.is_none() && shown.response.clicked_elsewhere() {
        ended = Some(Ended::Cancelled);
    }
    ended
}

/// Draws the choices; returns the one that was clicked.
fn choice_buttons(
    ui: &mut Ui,
    editor: &Editor,
    column: &Column,
    choices: &[String],
) -> Option<String> {
    let mut clicked = None;
    ui.with_layout(Layout::top_down_justified(egui::Align::Min), |ui| {
        for choice in choices {
            let label = ui.selectable_label(*choice == editor.text, choice);
            let name = format!("{}: {choice}", column.name);
            if label.accessible_name(name).clicked() {
                clicked = Some(choice.clone());
            }
        }
    });
    clicked
}

/// The arrow keys move the choice; a letter goes to the first choice that starts with it.
fn step_choice(ui: &Ui, editor: &mut Editor, choices: &[String]) {
    let at = choices.iter().position(|choice| *choice == editor.text);
    let (down, up, typed) = ui.ctx().input_mut(|input| {
        let down = input.count_and_consume_key(Modifiers::NONE, Key::ArrowDown);
        let up = input.count_and_consume_key(Modifiers::NONE, Key::ArrowUp);
        let typed = input.events.iter().find_map(|event| match event {
            egui::Event::Text(text) => Some(text.clone()),
            _ => None,
        });
        (down, up, typed)
    });
    let last = choices.len().saturating_sub(1);
    let starting_with = |start: &str| {
        let start = start.to_lowercase();
        choices
            .iter()
            .position(|choice| choice.to_lowercase().starts_with(&start))
    };
    let next = match (typed, at) {
        (Some(typed), _) => starting_with(&typed).or(at),
        (None, Some(at)) => Some((at + down).saturating_sub(up).min(last)),
        // The editor was opened by a letter.
        (None, None) => starting_with(&editor.text).or(Some(0)),
    };
    if let Some(choice) = next.and_then(|next| choices.get(next)) {
        editor.text.clone_from(choice);
    }
}
