//! What holds whatever a server says and a person does.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod model_support;

use std::collections::HashSet;
use std::time::Duration;

use client_egui::model::{EditId, WindowCache, WindowId};
use model_support::{Rig, delta, fresh, key, row, schema, snapshot, version};
use proptest::prelude::*;
use protocol::{
    ClientMsg, EditOutcome, EditResult, ErrorCode, ErrorMsg, Row, RowOp, ServerMsg, Status, Update,
    Value, Version, ViewSpec,
};
use web_time::Instant;

fn op() -> impl Strategy<Value = RowOp> {
    prop_oneof![
        3 => (0..12_u32, 0..6_u32).prop_map(|(from, count)| RowOp::Keep { from, count }),
        2 => (0..12_u32, 0..3_u32, 0..9_i64).prop_map(|(from, column, value)| RowOp::Patch {
            from,
            cells: vec![(column, Value::Int(value))],
        }),
        2 => (0..20_i64).prop_map(|id| RowOp::Row(row(id, "new"))),
    ]
}

/// The documented way to apply an update, word by word; `None` if it names a row or a column that is
/// not there, or a row twice.
fn by_the_book(before: &[Row], ops: &[RowOp]) -> Option<Vec<Row>> {
    let mut after = Vec::new();
    for op in ops {
        match op {
            RowOp::Keep { from, count } => {
                let from = *from as usize;
                after.extend_from_slice(before.get(from..from + *count as usize)?);
            }
            RowOp::Patch { from, cells } => {
                let mut row = before.get(*from as usize)?.clone();
                for (column, value) in cells {
                    *row.cells.get_mut(*column as usize)? = value.clone();
                }
                after.push(row);
            }
            RowOp::Row(row) => after.push(row.clone()),
        }
    }
    let keys: HashSet<&Vec<Value>> = after.iter().map(|row| &row.key).collect();
    (keys.len() == after.len()).then_some(after)
}

fn rows(cache: &WindowCache) -> Vec<Row> {
    let plain = |row: &std::sync::Arc<client_egui::model::RowEntry>| Row {
        key: row.key().to_vec(),
        cells: row.cells().to_vec(),
    };
    cache.rows().iter().map(plain).collect()
}

proptest! {
    #[test]
    fn updates_are_applied_as_the_protocol_says(
        updates in prop::collection::vec(prop::collection::vec(op(), 0..8), 1..12),
    ) {
        let now = Instant::now();
        let mut cache = WindowCache::default();
        cache.set_schema(schema());
        let mut last = snapshot(0, 1_000, fresh(0..10));
        cache.apply(last.clone(), now).unwrap();
        for ops in updates {
            let before = rows(&cache);
            let next = delta(&last, 1_000, ops.clone());
            let applied = cache.apply(next.clone(), now);
            match by_the_book(&before, &ops) {
                Some(expected) => {
                    prop_assert!(applied.is_ok(), "{applied:?}");
                    prop_assert_eq!(rows(&cache), expected);
                    last = next;
                }
                None => {
                    prop_assert!(applied.is_err());
                    prop_assert_eq!(rows(&cache), before);
                    prop_assert_eq!(cache.version(), Some(&last.to));
                }
            }
        }
    }
}

/// Something that a server, a network or a person may do.
#[derive(Clone, Debug)]
enum Step {
    Connect,
    Lose,
    Opened(u32),
    Update {
        window: u32,
        from: Option<u64>,
        start: u64,
        total: u64,
        ops: Vec<RowOp>,
    },
    Error(u32, ErrorCode),
    Answer(u64, EditOutcome),
    Status(bool),
    Open,
    Close(u32),
    SetView(u32, bool),
    Show(u32, u64, u32),
    Shift(u32, i64, u64),
    Edit(u32, i64, i64),
    Settle(u64, u8),
    Pass(u64),
}

fn window() -> impl Strategy<Value = u32> {
    prop_oneof![4 => Just(1_u32), 1 => 2..5_u32]
}

fn server_step() -> impl Strategy<Value = Step> {
    let code = prop::sample::select(vec![
        ErrorCode::UnknownTable,
        ErrorCode::UnknownWindow,
        ErrorCode::RateLimited,
        ErrorCode::DatabaseUnavailable,
        ErrorCode::Internal,
    ]);
    let theirs = Value::text("theirs");
    let rejected = EditOutcome::Rejected {
        code: ErrorCode::EditRejected,
        message: String::new(),
    };
    let outcome = prop::sample::select(vec![
        EditOutcome::Applied,
        EditOutcome::Gone,
        EditOutcome::Conflict { theirs },
        rejected,
    ]);
    prop_oneof![
        2 => Just(Step::Connect),
        1 => Just(Step::Lose),
        4 => window().prop_map(Step::Opened),
        9 => (
            window(),
            prop::option::of(0..4_u64),
            0..30_u64,
            0..40_u64,
            prop::collection::vec(op(), 0..12),
        )
            .prop_map(|(window, from, start, total, mut ops)| {
                if from.is_none() {
                    // There is nothing to keep in a snapshot.
                    ops.retain(|op| matches!(op, RowOp::Row(_)));
                }
                Step::Update { window, from, start, total, ops }
            }),
        2 => (window(), code).prop_map(|(window, code)| Step::Error(window, code)),
        4 => (0..9_u64, outcome).prop_map(|(id, outcome)| Step::Answer(id, outcome)),
        1 => any::<bool>().prop_map(Step::Status),
    ]
}

fn person_step() -> impl Strategy<Value = Step> {
    prop_oneof![
        1 => Just(Step::Open),
        1 => (2..5_u32).prop_map(Step::Close),
        1 => (window(), any::<bool>()).prop_map(|(window, other)| Step::SetView(window, other)),
        4 => (window(), 0..u64::MAX, 0..2_000_u32)
            .prop_map(|(window, first, count)| Step::Show(window, first, count)),
        2 => (window(), 0..20_i64, 0..30_u64)
            .prop_map(|(window, id, position)| Step::Shift(window, id, position)),
        5 => (window(), 0..20_i64, 0..3_i64)
            .prop_map(|(window, id, value)| Step::Edit(window, id, value)),
        2 => (0..9_u64, 0..3_u8).prop_map(|(edit, how)| Step::Settle(edit, how)),
        3 => (0..40_000_u64).prop_map(Step::Pass),
    ]
}

/// A model under test with the handles it gave out.
struct Play {
    rig: Rig,
    windows: Vec<WindowId>,
    edits: Vec<EditId>,
    wires: Vec<u32>,
    connected: bool,
    number: u64,
}

impl Play {
    /// The number on the socket of the window opened so many opens ago, from 1.
    fn wire(&self, back: u32) -> u32 {
        let index = self.wires.len().checked_sub(back as usize);
        index.map_or(0, |index| self.wires[index])
    }

    fn hear(&mut self, step: Step) {
        match step {
            Step::Connect if !self.connected => {
                self.rig.connect();
                self.connected = true;
            }
            Step::Lose if self.connected => {
                self.rig.lose();
                self.connected = false;
            }
            Step::Opened(window) if self.connected => self.rig.opened(self.wire(window)),
            Step::Update {
                window,
                from,
                start,
                total,
                ops,
            } if self.connected => {
                self.number += 1;
                let update = Update {
                    window: self.wire(window),
                    number: self.number,
                    from: from.map(|from| version(from % 2)),
                    to: Version((self.number % 2).to_string()),
                    start,
                    edits: vec![self.number % 5],
                    changed_at_micros: Some(1),
                    ..snapshot(start, total, ops)
                };
                self.rig.say(ServerMsg::Update(update));
            }
            Step::Error(window, code) if self.connected => {
                let error = ErrorMsg {
                    code,
                    message: String::new(),
                    window: Some(self.wire(window)),
                };
                self.rig.say(ServerMsg::Error(error));
            }
            Step::Answer(id, outcome) if self.connected => {
                self.rig
                    .say(ServerMsg::EditResult(EditResult { id, outcome }));
            }
            Step::Status(live) if self.connected => {
                let stale = Status::Stale {
                    since_micros: 0,
                    reason: String::new(),
                };
                let status = if live { Status::Live } else { stale };
                self.rig.say(ServerMsg::Status(status));
            }
            step => drop(self.act(&step)),
        }
    }

    fn act(&mut self, step: &Step) -> Option<()> {
        let now = self.rig.now;
        let windows = &self.windows;
        let window = |number: u32| windows.get(number as usize - 1).copied();
        let model = &mut self.rig.model;
        match *step {
            Step::Open => {
                self.windows
                    .push(model.open(ViewSpec::table("a"), Vec::new(), 0, 10));
            }
            Step::Close(number) => model.close(window(number)?),
            Step::SetView(number, other) => {
                let table = if other { "b" } else { "a" };
                model.set_view(window(number)?, ViewSpec::table(table));
            }
            Step::Show(number, first, count) => {
                model.show_rows(window(number)?, first, count, now);
            }
            Step::Shift(number, id, position) => {
                model.take_shift(window(number)?, &key(id), position);
            }
            Step::Edit(number, id, value) => {
                let window = window(number)?;
                let value = Value::text(value.to_string());
                self.edits
                    .extend(model.edit(window, &key(id), "name", value, now));
            }
            Step::Settle(edit, how) => {
                let edit = *self.edits.get(edit as usize)?;
                match how {
                    0 => model.resolve_keep_mine(edit, now),
                    1 => model.resolve_take_theirs(edit),
                    _ => model.retry(edit, now),
                }
            }
            Step::Pass(millis) => self.rig.pass(Duration::from_millis(millis)),
            _ => {}
        }
        Some(())
    }
}

proptest! {
    #[test]
    fn whatever_happens_the_model_stays_in_order(
        steps in prop::collection::vec(
            prop_oneof![3 => server_step(), 2 => person_step()],
            1..120,
        ),
    ) {
        let (rig, window) = Rig::following();
        let wire = rig.last.as_ref().unwrap().window;
        let mut play = Play {
            rig,
            windows: vec![window],
            edits: Vec::new(),
            wires: vec![wire],
            connected: true,
            number: 1,
        };
        let mut opened = HashSet::from([wire]);
        let mut edits = HashSet::new();
        for step in steps {
            play.hear(step);
            let sent = play.rig.sent();
            prop_assert!(play.connected || sent.is_empty(), "sent to nobody: {sent:?}");
            for message in sent {
                match message {
                    ClientMsg::Open(open) => {
                        prop_assert!(opened.insert(open.window));
                        play.wires.push(open.window);
                    }
                    ClientMsg::Edit(edit) => {
                        prop_assert!(edits.insert(edit.id));
                        prop_assert!(opened.contains(&edit.window));
                    }
                    ClientMsg::Move(moved) => prop_assert!(moved.count <= model_support::ROWS_MAX),
                    _ => {}
                }
            }
            for (_, window) in play.rig.model.windows() {
                let cache = window.cache();
                let end = cache.start() + cache.rows().len() as u64;
                prop_assert!(cache.rows().is_empty() || Some(end) <= cache.total());
            }
            prop_assert!(play.rig.model.notices().count() <= 50);
        }
    }
}
