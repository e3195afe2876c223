//! One or more hand-written messages of every kind, each with the name of its golden frame.

mod summaries;

use protocol::{
    Ack, Advice, CancelIndex, ClientMsg, CloseWindow, Column, ColumnKind, CreateIndex, Edit,
    EditOutcome, EditResult, ErrorCode, ErrorMsg, Filter, FilterOp, Heartbeat, Hello, Highlight,
    IndexProgress, IndexState, IndexSuggestion, Limits, ListTables, Liveness, MeasuredOpening,
    MoveWindow, NullsOrder, OpenWindow, Opened, OpeningCost, PROTOCOL_VERSION, Ping, Pong,
    Privileges, Progress, ResetReason, Resume, Row, RowOp, ServedBy, ServedVerdict, ServerMsg,
    SortColumn, Status, TableInfo, TableKind, TableSchema, Tables, Test, Update, Value, Version,
    ViewSpec,
};

/// The kind of a client message, as JSON names it. A new kind does not compile until it is here.
pub(crate) fn client_kind(message: &ClientMsg) -> &'static str {
    match message {
        ClientMsg::ListTables(_) => "list_tables",
        ClientMsg::Open(_) => "open",
        ClientMsg::Move(_) => "move",
        ClientMsg::Ack(_) => "ack",
        ClientMsg::Close(_) => "close",
        ClientMsg::Edit(_) => "edit",
        ClientMsg::Ping(_) => "ping",
        ClientMsg::CreateIndex(_) => "create_index",
        ClientMsg::CancelIndex(_) => "cancel_index",
        ClientMsg::Summarize(_) => "summarize",
        ClientMsg::ShowGroups(_) => "show_groups",
        ClientMsg::AckSummary(_) => "ack_summary",
        ClientMsg::Unsummarize(_) => "unsummarize",
    }
}

pub(crate) const CLIENT_KINDS: [&str; 13] = [
    "list_tables",
    "open",
    "move",
    "ack",
    "close",
    "edit",
    "ping",
    "create_index",
    "cancel_index",
    "summarize",
    "show_groups",
    "ack_summary",
    "unsummarize",
];

/// The kind of a server message, as JSON names it. A new kind does not compile until it is here.
pub(crate) fn server_kind(message: &ServerMsg) -> &'static str {
    match message {
        ServerMsg::Hello(_) => "hello",
        ServerMsg::Tables(_) => "tables",
        ServerMsg::Opened(_) => "opened",
        ServerMsg::Update(_) => "update",
        ServerMsg::EditResult(_) => "edit_result",
        ServerMsg::Status(_) => "status",
        ServerMsg::Error(_) => "error",
        ServerMsg::Heartbeat(_) => "heartbeat",
        ServerMsg::Pong(_) => "pong",
        ServerMsg::Progress(_) => "progress",
        ServerMsg::Advice(_) => "advice",
        ServerMsg::IndexProgress(_) => "index_progress",
        ServerMsg::Summarized(_) => "summarized",
        ServerMsg::Summary(_) => "summary",
        ServerMsg::SummaryRefused(_) => "summary_refused",
    }
}

pub(crate) const SERVER_KINDS: [&str; 15] = [
    "hello",
    "tables",
    "opened",
    "update",
    "edit_result",
    "status",
    "error",
    "heartbeat",
    "pong",
    "progress",
    "advice",
    "index_progress",
    "summarized",
    "summary",
    "summary_refused",
];

pub(crate) fn client_messages() -> Vec<(&'static str, ClientMsg)> {
    let mut messages = vec![
        (
            "client_list_tables",
            ClientMsg::ListTables(ListTables { id: 1 }),
        ),
        ("client_open", ClientMsg::Open(open())),
        ("client_open_resume", ClientMsg::Open(open_resume())),
        (
            "client_move",
            ClientMsg::Move(MoveWindow {
                window: 1,
                generation: 2,
                start: 7_654_321,
                count: 60,
                from_end: false,
                received: 41,
            }),
        ),
        (
            "client_ack",
            ClientMsg::Ack(Ack {
                window: 1,
                number: 42,
            }),
        ),
        ("client_close", ClientMsg::Close(CloseWindow { window: 1 })),
        (
            "client_edit",
            ClientMsg::Edit(Edit {
                id: 9,
                window: 1,
                key: vec![Value::Int(17)],
                column: "price".to_owned(),
                expected: Value::text("19.99"),
                value: Value::text("18.49"),
            }),
        ),
        ("client_ping", ClientMsg::Ping(Ping { id: 3 })),
        (
            "client_create_index",
            ClientMsg::CreateIndex(CreateIndex {
                id: 5,
                view: ViewSpec::table("products"),
                name: "rowcast_products_price_id_1a2b3c4d".to_owned(),
                token: "a secret".to_owned(),
            }),
        ),
        (
            "client_cancel_index",
            ClientMsg::CancelIndex(CancelIndex { id: 5 }),
        ),
    ];
    messages.extend(summaries::client_messages());
    messages
}

fn open() -> OpenWindow {
    OpenWindow {
        window: 1,
        generation: 0,
        view: ViewSpec {
            table: "products".to_owned(),
            filter: Some(every_operator()),
            sort: vec![
                SortColumn {
                    column: "price".to_owned(),
                    descending: true,
                    nulls: Some(NullsOrder::Last),
                },
                SortColumn {
                    column: "name".to_owned(),
                    descending: false,
                    nulls: Some(NullsOrder::First),
                },
                SortColumn {
                    column: "id".to_owned(),
                    descending: false,
                    nulls: None,
                },
            ],
            search: Some("gaming lapt".to_owned()),
        },
        columns: vec!["id".to_owned(), "name".to_owned(), "price".to_owned()],
        start: 0,
        count: 50,
        from_end: false,
        resume: None,
        allow_expensive: true,
    }
}

fn open_resume() -> OpenWindow {
    OpenWindow {
        window: 4,
        generation: 3,
        view: ViewSpec::table("public.events"),
        columns: Vec::new(),
        start: 120,
        count: 2,
        from_end: false,
        resume: Some(Resume {
            version: Version("c0ffee00-0000-4000-8000-000000000001:100:104:101".to_owned()),
            keys: vec![
                vec![Value::Int(8), Value::text("2026-11-21T13:45:00+00:00")],
                vec![Value::Int(9), Value::text("2026-11-21T13:46:00+00:00")],
            ],
        }),
        allow_expensive: false,
    }
}

/// A filter that uses `and`, `or`, `not` and every operator, each with as many values as it takes.
fn every_operator() -> Filter {
    let test = |column: &str, op, values: &[Value]| {
        Filter::Test(Test {
            column: column.to_owned(),
            op,
            values: values.to_vec(),
        })
    };
    Filter::And(vec![
        test("category", FilterOp::Eq, &[Value::text("Electronics")]),
        test("brand", FilterOp::Ne, &[Value::text("Acme")]),
        Filter::Or(vec![
            test("price", FilterOp::Lt, &[Value::text("10.00")]),
            test("price", FilterOp::Le, &[Value::Int(20)]),
            test("rating", FilterOp::Gt, &[Value::Float(4.5)]),
            test("rating", FilterOp::Ge, &[Value::Float(-0.0)]),
        ]),
        Filter::Not(Box::new(test(
            "stock_quantity",
            FilterOp::Between,
            &[0.into(), 5.into()],
        ))),
        test("id", FilterOp::In, &[1.into(), 2.into(), 3.into()]),
        test("name", FilterOp::Contains, &[Value::text("laptop")]),
        test("sku", FilterOp::StartsWith, &[Value::text("ELEC-")]),
        test("description", FilterOp::IsNull, &[]),
        test("active", FilterOp::Eq, &[Value::Bool(true)]),
        test("sku", FilterOp::Matches, &[Value::text("^ELEC-\\d+$")]),
        test("name", FilterOp::IMatches, &[Value::text("air|pro")]),
        test(
            "tags",
            FilterOp::ArrayContains,
            &["new".into(), "sale".into()],
        ),
        test("tags", FilterOp::ArrayContained, &["new".into()]),
        test("tags", FilterOp::Overlaps, &["new".into(), "used".into()]),
        test(
            "details",
            FilterOp::JsonContains,
            &[Value::text(r#"{"wifi": true}"#)],
        ),
        test("details", FilterOp::JsonPath, &["$.weight > 2".into()]),
        test("updated_at", FilterOp::WithinLast, &["7 days".into()]),
        test("available_at", FilterOp::WithinNext, &["1 month".into()]),
    ])
}

pub(crate) fn server_messages() -> Vec<(&'static str, ServerMsg)> {
    let mut messages = vec![
        (
            "server_hello",
            ServerMsg::Hello(Hello {
                protocol: PROTOCOL_VERSION,
                server: "rowcast 0.1.0".to_owned(),
                heartbeat_millis: 15_000,
                limits: Limits {
                    frame_bytes_max: 262_144,
                    windows_max: 16,
                    window_rows_max: 1_000,
                },
            }),
        ),
        ("server_tables", ServerMsg::Tables(tables())),
        (
            "server_opened",
            ServerMsg::Opened(Opened {
                window: 1,
                schema: schema(),
                highlight: Some(Highlight {
                    terms: vec!["gaming".to_owned(), "game".to_owned(), "lapt".to_owned()],
                    at_word_start: true,
                }),
                ranked: true,
            }),
        ),
        ("server_update_snapshot", ServerMsg::Update(snapshot())),
        ("server_update_delta", ServerMsg::Update(delta())),
        (
            "server_update_must_refetch",
            ServerMsg::Update(must_refetch()),
        ),
        (
            "server_error",
            ServerMsg::Error(ErrorMsg {
                code: ErrorCode::UnknownColumn,
                message: "products has no column \"prise\"".to_owned(),
                window: Some(1),
            }),
        ),
        (
            "server_error_socket",
            ServerMsg::Error(ErrorMsg {
                code: ErrorCode::BadMessage,
                message: "not a message: missing field `count` at line 1 column 40".to_owned(),
                window: None,
            }),
        ),
        ("server_status_live", ServerMsg::Status(Status::Live)),
        (
            "server_status_stale",
            ServerMsg::Status(Status::Stale {
                since_micros: 1_795_268_700_123_456,
                reason: "PostgreSQL does not answer".to_owned(),
            }),
        ),
    ];
    messages.extend(signs_of_life());
    messages.extend(edit_results());
    messages.extend(index_messages());
    messages.extend(summaries::server_messages());
    messages
}

fn index_messages() -> Vec<(&'static str, ServerMsg)> {
    let progress = |state| ServerMsg::IndexProgress(IndexProgress { id: 5, state });
    vec![
        ("server_advice", ServerMsg::Advice(Box::new(advice()))),
        (
            "server_advice_measured",
            ServerMsg::Advice(Box::new(Advice {
                measured: Some(MeasuredOpening {
                    millis: 1_800,
                    rows: 9_999_000,
                    how: "counted along rowcast_products_price_id_1a2b3c4d".to_owned(),
                }),
                suggestion: None,
                warning: None,
                ..advice()
            })),
        ),
        (
            "server_index_progress_running",
            progress(IndexState::Running {
                phase: "building index: scanning table".to_owned(),
                done: 40_000,
                total: 120_000,
            }),
        ),
        (
            "server_index_progress_done",
            progress(IndexState::Done { millis: 14_000 }),
        ),
        (
            "server_index_progress_failed",
            progress(IndexState::Failed {
                code: ErrorCode::Cancelled,
                message: "stopped; nothing of the index is left".to_owned(),
            }),
        ),
    ]
}

fn advice() -> Advice {
    Advice {
        window: 1,
        served_by: ServedBy {
            verdict: ServedVerdict::Unserved,
            indexes: Vec::new(),
            note: Some("no index has this order".to_owned()),
        },
        cost: OpeningCost {
            rows: 10_000_000,
            planner_cost: 2_400_000,
            millis: 16_000,
            in_words: "about 16 s".to_owned(),
        },
        measured: None,
        suggestion: Some(IndexSuggestion {
            name: "rowcast_products_price_id_1a2b3c4d".to_owned(),
            sql: "CREATE INDEX CONCURRENTLY rowcast_products_price_id_1a2b3c4d ON public.products \
                  USING btree (price DESC, id DESC)"
                .to_owned(),
            why: "delivers the rows in this order".to_owned(),
        }),
        warning: Some("10,000,000 rows are sorted first: about 16 s".to_owned()),
    }
}

fn signs_of_life() -> Vec<(&'static str, ServerMsg)> {
    vec![
        (
            "server_heartbeat",
            ServerMsg::Heartbeat(Heartbeat {
                time_micros: 1_795_268_700_123_456,
            }),
        ),
        (
            "server_pong",
            ServerMsg::Pong(Pong {
                id: 3,
                time_micros: 1_795_268_700_123_456,
            }),
        ),
        (
            "server_progress",
            ServerMsg::Progress(Progress {
                window: 1,
                counted: 2_300_000,
                expected: 10_000_000,
            }),
        ),
    ]
}

fn edit_results() -> Vec<(&'static str, ServerMsg)> {
    let result = |outcome| ServerMsg::EditResult(EditResult { id: 9, outcome });
    vec![
        ("server_edit_result_applied", result(EditOutcome::Applied)),
        (
            "server_edit_result_conflict",
            result(EditOutcome::Conflict {
                theirs: Value::text("17.00"),
            }),
        ),
        ("server_edit_result_gone", result(EditOutcome::Gone)),
        (
            "server_edit_result_rejected",
            result(EditOutcome::Rejected {
                code: ErrorCode::EditRejected,
                message: "violates check constraint \"products_price_check\"".to_owned(),
            }),
        ),
    ]
}

fn tables() -> Tables {
    Tables {
        id: 1,
        tables: vec![
            TableInfo {
                name: "public.events".to_owned(),
                estimated_rows: None,
                comment: Some("What visitors did".to_owned()),
                schema: "public".to_owned(),
                table: "events".to_owned(),
                kind: TableKind::View,
                liveness: polled(),
                may: Privileges::default(),
                not_editable: Some("it is a view".to_owned()),
            },
            TableInfo {
                name: "public.products".to_owned(),
                estimated_rows: Some(100_000),
                comment: None,
                schema: "public".to_owned(),
                table: "products".to_owned(),
                kind: TableKind::Table,
                liveness: Liveness::Live,
                may: Privileges {
                    insert: true,
                    update: true,
                    delete: false,
                },
                not_editable: None,
            },
        ],
    }
}

fn polled() -> Liveness {
    Liveness::Polled {
        every_millis: 2_000,
        reason: "it is a view".to_owned(),
    }
}

fn schema() -> TableSchema {
    TableSchema {
        name: "public.products".to_owned(),
        key: vec!["id".to_owned()],
        columns: vec![
            Column {
                name: "id".to_owned(),
                kind: ColumnKind::Int,
                type_name: "bigint".to_owned(),
                nullable: false,
                editable: false,
                sortable: true,
                labels: Vec::new(),
                comment: None,
            },
            Column {
                name: "size".to_owned(),
                kind: ColumnKind::Enum,
                type_name: "shirt_size".to_owned(),
                nullable: true,
                editable: true,
                sortable: true,
                labels: vec!["S".to_owned(), "M".to_owned(), "L".to_owned()],
                comment: Some("As on the label".to_owned()),
            },
        ],
        liveness: Liveness::Live,
        not_editable: None,
    }
}

fn row(id: i64, cells: Vec<Value>) -> Row {
    Row {
        key: vec![Value::Int(id)],
        cells,
    }
}

/// The first update of a window, with a value of every variant.
fn snapshot() -> Update {
    Update {
        window: 1,
        generation: 0,
        number: 1,
        from: None,
        to: Version("c0ffee00-0000-4000-8000-000000000001:100:104:101".to_owned()),
        must_refetch: None,
        start: 0,
        total: 2,
        total_is_exact: true,
        rows: vec![
            RowOp::Row(row(
                1,
                vec![
                    Value::Null,
                    Value::Bool(true),
                    Value::Int(i64::MAX),
                    Value::Float(1.5),
                    Value::text("Laptop 笔记本 \"quoted\""),
                ],
            )),
            RowOp::Row(row(
                2,
                vec![
                    Value::text(""),
                    Value::Bool(false),
                    Value::Int(i64::MIN),
                    Value::Float(-0.0),
                    Value::text("19.99"),
                ],
            )),
        ],
        edits: Vec::new(),
        changed_at_micros: None,
    }
}

fn delta() -> Update {
    Update {
        window: 1,
        generation: 2,
        number: 42,
        from: Some(Version(
            "c0ffee00-0000-4000-8000-000000000001:100:104:101".to_owned(),
        )),
        to: Version("c0ffee00-0000-4000-8000-000000000001:105:105:".to_owned()),
        must_refetch: None,
        start: 7_654_321,
        total: 10_000_000,
        total_is_exact: true,
        rows: vec![
            RowOp::Row(row(70, vec![Value::Int(70), Value::text("18.49")])),
            RowOp::Keep { from: 0, count: 57 },
            RowOp::Patch {
                from: 58,
                cells: vec![(1, Value::text("18.49"))],
            },
        ],
        edits: vec![9],
        changed_at_micros: Some(1_795_268_700_123_456),
    }
}

fn must_refetch() -> Update {
    Update {
        window: 4,
        generation: 3,
        number: 1,
        from: None,
        to: Version("c0ffee00-0000-4000-8000-000000000002:200:200:".to_owned()),
        must_refetch: Some(ResetReason::EpochChanged),
        start: 0,
        total: 0,
        total_is_exact: true,
        rows: Vec::new(),
        edits: Vec::new(),
        changed_at_micros: None,
    }
}
