//! What can be done with a column: a menu at its name.

use egui::{Button, Popup, Rect, Response, RichText, Sense, Ui, vec2};
use protocol::{AggregateOp, Column, ColumnKind};

use super::column_drag;
use super::columns::is_right_aligned;
use super::totals_row::long_name;
use super::widget::GridView;
use crate::app::Command;
use crate::model::{FacetKind, facet_kind};
use crate::panels::{icons, menu_title};
use crate::theme;

const BUTTON: f32 = 20.0;

/// Where a column's name is.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Place {
    pub(crate) area: Rect,
    pub(crate) clip: Rect,
    /// The button is at the left: the name ends at the right.
    pub(crate) at_left: bool,
    /// The column's index, if it is a column of a grid, where it can be moved and hidden.
    pub(crate) in_grid: Option<usize>,
}

/// Draws the button at a column's name while it is looked at, and its menu while that is open. `name` is
/// the name's own response; `wanted` opens the menu.
pub(crate) fn show(
    ui: &mut Ui,
    view: &GridView<'_>,
    column: &Column,
    place: Place,
    name: &Response,
    wanted: bool,
    commands: &mut Vec<Command>,
) {
    let Place {
        area,
        clip,
        at_left,
        in_grid,
    } = place;
    let center = if at_left {
        area.left_center() + vec2(BUTTON / 2.0 + 3.0, 0.0)
    } else {
        area.right_center() - vec2(BUTTON / 2.0 + 6.0, 0.0)
    };
    let sign = Rect::from_center_size(center, vec2(BUTTON, BUTTON));
    let id = view.id.with(("column menu", &column.name));
    let button = ui.interact(sign.intersect(clip), id, Sense::click());
    let popup = Popup::default_response_id(&button);
    if name.secondary_clicked() || wanted {
        Popup::open_id(ui.ctx(), popup);
    }
    let is_open = Popup::is_id_open(ui.ctx(), popup);
    if name.hovered() || button.hovered() || button.has_focus() || is_open {
        let palette = view.palette;
        let painter = ui.painter_at(clip);
        let fill = if button.hovered() || is_open {
            palette.border
        } else {
            palette.hover
        };
        painter.rect_filled(sign, 5.0, fill);
        icons::chevron_down(&painter, center, palette.text);
    }
    let label = format!("Menu of {}", column.name);
    button.widget_info(|| egui::WidgetInfo::labeled(egui::Role::Button, true, &label));
    let menu = Popup::menu(&button).style(theme::menu_style).gap(6.0);
    menu.show(|ui| {
        ui.set_width(212.0);
        items(ui, view, column, in_grid, commands);
        if let Some(index) = in_grid {
            ui.separator();
            arrangement_items(ui, view, index, commands);
        }
    });
}

fn items(
    ui: &mut Ui,
    view: &GridView<'_>,
    column: &Column,
    in_grid: Option<usize>,
    commands: &mut Vec<Command>,
) {
    let name = &column.name;
    let palette = view.palette;
    if column.sortable && in_grid.is_some() {
        for (text, descending) in [("Sort ascending", false), ("Sort descending", true)] {
            if item(ui, text) {
                commands.push(Command::SortBy {
                    column: name.clone(),
                    descending,
                });
            }
        }
    }
    if !view.sort.is_empty() && in_grid.is_some() && item(ui, "Clear the order") {
        commands.push(Command::ClearSort);
    }
    let facet = match facet_kind(column) {
        Some(FacetKind::Values) => Some("Values and counts"),
        Some(FacetKind::Histogram) => Some("Histogram"),
        None => None,
    };
    if in_grid.is_some() && (facet.is_some() || !view.groups.is_empty()) {
        ui.separator();
    }
    group_items(ui, view, column, commands);
    if let Some(facet) = facet
        && item(ui, facet)
    {
        commands.push(Command::ShowFacet(Some(name.clone())));
    }
    ui.separator();
    menu_title(ui, palette, "Total");
    let shown = view.totals.get(name).copied();
    for op in aggregates_of(column.kind) {
        let is_shown = shown == Some(op);
        let mut button = Button::selectable(is_shown, long_name(op));
        if is_shown {
            let name = RichText::new(long_name(op)).color(palette.accent);
            button = Button::selectable(true, name).fill(palette.accent_soft);
        }
        if ui.add(button).clicked() {
            let column = name.clone();
            let op = (!is_shown).then_some(op);
            commands.push(Command::SetTotal { column, op });
            ui.close();
        }
    }
}

/// An entry; returns whether it was chosen.
fn item(ui: &mut Ui, text: &str) -> bool {
    enabled_item(ui, text, true)
}

fn enabled_item(ui: &mut Ui, text: &str, is_enabled: bool) -> bool {
    let button = Button::new(text).frame_when_inactive(false);
    let clicked = ui.add_enabled(is_enabled, button).clicked();
    if clicked {
        ui.close();
    }
    clicked
}

/// Where the column is among the others, and whether.
fn arrangement_items(ui: &mut Ui, view: &GridView<'_>, index: usize, commands: &mut Vec<Command>) {
    let shown = view.columns;
    let place = shown.iter().position(|column| *column == index);
    let Some(place) = place else { return };
    if enabled_item(ui, "Move left", place > 0) {
        commands.push(column_drag::move_to(view, index, place - 1));
    }
    if enabled_item(ui, "Move right", place + 1 < shown.len()) {
        commands.push(column_drag::move_to(view, index, place + 2));
    }
    if enabled_item(ui, "Hide this column", shown.len() > 1) {
        commands.push(Command::ShowColumn {
            column: view.schema.columns[index].name.clone(),
            is_shown: false,
        });
    }
}

/// Grouping by the column, and by others.
fn group_items(ui: &mut Ui, view: &GridView<'_>, column: &Column, commands: &mut Vec<Command>) {
    let name = &column.name;
    let groups = view.groups;
    if groups.contains(name) {
        if item(ui, "Stop grouping by this column") {
            let others = groups.iter().filter(|other| *other != name);
            commands.push(Command::GroupBy(others.cloned().collect()));
        }
        return;
    }
    if facet_kind(column).is_none() || view.is_nested {
        return;
    }
    if item(ui, "Group by this column") {
        let groups = groups.iter().chain([name]);
        commands.push(Command::GroupBy(groups.cloned().collect()));
    }
}

/// The totals that make sense of a kind of values.
pub(super) fn aggregates_of(kind: ColumnKind) -> Vec<AggregateOp> {
    let mut ops = Vec::new();
    if is_right_aligned(kind) {
        ops.extend([AggregateOp::Sum, AggregateOp::Avg]);
    }
    let has_extremes = !matches!(
        kind,
        ColumnKind::Json | ColumnKind::Array | ColumnKind::Other | ColumnKind::Bytes
    );
    if has_extremes {
        ops.extend([AggregateOp::Min, AggregateOp::Max]);
    }
    ops.push(AggregateOp::Count);
    ops
}
