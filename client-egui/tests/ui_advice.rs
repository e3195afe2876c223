//! What serves a view, what it costs, and the index that would help.

mod support;

use egui_kittest::kittest::Queryable;
use support::products;
use support::screen::{Screen, header, press, show, type_text};

/// A view that no index serves, with the badge opened.
fn advised() -> Screen {
    let mut screen = show(products(1_000), "table=products&sort=price");
    assert!(screen.query_by_label("No index").is_none());
    screen.state_mut().backend_mut().advise();
    screen.run_steps(3);
    screen.get_by_label("No index").click();
    screen.run_steps(4);
    screen
}

#[test]
fn a_badge_says_what_a_view_costs_and_what_would_help() {
    let mut screen = advised();
    screen.get_by_label("No index serves this view");
    screen.get_by_label_contains("about 12 s");
    screen.get_by_label_contains("CREATE INDEX CONCURRENTLY");
    screen.get_by_label("Copy SQL").click();
    screen.step();
    let copied = screen.output().platform_output.commands.iter();
    let is_sql = |command: &egui::OutputCommand| match command {
        egui::OutputCommand::CopyText(text) => text.starts_with("CREATE INDEX"),
        _ => false,
    };
    assert!(
        copied.clone().any(is_sql),
        "{:?}",
        copied.collect::<Vec<_>>()
    );
}

#[test]
fn another_view_has_another_advice() {
    let mut screen = advised();
    // Closes what covers the header.
    press(&mut screen, egui::Key::Escape);
    header(&screen, "name").click();
    screen.run_steps(4);
    assert!(screen.query_by_label("No index").is_none());
}

#[test]
fn an_administrator_creates_the_index_and_can_stop() {
    let mut screen = advised();
    screen.get_by_label("Admin token").focus();
    screen.run_steps(2);
    type_text(&mut screen, "a-secret-of-sixteen");
    screen.get_by_label("Create index").click();
    screen.run_steps(4);
    let tokens = &screen.state().backend().tokens;
    assert_eq!(tokens[..], ["a-secret-of-sixteen"]);
    screen.get_by_label("Creating index, 40 %");
    screen.get_by_label("Cancel").click();
    screen.run_steps(4);
    screen.get_by_label("It was stopped");
    screen.get_by_label("Dismiss").click();
    screen.run_steps(4);
    screen.get_by_label("No index");
}
