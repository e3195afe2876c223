//! The field that looks for words in all of a table.

use egui::text::{CCursor, CCursorRange};
use egui::{EventFilter, Key, Margin, Modifiers, Rect, RichText, Sense, TextEdit, Ui, vec2};

use super::{FrameView, icons, short_name};
use crate::app::{Command, OpenTable, SEARCH_CHARS_MAX};
use crate::theme::{self, size};

const HEIGHT: f32 = 30.0;

/// Draws the field, `width` points wide, and applies what is typed in it.
pub fn show(
    ui: &mut Ui,
    frame: &FrameView<'_>,
    table: &mut OpenTable,
    width: f32,
    commands: &mut Vec<Command>,
) {
    let palette = frame.palette;
    let (area, _) = ui.allocate_exact_size(vec2(width, HEIGHT), Sense::hover());
    let id = ui.scope_id().with(("search", &table.name));
    let field = &mut table.search;
    let wanted = ui.input_mut(|input| input.consume_key(Modifiers::COMMAND, Key::F));
    let focused = ui.memory(|memory| memory.has_focus(id));
    let key = |key| focused && ui.input_mut(|input| input.consume_key(Modifiers::NONE, key));
    let (escaped, entered) = (key(Key::Escape), key(Key::Enter));

    paint_frame(ui, frame, area, focused || !field.applied().is_empty());

    let has_cross = !field.text.is_empty();
    let right = area.right() - if has_cross { 28.0 } else { 8.0 };
    let text_area =
        Rect::from_min_max(area.min + vec2(26.0, 0.0), egui::pos2(right, area.bottom()));
    let edit = TextEdit::singleline(&mut field.text)
        .id(id)
        .char_limit(SEARCH_CHARS_MAX)
        .font(theme::text_font())
        .hint_text(
            RichText::new("Search")
                .color(palette.faint)
                .size(size::TEXT),
        )
        // The first Escape empties the field, the second leaves it.
        .event_filter(EventFilter {
            escape: true,
            horizontal_arrows: true,
            ..EventFilter::default()
        })
        .frame(egui::Frame::NONE.inner_margin(Margin::symmetric(2, 4)))
        .align(egui::Align2::LEFT_CENTER)
        .desired_width(text_area.width());
    let response = ui
        .put(text_area, edit)
        .accessible_name(format!("Search {}", short_name(&table.name)));
    if wanted {
        response.request_focus();
        select_all(ui, id, field.text.chars().count());
    }
    if response.changed() {
        field.typed(frame.now);
    }
    let mut cleared = escaped && !field.text.is_empty();
    if escaped && !cleared {
        response.surrender_focus();
        table.grid.take_keyboard();
    }
    response.on_hover_text("Rows with all of these words. Ctrl+F");
    if has_cross {
        cleared |= clear_button(ui, frame, area);
    }
    if cleared {
        field.text.clear();
    }
    let waits = field.waits(frame.now);
    if let Some(left) = waits.filter(|left| !left.is_zero()) {
        ui.ctx().request_repaint_after(left);
    }
    let due = waits.is_some_and(|left| left.is_zero());
    if due || entered || cleared {
        commands.extend(field.take().map(Command::Search));
    }
}

fn paint_frame(ui: &Ui, frame: &FrameView<'_>, area: Rect, is_active: bool) {
    let palette = frame.palette;
    let color = if is_active {
        palette.accent
    } else {
        palette.border
    };
    let stroke = egui::Stroke::new(1.0, color);
    let inside = egui::StrokeKind::Inside;
    ui.painter().rect(area, 8.0, palette.field, stroke, inside);
    let center = area.left_center() + vec2(15.0, 0.0);
    icons::magnifier(ui.painter(), center, palette.faint);
}

fn select_all(ui: &Ui, id: egui::Id, chars: usize) {
    let mut state = TextEdit::load_state(ui.ctx(), id).unwrap_or_default();
    let all = CCursorRange::two(CCursor::default(), CCursor::new(chars));
    state.cursor.set_char_range(Some(all));
    TextEdit::store_state(ui.ctx(), id, state);
}

fn clear_button(ui: &mut Ui, frame: &FrameView<'_>, area: Rect) -> bool {
    let place = Rect::from_center_size(area.right_center() - vec2(16.0, 0.0), vec2(22.0, 22.0));
    let id = ui.scope_id().with("clear search");
    let response = ui.interact(place, id, Sense::click());
    let color = if response.hovered() || response.has_focus() {
        ui.painter().rect_filled(place, 6.0, frame.palette.hover);
        frame.palette.text
    } else {
        frame.palette.faint
    };
    icons::cross(ui.painter(), place.center(), color);
    response.widget_info(|| egui::WidgetInfo::labeled(egui::Role::Button, true, "Clear search"));
    let clicked = response.clicked();
    response.on_hover_text("Clear the search (Esc)");
    clicked
}
