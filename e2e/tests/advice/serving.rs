//! What serves a view: the verdict is what PostgreSQL's plans say.

use server::db::advice::{Division, Thresholds, Verdict};

use crate::support::{STRICT, database, served, spec};

const INDEXES: &str = r#"
    CREATE INDEX by_price ON orders (price, id);
    CREATE INDEX by_tenant ON orders (tenant, "placed At", id);
    CREATE INDEX by_stage ON orders (stage);
    CREATE INDEX unbranded ON orders (name, id) WHERE brand IS NULL;
    CREATE INDEX mixed ON orders (gift DESC NULLS LAST, price DESC NULLS LAST, id);"#;

/// A view, what serves it, by which index, and whether its rows are then filtered.
const CASES: &[(&str, Verdict, &[&str], bool)] = &[
    ("{}", Verdict::Ordered, &["orders_pkey"], false),
    (
        r#"{"sort":[{"column":"id","descending":true}]}"#,
        Verdict::Ordered,
        &["orders_pkey"],
        false,
    ),
    (
        r#"{"sort":[{"column":"price"}]}"#,
        Verdict::Ordered,
        &["by_price"],
        false,
    ),
    (
        r#"{"sort":[{"column":"price","descending":true}]}"#,
        Verdict::Ordered,
        &["by_price"],
        false,
    ),
    // NULLs on the other side are another order.
    (
        r#"{"sort":[{"column":"price","nulls":"first"}]}"#,
        Verdict::Unserved,
        &[],
        false,
    ),
    (
        r#"{"sort":[{"column":"name"}]}"#,
        Verdict::Unserved,
        &[],
        false,
    ),
    // One tenant: the index on (tenant, time) is in order of time.
    (
        r#"{"filter":{"test":{"column":"tenant","op":"=","values":[3]}},"sort":[{"column":"placed At"}]}"#,
        Verdict::Ordered,
        &["by_tenant"],
        false,
    ),
    (
        r#"{"filter":{"test":{"column":"tenant","op":"=","values":[3]}},"sort":[{"column":"placed At","descending":true}]}"#,
        Verdict::Ordered,
        &["by_tenant"],
        false,
    ),
    // A range of prices, in order of price.
    (
        r#"{"filter":{"test":{"column":"price","op":"between","values":[100, 300]}},"sort":[{"column":"price"}]}"#,
        Verdict::Ordered,
        &["by_price"],
        false,
    ),
    // Most rows match: walking along the index and dropping the others is quick at first.
    (
        r#"{"filter":{"test":{"column":"stage","op":"=","values":["new"]}},"sort":[{"column":"price"}]}"#,
        Verdict::Ordered,
        &["by_price"],
        true,
    ),
    // Few rows: they are found and sorted.
    (
        r#"{"filter":{"test":{"column":"price","op":"between","values":[100, 101]}},"sort":[{"column":"name"}]}"#,
        Verdict::Found,
        &["by_price"],
        false,
    ),
    // The partial index serves its own rows only.
    (
        r#"{"filter":{"test":{"column":"brand","op":"is_null"}},"sort":[{"column":"name"}]}"#,
        Verdict::Ordered,
        &["unbranded"],
        false,
    ),
    (
        r#"{"sort":[{"column":"gift","descending":true,"nulls":"last"},{"column":"price","descending":true,"nulls":"last"}]}"#,
        Verdict::Ordered,
        &["mixed"],
        false,
    ),
    // No row can match, which PostgreSQL sees without reading any.
    (r#"{"filter":{"or":[]}}"#, Verdict::Small, &[], false),
    (
        r#"{"filter":{"test":{"column":"id","op":"=","values":[7]}},"sort":[{"column":"name"}]}"#,
        Verdict::Found,
        &["orders_pkey"],
        false,
    ),
    (
        r#"{"filter":{"test":{"column":"name","op":"contains","values":["nowhere"]}}}"#,
        Verdict::Unserved,
        &[],
        false,
    ),
];

#[tokio::test]
async fn the_verdict_is_what_the_plans_say() {
    let (_database, pool) = database(INDEXES).await;
    let mut wrong = Vec::new();
    for (view, verdict, indexes, residual) in CASES {
        let serving = served(&pool, &spec(view), &STRICT).await;
        let filtered = *verdict == Verdict::Ordered && serving.walk.as_ref().unwrap().residual;
        let whole = *verdict == Verdict::Ordered && !residual;
        if serving.verdict != *verdict
            || serving.indexes != *indexes
            || filtered != *residual
            || (whole && serving.division != Division::Walked)
        {
            wrong.push(format!("{view} is {verdict:?}: {serving:?}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[tokio::test]
async fn a_table_is_small_by_what_reading_it_costs() {
    let (_database, pool) = database("DELETE FROM orders WHERE id > 2000").await;
    let by_name = spec(r#"{"sort":[{"column":"name"}]}"#);
    let serving = served(&pool, &by_name, &Thresholds::default()).await;
    assert_eq!(serving.verdict, Verdict::Small, "{serving:#?}");
    assert_eq!(serving.division, Division::Listed, "{serving:#?}");
    let by_key = served(&pool, &spec("{}"), &Thresholds::default()).await;
    assert!(
        by_key.verdict == Verdict::Small && by_key.division == Division::Walked,
        "{by_key:#?}"
    );
}

/// A prefix of the order comes from an index, the rest is sorted bit by bit.
#[tokio::test]
async fn a_presorted_prefix_serves() {
    let (_database, pool) = database(r#"CREATE INDEX by_time ON orders ("placed At")"#).await;
    let by_time = spec(r#"{"sort":[{"column":"placed At"},{"column":"name"}]}"#);
    let serving = served(&pool, &by_time, &STRICT).await;
    assert_eq!(serving.verdict, Verdict::Ordered, "{serving:#?}");
    let walk = serving.walk.unwrap();
    assert_eq!(walk.presorted, Some(1), "{walk:#?}");
    // Two values only: nearly everything would be sorted before the first row.
    let (_database, pool) = database("CREATE INDEX by_stage ON orders (stage)").await;
    let by_stage = spec(r#"{"sort":[{"column":"stage"},{"column":"name"}]}"#);
    let serving = served(&pool, &by_stage, &STRICT).await;
    assert_eq!(serving.verdict, Verdict::Unserved, "{serving:#?}");
    // Each hop would sort half of the table anew, so the keys are listed, unless they are too many.
    assert_eq!(serving.division, Division::Listed, "{serving:#?}");
}

/// Where the keys are too many to be remembered, a walk that is not quick is better than none; without one there is
/// no way, however little reading costs.
#[tokio::test]
async fn keys_that_are_too_many_want_an_index() {
    let (_database, pool) = database("CREATE INDEX by_price ON orders (price, id)").await;
    let no_room = Thresholds {
        listed_rows: 1_000.0,
        ..Thresholds::default()
    };
    let rare = r#"{"filter":{"test":{"column":"gift","op":"=","values":[true]}},"sort":[{"column":"price"}]}"#;
    let by_name = r#"{"sort":[{"column":"name"}]}"#;
    for (view, thresholds, verdict, division) in [
        (rare, &no_room, Verdict::Small, Division::Walked),
        (
            by_name,
            &Thresholds::default(),
            Verdict::Small,
            Division::Listed,
        ),
        (by_name, &no_room, Verdict::Unserved, Division::TooLarge),
    ] {
        let serving = served(&pool, &spec(view), thresholds).await;
        let judged = (serving.verdict, serving.division);
        assert_eq!(judged, (verdict, division), "{view}: {serving:#?}");
    }
}

/// What the planner may not use serves nothing: an index that is not valid, and a session's settings.
#[tokio::test]
async fn an_index_that_is_not_valid_serves_nothing() {
    let more = "CREATE INDEX by_name ON orders (name, id); \
                UPDATE pg_index SET indisvalid = false WHERE indexrelid = 'by_name'::regclass";
    let (database, pool) = database(more).await;
    let by_name = spec(r#"{"sort":[{"column":"name"}]}"#);
    let serving = served(&pool, &by_name, &STRICT).await;
    assert_eq!(serving.verdict, Verdict::Unserved, "{serving:#?}");
    database.execute("REINDEX INDEX by_name").await;
    let serving = served(&pool, &by_name, &STRICT).await;
    assert_eq!(serving.indexes, ["by_name"], "{serving:#?}");
}

#[tokio::test]
async fn a_partitioned_table_is_served_if_its_partitions_are() {
    let parts = "
        CREATE TABLE parts (at integer NOT NULL, id integer NOT NULL, name text NOT NULL, PRIMARY KEY (at, id))
            PARTITION BY RANGE (at);
        CREATE TABLE parts_1 PARTITION OF parts FOR VALUES FROM (0) TO (100);
        CREATE TABLE parts_2 PARTITION OF parts FOR VALUES FROM (100) TO (200);
        CREATE TABLE parts_3 PARTITION OF parts DEFAULT;
        INSERT INTO parts SELECT n % 250, n, md5(n::text) FROM generate_series(1, 60000) AS n;
        SELECT rowcast.watch('parts');
        CREATE INDEX on parts_1 (name, at, id);
        CREATE INDEX on parts_2 (name, at, id);";
    let (database, pool) = database(parts).await;
    database.execute("VACUUM ANALYZE parts").await;
    let by_name = spec(r#"{"table":"parts","sort":[{"column":"name"}]}"#);
    let serving = served(&pool, &by_name, &STRICT).await;
    assert_eq!(serving.verdict, Verdict::Unserved, "{serving:#?}");
    database
        .execute("CREATE INDEX by_name ON parts (name, at, id); ANALYZE parts")
        .await;
    let serving = served(&pool, &by_name, &STRICT).await;
    assert_eq!(serving.verdict, Verdict::Ordered, "{serving:#?}");
    assert_eq!(serving.indexes.len(), 3, "{serving:#?}");
    let by_key = spec(r#"{"table":"parts","sort":[{"column":"at","descending":true}]}"#);
    let serving = served(&pool, &by_key, &STRICT).await;
    assert_eq!(serving.verdict, Verdict::Ordered, "{serving:#?}");
}
