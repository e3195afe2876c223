//! One line of text in a box.

use std::sync::Arc;

use egui::text::{ByteIndex, LayoutJob, LayoutSection, TextWrapping};
use egui::{Align, Color32, FontId, Galley, Painter, Rect, TextFormat, pos2};

use super::bidi;

/// No screen shows more characters of one cell: what is beyond is not laid out at all.
const CHARS_MAX: usize = 400;

/// Draws one line of text in `area`, centred vertically, and ends it in `…` where it does not fit.
pub(crate) fn paint_line(
    painter: &Painter,
    area: Rect,
    text: &str,
    font: FontId,
    color: Color32,
    align: Align,
) {
    if area.width() < 4.0 || text.is_empty() {
        return;
    }
    let galley = line(painter, text, font, color, area.width());
    let x = match align {
        Align::Min => area.left(),
        Align::Center => area.center().x - galley.size().x / 2.0,
        Align::Max => area.right() - galley.size().x,
    };
    let y = area.center().y - galley.size().y / 2.0;
    painter.galley(pos2(x.round(), y.round()), galley, color);
}

/// Lays out one line of text, at most `width` points wide.
pub(crate) fn line(
    painter: &Painter,
    text: &str,
    font: FontId,
    color: Color32,
    width: f32,
) -> Arc<Galley> {
    let text = one_line(text);
    let format = TextFormat::simple(font, color);
    let mut job = LayoutJob::default();
    if bidi::has_right_to_left(&text) {
        for part in bidi::visual_parts(&text) {
            append_apart(&mut job, &part, format.clone());
        }
    } else {
        job.append(&text, 0.0, format);
    }
    job.wrap = TextWrapping::truncate_at_width(width);
    painter.layout_job(job)
}

/// Appends a section of its own: `LayoutJob::append` merges equal formats, and what is in one
/// section is shaped in one direction.
fn append_apart(job: &mut LayoutJob, text: &str, format: TextFormat) {
    let start = ByteIndex(job.text.len());
    job.text.push_str(text);
    let byte_range = start..ByteIndex(job.text.len());
    job.sections.push(LayoutSection {
        leading_space: 0.0,
        byte_range,
        format,
    });
}

/// The start of a text with its line breaks made visible, so that it stays one line.
fn one_line(text: &str) -> String {
    let is_break = |c: char| c.is_control();
    text.chars()
        .take(CHARS_MAX)
        .map(|c| if is_break(c) { ' ' } else { c })
        .collect()
}
