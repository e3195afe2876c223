//! The index that is suggested serves, whatever the view.

use protocol::{Filter, FilterOp, NullsOrder, SortColumn, Test, Value, ViewSpec};
use rand::seq::IndexedRandom;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use server::db::advice::{Serving, Verdict, serving};
use server::db::build_index::statements;
use server::db::catalog::TableDef;
use server::db::indexes::indexes;
use server::views::advice::suggest::{Suggested, suggest};
use sqlx::PgPool;

use crate::support::{STRICT, database, plan, spec, table};

/// Random views looked at, unless ROWCAST_ADVICE_VIEWS says otherwise.
const VIEWS: usize = 40;

async fn asked(pool: &PgPool, table: &TableDef, spec: &ViewSpec) -> (Serving, Suggested) {
    let plan = plan(pool, table, spec).await;
    let (condition, order) = (&plan.condition, &plan.order);
    let serving = serving(pool, table, condition, order, &STRICT)
        .await
        .unwrap();
    let suggested = suggest(pool, table, spec, order, &serving, &STRICT);
    let suggested = suggested.await.unwrap();
    (serving, suggested)
}

fn random_test(rng: &mut ChaCha8Rng) -> Filter {
    let day = |rng: &mut ChaCha8Rng| format!("2026-01-{:02}T00:00:00Z", rng.random_range(1..14));
    let range = [FilterOp::Lt, FilterOp::Le, FilterOp::Gt, FilterOp::Ge];
    let range = *range.choose(rng).unwrap();
    let (column, op, values): (&str, FilterOp, Vec<Value>) = match rng.random_range(0..13) {
        0 => ("tenant", FilterOp::Eq, vec![rng.random_range(0..32).into()]),
        1 => ("tenant", FilterOp::In, vec![rng.random_range(0..32).into()]),
        2 => ("tenant", FilterOp::In, vec![3.into(), 5.into(), 7.into()]),
        3 => ("tenant", FilterOp::Ne, vec![4.into()]),
        4 => ("placed At", range, vec![Value::text(day(rng))]),
        5 => {
            let from = f64::from(rng.random_range(0..600));
            let to = from + *[0.5, 30.0].choose(rng).unwrap();
            (
                "price",
                FilterOp::Between,
                vec![Value::Float(from), Value::Float(to)],
            )
        }
        6 => ("price", FilterOp::IsNull, vec![]),
        7 => ("brand", FilterOp::IsNull, vec![]),
        8 => {
            let brand = format!("brand {}", rng.random_range(0..256));
            ("brand", FilterOp::Eq, vec![Value::text(brand)])
        }
        9 => (
            "gift",
            FilterOp::Eq,
            vec![Value::Bool(rng.random_bool(0.5))],
        ),
        10 => ("stage", FilterOp::Eq, vec![Value::text("paid")]),
        11 => {
            let part = format!("{:03x}", rng.random_range(0..4096));
            let op = *[FilterOp::Contains, FilterOp::StartsWith]
                .choose(rng)
                .unwrap();
            (
                *["name", "note"].choose(rng).unwrap(),
                op,
                vec![Value::text(part)],
            )
        }
        _ => ("id", range, vec![rng.random_range(0..60_000).into()]),
    };
    let test = Filter::Test(Test {
        column: column.to_owned(),
        op,
        values,
    });
    match rng.random_range(0..12) {
        0 => Filter::Not(Box::new(test)),
        1 => Filter::Or(vec![test, random_test(rng)]),
        _ => test,
    }
}

fn random_view(rng: &mut ChaCha8Rng) -> ViewSpec {
    let tests = rng.random_range(0..4);
    let filter = (tests > 0).then(|| Filter::And((0..tests).map(|_| random_test(rng)).collect()));
    let columns = [
        "id",
        "tenant",
        "placed At",
        "price",
        "name",
        "note",
        "stage",
        "gift",
        "brand",
    ];
    let mut sort: Vec<SortColumn> = Vec::new();
    for _ in 0..rng.random_range(0..3) {
        let column = *columns.choose(rng).unwrap();
        if sort.iter().all(|by| by.column != column) {
            let nulls = [None, Some(NullsOrder::First), Some(NullsOrder::Last)];
            sort.push(SortColumn {
                column: column.to_owned(),
                descending: rng.random_bool(0.5),
                nulls: *nulls.choose(rng).unwrap(),
            });
        }
    }
    ViewSpec {
        filter,
        sort,
        ..spec("{}")
    }
}

fn environment(name: &str) -> Option<u64> {
    std::env::var(name).ok()?.parse().ok()
}

/// For random views: the index that is suggested makes the view a served one, by itself, and then nothing more
/// is suggested. ROWCAST_ADVICE_SEED replays a run.
#[tokio::test]
async fn a_view_is_served_once_the_suggested_index_is_there() {
    let seed = environment("ROWCAST_ADVICE_SEED").unwrap_or_else(|| rand::rng().random());
    let views = environment("ROWCAST_ADVICE_VIEWS").map_or(VIEWS, |n| usize::try_from(n).unwrap());
    println!("ROWCAST_ADVICE_SEED={seed}");
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let (database, pool) = database("CREATE EXTENSION pg_trgm").await;
    let table = table(&pool, "orders").await;
    let writer = database.connect().await;
    let (mut unserved, mut helped) = (0, 0);
    let mut wrong = Vec::new();
    for nth in 0..views {
        let spec = random_view(&mut rng);
        let (before, suggested) = asked(&pool, &table, &spec).await;
        unserved += usize::from(!before.is_served());
        let Some(index) = &suggested.index else {
            assert!(
                before.is_served() || !suggested.why.is_empty(),
                "{spec:?} gets no index, and no reason: {before:?}"
            );
            continue;
        };
        helped += usize::from(!before.is_served());
        let sql = statements(&pool, table.oid, index).await.unwrap();
        writer
            .batch_execute(&sql)
            .await
            .unwrap_or_else(|error| panic!("{sql}: {error:?}"));
        let (after, again) = asked(&pool, &table, &spec).await;
        if !after.is_served() || !after.indexes.contains(&index.name()) || again.index.is_some() {
            wrong.push(format!(
                "view {nth}: {spec:?}\n  {sql}\n  {before:?}\n  {after:?}\n  then {again:?}"
            ));
        }
        let drop = format!("DROP INDEX {}", index.name());
        writer.batch_execute(&drop).await.unwrap();
    }
    println!("{views} views, {unserved} not served, an index suggested for {helped} of those");
    assert!(wrong.is_empty(), "seed {seed}:\n{}", wrong.join("\n"));
    assert!(helped * 2 >= unserved, "{helped} of {unserved}");
}

const BY_NAME: &str = r#"{"sort":[{"column":"name"}]}"#;

#[tokio::test]
async fn an_index_that_there_is_is_not_suggested() {
    let (database, pool) = database("CREATE INDEX by_name ON orders (name DESC, id DESC)").await;
    let table = table(&pool, "orders").await;
    // It is passed over, as it would be if the planner thought little of it.
    database
        .execute("UPDATE pg_index SET indisvalid = false WHERE indexrelid = 'by_name'::regclass")
        .await;
    let (serving, suggested) = asked(&pool, &table, &spec(BY_NAME)).await;
    assert_eq!(serving.verdict, Verdict::Unserved);
    assert_eq!(suggested.index, None);
    assert!(suggested.why.contains("public.by_name") && suggested.why.contains("not valid"));
    let there = indexes(&pool, Some(table.oid)).await.unwrap();
    let by_name = there.iter().find(|index| index.name == "by_name").unwrap();
    assert!(!by_name.is_valid && by_name.keys[0].descending);
}

#[tokio::test]
async fn another_collation_is_another_index() {
    let more = r#"CREATE INDEX by_name ON orders (name COLLATE "C", id)"#;
    let (_database, pool) = database(more).await;
    let table = table(&pool, "orders").await;
    let (_, suggested) = asked(&pool, &table, &spec(BY_NAME)).await;
    let index = suggested.index.expect("an index");
    assert_eq!(index.definition(), "USING btree (name, id)");
}

#[tokio::test]
async fn equality_comes_first_then_the_order_then_the_key() {
    let (_database, pool) = database("SELECT").await;
    let table = table(&pool, "orders").await;
    let view = spec(
        r#"{"filter":{"and":[{"test":{"column":"brand","op":"is_null"}},
                             {"test":{"column":"stage","op":"=","values":["new"]}}]},
            "sort":[{"column":"price","descending":true,"nulls":"last"},{"column":"stage"},
                    {"column":"placed At"}]}"#,
    );
    let (_, suggested) = asked(&pool, &table, &view).await;
    let index = suggested.index.expect("an index");
    assert_eq!(
        index.definition(),
        r#"USING btree (stage, price DESC NULLS LAST, "placed At", id) WHERE brand IS NULL"#
    );
}

#[tokio::test]
async fn partitions_get_an_index_each() {
    let parts = "
        CREATE TABLE parts (at integer NOT NULL, id integer NOT NULL, name text NOT NULL, PRIMARY KEY (at, id))
            PARTITION BY RANGE (at);
        CREATE TABLE parts_1 PARTITION OF parts FOR VALUES FROM (0) TO (100);
        CREATE TABLE parts_2 PARTITION OF parts FOR VALUES FROM (100) TO (300) PARTITION BY LIST (at);
        CREATE TABLE \"Parts 3\" PARTITION OF parts_2 DEFAULT;
        INSERT INTO parts SELECT n % 250, n, md5(n::text) FROM generate_series(1, 60000) AS n;
        SELECT rowcast.watch('parts');";
    let (database, pool) = database(parts).await;
    database.execute("VACUUM ANALYZE parts").await;
    let table = table(&pool, "parts").await;
    let by_name = spec(r#"{"table":"parts","sort":[{"column":"name","descending":true}]}"#);
    let (before, suggested) = asked(&pool, &table, &by_name).await;
    assert_eq!(before.verdict, Verdict::Unserved);
    let index = suggested.index.unwrap();
    let sql = statements(&pool, table.oid, &index).await.unwrap();
    let writer = database.connect().await;
    for statement in sql.split(";\n") {
        let done = writer.batch_execute(statement).await;
        done.unwrap_or_else(|error| panic!("{statement}: {error:?}"));
    }
    let (after, again) = asked(&pool, &table, &by_name).await;
    assert_eq!(after.verdict, Verdict::Ordered, "{sql}\n{after:?}");
    assert_eq!(again.index, None);
    let there = indexes(&pool, Some(table.oid)).await.unwrap();
    let ours = there.iter().find(|there| there.name == index.name());
    assert!(ours.unwrap().is_valid, "{sql}");
}
