//! A badge for a view that no index serves, with what that costs and what would help.

use egui::{
    Button, Color32, Frame, Margin, Popup, PopupCloseBehavior, ProgressBar, Response, RichText,
    Sense, TextEdit, Ui, vec2,
};
use protocol::{Advice, IndexState, ServedVerdict};

use super::FrameView;
use super::format::{latency, sentence, thousands};
use crate::app::{Command, OpenTable, Secret};
use crate::model::{IndexBuild, IndexBuildState};
use crate::theme::{self, size};

const WIDTH: f32 = 420.0;

/// Draws the badge, if there is anything to say, and what it opens. `token` is the admin token as typed.
pub(super) fn show(
    ui: &mut Ui,
    frame: &FrameView<'_>,
    table: &OpenTable,
    token: &mut String,
    commands: &mut Vec<Command>,
) {
    let window = frame.model.window(table.window);
    let advice = window.and_then(|window| window.advice());
    let build = frame.model.index_build();
    let palette = frame.palette;
    let (text, color) = match (build, advice) {
        (Some(build), _) if build.is_running() => (running(build), palette.accent),
        (Some(_), _) => ("Index".to_owned(), palette.accent),
        (None, Some(advice)) if advice.warning.is_some() => {
            ("Slow view".to_owned(), palette.warning)
        }
        (None, Some(advice)) if advice.served_by.verdict == ServedVerdict::Unserved => {
            ("No index".to_owned(), palette.warning)
        }
        (None, Some(advice)) if advice.suggestion.is_some() => {
            ("Index suggested".to_owned(), palette.muted)
        }
        (None, _) => return,
    };
    ui.add_space(4.0);
    let response = badge(ui, frame, &text, color);
    Popup::from_toggle_button_response(&response)
        .close_behavior(PopupCloseBehavior::CloseOnClickOutside)
        .gap(6.0)
        .frame(Frame::popup(ui.style()).inner_margin(14))
        .show(|ui| {
            ui.set_width(WIDTH.min(ui.ctx().content_rect().width() - 60.0));
            ui.spacing_mut().item_spacing = vec2(8.0, 8.0);
            if let Some(advice) = advice {
                costs(ui, frame, advice);
            }
            if let Some(build) = build {
                progress(ui, frame, build, commands);
            }
            if let Some(advice) = advice {
                suggestion(ui, frame, advice, build, token, commands);
            }
        });
}

fn running(build: &IndexBuild) -> String {
    match &build.state {
        IndexBuildState::Told(IndexState::Running { done, total, .. }) if *total > 0 => {
            format!("Creating index, {} %", done.saturating_mul(100) / total)
        }
        _ => "Creating index".to_owned(),
    }
}

fn badge(ui: &mut Ui, frame: &FrameView<'_>, text: &str, color: Color32) -> Response {
    let font = theme::small_font();
    let galley = ui.painter().layout_no_wrap(text.to_owned(), font, color);
    let size = galley.size() + vec2(22.0, 10.0);
    let (area, response) = ui.allocate_exact_size(size, Sense::click());
    let is_active = response.hovered() || response.has_focus();
    let strength = if is_active { 0.2 } else { 0.11 };
    ui.painter()
        .rect_filled(area, area.height() / 2.0, color.gamma_multiply(strength));
    let at = area.center() - galley.size() / 2.0;
    ui.painter().galley(at, galley, frame.palette.text);
    response.widget_info(|| egui::WidgetInfo::labeled(egui::Role::Button, true, text));
    response.on_hover_text("What serves this view, and what would help")
}

fn paragraph(ui: &mut Ui, text: &str, color: Color32) {
    ui.label(RichText::new(text).color(color));
}

/// What serves the view, and what it costs.
fn costs(ui: &mut Ui, frame: &FrameView<'_>, advice: &Advice) {
    let palette = frame.palette;
    let title = match advice.served_by.verdict {
        ServedVerdict::Unserved => "No index serves this view",
        ServedVerdict::Small => "This view is small",
        ServedVerdict::Ordered => "An index delivers these rows in order",
        ServedVerdict::Found => "An index finds these rows",
    };
    ui.label(
        RichText::new(title)
            .font(theme::strong_font(size::TEXT + 1.0))
            .color(palette.text),
    );
    if let Some(warning) = &advice.warning {
        paragraph(ui, &sentence(warning), palette.warning);
    }
    let cost = &advice.cost;
    let mut text = format!(
        "PostgreSQL expects {} rows; all of them in order take {}.",
        thousands(cost.rows),
        cost.in_words
    );
    if let Some(measured) = &advice.measured {
        let took = latency(std::time::Duration::from_millis(measured.millis));
        text += &format!(
            " Counting its {} rows took {took}: {}.",
            thousands(measured.rows),
            measured.how
        );
    }
    paragraph(ui, &text, palette.muted);
    if !advice.served_by.indexes.is_empty() {
        let text = format!("Used: {}.", advice.served_by.indexes.join(", "));
        paragraph(ui, &text, palette.muted);
    }
    if let Some(note) = &advice.served_by.note {
        paragraph(ui, &sentence(note), palette.muted);
    }
}

/// How far the index is that was asked for, or what became of it.
fn progress(ui: &mut Ui, frame: &FrameView<'_>, build: &IndexBuild, commands: &mut Vec<Command>) {
    let palette = frame.palette;
    ui.separator();
    let (text, color) = match &build.state {
        IndexBuildState::Asked => (format!("Asking for {}…", build.name), palette.text),
        IndexBuildState::Unknown => {
            let text = format!(
                "The connection was lost while {} was being created. The server goes on with it.",
                build.name
            );
            (text, palette.warning)
        }
        IndexBuildState::Told(IndexState::Running { phase, done, total }) => {
            let share = if *total > 0 {
                (*done as f64 / *total as f64) as f32
            } else {
                0.0
            };
            let bar = ProgressBar::new(share).desired_height(6.0);
            ui.add(bar.fill(palette.accent));
            (format!("{}: {phase}", build.name), palette.text)
        }
        IndexBuildState::Told(IndexState::Done { millis }) => {
            let took = latency(std::time::Duration::from_millis(*millis));
            (
                format!("{} was created in {took}.", build.name),
                palette.good,
            )
        }
        IndexBuildState::Told(IndexState::Failed { message, .. }) => {
            (sentence(message), palette.bad)
        }
    };
    paragraph(ui, &text, color);
    let (label, command, is_enabled) = if build.is_running() {
        let label = if build.is_cancelling {
            "Cancelling…"
        } else {
            "Cancel"
        };
        (label, Command::CancelIndex, !build.is_cancelling)
    } else {
        ("Dismiss", Command::DismissIndex, true)
    };
    if ui.add_enabled(is_enabled, Button::new(label)).clicked() {
        commands.push(command);
    }
}

/// The index that would help: its SQL to copy, and for administrators a button that creates it.
fn suggestion(
    ui: &mut Ui,
    frame: &FrameView<'_>,
    advice: &Advice,
    build: Option<&IndexBuild>,
    token: &mut String,
    commands: &mut Vec<Command>,
) {
    let Some(suggestion) = &advice.suggestion else {
        return;
    };
    let palette = frame.palette;
    ui.separator();
    paragraph(ui, &sentence(&suggestion.why), palette.text);
    Frame::NONE
        .fill(palette.backdrop)
        .stroke(egui::Stroke::new(1.0, palette.hairline))
        .corner_radius(6)
        .inner_margin(Margin::symmetric(10, 8))
        .show(ui, |ui| {
            ui.set_width(ui.available_width());
            let sql = RichText::new(&suggestion.sql).monospace().size(size::SMALL);
            ui.label(sql.color(palette.text));
        });
    if ui
        .button("Copy SQL")
        .on_hover_text("Run it with psql as the table's owner")
        .clicked()
    {
        ui.ctx().copy_text(suggestion.sql.clone());
    }
    if build.is_some_and(IndexBuild::is_running) {
        return;
    }
    ui.horizontal(|ui| {
        let field = TextEdit::singleline(token)
            .password(true)
            .hint_text(RichText::new("Admin token").color(palette.faint))
            .margin(Margin::symmetric(8, 5))
            .desired_width(180.0);
        ui.add(field).accessible_name("Admin token").on_hover_text(
            "What ROWCAST_ADMIN_TOKEN says at the server; kept only until the viewer is closed",
        );
        let create = Button::new("Create index");
        if ui.add_enabled(!token.trim().is_empty(), create).clicked() {
            let token = Secret(token.trim().to_owned());
            commands.push(Command::CreateIndex { token });
        }
    });
}
