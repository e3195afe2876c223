//! Messages about summaries.

use protocol::{
    AckSummary, Aggregate, AggregateOp, Buckets, ClientMsg, Column, ColumnKind, ErrorCode, Filter,
    FilterOp, GroupBy, GroupOrder, GroupTerm, NullsOrder, Row, RowOp, ServerMsg, ShowGroups,
    Summarize, Summarized, SummaryKey, SummaryRefused, SummaryUpdate, SummaryValue, Unsummarize,
    Value, Version, ViewSpec,
};

pub(crate) fn client_messages() -> Vec<(&'static str, ClientMsg)> {
    let filter = Filter::test("active", FilterOp::Eq, true);
    let by = |column: &str, buckets| GroupBy {
        column: column.to_owned(),
        buckets,
    };
    let aggregate = |op| Aggregate {
        op,
        column: Some("price".to_owned()),
    };
    let order = |by, nulls| GroupOrder {
        by,
        descending: true,
        nulls,
    };
    let bounds = Buckets::Bounds(vec![Value::Int(0), Value::text("9.99")]);
    let all = [
        AggregateOp::Count,
        AggregateOp::Sum,
        AggregateOp::Avg,
        AggregateOp::Min,
        AggregateOp::Max,
    ];
    vec![
        (
            "client_summarize",
            ClientMsg::Summarize(Box::new(Summarize {
                summary: 3,
                generation: 0,
                view: ViewSpec {
                    filter: Some(filter),
                    ..ViewSpec::table("products")
                },
                by: vec![
                    by("category", None),
                    by("created_at", Some(Buckets::Count(20))),
                    by("price", Some(bounds)),
                ],
                aggregates: all.map(aggregate).to_vec(),
                order: vec![
                    order(GroupTerm::Value(0), None),
                    order(GroupTerm::Key(1), Some(NullsOrder::Last)),
                ],
                start: 0,
                count: 100,
            })),
        ),
        (
            "client_show_groups",
            ClientMsg::ShowGroups(ShowGroups {
                summary: 3,
                generation: 1,
                start: 100,
                count: 50,
                received: 2,
            }),
        ),
        (
            "client_ack_summary",
            ClientMsg::AckSummary(AckSummary {
                summary: 3,
                number: 2,
            }),
        ),
        (
            "client_unsummarize",
            ClientMsg::Unsummarize(Unsummarize { summary: 3 }),
        ),
    ]
}

pub(crate) fn server_messages() -> Vec<(&'static str, ServerMsg)> {
    let column = |name: &str, kind, type_name: &str| Column {
        name: name.to_owned(),
        kind,
        type_name: type_name.to_owned(),
        nullable: false,
        editable: true,
        sortable: true,
        labels: Vec::new(),
        comment: None,
    };
    let value = |op, column: Option<&str>, kind| SummaryValue {
        op,
        column: column.map(ToOwned::to_owned),
        kind,
    };
    vec![
        (
            "server_summarized",
            ServerMsg::Summarized(Summarized {
                summary: 3,
                table: "public.products".to_owned(),
                keys: vec![
                    SummaryKey {
                        column: column("category", ColumnKind::Text, "text"),
                        bounds: None,
                    },
                    SummaryKey {
                        column: column("price", ColumnKind::Numeric, "numeric(12,2)"),
                        bounds: Some(vec![Value::text("0"), Value::text("9.99")]),
                    },
                ],
                values: vec![
                    value(AggregateOp::Count, None, ColumnKind::Int),
                    value(AggregateOp::Sum, Some("price"), ColumnKind::Numeric),
                ],
            }),
        ),
        ("server_summary", ServerMsg::Summary(summary())),
        (
            "server_summary_refused",
            ServerMsg::SummaryRefused(SummaryRefused {
                summary: 3,
                code: ErrorCode::TooManyGroups,
                message: "more than 100,000 groups; group by fewer columns".to_owned(),
            }),
        ),
    ]
}

fn summary() -> SummaryUpdate {
    SummaryUpdate {
        summary: 3,
        generation: 1,
        number: 2,
        from: Some(Version("e/767:767:".to_owned())),
        to: Version("e/768:768:".to_owned()),
        start: 0,
        groups: 7,
        rows: 1_000,
        rest: 10,
        shown: vec![
            RowOp::Keep { from: 0, count: 2 },
            RowOp::Patch {
                from: 2,
                cells: vec![(0, Value::Int(41))],
            },
            RowOp::Row(Row {
                key: vec![Value::text("Toys"), Value::Null],
                cells: vec![Value::Int(3), Value::text("29.97")],
            }),
        ],
        changed_at_micros: Some(1_795_268_700_123_456),
    }
}
