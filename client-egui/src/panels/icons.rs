//! Icons, painted: the fonts have none of them.

use egui::{Color32, CornerRadius, Painter, Pos2, Rect, Stroke, StrokeKind, vec2};

use crate::theme::Palette;

/// Rowcast's sign: rows, one of them live.
pub fn logo(painter: &Painter, center: Pos2, palette: &Palette) {
    let bar = |y: f32, width: f32| Rect::from_min_size(center + vec2(-9.0, y), vec2(width, 4.0));
    let radius = CornerRadius::same(2);
    painter.rect_filled(bar(-8.0, 18.0), radius, palette.accent.gamma_multiply(0.45));
    painter.rect_filled(bar(-2.0, 12.0), radius, palette.accent);
    painter.rect_filled(bar(4.0, 18.0), radius, palette.accent.gamma_multiply(0.45));
    painter.circle_filled(center + vec2(7.0, 0.0), 2.4, palette.good);
}

/// A table.
pub fn table(painter: &Painter, center: Pos2, color: Color32) {
    let stroke = Stroke::new(1.3, color);
    let area = Rect::from_center_size(center, vec2(13.0, 11.0));
    painter.rect_stroke(area, 2.0, stroke, StrokeKind::Middle);
    painter.hline(area.x_range(), area.top() + 3.7, stroke);
    painter.vline(
        center.x - 2.0,
        egui::Rangef::new(area.top() + 3.7, area.bottom()),
        stroke,
    );
}

/// A cross: close, remove.
pub fn cross(painter: &Painter, center: Pos2, color: Color32) {
    let stroke = Stroke::new(1.5, color);
    painter.line_segment([center - vec2(3.5, 3.5), center + vec2(3.5, 3.5)], stroke);
    painter.line_segment([center + vec2(-3.5, 3.5), center + vec2(3.5, -3.5)], stroke);
}

/// A chevron that points down: a menu.
pub fn chevron_down(painter: &Painter, center: Pos2, color: Color32) {
    let points = [vec2(-3.5, -1.8), vec2(0.0, 1.8), vec2(3.5, -1.8)].map(|by| center + by);
    painter.line(points.to_vec(), Stroke::new(1.6, color));
}

/// A chevron that points to the right: something can be opened.
pub fn chevron_right(painter: &Painter, center: Pos2, color: Color32) {
    let points = [vec2(-1.8, -3.5), vec2(1.8, 0.0), vec2(-1.8, 3.5)].map(|by| center + by);
    painter.line(points.to_vec(), Stroke::new(1.6, color));
}

/// A magnifying glass: search.
pub fn magnifier(painter: &Painter, center: Pos2, color: Color32) {
    let stroke = Stroke::new(1.5, color);
    painter.circle_stroke(center - vec2(1.0, 1.0), 4.2, stroke);
    painter.line_segment([center + vec2(2.1, 2.1), center + vec2(5.4, 5.4)], stroke);
}

/// A sun: the light theme.
pub fn sun(painter: &Painter, center: Pos2, color: Color32) {
    let stroke = Stroke::new(1.4, color);
    painter.circle_stroke(center, 3.2, stroke);
    for step in 0..8 {
        let direction = egui::Vec2::angled(step as f32 * std::f32::consts::FRAC_PI_4);
        painter.line_segment([center + direction * 5.2, center + direction * 7.0], stroke);
    }
}

/// A moon: the dark theme.
pub fn moon(painter: &Painter, center: Pos2, color: Color32, background: Color32) {
    painter.circle_filled(center - vec2(0.5, 0.0), 6.0, color);
    painter.circle_filled(center + vec2(2.2, -2.0), 5.0, background);
}

/// A screen: the system's theme.
pub fn screen(painter: &Painter, center: Pos2, color: Color32) {
    let stroke = Stroke::new(1.4, color);
    let area = Rect::from_center_size(center - vec2(0.0, 1.5), vec2(13.0, 9.0));
    painter.rect_stroke(area, 1.5, stroke, StrokeKind::Middle);
    painter.hline(
        egui::Rangef::new(center.x - 3.5, center.x + 3.5),
        center.y + 6.0,
        stroke,
    );
}
