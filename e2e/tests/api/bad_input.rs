//! What is wrong is refused with a code and what would have been right; the table stays as it is.

use e2e::http::{ask, encoded};

use crate::fixture::{Fixture, address, assert_refused};

async fn refused(fixture: &Fixture, parameters: &[(&str, &str)], code: &str) -> serde_json::Value {
    let answer = fixture.items(parameters).await;
    let short: String = format!("{parameters:?}").chars().take(80).collect();
    assert_refused(&short, &answer, 400, code);
    answer.json()
}

#[tokio::test]
async fn sorts_name_columns_and_nothing_else() {
    let fixture = Fixture::start().await;
    let before = fixture.checksum().await;
    for sort in [
        "price;drop table items",
        "(select 1)",
        "password_hash",
        "price DESC NULLS LAST--",
        "--price",
    ] {
        let problem = refused(&fixture, &[("sort", sort)], "unknown_column").await;
        assert!(
            problem["detail"].as_str().unwrap().contains("weight"),
            "the columns there are: {problem}"
        );
    }
    for sort in ["", ",", "price,", "\"price"] {
        let problem = refused(&fixture, &[("sort", sort)], "bad_parameter").await;
        assert!(problem["allowed"].as_array().unwrap().len() > 2);
    }
    for sort in ["price,-price", "place"] {
        refused(&fixture, &[("sort", sort)], "bad_sort").await;
    }
    assert_eq!(fixture.checksum().await, before);
}

#[tokio::test]
async fn values_are_data() {
    let fixture = Fixture::start().await;
    let before = fixture.checksum().await;
    for value in [
        "' OR 1=1 --",
        "$1",
        "\\'",
        "‘x’",
        "%",
        "_",
        "\\",
        "');drop table items;--",
        "\u{202e}😀",
    ] {
        for operator in ["eq", "contains", "starts_with", "gt"] {
            let test = format!("{operator}.{value}");
            let answer = fixture.items(&[("name", &test), ("total", "exact")]).await;
            assert_eq!(answer.status, 200, "{test}: {}", answer.text());
            let sql = match operator {
                "eq" => "name = ",
                "gt" => "name > ",
                "contains" => "0 < strpos(lower(name), lower(",
                _ => "starts_with(lower(name), lower(",
            };
            let close = if sql.ends_with('(') { "))" } else { "" };
            let close = if sql.starts_with('s') || sql.is_empty() {
                "))"
            } else {
                close
            };
            let value = value.replace('\'', "''");
            let count = format!("SELECT count(*) FROM items WHERE {sql}'{value}'{close}");
            assert_eq!(answer.json()["total"], fixture.sql(&count).await, "{test}");
        }
    }
    for (column, value) in [
        ("price", "eq.abc"),
        ("added", "gt.yesterdayish"),
        ("mood", "eq.angry"),
        ("stock", "eq.1e400"),
        ("name", "eq.a\0b"),
    ] {
        refused(&fixture, &[(column, value)], "bad_value").await;
    }
    assert_eq!(fixture.checksum().await, before);
}

#[tokio::test]
async fn filters_are_bounded() {
    let fixture = Fixture::start().await;
    let many = vec!["id = 1"; 1_000].join(" or ");
    refused(&fixture, &[("filter", &many)], "bad_filter").await;
    let list = (0..3_000)
        .map(|n| n.to_string())
        .collect::<Vec<_>>()
        .join(",");
    refused(&fixture, &[("id", &format!("in.({list})"))], "bad_filter").await;
    for deep in [
        format!("{}id = 1{}", "(".repeat(1_000), ")".repeat(1_000)),
        format!("{} id = 1", "not ".repeat(1_000)),
    ] {
        let problem = refused(&fixture, &[("filter", &deep)], "bad_filter").await;
        assert!(problem["detail"].as_str().unwrap().contains("32 deep"));
    }
    let problem = refused(&fixture, &[("filter", "price >> 3")], "bad_filter").await;
    assert_eq!(problem["position"], 8);
    for filter in [
        "",
        "price",
        "price = null",
        "place = '(1,2)'",
        "price in ()",
        "1 = 1",
        "name = 'x",
    ] {
        refused(&fixture, &[("filter", filter)], "bad_filter").await;
    }
    let problem = refused(&fixture, &[("price", "10")], "bad_filter").await;
    assert!(
        problem["allowed"]
            .as_array()
            .unwrap()
            .contains(&"`eq`".into()),
        "{problem}"
    );
    let problem = refused(
        &fixture,
        &[("filter", "prize > 3 and id = 1")],
        "unknown_column",
    )
    .await;
    assert_eq!(problem["filter"], "prize > 3 and id = 1");
    // 100 kB do not fit into the head of a request.
    let long = format!("/api/v1{}", address(&[("filter", &"x".repeat(100_000))]));
    let answer = ask(fixture.server.address(), "GET", &long, &[], b"").await;
    assert!(
        [400, 414, 431].contains(&answer.status),
        "{}",
        answer.status
    );
}

#[tokio::test]
async fn numbers_are_checked() {
    let fixture = Fixture::start().await;
    for limit in [
        "-1",
        "1e9",
        "1001",
        "NaN",
        "",
        "0x10",
        "+5",
        "1.5",
        " 5",
        "99999999999999999999",
    ] {
        let problem = refused(&fixture, &[("limit", limit)], "bad_range").await;
        assert_eq!(problem["allowed"][0], "0 to 1000");
    }
    for offset in ["-1", "1e9", "NaN", "9223372036854775808"] {
        refused(&fixture, &[("offset", offset)], "bad_range").await;
    }
    let far = fixture
        .items(&[("offset", "1000000000000"), ("total", "exact")])
        .await
        .json();
    assert_eq!(
        (&far["rows"], &far["total"]),
        (&serde_json::json!([]), &200.into())
    );
    refused(&fixture, &[("total", "maybe")], "bad_parameter").await;
    refused(
        &fixture,
        &[("offset", "1"), ("cursor", "x")],
        "bad_parameter",
    )
    .await;
}

#[tokio::test]
async fn parameters_are_known_and_given_once() {
    let fixture = Fixture::start().await;
    let problem = refused(&fixture, &[("colour", "eq.1")], "unknown_parameter").await;
    let allowed = problem["allowed"].as_array().unwrap();
    assert!(
        allowed.contains(&"sort".into()) && allowed.contains(&"price".into()),
        "{problem}"
    );
    refused(
        &fixture,
        &[("limit", "10"), ("limit", "20")],
        "duplicate_parameter",
    )
    .await;
    refused(
        &fixture,
        &[("price", "gt.1"), ("price", "lt.2")],
        "duplicate_parameter",
    )
    .await;
    for columns in ["", "id,,name", "id,id", "\"id"] {
        refused(&fixture, &[("columns", columns)], "bad_parameter").await;
    }
    refused(&fixture, &[("columns", "id,secret")], "unknown_column").await;
    let raw = [
        "/tables/items/rows?name=%FF",
        "/tables/%FF/rows",
        "/tables/items/rows?%FF=1",
    ];
    for path in raw {
        assert_refused(path, &fixture.get(path).await, 400, "bad_parameter");
    }
    for path in ["/tables?x=1", "/tables/items?columns=id"] {
        assert_refused(path, &fixture.get(path).await, 400, "unknown_parameter");
    }
    let broken = fixture.get("/tables/items/rows?name=%zz").await;
    assert_refused("%zz", &broken, 400, "bad_filter");
}

#[tokio::test]
async fn addresses_and_methods_are_known() {
    let fixture = Fixture::start().await;
    for table in [
        "nothing",
        "pg_class",
        "pg_catalog.pg_authid",
        "rowcast.change_log",
        "items%00",
        "..",
        &encoded("items; drop table items"),
    ] {
        let answer = fixture.get(&format!("/tables/{table}/rows")).await;
        assert_refused(table, &answer, 404, "unknown_table");
    }
    for path in [
        "",
        "/",
        "/table",
        "/tables/items/cells",
        "/tables/items/rows/1/2",
        "/../../etc/passwd",
    ] {
        assert_refused(path, &fixture.get(path).await, 404, "unknown_address");
    }
    for method in ["POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "BREW"] {
        let answer = fixture
            .send(
                method,
                "/tables",
                &[("Origin", "https://evil.example")],
                b"",
            )
            .await;
        assert_eq!(answer.status, 403, "{method}");
        assert!(answer.header("access-control-allow-origin").is_none());
        let answer = fixture.send(method, "/tables", &[], b"").await;
        assert_refused(method, &answer, 405, "method_not_allowed");
        assert!(answer.header("allow").unwrap().contains("GET"), "{method}");
    }
    let head = fixture.send("HEAD", "/tables/items/rows", &[], b"").await;
    assert_eq!((head.status, head.body.len()), (200, 0));
}

#[tokio::test]
async fn other_pages_and_other_formats_are_refused() {
    let fixture = Fixture::start().await;
    for origin in ["https://evil.example", "null", "http://127.0.0.1:1"] {
        let answer = fixture
            .send("GET", "/tables/items/rows", &[("Origin", origin)], b"")
            .await;
        assert_eq!(answer.status, 403, "{origin}");
        assert!(answer.header("access-control-allow-origin").is_none());
    }
    let own = format!("http://{}", fixture.server.address());
    assert_eq!(
        fixture
            .send("GET", "/tables", &[("Origin", &own)], b"")
            .await
            .status,
        200
    );
    for accept in [
        "text/html",
        "application/xml",
        "application/json;q=0",
        "text/event-stream",
    ] {
        let answer = fixture
            .send("GET", "/tables", &[("Accept", accept)], b"")
            .await;
        assert_refused(accept, &answer, 406, "not_acceptable");
    }
    for accept in ["*/*", "application/*;q=0.1", "text/html, Application/JSON"] {
        assert_eq!(
            fixture
                .send("GET", "/tables", &[("Accept", accept)], b"")
                .await
                .status,
            200,
            "{accept}"
        );
    }
}

#[tokio::test]
async fn cursors_are_those_of_the_same_request() {
    let fixture = Fixture::start().await;
    let asked = [
        ("sort", "-price,name"),
        ("limit", "5"),
        ("filter", "stock > 1"),
    ];
    let first = fixture.items(&asked).await.json();
    let cursor = first["next_cursor"].as_str().unwrap();
    let with = |sort: &'static str, filter: &'static str, cursor: &str| {
        let all = [("sort", sort), ("filter", filter), ("cursor", cursor)];
        address(&all)
    };
    let good = with("-price,name", "stock>1", cursor);
    assert_eq!(fixture.get(&good).await.status, 200);
    let middle = cursor.len() / 2;
    let letter = if cursor.as_bytes()[middle] == b'A' {
        "B"
    } else {
        "A"
    };
    let altered = format!("{}{letter}{}", &cursor[..middle], &cursor[middle + 1..]);
    let cut = &cursor[..cursor.len() - 4];
    let wrong = [
        ("another sort", with("price,name", "stock > 1", cursor)),
        ("another filter", with("-price,name", "stock > 2", cursor)),
        ("altered", with("-price,name", "stock > 1", &altered)),
        ("cut", with("-price,name", "stock > 1", cut)),
        (
            "longer",
            with("-price,name", "stock > 1", &format!("{cursor}AAAA")),
        ),
        ("empty", with("-price,name", "stock > 1", "")),
        ("no base64", with("-price,name", "stock > 1", "' OR 1=1 --")),
        (
            "huge",
            with("-price,name", "stock > 1", &"A".repeat(20_000)),
        ),
    ];
    for (what, path) in wrong {
        assert_refused(what, &fixture.get(&path).await, 400, "invalid_cursor");
    }
    let none = [
        ("sort", "-price,name"),
        ("filter", "stock > 1"),
        ("limit", "0"),
        ("cursor", cursor),
    ];
    refused(&fixture, &none, "bad_range").await;
    // The same request after the table has got another column.
    fixture
        .database
        .execute("ALTER TABLE items ADD COLUMN later int")
        .await;
    e2e::eventually(
        "the new column is noticed",
        e2e::eventually::SOON,
        async || {
            let table = fixture.get("/tables/items").await.text();
            table.contains("\"later\"") && fixture.get(&good).await.status == 400
        },
    )
    .await;
    assert_refused(
        "old columns",
        &fixture.get(&good).await,
        400,
        "invalid_cursor",
    );
}

#[test]
fn every_code_is_documented() {
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .unwrap();
    let document = std::fs::read_to_string(root.join("docs/http-api.md")).unwrap();
    for code in server::http::api::codes::Code::ALL {
        let (name, status) = code.name_and_status();
        let line = format!("| `{name}` | {} |", status.as_u16());
        assert!(document.contains(&line), "docs/http-api.md: {line}");
    }
    for operator in server::http::api::filter_text::operators::OPERATORS {
        for spelling in [operator.word, operator.short] {
            assert!(
                document.contains(&format!("`{spelling}`")),
                "docs/http-api.md: {spelling}"
            );
        }
    }
}
