//! Proptest strategies for every message.

mod summaries;

use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use protocol::{
    Ack, Advice, CancelIndex, ClientMsg, CloseWindow, Column, ColumnKind, CreateIndex, Edit,
    EditOutcome, EditResult, ErrorCode, ErrorMsg, Filter, FilterOp, Heartbeat, Hello, Highlight,
    IndexProgress, IndexState, IndexSuggestion, Limits, ListTables, Liveness, MeasuredOpening,
    MoveWindow, NullsOrder, OpenWindow, Opened, OpeningCost, Ping, Pong, Privileges, ResetReason,
    Resume, Row, RowOp, ServedBy, ServedVerdict, ServerMsg, SortColumn, Status, TableInfo,
    TableKind, TableSchema, Tables, Test, Update, Value, Version, ViewSpec,
};

/// Any value that both encodings carry unchanged; JSON writes `NaN` and infinities as strings.
pub(crate) fn value() -> impl Strategy<Value = Value> + Clone {
    prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::Bool),
        any::<i64>().prop_map(Value::Int),
        any::<f64>()
            .prop_filter("finite", |float| float.is_finite())
            .prop_map(Value::Float),
        text().prop_map(Value::Text),
    ]
}

fn text() -> impl Strategy<Value = String> + Clone {
    // Every scalar value, not only printable ones: control characters and quotes are JSON's traps.
    vec(any::<char>(), 0..12).prop_map(|chars| chars.into_iter().collect())
}

fn version() -> impl Strategy<Value = Version> {
    text().prop_map(Version)
}

fn filter() -> impl Strategy<Value = Filter> {
    let operator = prop::sample::select(FilterOp::ALL.to_vec());
    let test = (text(), operator, vec(value(), 0..4))
        .prop_map(|(column, op, values)| Filter::Test(Test { column, op, values }));
    test.prop_recursive(6, 24, 4, |inner| {
        prop_oneof![
            vec(inner.clone(), 0..4).prop_map(Filter::And),
            vec(inner.clone(), 0..4).prop_map(Filter::Or),
            inner.prop_map(|filter| Filter::Not(Box::new(filter))),
        ]
    })
}

fn sort_column() -> impl Strategy<Value = SortColumn> {
    let nulls = option::of(prop::sample::select(vec![
        NullsOrder::First,
        NullsOrder::Last,
    ]));
    (text(), any::<bool>(), nulls).prop_map(|(column, descending, nulls)| SortColumn {
        column,
        descending,
        nulls,
    })
}

fn view() -> impl Strategy<Value = ViewSpec> {
    let search = option::of(text());
    (
        text(),
        option::of(filter()),
        vec(sort_column(), 0..3),
        search,
    )
        .prop_map(|(table, filter, sort, search)| ViewSpec {
            table,
            filter,
            sort,
            search,
        })
}

fn open() -> impl Strategy<Value = OpenWindow> {
    let resume = (version(), vec(vec(value(), 1..3), 0..4))
        .prop_map(|(version, keys)| Resume { version, keys });
    let range = (any::<u64>(), any::<u32>());
    (
        any::<u32>(),
        any::<u32>(),
        view(),
        vec(text(), 0..4),
        range,
        option::of(resume),
        any::<bool>(),
    )
        .prop_map(
            |(window, generation, view, columns, (start, count), resume, allow_expensive)| {
                OpenWindow {
                    window,
                    generation,
                    view,
                    columns,
                    start,
                    count,
                    from_end: false,
                    resume,
                    allow_expensive,
                }
            },
        )
}

pub(crate) fn client_msg() -> impl Strategy<Value = ClientMsg> {
    let moved = (
        any::<u32>(),
        any::<u32>(),
        any::<u64>(),
        any::<u32>(),
        any::<u64>(),
    )
        .prop_map(|(window, generation, start, count, received)| {
            ClientMsg::Move(MoveWindow {
                window,
                generation,
                start,
                count,
                from_end: false,
                received,
            })
        });
    let edit = (
        any::<u64>(),
        any::<u32>(),
        vec(value(), 1..3),
        text(),
        value(),
        value(),
    )
        .prop_map(|(id, window, key, column, expected, value)| {
            ClientMsg::Edit(Edit {
                id,
                window,
                key,
                column,
                expected,
                value,
            })
        });
    prop_oneof![
        any::<u64>().prop_map(|id| ClientMsg::ListTables(ListTables { id })),
        open().prop_map(ClientMsg::Open),
        moved,
        (any::<u32>(), any::<u64>())
            .prop_map(|(window, number)| ClientMsg::Ack(Ack { window, number })),
        any::<u32>().prop_map(|window| ClientMsg::Close(CloseWindow { window })),
        edit,
        any::<u64>().prop_map(|id| ClientMsg::Ping(Ping { id })),
        (any::<u64>(), view(), text(), text()).prop_map(|(id, view, name, token)| {
            ClientMsg::CreateIndex(CreateIndex {
                id,
                view,
                name,
                token,
            })
        }),
        any::<u64>().prop_map(|id| ClientMsg::CancelIndex(CancelIndex { id })),
        summaries::client_msg(),
    ]
}

fn hello() -> impl Strategy<Value = Hello> {
    let limits = (any::<u32>(), any::<u32>(), any::<u32>()).prop_map(
        |(frame_bytes_max, windows_max, window_rows_max)| Limits {
            frame_bytes_max,
            windows_max,
            window_rows_max,
        },
    );
    (any::<u32>(), text(), any::<u32>(), limits).prop_map(
        |(protocol, server, heartbeat_millis, limits)| Hello {
            protocol,
            server,
            heartbeat_millis,
            limits,
        },
    )
}

fn tables() -> impl Strategy<Value = Tables> {
    let table = (text(), option::of(any::<u64>()), option::of(text())).prop_map(
        |(name, estimated_rows, comment)| TableInfo {
            schema: name.clone(),
            table: name.clone(),
            kind: TableKind::Foreign,
            liveness: liveness(&comment),
            may: Privileges {
                insert: estimated_rows.is_some(),
                update: comment.is_some(),
                delete: true,
            },
            not_editable: comment.clone(),
            name,
            estimated_rows,
            comment,
        },
    );
    (any::<u64>(), vec(table, 0..4)).prop_map(|(id, tables)| Tables { id, tables })
}

fn liveness(reason: &Option<String>) -> Liveness {
    match reason {
        None => Liveness::Live,
        Some(reason) => Liveness::Polled {
            every_millis: 1_000,
            reason: reason.clone(),
        },
    }
}

fn opened() -> impl Strategy<Value = Opened> {
    let kind = prop::sample::select(vec![
        ColumnKind::Bool,
        ColumnKind::Numeric,
        ColumnKind::TimestampTz,
        ColumnKind::Enum,
        ColumnKind::Other,
    ]);
    let flags = (any::<bool>(), any::<bool>(), any::<bool>());
    let column = (
        text(),
        kind,
        text(),
        flags,
        vec(text(), 0..3),
        option::of(text()),
    )
        .prop_map(
            |(name, kind, type_name, (nullable, editable, sortable), labels, comment)| Column {
                name,
                kind,
                type_name,
                nullable,
                editable,
                sortable,
                labels,
                comment,
            },
        );
    let schema = (text(), vec(text(), 1..3), vec(column, 0..4)).prop_map(|(name, key, columns)| {
        TableSchema {
            not_editable: key.first().cloned(),
            liveness: liveness(&key.get(1).cloned()),
            name,
            key,
            columns,
        }
    });
    let highlight =
        (vec(text(), 0..3), any::<bool>()).prop_map(|(terms, at_word_start)| Highlight {
            terms,
            at_word_start,
        });
    (any::<u32>(), schema, option::of(highlight), any::<bool>()).prop_map(
        |(window, schema, highlight, ranked)| Opened {
            window,
            schema,
            highlight,
            ranked,
        },
    )
}

fn row_op() -> impl Strategy<Value = RowOp> {
    let row = (vec(value(), 1..3), vec(value(), 0..5))
        .prop_map(|(key, cells)| RowOp::Row(Row { key, cells }));
    prop_oneof![
        (any::<u32>(), any::<u32>()).prop_map(|(from, count)| RowOp::Keep { from, count }),
        (any::<u32>(), vec((any::<u32>(), value()), 0..4))
            .prop_map(|(from, cells)| RowOp::Patch { from, cells }),
        row,
    ]
}

fn update() -> impl Strategy<Value = Update> {
    let reason = prop::sample::select(vec![
        ResetReason::EpochChanged,
        ResetReason::HistoryExpired,
        ResetReason::SchemaChanged,
    ]);
    let numbers = (
        any::<u32>(),
        any::<u32>(),
        any::<u64>(),
        any::<u64>(),
        any::<u64>(),
    );
    let versions = (option::of(version()), version(), option::of(reason));
    let contents = (
        vec(row_op(), 0..6),
        vec(any::<u64>(), 0..3),
        option::of(any::<i64>()),
    );
    (numbers, versions, contents).prop_map(|(numbers, versions, contents)| {
        let (window, generation, number, start, total) = numbers;
        let (from, to, must_refetch) = versions;
        let (rows, edits, changed_at_micros) = contents;
        Update {
            window,
            generation,
            number,
            from,
            to,
            must_refetch,
            start,
            total,
            total_is_exact: true,
            rows,
            edits,
            changed_at_micros,
        }
    })
}

fn edit_outcome() -> impl Strategy<Value = EditOutcome> {
    prop_oneof![
        Just(EditOutcome::Applied),
        value().prop_map(|theirs| EditOutcome::Conflict { theirs }),
        Just(EditOutcome::Gone),
        text().prop_map(|message| EditOutcome::Rejected {
            code: ErrorCode::BadValue,
            message
        }),
    ]
}

fn advice() -> impl Strategy<Value = Advice> {
    let verdict = prop::sample::select(vec![
        ServedVerdict::Small,
        ServedVerdict::Ordered,
        ServedVerdict::Found,
        ServedVerdict::Unserved,
    ]);
    let served_by =
        (verdict, vec(text(), 0..3), option::of(text())).prop_map(|(verdict, indexes, note)| {
            ServedBy {
                verdict,
                indexes,
                note,
            }
        });
    let cost = (any::<u64>(), any::<u64>(), any::<u64>(), text()).prop_map(
        |(rows, planner_cost, millis, in_words)| OpeningCost {
            rows,
            planner_cost,
            millis,
            in_words,
        },
    );
    let measured = (any::<u64>(), any::<u64>(), text())
        .prop_map(|(millis, rows, how)| MeasuredOpening { millis, rows, how });
    let suggestion =
        (text(), text(), text()).prop_map(|(name, sql, why)| IndexSuggestion { name, sql, why });
    (
        any::<u32>(),
        served_by,
        cost,
        option::of(measured),
        option::of(suggestion),
        option::of(text()),
    )
        .prop_map(
            |(window, served_by, cost, measured, suggestion, warning)| Advice {
                window,
                served_by,
                cost,
                measured,
                suggestion,
                warning,
            },
        )
}

fn index_state() -> impl Strategy<Value = IndexState> {
    prop_oneof![
        (text(), any::<u64>(), any::<u64>()).prop_map(|(phase, done, total)| IndexState::Running {
            phase,
            done,
            total
        }),
        any::<u64>().prop_map(|millis| IndexState::Done { millis }),
        text().prop_map(|message| IndexState::Failed {
            code: ErrorCode::IndexFailed,
            message,
        }),
    ]
}

pub(crate) fn server_msg() -> impl Strategy<Value = ServerMsg> {
    let code = prop::sample::select(vec![ErrorCode::BadMessage, ErrorCode::Internal]);
    let error = (code, text(), option::of(any::<u32>())).prop_map(|(code, message, window)| {
        ServerMsg::Error(ErrorMsg {
            code,
            message,
            window,
        })
    });
    let status = prop_oneof![
        Just(Status::Live),
        (any::<i64>(), text()).prop_map(|(since_micros, reason)| Status::Stale {
            since_micros,
            reason
        }),
    ];
    prop_oneof![
        hello().prop_map(ServerMsg::Hello),
        tables().prop_map(ServerMsg::Tables),
        opened().prop_map(ServerMsg::Opened),
        update().prop_map(ServerMsg::Update),
        (any::<u64>(), edit_outcome())
            .prop_map(|(id, outcome)| ServerMsg::EditResult(EditResult { id, outcome })),
        status.prop_map(ServerMsg::Status),
        error,
        any::<i64>().prop_map(|time_micros| ServerMsg::Heartbeat(Heartbeat { time_micros })),
        (any::<u64>(), any::<i64>())
            .prop_map(|(id, time_micros)| ServerMsg::Pong(Pong { id, time_micros })),
        advice().prop_map(|advice| ServerMsg::Advice(Box::new(advice))),
        (any::<u64>(), index_state())
            .prop_map(|(id, state)| ServerMsg::IndexProgress(IndexProgress { id, state })),
        summaries::server_msg(),
    ]
}
