//! The question about an edit that could not simply be written.

use egui::{Area, Frame, Order, RichText, Ui, pos2, vec2};
use protocol::Column;

use super::cell::cell_text;
use super::geometry::Geometry;
use super::widget::GridView;
use crate::app::Command;
use crate::model::{Edit, EditPhase};
use crate::theme::{self, size};

/// Asks about the first edit on the screen that needs a decision.
pub(super) fn show(ui: &Ui, view: &GridView<'_>, geometry: &Geometry, commands: &mut Vec<Command>) {
    let visible = geometry.visible_rows(view.total(geometry));
    for edit in view
        .model
        .edits()
        .filter(|edit| edit.window() == view.window)
    {
        let row = view
            .cache
            .position_of(edit.key())
            .filter(|row| visible.contains(row));
        let column = view
            .schema
            .columns
            .iter()
            .position(|column| column.name == edit.column());
        let (Some(row), Some(column)) = (row, column) else {
            continue;
        };
        if edit.is_on_its_way() {
            continue;
        }
        // An edit of a column that was hidden since still needs its decision.
        let at = match geometry.cell(row, column) {
            Some(cell) => cell.left_bottom(),
            None => pos2(geometry.body.left(), geometry.row_y(row).max),
        };
        Area::new(view.id.with("conflict"))
            .order(Order::Foreground)
            .fixed_pos(at + vec2(0.0, 4.0))
            .constrain(true)
            .show(ui.ctx(), |ui| {
                Frame::popup(ui.style()).inner_margin(14).show(ui, |ui| {
                    ui.set_max_width(360.0);
                    question(ui, view, &view.schema.columns[column], edit, commands);
                });
            });
        return;
    }
}

fn question(
    ui: &mut Ui,
    view: &GridView<'_>,
    column: &Column,
    edit: &Edit,
    commands: &mut Vec<Command>,
) {
    let title = |text: &str| RichText::new(text).font(theme::strong_font(size::TEXT));
    match edit.phase() {
        EditPhase::Conflict { theirs } => {
            ui.label(title("Someone else changed this cell"));
            ui.add_space(4.0);
            egui::Grid::new(view.id.with("values"))
                .spacing(vec2(16.0, 6.0))
                .show(ui, |ui| {
                    ui.label(RichText::new("Theirs").color(view.palette.muted));
                    ui.label(cell_text(column, theirs));
                    ui.end_row();
                    ui.label(RichText::new("Mine").color(view.palette.muted));
                    ui.label(cell_text(column, edit.mine()));
                    ui.end_row();
                });
            ui.add_space(6.0);
            ui.horizontal(|ui| {
                if ui.button("Keep theirs").clicked() {
                    commands.push(Command::KeepTheirs(edit.id()));
                }
                if primary_button(ui, view, "Overwrite with mine") {
                    commands.push(Command::KeepMine(edit.id()));
                }
            });
        }
        EditPhase::Unconfirmed => {
            ui.label(title("This edit may not have been saved"));
            ui.label("The connection was lost before the server answered.");
            let mine = cell_text(column, edit.mine());
            ui.label(RichText::new(format!("Mine: {mine}")).color(view.palette.muted));
            ui.add_space(6.0);
            ui.horizontal(|ui| {
                if ui.button("Discard mine").clicked() {
                    commands.push(Command::KeepTheirs(edit.id()));
                }
                if primary_button(ui, view, "Send again") {
                    commands.push(Command::Resend(edit.id()));
                }
            });
        }
        EditPhase::Queued | EditPhase::Sent | EditPhase::Applied => {}
    }
}

fn primary_button(ui: &mut Ui, view: &GridView<'_>, text: &str) -> bool {
    let text = RichText::new(text).color(view.palette.on_accent);
    ui.add(egui::Button::new(text).fill(view.palette.accent))
        .clicked()
}
