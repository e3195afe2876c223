//! Windows: scrolling, generations, views, anchoring, reconnects and refusals.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod model_support;

use std::time::Duration;

use client_egui::model::{ConnectionState, Slot};
use model_support::{Rig, fresh, hello, keep, key, row, schema, snapshot};
use protocol::{
    ClientMsg, ErrorCode, ErrorMsg, Hello, Highlight, Opened, Pong, RowOp, ServerMsg, SortColumn,
    Status, Update, ViewSpec,
};

const FRAME: Duration = Duration::from_millis(16);

fn error(window: u32, code: ErrorCode) -> ServerMsg {
    ServerMsg::Error(ErrorMsg {
        code,
        message: "no".to_owned(),
        window: Some(window),
    })
}

#[test]
fn a_greeting_lists_the_tables_pings_and_opens_what_was_asked_for() {
    let mut rig = Rig::new();
    let window = rig
        .model
        .open(ViewSpec::table("things"), Vec::new(), 40, 10);
    assert!(
        rig.sent().is_empty(),
        "nothing is sent before there is a server"
    );
    assert_eq!(rig.model.connection(), &ConnectionState::Connecting);
    rig.connect();
    let sent = rig.sent();
    assert!(
        matches!(sent[..2], [ClientMsg::ListTables(_), ClientMsg::Ping(_)]),
        "{sent:?}"
    );
    let ClientMsg::Open(open) = &sent[2] else {
        panic!("{sent:?}")
    };
    assert_eq!(
        (open.start, open.count, open.resume.as_ref()),
        (40, 10, None)
    );
    assert_eq!(rig.model.connection(), &ConnectionState::Live);
    assert_eq!(
        rig.model.window(window).unwrap().cache().row(40),
        Slot::Loading
    );
}

#[test]
fn every_update_is_acknowledged_once() {
    let (mut rig, _) = Rig::following();
    rig.change(vec![keep(0, 10)]);
    let sent = rig.sent();
    let [ClientMsg::Ack(ack)] = &sent[..] else {
        panic!("{sent:?}")
    };
    assert_eq!(ack.number, 2);
}

#[test]
fn scrolling_asks_early_and_rarely() {
    let (mut rig, window) = Rig::following();
    let mut moves = Vec::new();
    for first in 0..200 {
        rig.model.show_rows(window, first, 10, rig.now);
        for moved in rig.moves() {
            assert!(moved.start <= first, "{moved:?} at {first}");
            assert!(
                moved.start + u64::from(moved.count) >= first + 10,
                "{moved:?} at {first}"
            );
            moves.push(moved);
        }
        rig.pass(FRAME * 2);
    }
    // Half a screen at a time at the most.
    assert!((20..=41).contains(&moves.len()), "{} moves", moves.len());
    let generations: Vec<u32> = moves.iter().map(|moved| moved.generation).collect();
    assert!(generations.is_sorted_by(|a, b| a < b));
    assert!(
        moves
            .iter()
            .all(|moved| moved.received == 1 && moved.count == 30)
    );
}

#[test]
fn a_dragged_scrollbar_sends_one_move_in_30_ms_and_the_last_one_always() {
    let (mut rig, window) = Rig::following();
    let mut moves = Vec::new();
    for frame in 1..=20_u64 {
        rig.model.show_rows(window, frame * 50, 10, rig.now);
        moves.extend(rig.moves());
        rig.pass(Duration::from_millis(10));
        moves.extend(rig.moves());
    }
    assert!(
        rig.model
            .next_deadline()
            .is_some_and(|at| at <= rig.now + FRAME * 2)
    );
    rig.pass(Duration::from_millis(30));
    moves.extend(rig.moves());
    assert!(
        (6..=8).contains(&moves.len()),
        "{} moves in 200 ms",
        moves.len()
    );
    let last = moves.last().unwrap();
    assert_eq!((last.start, last.count), (990, 30));
    assert_eq!(
        rig.model.next_deadline(),
        None,
        "and then there is nothing to do"
    );
}

#[test]
fn the_ends_of_the_view_need_no_margin() {
    let (mut rig, window) = Rig::following();
    rig.model.show_rows(window, 990, 10, rig.now);
    assert_eq!(rig.moves().len(), 1);
    rig.pass(FRAME * 2);
    rig.model.show_rows(window, 990, 10, rig.now);
    rig.model.show_rows(window, 985, 10, rig.now);
    assert!(rig.moves().is_empty(), "the last rows are held already");
}

#[test]
fn a_window_never_asks_for_more_than_the_server_allows() {
    let (mut rig, window) = Rig::following();
    for visible in [120, 250, 300, 5_000] {
        rig.pass(FRAME * 3);
        rig.model.show_rows(window, 500, visible, rig.now);
        for moved in rig.moves() {
            assert_eq!(
                moved.count,
                model_support::ROWS_MAX.min(moved.count),
                "{visible}"
            );
            assert!(moved.start <= 500);
        }
        rig.pass(FRAME * 3);
        rig.model.show_rows(window, 500, visible, rig.now);
        assert!(
            rig.moves().is_empty(),
            "{visible} rows do not move for ever"
        );
    }
}

#[test]
fn rows_not_here_yet_are_placeholders_and_late_updates_still_apply() {
    let (mut rig, window) = Rig::following();
    rig.model.show_rows(window, 500, 10, rig.now);
    assert_eq!(
        rig.model.window(window).unwrap().cache().row(500),
        Slot::Loading
    );
    // Sent before the server knew of the move: part of the chain all the same.
    rig.change(vec![keep(0, 9), RowOp::Row(row(70, "n70"))]);
    let last = rig.last.clone().unwrap();
    let mut moved = model_support::delta(&last, 1_000, fresh(490..520));
    (moved.start, moved.generation, moved.changed_at_micros) = (490, 1, None);
    rig.update(moved);
    let cache = rig.model.window(window).unwrap().cache();
    let Slot::Loaded(row) = cache.row(500) else {
        panic!("row 500 is here")
    };
    assert_eq!(row.key(), key(500));
}

#[test]
fn another_sort_shows_placeholders_and_keeps_the_row_count() {
    let (mut rig, window) = Rig::following();
    let sort = vec![SortColumn {
        column: "name".to_owned(),
        descending: true,
        nulls: None,
    }];
    let view = ViewSpec {
        sort,
        ..ViewSpec::table("things")
    };
    rig.model.set_view(window, view.clone());
    let sent = rig.sent();
    let [ClientMsg::Close(close), ClientMsg::Open(open)] = &sent[..] else {
        panic!("{sent:?}")
    };
    assert_ne!(
        close.window, open.window,
        "a late update of the old one must not be mistaken"
    );
    assert_eq!((&open.view, open.resume.as_ref()), (&view, None));
    let cache = rig.model.window(window).unwrap().cache();
    assert_eq!((cache.row(0), cache.total()), (Slot::Loading, Some(1_000)));

    rig.change(vec![keep(0, 10)]);
    assert!(
        rig.sent().is_empty(),
        "a late update of the old window is dropped"
    );
    rig.model.set_view(window, view);
    assert!(rig.sent().is_empty(), "the same view again changes nothing");
    let other = ViewSpec::table("others");
    rig.model.set_view(window, other);
    assert_eq!(rig.model.window(window).unwrap().cache().total(), None);
}

#[test]
fn a_lost_connection_keeps_the_rows_and_resumes_from_them() {
    let (mut rig, window) = Rig::following();
    rig.model.show_rows(window, 0, 10, rig.now);
    let old_wire = rig.last.as_ref().unwrap().window;
    rig.lose();
    assert!(matches!(
        rig.model.connection(),
        ConnectionState::Reconnecting { attempt: 1, .. }
    ));
    assert!(rig.sent().is_empty(), "what was not sent is outdated");
    assert!(matches!(
        rig.model.window(window).unwrap().cache().row(3),
        Slot::Loaded(_)
    ));

    rig.connect();
    assert_eq!(rig.model.connection(), &ConnectionState::CatchingUp);
    let open = rig.opens().remove(0);
    let resume = open.resume.expect("it holds rows");
    assert_eq!(resume.version, model_support::version(1));
    assert_eq!(resume.keys, (0..10).map(key).collect::<Vec<_>>());
    assert_ne!(open.window, old_wire);

    rig.opened(open.window);
    let last = rig.last.clone().unwrap();
    let mut first = model_support::delta(&last, 1_000, vec![keep(1, 9)]);
    (first.window, first.number, first.total) = (open.window, 1, 999);
    rig.update(first);
    assert_eq!(rig.model.connection(), &ConnectionState::Live);
    let cache = rig.model.window(window).unwrap().cache();
    assert_eq!((cache.rows().len(), cache.total()), (9, Some(999)));
    assert!(matches!(rig.sent()[..], [ClientMsg::Ack(_)]));
}

#[test]
fn an_update_that_does_not_fit_reopens_the_window_from_nothing() {
    let (mut rig, window) = Rig::following();
    rig.change(vec![keep(0, 11)]);
    assert!(matches!(rig.sent()[..], [ClientMsg::Close(_)]));
    assert_eq!(
        rig.model.window(window).unwrap().cache().row(0),
        Slot::Loading
    );
    let at = rig.model.next_deadline().expect("it is opened again soon");
    rig.pass(at - rig.now);
    let open = rig.opens().remove(0);
    assert_eq!(open.resume, None);
    rig.opened(open.window);
    rig.update(Update {
        window: open.window,
        ..snapshot(0, 1_000, fresh(0..10))
    });
    assert!(matches!(
        rig.model.window(window).unwrap().cache().row(0),
        Slot::Loaded(_)
    ));
}

#[test]
fn a_server_that_never_fits_is_asked_less_and_less_often() {
    let (mut rig, _) = Rig::following();
    let mut waits = Vec::new();
    for _ in 0..9 {
        rig.change(vec![keep(0, 11)]);
        let at = rig.model.next_deadline().unwrap();
        waits.push((at - rig.now).as_millis());
        rig.pass(at - rig.now);
        let window = rig.opens().remove(0).window;
        rig.opened(window);
        rig.last.as_mut().unwrap().window = window;
    }
    assert_eq!(waits[..4], [250, 500, 1_000, 2_000]);
    assert_eq!(waits.last(), Some(&30_000));
}

#[test]
fn a_refused_window_says_why_until_its_view_is_changed() {
    let mut rig = Rig::connected();
    let window = rig.model.open(ViewSpec::table("nope"), Vec::new(), 0, 10);
    let wire = rig.opens().remove(0).window;
    rig.say(error(wire, ErrorCode::UnknownTable));
    assert!(
        matches!(rig.sent()[..], [ClientMsg::Close(_)]),
        "nothing is left behind"
    );
    let refused = rig.model.window(window).unwrap();
    assert_eq!(
        refused.error().map(|error| error.code),
        Some(ErrorCode::UnknownTable)
    );
    assert_eq!(rig.model.connection(), &ConnectionState::Live);
    assert_eq!(
        rig.model.next_deadline(),
        None,
        "asking again would not help"
    );
    rig.pass(Duration::from_secs(60));
    assert!(rig.opens().is_empty());
    rig.model.reopen(window);
    let wire = rig.opens().remove(0).window;
    rig.say(error(wire, ErrorCode::UnknownTable));
    rig.model.set_view(window, ViewSpec::table("things"));
    assert_eq!(rig.opens().len(), 1);
    assert_eq!(rig.model.window(window).unwrap().error(), None);
}

#[test]
fn a_window_refused_for_a_while_is_asked_for_again() {
    for code in [ErrorCode::DatabaseUnavailable, ErrorCode::Internal] {
        let mut rig = Rig::connected();
        let window = rig.model.open(ViewSpec::table("things"), Vec::new(), 0, 10);
        let wire = rig.opens().remove(0).window;
        rig.say(error(wire, code));
        assert!(rig.model.window(window).unwrap().error().is_some());
        rig.pass(Duration::from_secs(1));
        assert_eq!(rig.opens().len(), 1, "{code:?}");
    }
}

#[test]
fn a_move_for_which_the_server_had_no_time_is_repeated() {
    let (mut rig, window) = Rig::following();
    rig.model.show_rows(window, 500, 10, rig.now);
    assert_eq!(rig.moves().len(), 1);
    rig.say(error(
        rig.last.as_ref().unwrap().window,
        ErrorCode::RateLimited,
    ));
    assert!(rig.moves().is_empty());
    rig.pass(Duration::from_secs(1));
    assert_eq!(rig.moves().remove(0).generation, 2);
}

#[test]
fn errors_that_concern_no_window_become_notices() {
    let mut rig = Rig::connected();
    let message = "The message cannot be read.".to_owned();
    let error = ErrorMsg {
        code: ErrorCode::BadMessage,
        message: message.clone(),
        window: None,
    };
    rig.say(ServerMsg::Error(error));
    let notice = rig.model.notices().next().unwrap().clone();
    assert_eq!(notice.text, message);
    rig.model.dismiss_notice(notice.id);
    assert_eq!(rig.model.notices().count(), 0);
}

#[test]
fn the_badge_tells_a_stale_database_and_an_incompatible_server() {
    let (mut rig, _) = Rig::following();
    let reason = "PostgreSQL is restarting".to_owned();
    let stale = Status::Stale {
        since_micros: 5,
        reason: reason.clone(),
    };
    rig.say(ServerMsg::Status(stale));
    assert_eq!(
        rig.model.connection(),
        &ConnectionState::Stale {
            since_micros: 5,
            reason
        }
    );
    rig.say(ServerMsg::Status(Status::Live));
    assert_eq!(rig.model.connection(), &ConnectionState::Live);
    rig.lose();
    rig.event(client_egui::model::LinkEvent::Connected);
    rig.say(ServerMsg::Hello(Hello {
        protocol: 99,
        ..hello()
    }));
    assert_eq!(
        rig.model.connection(),
        &ConnectionState::Incompatible { theirs: 99 }
    );
    assert!(rig.sent().is_empty());
}

#[test]
fn latency_is_measured_against_the_servers_clock() {
    let mut rig = Rig::new();
    rig.connect();
    let ping = rig.sent().into_iter().find_map(|message| match message {
        ClientMsg::Ping(ping) => Some(ping.id),
        _ => None,
    });
    // 10 ms there and back: the server read its clock 5 ms ago.
    rig.now += Duration::from_millis(10);
    let server_now = 1_000_000_000;
    let pong = Pong {
        id: ping.unwrap(),
        time_micros: server_now,
    };
    rig.say(ServerMsg::Pong(pong));
    assert_eq!(rig.model.round_trip(), Some(Duration::from_millis(10)));
    assert_eq!(rig.model.latency(), None);

    rig.model.open(ViewSpec::table("things"), Vec::new(), 0, 10);
    let wire = rig.opens().remove(0).window;
    rig.opened(wire);
    let changed_at_micros = Some(server_now + 5_000 - 3_000);
    let first = snapshot(0, 10, fresh(0..10));
    rig.update(Update {
        window: wire,
        changed_at_micros,
        ..first
    });
    let latency = rig.model.latency().unwrap();
    assert_eq!(
        (latency.p50, latency.samples),
        (Duration::from_millis(3), 1)
    );

    rig.pass(Duration::from_secs(4));
    assert!(
        !rig.sent()
            .iter()
            .any(|message| matches!(message, ClientMsg::Ping(_)))
    );
    rig.pass(Duration::from_secs(1));
    assert!(
        rig.sent()
            .iter()
            .any(|message| matches!(message, ClientMsg::Ping(_)))
    );
}

/// Where the row with key 4, at position 4, is after a change of the ten rows.
fn shifted(rows: Vec<RowOp>) -> u64 {
    let (mut rig, window) = Rig::following();
    assert_eq!(rig.model.take_shift(window, &key(4), 4), 4);
    rig.change(rows);
    rig.model.take_shift(window, &key(4), 4)
}

#[test]
fn the_viewport_stays_with_its_row() {
    let new = |id| RowOp::Row(row(id, "new"));
    assert_eq!(shifted(vec![keep(0, 10)]), 4);
    assert_eq!(
        shifted(vec![new(50), new(51), keep(0, 8)]),
        6,
        "two rows inserted above"
    );
    assert_eq!(shifted(vec![keep(1, 9), new(50)]), 3, "a row deleted above");
    assert_eq!(
        shifted(vec![keep(0, 5), new(50), keep(5, 4)]),
        4,
        "a row inserted below"
    );
    assert_eq!(
        shifted(vec![keep(0, 4), keep(5, 5), new(50)]),
        4,
        "it is gone: the next is there"
    );
    let moved_itself = vec![keep(4, 1), keep(0, 4), keep(5, 5)];
    assert_eq!(
        shifted(moved_itself),
        5,
        "it went to the top: stay with the rows around it"
    );
    let next_moved = vec![keep(5, 1), keep(0, 5), keep(6, 4)];
    assert_eq!(shifted(next_moved), 5, "another one went to the top");
    assert_eq!(shifted(fresh(100..110)), 4, "nothing is left to hold on to");
}

#[test]
fn at_the_top_new_rows_stream_in() {
    let (mut rig, window) = Rig::following();
    assert_eq!(rig.model.take_shift(window, &key(0), 0), 0);
    rig.change(vec![RowOp::Row(row(50, "new")), keep(0, 9)]);
    assert_eq!(rig.model.take_shift(window, &key(0), 0), 0);
}

#[test]
fn several_updates_between_two_frames_shift_as_one() {
    let (mut rig, window) = Rig::following();
    rig.model.take_shift(window, &key(4), 4);
    for id in 50..53 {
        rig.change(vec![RowOp::Row(row(id, "new")), keep(0, 9)]);
    }
    assert_eq!(rig.model.take_shift(window, &key(4), 4), 7);
    assert_eq!(rig.model.take_shift(window, &key(4), 7), 7, "and only once");
}

#[test]
fn a_window_that_the_server_holds_to_its_rows_is_not_asked_for_again() {
    let (mut rig, window) = Rig::following();
    rig.model.show_rows(window, 500, 10, rig.now);
    let asked = rig.moves().remove(0);
    assert_eq!((asked.start, asked.count), (490, 30));
    let last = rig.last.clone().unwrap();
    let mut moved = model_support::delta(&last, 1_000, fresh(490..520));
    (moved.start, moved.generation, moved.changed_at_micros) = (490, 1, None);
    rig.update(moved.clone());
    assert_eq!(rig.model.take_shift(window, &key(500), 500), 500);
    // A hundred rows are inserted above; the rows are the same.
    let mut drifted = model_support::delta(&moved, 1_100, vec![keep(0, 30)]);
    drifted.start = 590;
    rig.update(drifted);
    rig.sent();
    assert_eq!(rig.model.take_shift(window, &key(500), 500), 600);
    rig.pass(FRAME * 3);
    rig.model.show_rows(window, 600, 10, rig.now);
    assert!(rig.moves().is_empty());
}

#[test]
fn another_search_keeps_the_columns_and_forgets_the_number_of_rows() {
    let (mut rig, window) = Rig::following();
    let searching = ViewSpec {
        search: Some("lamp".to_owned()),
        ..ViewSpec::table("things")
    };
    rig.model.set_view(window, searching.clone());
    let open = rig.opens().remove(0);
    assert_eq!(open.view, searching);
    let shown = rig.model.window(window).unwrap();
    assert!(
        shown.cache().schema().is_some(),
        "the header stays on the screen"
    );
    assert_eq!(shown.cache().total(), None);
    assert_eq!(shown.cache().row(0), Slot::Loading);

    let highlight = Highlight {
        terms: vec!["lamp".to_owned()],
        at_word_start: true,
    };
    rig.say(ServerMsg::Opened(Opened {
        window: open.window,
        schema: schema(),
        highlight: Some(highlight.clone()),
        ranked: true,
    }));
    let shown = rig.model.window(window).unwrap();
    assert_eq!(shown.highlight(), Some(&highlight));
    assert!(shown.is_ranked());

    rig.model.set_view(window, ViewSpec::table("things"));
    let shown = rig.model.window(window).unwrap();
    assert_eq!((shown.highlight(), shown.is_ranked()), (None, false));
}
