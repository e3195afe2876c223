//! A table in memory behind the viewer's own protocol: enough of a server to drive the screen.

#![allow(
    dead_code,
    unreachable_pub,
    reason = "shared by test binaries that each use a part"
)]

#[cfg(test)]
pub mod screen;
pub mod summaries;

use std::collections::VecDeque;

use client_egui::app::Backend;
use client_egui::model::{LinkEvent, Model};
use client_egui::net::Now;
use protocol::{
    Advice, ClientMsg, Column, ColumnKind, Edit, EditOutcome, EditResult, ErrorCode, Generation,
    Hello, Highlight, IndexProgress, IndexState, IndexSuggestion, Limits, Liveness, Opened,
    OpeningCost, PROTOCOL_VERSION, Row, RowOp, ServedBy, ServedVerdict, ServerMsg, Status,
    Summarize, TableInfo, TableSchema, Tables, Update, Value, Version, ViewSpec, WindowId,
};
use web_time::Instant;

/// Summaries are of this many rows at most: they are counted anew each time.
const SUMMARY_ROWS_MAX: u64 = 2_000;

/// One column of the stage's table.
pub fn column(name: &str, kind: ColumnKind, type_name: &str) -> Column {
    Column {
        name: name.to_owned(),
        kind,
        type_name: type_name.to_owned(),
        nullable: name != "id",
        editable: name != "id",
        sortable: kind != ColumnKind::Json,
        labels: Vec::new(),
        comment: None,
    }
}

/// Makes the row at a position.
pub type MakeRow = fn(u64) -> Vec<Value>;

/// A table in memory, one window on it, and the model that shows it.
pub struct Stage {
    model: Model,
    schema: TableSchema,
    total: u64,
    make_row: MakeRow,
    /// Cells that were changed: position, column, value.
    changed: Vec<(u64, usize, Value)>,
    /// Rows asked for are not answered until [`Stage::release`].
    pub held: bool,
    /// What becomes of the next edit; applied without it.
    pub next_outcome: Option<EditOutcome>,
    waiting: VecDeque<ClientMsg>,
    window: Option<OpenWindow>,
    /// The views that were asked for, oldest first.
    pub views: Vec<ViewSpec>,
    /// The tokens with which indexes were asked for, oldest first.
    pub tokens: Vec<String>,
    /// The summaries that were asked for, oldest first.
    pub summaries: Vec<Summarize>,
    /// What the server says to mark when a view searches.
    pub highlight: Option<Highlight>,
    /// The edits that were asked for, oldest first.
    pub edits: Vec<Edit>,
}

struct OpenWindow {
    id: WindowId,
    generation: Generation,
    number: u64,
    start: u64,
    count: u32,
}

impl Stage {
    /// A connected model and a table of `total` rows.
    pub fn new(schema: TableSchema, total: u64, make_row: MakeRow) -> Self {
        let mut stage = Self {
            model: Model::new(Instant::now()),
            schema,
            total,
            make_row,
            changed: Vec::new(),
            held: false,
            next_outcome: None,
            waiting: VecDeque::new(),
            window: None,
            views: Vec::new(),
            tokens: Vec::new(),
            summaries: Vec::new(),
            highlight: None,
            edits: Vec::new(),
        };
        stage.handle(LinkEvent::Connected);
        let limits = Limits {
            frame_bytes_max: 1 << 20,
            windows_max: 16,
            window_rows_max: 1_000,
        };
        stage.say(ServerMsg::Hello(Hello {
            protocol: PROTOCOL_VERSION,
            server: "stage".to_owned(),
            heartbeat_millis: 15_000,
            limits,
        }));
        stage.say(ServerMsg::Status(Status::Live));
        stage
    }

    /// The same table, looked at again and again instead of followed.
    pub fn polled(mut self) -> Self {
        self.schema.liveness = Liveness::Polled {
            every_millis: 2_000,
            reason: "it has no key".to_owned(),
        };
        self
    }

    /// Lets the model take in a message.
    pub fn say(&mut self, message: ServerMsg) {
        self.handle(LinkEvent::Message {
            message,
            received_at: Instant::now(),
        });
    }

    /// Lets the model take in an event.
    pub fn handle(&mut self, event: LinkEvent) {
        self.model.handle(event, Instant::now());
    }

    /// Answers what was held.
    pub fn release(&mut self) {
        self.held = false;
        self.answer();
    }

    /// Says that no index serves the window's view, and which would.
    pub fn advise(&mut self) {
        let Some(window) = &self.window else {
            return;
        };
        let advice = Advice {
            window: window.id,
            served_by: ServedBy {
                verdict: ServedVerdict::Unserved,
                indexes: Vec::new(),
                note: None,
            },
            cost: OpeningCost {
                rows: self.total,
                planner_cost: 1_234_567,
                millis: 12_000,
                in_words: "about 12 s".to_owned(),
            },
            measured: None,
            suggestion: Some(IndexSuggestion {
                name: "rowcast_products_price".to_owned(),
                sql: "CREATE INDEX CONCURRENTLY rowcast_products_price ON products (price, id)"
                    .to_owned(),
                why: "it delivers the rows in this order".to_owned(),
            }),
            warning: None,
        };
        self.say(ServerMsg::Advice(Box::new(advice)));
    }

    /// Changes a cell as someone else would.
    pub fn change(&mut self, row: u64, column: usize, value: Value) {
        self.changed.push((row, column, value.clone()));
        self.push(Some((row, column, value)), Vec::new());
    }

    /// Inserts a row before all others, which the window must not show.
    pub fn insert_above(&mut self) {
        let Some(window) = &mut self.window else {
            return;
        };
        let count = u64::from(window.count).min(self.total - window.start) as u32;
        window.number += 1;
        window.start += 1;
        self.total += 1;
        let update = update(window, self.total, vec![RowOp::Keep { from: 0, count }]);
        self.say(ServerMsg::Update(update));
    }

    /// Moves a row to the end of the window, as a change of its sort column would.
    pub fn move_to_end(&mut self, row: u32) {
        let Some(window) = &mut self.window else {
            return;
        };
        let count = u64::from(window.count).min(self.total - window.start) as u32;
        window.number += 1;
        let rows = vec![
            RowOp::Keep {
                from: 0,
                count: row,
            },
            RowOp::Keep {
                from: row + 1,
                count: count - row - 1,
            },
            RowOp::Keep {
                from: row,
                count: 1,
            },
        ];
        let update = update(window, self.total, rows);
        self.say(ServerMsg::Update(update));
    }

    fn row(&self, position: u64) -> Row {
        let mut cells = (self.make_row)(position);
        for (row, column, value) in &self.changed {
            if *row == position {
                cells[*column] = value.clone();
            }
        }
        Row {
            key: vec![cells[0].clone()],
            cells,
        }
    }

    fn answer(&mut self) {
        while let Some(message) = self.model.pop_outgoing() {
            self.waiting.push_back(message);
        }
        if self.held {
            return;
        }
        while let Some(message) = self.waiting.pop_front() {
            self.answer_one(message);
        }
    }

    fn answer_one(&mut self, message: ClientMsg) {
        match message {
            ClientMsg::ListTables(list) => {
                let info = |name: &str, rows: u64| TableInfo {
                    estimated_rows: Some(rows),
                    comment: Some(format!("Everything about public.{name}")),
                    ..TableInfo::named(name)
                };
                let tables = vec![info("events", 2_431_807), info("products", self.total)];
                self.say(ServerMsg::Tables(Tables {
                    id: list.id,
                    tables,
                }));
            }
            ClientMsg::Open(open) => {
                let highlight = self
                    .highlight
                    .clone()
                    .filter(|_| open.view.search.is_some());
                self.views.push(open.view);
                let window = open.window;
                self.window = Some(OpenWindow {
                    id: window,
                    generation: open.generation,
                    number: 0,
                    start: open.start,
                    count: open.count,
                });
                let schema = self.schema.clone();
                self.say(ServerMsg::Opened(Opened {
                    window,
                    schema,
                    highlight,
                    ranked: false,
                }));
                self.snapshot();
            }
            ClientMsg::Move(moved) => {
                if let Some(window) = &mut self.window {
                    window.generation = moved.generation;
                    window.start = moved.start;
                    window.count = moved.count;
                    self.snapshot();
                }
            }
            ClientMsg::Edit(edit) => self.answer_edit(edit),
            ClientMsg::CreateIndex(ask) => {
                self.tokens.push(ask.token);
                self.answer_index(ask.id, scanning());
            }
            ClientMsg::CancelIndex(cancel) => self.answer_index(cancel.id, stopped()),
            ClientMsg::Summarize(ask) => {
                let rows: Vec<_> = (0..self.total.min(SUMMARY_ROWS_MAX))
                    .map(|position| self.row(position).cells)
                    .collect();
                for message in summaries::answer(&ask, &self.schema, &rows) {
                    self.say(message);
                }
                self.summaries.push(*ask);
            }
            ClientMsg::Ack(_)
            | ClientMsg::Close(_)
            | ClientMsg::Ping(_)
            | ClientMsg::ShowGroups(_)
            | ClientMsg::AckSummary(_)
            | ClientMsg::Unsummarize(_) => {}
        }
    }

    fn answer_index(&mut self, id: u64, state: IndexState) {
        self.say(ServerMsg::IndexProgress(IndexProgress { id, state }));
    }

    fn answer_edit(&mut self, edit: Edit) {
        let outcome = self.next_outcome.take().unwrap_or(EditOutcome::Applied);
        let id = edit.id;
        if outcome == EditOutcome::Applied {
            let column = self
                .schema
                .columns
                .iter()
                .position(|column| column.name == edit.column);
            let Some(column) = column else { return };
            let Value::Int(key) = edit.key[0] else { return };
            let row = u64::try_from(key - 1).unwrap_or(0);
            self.changed.push((row, column, edit.value.clone()));
            self.push(Some((row, column, edit.value.clone())), vec![id]);
        }
        self.edits.push(edit);
        self.say(ServerMsg::EditResult(EditResult { id, outcome }));
    }

    /// Sends the whole window.
    fn snapshot(&mut self) {
        let Some(window) = &mut self.window else {
            return;
        };
        window.number += 1;
        let end = (window.start + u64::from(window.count)).min(self.total);
        let start = window.start.min(end);
        window.start = start;
        let mut message = update(window, self.total, Vec::new());
        message.from = None;
        message.rows = (start..end)
            .map(|position| RowOp::Row(self.row(position)))
            .collect();
        message.changed_at_micros = None;
        self.say(ServerMsg::Update(message));
    }

    /// Sends a delta that changes one cell.
    fn push(&mut self, cell: Option<(u64, usize, Value)>, edits: Vec<u64>) {
        let Some(window) = &mut self.window else {
            return;
        };
        window.number += 1;
        let count = u64::from(window.count).min(self.total - window.start) as u32;
        let rows = match cell {
            Some((row, column, value))
                if (window.start..window.start + u64::from(count)).contains(&row) =>
            {
                let index = (row - window.start) as u32;
                let after = RowOp::Keep {
                    from: index + 1,
                    count: count - index - 1,
                };
                vec![
                    RowOp::Keep {
                        from: 0,
                        count: index,
                    },
                    RowOp::Patch {
                        from: index,
                        cells: vec![(column as u32, value)],
                    },
                    after,
                ]
            }
            _ => vec![RowOp::Keep { from: 0, count }],
        };
        let rows = rows
            .into_iter()
            .filter(|op| !matches!(op, RowOp::Keep { count: 0, .. }));
        let mut message = update(window, self.total, rows.collect());
        message.edits = edits;
        self.say(ServerMsg::Update(message));
    }
}

fn scanning() -> IndexState {
    IndexState::Running {
        phase: "building index: scanning table".to_owned(),
        done: 40,
        total: 100,
    }
}

fn stopped() -> IndexState {
    IndexState::Failed {
        code: ErrorCode::Cancelled,
        message: "it was stopped".to_owned(),
    }
}

fn update(window: &OpenWindow, total: u64, rows: Vec<RowOp>) -> Update {
    let version = |number: u64| Version(number.to_string());
    let now = web_time::SystemTime::now().duration_since(web_time::UNIX_EPOCH);
    let now = now.map_or(0, |now| now.as_micros() as i64);
    Update {
        window: window.id,
        generation: window.generation,
        number: window.number,
        from: Some(version(window.number - 1)),
        to: version(window.number),
        must_refetch: None,
        start: window.start,
        total,
        total_is_exact: true,
        rows,
        edits: Vec::new(),
        changed_at_micros: Some(now),
    }
}

impl Backend for Stage {
    fn pump(&mut self, now: Now) -> Option<Instant> {
        self.model.tick(now.steady);
        self.answer();
        self.model.next_deadline()
    }

    fn model(&self) -> &Model {
        &self.model
    }

    fn model_mut(&mut self) -> &mut Model {
        &mut self.model
    }

    fn retry_now(&mut self, _now: Now) {}
}

/// A catalogue of products, about as the seed makes one.
pub fn products(total: u64) -> Stage {
    let mut status = column("status", ColumnKind::Enum, "product_status");
    status.labels = ["active", "draft", "archived"].map(str::to_owned).to_vec();
    let columns = vec![
        column("id", ColumnKind::Int, "bigint"),
        column("sku", ColumnKind::Text, "text"),
        column("name", ColumnKind::Text, "text"),
        column("category", ColumnKind::Text, "text"),
        column("price", ColumnKind::Numeric, "numeric(12,2)"),
        column("stock_quantity", ColumnKind::Int, "integer"),
        column("rating", ColumnKind::Float, "real"),
        column("in_stock", ColumnKind::Bool, "boolean"),
        status,
        column("updated_at", ColumnKind::TimestampTz, "timestamptz"),
        column("tags", ColumnKind::Array, "text[]"),
    ];
    let schema = TableSchema::live("public.products", vec!["id".to_owned()], columns);
    Stage::new(schema, total, product)
}

fn product(position: u64) -> Vec<Value> {
    const NAMES: [&str; 8] = [
        "Aurora Wireless Headphones",
        "Kestrel Trail Running Shoes",
        "Copper Pour-over Kettle",
        "Nimbus 14 Laptop, 32 GB",
        "漢字カードゲーム",
        "سماعات لاسلكية",
        "हिन्दी शब्दकोश",
        "Zoë’s Café Blend ☕ 1 kg",
    ];
    const CATEGORIES: [&str; 5] = ["Electronics", "Sports", "Home & Kitchen", "Books", "Garden"];
    let n = position.wrapping_mul(2_654_435_761) >> 7;
    let price = Value::text(format!("{}.{:02}", 9 + n % 1_900, n % 100));
    vec![
        Value::Int(position as i64 + 1),
        Value::text(format!(
            "{}-{:05}",
            ["AX", "KT", "CP"][(n % 3) as usize],
            n % 100_000
        )),
        Value::text(NAMES[(n % 8) as usize]),
        Value::text(CATEGORIES[(n / 8 % 5) as usize]),
        if n.is_multiple_of(23) {
            Value::Null
        } else {
            price
        },
        Value::Int((n % 997) as i64),
        Value::Float(f64::from((n % 41) as u32) / 10.0 + 1.0),
        if n.is_multiple_of(19) {
            Value::Null
        } else {
            Value::Bool(!n.is_multiple_of(3))
        },
        Value::text(["active", "active", "draft", "archived"][(n / 3 % 4) as usize]),
        Value::text(format!(
            "2026-11-{:02}T{:02}:{:02}:07.123+00:00",
            1 + n % 21,
            n % 24,
            n % 60
        )),
        Value::text(r#"["new", "sale"]"#),
    ]
}
