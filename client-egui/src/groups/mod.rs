//! A table's rows in groups: one row for each group, and beneath an open one a grid with its rows.

mod columns;
mod header;
mod row;

use std::ops::Range;

use egui::{Align, Rect, ScrollArea, Sense, Ui, UiBuilder, pos2, vec2};
use protocol::TableSchema;

use self::columns::GroupColumns;
use crate::app::{Command, Grouping, OpenGroup};
use crate::grid::{self, GridView};
use crate::model::{Slot, Summary, WindowCache};
use crate::theme::size;

/// The height of a group's row, in points.
pub const ROW: f32 = 34.0;

/// How many rows of an open group are on the screen at most; its grid scrolls the others.
const ROWS_MAX: u64 = 12;

/// How far an open group's rows are set in.
const INDENT: f32 = 28.0;

/// Between an open group's rows and the next group.
const GAP: f32 = 10.0;

/// Draws the groups into the rest of `ui`. `view` is the table that they are of.
pub fn show(
    ui: &mut Ui,
    view: &GridView<'_>,
    grouping: &mut Grouping,
    summary: &Summary,
    commands: &mut Vec<Command>,
) {
    let area = ui.available_rect_before_wrap();
    ui.painter().rect_filled(area, 0.0, view.palette.surface);
    let columns = GroupColumns::new(summary, area.width());
    header::show(
        ui,
        view,
        summary,
        grouping.sort.as_ref(),
        &columns,
        commands,
    );
    let below = area.with_min_y(area.top() + size::HEADER);
    let mut body = ui.new_child(UiBuilder::new().max_rect(below));
    body.set_clip_rect(below.intersect(ui.clip_rect()));
    body.spacing_mut().item_spacing = vec2(0.0, 0.0);
    rows(&mut body, view, grouping, summary, &columns, commands);
    ui.advance_cursor_after_rect(area);
}

fn rows(
    ui: &mut Ui,
    view: &GridView<'_>,
    grouping: &mut Grouping,
    summary: &Summary,
    columns: &GroupColumns,
    commands: &mut Vec<Command>,
) {
    let groups = summary.counts().map_or(0, |counts| counts.groups);
    let heights = Heights::of(view, grouping, summary);
    let mut scroll = ScrollArea::vertical().id_salt("groups").auto_shrink(false);
    if grouping.shift != 0.0 {
        scroll = scroll.vertical_scroll_offset((grouping.offset + grouping.shift).max(0.0));
        grouping.shift = 0.0;
    }
    let output = scroll.show_viewport(ui, |ui, seen| {
        let whole = vec2(ui.available_width(), heights.total(groups));
        let (area, _) = ui.allocate_exact_size(whole, Sense::hover());
        let visible = heights.visible(groups, seen.y_range());
        for position in visible.clone() {
            let top = area.top() + heights.top(position);
            let place = Rect::from_min_size(pos2(area.left(), top), vec2(area.width(), ROW));
            let is_open = grouping.open.iter().any(|open| open.is_at(position));
            match summary.group(position) {
                Slot::Loaded(group) => {
                    let group = row::GroupRow {
                        view,
                        summary,
                        columns,
                        group,
                        position,
                        is_open,
                    };
                    group.show(ui, place, commands);
                }
                Slot::Loading => row::placeholder(ui, view, columns, place, position),
            }
            let open = grouping.open.iter_mut();
            if let Some(open) = open.into_iter().find(|open| open.is_at(position)) {
                let beneath = Rect::from_min_max(
                    pos2(area.left() + INDENT, place.bottom()),
                    pos2(
                        area.right() - size::SCROLLBAR,
                        place.bottom() + heights.of_open(open),
                    ),
                );
                open_rows(ui, view, open, beneath, commands);
            }
        }
        visible
    });
    grouping.offset = output.state.clamped_offset().y;
    grouping.visible = output.inner;
    let first = grouping.visible.start;
    grouping.anchor = match summary.group(first) {
        Slot::Loaded(group) if summary.is_current() => Some((group.key().to_vec(), first)),
        _ => None,
    };
}

/// The grid with a group's rows.
fn open_rows(
    ui: &mut Ui,
    view: &GridView<'_>,
    open: &mut OpenGroup,
    area: Rect,
    commands: &mut Vec<Command>,
) {
    let area = area.with_max_y(area.bottom() - GAP);
    let palette = view.palette;
    let Some(window) = view.model.window(open.window) else {
        return;
    };
    let line = egui::Stroke::new(1.0, palette.border);
    let mut ui = ui.new_child(UiBuilder::new().max_rect(area));
    ui.set_clip_rect(ui.clip_rect().intersect(area));
    let cache = window.cache();
    if let Some(error) = window.error() {
        let text = crate::panels::format::sentence(&error.message);
        let inner = area.shrink2(vec2(size::CELL_PADDING, 8.0));
        let mut ui = ui.new_child(UiBuilder::new().max_rect(inner));
        ui.label(egui::RichText::new(text).color(palette.bad));
    } else if let Some(schema) = cache.schema() {
        let columns = same_columns(view, schema);
        let of_group = GridView {
            id: view.id.with(("rows of group", &open.key)),
            window: open.window,
            cache,
            schema,
            columns: &columns,
            has_filters: false,
            is_nested: true,
            highlight: window.highlight(),
            ..*view
        };
        grid::show(&mut ui, &of_group, &mut open.grid, commands);
    } else {
        let small = crate::theme::small_font();
        let inner = area.shrink2(vec2(size::CELL_PADDING, 0.0));
        let first = inner.with_max_y(inner.top() + size::HEADER);
        grid::paint_line(
            ui.painter(),
            first,
            "Opening…",
            small,
            palette.faint,
            Align::Min,
        );
    }
    ui.painter()
        .rect_stroke(area, 0.0, line, egui::StrokeKind::Inside);
}

/// The columns that `view` shows, as they are in the schema of a group's rows.
fn same_columns(view: &GridView<'_>, of_group: &TableSchema) -> Vec<usize> {
    let shown = view.columns.iter();
    let names = shown.map(|index| &view.schema.columns[*index].name);
    names
        .filter_map(|name| {
            of_group
                .columns
                .iter()
                .position(|column| column.name == *name)
        })
        .collect()
}

/// How high the open groups are, and so where each group is.
struct Heights {
    /// In the order of the groups: its position, the height of its rows.
    open: Vec<(u64, f32)>,
}

impl Heights {
    fn of(view: &GridView<'_>, grouping: &Grouping, summary: &Summary) -> Self {
        let height = |open: &OpenGroup| {
            let window = view.model.window(open.window);
            let total = window.and_then(|window| WindowCache::total(window.cache()));
            // What the group says, until its window does.
            let of_group = match open.position.map(|position| summary.group(position)) {
                Some(Slot::Loaded(group)) => crate::panels::rows_in(group),
                Some(Slot::Loading) | None => ROWS_MAX,
            };
            let rows = total.unwrap_or(of_group).clamp(1, ROWS_MAX);
            size::HEADER + rows as f32 * size::ROW + size::SCROLLBAR + GAP
        };
        let open = grouping.open.iter();
        let placed = open.filter_map(|open| Some((open.position?, height(open))));
        let mut open: Vec<_> = placed.collect();
        open.sort_by_key(|(position, _)| *position);
        Self { open }
    }

    fn of_open(&self, group: &OpenGroup) -> f32 {
        let mut open = self.open.iter();
        let found = open.find(|(position, _)| group.is_at(*position));
        found.map_or(0.0, |(_, height)| *height)
    }

    /// Where a group begins.
    fn top(&self, position: u64) -> f32 {
        let above = self.open.iter().filter(|(open, _)| *open < position);
        position as f32 * ROW + above.map(|(_, height)| height).sum::<f32>()
    }

    fn total(&self, groups: u64) -> f32 {
        self.top(groups)
    }

    /// The groups that are at least partly within a range of heights.
    fn visible(&self, groups: u64, seen: egui::Rangef) -> Range<u64> {
        // Without the open ones each would be further up: the first seen is not before this.
        let open: f32 = self.open.iter().map(|(_, height)| height).sum();
        let mut first = ((seen.min - open).max(0.0) / ROW) as u64;
        while first < groups && self.top(first + 1) <= seen.min {
            first += 1;
        }
        let mut end = first;
        while end < groups && self.top(end) < seen.max {
            end += 1;
        }
        first..end
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn groups_are_beneath_each_other_and_beneath_the_open_ones() {
        let heights = Heights {
            open: vec![(1, 100.0), (3, 50.0)],
        };
        assert_eq!(heights.top(1), ROW);
        assert_eq!(heights.top(2), 2.0 * ROW + 100.0);
        assert_eq!(heights.total(5), 5.0 * ROW + 150.0);
        let seen = |min, max| heights.visible(5, egui::Rangef::new(min, max));
        assert_eq!(seen(0.0, 10.0), 0..1);
        assert_eq!(
            seen(ROW + 40.0, ROW + 41.0),
            1..2,
            "within the first open one"
        );
        assert_eq!(seen(0.0, 1e6), 0..5);
        assert_eq!(seen(2.0 * ROW + 100.0, 2.0 * ROW + 101.0), 2..3);
    }
}
