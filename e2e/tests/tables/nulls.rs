//! What looks like a missing value and is none.

use e2e::TestDatabase;
use e2e::viewing::{column, open, shows};
use protocol::{Filter, FilterOp, Test, ViewSpec};

use crate::{by, scroll, serve, watcher};

#[tokio::test]
async fn a_null_in_json_is_not_a_missing_value() {
    let database = TestDatabase::new().await;
    let sql = "
        CREATE TABLE facts (id int PRIMARY KEY, said jsonb, must json NOT NULL);
        INSERT INTO facts VALUES (1, 'null', 'null'), (2, NULL, '{}'), (3, '{\"a\": null}', 'null');
        CREATE VIEW seen AS SELECT * FROM facts;";
    database.install(sql, &["facts"]).await;
    let server = serve(&database).await;
    let mut viewer = watcher(&server).await;
    let live = open(&mut viewer, ViewSpec::table("facts"), 0, 10).await;
    let polled = open(&mut viewer, by("seen", &[("id", false)]), 0, 10).await;
    let missing = ViewSpec {
        filter: Some(Filter::Test(Test {
            column: "said".to_owned(),
            op: FilterOp::IsNull,
            values: Vec::new(),
        })),
        ..ViewSpec::table("facts")
    };
    let missing = open(&mut viewer, missing, 0, 10).await;
    for window in [live, polled] {
        shows(&mut viewer, window, "said", &["null", "∅", "{\"a\": null}"]).await;
        shows(&mut viewer, window, "must", &["null", "{}", "null"]).await;
    }
    assert_eq!(column(viewer.model(), missing, "id"), ["2"]);
    let sql = "UPDATE facts SET said = CASE id WHEN 1 THEN NULL ELSE 'null'::jsonb END, must = '[]' \
               WHERE id < 3";
    database.execute(sql).await;
    for window in [live, polled] {
        shows(&mut viewer, window, "said", &["∅", "null", "{\"a\": null}"]).await;
        shows(&mut viewer, window, "must", &["[]", "[]", "null"]).await;
    }
    shows(&mut viewer, missing, "id", &["1"]).await;
    database
        .execute("INSERT INTO facts VALUES (4, 'null', 'null'), (5, NULL, 'null')")
        .await;
    shows(&mut viewer, missing, "id", &["1", "5"]).await;
    shows(
        &mut viewer,
        live,
        "said",
        &["∅", "null", "{\"a\": null}", "null", "∅"],
    )
    .await;
}

/// `IS NULL` holds for a composite whose fields are all NULL, and `IS NOT NULL` not for one of which any is. Neither
/// says whether there is a value, nor where `ORDER BY` puts it.
#[tokio::test]
async fn a_composite_of_nulls_is_not_a_missing_value() {
    let database = TestDatabase::new().await;
    let sql = "
        CREATE TYPE pair AS (a int, b text);
        CREATE TABLE facts (id int PRIMARY KEY, it pair);
        INSERT INTO facts SELECT n, CASE n % 5 WHEN 0 THEN NULL WHEN 1 THEN ROW(NULL, NULL)::pair
            WHEN 2 THEN ROW(n, NULL)::pair WHEN 3 THEN ROW(NULL, 'b')::pair ELSE ROW(n, 'b')::pair END
            FROM generate_series(1, 700) AS n;
        CREATE INDEX ON facts (it, id);";
    database.install(sql, &["facts"]).await;
    let server = serve(&database).await;
    let mut viewer = watcher(&server).await;
    let missing = Filter::Test(Test {
        column: "it".to_owned(),
        op: FilterOp::IsNull,
        values: Vec::new(),
    });
    let mut windows = Vec::new();
    for (filter, condition) in [
        (None, "true"),
        (Some(missing.clone()), "it IS NOT DISTINCT FROM NULL"),
        (
            Some(Filter::Not(Box::new(missing))),
            "it IS DISTINCT FROM NULL",
        ),
    ] {
        for (descending, order) in [(false, "it, id"), (true, "it DESC, id DESC")] {
            let view = ViewSpec {
                filter: filter.clone(),
                ..by("facts", &[("it", descending)])
            };
            let window = open(&mut viewer, view, 0, 20).await;
            windows.push((
                window,
                format!("SELECT * FROM facts WHERE {condition} ORDER BY {order}"),
            ));
        }
    }
    for first in [0, 130, 270, 410, 550] {
        for change in [
            format!(
                "UPDATE facts SET it = ROW(NULL, NULL)::pair WHERE id % 35 = {}",
                first % 7
            ),
            format!(
                "UPDATE facts SET it = NULL WHERE id % 41 = {}; DELETE FROM facts WHERE id = {first}",
                first % 9
            ),
        ] {
            database.execute(&change).await;
            for (window, select) in &windows {
                let select = format!("{select} OFFSET {first} LIMIT 20");
                scroll(&mut viewer, &database, *window, first, &select).await;
            }
        }
    }
}
