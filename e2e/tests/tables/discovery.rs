//! What is listed, and what is said about it.

use e2e::TestDatabase;
use e2e::viewing::open;
use protocol::{Liveness, TableInfo, TableKind, ViewSpec};

use crate::{listed, schema, serve, serve_as_guest, watcher};

const ALL_KINDS: &str = "
    CREATE TABLE watched (id int PRIMARY KEY, name text);
    COMMENT ON TABLE watched IS 'As it happens'; COMMENT ON COLUMN watched.name IS 'What it is called';
    CREATE TABLE ordinary (id int PRIMARY KEY, name text, twice int GENERATED ALWAYS AS (id * 2) STORED);
    CREATE TABLE coded (note text, code text NOT NULL UNIQUE, nr int UNIQUE);
    CREATE TABLE keyless (note text, code text UNIQUE);
    CREATE TABLE partial (code text NOT NULL); CREATE UNIQUE INDEX ON partial (code) WHERE code > 'a';
    CREATE TABLE parts (id int, day int, PRIMARY KEY (day, id)) PARTITION BY RANGE (day);
    CREATE TABLE parts_1 PARTITION OF parts FOR VALUES FROM (0) TO (10);
    CREATE TABLE parent (id int PRIMARY KEY);
    CREATE TABLE child (PRIMARY KEY (id)) INHERITS (parent);
    CREATE VIEW looked_at AS SELECT id, name FROM watched;
    CREATE MATERIALIZED VIEW stored AS SELECT id FROM watched;
    CREATE EXTENSION postgres_fdw;
    CREATE SERVER elsewhere FOREIGN DATA WRAPPER postgres_fdw;
    CREATE FOREIGN TABLE far (id int) SERVER elsewhere;
    CREATE SCHEMA other; CREATE TABLE other.watched (id int PRIMARY KEY);
    CREATE UNLOGGED TABLE fleeting (id int PRIMARY KEY);";

fn why(table: &TableInfo) -> &str {
    match &table.liveness {
        Liveness::Live => "live",
        Liveness::Polled { reason, .. } => reason,
    }
}

/// Each table of [`ALL_KINDS`]: its kind, a part of why it is as live as it is, and of why it is not edited.
const KINDS: [(&str, TableKind, &str, &str); 12] = {
    use TableKind::{Foreign, MaterializedView, Partitioned, Table, View};
    [
        ("watched", Table, "live", ""),
        ("parts", Partitioned, "live", ""),
        ("ordinary", Table, "rowcast watch 'public.ordinary'", ""),
        ("coded", Table, "rowcast watch 'public.coded'", ""),
        (
            "keyless",
            Table,
            "unique index on NOT NULL columns",
            "cannot be told apart",
        ),
        (
            "partial",
            Table,
            "unique index on NOT NULL columns",
            "cannot be told apart",
        ),
        ("child", Table, "INHERITS", ""),
        ("parent", Table, "INHERITS", ""),
        ("looked_at", View, "it is a view", "it is a view"),
        ("stored", MaterializedView, "refresh", "materialized view"),
        ("far", Foreign, "foreign", "cannot be told apart"),
        ("fleeting", Table, "rowcast watch", ""),
    ]
};

#[tokio::test]
async fn every_kind_of_table_says_how_live_it_is_and_whether_it_can_be_edited() {
    let database = TestDatabase::new().await;
    database.install(ALL_KINDS, &["watched", "parts"]).await;
    database.execute("ANALYZE").await;
    let server = serve(&database).await;
    let tables = listed(&server).await;
    let mut names: Vec<&str> = tables.keys().map(String::as_str).collect();
    names.sort_unstable();
    let all = [
        "other.watched",
        "public.child",
        "public.coded",
        "public.far",
        "public.fleeting",
        "public.keyless",
        "public.looked_at",
        "public.ordinary",
        "public.parent",
        "public.partial",
        "public.parts",
        "public.stored",
        "public.watched",
    ];
    assert_eq!(names, all);
    for (name, kind, liveness, not_editable) in KINDS {
        let table = &tables[&format!("public.{name}")];
        assert_eq!(table.kind, kind, "{name}");
        assert!(why(table).contains(liveness), "{name}: {}", why(table));
        let refused = table.not_editable.as_deref().unwrap_or_default();
        assert_eq!(
            refused.is_empty(),
            not_editable.is_empty(),
            "{name}: {refused}"
        );
        assert!(refused.contains(not_editable), "{name}: {refused}");
        assert_eq!((&*table.schema, &*table.table), ("public", name));
    }
    assert_eq!(
        tables["public.watched"].comment.as_deref(),
        Some("As it happens")
    );
    assert_eq!(tables["public.looked_at"].estimated_rows, None);
}

#[tokio::test]
async fn any_key_tells_rows_apart_and_a_generated_column_is_not_edited() {
    let database = TestDatabase::new().await;
    database.install(ALL_KINDS, &["watched", "parts"]).await;
    let server = serve(&database).await;
    let mut viewer = watcher(&server).await;
    for (table, key) in [
        ("watched", vec!["id"]),
        ("parts", vec!["day", "id"]),
        ("coded", vec!["code"]),
        ("keyless", vec![]),
        ("other.watched", vec!["id"]),
    ] {
        let window = open(&mut viewer, ViewSpec::table(table), 0, 5).await;
        assert_eq!(schema(viewer.model(), window).unwrap().key, key, "{table}");
    }
    let window = open(&mut viewer, ViewSpec::table("watched"), 0, 5).await;
    let columns = schema(viewer.model(), window).unwrap().columns;
    let comments: Vec<_> = columns
        .iter()
        .map(|column| column.comment.as_deref())
        .collect();
    assert_eq!(comments, [None, Some("What it is called")]);
    let window = open(&mut viewer, ViewSpec::table("ordinary"), 0, 5).await;
    let columns = schema(viewer.model(), window).unwrap().columns;
    let editable: Vec<bool> = columns.iter().map(|column| column.editable).collect();
    assert_eq!(
        editable,
        [true, true, false],
        "a generated column is not written"
    );
}

#[tokio::test]
async fn a_role_sees_what_it_may_read_and_is_told_what_it_may_not_do() {
    let database = TestDatabase::new().await;
    let sql = "
        CREATE TABLE mine (id int PRIMARY KEY, name text, secret text DEFAULT 'hidden');
        CREATE TABLE yours (id int PRIMARY KEY); CREATE TABLE half (id int PRIMARY KEY, name text);
        CREATE TABLE read_only (id int PRIMARY KEY); CREATE TABLE by_row (id int PRIMARY KEY, who text);
        ALTER TABLE by_row ENABLE ROW LEVEL SECURITY; CREATE POLICY p ON by_row USING (who = 'all');
        CREATE SCHEMA closed; CREATE TABLE closed.inner_one (id int PRIMARY KEY);
        INSERT INTO mine VALUES (1, 'one'); INSERT INTO by_row VALUES (1, 'all'), (2, 'other');";
    database
        .install(sql, &["mine", "yours", "half", "read_only", "by_row"])
        .await;
    let (server, role) = serve_as_guest(
        &database,
        "GRANT SELECT (id, name), UPDATE (name) ON mine TO ROLE;
         GRANT SELECT, INSERT, UPDATE (name), DELETE ON half TO ROLE;
         GRANT SELECT ON read_only, by_row TO ROLE; GRANT SELECT ON closed.inner_one TO ROLE;",
    )
    .await;
    let tables = listed(&server).await;
    let mut names: Vec<&str> = tables.keys().map(String::as_str).collect();
    names.sort_unstable();
    assert_eq!(
        names,
        [
            "public.by_row",
            "public.half",
            "public.mine",
            "public.read_only"
        ]
    );
    assert!(why(&tables["public.mine"]).contains("may not read all of its columns"));
    assert!(why(&tables["public.by_row"]).contains("row-level security"));
    assert_eq!(why(&tables["public.half"]), "live");
    let refused = tables["public.read_only"].not_editable.as_deref();
    assert_eq!(refused, Some("the server's role may not update it"));
    let may = tables["public.half"].may;
    assert!(may.insert && may.update && may.delete);

    let mut viewer = watcher(&server).await;
    let window = open(&mut viewer, ViewSpec::table("mine"), 0, 5).await;
    assert_eq!(crate::grid(viewer.model(), window), [["1", "one"]]);
    let window = open(&mut viewer, ViewSpec::table("by_row"), 0, 5).await;
    assert_eq!(crate::grid(viewer.model(), window), [["1", "all"]]);
    let window = open(&mut viewer, ViewSpec::table("half"), 0, 5).await;
    let columns = schema(viewer.model(), window).unwrap().columns;
    assert_eq!([columns[0].editable, columns[1].editable], [false, true]);
    drop(server);
    database
        .execute(&format!("DROP OWNED BY {role}; DROP ROLE {role}"))
        .await;
}
