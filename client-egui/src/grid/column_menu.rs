//! What can be done with a column: a menu at its name.

use egui::{Button, Popup, Rect, Response, RichText, Sense, Ui, vec2};
use protocol::{AggregateOp, Column, ColumnKind};

use super::columns::is_right_aligned;
use super::totals_row::long_name;
use super::widget::GridView;
use crate::app::Command;
use crate::model::{FacetKind, facet_kind};
use crate::panels::icons;
use crate::theme;

const BUTTON: f32 = 20.0;

/// Where a column's name is.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Place {
    pub(crate) area: Rect,
    pub(crate) clip: Rect,
    /// The button is at the left: the name ends at the right.
    pub(crate) at_left: bool,
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
    Popup::menu(&button).gap(6.0).show(|ui| {
        ui.set_min_width(188.0);
        items(ui, view, column, commands);
    });
}

fn items(ui: &mut Ui, view: &GridView<'_>, column: &Column, commands: &mut Vec<Command>) {
    let name = &column.name;
    let palette = view.palette;
    let item = |ui: &mut Ui, text: &str| {
        let clicked = ui
            .add(Button::new(text).frame_when_inactive(false))
            .clicked();
        if clicked {
            ui.close();
        }
        clicked
    };
    if column.sortable {
        for (text, descending) in [("Sort ascending", false), ("Sort descending", true)] {
            if item(ui, text) {
                commands.push(Command::SortBy {
                    column: name.clone(),
                    descending,
                });
            }
        }
    }
    if !view.sort.is_empty() && item(ui, "Clear the order") {
        commands.push(Command::ClearSort);
    }
    let facet = match facet_kind(column) {
        Some(FacetKind::Values) => Some("Values and counts"),
        Some(FacetKind::Histogram) => Some("Histogram"),
        None => None,
    };
    if facet.is_some() || !view.groups.is_empty() {
        ui.separator();
    }
    group_items(ui, view, column, commands);
    if let Some(facet) = facet
        && item(ui, facet)
    {
        commands.push(Command::ShowFacet(Some(name.clone())));
    }
    ui.separator();
    ui.horizontal(|ui| {
        // In line with the entries, which have a padding.
        ui.add_space(2.0);
        let title = RichText::new("Total").font(theme::small_font());
        ui.label(title.color(palette.muted));
    });
    let shown = view.totals.get(name).copied();
    for op in aggregates_of(column.kind) {
        let is_shown = shown == Some(op);
        let button = Button::selectable(is_shown, long_name(op));
        if ui.add(button).clicked() {
            let column = name.clone();
            let op = (!is_shown).then_some(op);
            commands.push(Command::SetTotal { column, op });
            ui.close();
        }
    }
}

/// Grouping by the column, and by others.
fn group_items(ui: &mut Ui, view: &GridView<'_>, column: &Column, commands: &mut Vec<Command>) {
    let name = &column.name;
    let groups = view.groups;
    if groups.contains(name) {
        if ui.button("Stop grouping by this column").clicked() {
            let others = groups.iter().filter(|other| *other != name);
            commands.push(Command::GroupBy(others.cloned().collect()));
        }
        return;
    }
    if facet_kind(column).is_none() || view.is_nested {
        return;
    }
    if ui.button("Group by this column").clicked() {
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
