//! Looking at a table: sorting, filtering, scrolling, what is drawn while rows load.

mod support;

use egui::accesskit::SortDirection;
use egui::{Key, Modifiers};
use egui_kittest::kittest::{NodeT, Queryable};
use protocol::Filter;
use support::products;
use support::screen::{
    Screen, cell, find_cell, header, placeholders, press, press_with, select, show, text,
    type_text, wait_for,
};

/// The filter of the view that was asked for last.
fn last_filter(screen: &Screen) -> Option<Filter> {
    screen
        .state()
        .backend()
        .views
        .last()
        .and_then(|view| view.filter.clone())
}

#[test]
fn a_table_shows_its_rows_and_their_number() {
    let screen = show(products(10_000_000), "table=products");
    assert_eq!(text(&screen, 0, "id"), "1");
    assert_eq!(text(&screen, 4, "sku"), "KT-51117");
    screen.get_by_label("10,000,000 rows");
    screen.get_by_label("Live");
}

#[test]
fn the_list_of_tables_opens_one() {
    let mut screen = show(products(1_000), "");
    screen.get_by_label("Choose a table");
    screen
        .get_by_role_and_label(egui::accesskit::Role::Button, "products")
        .click();
    wait_for(&mut screen, "the rows", |screen| {
        find_cell(screen, 0, "id").is_some()
    });
    assert_eq!(
        screen.state().address().to_string(),
        "table=public.products"
    );
}

#[test]
fn a_click_on_a_header_sorts_up_then_down_then_not() {
    let mut screen = show(products(1_000), "table=products");
    let mut orders = Vec::new();
    for _ in 0..3 {
        header(&screen, "price").click();
        screen.run_steps(3);
        orders.push(
            header(&screen, "price")
                .accesskit_node()
                .data()
                .sort_direction(),
        );
    }
    let expected = [
        Some(SortDirection::Ascending),
        Some(SortDirection::Descending),
        None,
    ];
    assert_eq!(orders, expected);
    let views = &screen.state().backend().views;
    let sorts: Vec<usize> = views.iter().map(|view| view.sort.len()).collect();
    assert_eq!(sorts, [0, 1, 1, 0]);
}

#[test]
fn shift_adds_to_the_sort() {
    let mut screen = show(products(1_000), "table=products&sort=-price");
    header(&screen, "name").click_modifiers(Modifiers::SHIFT);
    screen.run_steps(3);
    assert_eq!(
        screen.state().address().to_string(),
        "table=products&sort=-price,name"
    );
    header(&screen, "sku").click();
    screen.run_steps(3);
    assert_eq!(
        screen.state().address().to_string(),
        "table=products&sort=sku"
    );
}

#[test]
fn a_filter_applies_by_itself_once_the_typing_pauses() {
    let mut screen = show(products(1_000), "table=products");
    screen.get_by_label("Filter price").focus();
    screen.run_steps(2);
    type_text(&mut screen, ">10");
    assert!(screen.state().address().filters.is_empty());
    wait_for(&mut screen, "the filter", |screen| {
        last_filter(screen).is_some()
    });
    let filter = last_filter(&screen);
    assert!(
        matches!(&filter, Some(Filter::Test(test)) if test.column == "price"),
        "{filter:?}"
    );
    screen.get_by_label("Clear filter").click();
    wait_for(&mut screen, "no filter", |screen| {
        last_filter(screen).is_none()
    });
}

#[test]
fn enter_applies_a_filter_and_escape_clears_it() {
    let mut screen = show(products(1_000), "table=products");
    screen.get_by_label("Filter name").focus();
    screen.run_steps(2);
    type_text(&mut screen, "laptop");
    press(&mut screen, Key::Enter);
    screen.run_steps(2);
    assert_eq!(screen.state().address().filters["name"], "laptop");
    screen.get_by_label("Filter name").focus();
    press(&mut screen, Key::Escape);
    screen.run_steps(2);
    assert!(screen.state().address().filters.is_empty());
}

#[test]
fn a_filter_that_cannot_be_read_is_not_applied() {
    let mut screen = show(products(1_000), "table=products");
    screen.get_by_label("Filter price").focus();
    screen.run_steps(2);
    type_text(&mut screen, ">cheap");
    press(&mut screen, Key::Enter);
    screen.run_steps(2);
    assert!(screen.state().address().filters.is_empty());
    assert_eq!(screen.state().backend().views.len(), 1);
}

#[test]
fn filters_in_an_address_reach_the_server() {
    let screen = show(products(1_000), "table=products&filter.price=%3E10");
    let filter = last_filter(&screen);
    assert!(
        matches!(&filter, Some(Filter::Test(test)) if test.column == "price"),
        "{filter:?}"
    );
}

#[test]
fn rows_that_are_loading_are_placeholders() {
    let mut screen = show(products(10_000_000), "table=products");
    assert_eq!(placeholders(&screen), 0);
    screen.state_mut().backend_mut().held = true;
    select(&mut screen, 0, "name");
    press_with(&mut screen, Modifiers::COMMAND, Key::End);
    assert!(
        placeholders(&screen) > 10,
        "{} placeholders",
        placeholders(&screen)
    );
    assert!(
        find_cell(&screen, 0, "id").is_none(),
        "an old row is still there"
    );
    screen.state_mut().backend_mut().release();
    wait_for(&mut screen, "the last row", |screen| {
        find_cell(screen, 9_999_999, "id").is_some() && placeholders(screen) == 0
    });
    assert_eq!(text(&screen, 9_999_999, "id"), "10000000");
}

#[test]
fn the_keyboard_moves_the_selection() {
    let mut screen = show(products(10_000_000), "table=products");
    select(&mut screen, 2, "name");
    press(&mut screen, Key::ArrowDown);
    press(&mut screen, Key::ArrowRight);
    let at = |screen: &Screen| {
        let table = screen.state().table().expect("a table");
        table.grid.selected().map(|cell| (cell.row, cell.column))
    };
    assert_eq!(at(&screen), Some((3, 3)));
    press(&mut screen, Key::PageDown);
    let (row, _) = at(&screen).expect("a selection");
    assert!((18..30).contains(&row), "a page is {row} rows");
    press(&mut screen, Key::Home);
    assert_eq!(at(&screen), Some((row, 0)));
    press_with(&mut screen, Modifiers::COMMAND, Key::End);
    assert_eq!(at(&screen), Some((9_999_999, 0)));
    press_with(&mut screen, Modifiers::COMMAND, Key::Home);
    assert_eq!(at(&screen), Some((0, 0)));
}

#[test]
fn any_row_can_be_gone_to_by_number() {
    let mut screen = show(products(10_000_000), "table=products");
    press_with(&mut screen, Modifiers::COMMAND, Key::G);
    type_text(&mut screen, "7,654,321");
    press(&mut screen, Key::Enter);
    wait_for(&mut screen, "the row", |screen| {
        find_cell(screen, 7_654_320, "id").is_some()
    });
    assert_eq!(text(&screen, 7_654_320, "id"), "7654321");
    let first = screen
        .state()
        .table()
        .map(|table| table.grid.scroll().row());
    assert_eq!(first, Some(7_654_320));
}

#[test]
fn rows_inserted_above_do_not_move_what_is_read() {
    let mut screen = show(products(1_000), "table=products");
    select(&mut screen, 0, "name");
    press_with(&mut screen, Modifiers::COMMAND, Key::End);
    wait_for(&mut screen, "the end", |screen| {
        find_cell(screen, 999, "id").is_some()
    });
    let before = cell(&screen, 990, "id").rect();
    screen.state_mut().backend_mut().insert_above();
    screen.run_steps(3);
    assert_eq!(text(&screen, 991, "id"), "991");
    assert_eq!(cell(&screen, 991, "id").rect(), before);
}

#[test]
fn an_empty_answer_offers_to_clear_the_filter() {
    let mut screen = show(products(0), "table=products&filter.name=zebra");
    screen.run_steps(3);
    screen.get_by_label("No rows match this filter");
    screen.get_by_label("Clear filters").click();
    screen.run_steps(3);
    screen.get_by_label("This table is empty");
}

#[test]
fn assistive_technology_can_select_a_cell() {
    let mut screen = show(products(1_000), "table=products");
    cell(&screen, 5, "price").click_accesskit();
    screen.run_steps(3);
    assert_eq!(
        cell(&screen, 5, "price").accesskit_node().is_selected(),
        Some(true)
    );
    press(&mut screen, Key::ArrowDown);
    assert_eq!(
        cell(&screen, 6, "price").accesskit_node().is_selected(),
        Some(true)
    );
}

#[test]
fn a_view_is_saved_as_the_server_knows_it() {
    use client_egui::app::{ExportFormat, export_path};
    let screen = show(
        products(1_000),
        "table=products&sort=-price&search=lamp&filter.name=a%2Bb",
    );
    let view = screen
        .state()
        .backend()
        .views
        .last()
        .expect("a view")
        .clone();
    let path = export_path(&view, &[], ExportFormat::Xlsx);
    let (address, as_json) = path.split_once("&view=").expect("a view");
    assert_eq!(address, "/api/v1/tables/products/export?format=xlsx");
    assert!(
        as_json
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"%_.~".contains(&byte))
    );
    assert!(as_json.contains("a%2Bb"), "{as_json}");
    screen.get_by_label("Export");
}
