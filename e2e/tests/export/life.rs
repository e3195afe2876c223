//! An export's beginning and end: its snapshot, its places, and what is left of it when nobody wants it.

use std::time::{Duration, Instant};

use e2e::eventually::SOON;
use e2e::{ServerProcess, TestDatabase, TestServer, eventually, viewing};
use protocol::ViewSpec;

use crate::download::{Coming, address, begin, get};
use crate::kinds::texts;

/// 300 MB, so that no buffer between PostgreSQL and a client that does not read holds it.
const WIDE: &str = "CREATE TABLE wide (id int PRIMARY KEY, body text, mark int DEFAULT 0); \
    INSERT INTO wide SELECT n, repeat(md5(n::text), 100) FROM generate_series(1, 100000) AS n";

/// Connections of this database that are in the middle of an export.
async fn reading(database: &TestDatabase) -> usize {
    let sql = "SELECT query FROM pg_stat_activity WHERE datname = current_database() \
               AND pid <> pg_backend_pid() AND xact_start IS NOT NULL AND query LIKE 'SELECT %::text%'";
    texts(database, sql).await.len()
}

async fn none_is_reading(database: &TestDatabase) {
    eventually("no export is left in PostgreSQL", SOON, async || {
        reading(database).await == 0
    })
    .await;
}

/// Begins an export of `wide`, takes a first piece of it, and then nothing.
async fn stalled(server: &TestServer) -> Coming {
    let path = address("wide", &[("format", "csv")]);
    let mut coming = begin(server.address(), "GET", &path).await;
    assert_eq!(coming.status(), 200);
    coming.piece().await.unwrap().unwrap();
    coming
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_export_shows_one_snapshot_whatever_is_written_meanwhile() {
    let database = TestDatabase::new().await;
    database.install(WIDE, &["wide"]).await;
    let server = TestServer::start(&database).await;
    let path = address("wide", &[("format", "csv"), ("columns", "id,mark,body")]);
    let mut coming = begin(server.address(), "GET", &path).await;
    let mut body = coming.piece().await.unwrap().unwrap().to_vec();
    database
        .execute("UPDATE wide SET mark = 1 WHERE id > 50000; DELETE FROM wide WHERE id > 90000")
        .await;
    body.extend(coming.rest().await.unwrap());
    let lines: Vec<&str> = std::str::from_utf8(&body)
        .unwrap()
        .lines()
        .skip(1)
        .collect();
    assert_eq!(lines.len(), 100_000);
    assert!(lines.iter().all(|line| line.split(',').nth(1) == Some("0")));
    let after = get(server.address(), &path).await;
    assert_eq!(after.text().lines().count(), 90_001);
    let version = after.header("rowcast-version").to_owned();
    assert_eq!(version.split('/').count(), 2, "{version}");
    none_is_reading(&database).await;
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_that_leaves_ends_its_query() {
    let database = TestDatabase::new().await;
    database.install(WIDE, &["wide"]).await;
    let server = TestServer::start(&database).await;
    for format in ["csv", "jsonl", "parquet", "xlsx"] {
        let path = address("wide", &[("format", format)]);
        let coming = begin(server.address(), "GET", &path).await;
        eventually("the export reads", SOON, async || {
            reading(&database).await > 0
        })
        .await;
        drop(coming);
        none_is_reading(&database).await;
    }
    // Their places are free again, soon after their queries have ended.
    let path = address("wide", &[("format", "csv")]);
    let mut again = Vec::new();
    eventually("both places are free", SOON, async || {
        let coming = begin(server.address(), "GET", &path).await;
        let is_taken = coming.status() == 200;
        again.extend(is_taken.then_some(coming));
        again.len() == 2
    })
    .await;
    drop(again);
    none_is_reading(&database).await;
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_that_leaves_before_the_first_row_ends_its_query() {
    let database = TestDatabase::new().await;
    database
        .install("CREATE TABLE locked (id int PRIMARY KEY)", &["locked"])
        .await;
    let server = TestServer::start(&database).await;
    let path = address("locked", &[("format", "csv")]);
    // The catalogue is known by now.
    assert_eq!(get(server.address(), &path).await.status, 200);
    let locker = database.connect().await;
    locker
        .batch_execute("BEGIN; LOCK TABLE locked")
        .await
        .unwrap();
    let address = server.address();
    let asking = tokio::spawn(async move { begin(address, "GET", &path).await.status() });
    eventually("the query waits for the lock", SOON, async || {
        let sql = "SELECT 1 FROM pg_stat_activity WHERE datname = current_database() \
                   AND wait_event_type = 'Lock' AND query LIKE 'SELECT %FROM public.locked%'";
        texts(&database, sql).await.len() == 1
    })
    .await;
    let left = Instant::now();
    asking.abort();
    none_is_reading(&database).await;
    // Sooner than the lock's timeout would have ended it.
    assert!(
        left.elapsed() < Duration::from_secs(4),
        "{:?}",
        left.elapsed()
    );
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn exports_are_few_and_starve_nobody() {
    let database = TestDatabase::new().await;
    database.install(WIDE, &["wide"]).await;
    let mut options = TestServer::options(&database);
    options.pool_size = 2;
    let server = TestServer::with(options).await;
    let (_one, two) = (stalled(&server).await, stalled(&server).await);
    let path = address("wide", &[("format", "csv")]);
    let third = get(server.address(), &path).await;
    assert_eq!(
        (third.status, third.code().as_str()),
        (429, "too_many_exports")
    );
    assert_eq!(third.header("retry-after"), "5");
    // The pool is as it was: a viewer opens the table at once.
    let mut viewer = server.viewer().await;
    let window = viewing::open(&mut viewer, ViewSpec::table("wide"), 0, 3).await;
    viewing::shows(&mut viewer, window, "id", &["1", "2", "3"]).await;
    drop(two);
    eventually("a place is free", SOON, async || {
        begin(server.address(), "GET", &path).await.status() == 200
    })
    .await;
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_failure_cuts_the_file_so_that_nobody_takes_it_for_whole() {
    let database = TestDatabase::new().await;
    database.install(WIDE, &["wide"]).await;
    let server = TestServer::start(&database).await;
    let mut coming = stalled(&server).await;
    database
        .execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() \
             AND xact_start IS NOT NULL AND query LIKE 'SELECT %::text%' AND pid <> pg_backend_pid()",
        )
        .await;
    assert!(
        coming.rest().await.is_err(),
        "a file without its end seems whole"
    );
    // A server that stops does not wait for clients that do not read.
    let mut coming = stalled(&server).await;
    let stopping = Instant::now();
    server.stop().await;
    assert!(
        stopping.elapsed() < Duration::from_secs(20),
        "{:?}",
        stopping.elapsed()
    );
    assert!(coming.rest().await.is_err());
    none_is_reading(&database).await;
}

/// Files of this process that are open but have no name any more: what workbooks are written to.
fn nameless_files() -> usize {
    let files = std::fs::read_dir("/proc/self/fd").unwrap();
    let targets = files.filter_map(|file| std::fs::read_link(file.ok()?.path()).ok());
    let is_deleted = |path: &std::path::PathBuf| {
        path.to_string_lossy().ends_with(" (deleted)") && path.starts_with(std::env::temp_dir())
    };
    targets.filter(is_deleted).count()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn memory_stays_flat_and_no_temporary_file_stays() {
    let database = TestDatabase::new().await;
    database.install(WIDE, &["wide"]).await;
    let server = ServerProcess::start(&database, None, e2e::ports::free_port()).await;
    let listening = server.address();
    drop(
        get(
            listening,
            &address(
                "wide",
                &[("format", "csv"), ("view", r#"{"filter":{"or":[]}}"#)],
            ),
        )
        .await,
    );
    let before = server.resident_kib();
    for (format, bytes_min) in [
        ("csv", 300 << 20),
        ("jsonl", 300 << 20),
        ("parquet", 5 << 20),
        ("xlsx", 2 << 20),
    ] {
        let mut coming = begin(listening, "GET", &address("wide", &[("format", format)])).await;
        let (mut size, mut most) = (0, 0);
        while let Some(piece) = coming.piece().await {
            size += piece.unwrap().len();
            most = most.max(server.resident_kib());
        }
        assert!(size > bytes_min, "{format}: {size} bytes");
        let grown = most.saturating_sub(before);
        println!("{format}: {size} bytes, {grown} KiB more memory at most");
        assert!(
            grown < 96 * 1024,
            "{format}: {grown} KiB more for {size} bytes"
        );
    }
    let own = TestServer::start(&database).await;
    let coming = begin(
        own.address(),
        "GET",
        &address("wide", &[("format", "xlsx")]),
    )
    .await;
    eventually(
        "rows are written to a file without a name",
        SOON,
        async || nameless_files() > 0,
    )
    .await;
    drop(coming);
    eventually("it is gone", SOON, async || nameless_files() == 0).await;
    own.stop().await;
}
