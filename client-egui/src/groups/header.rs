//! The names above the groups: click to order the groups by one.

use egui::accesskit::{Role, SortDirection};
use egui::{Align, CursorIcon, Rangef, Rect, Sense, Ui, vec2};
use protocol::{Column, SummaryValue};

use super::columns::GroupColumns;
use crate::app::{Command, GroupSort, GroupSortBy};
use crate::grid::{GridView, aggregate_name, column_menu, paint_line, paint_sort_arrow};
use crate::model::Summary;
use crate::theme::{self, size};

pub(super) fn show(
    ui: &mut Ui,
    view: &GridView<'_>,
    summary: &Summary,
    sort: Option<&GroupSort>,
    columns: &GroupColumns,
    commands: &mut Vec<Command>,
) {
    let area = ui.available_rect_before_wrap();
    let area = area.with_max_y(area.top() + size::HEADER);
    ui.painter().rect_filled(area, 0.0, view.palette.header);
    let border = egui::Stroke::new(1.0, view.palette.border);
    ui.painter()
        .hline(area.x_range(), area.bottom() - 0.5, border);
    let place = |span: Rangef| {
        let x = Rangef::new(area.left() + span.min, area.left() + span.max);
        Rect::from_x_y_ranges(x, area.y_range())
    };
    for (key, span) in summary.keys().iter().zip(&columns.keys) {
        let head = Head {
            text: key.column.name.clone(),
            by: GroupSortBy::Key(key.column.name.clone()),
            align: Align::Min,
            column: Some(&key.column),
        };
        head.show(ui, view, sort, place(*span), commands);
    }
    for (value, span) in summary.values().iter().zip(&columns.values) {
        let head = Head {
            text: name_of(value),
            by: match &value.column {
                Some(column) => GroupSortBy::Total(column.clone()),
                None => GroupSortBy::Rows,
            },
            align: Align::Max,
            column: column_of(view, value),
        };
        head.show(ui, view, sort, place(*span), commands);
    }
}

/// A value's name: `rows`, `sum of price`.
pub(super) fn name_of(value: &SummaryValue) -> String {
    match &value.column {
        None => "rows".to_owned(),
        Some(column) => format!("{} of {column}", aggregate_name(value.op)),
    }
}

fn column_of<'a>(view: &GridView<'a>, value: &SummaryValue) -> Option<&'a Column> {
    let name = value.column.as_ref()?;
    view.schema
        .columns
        .iter()
        .find(|column| column.name == *name)
}

/// One name.
struct Head<'a> {
    text: String,
    by: GroupSortBy,
    align: Align,
    /// The column whose menu it offers.
    column: Option<&'a Column>,
}

impl Head<'_> {
    fn show(
        &self,
        ui: &mut Ui,
        view: &GridView<'_>,
        sort: Option<&GroupSort>,
        area: Rect,
        commands: &mut Vec<Command>,
    ) {
        let palette = view.palette;
        let id = view.id.with(("group header", &self.text));
        let mut response = ui.interact(area, id, Sense::click());
        if response.hovered() || response.has_focus() {
            ui.painter().rect_filled(area, 0.0, palette.hover);
            response = response.on_hover_cursor(CursorIcon::PointingHand);
        }
        let descending = sort
            .filter(|sort| sort.by == self.by)
            .map(|sort| sort.descending);
        let color = if descending.is_some() {
            palette.accent
        } else {
            palette.muted
        };
        let inner = area.shrink2(vec2(size::CELL_PADDING, 0.0));
        let font = theme::strong_font(size::TEXT);
        let galley = ui
            .painter()
            .layout_no_wrap(self.text.clone(), font.clone(), color);
        let room = if descending.is_some() { 20.0 } else { 0.0 };
        let (text_area, arrow_x) = match self.align {
            Align::Max => (
                inner.with_min_x(inner.left() + room),
                (inner.right() - galley.size().x - 10.0).max(inner.left() + 5.0),
            ),
            _ => (
                inner.with_max_x(inner.right() - room),
                (inner.left() + galley.size().x + 10.0).min(inner.right() - 5.0),
            ),
        };
        paint_line(ui.painter(), text_area, &self.text, font, color, self.align);
        if let Some(descending) = descending {
            let at = egui::pos2(arrow_x, area.center().y);
            paint_sort_arrow(ui.painter(), at, descending, color);
        }
        response.widget_info(|| egui::WidgetInfo::labeled(Role::ColumnHeader, true, &self.text));
        ui.ctx().accesskit_node_builder(id, |node| {
            if let Some(descending) = descending {
                node.set_sort_direction(if descending {
                    SortDirection::Descending
                } else {
                    SortDirection::Ascending
                });
            }
        });
        if response.clicked() {
            commands.push(Command::OrderGroups(self.by.clone()));
        }
        if let Some(column) = self.column {
            let clip = ui.clip_rect();
            let menu = column_menu::Place {
                area,
                clip,
                at_left: self.align == Align::Max,
                in_grid: None,
            };
            column_menu::show(ui, view, column, menu, &response, false, commands);
        }
        response.on_hover_text(format!("Order the groups by {}", self.text));
    }
}
