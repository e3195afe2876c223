//! Which columns are shown, and in which order.

mod support;

use client_egui::app::{Backend, ExportFormat, export_path};
use egui::accesskit::Role;
use egui::{Key, Pos2};
use egui_kittest::kittest::{NodeT, Queryable};
use support::products;
use support::screen::{Screen, find_cell, header, press, select, show, text};

/// The names of the columns on the screen, from the left.
fn headers(screen: &Screen) -> Vec<String> {
    let headers = screen.query_all_by_role(Role::ColumnHeader);
    let mut headers: Vec<_> = headers
        .map(|node| (node.rect().left() as i64, node.accesskit_node().label()))
        .collect();
    headers.sort();
    headers.into_iter().filter_map(|(_, label)| label).collect()
}

/// Chooses an entry of a column's menu.
fn choose(screen: &mut Screen, column: &str, entry: &str) {
    screen.get_by_label(&format!("Menu of {column}")).click();
    screen.run_steps(3);
    screen.get_by_label(entry).click();
    screen.run_steps(4);
}

fn address(screen: &Screen) -> String {
    screen.state().address().to_string()
}

fn drag(screen: &mut Screen, from: Pos2, to: Pos2) {
    screen.drag_at(from);
    screen.run_steps(2);
    for step in [0.3, 0.6, 1.0] {
        screen.hover_at(from.lerp(to, step));
        screen.run_steps(2);
    }
    screen.drop_at(to);
    screen.run_steps(4);
}

#[test]
fn a_column_is_hidden_in_its_menu_and_shown_again_in_that_of_all() {
    let mut screen = show(products(100), "table=products&filter.sku=KT");
    choose(&mut screen, "sku", "Hide this column");
    assert_eq!(address(&screen), "table=products&filter.sku=KT&hide=sku");
    assert!(find_cell(&screen, 0, "sku").is_none());
    assert_eq!(headers(&screen)[..2], ["id", "name"]);
    let view = screen.state().backend().views.last();
    assert!(
        view.is_some_and(|view| view.filter.is_some()),
        "what is hidden filters all the same"
    );
    screen.get_by_label("Columns").click();
    screen.run_steps(3);
    screen.get_by_role_and_label(Role::CheckBox, "sku").click();
    screen.run_steps(4);
    assert!(find_cell(&screen, 0, "sku").is_some());
    assert_eq!(address(&screen), "table=products&filter.sku=KT");
}

#[test]
fn the_last_column_cannot_be_hidden() {
    let all = "id,sku,category,price,stock_quantity,rating,in_stock,status,updated_at,tags";
    let mut screen = show(products(100), &format!("table=products&hide={all}"));
    assert_eq!(headers(&screen), ["name"]);
    let before = address(&screen);
    choose(&mut screen, "name", "Hide this column");
    assert_eq!(address(&screen), before);
}

#[test]
fn a_column_is_moved_by_its_name() {
    let mut screen = show(products(100), "table=products");
    let from = header(&screen, "category").rect().center();
    let onto = header(&screen, "sku").rect().center();
    drag(&mut screen, from, onto - egui::vec2(10.0, 0.0));
    assert_eq!(headers(&screen)[..4], ["id", "category", "sku", "name"]);
    assert_eq!(address(&screen), "table=products&columns=id,category");
    assert!(screen.state().address().sort.is_empty(), "no click");
    assert_eq!(text(&screen, 0, "id"), "1");
    // Dropped where it was it stays.
    let place = header(&screen, "category").rect().center();
    drag(&mut screen, place, place + egui::vec2(20.0, 0.0));
    assert_eq!(address(&screen), "table=products&columns=id,category");
}

#[test]
fn escape_ends_a_drag() {
    let mut screen = show(products(100), "table=products");
    let from = header(&screen, "category").rect().center();
    let onto = header(&screen, "id").rect().center();
    screen.drag_at(from);
    screen.run_steps(2);
    screen.hover_at(onto);
    screen.run_steps(2);
    press(&mut screen, Key::Escape);
    screen.drop_at(onto);
    screen.run_steps(4);
    assert_eq!(address(&screen), "table=products");
}

#[test]
fn a_columns_menu_moves_it() {
    let mut screen = show(products(100), "table=products&hide=sku");
    choose(&mut screen, "name", "Move left");
    assert_eq!(headers(&screen)[..3], ["name", "id", "category"]);
    choose(&mut screen, "name", "Move right");
    assert_eq!(headers(&screen)[..3], ["id", "name", "category"]);
    assert_eq!(address(&screen), "table=products&hide=sku");
}

#[test]
fn the_keyboard_goes_along_the_columns_as_they_are_shown() {
    let mut screen = show(products(100), "table=products&columns=name&hide=sku");
    select(&mut screen, 0, "name");
    let selected = |screen: &Screen| {
        let table = screen.state().table();
        let cell = table.and_then(|table| table.grid.selected());
        cell.map(|cell| cell.column)
    };
    let mut passed = Vec::new();
    for _ in 0..3 {
        press(&mut screen, Key::ArrowRight);
        passed.push(selected(&screen));
    }
    // The schema's order is id, sku, name, category, price.
    assert_eq!(passed, [Some(0), Some(3), Some(4)]);
    press(&mut screen, Key::Home);
    assert_eq!(selected(&screen), Some(2));
}

#[test]
fn hiding_the_selected_column_selects_another_of_the_row() {
    let mut screen = show(products(100), "table=products");
    select(&mut screen, 3, "sku");
    choose(&mut screen, "sku", "Hide this column");
    let table = screen.state().table().expect("a table");
    let cell = table.grid.selected().expect("a selected cell");
    assert_eq!((cell.row, cell.column), (3, 0));
}

#[test]
fn a_file_gets_the_columns_that_are_shown() {
    let hidden = "sku,name,category,stock_quantity,rating,in_stock,status,updated_at";
    let address = format!("table=products&columns=price&hide={hidden}");
    let screen = show(products(100), &address);
    let model = screen.state().backend().model();
    let table = screen.state().table().expect("a table");
    let columns = table.columns_to_save(model);
    assert_eq!(columns, ["price", "id", "tags"]);
    let view = protocol::ViewSpec::table("t");
    let path = export_path(&view, &["a", "b \"c\", d"], ExportFormat::Csv);
    let (_, named) = path.split_once("&columns=").expect("columns");
    assert_eq!(named, "%22a%22%2C%22b%20%22%22c%22%22%2C%20d%22");
    let all = show(products(100), "table=products");
    let table = all.state().table().expect("a table");
    assert!(
        table
            .columns_to_save(all.state().backend().model())
            .is_empty()
    );
}
