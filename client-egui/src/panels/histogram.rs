//! A column's numbers or times in bars: click one, or drag across several, to filter by that range.

use egui::{Align, Key, Modifiers, Rect, RichText, Sense, Ui, vec2};
use protocol::{Column, ColumnKind, Value};

use super::FrameView;
use super::facet::{note, rows_in};
use super::format::{bound, range_text, rows, thousands};
use crate::app::Command;
use crate::grid::paint_line;
use crate::model::{
    Summary, ValueRange, bucket_bounds, filter_of_range, filter_of_values, ordinal,
    range_in_filter, values_in_filter,
};
use crate::theme;

const HEIGHT: f32 = 132.0;

/// A bar that holds anything is at least this high, in points.
const BAR_MIN: f32 = 2.0;

/// One bar.
struct Bar<'a> {
    low: Option<&'a Value>,
    high: Option<&'a Value>,
    count: u64,
}

impl Bar<'_> {
    fn range(&self, kind: ColumnKind) -> ValueRange {
        let all = ValueRange::ALL;
        ValueRange {
            low: self
                .low
                .and_then(|low| ordinal(kind, low))
                .unwrap_or(all.low),
            high: self
                .high
                .and_then(|high| ordinal(kind, high))
                .unwrap_or(all.high),
        }
    }

    fn label(&self, kind: ColumnKind) -> String {
        let low = self.low.map(|low| bound(kind, low));
        let high = self.high.map(|high| bound(kind, high));
        let range = range_text(low, high);
        format!("{range}: {} {}", thousands(self.count), rows(self.count))
    }
}

/// Draws the histogram and takes its clicks and drags. `dragged` is the first and the last bar of a
/// drag under way; returns what it is after this frame.
pub(super) fn show(
    ui: &mut Ui,
    frame: &FrameView<'_>,
    column: &Column,
    summary: &Summary,
    filter: &str,
    dragged: Option<(usize, usize)>,
    commands: &mut Vec<Command>,
) -> Option<(usize, usize)> {
    let no_bounds = Vec::new();
    let bounds = summary.keys().first().and_then(|key| key.bounds.as_ref());
    let bars = bars(summary, bounds.unwrap_or(&no_bounds));
    ui.add_space(8.0);
    let mut chosen = Chosen {
        column,
        range: range_in_filter(column, filter),
        dragged,
        commands,
    };
    if bars.is_empty() {
        note(ui, frame, "No values");
    } else {
        draw(ui, frame, &bars, summary.is_current(), &mut chosen);
        axis(ui, frame, &bars, column.kind);
    }
    let dragged = chosen.dragged;
    let hint = "Click a bar, or drag across several, to filter.";
    note(ui, frame, hint);
    let nulls = summary.groups().iter();
    let nulls = nulls.filter(|group| group.key().first().is_some_and(Value::is_null));
    without_value(
        ui,
        frame,
        column,
        filter,
        nulls.map(|group| rows_in(group)).sum(),
        commands,
    );
    if !filter.is_empty() {
        ui.horizontal(|ui| {
            ui.add_space(14.0);
            let clear = RichText::new("Clear this filter").font(theme::small_font());
            if ui.link(clear).clicked() {
                commands.push(set_filter(column, String::new()));
            }
        });
    }
    dragged
}

fn set_filter(column: &Column, text: String) -> Command {
    Command::SetFilter {
        column: column.name.clone(),
        text,
    }
}

/// All bars from the first to the last that is not empty.
fn bars<'a>(summary: &Summary, bounds: &'a [Value]) -> Vec<Bar<'a>> {
    let bar = |bucket: usize| {
        let (low, high) = bucket_bounds(bounds, bucket);
        Bar {
            low,
            high,
            count: 0,
        }
    };
    let mut bars: Vec<Bar<'a>> = (0..=bounds.len()).map(bar).collect();
    for group in summary.groups() {
        if let Some(Value::Int(bucket)) = group.key().first()
            && let Ok(bucket) = usize::try_from(*bucket)
            && let Some(bar) = bars.get_mut(bucket)
        {
            bar.count = rows_in(group);
        }
    }
    let holds = |bar: &Bar<'_>| bar.count > 0;
    let first = bars.iter().position(holds).unwrap_or(bars.len());
    let last = bars.iter().rposition(holds).map_or(first, |last| last + 1);
    bars.drain(..first);
    bars.truncate(last.saturating_sub(first));
    bars
}

/// Which bars are chosen, and by what.
struct Chosen<'a> {
    column: &'a Column,
    /// By the column's filter.
    range: Option<ValueRange>,
    dragged: Option<(usize, usize)>,
    commands: &'a mut Vec<Command>,
}

impl Chosen<'_> {
    fn contains(&self, index: usize, bar: &Bar<'_>) -> bool {
        match (self.dragged, self.range) {
            (Some((a, b)), _) => (a.min(b)..=a.max(b)).contains(&index),
            (None, Some(range)) => range.covers(bar.range(self.column.kind)),
            (None, None) => true,
        }
    }

    /// Filters by the bars from `a` to `b`; by none if those are chosen already.
    fn choose(&mut self, bars: &[Bar<'_>], a: usize, b: usize) {
        let (low, high) = (bars[a.min(b)].low, bars[a.max(b)].high);
        let range = ValueRange {
            low: bars[a.min(b)].range(self.column.kind).low,
            high: bars[a.max(b)].range(self.column.kind).high,
        };
        let text = if self.range == Some(range) {
            String::new()
        } else {
            filter_of_range(low, high)
        };
        self.commands.push(set_filter(self.column, text));
    }
}

fn draw(
    ui: &mut Ui,
    frame: &FrameView<'_>,
    bars: &[Bar<'_>],
    is_current: bool,
    chosen: &mut Chosen<'_>,
) {
    let palette = frame.palette;
    let width = ui.available_width();
    let (area, _) = ui.allocate_exact_size(vec2(width, HEIGHT), Sense::hover());
    let area = area.shrink2(vec2(14.0, 4.0));
    let most = bars.iter().map(|bar| bar.count).max().unwrap_or(1).max(1);
    let step = area.width() / bars.len() as f32;
    let bar_at = |x: f32| (((x - area.left()) / step).max(0.0) as usize).min(bars.len() - 1);
    for (index, bar) in bars.iter().enumerate() {
        let left = area.left() + step * index as f32;
        let column = Rect::from_min_size(egui::pos2(left, area.top()), vec2(step, area.height()));
        let id = ui.scope_id().with(("bar", index));
        let response = ui.interact(column, id, Sense::click_and_drag());
        let share = bar.count as f32 / most as f32;
        let height = if bar.count == 0 {
            0.0
        } else {
            (share * area.height()).max(BAR_MIN)
        };
        let gap = if step > 4.0 { 1.0 } else { 0.0 };
        let shape = column
            .with_min_y(column.bottom() - height)
            .shrink2(vec2(gap, 0.0));
        let is_active = response.hovered() || response.has_focus();
        if is_active {
            ui.painter().rect_filled(column, 2.0, palette.hover);
        }
        let strength = match (chosen.contains(index, bar), is_current) {
            (true, true) if is_active => 1.0,
            (true, true) => 0.8,
            _ => 0.28,
        };
        let fill = palette.accent.gamma_multiply(strength);
        ui.painter().rect_filled(shape, 2.0, fill);
        let label = bar.label(chosen.column.kind);
        response.widget_info(|| {
            let is_chosen = chosen.range.is_some() && chosen.contains(index, bar);
            egui::WidgetInfo::selected(egui::Role::Button, true, is_chosen, &label)
        });
        if response.drag_started() {
            chosen.dragged = Some((index, index));
        }
        if response.dragged()
            && let (Some((start, _)), Some(pointer)) =
                (chosen.dragged, response.interact_pointer_pos())
        {
            chosen.dragged = Some((start, bar_at(pointer.x)));
        }
        if response.drag_stopped()
            && let Some((a, b)) = chosen.dragged.take()
        {
            chosen.choose(bars, a, b);
        } else if response.clicked() {
            chosen.choose(bars, index, index);
        }
        response.on_hover_text(label);
    }
    if chosen.dragged.is_some()
        && ui.input_mut(|input| input.consume_key(Modifiers::NONE, Key::Escape))
    {
        chosen.dragged = None;
    }
    let line = egui::Stroke::new(1.0, palette.border);
    ui.painter()
        .hline(area.x_range(), area.bottom() + 0.5, line);
}

/// The least and the greatest bound.
fn axis(ui: &mut Ui, frame: &FrameView<'_>, bars: &[Bar<'_>], kind: ColumnKind) {
    let width = ui.available_width();
    let (area, _) = ui.allocate_exact_size(vec2(width, 18.0), Sense::hover());
    let area = area.shrink2(vec2(14.0, 0.0));
    let first = bars.first().and_then(|bar| bar.low.or(bar.high));
    let last = bars.last().and_then(|bar| bar.high.or(bar.low));
    for (value, align) in [(first, Align::Min), (last, Align::Max)] {
        if let Some(value) = value {
            let text = bound(kind, value);
            let color = frame.palette.faint;
            paint_line(ui.painter(), area, &text, theme::small_font(), color, align);
        }
    }
}

/// The rows without a value, which have no bar.
fn without_value(
    ui: &mut Ui,
    frame: &FrameView<'_>,
    column: &Column,
    filter: &str,
    count: u64,
    commands: &mut Vec<Command>,
) {
    if count == 0 {
        return;
    }
    let is_chosen = values_in_filter(column, filter) == [Value::Null];
    ui.horizontal(|ui| {
        ui.add_space(14.0);
        let text = format!("Without a value: {} {}", thousands(count), rows(count));
        let text = RichText::new(text).font(theme::small_font());
        let text = if is_chosen {
            text.color(frame.palette.text).strong()
        } else {
            text
        };
        let response = ui.link(text);
        if response.clicked() {
            let text = if is_chosen {
                String::new()
            } else {
                filter_of_values(&[Value::Null])
            };
            commands.push(set_filter(column, text));
        }
    });
}
