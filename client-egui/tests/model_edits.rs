//! Edits: every way one can end.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod model_support;

use std::time::Duration;

use client_egui::model::{EditId, EditPhase, EditRefused, WindowId};
use model_support::{Rig, fresh, keep, key, rename, row, snapshot};
use protocol::{EditOutcome, EditResult, ErrorCode, RowOp, ServerMsg, Status, Update, Value};

fn edit(rig: &mut Rig, window: WindowId, value: &str) -> Result<EditId, EditRefused> {
    rig.model
        .edit(window, &key(3), "name", Value::text(value), rig.now)
}

fn answer(rig: &mut Rig, id: u64, outcome: EditOutcome) {
    rig.say(ServerMsg::EditResult(EditResult { id, outcome }));
}

/// What the cell under edit shows, and its edit's phase.
fn cell(rig: &Rig, window: WindowId) -> (String, Option<EditPhase>) {
    let cell = rig.model.cell(window, 3, 1).expect("row 3 is held");
    (
        cell.shown().to_string(),
        cell.edit.map(|edit| edit.phase().clone()),
    )
}

fn shows(rig: &Rig, window: WindowId, text: &str, phase: Option<EditPhase>) {
    assert_eq!(cell(rig, window), (text.to_owned(), phase));
}

#[test]
fn a_cell_shows_the_edit_until_the_update_with_it_without_a_flicker() {
    let (mut rig, window) = Rig::following();
    let id = edit(&mut rig, window, "mine").unwrap();
    let sent = rig.edits_sent().remove(0);
    assert_eq!(
        (&sent.expected, &sent.value),
        (&Value::text("n3"), &Value::text("mine"))
    );
    assert_eq!((sent.key, sent.column.as_str()), (key(3), "name"));
    shows(&rig, window, "mine", Some(EditPhase::Sent));
    rig.change(vec![rename(0, "else"), keep(1, 9)]);
    shows(&rig, window, "mine", Some(EditPhase::Sent));
    answer(&mut rig, sent.id, EditOutcome::Applied);
    shows(&rig, window, "mine", Some(EditPhase::Applied));
    rig.change(vec![rename(0, "more"), keep(1, 9)]);
    shows(&rig, window, "mine", Some(EditPhase::Applied));
    rig.change_with_edits(
        vec![keep(0, 3), rename(3, "mine"), keep(4, 6)],
        vec![sent.id],
    );
    shows(&rig, window, "mine", None);
    assert!(rig.model.edit_state(id).is_none());
}

#[test]
fn the_update_may_come_before_the_answer() {
    let (mut rig, window) = Rig::following();
    edit(&mut rig, window, "mine").unwrap();
    let sent = rig.edits_sent().remove(0);
    rig.change_with_edits(
        vec![keep(0, 3), rename(3, "mine"), keep(4, 6)],
        vec![sent.id],
    );
    shows(&rig, window, "mine", None);
    answer(&mut rig, sent.id, EditOutcome::Applied);
    shows(&rig, window, "mine", None);
}

#[test]
fn a_conflict_shows_theirs_until_the_person_decides() {
    let (mut rig, window) = Rig::following();
    let id = edit(&mut rig, window, "mine").unwrap();
    let first = rig.edits_sent().remove(0);
    let theirs = Value::text("theirs");
    answer(
        &mut rig,
        first.id,
        EditOutcome::Conflict {
            theirs: theirs.clone(),
        },
    );
    rig.change(vec![keep(0, 3), rename(3, "theirs"), keep(4, 6)]);
    let conflict = EditPhase::Conflict {
        theirs: theirs.clone(),
    };
    shows(&rig, window, "theirs", Some(conflict));
    assert!(rig.model.cell(window, 3, 1).unwrap().needs_attention());
    assert_eq!(edit(&mut rig, window, "other"), Err(EditRefused::Unsettled));

    rig.model.resolve_keep_mine(id, rig.now);
    let second = rig.edits_sent().remove(0);
    assert_eq!(
        (&second.expected, &second.value),
        (&theirs, &Value::text("mine"))
    );
    assert_ne!(first.id, second.id);
    answer(
        &mut rig,
        second.id,
        EditOutcome::Conflict {
            theirs: Value::text("again"),
        },
    );
    rig.model.resolve_take_theirs(id);
    shows(&rig, window, "theirs", None);
    assert!(rig.edits_sent().is_empty());
}

#[test]
fn a_conflict_in_which_both_want_the_same_is_none() {
    let (mut rig, window) = Rig::following();
    edit(&mut rig, window, "same").unwrap();
    let sent = rig.edits_sent().remove(0);
    answer(
        &mut rig,
        sent.id,
        EditOutcome::Conflict {
            theirs: Value::text("same"),
        },
    );
    assert_eq!(rig.model.edits().count(), 0);
}

#[test]
fn what_was_not_written_becomes_a_notice_with_the_typed_text() {
    let message = "new row violates check constraint".to_owned();
    let rejected = EditOutcome::Rejected {
        code: ErrorCode::EditRejected,
        message,
    };
    for (outcome, expected) in [
        (EditOutcome::Gone, "deleted"),
        (rejected, "check constraint"),
    ] {
        let (mut rig, window) = Rig::following();
        edit(&mut rig, window, "mine").unwrap();
        let sent = rig.edits_sent().remove(0);
        answer(&mut rig, sent.id, outcome);
        shows(&rig, window, "n3", None);
        let notice = rig.model.notices().next().unwrap();
        assert!(notice.text.contains(expected), "{}", notice.text);
        assert_eq!(notice.typed.as_deref(), Some("mine"));
    }
}

#[test]
fn edits_that_cannot_be_made_say_why() {
    let (mut rig, window) = Rig::following();
    let mut refused = |id, column: &str, text| {
        rig.model
            .edit(window, &key(id), column, Value::text(text), rig.now)
            .unwrap_err()
    };
    assert_eq!(refused(3, "name", "n3"), EditRefused::Unchanged);
    assert_eq!(refused(99, "name", "x"), EditRefused::RowNotHeld);
    assert_eq!(
        refused(3, "id", "x"),
        EditRefused::NotEditable("id".to_owned())
    );
    assert_eq!(
        refused(3, "none", "x"),
        EditRefused::UnknownColumn("none".to_owned())
    );
}

#[test]
fn a_second_edit_of_a_cell_waits_for_the_first() {
    let (mut rig, window) = Rig::following();
    edit(&mut rig, window, "one").unwrap();
    let first = rig.edits_sent().remove(0);
    edit(&mut rig, window, "two").unwrap();
    edit(&mut rig, window, "three").unwrap();
    assert!(
        rig.edits_sent().is_empty(),
        "two edits of a cell would race each other"
    );
    shows(&rig, window, "three", Some(EditPhase::Sent));
    answer(&mut rig, first.id, EditOutcome::Applied);
    rig.change_with_edits(
        vec![keep(0, 3), rename(3, "one"), keep(4, 6)],
        vec![first.id],
    );
    let second = rig.edits_sent().remove(0);
    assert_eq!(
        (second.expected, second.value),
        (Value::text("one"), Value::text("three"))
    );
    shows(&rig, window, "three", Some(EditPhase::Sent));
}

#[test]
fn a_second_edit_never_overwrites_what_came_between() {
    let (mut rig, window) = Rig::following();
    edit(&mut rig, window, "one").unwrap();
    let first = rig.edits_sent().remove(0);
    edit(&mut rig, window, "two").unwrap();
    // Committed, but somebody else wrote the cell before the update was made.
    rig.change_with_edits(
        vec![keep(0, 3), rename(3, "theirs"), keep(4, 6)],
        vec![first.id],
    );
    assert!(rig.edits_sent().is_empty());
    let theirs = Value::text("theirs");
    shows(&rig, window, "theirs", Some(EditPhase::Conflict { theirs }));
    assert_eq!(
        rig.model.edits().next().unwrap().mine(),
        &Value::text("two")
    );
}

#[test]
fn edits_made_offline_are_sent_once_the_window_is_up_to_date() {
    let (mut rig, window) = Rig::following();
    rig.lose();
    edit(&mut rig, window, "mine").unwrap();
    shows(&rig, window, "mine", Some(EditPhase::Queued));
    edit(&mut rig, window, "better").unwrap();
    rig.connect();
    let open = rig
        .sent()
        .into_iter()
        .find_map(|message| match message {
            protocol::ClientMsg::Open(open) => Some(open),
            protocol::ClientMsg::Edit(edit) => panic!("sent too early: {edit:?}"),
            _ => None,
        })
        .unwrap();
    rig.opened(open.window);
    let other = RowOp::Row(row(3, "theirs"));
    let rows = [fresh(0..3), vec![other], fresh(4..10)].concat();
    rig.update(Update {
        window: open.window,
        ..snapshot(0, 1_000, rows)
    });
    let sent = rig.edits_sent().remove(0);
    // Still against what the person saw: the server answers with a conflict.
    assert_eq!(
        (sent.expected, sent.value),
        (Value::text("n3"), Value::text("better"))
    );
    assert_eq!(sent.window, open.window);
}

#[test]
fn an_offline_edit_typed_back_is_none() {
    let (mut rig, window) = Rig::following();
    rig.lose();
    edit(&mut rig, window, "mine").unwrap();
    edit(&mut rig, window, "n3").unwrap();
    shows(&rig, window, "n3", None);
}

#[test]
fn no_more_edits_wait_than_the_bound() {
    let (mut rig, window) = Rig::following();
    let last = rig.last.clone().unwrap();
    let wire = last.window;
    rig.update(Update {
        window: wire,
        number: 2,
        ..snapshot(0, 1_000, fresh(0..300))
    });
    rig.lose();
    let mut result = Ok(());
    let mut made = 0;
    for id in 0..300 {
        let value = Value::text("x");
        result = rig
            .model
            .edit(window, &key(id), "name", value, rig.now)
            .map(|_| made += 1);
        if result.is_err() {
            break;
        }
    }
    assert_eq!((made, result), (256, Err(EditRefused::TooMany(256))));
}

/// An edit sent, the connection lost and regained; the cell then holds `text`.
fn reconnected_with(text: &str) -> (Rig, WindowId, EditId) {
    let (mut rig, window) = Rig::following();
    let id = edit(&mut rig, window, "mine").unwrap();
    assert_eq!(rig.edits_sent().len(), 1);
    rig.lose();
    shows(&rig, window, "n3", Some(EditPhase::Unconfirmed));
    rig.connect();
    let wire = rig.opens().remove(0).window;
    rig.opened(wire);
    let rows = [fresh(0..3), vec![RowOp::Row(row(3, text))], fresh(4..10)].concat();
    rig.update(Update {
        window: wire,
        ..snapshot(0, 1_000, rows)
    });
    assert!(
        rig.edits_sent().is_empty(),
        "the outcome is unknown: never again without asking"
    );
    (rig, window, id)
}

#[test]
fn an_unanswered_edit_that_the_cell_shows_was_written() {
    let (rig, window, _) = reconnected_with("mine");
    shows(&rig, window, "mine", None);
}

#[test]
fn an_unanswered_edit_that_the_cell_does_not_show_can_be_retried() {
    for held in ["n3", "theirs"] {
        let (mut rig, window, id) = reconnected_with(held);
        shows(&rig, window, held, Some(EditPhase::Unconfirmed));
        assert!(rig.model.cell(window, 3, 1).unwrap().needs_attention());
        rig.model.retry(id, rig.now);
        let sent = rig.edits_sent().remove(0);
        assert_eq!(
            (sent.expected, sent.value),
            (Value::text(held), Value::text("mine"))
        );
    }
}

#[test]
fn an_unanswered_edit_that_arrives_late_settles_itself() {
    let (mut rig, window, _) = reconnected_with("n3");
    rig.change(vec![keep(0, 3), rename(3, "mine"), keep(4, 6)]);
    shows(&rig, window, "mine", None);
}

#[test]
fn an_edit_without_an_answer_is_not_pending_for_ever() {
    let (mut rig, window) = Rig::following();
    edit(&mut rig, window, "mine").unwrap();
    let at = rig.model.next_deadline().expect("it waits for the answer");
    rig.pass(at - rig.now);
    shows(&rig, window, "n3", Some(EditPhase::Unconfirmed));
}

#[test]
fn a_committed_edit_is_not_pending_for_ever() {
    let (mut rig, window) = Rig::following();
    edit(&mut rig, window, "mine").unwrap();
    let sent = rig.edits_sent().remove(0);
    answer(&mut rig, sent.id, EditOutcome::Applied);
    rig.pass(Duration::from_secs(5));
    shows(&rig, window, "n3", None);
}

#[test]
fn nothing_is_written_while_the_database_is_away() {
    let (mut rig, window) = Rig::following();
    let stale = Status::Stale {
        since_micros: 1,
        reason: "restart".to_owned(),
    };
    rig.say(ServerMsg::Status(stale));
    edit(&mut rig, window, "mine").unwrap();
    assert!(rig.edits_sent().is_empty());
    rig.say(ServerMsg::Status(Status::Live));
    assert_eq!(rig.edits_sent().len(), 1);
}

#[test]
fn closing_a_window_loses_nothing_typed() {
    let (mut rig, window) = Rig::following();
    rig.lose();
    edit(&mut rig, window, "mine").unwrap();
    rig.model.close(window);
    assert_eq!(
        rig.model.notices().next().unwrap().typed.as_deref(),
        Some("mine")
    );
    assert_eq!(rig.model.edits().count(), 0);
}

#[test]
fn no_more_edits_are_under_way_than_a_server_takes() {
    let (mut rig, window) = Rig::following();
    let wire = rig.last.as_ref().unwrap().window;
    rig.update(Update {
        window: wire,
        number: 2,
        ..snapshot(0, 1_000, fresh(0..100))
    });
    for id in 0..100 {
        rig.model
            .edit(window, &key(id), "name", Value::text("x"), rig.now)
            .unwrap();
    }
    let sent = rig.edits_sent();
    assert_eq!(sent.len(), 32);
    answer(&mut rig, sent[0].id, EditOutcome::Applied);
    assert_eq!(rig.edits_sent().len(), 1, "one answered, one more sent");
}
