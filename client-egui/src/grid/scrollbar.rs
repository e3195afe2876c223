//! The scrollbars. The vertical one is true to the rows at any number of them.

use egui::{Align2, Id, Rangef, Rect, Sense, Ui, pos2, vec2};

use super::geometry::Geometry;
use super::scroll::{ScrollExtent, ScrollPosition};
use super::state::GridState;
use super::widget::GridView;
use crate::panels::format::thousands;
use crate::theme::{self, size};

/// The shortest a thumb becomes, in points: it can still be grabbed.
const THUMB_MIN: f32 = 36.0;

/// The vertical scrollbar's thumb: where it can be, and where it is.
struct Thumb {
    extent: ScrollExtent,
    track: Rect,
    length: f32,
}

impl Thumb {
    /// `None` while all rows fit.
    fn new(view: &GridView<'_>, geometry: &Geometry) -> Option<Self> {
        let extent = geometry.extent(view.total(geometry));
        let track = geometry.vertical;
        let length = (track.height() * extent.visible_share() as f32).max(THUMB_MIN);
        (extent.visible_share() < 1.0).then_some(Self {
            extent,
            track,
            length,
        })
    }

    /// How far its top can go, in points.
    fn travel(&self) -> f32 {
        (self.track.height() - self.length).max(1.0)
    }

    fn top(&self, position: ScrollPosition) -> f32 {
        let share = position.share(self.extent);
        self.track.top() + (share * f64::from(self.travel())) as f32
    }

    fn position(&self, top: f32) -> ScrollPosition {
        let share = f64::from(top - self.track.top()) / f64::from(self.travel());
        ScrollPosition::at_share(share, self.extent)
    }
}

fn vertical_id(view: &GridView<'_>) -> Id {
    view.id.with("vertical")
}

/// Takes the drags of the vertical scrollbar. A press beside the thumb brings it there.
pub(super) fn drag_vertical(
    ui: &Ui,
    view: &GridView<'_>,
    state: &mut GridState,
    geometry: &Geometry,
) {
    let Some(thumb) = Thumb::new(view, geometry) else {
        state.grabbed = None;
        return;
    };
    let response = ui.interact(thumb.track, vertical_id(view), Sense::click_and_drag());
    let pointer = response.interact_pointer_pos();
    let Some(pointer) = pointer.filter(|_| response.is_pointer_button_down_on()) else {
        state.grabbed = None;
        return;
    };
    let top = thumb.top(geometry.scroll);
    let on_thumb = Rangef::new(top, top + thumb.length).contains(pointer.y);
    let grab = if on_thumb {
        pointer.y - top
    } else {
        thumb.length / 2.0
    };
    let grab = *state.grabbed.get_or_insert(grab);
    state.scroll = thumb.position(pointer.y - grab);
}

/// Draws the vertical scrollbar.
pub(super) fn paint_vertical(ui: &Ui, view: &GridView<'_>, state: &GridState, geometry: &Geometry) {
    let Some(thumb) = Thumb::new(view, geometry) else {
        return;
    };
    let corner = pos2(thumb.track.left(), thumb.top(geometry.scroll));
    let area = Rect::from_min_size(corner, vec2(thumb.track.width(), thumb.length));
    let dragged = state.grabbed.is_some();
    let hovered = ui.rect_contains_pointer(thumb.track);
    paint_thumb(ui, view, area.shrink2(vec2(3.0, 2.0)), dragged || hovered);
    if dragged {
        bubble(ui, view, geometry.scroll.row(), area);
    }
}

/// Draws the horizontal scrollbar, if the columns do not fit.
pub(super) fn horizontal(
    ui: &mut Ui,
    view: &GridView<'_>,
    state: &mut GridState,
    geometry: &Geometry,
) {
    let track = geometry.horizontal;
    let content = geometry.content_width();
    if track.height() <= 0.0 || content <= track.width() {
        return;
    }
    let length = (track.width() * track.width() / content).max(THUMB_MIN);
    let travel = (track.width() - length).max(1.0);
    let beyond = content - track.width();
    let response = ui.interact(track, view.id.with("horizontal"), Sense::click_and_drag());
    if response.dragged() {
        state.scroll_x = geometry.scroll_x + response.drag_delta().x * beyond / travel;
    }
    let left = track.left() + geometry.scroll_x / beyond * travel;
    let thumb = Rect::from_min_size(pos2(left, track.top()), vec2(length, track.height()));
    let active = response.hovered() || response.dragged();
    paint_thumb(ui, view, thumb.shrink2(vec2(2.0, 3.0)), active);
}

fn paint_thumb(ui: &Ui, view: &GridView<'_>, thumb: Rect, active: bool) {
    let strength = if active { 0.75 } else { 0.4 };
    ui.painter()
        .rect_filled(thumb, 4.0, view.palette.faint.gamma_multiply(strength));
}

/// The number of the topmost row, beside the thumb.
fn bubble(ui: &Ui, view: &GridView<'_>, row: u64, thumb: Rect) {
    let painter = ui.ctx().layer_painter(egui::LayerId::new(
        egui::Order::Tooltip,
        view.id.with("bubble"),
    ));
    let text = format!("Row {}", thousands(row.saturating_add(1)));
    let font = theme::strong_font(size::TEXT);
    let galley = painter.layout_no_wrap(text, font, view.palette.on_accent);
    let area = Align2::RIGHT_CENTER.anchor_size(
        thumb.left_center() - vec2(10.0, 0.0),
        galley.size() + vec2(20.0, 10.0),
    );
    painter.rect_filled(area, 6.0, view.palette.accent);
    painter.galley(
        area.center() - galley.size() / 2.0,
        galley,
        view.palette.on_accent,
    );
}
