//! What serves a view, and creating the index that would.

use e2e::eventually;
use e2e::eventually::SOON;
use e2e::http::{Answer, encoded};
use serde_json::{Value, json};

use crate::fixture::{Fixture, JSON, assert_refused};

const TOKEN: &str = "a token of the tests";

/// A table that is large enough to want an index.
const LARGE: &str = "
CREATE TABLE large (id int PRIMARY KEY, name text NOT NULL, stage text NOT NULL);
INSERT INTO large SELECT n, md5(n::text), CASE n % 500 WHEN 0 THEN 'new' ELSE 'old' END
  FROM generate_series(1, 120000) AS n;
SELECT rowcast.watch('large');
CREATE VIEW seen AS SELECT * FROM large;
CREATE TABLE keyless (n int);
INSERT INTO keyless SELECT n FROM generate_series(1, 200000) AS n";

/// A server on it that takes a token, or not.
async fn started(token: Option<&str>) -> Fixture {
    let token = token.map(|token| token.parse().unwrap());
    let fixture = Fixture::start_with(|options| options.admin_token = token).await;
    fixture.database.execute(LARGE).await;
    fixture
        .database
        .execute("VACUUM ANALYZE large, keyless")
        .await;
    fixture
}

/// The indexes of the table that Rowcast created, as PostgreSQL has them.
async fn ours(fixture: &Fixture) -> Value {
    let sql = "SELECT coalesce(json_agg(relname), '[]') FROM pg_class WHERE relkind = 'i' AND relname LIKE 'rowcast%'";
    fixture.sql(sql).await
}

/// The one suggestion for the table in this order.
async fn suggestion(fixture: &Fixture, sort: &str) -> Value {
    let answer = fixture
        .get(&format!("/tables/large/advice?sort={sort}"))
        .await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    let advice = answer.json();
    assert_eq!(
        advice["suggestions"].as_array().unwrap().len(),
        1,
        "{advice}"
    );
    advice["suggestions"][0].clone()
}

fn body(name: &Value) -> Vec<u8> {
    json!({ "name": name }).to_string().into_bytes()
}

async fn create(fixture: &Fixture, query: &str, token: &str, body: &[u8]) -> Answer {
    let bearer = format!("Bearer {token}");
    let headers = [("Authorization", bearer.as_str()), JSON];
    let path = format!("/tables/large/indexes?{query}");
    fixture.send("POST", &path, &headers, body).await
}

/// Asks for an index build as an administrator.
async fn build(fixture: &Fixture, method: &str, address: &str) -> Answer {
    let path = address.strip_prefix("/api/v1").unwrap();
    let bearer = format!("Bearer {TOKEN}");
    let headers = [("Authorization", bearer.as_str())];
    fixture.send(method, path, &headers, b"").await
}

/// The state of an index build, once this holds.
async fn until(fixture: &Fixture, address: &str, holds: impl Fn(&Value) -> bool) -> Value {
    let mut seen = Value::Null;
    eventually("the index build is as expected", SOON, async || {
        seen = build(fixture, "GET", address).await.json();
        holds(&seen)
    })
    .await;
    seen
}

fn is_over(build: &Value) -> bool {
    build["state"] != "running"
}

#[tokio::test]
async fn advice_says_what_serves_and_what_would() {
    let fixture = started(None).await;
    let by_name = fixture.get("/tables/large/advice?sort=-name").await.json();
    assert_eq!(by_name["served_by"]["verdict"], "unserved");
    let rows = by_name["cost"]["rows"].as_u64().unwrap();
    assert!((100_000..140_000).contains(&rows), "{by_name}");
    assert!(by_name["warning"].is_string());
    let suggested = &by_name["suggestions"][0];
    let sql = suggested["sql"].as_str().unwrap();
    assert!(
        sql.starts_with("CREATE INDEX CONCURRENTLY rowcast_large_name_id_"),
        "{sql}"
    );
    assert!(
        sql.ends_with("ON public.large USING btree (name DESC, id DESC)"),
        "{sql}"
    );
    // The key serves, and so does what it finds.
    let by_key = fixture.get("/tables/large/advice").await.json();
    assert_eq!(by_key["served_by"]["indexes"], json!(["large_pkey"]));
    assert_eq!(by_key["suggestions"], json!([]));
    let filtered = format!("filter={}&sort=name", encoded("stage = old"));
    let filtered = fixture
        .get(&format!("/tables/large/advice?{filtered}"))
        .await;
    let short = fixture
        .get("/tables/large/advice?stage=eq.old&sort=name")
        .await;
    assert_eq!(filtered.json()["suggestions"], short.json()["suggestions"]);
    let sql = short.json()["suggestions"][0]["sql"].clone();
    assert!(
        sql.as_str().unwrap().ends_with("(stage, name, id)"),
        "{sql}"
    );
    // What cannot have an index is not advised to have one.
    for (address, verdict) in [
        ("seen/advice?sort=name", "unserved"),
        ("keyless/advice", "small"),
    ] {
        let advice = fixture.get(&format!("/tables/{address}")).await.json();
        assert_eq!(
            advice["served_by"]["verdict"], verdict,
            "{address}: {advice}"
        );
        assert_eq!(advice["suggestions"], json!([]), "{address}: {advice}");
    }
    let there = fixture.get("/tables/large/indexes").await.json();
    assert_eq!(there["indexes"][0]["name"], "large_pkey");
    assert_eq!(there["indexes"][0]["is_valid"], true);
}

#[tokio::test]
async fn an_administrator_creates_it_and_follows_it() {
    let fixture = started(Some(TOKEN)).await;
    let suggested = suggestion(&fixture, "name").await;
    let begun = create(&fixture, "sort=name", TOKEN, &body(&suggested["name"])).await;
    assert_eq!(begun.status, 202, "{}", begun.text());
    let address = begun.header("location").unwrap().to_owned();
    assert_eq!(begun.json()["index"], suggested["name"]);
    assert_eq!(begun.json()["sql"], suggested["sql"]);
    let over = until(&fixture, &address, is_over).await;
    assert_eq!(over["state"], "done", "{over}");
    assert_eq!(ours(&fixture).await, json!([suggested["name"]]));
    // What is over stays as it is.
    let cancelled = build(&fixture, "DELETE", &address).await;
    assert_eq!(
        (cancelled.status, &cancelled.json()["state"]),
        (200, &json!("done"))
    );
    let all = build(&fixture, "GET", "/api/v1/index-builds").await.json();
    assert_eq!(all["index_builds"][0]["id"], over["id"]);
    // Now it serves.
    let advice = fixture.get("/tables/large/advice?sort=name").await.json();
    assert_eq!(advice["served_by"]["indexes"], json!([suggested["name"]]));
    let again = create(&fixture, "sort=name", TOKEN, &body(&suggested["name"])).await;
    assert_refused("there already", &again, 409, "stale_advice");
    fixture.server.stop().await;
}

#[tokio::test]
async fn it_waits_for_a_writer_and_can_be_stopped() {
    let fixture = started(Some(TOKEN)).await;
    let suggested = suggestion(&fixture, "name").await;
    let other = suggestion(&fixture, "-stage").await;
    let writer = fixture.database.connect().await;
    let begin = "BEGIN; UPDATE large SET stage = 'older' WHERE id = 3";
    writer.batch_execute(begin).await.unwrap();
    let row = writer.query_one("SELECT pg_backend_pid()", &[]).await;
    let process = format!("(process {}", row.unwrap().get::<_, i32>(0));
    let begun = create(&fixture, "sort=name", TOKEN, &body(&suggested["name"])).await;
    let address = begun.header("location").unwrap().to_owned();
    let waits = |what: &'static str| {
        let process = process.clone();
        move |build: &Value| {
            let phase = build["phase"].as_str().unwrap_or_default();
            phase.contains(what) && phase.contains(&process)
        }
    };
    until(
        &fixture,
        &address,
        waits("waiting for writers before build"),
    )
    .await;
    // Asking again is told of the same one; another one has to wait.
    let same = create(&fixture, "sort=name", TOKEN, &body(&suggested["name"])).await;
    assert_eq!(same.header("location"), Some(address.as_str()));
    let busy = create(&fixture, "sort=-stage", TOKEN, &body(&other["name"])).await;
    assert_refused("busy", &busy, 409, "index_busy");
    assert_eq!(busy.json()["index_build"], address);
    assert!(busy.header("retry-after").is_some());

    let cancelled = build(&fixture, "DELETE", &address).await;
    assert_eq!(cancelled.status, 202, "{}", cancelled.text());
    assert_eq!(cancelled.json()["is_stopping"], true);
    until(&fixture, &address, waits("dropping what was created")).await;
    let busy = create(&fixture, "sort=name", TOKEN, &body(&suggested["name"])).await;
    assert_refused("still stopping", &busy, 409, "index_busy");
    writer.batch_execute("COMMIT").await.unwrap();
    let over = until(&fixture, &address, is_over).await;
    assert_eq!(
        (&over["state"], &over["code"]),
        (&json!("failed"), &json!("cancelled"))
    );
    assert_eq!(over["message"], "stopped; nothing of it is left");
    assert_eq!(ours(&fixture).await, json!([]));
    fixture.server.stop().await;
}

#[tokio::test]
async fn nobody_else_creates_anything() {
    let fixture = started(Some(TOKEN)).await;
    let name = suggestion(&fixture, "name").await["name"].clone();
    let wanted = body(&name);
    let addresses = [
        ("POST", "/tables/large/indexes?sort=name"),
        ("POST", "/tables/nothing/indexes"),
        ("GET", "/index-builds"),
        ("GET", "/index-builds/0000000000000000"),
        ("DELETE", "/index-builds/0000000000000000"),
    ];
    let longer = format!("Bearer {TOKEN}s");
    let shorter = format!("Bearer {}", &TOKEN[1..]);
    let basic = format!("Basic {TOKEN}");
    for (method, path) in addresses {
        for token in [
            "",
            "Bearer",
            "Bearer ",
            &longer,
            &shorter,
            &basic,
            TOKEN,
            "Bearer \u{e9}",
        ] {
            let headers = [("Authorization", token), JSON];
            let headers = if token.is_empty() {
                &headers[1..]
            } else {
                &headers[..]
            };
            let answer = fixture.send(method, path, headers, &wanted).await;
            let what = format!("{method} {path} {token:?}");
            assert_refused(&what, &answer, 401, "unauthorized");
            let ask = answer.header("www-authenticate").unwrap();
            assert!(ask.starts_with("Bearer"), "{what}");
            assert!(!answer.text().contains("token of the tests"), "{what}");
        }
    }
    let foreign = [
        ("Authorization", longer.as_str()),
        ("Origin", "https://evil.example"),
        JSON,
    ];
    let answer = fixture
        .send("POST", addresses[0].1, &foreign, &wanted)
        .await;
    assert_eq!(answer.status, 403);
    assert_eq!(ours(&fixture).await, json!([]));
    fixture.server.stop().await;
    // A server without a token says how it gets one.
    let fixture = started(None).await;
    let answer = create(&fixture, "sort=name", TOKEN, &wanted).await;
    assert_refused("no token is configured", &answer, 403, "forbidden");
    assert!(answer.text().contains("ROWCAST_ADMIN_TOKEN"));
    assert_eq!(ours(&fixture).await, json!([]));
}

#[tokio::test]
async fn only_what_is_suggested_is_created() {
    let fixture = started(Some(TOKEN)).await;
    let name = suggestion(&fixture, "name").await["name"].clone();
    let good = body(&name);
    let bodies: [(&[u8], u16, &str); 12] = [
        (b"", 400, "bad_body"),
        (b"{}", 400, "bad_body"),
        (b"[\"rowcast_x\"]", 400, "bad_body"),
        (b"{\"name\": 1}", 400, "bad_body"),
        (b"{\"name\": null}", 400, "bad_body"),
        (b"{\"name\": \"a\", \"name\": \"b\"}", 400, "bad_body"),
        (
            b"{\"name\": \"a\", \"sql\": \"DROP TABLE large\"}",
            400,
            "bad_body",
        ),
        (b"{\"name\": \"a\"} x", 400, "bad_body"),
        (b"{\"name\": \"\xff\"}", 400, "bad_body"),
        (b"{\"name\": \"\"}", 409, "stale_advice"),
        (
            b"{\"name\": \"rowcast_x; DROP TABLE large\"}",
            409,
            "stale_advice",
        ),
        (b"{\"name\": \"large_pkey\"}", 409, "stale_advice"),
    ];
    for (body, status, code) in bodies {
        let answer = create(&fixture, "sort=name", TOKEN, body).await;
        assert_refused(&String::from_utf8_lossy(body), &answer, status, code);
    }
    let stale = create(&fixture, "sort=name", TOKEN, &body(&json!("rowcast_y"))).await;
    assert!(
        stale.text().contains(name.as_str().unwrap()),
        "{}",
        stale.text()
    );
    let long = body(&json!("x".repeat(500_000)));
    let answer = create(&fixture, "sort=name", TOKEN, &long).await;
    assert_refused("a long name", &answer, 409, "stale_advice");
    assert!(answer.body.len() < 1_000);
    for (query, code) in [
        ("sort=nothing", "unknown_column"),
        ("sort=name,name", "bad_sort"),
        ("filter=name+%3D", "bad_filter"),
        ("limit=3", "unknown_parameter"),
        ("sort=name&sort=id", "duplicate_parameter"),
        ("id=eq.x", "bad_value"),
    ] {
        let answer = create(&fixture, query, TOKEN, &good).await;
        assert_refused(query, &answer, 400, code);
        let answer = fixture.get(&format!("/tables/large/advice?{query}")).await;
        assert_refused(query, &answer, 400, code);
    }
    let bearer = format!("Bearer {TOKEN}");
    let form = [
        ("Authorization", bearer.as_str()),
        ("Content-Type", "text/plain"),
    ];
    let path = "/tables/large/indexes?sort=name";
    let answer = fixture.send("POST", path, &form, &good).await;
    assert_refused("text", &answer, 415, "unsupported_media_type");
    let admin = [("Authorization", bearer.as_str()), JSON];
    let answer = fixture
        .send("POST", "/tables/nothing/indexes", &admin, &good)
        .await;
    assert_refused("no table", &answer, 404, "unknown_table");
    assert_eq!(ours(&fixture).await, json!([]));
    fixture.server.stop().await;
}

#[tokio::test]
async fn addresses_of_index_builds_are_known() {
    let fixture = started(Some(TOKEN)).await;
    let bearer = format!("Bearer {TOKEN}");
    let admin = [("Authorization", bearer.as_str()), JSON];
    let path = "/tables/large/indexes?sort=name";
    for id in ["0", "x", "..", "%00", "ffffffffffffffff0"] {
        for method in ["GET", "DELETE"] {
            let path = format!("/index-builds/{id}");
            let answer = fixture.send(method, &path, &admin, b"").await;
            assert_refused(id, &answer, 404, "unknown_index_build");
        }
    }
    for (method, path) in [("DELETE", path), ("PUT", path), ("POST", "/index-builds")] {
        let answer = fixture.send(method, path, &admin, b"").await;
        assert_refused(path, &answer, 405, "method_not_allowed");
    }
    assert_eq!(ours(&fixture).await, json!([]));
    fixture.server.stop().await;
}
