//! The box that asks for a row number.

use egui::{Align2, Area, Context, Frame, Id, Key, Modifiers, Order, RichText, TextEdit, vec2};

use super::FrameView;
use super::format::thousands;
use crate::app::{Command, OpenTable};
use crate::model::WindowCache;

/// The box that asks for a row number.
#[derive(Debug, Default)]
pub struct GoToRow {
    text: String,
    focused: bool,
}

/// Draws the box.
pub fn show(
    ctx: &Context,
    frame: &FrameView<'_>,
    table: Option<&OpenTable>,
    go_to: &mut GoToRow,
    commands: &mut Vec<Command>,
) {
    let total = table
        .and_then(|table| table.cache(frame.model))
        .and_then(WindowCache::total);
    let Some(total) = total.filter(|total| *total > 0) else {
        return;
    };
    let key = |key| ctx.input_mut(|input| input.consume_key(Modifiers::NONE, key));
    let entered = go_to.focused && key(Key::Enter);
    let cancelled = go_to.focused && key(Key::Escape);
    let shown = Area::new(Id::unique("go to row"))
        .order(Order::Foreground)
        .anchor(Align2::CENTER_TOP, vec2(0.0, 84.0))
        .show(ctx, |ui| {
            let frame_shown = Frame::window(ui.style()).inner_margin(16).show(ui, |ui| {
                let label = ui.label(RichText::new("Go to row").color(frame.palette.muted));
                let edit = TextEdit::singleline(&mut go_to.text)
                    .hint_text(format!("1 – {}", thousands(total)))
                    .desired_width(220.0)
                    .margin(egui::Margin::symmetric(8, 6));
                let response = ui.add(edit).labelled_by(label.id);
                if !go_to.focused {
                    go_to.focused = true;
                    response.request_focus();
                }
                // Only now: what was typed may have arrived together with Enter.
                let row = row_number(&go_to.text, total);
                if row.is_none() && !go_to.text.trim().is_empty() {
                    let text = format!("Type a number from 1 to {}", thousands(total));
                    ui.label(RichText::new(text).small().color(frame.palette.bad));
                }
                row
            });
            frame_shown.inner
        });
    match shown.inner.filter(|_| entered) {
        Some(row) => {
            commands.push(Command::GoToRow(row));
            commands.push(Command::ShowGoTo(false));
        }
        None if cancelled || shown.response.clicked_elsewhere() => {
            commands.push(Command::ShowGoTo(false));
        }
        None => {}
    }
}

/// The position of the row that was typed, counted from 1 and with any separators.
fn row_number(text: &str, total: u64) -> Option<u64> {
    let separators = [',', '.', '\'', '_', ' ', '\u{a0}', '\u{202f}'];
    let digits: String = text.chars().filter(|c| !separators.contains(c)).collect();
    let number: u64 = digits.parse().ok()?;
    (1..=total).contains(&number).then(|| number - 1)
}

#[cfg(test)]
mod tests {
    use super::row_number;

    #[test]
    fn row_numbers_count_from_one() {
        assert_eq!(row_number("1", 10), Some(0));
        assert_eq!(row_number("7,654,321", 10_000_000), Some(7_654_320));
        assert_eq!(row_number("11", 10), None);
        assert_eq!(row_number("0", 10), None);
        assert_eq!(row_number("ten", 10), None);
    }
}
