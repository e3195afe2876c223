//! A model with a server played by the test.
#![allow(
    dead_code,
    unreachable_pub,
    missing_docs,
    reason = "each test binary uses its part"
)]

use std::time::Duration;

use client_egui::model::{LinkEvent, Model, WindowId};
use protocol::{
    ClientMsg, Column, ColumnKind, Edit, Hello, Limits, MoveWindow, OpenWindow, Opened,
    PROTOCOL_VERSION, Row, RowOp, ServerMsg, TableSchema, Update, Value, Version, ViewSpec,
};
use web_time::Instant;

pub const ROWS_MAX: u32 = 300;

pub fn column(name: &str, kind: ColumnKind, type_name: &str) -> Column {
    Column {
        name: name.to_owned(),
        kind,
        type_name: type_name.to_owned(),
        nullable: true,
        editable: name != "id",
        sortable: true,
        labels: Vec::new(),
        comment: None,
    }
}

/// `id` (the key) and `name`.
pub fn schema() -> TableSchema {
    let columns = vec![
        column("id", ColumnKind::Int, "bigint"),
        column("name", ColumnKind::Text, "text"),
    ];
    TableSchema::live("public.things", vec!["id".to_owned()], columns)
}

pub fn row(id: i64, name: &str) -> Row {
    Row {
        key: vec![Value::Int(id)],
        cells: vec![Value::Int(id), Value::text(name)],
    }
}

pub fn key(id: i64) -> Vec<Value> {
    vec![Value::Int(id)]
}

pub fn version(n: u64) -> Version {
    Version(n.to_string())
}

pub fn keep(from: u32, count: u32) -> RowOp {
    RowOp::Keep { from, count }
}

pub fn rename(from: u32, name: &str) -> RowOp {
    RowOp::Patch {
        from,
        cells: vec![(1, Value::text(name))],
    }
}

/// Rows `ids`, each named after its number.
pub fn fresh(ids: impl IntoIterator<Item = i64>) -> Vec<RowOp> {
    ids.into_iter()
        .map(|id| RowOp::Row(row(id, &format!("n{id}"))))
        .collect()
}

/// A snapshot at version 1.
pub fn snapshot(start: u64, total: u64, rows: Vec<RowOp>) -> Update {
    Update {
        window: 1,
        generation: 0,
        number: 1,
        from: None,
        to: version(1),
        must_refetch: None,
        start,
        total,
        total_is_exact: true,
        rows,
        edits: Vec::new(),
        changed_at_micros: None,
    }
}

/// The update after `before`, by a change.
pub fn delta(before: &Update, total: u64, rows: Vec<RowOp>) -> Update {
    let to: u64 = before.to.0.parse().expect("a version of this file");
    Update {
        number: before.number + 1,
        from: Some(before.to.clone()),
        to: version(to + 1),
        must_refetch: None,
        total,
        rows,
        edits: Vec::new(),
        changed_at_micros: Some(1_000),
        ..before.clone()
    }
}

/// A model, the time, and the server's last update.
pub struct Rig {
    pub model: Model,
    pub now: Instant,
    pub last: Option<Update>,
}

impl Rig {
    pub fn new() -> Self {
        let now = Instant::now();
        Self {
            model: Model::new(now),
            now,
            last: None,
        }
    }

    /// Connected and greeted, with what that sends taken away.
    pub fn connected() -> Self {
        let mut rig = Self::new();
        rig.connect();
        rig.sent();
        rig
    }

    /// A window on ten rows of a thousand, followed.
    pub fn following() -> (Self, WindowId) {
        let mut rig = Self::connected();
        let window = rig.model.open(ViewSpec::table("things"), Vec::new(), 0, 10);
        let wire = rig.opens().remove(0).window;
        rig.opened(wire);
        rig.update(Update {
            window: wire,
            ..snapshot(0, 1_000, fresh(0..10))
        });
        rig.sent();
        (rig, window)
    }

    pub fn connect(&mut self) {
        self.event(LinkEvent::Connected);
        self.say(ServerMsg::Hello(hello()));
    }

    pub fn lose(&mut self) {
        let retry_at = self.now + Duration::from_secs(1);
        self.event(LinkEvent::Lost {
            reason: "cut".to_owned(),
            attempt: 1,
            retry_at,
        });
    }

    pub fn event(&mut self, event: LinkEvent) -> Option<WindowId> {
        self.model.handle(event, self.now)
    }

    pub fn say(&mut self, message: ServerMsg) -> Option<WindowId> {
        self.event(LinkEvent::Message {
            message,
            received_at: self.now,
        })
    }

    pub fn opened(&mut self, window: u32) {
        self.say(ServerMsg::Opened(Opened {
            window,
            schema: schema(),
            highlight: None,
            ranked: false,
        }));
    }

    pub fn update(&mut self, update: Update) {
        self.last = Some(update.clone());
        self.say(ServerMsg::Update(update));
    }

    /// The next update of the last window, by a change that keeps the total.
    pub fn change(&mut self, rows: Vec<RowOp>) {
        self.change_with_edits(rows, Vec::new());
    }

    pub fn change_with_edits(&mut self, rows: Vec<RowOp>, edits: Vec<u64>) {
        let last = self.last.clone().expect("a snapshot came first");
        self.update(Update {
            edits,
            ..delta(&last, last.total, rows)
        });
    }

    pub fn pass(&mut self, duration: Duration) {
        self.now += duration;
        self.model.tick(self.now);
    }

    pub fn sent(&mut self) -> Vec<ClientMsg> {
        std::iter::from_fn(|| self.model.pop_outgoing()).collect()
    }

    pub fn opens(&mut self) -> Vec<OpenWindow> {
        let open = |message| match message {
            ClientMsg::Open(open) => Some(open),
            _ => None,
        };
        self.sent().into_iter().filter_map(open).collect()
    }

    pub fn moves(&mut self) -> Vec<MoveWindow> {
        let moved = |message| match message {
            ClientMsg::Move(moved) => Some(moved),
            _ => None,
        };
        self.sent().into_iter().filter_map(moved).collect()
    }

    pub fn edits_sent(&mut self) -> Vec<Edit> {
        let edit = |message| match message {
            ClientMsg::Edit(edit) => Some(edit),
            _ => None,
        };
        self.sent().into_iter().filter_map(edit).collect()
    }
}

pub fn hello() -> Hello {
    Hello {
        protocol: PROTOCOL_VERSION,
        server: "test".to_owned(),
        heartbeat_millis: 10_000,
        limits: Limits {
            frame_bytes_max: 64 << 10,
            windows_max: 8,
            window_rows_max: ROWS_MAX,
        },
    }
}
