//! Single rows: read, inserted, changed and deleted, never over somebody else's change.

use e2e::http::{Answer, encoded};
use serde_json::{Value, json};

use crate::fixture::{Fixture, JSON, assert_refused};

async fn patch(fixture: &Fixture, key: &str, version: &str, body: &Value) -> Answer {
    let headers = [JSON, ("If-Match", version)];
    let path = format!("/tables/items/rows/{key}");
    fixture
        .send("PATCH", &path, &headers, body.to_string().as_bytes())
        .await
}

async fn post(fixture: &Fixture, body: &Value) -> Answer {
    let body = body.to_string();
    fixture
        .send("POST", "/tables/items/rows", &[JSON], body.as_bytes())
        .await
}

#[tokio::test]
async fn a_row_has_an_address_and_a_version() {
    let fixture = Fixture::start().await;
    let answer = fixture.get("/tables/items/rows/2").await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    let row = answer.json();
    assert_eq!(
        (&row["name"], &row["price"]),
        (&json!("item 2"), &json!("18.50"))
    );
    assert_eq!(row["extra"], json!({"n": 2, "deep": [1.50, null]}));
    let version = answer.header("etag").unwrap().to_owned();
    let chosen = fixture.get("/tables/items/rows/2?columns=tags,id").await;
    assert_eq!(chosen.text(), r#"{"tags":["a","b, \"2"],"id":2}"#);
    assert_eq!(chosen.header("etag"), Some(&*version));

    let path = "/tables/items/rows/2";
    let held = fixture
        .send("GET", path, &[("If-None-Match", &version)], b"")
        .await;
    assert_eq!((held.status, held.body.len()), (304, 0));
    assert_eq!(held.header("etag"), Some(&*version));
    fixture
        .database
        .execute("UPDATE items SET stock = 1 WHERE id = 2")
        .await;
    let newer = fixture
        .send("GET", path, &[("If-None-Match", &version)], b"")
        .await;
    assert_eq!((newer.status, &newer.json()["stock"]), (200, &json!(1)));
    // The same content is the same version, on any server.
    fixture
        .database
        .execute("UPDATE items SET stock = 9007199254740995 WHERE id = 2")
        .await;
    assert_eq!(fixture.get(path).await.header("etag"), Some(&*version));
    assert_refused(
        "no row",
        &fixture.get("/tables/items/rows/999").await,
        404,
        "unknown_row",
    );
}

#[tokio::test]
async fn rows_are_inserted_as_postgresql_reads_them() {
    let fixture = Fixture::start().await;
    let body = json!({
        "id": 1_000, "name": "née \"Ω\" 😀", "price": "19.90", "weight": "-Infinity", "active": null, "mood": "happy",
        "tags": ["x", "y,z", "\"q\""], "extra": {"deep": {"n": 1.25}}, "added": "2026-11-21T10:00:00+02:00", "code": 7,
    });
    let answer = post(&fixture, &body).await;
    assert_eq!(answer.status, 201, "{}", answer.text());
    let location = answer.header("location").unwrap();
    assert_eq!(location, "/api/v1/tables/public%2Eitems/rows/1000");
    let shown = fixture.get(location.strip_prefix("/api/v1").unwrap()).await;
    assert_eq!(shown.json(), answer.json());
    assert_eq!(shown.header("etag"), answer.header("etag"));
    let same = "SELECT to_json(name = 'née \"Ω\" 😀' AND price = 19.90 AND weight = '-Infinity' AND active IS NULL AND \
                mood = 'happy' AND tags = ARRAY['x', 'y,z', '\"q\"'] AND extra = '{\"deep\": {\"n\": 1.25}}' \
                AND added = '2026-11-21T08:00:00Z' AND code = '7' AND stock = 0) FROM items WHERE id = 1000";
    assert_eq!(fixture.sql(same).await, json!(true));
    let least = post(&fixture, &json!({"id": 1_001, "name": "x"})).await;
    assert_eq!((least.status, &least.json()["tags"]), (201, &json!([])));
}

#[tokio::test]
async fn a_change_needs_the_version_that_was_seen() {
    let fixture = Fixture::start().await;
    let path = "/tables/items/rows/5";
    let seen = fixture.get(path).await;
    let version = seen.header("etag").unwrap().to_owned();
    let missing = fixture
        .send("PATCH", path, &[JSON], br#"{"stock": 1}"#)
        .await;
    assert_refused("no If-Match", &missing, 428, "precondition_required");
    let missing = fixture.send("DELETE", path, &[], b"").await;
    assert_refused("no If-Match", &missing, 428, "precondition_required");

    let done = patch(
        &fixture,
        "5",
        &version,
        &json!({"stock": 1, "extra": [1], "tags": []}),
    )
    .await;
    assert_eq!(done.status, 200, "{}", done.text());
    let row = done.json();
    assert_eq!(
        (&row["stock"], &row["extra"], &row["tags"]),
        (&json!(1), &json!([1]), &json!([]))
    );
    assert_eq!(fixture.get(path).await.json(), row);
    let newer = done.header("etag").unwrap().to_owned();
    assert_ne!(newer, version);

    let stale = patch(&fixture, "5", &version, &json!({"stock": 2})).await;
    assert_refused("stale", &stale, 412, "version_mismatch");
    assert_eq!(stale.json()["current"], row);
    assert_eq!(stale.header("etag"), Some(&*newer));
    let stale = fixture
        .send("DELETE", path, &[("If-Match", &version)], b"")
        .await;
    assert_refused("stale", &stale, 412, "version_mismatch");
    assert_eq!(fixture.get(path).await.json(), row);

    let several = format!("\"0\", {newer}");
    assert_eq!(
        patch(&fixture, "5", &several, &json!({"stock": 3}))
            .await
            .status,
        200
    );
    assert_eq!(
        patch(&fixture, "5", "*", &json!({"stock": 4, "id": 5000}))
            .await
            .status,
        200
    );
    assert_refused("moved", &fixture.get(path).await, 404, "unknown_row");
    assert_refused(
        "moved",
        &patch(&fixture, "5", "*", &json!({"stock": 5})).await,
        404,
        "unknown_row",
    );
    let gone = fixture
        .send(
            "DELETE",
            "/tables/items/rows/5000",
            &[("If-Match", "*")],
            b"",
        )
        .await;
    assert_eq!((gone.status, gone.body.len()), (204, 0));
    assert_eq!(
        fixture
            .sql("SELECT count(*) FROM items WHERE id IN (5, 5000)")
            .await,
        json!(0)
    );
}

#[tokio::test]
async fn of_two_that_race_one_wins() {
    let fixture = Fixture::start().await;
    for round in 0..5 {
        let version = fixture.get("/tables/items/rows/8").await;
        let version = version.header("etag").unwrap().to_owned();
        let bodies: Vec<Value> = (0..8)
            .map(|n| json!({"stock": round * 100 + n + 1}))
            .collect();
        let racing = bodies
            .iter()
            .map(|body| patch(&fixture, "8", &version, body));
        let answers = futures_util::future::join_all(racing).await;
        let won: Vec<&Answer> = answers
            .iter()
            .filter(|answer| answer.status == 200)
            .collect();
        assert_eq!(won.len(), 1, "exactly one wins");
        assert!(
            answers
                .iter()
                .all(|answer| [200, 412].contains(&answer.status))
        );
        let stock = fixture.sql("SELECT stock FROM items WHERE id = 8").await;
        assert_eq!(won[0].json()["stock"], stock);
    }
}

#[tokio::test]
async fn a_write_is_told_to_every_window() {
    let fixture = Fixture::start().await;
    let mut viewer = fixture.server.viewer().await;
    let view = protocol::ViewSpec {
        filter: Some(protocol::Filter::test("id", protocol::FilterOp::Lt, 3)),
        ..protocol::ViewSpec::table("items")
    };
    let window = e2e::viewing::open(&mut viewer, view, 0, 10).await;
    assert_eq!(
        patch(&fixture, "1", "*", &json!({"name": "written"}))
            .await
            .status,
        200
    );
    e2e::viewing::shows(&mut viewer, window, "name", &["written", "item 2"]).await;
    let deleted = fixture
        .send("DELETE", "/tables/items/rows/2", &[("If-Match", "*")], b"")
        .await;
    assert_eq!(deleted.status, 204);
    assert_eq!(
        post(&fixture, &json!({"id": 0, "name": "first"}))
            .await
            .status,
        201
    );
    e2e::viewing::shows(&mut viewer, window, "name", &["first", "written"]).await;
}

#[tokio::test]
async fn composite_and_odd_keys_have_addresses() {
    let fixture = Fixture::start().await;
    let table = encoded(r#"public."Odd ""table"", 100%/é""#);
    for (select, key) in [(1, "a,b/c d"), (2, "é\"%"), (3, "+")] {
        let answer = fixture
            .get(&format!("/tables/{table}/rows/{select},{}", encoded(key)))
            .await;
        assert_eq!(answer.json()["key, one"], key);
    }
    let body = json!({"select": -4, "key, one": "../?#&=", "a.b nullslast": "z"}).to_string();
    let path = format!("/tables/{table}/rows");
    let new = fixture.send("POST", &path, &[JSON], body.as_bytes()).await;
    assert_eq!(new.status, 201, "{}", new.text());
    let location = new
        .header("location")
        .unwrap()
        .strip_prefix("/api/v1")
        .unwrap();
    assert_eq!(fixture.get(location).await.json(), new.json());
    let wrong = [
        ("1", "bad_key"),
        ("1,2,3", "bad_key"),
        (",", "bad_value"),
        ("1,%00", "bad_key"),
        ("1,%FF", "bad_parameter"),
    ];
    for (key, code) in wrong {
        let answer = fixture.get(&format!("{path}/{key}")).await;
        assert_refused(key, &answer, 400, code);
    }
}

#[tokio::test]
async fn what_postgresql_refuses_is_said_in_its_words() {
    let fixture = Fixture::start().await;
    let before = fixture.checksum().await;
    let cases = [
        (
            json!({"price": "-1"}),
            422,
            "constraint_violated",
            "items_price_check",
        ),
        (
            json!({"price": "NaN"}),
            422,
            "constraint_violated",
            "items_price_check",
        ),
        (
            json!({"name": null}),
            422,
            "constraint_violated",
            "\"column\":\"name\"",
        ),
        (json!({"code": "C3"}), 409, "conflict", "items_code_key"),
        (json!({"id": 3}), 409, "conflict", "already exists"),
        (
            json!({"code": "much too long"}),
            422,
            "bad_value",
            "too long",
        ),
        (json!({"price": "abc"}), 422, "bad_value", "numeric"),
        (json!({"price": "Infinity"}), 422, "bad_value", "overflow"),
        (
            json!({"price": "1234567890123456789012345678901234567890"}),
            422,
            "bad_value",
            "overflow",
        ),
        (json!({"stock": 1.5}), 422, "bad_value", "bigint"),
        (json!({"weight": "1e400"}), 422, "bad_value", "out of range"),
        (json!({"mood": "angry"}), 422, "bad_value", "angry"),
        (json!({"tags": "x"}), 422, "bad_value", "array"),
        (json!({"tags": {"a": 1}}), 422, "bad_value", "array"),
        (json!({"name": "a\u{0}b"}), 422, "bad_value", "Unicode"),
        (json!({"added": "0000-13-45"}), 422, "bad_value", "date"),
        (json!({"total": 1}), 403, "not_editable", "generated"),
    ];
    for (body, status, code, part) in cases {
        let answer = patch(&fixture, "7", "*", &body).await;
        assert_refused(&body.to_string(), &answer, status, code);
        assert!(answer.text().contains(part), "{body}: {}", answer.text());
    }
    let new = post(&fixture, &json!({"id": 1, "name": "x"})).await;
    assert_refused("the key is taken", &new, 409, "conflict");
    assert_refused(
        "no key",
        &post(&fixture, &json!({"name": "x"})).await,
        422,
        "constraint_violated",
    );
    let generated = post(&fixture, &json!({"id": 2_000, "name": "x", "total": 1})).await;
    assert_refused("generated", &generated, 403, "not_editable");
    assert_eq!(fixture.checksum().await, before);
}

#[tokio::test]
async fn triggers_and_rights_are_told_apart() {
    let fixture = Fixture::start().await;
    fixture
        .database
        .execute(
            "CREATE FUNCTION keep() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN \
               IF old.id = 11 THEN RETURN NULL; END IF; \
               IF old.id = 13 THEN RAISE insufficient_privilege USING MESSAGE = 'only for Ann'; END IF; \
               RAISE EXCEPTION 'not today, tomorrow'; END $$; \
             CREATE TRIGGER keep BEFORE UPDATE OR DELETE ON items FOR EACH ROW \
               WHEN (old.id IN (11, 12, 13)) EXECUTE FUNCTION keep();",
        )
        .await;
    let kept = patch(&fixture, "11", "*", &json!({"stock": 1})).await;
    assert_refused("kept", &kept, 422, "constraint_violated");
    let raised = patch(&fixture, "12", "*", &json!({"stock": 1})).await;
    assert_refused("raised", &raised, 422, "constraint_violated");
    assert!(raised.text().contains("not today"));
    let forbidden = patch(&fixture, "13", "*", &json!({"stock": 1})).await;
    assert_refused("forbidden", &forbidden, 403, "forbidden");
    let kept = fixture
        .send("DELETE", "/tables/items/rows/11", &[("If-Match", "*")], b"")
        .await;
    assert_refused("kept", &kept, 422, "constraint_violated");
}

#[tokio::test]
async fn bodies_are_one_object_with_each_column_once() {
    let fixture = Fixture::start().await;
    let before = fixture.checksum().await;
    let path = "/tables/items/rows/7";
    let bad: &[&[u8]] = &[
        b"",
        b"null",
        b"[]",
        b"[{\"stock\":1}]",
        b"1",
        b"\"x\"",
        b"{",
        b"{\"stock\":1}x",
        b"{\"stock\":1}{}",
        b"{}",
        b"{\"stock\":1,\"stock\":2}",
        b"{\"stock\":01}",
        b"{'stock':1}",
        b"{\"stock\":NaN}",
        b"{\"name\":\"\xff\"}",
        b"\xef\xbb\xbf{\"stock\":1}",
        b"stock=1",
    ];
    for body in bad {
        let answer = fixture
            .send("PATCH", path, &[JSON, ("If-Match", "*")], body)
            .await;
        assert_refused(&String::from_utf8_lossy(body), &answer, 400, "bad_body");
    }
    let deep = format!(
        "{{\"extra\":{}1{}}}",
        "[".repeat(100_000),
        "]".repeat(100_000)
    );
    let answer = fixture
        .send("PATCH", path, &[JSON, ("If-Match", "*")], deep.as_bytes())
        .await;
    assert!([400, 422].contains(&answer.status), "{}", answer.text());
    let surrogate = br#"{"name":"\ud800"}"#;
    let answer = fixture
        .send("PATCH", path, &[JSON, ("If-Match", "*")], surrogate)
        .await;
    assert_refused("a lone surrogate", &answer, 422, "bad_value");
    let answer = patch(
        &fixture,
        "7",
        "*",
        &json!({"stock": 1, "tenant_id": "B", "__proto__": {}}),
    )
    .await;
    assert_refused("unknown", &answer, 400, "unknown_column");
    assert!(
        answer.json()["allowed"]
            .as_array()
            .unwrap()
            .contains(&json!("stock"))
    );

    assert_eq!(fixture.checksum().await, before);
}

#[tokio::test]
async fn headers_of_writes_are_checked() {
    let fixture = Fixture::start().await;
    let before = fixture.checksum().await;
    let path = "/tables/items/rows/7";
    let body = br#"{"stock":1}"#;
    for kind in [
        "text/plain",
        "application/x-www-form-urlencoded",
        "application/json; charset=utf-16",
        "",
    ] {
        let headers = [("Content-Type", kind), ("If-Match", "*")];
        let answer = fixture.send("PATCH", path, &headers, body).await;
        assert_refused(kind, &answer, 415, "unsupported_media_type");
    }
    let zipped = [JSON, ("If-Match", "*"), ("Content-Encoding", "gzip")];
    let answer = fixture.send("PATCH", path, &zipped, b"\x1f\x8b").await;
    assert_refused("gzip", &answer, 415, "unsupported_media_type");
    let large = format!("{{\"name\":\"{}\"}}", "x".repeat(2 << 20));
    let answer = fixture
        .send("PATCH", path, &[JSON, ("If-Match", "*")], large.as_bytes())
        .await;
    assert_refused("2 MiB", &answer, 413, "body_too_large");
    for tag in ["5", "\"5", "W/5", ""] {
        let answer = fixture
            .send("PATCH", path, &[JSON, ("If-Match", tag)], body)
            .await;
        assert_refused(tag, &answer, 400, "bad_parameter");
    }
    for headers in [
        [JSON, ("X-HTTP-Method-Override", "DELETE")],
        [JSON, ("X-Tenant-ID", "B")],
    ] {
        let answer = fixture.send("POST", path, &headers, body).await;
        assert_refused("override", &answer, 405, "method_not_allowed");
    }
    let crossing = [JSON, ("If-Match", "*"), ("Sec-Fetch-Site", "cross-site")];
    assert_eq!(
        fixture.send("PATCH", path, &crossing, body).await.status,
        403
    );
    for key in ["x", "1e3", "99999999999999999999", "1%20OR%201=1", "%27"] {
        let answer = fixture.get(&format!("/tables/items/rows/{key}")).await;
        assert_refused(key, &answer, 400, "bad_value");
    }
    let answer = fixture.get("/tables/items/rows/7?limit=1").await;
    assert_refused("limit", &answer, 400, "unknown_parameter");
    assert_eq!(fixture.checksum().await, before);
}
