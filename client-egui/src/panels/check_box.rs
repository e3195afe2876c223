//! A box that says whether something is chosen.

use egui::{Rect, Ui, vec2};

use super::FrameView;

/// Draws it at the left end of `area`; it takes 14 points.
pub(super) fn paint(ui: &Ui, frame: &FrameView<'_>, area: Rect, is_checked: bool) {
    let palette = frame.palette;
    let at = area.left_center() + vec2(7.0, 0.0);
    let place = Rect::from_center_size(at, vec2(14.0, 14.0));
    let (fill, border) = if is_checked {
        (palette.accent, palette.accent)
    } else {
        (palette.field, palette.faint.gamma_multiply(0.75))
    };
    let stroke = egui::Stroke::new(1.0, border);
    ui.painter()
        .rect(place, 4.0, fill, stroke, egui::StrokeKind::Inside);
    if is_checked {
        let points = [vec2(-3.5, 0.2), vec2(-1.0, 2.8), vec2(3.8, -2.8)].map(|by| at + by);
        let stroke = egui::Stroke::new(1.6, palette.on_accent);
        ui.painter().line(points.to_vec(), stroke);
    }
}
