//! What makes no sense is refused, and the message says what does.

use e2e::{RawSocket, TestDatabase, TestServer};
use protocol::{ErrorCode, ErrorMsg, Filter, FilterOp, ServerMsg, ViewSpec};

use crate::test;

const TABLE: &str = "
    CREATE TABLE things (
        id integer PRIMARY KEY, name text, made date, tags text[], doc jsonb, raw json,
        place point, places point[], amount numeric
    );
    INSERT INTO things (id, name) VALUES (1, 'one');
    CREATE TABLE wordless (id integer PRIMARY KEY);";

async fn started() -> (TestDatabase, TestServer, RawSocket) {
    let database = TestDatabase::new().await;
    database.install(TABLE, &["things", "wordless"]).await;
    let server = TestServer::start(&database).await;
    let socket = RawSocket::connect(&server.socket_url()).await;
    (database, server, socket)
}

async fn refusal(socket: &mut RawSocket, view: &ViewSpec) -> ErrorMsg {
    let open = serde_json::json!({"open": {"window": 1, "view": view, "count": 5}});
    socket.send_text(&open.to_string()).await;
    let is_answer =
        |message: &ServerMsg| matches!(message, ServerMsg::Error(_) | ServerMsg::Opened(_));
    match socket.expect("a refusal", is_answer).await {
        ServerMsg::Error(error) => error,
        other => panic!("{other:?}"),
    }
}

async fn refused_filter(socket: &mut RawSocket, filter: Filter) -> ErrorMsg {
    let view = ViewSpec {
        filter: Some(filter),
        ..ViewSpec::table("things")
    };
    refusal(socket, &view).await
}

/// Which operators each type takes, and that the refusal of every other names them.
#[tokio::test]
async fn an_operator_that_does_not_fit_is_refused_with_those_that_do() {
    use FilterOp as Op;
    let (_database, _server, mut socket) = started().await;
    let of_text = ["contains", "starts_with", "is_null", "matches", "imatches"];
    let relative = ["within_last", "within_next"];
    let arrays = ["array_contains", "array_contained", "overlaps"];
    let compared = ["=", "!=", "<", "<=", ">", ">=", "between", "in"];
    let json = ["json_contains", "json_path"];
    let takes: [(&str, Vec<&str>); 8] = [
        ("id", [&compared[..], &of_text].concat()),
        ("name", [&compared[..], &of_text].concat()),
        ("made", [&compared[..], &of_text, &relative].concat()),
        ("tags", [&compared[..], &of_text, &arrays].concat()),
        ("doc", [&compared[..], &of_text, &json].concat()),
        ("raw", of_text.to_vec()),
        ("place", of_text.to_vec()),
        ("amount", [&compared[..], &of_text].concat()),
    ];
    for (column, takes) in takes {
        for op in Op::ALL {
            if takes.contains(&op.name()) {
                continue;
            }
            let error = refused_filter(&mut socket, test(column, op, &["1"])).await;
            assert_eq!(error.code, ErrorCode::BadFilter, "{column} {op:?}");
            let (_, listed) = error.message.split_once("it takes ").unwrap();
            let listed: Vec<&str> = listed.split(", ").collect();
            assert_eq!(listed, takes, "{}", error.message);
        }
    }
}

/// A column, an operator, values that it does not take, and how that is said.
type BadValue<'a> = (&'a str, FilterOp, Vec<&'a str>, ErrorCode, &'a str);

fn bad_values<'a>(long: &'a str, many: &[&'a str]) -> Vec<BadValue<'a>> {
    use ErrorCode::{BadFilter, BadValue};
    use FilterOp as Op;
    vec![
        ("name", Op::Matches, vec!["(a"], BadValue, "parentheses"),
        (
            "name",
            Op::IMatches,
            vec!["a{2,1}"],
            BadValue,
            "regular expression",
        ),
        (
            "name",
            Op::Matches,
            vec!["((((x{255}){255}){255}){255})"],
            BadValue,
            "too complex",
        ),
        ("name", Op::Matches, vec![long], BadValue, "1000 characters"),
        (
            "name",
            Op::Contains,
            vec![long],
            BadValue,
            "1000 characters",
        ),
        ("name", Op::Matches, vec!["a", "b"], BadFilter, "one value"),
        ("name", Op::Matches, vec!["a\0"], BadValue, "zero byte"),
        ("tags", Op::Overlaps, vec![], BadFilter, "1 to 500"),
        ("tags", Op::Overlaps, many.to_vec(), BadFilter, "1 to 500"),
        ("id", Op::In, many.to_vec(), BadFilter, "1 to 500"),
        (
            "places",
            Op::ArrayContains,
            vec!["(1,2)"],
            BadFilter,
            "equality",
        ),
        ("doc", Op::JsonContains, vec!["{a}"], BadValue, "json"),
        ("doc", Op::JsonPath, vec!["$.["], BadValue, "jsonpath"),
        ("doc", Op::JsonPath, vec!["$.a > $x"], BadFilter, "variable"),
        ("doc", Op::JsonPath, vec![long], BadValue, "1000 characters"),
        ("made", Op::WithinLast, vec!["soon"], BadValue, "interval"),
        (
            "made",
            Op::WithinLast,
            vec!["-7 days"],
            BadValue,
            "positive",
        ),
        ("made", Op::WithinNext, vec!["0"], BadValue, "positive"),
        (
            "made",
            Op::WithinNext,
            vec!["5000 years"],
            BadValue,
            "1000 years",
        ),
    ]
}

#[tokio::test]
async fn a_bad_value_is_refused_in_postgres_words() {
    let (_database, _server, mut socket) = started().await;
    let long = "x".repeat(1_001);
    let many = vec!["1"; 501];
    let cases = bad_values(&long, &many);
    for (column, op, values, code, says) in cases {
        let error = refused_filter(&mut socket, test(column, op, &values)).await;
        let shown = format!("{column} {op:?} {:.40?}: {}", values, error.message);
        assert_eq!(error.code, code, "{shown}");
        assert!(error.message.contains(says), "{shown}");
    }
}

/// Data is data.
#[tokio::test]
async fn what_is_looked_for_is_only_looked_for() {
    use FilterOp as Op;
    let (_database, _server, mut socket) = started().await;
    for value in [
        "' OR 1=1 --",
        "$1",
        r"\'",
        "\u{2019}; DROP TABLE things",
        "%",
        "_",
        "\\",
    ] {
        for op in [Op::Eq, Op::Contains, Op::StartsWith] {
            let error_or_rows = opens(&mut socket, test("name", op, &[value]), None).await;
            assert_eq!(error_or_rows, Ok(0), "{op:?} {value}");
        }
        assert_eq!(
            opens(&mut socket, Filter::And(vec![]), Some(value)).await,
            Ok(0),
            "{value}"
        );
    }
    assert_eq!(opens(&mut socket, Filter::And(vec![]), None).await, Ok(1));
}

/// Opens a window and closes it: the number of its rows.
async fn opens(
    socket: &mut RawSocket,
    filter: Filter,
    search: Option<&str>,
) -> Result<u64, ErrorMsg> {
    let view = ViewSpec {
        filter: Some(filter),
        search: search.map(ToOwned::to_owned),
        ..ViewSpec::table("things")
    };
    let open = serde_json::json!({"open": {"window": 5, "view": view, "count": 5}});
    socket.send_text(&open.to_string()).await;
    let is_answer = |message: &ServerMsg| match message {
        ServerMsg::Error(_) => true,
        ServerMsg::Update(update) => update.window == 5,
        _ => false,
    };
    let answer = socket.expect("rows or an error", is_answer).await;
    socket.send_text(r#"{"close":{"window":5}}"#).await;
    match answer {
        ServerMsg::Error(error) => Err(error),
        ServerMsg::Update(update) => Ok(update.rows.len() as u64),
        _ => unreachable!(),
    }
}

/// Far too much of everything costs the server little and nobody else anything.
#[tokio::test]
async fn too_much_is_refused() {
    let (_database, _server, mut socket) = started().await;
    let one = r#"{"test":{"column":"id","op":"=","values":[1]}}"#;
    let tests = |count: usize| format!(r#"{{"or":[{}]}}"#, vec![one; count].join(","));
    let values = vec!["1"; 100_000].join(",");
    let nested = format!("{}{one}{}", r#"{"not":"#.repeat(1_000), "}".repeat(1_000));
    let cases = [
        (format!(r#""filter":{}"#, tests(65)), ErrorCode::BadFilter),
        (
            format!(r#""filter":{}"#, tests(5_000)),
            ErrorCode::BadFilter,
        ),
        (format!(r#""filter":{nested}"#), ErrorCode::BadMessage),
        (
            format!(r#""filter":{{"test":{{"column":"id","op":"in","values":[{values}]}}}}"#),
            ErrorCode::BadFilter,
        ),
        (
            format!(r#""search":"{}""#, "x".repeat(10_000)),
            ErrorCode::BadSearch,
        ),
        (
            format!(r#""search":"{}""#, "a ".repeat(17)),
            ErrorCode::BadSearch,
        ),
        (r#""search":"a\u0000b""#.to_owned(), ErrorCode::BadSearch),
    ];
    for (view, code) in cases {
        let open =
            format!(r#"{{"open":{{"window":1,"view":{{"table":"things",{view}}},"count":5}}}}"#);
        socket.send_text(&open).await;
        let is_error = |message: &ServerMsg| matches!(message, ServerMsg::Error(_));
        let ServerMsg::Error(error) = socket.expect("an error", is_error).await else {
            unreachable!()
        };
        assert_eq!(error.code, code, "{view:.60}: {}", error.message);
    }
    let wordless = ViewSpec {
        search: Some("one".to_owned()),
        ..ViewSpec::table("wordless")
    };
    let error = refusal(&mut socket, &wordless).await;
    assert_eq!(error.code, ErrorCode::BadSearch, "{}", error.message);
    assert_eq!(opens(&mut socket, Filter::And(vec![]), None).await, Ok(1));
}
