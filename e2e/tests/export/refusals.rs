//! What makes no sense is refused with a code that says why, before anything is read.

use e2e::{TestDatabase, TestServer};

use crate::download::{address, begin, get};

/// Parameters of a request for `t`, and what it is refused with.
const WRONG: [(&str, u16, &str); 20] = [
    ("", 400, "bad_parameter"),
    ("format=", 400, "bad_parameter"),
    ("format=pdf", 400, "bad_parameter"),
    ("format=csv&format=csv", 400, "duplicate_parameter"),
    ("format=csv&limit=1", 400, "unknown_parameter"),
    ("format=csv&view=%7B%7D&sort=id", 400, "unknown_parameter"),
    ("format=jsonl&bom=true", 400, "bad_parameter"),
    ("format=csv&formulas=1", 400, "bad_parameter"),
    ("format=csv&view=[]", 400, "bad_parameter"),
    ("format=csv&view=%7B%22rows%22:5%7D", 400, "bad_parameter"),
    (
        "format=csv&view=%7B%22table%22:%22u%22%7D",
        400,
        "bad_parameter",
    ),
    ("format=csv&columns=id,id", 400, "bad_parameter"),
    ("format=csv&columns=", 400, "bad_parameter"),
    ("format=csv&columns=id,nope", 400, "unknown_column"),
    ("format=csv&sort=doc", 400, "bad_sort"),
    (
        "format=csv&sort=id%3Bdrop%20table%20t",
        400,
        "unknown_column",
    ),
    ("format=csv&filter=id%20%3D%20x", 400, "bad_value"),
    ("format=csv&name=eq.%00", 400, "bad_value"),
    ("format=csv&filter=id%20%3D", 400, "bad_filter"),
    ("format=csv&name=eq.%ff", 400, "bad_parameter"),
];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_wrong_is_refused_with_a_code() {
    let database = TestDatabase::new().await;
    let sql =
        "CREATE TABLE t (id int PRIMARY KEY, name text, doc json); INSERT INTO t VALUES (1, 'a')";
    database.install(sql, &["t"]).await;
    let server = TestServer::start(&database).await;
    let nested = format!("{}{{\"and\":[]}}{}", "{\"not\":".repeat(40), "}".repeat(40));
    let deep = address(
        "t",
        &[
            ("format", "csv"),
            ("view", &format!("{{\"filter\":{nested}}}")),
        ],
    );
    let others = [
        (deep, 400, "bad_parameter"),
        (
            address("pg_catalog.pg_authid; x", &[("format", "csv")]),
            404,
            "unknown_table",
        ),
        (
            "/api/v1/tables/%ff%fe/export?format=csv".to_owned(),
            400,
            "bad_parameter",
        ),
    ];
    let wrong = WRONG
        .map(|(query, status, code)| (format!("/api/v1/tables/t/export?{query}"), status, code));
    for (path, status, code) in wrong.into_iter().chain(others) {
        let answer = get(server.address(), &path).await;
        let said = format!("{path}: {}", answer.text());
        assert_eq!(
            (answer.status, answer.code().as_str()),
            (status, code),
            "{said}"
        );
        assert_eq!(answer.header("content-type"), "application/problem+json");
    }
    let path = address("t", &[("format", "csv")]);
    assert_eq!(begin(server.address(), "POST", &path).await.status(), 405);
    assert_eq!(
        get(server.address(), &path).await.text(),
        "id,name,doc\r\n1,a,\r\n"
    );
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_view_too_long_for_a_worksheet_is_refused_before_it_begins() {
    let database = TestDatabase::new().await;
    let sql = "CREATE TABLE long (id int PRIMARY KEY); \
               INSERT INTO long SELECT generate_series(1, 1048576)";
    database.install(sql, &["long"]).await;
    let server = TestServer::start(&database).await;
    let answer = get(server.address(), &address("long", &[("format", "xlsx")])).await;
    assert_eq!(
        (answer.status, answer.code().as_str()),
        (422, "too_many_rows")
    );
    assert!(answer.text().contains("1048575"), "{}", answer.text());
    let view = r#"{"filter":{"test":{"column":"id","op":"<=","values":[3]}}}"#;
    let some = get(
        server.address(),
        &address("long", &[("format", "xlsx"), ("view", view)]),
    )
    .await;
    assert!(some.status == 200 && some.body.starts_with(b"PK"));
    server.stop().await;
}
