//! Summaries: groups are followed as rows are, across filters, refusals and reconnects.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod model_support;

use std::time::Duration;

use client_egui::model::{GroupCounts, SummaryId, SummarySpec};
use model_support::{Rig, column, keep, version};
use protocol::{
    AggregateOp, ClientMsg, ColumnKind, ErrorCode, Filter, FilterOp, GroupBy, Row, RowOp,
    ServerMsg, Summarize, Summarized, SummaryKey, SummaryRefused, SummaryUpdate, SummaryValue,
    Value, ViewSpec,
};

fn by_name() -> SummarySpec {
    SummarySpec {
        view: ViewSpec::table("things"),
        by: vec![GroupBy {
            column: "name".to_owned(),
            buckets: None,
        }],
        aggregates: Vec::new(),
        order: Vec::new(),
    }
}

fn filtered() -> SummarySpec {
    let mut spec = by_name();
    spec.view.filter = Some(Filter::test("id", FilterOp::Lt, 5));
    spec
}

fn group(name: &str, rows: i64) -> RowOp {
    RowOp::Row(Row {
        key: vec![Value::text(name)],
        cells: vec![Value::Int(rows)],
    })
}

fn count(from: u32, rows: i64) -> RowOp {
    RowOp::Patch {
        from,
        cells: vec![(0, Value::Int(rows))],
    }
}

fn asked(rig: &mut Rig) -> Vec<Summarize> {
    let ask = |message| match message {
        ClientMsg::Summarize(ask) => Some(*ask),
        _ => None,
    };
    rig.sent().into_iter().filter_map(ask).collect()
}

fn kept(rig: &mut Rig, summary: u32) {
    rig.say(ServerMsg::Summarized(Summarized {
        summary,
        table: "public.things".to_owned(),
        keys: vec![SummaryKey {
            column: column("name", ColumnKind::Text, "text"),
            bounds: None,
        }],
        values: vec![SummaryValue {
            op: AggregateOp::Count,
            column: None,
            kind: ColumnKind::Int,
        }],
    }));
}

fn update(summary: u32, number: u64, shown: Vec<RowOp>) -> SummaryUpdate {
    SummaryUpdate {
        summary,
        generation: 0,
        number,
        from: (number > 1).then(|| version(number - 1)),
        to: version(number),
        start: 0,
        groups: 3,
        rows: 60,
        rest: 10,
        shown,
        changed_at_micros: None,
    }
}

/// A summary of which two groups of three are held.
fn following() -> (Rig, SummaryId, u32) {
    let mut rig = Rig::connected();
    let id = rig.model.summarize(by_name(), 2);
    let ask = asked(&mut rig).remove(0);
    assert_eq!((ask.start, ask.count), (0, 2));
    kept(&mut rig, ask.summary);
    let groups = vec![group("a", 30), group("b", 20)];
    rig.say(ServerMsg::Summary(update(ask.summary, 1, groups)));
    (rig, id, ask.summary)
}

fn held(rig: &Rig, id: SummaryId) -> Vec<(Value, Value)> {
    let groups = rig.model.summary(id).unwrap().groups().iter();
    groups
        .map(|group| (group.key()[0].clone(), group.cells()[0].clone()))
        .collect()
}

#[test]
fn groups_are_applied_and_acknowledged() {
    let (mut rig, id, wire) = following();
    let counts = GroupCounts {
        groups: 3,
        rows: 60,
        rest: 10,
    };
    assert_eq!(rig.model.summary(id).unwrap().counts(), Some(counts));
    let acks = rig.sent();
    assert!(
        matches!(&acks[..], [ClientMsg::AckSummary(ack)] if (ack.summary, ack.number) == (wire, 1)),
        "{acks:?}"
    );
    let changed = vec![keep(1, 1), count(0, 19)];
    rig.say(ServerMsg::Summary(update(wire, 2, changed)));
    let expected = [
        (Value::text("b"), Value::Int(20)),
        (Value::text("a"), Value::Int(19)),
    ];
    assert_eq!(held(&rig, id), expected);
    rig.model.end_summary(id);
    let sent = rig.sent();
    assert!(
        matches!(sent.last(), Some(ClientMsg::Unsummarize(end)) if end.summary == wire),
        "{sent:?}"
    );
}

#[test]
fn a_chain_that_breaks_is_asked_for_anew() {
    let (mut rig, id, wire) = following();
    rig.sent();
    rig.say(ServerMsg::Summary(update(wire, 3, vec![keep(0, 2)])));
    assert!(matches!(&rig.sent()[..], [ClientMsg::Unsummarize(end)] if end.summary == wire));
    assert!(rig.model.next_deadline().is_some());
    rig.pass(Duration::from_secs(1));
    let again = asked(&mut rig).remove(0);
    assert_ne!(again.summary, wire, "a late answer would be taken for it");
    assert_eq!(held(&rig, id).len(), 2);
}

#[test]
fn other_rows_replace_the_groups_when_they_arrive() {
    let (mut rig, id, wire) = following();
    rig.sent();
    rig.model.set_summary(id, by_name());
    assert!(rig.sent().is_empty(), "nothing else was asked for");
    rig.model.set_summary(id, filtered());
    let sent = rig.sent();
    assert!(
        matches!(&sent[..], [ClientMsg::Unsummarize(_), ClientMsg::Summarize(ask)]
            if ask.view.filter.is_some()),
        "{sent:?}"
    );
    let summary = rig.model.summary(id).unwrap();
    assert!(!summary.is_current());
    assert_eq!(summary.groups().len(), 2, "they stay until the answer");
    // An answer to the question before is not taken for one to this.
    rig.say(ServerMsg::Summary(update(wire, 2, vec![keep(0, 2)])));
    assert!(!rig.model.summary(id).unwrap().is_current());
    kept(&mut rig, wire + 1);
    rig.say(ServerMsg::Summary(update(wire + 1, 1, vec![group("c", 5)])));
    let summary = rig.model.summary(id).unwrap();
    assert!(summary.is_current());
    assert_eq!(summary.groups().len(), 1);
}

#[test]
fn a_refusal_is_kept_until_something_else_is_asked_for() {
    let (mut rig, id, wire) = following();
    let refused = |code| {
        ServerMsg::SummaryRefused(SummaryRefused {
            summary: wire,
            code,
            message: "too many".to_owned(),
        })
    };
    rig.say(refused(ErrorCode::TooManyGroups));
    let summary = rig.model.summary(id).unwrap();
    assert_eq!(
        summary.refusal().map(|refusal| refusal.code),
        Some(ErrorCode::TooManyGroups)
    );
    assert!(summary.groups().is_empty());
    rig.lose();
    rig.connect();
    assert!(asked(&mut rig).is_empty());
    rig.model.set_summary(id, filtered());
    assert_eq!(asked(&mut rig).len(), 1);
    assert!(rig.model.summary(id).unwrap().refusal().is_none());
}

#[test]
fn a_server_that_is_busy_is_asked_again_later() {
    let (mut rig, id, wire) = following();
    rig.say(ServerMsg::SummaryRefused(SummaryRefused {
        summary: wire,
        code: ErrorCode::DatabaseUnavailable,
        message: "gone".to_owned(),
    }));
    rig.sent();
    assert!(rig.model.summary(id).unwrap().refusal().is_none());
    rig.pass(Duration::from_secs(1));
    assert_eq!(asked(&mut rig).len(), 1);
}

#[test]
fn a_new_connection_asks_for_what_is_shown() {
    let (mut rig, id, _) = following();
    rig.lose();
    assert_eq!(held(&rig, id).len(), 2, "they stay on the screen");
    rig.connect();
    let again = asked(&mut rig).remove(0);
    kept(&mut rig, again.summary);
    let groups = vec![group("z", 1)];
    rig.say(ServerMsg::Summary(update(again.summary, 1, groups)));
    assert_eq!(held(&rig, id), [(Value::text("z"), Value::Int(1))]);
}

#[test]
fn scrolling_asks_for_the_groups_around() {
    let (mut rig, id, wire) = following();
    rig.sent();
    rig.model.show_groups(id, 2, 1, rig.now);
    let sent = rig.sent();
    assert!(
        matches!(&sent[..], [ClientMsg::ShowGroups(show)]
            if (show.summary, show.generation, show.start, show.received) == (wire, 1, 1, 1)
                && show.count == 3),
        "{sent:?}"
    );
}
