//! Editing cells in place.

mod support;

use egui::Key;
use egui::accesskit::Role;
use egui_kittest::kittest::Queryable;
use protocol::{EditOutcome, ErrorCode, Value};
use support::products;
use support::screen::{
    Screen, cell, edit, edit_mark, press, select, show, text, type_text, wait_for,
};

fn edits(screen: &Screen) -> Vec<(String, Value, Value)> {
    let edits = screen.state().backend().edits.iter();
    edits
        .map(|edit| {
            (
                edit.column.clone(),
                edit.expected.clone(),
                edit.value.clone(),
            )
        })
        .collect()
}

fn editor_is_open(screen: &Screen, column: &str) -> bool {
    screen
        .query_by_role_and_label(Role::TextInput, &format!("Edit {column}"))
        .is_some()
}

#[test]
fn enter_commits_what_was_typed() {
    let mut screen = show(products(1_000), "table=products");
    edit(&mut screen, 3, "name");
    assert!(editor_is_open(&screen, "name"));
    type_text(&mut screen, "Kettle");
    press(&mut screen, Key::Enter);
    wait_for(&mut screen, "the edit", |screen| {
        text(screen, 3, "name") == "Kettle"
    });
    assert!(!editor_is_open(&screen, "name"));
    let expected = Value::text("Copper Pour-over Kettle");
    assert_eq!(
        edits(&screen),
        [("name".to_owned(), expected, Value::text("Kettle"))]
    );
}

#[test]
fn escape_keeps_what_was_there() {
    let mut screen = show(products(1_000), "table=products");
    edit(&mut screen, 3, "name");
    type_text(&mut screen, "Kettle");
    press(&mut screen, Key::Escape);
    assert_eq!(text(&screen, 3, "name"), "Copper Pour-over Kettle");
    assert!(!editor_is_open(&screen, "name"));
    assert!(edits(&screen).is_empty());
}

#[test]
fn typing_starts_editing_with_what_is_typed() {
    let mut screen = show(products(1_000), "table=products");
    select(&mut screen, 3, "stock_quantity");
    screen
        .input_mut()
        .events
        .extend(["4", "2"].map(|key| egui::Event::Text(key.to_owned())));
    screen.run_steps(2);
    type_text(&mut screen, "0");
    press(&mut screen, Key::Enter);
    wait_for(&mut screen, "the edit", |screen| {
        text(screen, 3, "stock_quantity") == "420"
    });
}

#[test]
fn tab_commits_and_moves_on() {
    let mut screen = show(products(1_000), "table=products");
    edit(&mut screen, 3, "name");
    type_text(&mut screen, "Kettle");
    press(&mut screen, Key::Tab);
    wait_for(&mut screen, "the edit", |screen| {
        text(screen, 3, "name") == "Kettle"
    });
    let selected = screen
        .state()
        .table()
        .and_then(|table| table.grid.selected().cloned());
    assert_eq!(selected.map(|cell| (cell.row, cell.column)), Some((3, 3)));
}

#[test]
fn text_that_is_no_value_stays_in_the_editor() {
    let mut screen = show(products(1_000), "table=products");
    edit(&mut screen, 3, "stock_quantity");
    type_text(&mut screen, "many");
    press(&mut screen, Key::Enter);
    assert!(editor_is_open(&screen, "stock_quantity"));
    assert!(edits(&screen).is_empty());
    press(&mut screen, Key::Escape);
    assert!(!editor_is_open(&screen, "stock_quantity"));
}

#[test]
fn an_edit_shows_at_once_and_is_marked_until_confirmed() {
    let mut screen = show(products(1_000), "table=products");
    screen.state_mut().backend_mut().held = true;
    edit(&mut screen, 3, "name");
    type_text(&mut screen, "Kettle");
    press(&mut screen, Key::Enter);
    assert_eq!(text(&screen, 3, "name"), "Kettle");
    assert_eq!(edit_mark(&screen, 3, "name").as_deref(), Some("pending"));
    screen.state_mut().backend_mut().release();
    wait_for(&mut screen, "the mark to go", |screen| {
        edit_mark(screen, 3, "name").is_none()
    });
    assert_eq!(text(&screen, 3, "name"), "Kettle");
}

#[test]
fn a_choice_is_made_from_a_list() {
    let mut screen = show(products(1_000), "table=products");
    edit(&mut screen, 0, "status");
    screen.get_by_label("status: archived").click();
    screen.run_steps(2);
    wait_for(&mut screen, "the edit", |screen| {
        text(screen, 0, "status") == "archived"
    });
}

fn conflict(screen: &mut Screen) {
    let theirs = Value::text("Teapot");
    screen
        .state_mut()
        .backend_mut()
        .change(3, 2, theirs.clone());
    screen.state_mut().backend_mut().next_outcome = Some(EditOutcome::Conflict { theirs });
    edit(screen, 3, "name");
    type_text(screen, "Kettle");
    press(screen, Key::Enter);
    wait_for(screen, "the question", |screen| {
        screen.query_by_label("Keep theirs").is_some()
    });
    let theirs = screen.query_all_by_label("Teapot").count();
    assert_eq!(theirs, 2, "in the cell and in the question");
    assert_eq!(edit_mark(screen, 3, "name").as_deref(), Some("conflict"));
}

#[test]
fn a_conflict_can_keep_theirs() {
    let mut screen = show(products(1_000), "table=products");
    conflict(&mut screen);
    screen.get_by_label("Keep theirs").click();
    wait_for(&mut screen, "the answer", |screen| {
        screen.query_by_label("Keep theirs").is_none()
    });
    assert_eq!(text(&screen, 3, "name"), "Teapot");
    assert_eq!(edits(&screen).len(), 1);
}

#[test]
fn a_conflict_can_keep_mine() {
    let mut screen = show(products(1_000), "table=products");
    conflict(&mut screen);
    screen.get_by_label("Overwrite with mine").click();
    wait_for(&mut screen, "the answer", |screen| {
        screen.query_by_label("Keep theirs").is_none() && text(screen, 3, "name") == "Kettle"
    });
    let last = edits(&screen).pop();
    let expected = (
        "name".to_owned(),
        Value::text("Teapot"),
        Value::text("Kettle"),
    );
    assert_eq!(last, Some(expected));
}

#[test]
fn a_refused_edit_says_why() {
    let mut screen = show(products(1_000), "table=products");
    screen.state_mut().backend_mut().next_outcome = Some(EditOutcome::Rejected {
        code: ErrorCode::EditRejected,
        message: "the name must not be empty".to_owned(),
    });
    edit(&mut screen, 3, "name");
    type_text(&mut screen, "x");
    press(&mut screen, Key::Enter);
    wait_for(&mut screen, "the notice", |screen| {
        screen
            .query_by_label_contains("the name must not be empty")
            .is_some()
    });
    assert_eq!(text(&screen, 3, "name"), "Copper Pour-over Kettle");
}

#[test]
fn a_key_column_cannot_be_edited() {
    let mut screen = show(products(1_000), "table=products");
    edit(&mut screen, 3, "id");
    assert!(!editor_is_open(&screen, "id"));
}

#[test]
fn a_row_being_edited_stays_put_while_it_moves_away() {
    let mut screen = show(products(1_000), "table=products");
    edit(&mut screen, 3, "name");
    type_text(&mut screen, "Ket");
    let place = |screen: &Screen| {
        screen
            .get_by_role_and_label(Role::TextInput, "Edit name")
            .rect()
    };
    let before = place(&screen);
    screen.state_mut().backend_mut().move_to_end(3);
    screen.run_steps(3);
    assert_eq!(place(&screen), before);
    assert_eq!(
        text(&screen, 3, "id"),
        "5",
        "the others move up in the view"
    );
    assert!(
        cell(&screen, 3, "id").rect().top() > before.bottom() - 1.0,
        "and make room for it"
    );
    type_text(&mut screen, "tle");
    press(&mut screen, Key::Enter);
    wait_for(&mut screen, "the edit", |screen| !edits(screen).is_empty());
    let edit = &screen.state().backend().edits[0];
    assert_eq!(
        (&edit.key, &edit.value),
        (&vec![Value::Int(4)], &Value::text("Kettle"))
    );
}

#[test]
fn what_came_while_typing_is_not_overwritten_in_silence() {
    let mut screen = show(products(1_000), "table=products");
    edit(&mut screen, 3, "name");
    let theirs = Value::text("Theirs");
    let stage = screen.state_mut().backend_mut();
    stage.change(3, 2, theirs.clone());
    stage.next_outcome = Some(EditOutcome::Conflict { theirs });
    screen.run_steps(2);
    type_text(&mut screen, "Mine");
    press(&mut screen, Key::Enter);
    wait_for(&mut screen, "the question", |screen| {
        screen
            .query_by_label("Someone else changed this cell")
            .is_some()
    });
    let seen = Value::text("Copper Pour-over Kettle");
    assert_eq!(
        edits(&screen),
        [("name".to_owned(), seen, Value::text("Mine"))],
        "the server is asked to replace what was seen, not what came since"
    );
}

#[test]
fn a_field_left_as_it_was_takes_nothing_back() {
    let mut screen = show(products(1_000), "table=products");
    edit(&mut screen, 3, "name");
    let stage = screen.state_mut().backend_mut();
    stage.change(3, 2, Value::text("Theirs"));
    screen.run_steps(2);
    press(&mut screen, Key::Enter);
    wait_for(&mut screen, "their value", |screen| {
        text(screen, 3, "name") == "Theirs"
    });
    assert!(edits(&screen).is_empty());
}

#[test]
fn ones_own_last_edit_is_no_conflict() {
    let mut screen = show(products(1_000), "table=products");
    for name in ["First", "Second"] {
        edit(&mut screen, 3, "name");
        type_text(&mut screen, name);
        press(&mut screen, Key::Enter);
        wait_for(&mut screen, "the edit", |screen| {
            text(screen, 3, "name") == name && edit_mark(screen, 3, "name").is_none()
        });
    }
    let (_, expected, _) = edits(&screen)[1].clone();
    assert_eq!(expected, Value::text("First"));
}
