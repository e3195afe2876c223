//! The viewer on a screen that tests can read and click.

use std::time::{Duration, Instant};

use client_egui::app::{ViewAddress, Viewer};
use egui::accesskit::Role;
use egui_kittest::kittest::{NodeT, Queryable};
use egui_kittest::{Harness, Node};

use super::Stage;

/// How long anything may take to show.
const PATIENCE: Duration = Duration::from_secs(10);

/// The viewer on a screen.
pub type Screen = Harness<'static, Viewer<Stage>>;

/// Shows a stage at an address, and waits until it has settled.
pub fn show(stage: Stage, address: &str) -> Screen {
    let address = ViewAddress::parse(address);
    let mut screen = Harness::builder()
        .with_size([1280.0, 800.0])
        .allow_missing_glyphs()
        .build_eframe(move |creation| {
            Viewer::new(
                &creation.egui_ctx,
                stage,
                "ws://stage/ws".to_owned(),
                address,
            )
        });
    screen.run_steps(4);
    screen
}

/// Draws frames until a condition holds; names what was waited for if it never does.
#[track_caller]
pub fn wait_for(screen: &mut Screen, what: &str, condition: impl Fn(&Screen) -> bool) {
    let start = Instant::now();
    while !condition(screen) {
        assert!(start.elapsed() < PATIENCE, "waited in vain: {what}");
        screen.step();
        std::thread::yield_now();
    }
}

/// A cell by its row (from 0) and column, if it is on the screen.
pub fn find_cell<'a>(screen: &'a Screen, row: usize, column: &str) -> Option<Node<'a>> {
    let column = column.to_owned();
    screen.query_by(move |node| {
        let data = node.data();
        data.role() == Role::GridCell
            && data.row_index() == Some(row)
            && data.author_id() == Some(&column)
    })
}

/// A cell by its row (from 0) and column.
#[track_caller]
pub fn cell<'a>(screen: &'a Screen, row: usize, column: &str) -> Node<'a> {
    find_cell(screen, row, column)
        .unwrap_or_else(|| panic!("row {row}, column {column} is not on the screen"))
}

/// A cell's text.
#[track_caller]
pub fn text(screen: &Screen, row: usize, column: &str) -> String {
    cell(screen, row, column)
        .accesskit_node()
        .label()
        .unwrap_or_default()
}

/// What a cell's node says of an edit: `pending`, `conflict`.
#[track_caller]
pub fn edit_mark(screen: &Screen, row: usize, column: &str) -> Option<String> {
    cell(screen, row, column).accesskit_node().description()
}

/// A column's header.
#[track_caller]
pub fn header<'a>(screen: &'a Screen, column: &'a str) -> Node<'a> {
    screen.get_by_role_and_label(Role::ColumnHeader, column)
}

/// Rows on the screen that are placeholders.
pub fn placeholders(screen: &Screen) -> usize {
    screen
        .query_all_by(|node| node.data().role() == Role::Row && node.data().is_busy())
        .count()
}

/// Selects a cell by a click.
pub fn select(screen: &mut Screen, row: usize, column: &str) {
    cell(screen, row, column).click();
    screen.run_steps(2);
}

/// Opens the editor of a cell.
pub fn edit(screen: &mut Screen, row: usize, column: &str) {
    select(screen, row, column);
    press(screen, egui::Key::F2);
}

/// Presses a key.
pub fn press(screen: &mut Screen, key: egui::Key) {
    screen.key_press(key);
    screen.run_steps(2);
}

/// Presses a key with modifiers.
pub fn press_with(screen: &mut Screen, modifiers: egui::Modifiers, key: egui::Key) {
    screen.key_press_modifiers(modifiers, key);
    screen.run_steps(2);
}

/// Types text.
pub fn type_text(screen: &mut Screen, text: &str) {
    screen.event(egui::Event::Text(text.to_owned()));
    screen.run_steps(2);
}
