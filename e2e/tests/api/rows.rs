//! Pages of rows are what PostgreSQL says they are.

use e2e::http::encoded;
use serde_json::{Value, json};

use crate::fixture::Fixture;

/// Items as the API writes them, in SQL.
const OBJECT: &str = "json_build_object('id', id, 'name', name, 'price', price::text, 'weight', \
    CASE WHEN weight::text ~ '[NI]' THEN to_json(weight::text) ELSE to_json(weight) END, \
    'stock', stock, 'active', active, 'mood', mood, 'tags', tags, 'extra', extra, \
    'added', to_json(added), 'code', code, 'german', german, 'place', place, 'total', total::text)";

/// Parameters, and the same in SQL: `WHERE` and `ORDER BY`.
type Asked = (
    &'static [(&'static str, &'static str)],
    &'static str,
    &'static str,
);

const ASKED: &[Asked] = &[
    (&[], "true", "id"),
    (&[("sort", "-price,name")], "true", "price DESC, name, id"),
    (
        &[("sort", "price.nullsfirst,-mood")],
        "true",
        "price NULLS FIRST, mood DESC, id DESC",
    ),
    (
        &[("sort", "-added.nullslast")],
        "true",
        "added DESC NULLS LAST, id DESC",
    ),
    (&[("sort", "german,weight")], "true", "german, weight, id"),
    (
        &[(
            "filter",
            "price > 10 and (name contains \"1\" or not mood is null)",
        )],
        "price > 10 AND (name ILIKE '%1%' OR mood IS NOT NULL)",
        "id",
    ),
    (
        &[("filter", "not (active = true) or price between 3 and 7.5")],
        "NOT active OR price BETWEEN 3 AND 7.5",
        "id",
    ),
    (
        &[
            ("filter", "german = 'strasse' or mood >= ok"),
            ("sort", "-id"),
        ],
        "german = 'strasse' OR mood >= 'ok'",
        "id DESC",
    ),
    (
        &[(
            "filter",
            "added < 2026-11-18T00:00:00Z and name starts_with 'ÄR'",
        )],
        "added < '2026-11-18T00:00:00Z' AND name ILIKE 'ÄR%'",
        "id",
    ),
    (
        &[
            ("price", "gt.10"),
            ("mood", "in.(ok,happy)"),
            ("active", "not.is_null"),
        ],
        "price > 10 AND mood IN ('ok', 'happy') AND active IS NOT NULL",
        "id",
    ),
    (
        &[("filter", "id in (3, 4, 5)"), ("weight", "ne.NaN")],
        "id IN (3, 4, 5) AND weight <> 'NaN'",
        "id",
    ),
    (&[("filter", "false")], "false", "id"),
    (
        &[("name", "contains.%"), ("filter", "code != 'C''; --'")],
        "name LIKE '%\\%%'",
        "id",
    ),
];

/// With every float as a float: `25` and `25.0` are the same.
fn plain(rows: &Value) -> Value {
    let mut rows = rows.clone();
    for row in rows.as_array_mut().unwrap() {
        if let Some(weight) = row["weight"].as_f64() {
            row["weight"] = json!(weight);
        }
    }
    rows
}

#[tokio::test]
async fn pages_are_what_postgresql_says() {
    let fixture = Fixture::start().await;
    for (parameters, condition, order) in ASKED {
        for (limit, offset) in [(100, 0), (7, 40), (3, 199), (5, 1_000), (0, 0)] {
            let (limit, offset) = (limit.to_string(), offset.to_string());
            let mut all = parameters.to_vec();
            all.extend([("limit", &*limit), ("offset", &*offset), ("total", "exact")]);
            let answer = fixture.items(&all).await;
            assert_eq!(answer.status, 200, "{all:?}: {}", answer.text());
            let body = answer.json();
            let page = format!(
                "SELECT coalesce(json_agg(o), '[]') FROM (SELECT {OBJECT} AS o FROM items \
                 WHERE {condition} ORDER BY {order} LIMIT {limit} OFFSET {offset}) AS page"
            );
            let (answered, expected) = (plain(&body["rows"]), plain(&fixture.sql(&page).await));
            assert_eq!(answered, expected, "{all:?}");
            let total = fixture
                .sql(&format!("SELECT count(*) FROM items WHERE {condition}"))
                .await;
            assert_eq!(body["total"], total, "{all:?}");
            assert_eq!(body["total_is_exact"], true);
            let shown =
                body["offset"].as_u64().unwrap() + body["rows"].as_array().unwrap().len() as u64;
            assert_eq!(body["has_more"], shown < total.as_u64().unwrap(), "{all:?}");
            assert!(body["version"].as_str().unwrap().contains('/'));
        }
    }
}

#[tokio::test]
async fn a_page_shows_what_was_committed_before() {
    let fixture = Fixture::start().await;
    for nth in 0..20 {
        fixture
            .database
            .execute(&format!("UPDATE items SET stock = {nth} WHERE id = 7"))
            .await;
        let answer = fixture.items(&[("id", "eq.7"), ("columns", "stock")]).await;
        // The table's task may be behind by the time one read of the log takes, never by more.
        let stock = answer.json()["rows"][0]["stock"].as_i64().unwrap();
        assert!(stock == nth || stock == nth - 1, "{stock} after {nth}");
    }
}

#[tokio::test]
async fn columns_are_chosen_and_ordered() {
    let fixture = Fixture::start().await;
    let parameters = [("columns", "price,id"), ("sort", "-stock"), ("limit", "2")];
    let answer = fixture.items(&parameters).await;
    let text = answer.text();
    assert!(
        text.starts_with(r#"{"rows":[{"price":null,"id":200},{"price":"15.75","id":199}]"#),
        "{text}"
    );
    assert_eq!(answer.header("content-type"), Some("application/json"));
    assert_eq!(answer.header("cache-control"), Some("no-store"));
    assert!(answer.header("access-control-allow-origin").is_none());
}

#[tokio::test]
async fn odd_names_work() {
    let fixture = Fixture::start().await;
    let table = encoded(r#"public."Odd ""table"", 100%/é""#);
    let schema = fixture.get(&format!("/tables/{table}")).await.json();
    assert_eq!(schema["key"], json!(["select", "key, one"]));
    let filter = encoded(r#""select" < 3 and not "a.b nullslast" is null"#);
    let sort = encoded(r#"-"a.b nullslast".nullsfirst,"select""#);
    let columns = encoded(r#""key, one""#);
    let path = format!("/tables/{table}/rows?filter={filter}&sort={sort}&columns={columns}");
    let answer = fixture.get(&path).await;
    assert_eq!(
        answer.json()["rows"],
        json!([{"key, one": "é\"%"}, {"key, one": "a,b/c d"}])
    );
    let path = format!("/tables/{table}/rows?{}=eq.%2B", encoded("key, one"));
    assert_eq!(fixture.get(&path).await.json()["rows"][0]["select"], 3);
}

#[tokio::test]
async fn tables_are_listed() {
    let fixture = Fixture::start().await;
    let tables = fixture.get("/tables").await.json();
    let names: Vec<&str> = tables["tables"]
        .as_array()
        .unwrap()
        .iter()
        .filter_map(|table| table["name"].as_str())
        .collect();
    assert_eq!(names, [r#"public."Odd ""table"", 100%/é""#, "public.items"]);
    for name in ["items", "public.items"] {
        let table = fixture.get(&format!("/tables/{name}")).await.json();
        assert_eq!(
            (&table["name"], &table["key"]),
            (&json!("public.items"), &json!(["id"]))
        );
        let price = &table["columns"][2];
        assert_eq!(
            (&price["kind"], &price["type_name"]),
            (&json!("numeric"), &json!("numeric(12,2)"))
        );
        assert_eq!(table["comment"], Value::Null);
    }
}

/// Walks through a view by cursors; returns the pages' rows.
async fn walk(
    fixture: &Fixture,
    parameters: &[(&str, &str)],
    from: &str,
    which: &str,
) -> Vec<Value> {
    let mut pages = Vec::new();
    let mut cursor = Some(from.to_owned());
    while let Some(from) = cursor {
        let mut all = parameters.to_vec();
        all.push(("cursor", &from));
        let answer = fixture.items(&all).await;
        assert_eq!(answer.status, 200, "{}", answer.text());
        let body = answer.json();
        assert_eq!(body["total"], Value::Null);
        assert!(body["version"].as_str().unwrap().contains('/'));
        pages.push(body["rows"].clone());
        cursor = body[which].as_str().map(str::to_owned);
        assert!(pages.len() < 100, "no end");
    }
    pages
}

fn joined<'a>(pages: impl Iterator<Item = &'a Value>) -> Vec<Value> {
    pages
        .flat_map(|page| page.as_array().unwrap().clone())
        .collect()
}

#[tokio::test]
async fn cursors_lead_through_every_row_and_back() {
    let fixture = Fixture::start().await;
    for (parameters, condition, order) in ASKED {
        let mut all = parameters.to_vec();
        all.extend([("limit", "17"), ("columns", "code")]);
        let mut first = all.clone();
        first.push(("total", "exact"));
        let first = fixture.items(&first).await.json();
        let codes = format!(
            "SELECT coalesce(json_agg(json_build_object('code', code) ORDER BY {order}), '[]') \
             FROM items WHERE {condition}"
        );
        let expected = fixture.sql(&codes).await;
        let expected = expected.as_array().unwrap();
        assert_eq!(first["prev_cursor"], Value::Null);
        let Some(cursor) = first["next_cursor"].as_str() else {
            assert_eq!(first["rows"].as_array().unwrap(), expected, "{all:?}");
            continue;
        };
        let pages = walk(&fixture, &all, cursor, "next_cursor").await;
        let forwards = joined(std::iter::once(&first["rows"]).chain(&pages));
        assert_eq!(&forwards, expected, "{all:?}");

        let far = (expected.len() - 5).to_string();
        let mut last = all.clone();
        last.push(("offset", &far));
        let last = fixture.items(&last).await.json();
        let cursor = last["prev_cursor"].as_str().unwrap();
        let pages = walk(&fixture, &all, cursor, "prev_cursor").await;
        let backwards = joined(pages.iter().rev().chain([&last["rows"]]));
        assert_eq!(&backwards, expected, "{all:?}");
    }
}

#[tokio::test]
async fn a_cursor_stays_good_when_its_row_goes() {
    let fixture = Fixture::start().await;
    let parameters = [("sort", "-stock"), ("limit", "10"), ("columns", "id")];
    let first = fixture.items(&parameters).await.json();
    fixture
        .database
        .execute("DELETE FROM items WHERE id IN (191, 190)")
        .await;
    let mut next = parameters.to_vec();
    let cursor = first["next_cursor"].as_str().unwrap();
    next.push(("cursor", cursor));
    let body = fixture.items(&next).await.json();
    assert_eq!(
        (&body["rows"][0]["id"], &body["rows"][9]["id"]),
        (&json!(189), &json!(180))
    );
}

#[tokio::test]
async fn cursors_of_odd_tables_work() {
    let fixture = Fixture::start().await;
    let table = encoded(r#"public."Odd ""table"", 100%/é""#);
    let path = format!(
        "/tables/{table}/rows?limit=1&sort={}",
        encoded(r#"-"a.b nullslast".nullsfirst"#)
    );
    let mut seen = Vec::new();
    let mut cursor = String::new();
    loop {
        let body = fixture.get(&format!("{path}{cursor}")).await.json();
        seen.push(body["rows"][0]["select"].clone());
        match body["next_cursor"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => break,
        }
    }
    assert_eq!(seen, [json!(3), json!(2), json!(1)]);
}
