//! Strategies for messages about summaries.

use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use protocol::{
    AckSummary, Aggregate, AggregateOp, Buckets, ClientMsg, ColumnKind, ErrorCode, GroupBy,
    GroupOrder, GroupTerm, ServerMsg, ShowGroups, Summarize, Summarized, SummaryRefused,
    SummaryUpdate, SummaryValue, Unsummarize,
};

use super::{row_op, text, value, version, view};

fn op() -> impl Strategy<Value = AggregateOp> {
    prop::sample::select(vec![
        AggregateOp::Count,
        AggregateOp::Sum,
        AggregateOp::Avg,
        AggregateOp::Min,
        AggregateOp::Max,
    ])
}

fn summarize() -> impl Strategy<Value = ClientMsg> {
    let buckets = prop_oneof![
        any::<u32>().prop_map(Buckets::Count),
        vec(value(), 0..4).prop_map(Buckets::Bounds),
    ];
    let by =
        (text(), option::of(buckets)).prop_map(|(column, buckets)| GroupBy { column, buckets });
    let aggregate = (op(), option::of(text())).prop_map(|(op, column)| Aggregate { op, column });
    let term = prop_oneof![
        any::<u32>().prop_map(GroupTerm::Key),
        any::<u32>().prop_map(GroupTerm::Value),
    ];
    let order = (term, any::<bool>()).prop_map(|(by, descending)| GroupOrder {
        by,
        descending,
        nulls: None,
    });
    let numbers = (any::<u32>(), any::<u32>(), any::<u64>(), any::<u32>());
    let lists = (vec(by, 0..3), vec(aggregate, 0..3), vec(order, 0..3));
    (numbers, view(), lists).prop_map(|(numbers, view, (by, aggregates, order))| {
        let (summary, generation, start, count) = numbers;
        ClientMsg::Summarize(Box::new(Summarize {
            summary,
            generation,
            view,
            by,
            aggregates,
            order,
            start,
            count,
        }))
    })
}

pub(crate) fn client_msg() -> impl Strategy<Value = ClientMsg> {
    let numbers = (any::<u32>(), any::<u32>(), any::<u64>(), any::<u32>());
    prop_oneof![
        summarize(),
        (numbers, any::<u64>()).prop_map(|((summary, generation, start, count), received)| {
            ClientMsg::ShowGroups(ShowGroups {
                summary,
                generation,
                start,
                count,
                received,
            })
        }),
        (any::<u32>(), any::<u64>())
            .prop_map(|(summary, number)| ClientMsg::AckSummary(AckSummary { summary, number })),
        any::<u32>().prop_map(|summary| ClientMsg::Unsummarize(Unsummarize { summary })),
    ]
}

pub(crate) fn server_msg() -> impl Strategy<Value = ServerMsg> {
    let values = vec((op(), option::of(text())), 0..3).prop_map(|values| {
        let value = |(op, column)| SummaryValue {
            op,
            column,
            kind: ColumnKind::Numeric,
        };
        values.into_iter().map(value).collect::<Vec<_>>()
    });
    let numbers = (any::<u32>(), any::<u32>(), any::<u64>(), any::<u64>());
    let counts = (any::<u64>(), any::<u64>(), any::<u64>());
    let contents = (
        option::of(version()),
        version(),
        vec(row_op(), 0..4),
        option::of(any::<i64>()),
    );
    prop_oneof![
        (any::<u32>(), text(), values).prop_map(|(summary, table, values)| {
            ServerMsg::Summarized(Summarized {
                summary,
                table,
                keys: Vec::new(),
                values,
            })
        }),
        (numbers, counts, contents).prop_map(|(numbers, counts, contents)| {
            let (summary, generation, number, start) = numbers;
            let (groups, rows, rest) = counts;
            let (from, to, shown, changed_at_micros) = contents;
            ServerMsg::Summary(SummaryUpdate {
                summary,
                generation,
                number,
                from,
                to,
                start,
                groups,
                rows,
                rest,
                shown,
                changed_at_micros,
            })
        }),
        (any::<u32>(), text()).prop_map(|(summary, message)| {
            ServerMsg::SummaryRefused(SummaryRefused {
                summary,
                code: ErrorCode::TooManyGroups,
                message,
            })
        }),
    ]
}
