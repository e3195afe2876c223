//! What makes no sense is refused by its code, and the message names what would.

use e2e::RawSocket;
use protocol::ErrorCode::{
    self, BadFilter, BadRange, BadSummary, BadValue, UnknownColumn, UnknownTable,
};
use protocol::ServerMsg;

use crate::started;

/// A part of a request that asks for five groups of `items`, its code, and what the message names.
const PARTS: [(&str, ErrorCode, &str); 20] = [
    (r#""by":[{"column":"nope"}]"#, UnknownColumn, "it has id"),
    (
        r#""aggregates":[{"op":"sum","column":"nope"}]"#,
        UnknownColumn,
        "it has id",
    ),
    (
        r#""aggregates":[{"op":"sum","column":"kind"}]"#,
        BadSummary,
        "id, price, stock, weight",
    ),
    (r#""aggregates":[{"op":"avg"}]"#, BadSummary, "only count"),
    (
        r#""aggregates":[{"op":"max","column":"tags"}]"#,
        BadSummary,
        "id, kind, name",
    ),
    (
        r#""by":[{"column":"tags"}]"#,
        BadSummary,
        "cannot be grouped by",
    ),
    (
        r#""by":[{"column":"place"}]"#,
        BadSummary,
        "cannot be grouped by",
    ),
    (
        r#""by":[{"column":"note"}]"#,
        BadSummary,
        "cannot be grouped by",
    ),
    (
        r#""by":[{"column":"kind"},{"column":"kind"}]"#,
        BadSummary,
        "twice",
    ),
    (
        r#""by":[{"column":"kind","buckets":{"count":5}}]"#,
        BadSummary,
        "id, price, stock, weight, made",
    ),
    (
        r#""by":[{"column":"price","buckets":{"count":0}}]"#,
        BadSummary,
        "1 to 500",
    ),
    (
        r#""by":[{"column":"price","buckets":{"count":501}}]"#,
        BadSummary,
        "1 to 500",
    ),
    (
        r#""by":[{"column":"price","buckets":{"bounds":[]}}]"#,
        BadSummary,
        "1 to 500",
    ),
    (
        r#""by":[{"column":"price","buckets":{"bounds":[2,1]}}]"#,
        BadSummary,
        "ascend",
    ),
    (
        r#""by":[{"column":"price","buckets":{"bounds":[1,1]}}]"#,
        BadSummary,
        "ascend",
    ),
    (
        r#""by":[{"column":"price","buckets":{"bounds":[null]}}]"#,
        BadValue,
        "null",
    ),
    (
        r#""by":[{"column":"price","buckets":{"bounds":["x"]}}]"#,
        BadValue,
        "numeric",
    ),
    (
        r#""by":[{"column":"price","buckets":{"bounds":["1) OR true; --"]}}]"#,
        BadValue,
        "numeric",
    ),
    (r#""order":[{"by":{"key":0}}]"#, BadSummary, "there are 0"),
    (r#""order":[{"by":{"value":1}}]"#, BadSummary, "there are 1"),
];

const RANGES: [(&str, ErrorCode, &str); 3] = [
    (r#""count":0"#, BadRange, "1 to 1000"),
    (r#""count":1000000000"#, BadRange, "1 to 1000"),
    (r#""start":9223372036854775808,"count":1"#, BadRange, "2^63"),
];

const VIEWS: [(&str, ErrorCode, &str); 3] = [
    (r#"{"table":"nope"}"#, UnknownTable, "list_tables"),
    (
        r#"{"table":"items","filter":{"test":{"column":"kind","op":"=","values":[null]}}}"#,
        BadFilter,
        "is_null",
    ),
    (
        r#"{"table":"items","filter":{"test":{"column":"price","op":"=","values":["x"]}}}"#,
        BadValue,
        "numeric",
    ),
];

fn request(view: &str, part: &str) -> String {
    format!(r#"{{"summarize":{{"summary":7,"view":{view},{part}}}}}"#)
}

#[tokio::test]
async fn nonsense_is_refused() {
    let (_database, server) = started().await;
    let mut socket = RawSocket::connect(&server.socket_url()).await;
    let items = r#"{"table":"items"}"#;
    let mut requests = Vec::new();
    for (part, code, hint) in PARTS {
        requests.push((request(items, &format!("{part},\"count\":5")), code, hint));
    }
    for (part, code, hint) in RANGES {
        requests.push((request(items, part), code, hint));
    }
    for (view, code, hint) in VIEWS {
        requests.push((request(view, "\"count\":5"), code, hint));
    }
    let keys = [r#"{"column":"kind"}"#; 9].join(",");
    let part = format!(r#""by":[{keys}],"count":1"#);
    requests.push((request(items, &part), BadSummary, "8 keys"));
    let aggregates = [r#"{"op":"count"}"#; 33].join(",");
    let part = format!(r#""aggregates":[{aggregates}],"count":1"#);
    requests.push((request(items, &part), BadSummary, "32 aggregates"));
    for (request, code, hint) in requests {
        socket.send_text(&request).await;
        let is_answer = |message: &ServerMsg| {
            matches!(
                message,
                ServerMsg::SummaryRefused(_) | ServerMsg::Summarized(_)
            )
        };
        match socket.expect("a refusal", is_answer).await {
            ServerMsg::SummaryRefused(refused) => {
                assert_eq!(refused.code, code, "{request}: {}", refused.message);
                assert!(
                    refused.message.contains(hint),
                    "{request}: {}",
                    refused.message
                );
                assert_eq!(refused.summary, 7);
            }
            other => panic!("{request}: {other:?}"),
        }
    }
    server.stop().await;
}

/// Numbers that are in use or not, and too many of them.
#[tokio::test]
async fn summaries_have_numbers() {
    let (_database, server) = started().await;
    let mut socket = RawSocket::connect(&server.socket_url()).await;
    let one = |id: u32| {
        format!(r#"{{"summarize":{{"summary":{id},"view":{{"table":"items"}},"count":5}}}}"#)
    };
    for id in 0..16 {
        socket.send_text(&one(id)).await;
    }
    let show = r#"{"show_groups":{"summary":3,"generation":1,"start":0,"count":0}}"#;
    let requests = [
        (one(3), ErrorCode::DuplicateSummary),
        (
            r#"{"unsummarize":{"summary":99}}"#.to_owned(),
            ErrorCode::UnknownSummary,
        ),
        (
            r#"{"ack_summary":{"summary":99,"number":1}}"#.to_owned(),
            ErrorCode::UnknownSummary,
        ),
        (show.to_owned(), BadRange),
    ];
    for (request, code) in requests {
        socket.send_text(&request).await;
        let error = socket.expect("an error", |message| matches!(message, ServerMsg::Error(_)));
        match error.await {
            ServerMsg::Error(error) => assert_eq!(error.code, code, "{request}: {}", error.message),
            other => panic!("{other:?}"),
        }
    }
    socket.send_text(&one(16)).await;
    let too_many = |message: &ServerMsg| matches!(message, ServerMsg::SummaryRefused(refused) if refused.code == ErrorCode::TooManySummaries);
    socket.expect("a refusal", too_many).await;
    socket.send_text(r#"{"unsummarize":{"summary":3}}"#).await;
    socket.send_text(&one(3)).await;
    let is_kept =
        |message: &ServerMsg| matches!(message, ServerMsg::Summarized(told) if told.summary == 3);
    socket.expect("it is kept", is_kept).await;
    server.stop().await;
}
