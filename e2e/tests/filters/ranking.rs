//! The best matches first: in PostgreSQL's order, as rows change.

use std::time::Duration;

use e2e::viewing::{column, total, until};
use e2e::{RawSocket, TestDatabase, TestServer};
use protocol::{Filter, FilterOp, ServerMsg, ViewSpec};
use rand::seq::IndexedRandom;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

use crate::{connect, ids, test};

/// Texts with few words, so that many ranks are equal and many are not.
const TABLES: &str = "
    CREATE FUNCTION words(seed integer, count integer) RETURNS text LANGUAGE sql IMMUTABLE AS $$
        SELECT string_agg((array['laptop', 'laptops', 'gaming', 'the', 'sleeve', 'red', 'games', 'on'])
                          [1 + abs(hashint4(seed * 31 + n)) % 8], ' ')
        FROM generate_series(1, 1 + count) AS n $$;
    CREATE TABLE worded (id integer PRIMARY KEY, name text, note text, at timestamptz DEFAULT now());
    CREATE INDEX ON worded
        USING gin (to_tsvector('english', coalesce(name, '') || ' ' || coalesce(note, '')));
    CREATE TABLE stored (
        shop text, id integer, name text, note text,
        words tsvector GENERATED ALWAYS AS (
            setweight(to_tsvector('simple', coalesce(name, '')), 'A')
            || to_tsvector('simple', coalesce(note, ''))) STORED,
        PRIMARY KEY (shop, id)
    );
    CREATE INDEX ON stored USING gin (words);
    INSERT INTO worded SELECT n, words(n, n % 3), words(n + 7, n % 5) FROM generate_series(1, 3000) AS n;
    INSERT INTO stored SELECT (array['a', 'B', NULL])[1 + n % 2], n, words(n, n % 3), words(n + 7, n % 5)
        FROM generate_series(1, 300) AS n;
    ANALYZE;";

const WORDED: &str = "to_tsvector('english', coalesce(name, '') || ' ' || coalesce(note, ''))";

async fn started() -> (TestDatabase, TestServer) {
    let database = TestDatabase::new().await;
    database.install(TABLES, &["worded", "stored"]).await;
    let server = TestServer::start(&database).await;
    (database, server)
}

/// A ranked view, and the same in SQL without `LIMIT`.
fn views() -> Vec<(ViewSpec, String)> {
    let search = |table: &str, words: &str, filter: Option<Filter>| ViewSpec {
        search: Some(words.to_owned()),
        filter,
        ..ViewSpec::table(table)
    };
    let worded = |query: &str, filter: &str| {
        format!(
            "SELECT id::text AS shown FROM worded, to_tsquery('english', '{query}') AS q \
             WHERE {WORDED} @@ q AND {filter} ORDER BY ts_rank_cd({WORDED}, q) DESC, id DESC"
        )
    };
    let contains = test("name", FilterOp::Contains, &["red"]);
    let recent = test("at", FilterOp::WithinLast, &["1 hour"]);
    vec![
        (search("worded", "laptop", None), worded("laptop:*", "true")),
        (
            search("worded", "gaming lap", None),
            worded("gaming & lap:*", "true"),
        ),
        (
            search("worded", "the sleeve", Some(contains)),
            worded("the & sleeve:*", "name ILIKE '%red%'"),
        ),
        (
            search("worded", "red", Some(recent)),
            worded("red:*", "at > now() - interval '1 hour'"),
        ),
        (
            search("stored", "gaming la", None),
            "SELECT id::text AS shown FROM stored, to_tsquery('simple', 'gaming & la:*') AS q \
             WHERE words @@ q ORDER BY ts_rank_cd(words, q) DESC, shop DESC, id DESC"
                .to_owned(),
        ),
        (
            search("stored", "laptop g", None),
            "SELECT id::text AS shown FROM stored, to_tsquery('simple', 'laptop & g:*') AS q \
             WHERE words @@ q ORDER BY ts_rank_cd(words, q) DESC, shop DESC, id DESC"
                .to_owned(),
        ),
    ]
}

fn change(rng: &mut ChaCha8Rng) -> String {
    let (table, most) = *[("worded", 3_000), ("stored", 300)].choose(rng).unwrap();
    let (id, seed) = (rng.random_range(1..=most), rng.random_range(1..100_000));
    match rng.random_range(0..6) {
        0 => format!("DELETE FROM {table} WHERE id = {id}"),
        1 => format!(
            "UPDATE {table} SET note = words({seed}, {}) WHERE id = {id}",
            seed % 9
        ),
        // Larger than what the change log keeps of a value.
        2 => format!(
            "UPDATE {table} SET note = 'red laptop ' || repeat('gaming sleeve ', 1000) WHERE id = {id}"
        ),
        3 => format!(
            "UPDATE {table} SET name = NULL, note = 'laptop gaming' WHERE id % 97 = {id} % 97"
        ),
        _ => format!(
            "UPDATE {table} SET name = words({seed}, {}) WHERE id = {id}",
            seed % 4
        ),
    }
}

#[tokio::test]
async fn a_search_is_ordered_by_rank_as_rows_change() {
    let seed = rand::random();
    #[allow(clippy::print_stdout, reason = "a test prints what repeats it")]
    {
        println!("seed {seed}");
    }
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let (database, server) = started().await;
    let client = connect(&database).await;
    let mut viewer = server.viewer().await;
    let mut windows = Vec::new();
    for (view, sql) in views() {
        // At the top, and far down: where the rows of a number come from the list of keys.
        let found = ids(&client, &sql).await.len() as u64;
        assert!(found > 20, "{found}: {sql}");
        for start in [0, found / 2] {
            let window = viewer.open(view.clone(), vec!["id".into()], start, 12);
            windows.push((window, sql.clone()));
        }
    }
    for _ in 0..8 {
        for (window, sql) in &windows {
            let expected = ids(&client, sql).await;
            until(&mut viewer, &format!("{sql}: {expected:.400?}"), |model| {
                let start = model.window(*window).map_or(0, |it| it.cache().start());
                let start = usize::try_from(start).unwrap().min(expected.len());
                let end = (start + 12).min(expected.len());
                total(model, *window) == Some(expected.len() as u64)
                    && column(model, *window, "id") == expected[start..end]
            })
            .await;
        }
        for _ in 0..rng.random_range(1..12) {
            client.batch_execute(&change(&mut rng)).await.unwrap();
            let pause = rng.random_range(0..20);
            tokio::time::sleep(Duration::from_millis(pause)).await;
        }
    }
}

/// Whether a search says that it is ordered by rank.
async fn is_ranked(server: &TestServer, view: &ViewSpec) -> bool {
    let mut socket = RawSocket::connect(&server.socket_url()).await;
    let open = serde_json::json!({"open": {"window": 1, "view": view, "count": 5}});
    socket.send_text(&open.to_string()).await;
    let is_open = |message: &ServerMsg| matches!(message, ServerMsg::Opened(_));
    match socket.expect("opened", is_open).await {
        ServerMsg::Opened(opened) => opened.ranked,
        _ => unreachable!(),
    }
}

#[tokio::test]
async fn what_cannot_be_ranked_in_time_is_ordered_by_key() {
    let (database, server) = started().await;
    let view = |words: &str| ViewSpec {
        search: Some(words.to_owned()),
        ..ViewSpec::table("worded")
    };
    assert!(is_ranked(&server, &view("laptop")).await);
    let sorted = ViewSpec {
        sort: vec![protocol::SortColumn {
            column: "name".to_owned(),
            descending: false,
            nulls: None,
        }],
        ..view("laptop")
    };
    assert!(!is_ranked(&server, &sorted).await);
    assert!(
        !is_ranked(&server, &view("the")).await,
        "words without full text"
    );
    database
        .execute(
            "INSERT INTO worded SELECT n, 'laptop' FROM generate_series(4000, 30000) AS n; ANALYZE worded",
        )
        .await;
    assert!(!is_ranked(&server, &view("laptop")).await);
    assert!(is_ranked(&server, &view("laptop sleeve")).await);
}
