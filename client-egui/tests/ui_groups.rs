//! Rows in groups: counted, ordered, opened.

mod support;

use egui::accesskit::Role;
use egui_kittest::kittest::{NodeT, Queryable};
use protocol::{Filter, FilterOp, GroupTerm};
use support::products;
use support::screen::{Screen, find_cell, show, wait_for};

/// The rows of groups on the screen, as they are read out.
fn groups(screen: &Screen) -> Vec<String> {
    let is_group =
        |node: &egui_kittest::kittest::AccessKitNode<'_>| node.data().is_expanded().is_some();
    let groups = screen.query_all_by(move |node| is_group(node));
    let mut groups: Vec<_> = groups
        .map(|node| (node.rect().top() as i64, node.accesskit_node().label()))
        .collect();
    groups.sort();
    groups.into_iter().filter_map(|(_, label)| label).collect()
}

#[test]
fn a_columns_menu_groups_by_it() {
    let mut screen = show(products(100), "table=products");
    screen.get_by_label("Menu of category").click();
    screen.run_steps(3);
    screen.get_by_label("Group by this column").click();
    screen.run_steps(4);
    assert_eq!(
        screen.state().address().to_string(),
        "table=products&group=category"
    );
    let names = groups(&screen);
    assert_eq!(names.len(), 5, "{names:?}");
    assert!(names[0].starts_with("Books, "), "{names:?}");
    screen.get_by_label("By category").click();
    screen.run_steps(4);
    assert_eq!(screen.state().address().to_string(), "table=products");
    assert!(find_cell(&screen, 0, "id").is_some());
}

#[test]
fn an_open_group_shows_its_rows() {
    let mut screen = show(
        products(100),
        "table=products&sort=-price&filter.name=e&group=category",
    );
    screen.get_by_label_contains("Garden, ").click();
    wait_for(&mut screen, "the rows", |screen| {
        find_cell(screen, 0, "id").is_some()
    });
    let view = screen.state().backend().views.last().cloned();
    let view = view.expect("a view");
    assert_eq!(view.sort.len(), 1, "in the table's order");
    let Some(Filter::And(tests)) = &view.filter else {
        panic!("{view:?}");
    };
    let garden = Filter::And(vec![Filter::test("category", FilterOp::Eq, "Garden")]);
    assert_eq!(tests[1], garden);
    screen.get_by_label_contains("Garden, ").click();
    screen.run_steps(4);
    assert!(find_cell(&screen, 0, "id").is_none());
}

#[test]
fn groups_are_ordered_by_their_headers_and_have_totals() {
    let mut screen = show(
        products(100),
        "table=products&group=category,status&total.stock_quantity=sum",
    );
    screen.get_by_role_and_label(Role::ColumnHeader, "sum of stock_quantity");
    screen
        .get_by_role_and_label(Role::ColumnHeader, "rows")
        .click();
    screen.run_steps(4);
    let asked = screen.state().backend().summaries.last().cloned();
    let asked = asked.expect("a summary");
    assert_eq!(asked.by.len(), 2);
    let order = &asked.order[0];
    assert_eq!((order.by, order.descending), (GroupTerm::Value(0), true));
    let names = groups(&screen);
    assert!(names[0].contains("sum of stock_quantity"), "{names:?}");
}

#[test]
fn an_address_opens_groups_and_orders_them() {
    let address = "table=products&total.stock_quantity=sum&group=category\
                   &groupsort=-total.stock_quantity&open=Garden&open=No%20such";
    let mut screen = show(products(100), address);
    wait_for(&mut screen, "the rows", |screen| {
        find_cell(screen, 0, "id").is_some()
    });
    let asked = screen.state().backend().summaries.last().cloned();
    let order = asked.expect("a summary").order[0].clone();
    assert_eq!((order.by, order.descending), (GroupTerm::Value(1), true));
    // There is no such group, and so it is not kept open.
    let settled = "table=products&total.stock_quantity=sum&group=category\
                   &groupsort=-total.stock_quantity&open=Garden";
    wait_for(&mut screen, "the open group", |screen| {
        screen.state().address().to_string() == settled
    });
    screen.get_by_label_contains("Garden, ").click();
    screen
        .get_by_role_and_label(Role::ColumnHeader, "rows")
        .click();
    screen.run_steps(4);
    assert_eq!(
        screen.state().address().to_string(),
        "table=products&total.stock_quantity=sum&group=category&groupsort=-rows"
    );
}

#[test]
fn an_order_by_a_total_outlives_another_total() {
    let address = "table=products&total.stock_quantity=sum&group=category\
                   &groupsort=-total.stock_quantity";
    let mut screen = show(products(100), address);
    screen.get_by_label("By category");
    let table = screen.state_mut();
    table.go_to_address(client_egui::app::ViewAddress::parse(&format!(
        "{address}&total.price=avg"
    )));
    screen.run_steps(4);
    let asked = screen.state().backend().summaries.last().cloned();
    let order = asked.expect("a summary").order[0].clone();
    // The average of the price comes before it now.
    assert_eq!(order.by, GroupTerm::Value(2));
}
