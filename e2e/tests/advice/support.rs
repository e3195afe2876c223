//! A table with some indexes, and views of it.

use std::sync::Arc;

use e2e::TestDatabase;
use protocol::ViewSpec;
use server::db::advice::{Serving, Thresholds, serving};
use server::db::catalog::{Catalog, TableDef};
use server::views::answers::Answers;
use server::views::plan::Plan;
use sqlx::PgPool;

/// Rows of [`ORDERS`].
pub(crate) const ROWS: u32 = 60_000;

/// A table whose order of rows has nothing to do with its columns but `id`.
pub(crate) fn orders() -> String {
    format!(
        r#"CREATE TYPE stage AS ENUM ('new', 'paid', 'sent');
        CREATE TABLE orders (
            id bigint PRIMARY KEY,
            tenant integer NOT NULL,
            "placed At" timestamptz NOT NULL,
            price numeric(12,2),
            name text NOT NULL,
            note varchar(200) COLLATE "C",
            stage stage NOT NULL,
            gift boolean NOT NULL,
            brand text
        );
        INSERT INTO orders
        SELECT n, hashint4(n) & 31, timestamptz '2026-01-01' + (hashint4(n + 7) & 1048575) * interval '1 s',
               CASE WHEN hashint4(n + 1) % 10 <> 0 THEN (hashint4(n + 2) & 65535) / 100.0 END,
               'order ' || md5(n::text), md5((n * 7)::text),
               (enum_range(NULL::stage))[1 + (hashint4(n + 3) & 1)], hashint4(n + 4) % 50 = 0,
               CASE WHEN hashint4(n + 5) % 4 <> 0 THEN 'brand ' || (hashint4(n + 6) & 255) END
        FROM generate_series(1, {ROWS}) AS n"#
    )
}

/// As many again: enough to be slow by the server's own thresholds.
pub(crate) fn more_rows() -> String {
    "INSERT INTO orders SELECT id + 100000, tenant, \"placed At\", price, name, note, stage, gift, \
     brand FROM orders; ANALYZE orders"
        .to_owned()
}

/// A database with the table, watched, vacuumed and analysed after `more` was run.
pub(crate) async fn database(more: &str) -> (TestDatabase, PgPool) {
    let database = TestDatabase::new().await;
    database.install(&orders(), &["orders"]).await;
    database.execute(more).await;
    database.execute("VACUUM ANALYZE orders").await;
    let pool = PgPool::connect(database.url()).await.unwrap();
    (database, pool)
}

pub(crate) async fn table(pool: &PgPool, name: &str) -> Arc<TableDef> {
    let catalog = Catalog::load(pool).await.unwrap();
    catalog.find(name).unwrap().clone()
}

/// Thresholds under which a table of [`ROWS`] rows is a large one.
pub(crate) const STRICT: Thresholds = Thresholds {
    small_cost: 1_000.0,
    first_cost: 1_500.0,
    found_rows: 1_500.0,
    listed_rows: f64::INFINITY,
};

/// A view as JSON, on the table `orders` unless it says otherwise.
pub(crate) fn spec(view: &str) -> ViewSpec {
    let mut value: serde_json::Value = serde_json::from_str(view).unwrap();
    let fields = value.as_object_mut().unwrap();
    fields.entry("table").or_insert_with(|| "orders".into());
    serde_json::from_value(value).unwrap()
}

pub(crate) async fn plan(pool: &PgPool, table: &TableDef, spec: &ViewSpec) -> Plan {
    let plan = Plan::new(spec, table, &mut Answers::default(), pool).await;
    plan.unwrap_or_else(|refusal| panic!("{spec:?}: {refusal:?}"))
}

pub(crate) async fn served(pool: &PgPool, spec: &ViewSpec, thresholds: &Thresholds) -> Serving {
    let table = table(pool, &spec.table).await;
    let plan = plan(pool, &table, spec).await;
    serving(pool, &table, &plan.condition, &plan.order, thresholds)
        .await
        .unwrap()
}
