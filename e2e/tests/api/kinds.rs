//! Tables that are not live, have no key or are not ours alone; views that are expensive; dates that move.

use e2e::http::ask;
use e2e::{TestDatabase, TestServer};
use serde_json::{Value, json};
use server::{Database, ServerOptions};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::fixture::{Fixture, JSON, address, assert_refused};

#[tokio::test]
async fn views_and_tables_without_a_key_have_pages() {
    let fixture = Fixture::start().await;
    fixture
        .database
        .execute(
            "CREATE TABLE heap (a int, b text); INSERT INTO heap SELECT n / 2, 'x' FROM generate_series(1, 10) AS n; \
             CREATE VIEW sums AS SELECT mood, count(*) AS items FROM items GROUP BY mood; \
             CREATE TABLE unwatched (id int PRIMARY KEY, t text); INSERT INTO unwatched SELECT n, 'u' || n FROM generate_series(1, 30) AS n",
        )
        .await;
    let heap = fixture
        .get("/tables/heap/rows?limit=4&sort=-a&total=exact")
        .await
        .json();
    let rows =
        json!([{"a": 5, "b": "x"}, {"a": 4, "b": "x"}, {"a": 4, "b": "x"}, {"a": 3, "b": "x"}]);
    assert_eq!((&heap["rows"], &heap["total"]), (&rows, &json!(10)));
    assert_eq!(
        (&heap["has_more"], &heap["next_cursor"]),
        (&json!(true), &Value::Null)
    );
    assert_refused(
        "no key",
        &fixture.get("/tables/heap/rows/1").await,
        400,
        "bad_key",
    );
    let sums = fixture
        .get("/tables/sums/rows?mood=eq.happy&columns=items")
        .await
        .json();
    assert_eq!(sums["rows"], json!([{"items": 50}]));
    let body = br#"{"mood": "ok", "items": 1}"#;
    let answer = fixture
        .send("POST", "/tables/sums/rows", &[JSON], body)
        .await;
    assert_refused("a view of groups", &answer, 403, "not_editable");

    let page = fixture
        .get("/tables/unwatched/rows?limit=3&sort=-id")
        .await
        .json();
    let next = page["next_cursor"].as_str().unwrap();
    let page = fixture
        .get(&format!(
            "/tables/unwatched/rows?limit=3&sort=-id&cursor={next}"
        ))
        .await;
    assert_eq!(page.json()["rows"][0]["id"], 27);
    let new = fixture
        .send("POST", "/tables/unwatched/rows", &[JSON], br#"{"id": 31}"#)
        .await;
    assert_eq!(new.status, 201, "{}", new.text());
}

#[tokio::test]
async fn searches_and_moving_dates_have_pages_and_cursors() {
    let fixture = Fixture::start().await;
    fixture
        .database
        .execute("UPDATE items SET added = now() - id * interval '1 day' - interval '1 hour' WHERE id < 50")
        .await;
    for asked in [("q", "Item 1"), ("added", "within_last.20 days")] {
        let all = [
            asked,
            ("limit", "7"),
            ("columns", "id"),
            ("sort", "-id"),
            ("total", "exact"),
        ];
        let first = fixture.items(&all).await.json();
        let total = first["total"].as_u64().unwrap();
        assert!(total > 10, "{first}");
        let mut ids: Vec<Value> = Vec::new();
        let mut page = first;
        loop {
            ids.extend(
                page["rows"]
                    .as_array()
                    .unwrap()
                    .iter()
                    .map(|row| row["id"].clone()),
            );
            let Some(next) = page["next_cursor"].as_str().map(str::to_owned) else {
                break;
            };
            let mut behind = all[..4].to_vec();
            behind.push(("cursor", &next));
            page = fixture.items(&behind).await.json();
        }
        let condition = match asked.0 {
            "q" => {
                "concat_ws('|', name, code) ILIKE '%item%' \
                     AND concat_ws('|', name, code) ILIKE '%1%'"
            }
            _ => "added BETWEEN now() - interval '20 days' AND now()",
        };
        let expected = format!("SELECT json_agg(id ORDER BY id DESC) FROM items WHERE {condition}");
        assert_eq!(
            (json!(ids), ids.len() as u64),
            (fixture.sql(&expected).await, total),
            "{asked:?}"
        );
    }
    let long = "x".repeat(10_000);
    assert_refused(
        "10 kB",
        &fixture.items(&[("q", &long)]).await,
        400,
        "bad_search",
    );
    for text in ["%", "_", "\\", &"a%".repeat(90)] {
        let found = fixture
            .items(&[("q", text), ("total", "exact")])
            .await
            .json();
        assert_eq!(found["total"], 0, "{text} is a text like any other");
    }
}

#[tokio::test]
async fn what_is_expensive_must_be_meant() {
    let database = TestDatabase::new().await;
    let parts = "CREATE TABLE parts (id int PRIMARY KEY, name text, pad text); \
                 INSERT INTO parts SELECT n, md5(n::text), repeat('x', 300) FROM generate_series(1, 200000) AS n; \
                 ANALYZE parts";
    database.install(parts, &["parts"]).await;
    let options = ServerOptions {
        expensive_cost: 100,
        ..TestServer::options(&database)
    };
    let server = TestServer::with(options).await;
    let get = async |more: &str| {
        let path = format!("/api/v1/tables/parts/rows?limit=5&columns=id{more}");
        ask(server.address(), "GET", &path, &[], b"").await
    };
    let answer = get("&sort=-name").await;
    assert_refused("a sort without an index", &answer, 422, "expensive");
    assert_eq!(answer.json()["allowed"], json!(["allow"]));
    let page = get("&sort=-name&expensive=allow").await;
    assert_eq!(page.status, 200, "{}", page.text());
    let page = page.json();
    let cursor = page["next_cursor"].as_str().unwrap();
    let next = format!("&sort=-name&cursor={cursor}");
    assert_refused("behind a cursor too", &get(&next).await, 422, "expensive");
    assert_eq!(get(&format!("{next}&expensive=allow")).await.status, 200);
    assert_eq!(get("&sort=-id").await.status, 200);
}

/// A database with notes of several owners, and a server whose role may do little there.
async fn with_few_rights() -> (TestDatabase, TestServer) {
    let database = TestDatabase::new().await;
    let setup = "CREATE TABLE notes (id int PRIMARY KEY, owner text DEFAULT 'none', text text, secret text); \
                 INSERT INTO notes VALUES (1, 'api_role', 'mine', 's'), (2, 'ann', 'hers', 's'); \
                 CREATE TABLE fixed (id int PRIMARY KEY, t text); INSERT INTO fixed VALUES (1, 'x')";
    database.install(setup, &["notes", "fixed"]).await;
    let name = database.url().rsplit('/').next().unwrap().to_owned();
    database
        .execute(&format!(
            "DROP ROLE IF EXISTS api_role; CREATE ROLE api_role LOGIN PASSWORD 'p'; \
             GRANT ALL ON DATABASE {name} TO api_role; GRANT USAGE, CREATE ON SCHEMA rowcast TO api_role; \
             GRANT ALL ON ALL TABLES IN SCHEMA rowcast TO api_role; GRANT ALL ON ALL SEQUENCES IN SCHEMA rowcast TO api_role; \
             GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA rowcast TO api_role; \
             GRANT SELECT ON fixed TO api_role; \
             GRANT SELECT (id, owner, text), INSERT (id, owner, text), UPDATE (text), DELETE ON notes TO api_role; \
             ALTER TABLE notes ENABLE ROW LEVEL SECURITY; \
             CREATE POLICY own ON notes USING (owner = current_user OR owner = 'none')"
        ))
        .await;
    let (_, host) = database.url().split_once('@').unwrap();
    let url = format!("postgres://api_role:p@{host}");
    let server = TestServer::with(ServerOptions::new(Database::Url(url))).await;
    (database, server)
}

/// The server may do what its role may, and no more.
#[tokio::test]
async fn the_role_decides() {
    let (database, server) = with_few_rights().await;
    let send = async |method: &str, path: &str, body: &str| {
        let headers = [JSON, ("If-Match", "*")];
        let path = format!("/api/v1/tables/{path}");
        ask(server.address(), method, &path, &headers, body.as_bytes()).await
    };
    let page = send("GET", "notes/rows?total=exact", "").await;
    assert_eq!(
        page.json()["rows"],
        json!([{"id": 1, "owner": "api_role", "text": "mine"}]),
        "{}",
        page.text()
    );
    assert_refused(
        "hers",
        &send("GET", "notes/rows/2", "").await,
        404,
        "unknown_row",
    );
    assert_refused(
        "hers",
        &send("DELETE", "notes/rows/2", "").await,
        404,
        "unknown_row",
    );
    assert_refused(
        "hers",
        &send("PATCH", "notes/rows/2", r#"{"text":"x"}"#).await,
        404,
        "unknown_row",
    );
    let done = send("PATCH", "notes/rows/1", r#"{"text":"better"}"#).await;
    assert_eq!(
        (done.status, &done.json()["text"]),
        (200, &json!("better")),
        "{}",
        done.text()
    );
    assert_refused(
        "owner",
        &send("PATCH", "notes/rows/1", r#"{"owner":"ann"}"#).await,
        403,
        "not_editable",
    );
    assert_refused(
        "secret",
        &send("PATCH", "notes/rows/1", r#"{"secret":"x"}"#).await,
        400,
        "unknown_column",
    );
    let new = send("POST", "notes/rows", r#"{"id":3,"owner":"ann"}"#).await;
    assert_refused("a row for ann", &new, 403, "forbidden");
    assert_eq!(send("POST", "notes/rows", r#"{"id":3}"#).await.status, 201);
    for (method, path, body) in [
        ("POST", "fixed/rows", r#"{"id":2}"#),
        ("DELETE", "fixed/rows/1", ""),
    ] {
        assert_refused(path, &send(method, path, body).await, 403, "forbidden");
    }
    assert_refused(
        "t",
        &send("PATCH", "fixed/rows/1", r#"{"t":"y"}"#).await,
        403,
        "not_editable",
    );
    server.stop().await;
    database
        .execute("DROP OWNED BY api_role; DROP ROLE api_role")
        .await;
}

/// Two ideas of where a request ends, and bodies that do not.
#[tokio::test]
async fn requests_have_one_end() {
    let fixture = Fixture::start().await;
    let to = fixture.server.address();
    let say = async |head: &str, body: &[u8]| {
        let mut stream = TcpStream::connect(to).await.unwrap();
        stream
            .write_all(format!("{head}\r\n\r\n").as_bytes())
            .await
            .unwrap();
        drop(stream.write_all(body).await);
        let mut answer = Vec::new();
        let reading = stream.read_to_end(&mut answer);
        drop(
            tokio::time::timeout(e2e::eventually::SOON * 2, reading)
                .await
                .expect("an end"),
        );
        String::from_utf8_lossy(&answer).into_owned()
    };
    let line = "POST /api/v1/tables/items/rows HTTP/1.1";
    let host = format!("Host: {to}");
    let json = "Content-Type: application/json";
    let both = format!(
        "{line}\r\n{host}\r\n{json}\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\nConnection: close"
    );
    let answer = say(&both, b"0\r\n\r\nGET /x HTTP/1.1\r\n\r\n").await;
    assert!(
        answer.starts_with("HTTP/1.1 400") && answer.matches("HTTP/1.1 ").count() == 1,
        "{answer}"
    );
    let hosts = format!("{line}\r\n{host}\r\n{host}\r\n{json}\r\nConnection: close");
    assert!(say(&hosts, b"").await.starts_with("HTTP/1.1 403"));
    let folded = format!("{line}\r\n{host}\r\nX: a\r\n b\r\nConnection: close");
    assert!(say(&folded, b"").await.starts_with("HTTP/1.1 400"));
    // Chunks without an end are cut off at the limit of a body.
    let endless =
        format!("{line}\r\n{host}\r\n{json}\r\nTransfer-Encoding: chunked\r\nConnection: close");
    let chunk = [b"10000\r\n".as_slice(), &[b' '; 0x10000], b"\r\n"].concat();
    let answer = say(&endless, &chunk.repeat(40)).await;
    assert!(
        answer.starts_with("HTTP/1.1 413") || answer.is_empty(),
        "{answer}"
    );
    assert_eq!(fixture.get(&address(&[])).await.status, 200);
}
