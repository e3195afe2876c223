//! What assistive technology asks of cells: to select one.

use egui::accesskit::{Action, NodeId};
use egui::{Event, Id, Ui};
use protocol::Value;

use super::geometry::Geometry;
use super::state::GridState;
use super::widget::{GridView, select};
use crate::model::Slot;

/// The id of a row's node: it belongs to the row, wherever that is in the view.
pub(super) fn row_id(view: &GridView<'_>, key: &[Value]) -> Id {
    view.id.with(("row", key))
}

/// The id of a cell's node.
pub(super) fn cell_id(view: &GridView<'_>, key: &[Value], column: usize) -> Id {
    row_id(view, key).with(column)
}

/// Selects the cell that was asked for, if it is on the screen.
pub(super) fn handle(ui: &Ui, view: &GridView<'_>, state: &mut GridState, geometry: &Geometry) {
    let asked_for = ui.input(|input| {
        input.events.iter().find_map(|event| match event {
            Event::AccessKitActionRequest(request)
                if matches!(request.action, Action::Click | Action::Focus) =>
            {
                Some(request.target_node)
            }
            _ => None,
        })
    });
    let Some((row, column)) = asked_for.and_then(|node| cell_of(view, geometry, node)) else {
        return;
    };
    select(view, state, row, column);
    state.wants_focus = true;
}

fn cell_of(view: &GridView<'_>, geometry: &Geometry, node: NodeId) -> Option<(u64, usize)> {
    let rows = geometry.visible_rows(view.total(geometry));
    rows.filter_map(|row| match view.cache.row(row) {
        Slot::Loaded(entry) => Some((row, entry)),
        Slot::Loading => None,
    })
    .flat_map(|(row, entry)| {
        let columns = 0..view.schema.columns.len();
        columns.map(move |column| (row, column, cell_id(view, entry.key(), column)))
    })
    .find(|(_, _, id)| id.accesskit_id() == node)
    .map(|(row, column, _)| (row, column))
}
