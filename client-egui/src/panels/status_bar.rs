//! The bar beneath the grid: whether what is shown is true, and how fast it became so.

use std::time::Duration;

use egui::{Align, Color32, Layout, RichText, Sense, Ui, UiBuilder, vec2};

use super::FrameView;
use super::format::{latency, megabytes, roughly, sentence, thousands};
use crate::app::{Command, OpenTable};
use crate::model::{ConnectionState, Summary, WindowCache};
use crate::net::{Download, DownloadState};
use crate::theme::{self, size};

/// What the person should know besides the connection's state.
#[derive(Clone, Copy, Debug)]
pub struct News<'a> {
    /// Why the last edit was not accepted.
    pub refused: Option<&'a str>,
    /// Files that are being saved, and those that were.
    pub downloads: &'a [Download],
}

/// Draws the bar.
pub fn show(
    ui: &mut Ui,
    frame: &FrameView<'_>,
    table: Option<&OpenTable>,
    news: News<'_>,
    commands: &mut Vec<Command>,
) {
    let area = ui.max_rect().shrink2(vec2(16.0, 0.0));
    let builder = UiBuilder::new()
        .max_rect(area)
        .layout(Layout::right_to_left(Align::Center));
    let mut right = ui.new_child(builder);
    figures(&mut right, frame, table);
    let left = area.with_max_x(right.min_rect().left() - 12.0);
    let builder = UiBuilder::new()
        .max_rect(left)
        .layout(Layout::left_to_right(Align::Center));
    let mut ui = ui.new_child(builder);
    ui.set_clip_rect(left);
    badge(&mut ui, frame, table, commands);
    if let Some(refused) = news.refused {
        ui.add_space(8.0);
        ui.label(
            RichText::new(sentence(refused))
                .font(theme::small_font())
                .color(frame.palette.bad),
        );
    }
    if let Some(download) = news.downloads.last() {
        self::download(&mut ui, frame, download, commands);
    }
    notice(&mut ui, frame, commands);
}

fn badge(
    ui: &mut Ui,
    frame: &FrameView<'_>,
    table: Option<&OpenTable>,
    commands: &mut Vec<Command>,
) {
    let palette = frame.palette;
    let polled = table.and_then(|table| super::top_bar::polled(frame, table));
    let (color, text, hint) = match (frame.model.connection(), polled) {
        (ConnectionState::Connecting, _) => (
            palette.warning,
            "Connecting".to_owned(),
            format!("Connecting to {}", frame.url),
        ),
        // What is shown of such a table is not true at once, however good the connection is.
        (ConnectionState::Live, Some((_, reason))) => (palette.muted, "Polled".to_owned(), reason),
        (ConnectionState::Live, None) => (
            palette.good,
            "Live".to_owned(),
            "Every commit is shown as it happens".to_owned(),
        ),
        (ConnectionState::CatchingUp, _) => {
            let hint = "Connected again; what was missed is on its way";
            (palette.warning, "Catching up".to_owned(), hint.to_owned())
        }
        (
            ConnectionState::Reconnecting {
                retry_at, reason, ..
            },
            _,
        ) => {
            let text = reconnecting(ui, retry_at.saturating_duration_since(frame.now));
            (
                palette.warning,
                text,
                format!("{}.\nWhat is shown was true then.", sentence(reason)),
            )
        }
        (
            ConnectionState::Stale {
                since_micros,
                reason,
            },
            _,
        ) => (
            palette.bad,
            format!("Stale since {}", utc_time(*since_micros)),
            reason.clone(),
        ),
        (ConnectionState::Incompatible { .. }, _) => {
            let hint = "The server speaks another version of the protocol";
            (palette.bad, "Incompatible".to_owned(), hint.to_owned())
        }
    };
    pill(ui, color, &text).on_hover_text(hint);
    if let ConnectionState::Reconnecting { .. } = frame.model.connection()
        && ui
            .link(RichText::new("Reconnect now").font(theme::small_font()))
            .clicked()
    {
        commands.push(Command::ReconnectNow);
    }
}

/// Counts down by the second while there is something to count.
fn reconnecting(ui: &Ui, left: Duration) -> String {
    if left.is_zero() {
        return "Reconnecting".to_owned();
    }
    let whole = left.as_secs();
    let to_next = left.saturating_sub(Duration::from_secs(whole)) + Duration::from_millis(5);
    ui.ctx().request_repaint_after(to_next);
    format!("Reconnecting in {} s", whole + 1)
}

fn pill(ui: &mut Ui, color: Color32, text: &str) -> egui::Response {
    let galley =
        ui.painter()
            .layout_no_wrap(text.to_owned(), theme::strong_font(size::SMALL), color);
    let (area, response) = ui.allocate_exact_size(galley.size() + vec2(30.0, 6.0), Sense::hover());
    ui.painter()
        .rect_filled(area, area.height() / 2.0, color.gamma_multiply(0.13));
    ui.painter()
        .circle_filled(area.left_center() + vec2(12.0, 0.0), 3.5, color);
    let at = egui::pos2(area.left() + 21.0, area.center().y - galley.size().y / 2.0);
    ui.painter().galley(at, galley, color);
    response.widget_info(|| egui::WidgetInfo::labeled(egui::Role::Status, true, text));
    response
}

/// The newest file that is being saved, or what became of it.
fn download(ui: &mut Ui, frame: &FrameView<'_>, download: &Download, commands: &mut Vec<Command>) {
    let palette = frame.palette;
    let name = &download.name;
    let (text, color, hint, action) = match &download.state {
        DownloadState::Running { bytes } => {
            let text = format!("Saving {name}: {}", megabytes(*bytes));
            (text, palette.text, String::new(), "Cancel")
        }
        DownloadState::Saved { file, bytes } => {
            let text = format!("Saved {file}, {}", megabytes(*bytes));
            (text, palette.good, file.clone(), "Dismiss")
        }
        DownloadState::Failed { reason } => {
            let text = format!("{name} was not saved: {reason}");
            (text, palette.bad, reason.clone(), "Dismiss")
        }
    };
    ui.add_space(8.0);
    let label = RichText::new(text).font(theme::small_font()).color(color);
    let label = ui.label(label);
    if !hint.is_empty() {
        label.on_hover_text(hint);
    }
    let action = RichText::new(action).font(theme::small_font());
    if ui.link(action).clicked() {
        commands.push(Command::DismissDownload(download.id));
    }
}

/// The newest notice, with a way to dismiss it.
fn notice(ui: &mut Ui, frame: &FrameView<'_>, commands: &mut Vec<Command>) {
    let Some(notice) = frame.model.notices().last() else {
        return;
    };
    ui.add_space(8.0);
    let text = RichText::new(sentence(&notice.text))
        .font(theme::small_font())
        .color(frame.palette.warning);
    let label = ui.label(text);
    if let Some(typed) = &notice.typed {
        label.on_hover_text(format!("You typed: {typed}"));
        if ui
            .link(RichText::new("Copy").font(theme::small_font()))
            .clicked()
        {
            ui.ctx().copy_text(typed.clone());
        }
    }
    if ui
        .link(RichText::new("Dismiss").font(theme::small_font()))
        .clicked()
    {
        commands.push(Command::DismissNotice(notice.id));
    }
}

/// Which rows are shown, and how fast commits reach the screen; from the right.
fn figures(ui: &mut Ui, frame: &FrameView<'_>, table: Option<&OpenTable>) {
    let palette = frame.palette;
    let figure = |ui: &mut Ui, label: &str, value: &str| {
        ui.label(
            RichText::new(value)
                .font(theme::small_font())
                .color(palette.text),
        );
        ui.label(
            RichText::new(label)
                .font(theme::small_font())
                .color(palette.faint),
        );
        ui.add_space(6.0);
    };
    if let Some(round_trip) = frame.model.round_trip() {
        figure(ui, "round trip", &latency(round_trip));
    }
    if let Some(summary) = frame.model.latency() {
        figure(ui, "p99", &latency(summary.p99));
        figure(ui, "commit to screen p50", &latency(summary.p50));
    }
    let Some(table) = table else { return };
    if let Some(grouping) = &table.grouping {
        let counts = grouping.summary(frame.model).and_then(Summary::counts);
        if let Some(counts) = counts {
            figure(ui, "groups", &thousands(counts.groups));
        }
        return;
    }
    let window = frame.model.window(table.window);
    if window.is_some_and(|window| window.error().is_some()) {
        // None of them is on the screen.
        return;
    }
    let total = table.cache(frame.model).and_then(WindowCache::total);
    let visible = table.grid.visible_rows();
    if let Some(total) = total.filter(|total| *total > 0 && !visible.is_empty()) {
        let last = visible.end.min(total);
        let range = format!("{}–{}", thousands(visible.start + 1), thousands(last));
        let is_exact = table
            .cache(frame.model)
            .is_none_or(WindowCache::total_is_exact);
        let of = if is_exact {
            thousands(total)
        } else {
            format!("about {}", roughly(total))
        };
        figure(ui, "rows", &format!("{range} of {of}"));
    }
}

/// `13:45:07 UTC`.
fn utc_time(micros: i64) -> String {
    let second = micros.div_euclid(1_000_000).rem_euclid(86_400);
    format!(
        "{:02}:{:02}:{:02} UTC",
        second / 3_600,
        second / 60 % 60,
        second % 60
    )
}

#[cfg(test)]
mod tests {
    use super::utc_time;

    #[test]
    fn times_of_day() {
        assert_eq!(utc_time(0), "00:00:00 UTC");
        assert_eq!(utc_time(1_763_732_707_000_000), "13:45:07 UTC");
        assert_eq!(utc_time(-1_000_000), "23:59:59 UTC");
    }
}
