//! The keys of the grid: moving, editing, copying.

use egui::{Event, EventFilter, Key, Modifiers, Ui};

use super::cell::cell_text;
use super::editor;
use super::geometry::Geometry;
use super::state::GridState;
use super::widget::{GridView, select};

/// Takes the keys, if they are meant for the grid: it has the keyboard, or nothing has.
pub(super) fn handle(ui: &Ui, view: &GridView<'_>, state: &mut GridState, geometry: &Geometry) {
    // A menu takes the arrows and Escape.
    if egui::Popup::is_any_open(ui.ctx()) {
        return;
    }
    let focused = ui.memory(egui::Memory::focused);
    let is_ours = match focused {
        Some(id) => id == view.id,
        None => !view.is_nested,
    };
    // While a column is dragged Escape ends that.
    if state.editor.is_some() || state.dragged_column.is_some() || !is_ours {
        return;
    }
    ui.memory_mut(|memory| {
        memory.set_focus_lock_filter(
            view.id,
            EventFilter {
                tab: false,
                horizontal_arrows: true,
                vertical_arrows: true,
                escape: true,
            },
        );
    });
    if pressed(ui, Modifiers::ALT, Key::ArrowDown) {
        state.menu_wanted = state.selected.as_ref().map(|cell| cell.column);
    }
    move_selection(ui, view, state, geometry);
    let enter = pressed(ui, Modifiers::NONE, Key::Enter) || pressed(ui, Modifiers::NONE, Key::F2);
    if enter {
        editor::start(view, state, None);
    } else if pressed(ui, Modifiers::NONE, Key::Escape) {
        state.selected = None;
    }
    take_text(ui, view, state);
}

fn pressed(ui: &Ui, modifiers: Modifiers, key: Key) -> bool {
    ui.ctx()
        .input_mut(|input| input.consume_key(modifiers, key))
}

/// Copies, pastes, and starts editing with what is typed. Several characters may arrive in one
/// frame.
fn take_text(ui: &Ui, view: &GridView<'_>, state: &mut GridState) {
    let mut typed = String::new();
    for event in ui.input(|input| input.events.clone()) {
        match event {
            Event::Copy => copy(ui, view, state),
            Event::Text(text) | Event::Paste(text) => typed.push_str(&text),
            _ => {}
        }
    }
    if !typed.trim().is_empty() && editor::start(view, state, Some(typed)) {
        // The field that appears in this frame must not take the same characters again.
        ui.ctx().input_mut(|input| {
            input
                .events
                .retain(|event| !matches!(event, Event::Text(_) | Event::Paste(_)));
        });
    }
}

fn copy(ui: &Ui, view: &GridView<'_>, state: &GridState) {
    let Some(cell) = &state.selected else { return };
    let shown = view.model.cell(view.window, cell.row, cell.column);
    if let (Some(shown), Some(column)) = (shown, view.schema.columns.get(cell.column)) {
        let value = shown.shown();
        let text = if value.is_null() {
            String::new()
        } else {
            cell_text(column, value)
        };
        ui.ctx().copy_text(text);
    }
}

/// Where a key moves the selection.
#[derive(Clone, Copy)]
enum Step {
    Rows(i64),
    Columns(isize),
    FirstRow,
    LastRow,
}

fn move_selection(ui: &Ui, view: &GridView<'_>, state: &mut GridState, geometry: &Geometry) {
    let total = view.total(geometry);
    let first = view.columns.first().copied().unwrap_or(0);
    let page = (geometry.extent(total).visible.floor() as i64 - 1).max(1);
    let keys = [
        (Modifiers::COMMAND, Key::Home, Step::FirstRow),
        (Modifiers::COMMAND, Key::End, Step::LastRow),
        (Modifiers::COMMAND, Key::ArrowUp, Step::FirstRow),
        (Modifiers::COMMAND, Key::ArrowDown, Step::LastRow),
        (Modifiers::NONE, Key::ArrowUp, Step::Rows(-1)),
        (Modifiers::NONE, Key::ArrowDown, Step::Rows(1)),
        (Modifiers::NONE, Key::PageUp, Step::Rows(-page)),
        (Modifiers::NONE, Key::PageDown, Step::Rows(page)),
        (Modifiers::NONE, Key::ArrowLeft, Step::Columns(-1)),
        (Modifiers::NONE, Key::ArrowRight, Step::Columns(1)),
        (Modifiers::NONE, Key::Home, Step::Columns(isize::MIN)),
        (Modifiers::NONE, Key::End, Step::Columns(isize::MAX)),
    ];
    for (modifiers, key, step) in keys {
        if !pressed(ui, modifiers, key) || total == 0 || view.columns.is_empty() {
            continue;
        }
        let (row, column) = match &state.selected {
            Some(cell) => (cell.row, cell.column),
            None => (state.scroll.row(), first),
        };
        let (row, column) = match step {
            Step::Rows(by) if state.selected.is_some() => (row.saturating_add_signed(by), column),
            Step::Rows(_) => (row, column),
            Step::Columns(by) => (row, geometry.column_beside(column, by)),
            Step::FirstRow => (0, column),
            Step::LastRow => (total - 1, column),
        };
        let row = row.min(total - 1);
        select(view, state, row, column);
        state.scroll = state.scroll.revealing(row, geometry.extent(total));
        state.wants_focus = true;
    }
}
