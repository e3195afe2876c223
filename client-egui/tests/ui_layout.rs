//! Where things are: in a narrow window, and what is said of the table.

mod support;

use egui::Key;
use egui::accesskit::Role;
use egui_kittest::kittest::{NodeT, Queryable};
use support::products;
use support::screen::{Screen, find_cell, press, press_with, show, wait_for};

const NARROW: egui::Vec2 = egui::vec2(800.0, 600.0);

fn show_narrow(address: &str) -> Screen {
    let mut screen = show(products(1_000), address);
    screen.set_size(NARROW);
    screen.run_steps(4);
    screen
}

#[test]
fn a_narrow_window_lists_the_tables_behind_the_name() {
    let mut screen = show_narrow("table=products");
    assert!(screen.query_by_label("events").is_none());
    screen.get_by_label("products, choose a table").click();
    screen.run_steps(3);
    screen.get_by_label("Dark theme");
    screen.get_by_role_and_label(Role::Button, "events").click();
    wait_for(&mut screen, "the other table", |screen| {
        screen.state().address().to_string() == "table=public.events"
    });
}

#[test]
fn a_narrow_window_shows_all_that_can_be_taken_back() {
    let address = "table=products&filter.name=e&filter.sku=A&group=category,status";
    let screen = show_narrow(address);
    let of_table = [
        "1,000 rows",
        "Clear filters",
        "By category, status",
        "Columns",
        "Export",
        "Go to row",
        "Search products",
    ];
    let mut places: Vec<egui::Rect> = Vec::new();
    for label in of_table {
        let place = screen.get_by_label(label).rect();
        let is_seen = place.left() >= 0.0 && place.right() <= NARROW.x && place.top() >= 0.0;
        assert!(is_seen, "{label} is at {place}");
        let covered = places
            .iter()
            .any(|other| other.shrink(1.0).intersects(place));
        assert!(!covered, "{label} covers another one at {place}");
        places.push(place);
    }
}

#[test]
fn a_polled_table_is_not_called_live() {
    let screen = show(products(1_000).polled(), "table=products");
    screen.get_by_label("Polled");
    screen.get_by_label("polled every 2 s");
    assert!(screen.query_by_label("Live").is_none());
}

#[test]
fn a_column_is_not_denied_before_the_columns_are_known() {
    let mut stage = products(1_000);
    stage.held = true;
    let screen = show(stage, "table=products&facet=category");
    assert!(screen.query_by_label_contains("no such column").is_none());
}

#[test]
fn a_row_is_gone_to_from_a_field_too() {
    let mut screen = show(products(1_000), "table=products");
    screen.get_by_label("Filter name").focus();
    screen.run_steps(2);
    press_with(&mut screen, egui::Modifiers::COMMAND, Key::G);
    screen.run_steps(2);
    // In one frame, as they arrive when one takes long.
    let enter = egui::Event::Key {
        key: Key::Enter,
        physical_key: None,
        pressed: true,
        repeat: false,
        modifiers: egui::Modifiers::NONE,
    };
    let events = &mut screen.input_mut().events;
    events.extend([egui::Event::Text("700".to_owned()), enter]);
    screen.run_steps(2);
    wait_for(&mut screen, "the row", |screen| {
        find_cell(screen, 699, "id").is_some()
    });
}

#[test]
fn what_is_typed_into_the_last_column_is_seen() {
    let first = "id,sku,name,category,price,stock_quantity,in_stock,status,updated_at,tags";
    let mut screen = show(products(100), &format!("table=products&columns={first}"));
    support::screen::select(&mut screen, 0, "id");
    press(&mut screen, Key::End);
    let cell = support::screen::cell(&screen, 0, "rating").rect();
    assert!(cell.right() <= 1280.0, "{cell}");
    press(&mut screen, Key::F2);
    screen.run_steps(2);
    let field = screen.get_by_label("Edit rating");
    assert!(field.accesskit_node().is_focused());
    assert!(
        field.rect().right() <= cell.right() + 0.5,
        "{}",
        field.rect()
    );
}

#[test]
fn a_menu_is_no_wider_than_its_entries_need() {
    let mut screen = show(products(1_000), "table=products");
    for (menu, title) in [
        ("Menu of category", "Total"),
        ("Export", "All 1,000 rows as"),
    ] {
        screen.get_by_label(menu).click();
        screen.run_steps(3);
        let width = screen.get_by_label(title).rect().width();
        assert!(width < 260.0, "{menu}: {width}");
        press(&mut screen, Key::Escape);
    }
}
