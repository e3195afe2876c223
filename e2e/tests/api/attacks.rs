//! Searches, cursors and texts that somebody made up to get at something.

use e2e::{TestDatabase, TestServer, http};
use serde_json::{Value, json};

use crate::fixture::{Fixture, JSON, address, assert_refused};

/// Names that `LIKE` or a full-text query would take for more than text.
const ODD: [&str; 11] = [
    "100% sure",
    "under_score",
    r"back\slash",
    "it's",
    "a:b & !c",
    "50%_\\",
    "<->",
    "(a|b)",
    "$1",
    "\u{202e}live",
    "😀 smile",
];

/// Items with these names.
async fn insert_odd(fixture: &Fixture) {
    for (id, name) in (1_000..).zip(ODD) {
        let body = json!({"id": id, "name": name}).to_string();
        let new = fixture
            .send("POST", "/tables/items/rows", &[JSON], body.as_bytes())
            .await;
        assert_eq!(new.status, 201, "{name}: {}", new.text());
        assert_eq!(new.json()["name"], name);
    }
}

/// What `LIKE` and full-text queries would take for more than text is only looked for.
#[tokio::test]
async fn searches_are_data() {
    let fixture = Fixture::start().await;
    insert_odd(&fixture).await;
    let before = fixture.checksum().await;
    let singles = [
        "%",
        "_",
        "\\",
        "'",
        "&",
        "!",
        "|",
        "(",
        "<->",
        "$1",
        "a%a%a%a%",
        ":*",
        "' OR 1=1 --",
    ];
    for word in singles.into_iter().chain(ODD) {
        let answer = fixture
            .items(&[
                ("q", word),
                ("total", "exact"),
                ("columns", "id,name,code,german"),
            ])
            .await;
        assert_eq!(answer.status, 200, "{word}: {}", answer.text());
        // Each word is in one of the columns of text, whatever it is made of.
        let words = word.split_whitespace().map(|word| word.replace('\'', "''"));
        let tests = words.map(|word| {
            let parts = [
                "name",
                "code",
                "german::text COLLATE \"C\"",
                "mood::text",
                "tags::text",
                "extra::text",
            ];
            let part = |column: &&str| format!("strpos(lower({column}), lower('{word}')) > 0");
            format!(
                "({})",
                parts.iter().map(part).collect::<Vec<_>>().join(" OR ")
            )
        });
        let sql = format!(
            "SELECT coalesce(json_agg(id ORDER BY id), '[]') FROM items WHERE {}",
            tests.collect::<Vec<_>>().join(" AND ")
        );
        let expected: Vec<Value> = fixture.sql(&sql).await.as_array().unwrap().clone();
        for row in answer.json()["rows"].as_array().unwrap() {
            assert!(expected.contains(&row["id"]), "{word} finds {row}");
        }
        if ODD.contains(&word) {
            let found = answer.json()["rows"].as_array().unwrap().len();
            assert!(found > 0, "{word} is not found");
        }
    }
    assert_eq!(fixture.checksum().await, before);
}

/// A search that is too long is refused before anything is looked for.
#[tokio::test]
async fn searches_have_bounds() {
    let fixture = Fixture::start().await;
    let before = fixture.checksum().await;
    let long = "x".repeat(10_000);
    let pattern = "a%".repeat(200);
    let words = "a ".repeat(17);
    for (q, says) in [
        (&*long, "200"),
        (&*pattern, "200"),
        (&*words, "16"),
        ("a\0b", "zero"),
    ] {
        for extra in [("limit", "1"), ("sort", "name")] {
            let answer = fixture.items(&[("q", q), extra]).await;
            assert_refused(&q[..3], &answer, 400, "bad_search");
            assert!(answer.text().contains(says), "{}", answer.text());
        }
    }
    assert_eq!(fixture.checksum().await, before);
}

/// A cursor leads nowhere but where it came from.
#[tokio::test]
async fn cursors_of_others_are_refused() {
    let fixture = Fixture::start().await;
    let twin = "CREATE TABLE twin (id int PRIMARY KEY, name text NOT NULL); \
                INSERT INTO twin SELECT id, name FROM items";
    fixture.database.execute(twin).await;
    let cursor = |page: &Value| page["next_cursor"].as_str().unwrap().to_owned();
    let asked = "sort=name&limit=5";
    let own = cursor(
        &fixture
            .get(&format!("/tables/items/rows?{asked}"))
            .await
            .json(),
    );
    let foreign = cursor(
        &fixture
            .get(&format!("/tables/twin/rows?{asked}"))
            .await
            .json(),
    );
    // The same table of another database.
    let other = TestDatabase::new().await;
    other
        .install(
            "CREATE TABLE items (id int PRIMARY KEY, name text NOT NULL)",
            &["items"],
        )
        .await;
    other
        .execute("INSERT INTO items SELECT n, 'x' FROM generate_series(1, 20) AS n")
        .await;
    let server = TestServer::start(&other).await;
    let path = format!("/api/v1/tables/items/rows?{asked}");
    let page = http::ask(server.address(), "GET", &path, &[], b"")
        .await
        .json();
    let elsewhere = cursor(&page);
    for (what, cursor) in [
        ("another table's", &foreign),
        ("another database's", &elsewhere),
    ] {
        let path = format!("/tables/items/rows?{asked}&cursor={cursor}");
        assert_refused(what, &fixture.get(&path).await, 400, "invalid_cursor");
    }
    let path = format!("/tables/items/rows?{asked}&cursor={own}");
    assert_eq!(fixture.get(&path).await.status, 200);
    // No letter of it can be another one, and nothing can be behind it.
    for at in 0..own.len() {
        let mut letters = own.clone().into_bytes();
        letters[at] = if letters[at] == b'x' { b'y' } else { b'x' };
        let altered = String::from_utf8(letters).unwrap();
        let path = format!("/tables/items/rows?{asked}&cursor={altered}");
        assert_refused(
            &format!("letter {at}"),
            &fixture.get(&path).await,
            400,
            "invalid_cursor",
        );
    }
    server.stop().await;
}

/// Addresses that mean another place, and lengths that nobody needs.
#[tokio::test]
async fn odd_addresses_lead_nowhere() {
    let fixture = Fixture::start().await;
    let before = fixture.checksum().await;
    let long = "x".repeat(8_000);
    for (path, status, code) in [
        (
            "/tables/items/rows/..%2f..%2f..%2fetc%2fpasswd",
            400,
            "bad_value",
        ),
        ("/tables/..%2f..%2fetc%2fpasswd", 404, "unknown_table"),
        ("/tables/%2e%2e/rows", 404, "unknown_table"),
        ("//tables", 404, "unknown_address"),
        ("/tables//rows", 404, "unknown_table"),
        ("/tables/items/rows/7%00", 400, "bad_key"),
        (&*format!("/tables/{long}"), 404, "unknown_table"),
        (&*format!("/tables/items/rows/{long}"), 400, "bad_value"),
        (
            &*format!("/tables/items/rows?sort={long}"),
            400,
            "unknown_column",
        ),
        (
            &*format!("/tables/items/rows?columns={long}"),
            400,
            "unknown_column",
        ),
        (
            &*format!("/tables/items/rows?{long}=1"),
            400,
            "unknown_parameter",
        ),
        (
            &*format!("/tables/items/rows?cursor={long}"),
            400,
            "invalid_cursor",
        ),
    ] {
        let answer = fixture.get(path).await;
        assert_refused(&path[..path.len().min(60)], &answer, status, code);
    }
    // As many columns as there are are sorted by, once each; more are refused by their number or their names.
    let many = vec!["id"; 500].join(",");
    for (name, code) in [("sort", "bad_sort"), ("columns", "bad_parameter")] {
        let answer = fixture.get(&address(&[(name, &many)])).await;
        assert_refused(name, &answer, 400, code);
    }
    let etags = vec!["\"a\""; 500].join(", ");
    let headers = [("If-Match", etags.as_str()), JSON];
    let answer = fixture
        .send("PATCH", "/tables/items/rows/7", &headers, br#"{"stock":1}"#)
        .await;
    assert_refused("500 versions", &answer, 400, "bad_parameter");
    assert_eq!(fixture.checksum().await, before);
}
