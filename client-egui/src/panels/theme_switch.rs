//! The switch between the system's theme, light and dark.

use egui::{Rect, Sense, ThemePreference, Ui, vec2};

use super::{FrameView, icons};
use crate::app::Command;

/// System, light, dark: a switch of three.
pub(super) fn show(ui: &mut Ui, frame: &FrameView<'_>, commands: &mut Vec<Command>) {
    let palette = frame.palette;
    let (area, _) = ui.allocate_exact_size(vec2(96.0, 30.0), Sense::hover());
    let border = egui::Stroke::new(1.0, palette.border);
    ui.painter().rect(
        area,
        8.0,
        palette.backdrop,
        border,
        egui::StrokeKind::Inside,
    );
    let chosen = ui.ctx().options(|options| options.theme_preference);
    let choices = [
        (ThemePreference::System, "System theme"),
        (ThemePreference::Light, "Light theme"),
        (ThemePreference::Dark, "Dark theme"),
    ];
    for (index, (preference, name)) in choices.into_iter().enumerate() {
        let at = area.min + vec2(index as f32 * 32.0, 0.0);
        let part = Rect::from_min_size(at, vec2(32.0, 30.0)).shrink(3.0);
        let id = ui.scope_id().with(name);
        let response = ui.interact(part, id, Sense::click());
        let is_chosen = preference == chosen;
        let background = if is_chosen {
            palette.surface
        } else {
            palette.backdrop
        };
        if is_chosen {
            ui.painter()
                .rect(part, 6.0, background, border, egui::StrokeKind::Inside);
        }
        let active = is_chosen || response.hovered() || response.has_focus();
        let color = if active { palette.text } else { palette.faint };
        match preference {
            ThemePreference::System => icons::screen(ui.painter(), part.center(), color),
            ThemePreference::Light => icons::sun(ui.painter(), part.center(), color),
            ThemePreference::Dark => icons::moon(ui.painter(), part.center(), color, background),
        }
        response.widget_info(|| {
            egui::WidgetInfo::selected(egui::Role::RadioButton, true, is_chosen, name)
        });
        if response.clicked() {
            commands.push(Command::SetTheme(preference));
        }
        response.on_hover_text(name);
    }
}
