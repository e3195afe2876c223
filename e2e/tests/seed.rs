//! Filling the demo and keeping it changing.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use e2e::TestDatabase;
use e2e::eventually::{SOON, eventually};
use seed::{Error, Options, Outcome, Report, churn, parse_date};
use sqlx::{Connection, PgConnection};
use tokio_postgres::Client;
use tokio_util::sync::CancellationToken;

/// More than a bulk load starts at, and more than one chunk.
const PRODUCTS: u64 = 50_000;

fn options(products: u64, events: u64) -> Options {
    let until = parse_date("2026-03-01").unwrap();
    Options {
        products,
        events,
        seed: 7,
        until,
        report: Report::Log,
    }
}

async fn fill(database: &TestDatabase, options: Options) -> Result<Outcome, Error> {
    seed::run(database.url(), &options, &CancellationToken::new()).await
}

async fn text(client: &Client, sql: &str) -> String {
    client
        .query_one(sql, &[])
        .await
        .unwrap_or_else(|error| panic!("{sql}: {error:?}"))
        .get(0)
}

/// Every value of every row.
async fn contents(client: &Client) -> [String; 3] {
    [
        text(
            client,
            "SELECT md5(string_agg(p::text, '|' ORDER BY id)) FROM products AS p",
        )
        .await,
        text(
            client,
            "SELECT md5(string_agg(e::text, '|' ORDER BY e::text)) FROM events AS e",
        )
        .await,
        text(
            client,
            "SELECT md5(string_agg(u::text, '|' ORDER BY id)) FROM users AS u",
        )
        .await,
    ]
}

#[tokio::test]
async fn the_same_seed_gives_the_same_rows_in_any_number_of_runs() {
    let (once, often) = (TestDatabase::new().await, TestDatabase::new().await);
    fill(&once, options(3_000, 2_005)).await.unwrap();
    for (products, events) in [(1_000, 7), (1_001, 1_500), (3_000, 2_005)] {
        fill(&often, options(products, events)).await.unwrap();
    }
    let (once, often) = (once.connect().await, often.connect().await);
    // Another time zone must not change what was written.
    often.batch_execute("SET timezone = 'UTC'").await.unwrap();
    once.batch_execute("SET timezone = 'UTC'").await.unwrap();
    assert_eq!(contents(&once).await, contents(&often).await);
}

#[tokio::test]
async fn a_large_fill_comes_back_complete_and_a_second_one_does_nothing() {
    let database = TestDatabase::new().await;
    let mut connection = PgConnection::connect(database.url()).await.unwrap();
    migrations::install_demo(&mut connection).await.unwrap();
    database.attend(&["products", "events"]).await;
    let outcome = fill(&database, options(PRODUCTS, 2_000)).await.unwrap();
    assert_eq!(
        outcome,
        Outcome {
            products: PRODUCTS,
            events: 2_000,
            stopped: false
        }
    );
    let client = database.connect().await;
    let ask = async |sql: &str| text(&client, &format!("SELECT ({sql})::text")).await;

    assert_eq!(
        ask("SELECT count(*) FROM products").await,
        PRODUCTS.to_string()
    );
    assert_eq!(
        ask("SELECT count(DISTINCT category) FROM products").await,
        "15"
    );
    assert_eq!(
        ask("SELECT count(DISTINCT brand) FROM products").await,
        "20"
    );
    assert_eq!(ask("SELECT count(*) FROM tenants").await, "2");
    assert_eq!(
        ask("SELECT min(n) FROM (SELECT count(*) AS n FROM users GROUP BY tenant_id) AS t").await,
        "10"
    );
    let laptops = "SELECT count(*) > 100 FROM products
                   WHERE name ILIKE '%laptop%' AND category = 'Electronics'";
    assert_eq!(ask(laptops).await, "true");
    let missing = "SELECT count(*) FROM demo_indexes() AS i
                   WHERE to_regclass('public.' || i.index_name) IS NULL";
    assert_eq!(ask(missing).await, "0");
    assert_eq!(ask("SELECT count(*) FROM rowcast.watched").await, "4");
    let logged = "SELECT count(*) < 100 FROM rowcast.change_log
                  WHERE table_oid = 'products'::regclass";
    assert_eq!(
        ask(logged).await,
        "true",
        "a bulk load must not fill the change log"
    );
    let default = "SELECT count(*) FROM events_default";
    assert_eq!(
        ask(default).await,
        "0",
        "every event has the partition of its month"
    );
    let next: i64 = client
        .query_one(
            "INSERT INTO products (sku, name, category, brand, price)
             VALUES ('MY-OWN', 'Mine', 'Mine', 'Mine', 1) RETURNING id",
            &[],
        )
        .await
        .unwrap()
        .get(0);
    assert_eq!(next, i64::try_from(PRODUCTS).unwrap() + 1);

    let before = contents(&client).await;
    let again = fill(&database, options(PRODUCTS, 2_000)).await.unwrap();
    assert_eq!(again, Outcome::default());
    assert_eq!(contents(&client).await, before);
    let more = fill(&database, options(PRODUCTS + 10, 2_000))
        .await
        .unwrap_err();
    assert!(matches!(more, Error::Occupied { .. }), "{more}");
}

#[tokio::test]
async fn a_stopped_fill_continues_where_it_was() {
    let (stopped, whole) = (TestDatabase::new().await, TestDatabase::new().await);
    let stop = CancellationToken::new();
    let run = tokio::spawn({
        let (url, stop) = (stopped.url().to_owned(), stop.clone());
        async move { seed::run(&url, &options(PRODUCTS, 500), &stop).await }
    });
    let client = stopped.connect().await;
    eventually("the first chunk is there", SOON, async || {
        let some = "SELECT done > 0 FROM rowcast.seed_progress WHERE table_name = 'products'";
        matches!(client.query_opt(some, &[]).await, Ok(Some(row)) if row.get::<_, bool>(0))
    })
    .await;
    stop.cancel();
    let outcome = run.await.unwrap().unwrap();
    assert!(outcome.stopped);
    let watched = "SELECT count(*)::text FROM rowcast.watched";
    assert_eq!(text(&client, watched).await, "4", "what is there is live");

    fill(&stopped, options(PRODUCTS, 500)).await.unwrap();
    fill(&whole, options(PRODUCTS, 500)).await.unwrap();
    assert_eq!(
        contents(&client).await,
        contents(&whole.connect().await).await
    );
    let missing = "SELECT count(*)::text FROM demo_indexes() AS i
                   WHERE to_regclass('public.' || i.index_name) IS NULL";
    assert_eq!(text(&client, missing).await, "0");
}

#[tokio::test]
async fn rows_of_others_are_left_alone() {
    let database = TestDatabase::new().await;
    let mut connection = PgConnection::connect(database.url()).await.unwrap();
    migrations::install_demo(&mut connection).await.unwrap();
    database
        .execute(
            "INSERT INTO products (sku, name, category, brand, price)
             VALUES ('MY-OWN', 'Mine', 'Mine', 'Mine', 1)",
        )
        .await;
    let outcome = fill(&database, options(1_000, 100)).await.unwrap();
    assert_eq!((outcome.products, outcome.events), (0, 100));

    let other = Options {
        seed: 8,
        ..options(0, 200)
    };
    let error = fill(&database, other).await.unwrap_err();
    assert!(
        matches!(
            error,
            Error::OtherSeed {
                table: "events",
                seed: 7
            }
        ),
        "{error}"
    );
    // An emptied table is filled again.
    database.execute("TRUNCATE events").await;
    assert_eq!(fill(&database, options(0, 100)).await.unwrap().events, 100);
}

#[tokio::test]
async fn churn_changes_everything_at_its_pace() {
    let database = TestDatabase::new().await;
    fill(&database, options(500, 100)).await.unwrap();
    database.attend(&["products", "events"]).await;
    let client = database.connect().await;
    client
        .batch_execute("DELETE FROM rowcast.change_log")
        .await
        .unwrap();
    let stop = CancellationToken::new();
    let churning = tokio::spawn({
        let (url, stop) = (database.url().to_owned(), stop.clone());
        let options = churn::Options {
            rate: 200.0,
            connections: 3,
            seed: 1,
            report: Report::Log,
        };
        async move { churn::run(&url, &options, &stop).await }
    });
    eventually("300 changes", SOON * 2, async || {
        let enough = "SELECT count(DISTINCT xid) >= 300 FROM rowcast.change_log";
        client.query_one(enough, &[]).await.unwrap().get(0)
    })
    .await;
    stop.cancel();
    let summary = churning.await.unwrap().unwrap();
    assert!(summary.changes >= 250);
    assert!(
        summary.changes as f64 <= 200.0 * summary.elapsed.as_secs_f64() + 3.0,
        "{summary:?}"
    );
    let kinds = "SELECT string_agg(kind, ',' ORDER BY kind) FROM (
                     SELECT DISTINCT table_oid::regclass::text || op::text AS kind
                     FROM rowcast.change_log WHERE op <> 'S') AS t";
    assert_eq!(text(&client, kinds).await, "events+,products+,products-");
    let news = "SELECT (count(*) > 0)::text FROM products WHERE id > 500";
    assert_eq!(text(&client, news).await, "true");
}
