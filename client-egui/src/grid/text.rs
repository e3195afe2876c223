//! One line of text in a box.

use std::ops::Range;
use std::sync::Arc;

use egui::text::{ByteIndex, LayoutJob, LayoutSection, TextWrapping};
use egui::{Align, Color32, FontId, Galley, Painter, Rect, TextFormat, pos2};
use protocol::Highlight;

use super::bidi;
use crate::model::marked_parts;

/// No screen shows more characters of one cell: what is beyond is not laid out at all.
const CHARS_MAX: usize = 400;

/// What a search has found, and the colour behind it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Marking<'a> {
    pub(crate) highlight: &'a Highlight,
    pub(crate) background: Color32,
}

/// Draws one line of text in `area`, centred vertically, and ends it in `…` where it does not fit.
pub(crate) fn paint_line(
    painter: &Painter,
    area: Rect,
    text: &str,
    font: FontId,
    color: Color32,
    align: Align,
) {
    paint_marked_line(painter, area, text, (font, color), align, None);
}

/// The same, with what a search has found marked.
pub(crate) fn paint_marked_line(
    painter: &Painter,
    area: Rect,
    text: &str,
    (font, color): (FontId, Color32),
    align: Align,
    marking: Option<Marking<'_>>,
) {
    if area.width() < 4.0 || text.is_empty() {
        return;
    }
    let galley = marked_line(painter, text, (font, color), area.width(), marking);
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
    marked_line(painter, text, (font, color), width, None)
}

/// Lays out one line of text, at most `width` points wide, with what a search has found marked.
pub(crate) fn marked_line(
    painter: &Painter,
    text: &str,
    (font, color): (FontId, Color32),
    width: f32,
    marking: Option<Marking<'_>>,
) -> Arc<Galley> {
    let text = one_line(text);
    let plain = TextFormat::simple(font, color);
    let marked = TextFormat {
        background: marking.map_or(Color32::TRANSPARENT, |marking| marking.background),
        ..plain.clone()
    };
    let marks = marking.map_or_else(Vec::new, |marking| marked_parts(marking.highlight, &text));
    let format = |is_marked: bool| {
        if is_marked {
            marked.clone()
        } else {
            plain.clone()
        }
    };
    let mut job = LayoutJob::default();
    if bidi::has_right_to_left(&text) {
        for part in bidi::visual_parts(&text) {
            if part.is_word {
                // Letters join into others there: the whole word is marked.
                let is_marked = marks.iter().any(|mark| overlap(mark, &part.source));
                append_apart(&mut job, &part.shown, format(is_marked));
            } else {
                for (range, is_marked) in split(&part.source, &marks) {
                    append_apart(&mut job, &text[range], format(is_marked));
                }
            }
        }
    } else {
        for (range, is_marked) in split(&(0..text.len()), &marks) {
            job.append(&text[range], 0.0, format(is_marked));
        }
    }
    job.wrap = TextWrapping::truncate_at_width(width);
    painter.layout_job(job)
}

fn overlap(a: &Range<usize>, b: &Range<usize>) -> bool {
    a.start < b.end && b.start < a.end
}

/// Divides `whole` at the ends of the marks that are in it; says which parts are marked.
fn split(whole: &Range<usize>, marks: &[Range<usize>]) -> Vec<(Range<usize>, bool)> {
    let mut parts = Vec::with_capacity(2 * marks.len() + 1);
    let mut at = whole.start;
    for mark in marks.iter().filter(|mark| overlap(mark, whole)) {
        let mark = mark.start.max(whole.start)..mark.end.min(whole.end);
        parts.push((at..mark.start, false));
        at = mark.end;
        parts.push((mark, true));
    }
    parts.push((at..whole.end, false));
    parts.retain(|(range, _)| !range.is_empty());
    parts
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
