//! Names that would break SQL that is put together carelessly, wide tables, and keys of several kinds.

use std::fmt::Write;

use client_egui::model::{Headless, WindowId};
use e2e::TestDatabase;
use e2e::viewing::{column, open, shows, until};
use protocol::{Filter, FilterOp, SortColumn, Value, ViewSpec};
use sqlx::Connection;

use crate::{listed, serve, watcher};

/// Schemas, tables, columns and labels are called like this.
const NAMES: &[&str] = &[
    "select",
    "my table",
    "quo\"te",
    "Ünïcödé 表 🦀",
    "$1",
    "a$1::text b",
    "new\nline",
    "t",
    "r",
    "tab'le",
    "back\\slash",
    "per%cent",
    "; DROP TABLE safe; --",
    "{}",
    "value",
    "sixty-three bytes long, which is all that PostgreSQL lets us have",
    "表表表表表表表表表表表表表表表表表表表表表",
    "x🦀🦀🦀🦀🦀🦀🦀🦀🦀🦀🦀🦀🦀🦀🦀éé🦀",
];

fn quoted(name: &str) -> String {
    let mut end = name.len().min(63);
    while !name.is_char_boundary(end) {
        end -= 1;
    }
    format!("\"{}\"", name[..end].replace('"', "\"\""))
}

fn bare(name: &str) -> String {
    let quoted = quoted(name);
    quoted[1..quoted.len() - 1].replace("\"\"", "\"")
}

#[tokio::test]
async fn any_name_goes_from_the_list_to_a_live_cell() {
    let mut sql = "CREATE TABLE safe (id int PRIMARY KEY); CREATE SCHEMA labels;".to_owned();
    for name in NAMES {
        let (name, label) = (quoted(name), name.replace('\'', "''"));
        let label = &label[..label.floor_char_boundary(63)];
        write!(
            sql,
            "CREATE SCHEMA {schema};
             CREATE TYPE labels.{name} AS ENUM ('{label}', 'other');
             CREATE TABLE {schema}.{name} (id int, {name} text, kind labels.{name}, PRIMARY KEY (id));
             INSERT INTO {schema}.{name} VALUES (1, 'b', '{label}'), (2, 'a', 'other'), (3, NULL, NULL);",
            schema = quoted(&format!("s {}", bare(&name[1..name.len() - 1]))),
        )
        .unwrap();
    }
    let database = TestDatabase::new().await;
    database.install(&sql, &[]).await;
    let server = serve(&database).await;
    let tables = listed(&server).await;
    assert_eq!(tables.len(), NAMES.len() + 1);
    let mut connection = sqlx::PgConnection::connect(database.url()).await.unwrap();
    let mut viewer = watcher(&server).await;
    for name in NAMES {
        let is_it = |table: &&protocol::TableInfo| table.table == bare(name);
        let table = tables
            .values()
            .find(is_it)
            .unwrap_or_else(|| panic!("{name} is not listed"));
        let table = table.name.clone();
        let window = open_by(&mut viewer, &table, &bare(name)).await;
        let edit = |text: &str| (Value::Int(2), Value::text(text));
        for (turn, is_watched) in [(1, false), (2, true), (3, false)] {
            match (turn, is_watched) {
                (2, _) => migrations::watch(&mut connection, &table).await.unwrap(),
                (3, _) => migrations::unwatch(&mut connection, &table).await.unwrap(),
                _ => {}
            }
            let liveness = if is_watched { "live" } else { "polled" };
            until(&mut viewer, liveness, |model| {
                let schema = crate::schema(model, window);
                let is_filled = column(model, window, "id").len() == 2;
                is_filled
                    && schema
                        .is_some_and(|it| (it.liveness == protocol::Liveness::Live) == is_watched)
            })
            .await;
            // An edit, as any client makes it; and a write by somebody else.
            let (key, value) = edit(&format!("edited {turn}"));
            let column_name = bare(name);
            let made =
                viewer.act(|model, now| model.edit(window, &[key], &column_name, value, now));
            made.unwrap_or_else(|error| panic!("{name}: {error:?}"));
            let quoted = quoted(name);
            let write = format!("UPDATE {table} SET {quoted} = 'x {turn}' WHERE id = 1");
            database.execute(&write).await;
            let wanted = [format!("edited {turn}"), format!("x {turn}")];
            let wanted: Vec<&str> = wanted.iter().map(String::as_str).collect();
            shows(&mut viewer, window, &column_name, &wanted).await;
        }
        viewer.act(|model, _| model.close(window));
        let label: String = name[..name.floor_char_boundary(63)].to_owned();
        let window = open_filtered(&mut viewer, &table, "kind", &label).await;
        assert_eq!(column(viewer.model(), window, "id"), ["1"], "{name}");
        viewer.act(|model, _| model.close(window));
    }
}

/// Rows that have a value in the column, sorted by it.
async fn open_by(viewer: &mut Headless, table: &str, name: &str) -> WindowId {
    let sort = SortColumn {
        column: name.to_owned(),
        descending: false,
        nulls: None,
    };
    let view = ViewSpec {
        filter: Some(Filter::test(name, FilterOp::Ge, "a")),
        sort: vec![sort],
        ..ViewSpec::table(table)
    };
    open(viewer, view, 0, 10).await
}

async fn open_filtered(viewer: &mut Headless, table: &str, name: &str, value: &str) -> WindowId {
    let view = ViewSpec {
        filter: Some(Filter::test(name, FilterOp::Eq, value)),
        ..ViewSpec::table(table)
    };
    open(viewer, view, 0, 10).await
}

#[tokio::test]
async fn a_table_of_five_hundred_columns_is_a_table() {
    let columns: String = (0..499)
        .map(|n| format!(", c{n} text DEFAULT '{n}'"))
        .collect();
    let sql = format!(
        "CREATE TABLE wide (id int PRIMARY KEY{columns});
         INSERT INTO wide (id) SELECT generate_series(1, 300); UPDATE wide SET c498 = id % 7;"
    );
    let database = TestDatabase::new().await;
    database.install(&sql, &["wide"]).await;
    let server = serve(&database).await;
    let mut viewer = watcher(&server).await;
    let window = open(&mut viewer, crate::by("wide", &[("c498", true)]), 0, 40).await;
    let sql = "SELECT * FROM wide ORDER BY c498 DESC, id DESC LIMIT 40";
    crate::equals(&mut viewer, &database, window, sql).await;
    database
        .execute("UPDATE wide SET c250 = 'changed', c498 = '9' WHERE id % 30 = 0")
        .await;
    crate::equals(&mut viewer, &database, window, sql).await;
    let key = [Value::Int(300)];
    let edit = viewer.act(|model, now| model.edit(window, &key, "c0", Value::text("edited"), now));
    edit.unwrap();
    until(&mut viewer, "the edit", |model| {
        column(model, window, "c0")[0] == "edited"
    })
    .await;
    database.execute("SELECT rowcast.unwatch('wide')").await;
    database.execute("UPDATE wide SET c100 = 'polled'").await;
    crate::equals(&mut viewer, &database, window, sql).await;
}

#[tokio::test]
async fn keys_of_several_columns_and_types_tell_rows_apart() {
    let sql = "
        CREATE TABLE by_text (code text PRIMARY KEY, note text);
        INSERT INTO by_text VALUES ('', 'empty'), ('a''b', 'quoted'), ('ä', 'umlaut'), ('Z', 'last');
        CREATE TABLE by_uuid (id uuid PRIMARY KEY, note text);
        INSERT INTO by_uuid SELECT md5(n::text)::uuid, n::text FROM generate_series(1, 4) AS n;
        CREATE TABLE by_many (a text, b uuid, c date, d numeric, note text, PRIMARY KEY (d, a, c, b));
        INSERT INTO by_many SELECT 'a,' || n % 2, md5(n::text)::uuid, '2026-01-01', n / 2.0, n::text
        FROM generate_series(1, 4) AS n;
        CREATE TABLE by_unique (x int, code varchar(9) NOT NULL UNIQUE, note text);
        INSERT INTO by_unique VALUES (1, 'one', '1'), (1, 'two', '2'), (NULL, 'three', '3'), (4, 'four', '4');
        CREATE DOMAIN code AS text CHECK (value <> '');
        CREATE TABLE by_domain (id code PRIMARY KEY, note text);
        INSERT INTO by_domain VALUES ('p', '1'), ('q', '2'), ('r', '3'), ('s', '4');";
    let database = TestDatabase::new().await;
    database.install(sql, &[]).await;
    let server = serve(&database).await;
    let mut viewer = watcher(&server).await;
    let tables = [
        ("by_text", "code"),
        ("by_uuid", "id"),
        ("by_many", "d, a, c, b"),
        ("by_unique", "code"),
        ("by_domain", "id"),
    ];
    for is_watched in [false, true] {
        for (table, order) in tables {
            if is_watched {
                database
                    .execute(&format!("SELECT rowcast.watch('{table}')"))
                    .await;
            }
            let window = open(&mut viewer, ViewSpec::table(table), 0, 10).await;
            let sql = format!("SELECT * FROM {table} ORDER BY {order}");
            crate::equals(&mut viewer, &database, window, &sql).await;
            let rows = viewer.model().window(window).unwrap().cache().rows();
            let key = rows[1].key().to_vec();
            let value = Value::text(format!("edited, watched: {is_watched}"));
            let edit = viewer
                .act(|model, now| model.edit(window, &key, "note", value, now))
                .unwrap();
            until(&mut viewer, "settled", |model| {
                model.edit_state(edit).is_none()
            })
            .await;
            crate::equals(&mut viewer, &database, window, &sql).await;
            let change = format!(
                "DELETE FROM {table} WHERE note = (SELECT min(note) FROM {table}) AND {is_watched}"
            );
            database.execute(&change).await;
            crate::equals(&mut viewer, &database, window, &sql).await;
            viewer.act(|model, _| model.close(window));
        }
    }
}
