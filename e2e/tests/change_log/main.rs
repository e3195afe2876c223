//! What the change log holds after each way to write a table, and what installing it leaves behind.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod functions;
mod images;
mod installing;
mod reading;
mod watching;
mod writes;

use e2e::TestDatabase;
use sqlx::{Connection, PgConnection};
use tokio_postgres::Client;

pub(crate) const ITEMS: &str =
    "CREATE TABLE items (id int PRIMARY KEY, name text, price numeric(10, 2));";

/// Two levels of partitions.
pub(crate) const READINGS: &str = "
    CREATE TABLE readings (id int, day int, value text, PRIMARY KEY (id, day))
        PARTITION BY RANGE (day);
    CREATE TABLE readings_1 PARTITION OF readings FOR VALUES FROM (0) TO (10);
    CREATE TABLE readings_2 PARTITION OF readings FOR VALUES FROM (10) TO (20)
        PARTITION BY RANGE (day);
    -- Another column order, and a dropped column: images must not depend on either.
    CREATE TABLE readings_2a (day int NOT NULL, gone int, value text, id int NOT NULL);
    ALTER TABLE readings_2a DROP COLUMN gone;
    ALTER TABLE readings_2 ATTACH PARTITION readings_2a FOR VALUES FROM (10) TO (20);";

pub(crate) async fn installed(sql: &str, watched: &[&str]) -> (TestDatabase, Client) {
    let database = TestDatabase::new().await;
    database.install(sql, watched).await;
    database.attend(watched).await;
    let client = database.connect().await;
    // Watching asks for a rebuild; the tests look at what comes after.
    client
        .batch_execute("DELETE FROM rowcast.change_log")
        .await
        .unwrap();
    (database, client)
}

pub(crate) async fn connect(database: &TestDatabase) -> PgConnection {
    PgConnection::connect(database.url()).await.unwrap()
}

pub(crate) async fn texts(client: &Client, sql: &str) -> Vec<String> {
    let rows = client
        .query(sql, &[])
        .await
        .unwrap_or_else(|error| panic!("{sql}: {error:?}"));
    rows.iter()
        .map(|row| row.get::<_, Option<String>>(0).unwrap_or_default())
        .collect()
}

/// The log as `<op> <image>`, images in the words of `jsonb`, sorted; and empties it.
pub(crate) async fn take_log(client: &Client) -> Vec<String> {
    let lines = texts(
        client,
        "SELECT line FROM (SELECT concat_ws(' ', op::text, image::jsonb::text) AS line
                           FROM rowcast.change_sides) AS lines
         ORDER BY line COLLATE \"C\"",
    )
    .await;
    client
        .batch_execute("DELETE FROM rowcast.change_log")
        .await
        .unwrap();
    lines
}

/// Old images leave and new ones enter: from an empty table on, the log sums up to the table.
pub(crate) async fn assert_adds_up(client: &Client, table: &str) {
    let sql = format!(
        "WITH sides AS (
             SELECT image::jsonb AS image, CASE op WHEN '+' THEN 1 ELSE -1 END AS n
             FROM rowcast.change_sides
             WHERE table_oid = '{table}'::regclass AND op IN ('+', '-')
             UNION ALL SELECT to_jsonb(t.*), -1 FROM {table} AS t)
         SELECT image::text FROM sides GROUP BY image HAVING sum(n) <> 0"
    );
    assert_eq!(
        texts(client, &sql).await,
        Vec::<String>::new(),
        "{table} and its log differ"
    );
}
