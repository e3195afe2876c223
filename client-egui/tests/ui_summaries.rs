//! Totals beneath the columns, and a column's values beside the grid.

mod support;

use egui::accesskit::{Role, Toggled};
use egui::{Key, Modifiers};
use egui_kittest::kittest::Queryable;
use protocol::{AggregateOp, Filter, FilterOp};
use support::products;
use support::screen::{Screen, header, press, press_with, select, show};

fn last_filter(screen: &Screen) -> Option<Filter> {
    let views = &screen.state().backend().views;
    views.last().and_then(|view| view.filter.clone())
}

/// Chooses an entry of a column's menu.
fn choose(screen: &mut Screen, column: &str, entry: &str) {
    screen.get_by_label(&format!("Menu of {column}")).click();
    screen.run_steps(3);
    screen.get_by_label(entry).click();
    screen.run_steps(4);
}

#[test]
fn a_total_is_chosen_in_the_columns_menu() {
    let mut screen = show(products(3), "table=products");
    choose(&mut screen, "stock_quantity", "Sum");
    let asked = &screen.state().backend().summaries;
    assert_eq!(asked.len(), 1);
    assert_eq!(asked[0].aggregates[0].op, AggregateOp::Sum);
    let total: i64 = (0..3)
        .map(|row| support::screen::text(&screen, row, "stock_quantity"))
        .map(|text| text.parse::<i64>().expect("a number"))
        .sum();
    screen.get_by_label(&format!("Sum of stock_quantity: {total}"));
    assert_eq!(
        screen.state().address().to_string(),
        "table=products&total.stock_quantity=sum"
    );
    choose(&mut screen, "stock_quantity", "Sum");
    assert_eq!(screen.state().address().to_string(), "table=products");
}

#[test]
fn a_column_is_as_wide_as_its_total_needs() {
    let width = |address: &str| {
        let screen = show(products(100), address);
        header(&screen, "id").rect().width()
    };
    // The sum is longer than every number of the column, and has a name.
    assert!(width("table=products&total.id=sum") > width("table=products") + 10.0);
}

#[test]
fn totals_follow_the_filter() {
    let screen = show(
        products(100),
        "table=products&filter.name=kettle&search=pour&total.price=max",
    );
    let asked = &screen.state().backend().summaries;
    let view = &asked.last().expect("a summary").view;
    assert_eq!(view.filter, last_filter(&screen));
    assert_eq!(view.search.as_deref(), Some("pour"));
    assert!(view.sort.is_empty(), "the order has no meaning in it");
}

#[test]
fn the_keyboard_opens_a_columns_menu() {
    let mut screen = show(products(100), "table=products");
    select(&mut screen, 0, "category");
    press_with(&mut screen, Modifiers::ALT, Key::ArrowDown);
    screen.run_steps(2);
    screen.get_by_label("Values and counts").click();
    screen.run_steps(3);
    assert_eq!(
        screen.state().address().to_string(),
        "table=products&facet=category"
    );
    screen.get_by_label("Values of category");
    screen.get_by_label("Close values").click();
    screen.run_steps(3);
    assert!(screen.query_by_label("Values of category").is_none());
}

#[test]
fn a_click_on_a_value_filters_by_it() {
    let mut screen = show(products(100), "table=products&facet=category");
    screen.get_by_label_contains("Books, ").click();
    screen.run_steps(3);
    let books = Filter::test("category", FilterOp::Eq, "Books");
    assert_eq!(last_filter(&screen), Some(books));
    // The other values can still be seen and chosen.
    screen.get_by_label_contains("Garden, ").click();
    screen.run_steps(3);
    assert_eq!(
        screen.state().address().filters["category"],
        "=Books|Garden"
    );
    let asked = &screen.state().backend().summaries;
    assert!(asked.iter().all(|asked| asked.view.filter.is_none()));
    screen.get_by_label_contains("Books, ").click();
    screen.run_steps(3);
    screen.get_by_label_contains("Garden, ").click();
    screen.run_steps(3);
    assert_eq!(last_filter(&screen), None);
}

#[test]
fn a_click_on_a_bar_filters_by_its_range() {
    let mut screen = show(products(200), "table=products&facet=price");
    screen.get_by_label_contains("100 up to 200: ").click();
    screen.run_steps(3);
    assert_eq!(screen.state().address().filters["price"], "100..<200");
    let bars = screen.query_all_by(|node| {
        node.data().role() == Role::Button && node.data().toggled() == Some(Toggled::True)
    });
    assert!(bars.count() >= 1);
    screen.get_by_label_contains("100 up to 200: ").click();
    screen.run_steps(3);
    assert!(
        screen.state().address().filters.is_empty(),
        "a second click takes it back"
    );
}

#[test]
fn dragging_across_bars_filters_by_their_range() {
    let mut screen = show(products(200), "table=products&facet=price");
    let from = screen
        .get_by_label_contains("100 up to 200: ")
        .rect()
        .center();
    let to = screen
        .get_by_label_contains("400 up to 500: ")
        .rect()
        .center();
    screen.drag_at(from);
    screen.run_steps(2);
    screen.hover_at(to);
    screen.run_steps(2);
    screen.drop_at(to);
    screen.run_steps(3);
    assert_eq!(screen.state().address().filters["price"], "100..<500");
}

#[test]
fn a_header_still_sorts() {
    let mut screen = show(products(100), "table=products&total.price=sum");
    header(&screen, "price").click();
    screen.run_steps(3);
    assert_eq!(screen.state().address().sort.len(), 1);
    press(&mut screen, Key::Escape);
    assert_eq!(
        screen.state().backend().summaries.len(),
        1,
        "not asked again"
    );
}

#[test]
fn escape_closes_a_menu() {
    let mut screen = show(products(100), "table=products");
    select(&mut screen, 0, "category");
    press_with(&mut screen, Modifiers::ALT, Key::ArrowDown);
    screen.run_steps(2);
    screen.get_by_label("Values and counts");
    press(&mut screen, Key::Escape);
    screen.run_steps(3);
    assert!(screen.query_by_label("Values and counts").is_none());
    let selected = screen
        .state()
        .table()
        .and_then(|table| table.grid.selected());
    assert!(selected.is_some(), "only the menu is closed");
}
