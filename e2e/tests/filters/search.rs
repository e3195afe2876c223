//! Searches: which rows they find, which index serves them, and what happens as rows change.

use e2e::viewing::{column, open, shows, until};
use e2e::{TestDatabase, TestServer};
use protocol::{Filter, FilterOp, Highlight, SortColumn, ViewSpec};
use server::db::catalog::Catalog;
use server::db::query::Condition;
use server::views::answers::Answers;
use server::views::plan::Plan;

use crate::{connect, ids, shows_query, test};

fn search(table: &str, words: &str) -> ViewSpec {
    ViewSpec {
        search: Some(words.to_owned()),
        ..ViewSpec::table(table)
    }
}

/// Texts of the same columns, differently indexed.
const TABLES: &str = "
    CREATE EXTENSION IF NOT EXISTS pg_trgm;
    CREATE TABLE plain (id integer PRIMARY KEY, name text, note varchar(200));
    CREATE TABLE trigram (LIKE plain INCLUDING ALL);
    CREATE INDEX ON trigram USING gin (name gin_trgm_ops);
    CREATE TABLE worded (LIKE plain INCLUDING ALL);
    CREATE INDEX ON worded
        USING gin (to_tsvector('english', coalesce(name, '') || ' ' || coalesce(note, '')));
    CREATE TABLE stored (LIKE plain INCLUDING ALL, words tsvector GENERATED ALWAYS AS (
        setweight(to_tsvector('simple', coalesce(name, '')), 'A')
        || to_tsvector('simple', coalesce(note, ''))) STORED);
    CREATE INDEX ON stored USING gist (words);";

const NAMES: [&str; 4] = ["plain", "trigram", "worded", "stored"];

async fn started() -> (TestDatabase, TestServer) {
    let database = TestDatabase::new().await;
    let mut sql = TABLES.to_owned();
    for name in NAMES {
        sql.push_str(&format!(
            "INSERT INTO {name} (id, name, note) VALUES
               (1, 'Gaming laptop', 'runs 100% of games'), (2, 'Laptop sleeve', NULL),
               (3, 'Running shoes', 'for the gamer'), (4, NULL, 'a laptop for gaming'),
               (5, 'Äpfel & Birnen', 'it''s fruit'), (6, 'lap_top', 'under_score \\ back');"
        ));
    }
    database.install(&sql, &NAMES).await;
    let server = TestServer::start(&database).await;
    (database, server)
}

/// The same search in SQL, as the protocol defines it.
fn condition(table: &str, words: &[&str]) -> String {
    let like = |word: &&str| {
        word.replace('\\', r"\\")
            .replace('%', r"\%")
            .replace('_', r"\_")
    };
    let contains = |column: &str, word: &&str| {
        format!("{column} ILIKE '%{}%'", like(word).replace('\'', "''"))
    };
    let both = |word: &&str| format!("({} OR {})", contains("name", word), contains("note", word));
    let quoted: Vec<String> = words
        .iter()
        .map(|word| format!("'{}'", word.replace('\\', r"\\").replace('\'', "''")))
        .collect();
    let query = format!("{}:*", quoted.join(" & ")).replace('\'', "''");
    match table {
        "plain" => words.iter().map(both).collect::<Vec<_>>().join(" AND "),
        "trigram" => {
            let name = |word| contains("name", word);
            words.iter().map(name).collect::<Vec<_>>().join(" AND ")
        }
        "worded" => format!(
            "to_tsvector('english', coalesce(name, '') || ' ' || coalesce(note, '')) \
             @@ to_tsquery('english', '{query}')"
        ),
        _ => format!("words @@ to_tsquery('simple', '{query}')"),
    }
}

#[tokio::test]
async fn a_search_finds_the_rows_with_all_the_words_as_they_change() {
    let (database, server) = started().await;
    let client = connect(&database).await;
    let mut viewer = server.viewer().await;
    let changes = [
        "UPDATE @ SET note = 'laptop, gaming' WHERE id = 3",
        "UPDATE @ SET name = 'nothing' WHERE id = 1",
        "DELETE FROM @ WHERE id = 4",
        "INSERT INTO @ (id, name, note) VALUES (9, 'game laptops', 'run'), (10, 'games', NULL)",
    ];
    let searches: [&[&str]; 7] = [
        &["gaming", "lap"],
        &["laptop"],
        &["RUN"],
        &["äpf"],
        &["it's", "fr"],
        &["100%"],
        &["under_score"],
    ];
    for table in NAMES {
        let mut windows = Vec::new();
        for words in searches {
            let view = ViewSpec {
                sort: vec![SortColumn {
                    column: "id".to_owned(),
                    descending: true,
                    nulls: None,
                }],
                ..search(table, &format!(" {}\n", words.join("  ")))
            };
            let condition = condition(table, words);
            let sql =
                format!("SELECT id::text AS shown FROM {table} WHERE {condition} ORDER BY id DESC");
            let window = viewer.open(view.clone(), vec!["id".into()], 0, 100);
            windows.push((window, view, sql));
        }
        for change in std::iter::once("").chain(changes) {
            client
                .batch_execute(&change.replace('@', table))
                .await
                .unwrap();
            for (window, view, sql) in &windows {
                let expected = ids(&client, sql).await;
                shows_query(&mut viewer, *window, view, sql, &expected).await;
            }
        }
        for (window, ..) in windows {
            viewer.act(|model, _| model.close(window));
        }
    }
}

/// What is typed may be anything.
#[tokio::test]
async fn odd_characters_are_only_looked_for() {
    let (_database, server) = started().await;
    let mut viewer = server.viewer().await;
    let odd = [
        "%",
        "_",
        "\\",
        "'",
        "''",
        "\\'",
        "a:*",
        "!a",
        "a & b |",
        "<->",
        "(",
        ":",
        "\"",
        "$1",
        "a%a%a%a%a%a%a%",
        "the",
        "the of",
        "-",
        "\u{202e}",
        "🦀",
        "x'); DROP TABLE plain; --",
    ];
    for table in NAMES {
        for words in odd {
            let window = open(&mut viewer, search(table, words), 0, 10).await;
            viewer.act(|model, _| model.close(window));
        }
        // Words that full text leaves out are looked for as they are.
        let window = open(&mut viewer, search(table, "the"), 0, 10).await;
        let expected: &[&str] = if table == "trigram" { &[] } else { &["3"] };
        shows(&mut viewer, window, "id", expected).await;
        viewer.act(|model, _| model.close(window));
        let window = open(&mut viewer, search(table, "  "), 0, 10).await;
        assert_eq!(column(viewer.model(), window, "id").len(), 6);
        viewer.act(|model, _| model.close(window));
    }
}

/// What `open` says is to be marked.
async fn highlight(server: &TestServer, table: &str, words: &str) -> Option<Highlight> {
    let mut socket = e2e::RawSocket::connect(&server.socket_url()).await;
    let view = search(table, words);
    let open = serde_json::json!({"open": {"window": 1, "view": view, "count": 5}});
    socket.send_text(&open.to_string()).await;
    let is_open = |message: &protocol::ServerMsg| matches!(message, protocol::ServerMsg::Opened(_));
    match socket.expect("opened", is_open).await {
        protocol::ServerMsg::Opened(opened) => opened.highlight,
        _ => unreachable!(),
    }
}

#[tokio::test]
async fn what_was_found_can_be_marked() {
    let (_database, server) = started().await;
    let marked = highlight(&server, "worded", "The running Lapt")
        .await
        .unwrap();
    assert_eq!(marked.terms, ["the", "running", "lapt", "run"]);
    assert!(marked.at_word_start);
    let marked = highlight(&server, "plain", "running lapt").await.unwrap();
    assert_eq!(marked.terms, ["running", "lapt"]);
    assert!(!marked.at_word_start);
    assert_eq!(highlight(&server, "plain", " ").await, None);
}

/// PostgreSQL's plan for a view's condition, when it has to go without reading the whole table.
async fn explain(database: &TestDatabase, view: &ViewSpec) -> String {
    let pool = sqlx::PgPool::connect(database.url()).await.unwrap();
    let catalog = Catalog::load(&pool).await.unwrap();
    let table = catalog.find(&view.table).unwrap();
    let mut answers = Answers::default();
    let plan = Plan::new(view, table, &mut answers, &pool).await.unwrap();
    let Condition { sql, params, .. } = &plan.condition;
    let sql = format!(
        "EXPLAIN SELECT count(*) FROM {} AS t WHERE {sql}",
        table.sql_name
    );
    let mut connection = pool.acquire().await.unwrap();
    let off = "SET enable_seqscan = off; SET enable_indexscan = off";
    sqlx::raw_sql(off).execute(&mut *connection).await.unwrap();
    let mut query = sqlx::query_scalar::<_, String>(sqlx::AssertSqlSafe(sql));
    for param in params {
        query = query.bind(param);
    }
    query.fetch_all(&mut *connection).await.unwrap().join("\n")
}

#[tokio::test]
async fn an_index_serves_what_it_can() {
    let (database, server) = started().await;
    for (table, index) in [
        ("trigram", "trigram_name_idx"),
        ("worded", "worded_to_tsvector_idx"),
        ("stored", "stored_words_idx"),
    ] {
        let plan = explain(&database, &search(table, "gaming lapt")).await;
        assert!(plan.contains(index), "{table}:\n{plan}");
    }
    drop(server);
}

/// The demo's catalogue, whose search for laptops is served by its index for full text.
#[tokio::test]
async fn the_demo_is_searched_by_its_index() {
    let database = TestDatabase::new().await;
    let options = seed::Options {
        products: 2_000,
        events: 1,
        seed: 7,
        until: seed::parse_date("2026-03-01").unwrap(),
        report: seed::Report::Log,
    };
    let stop = tokio_util::sync::CancellationToken::new();
    seed::run(database.url(), &options, &stop).await.unwrap();
    let server = TestServer::start(&database).await;
    let plan = explain(&database, &search("products", "laptop")).await;
    assert!(plan.contains("products_text"), "{plan}");

    let mut viewer = server.viewer().await;
    let view = ViewSpec {
        filter: Some(test("category", FilterOp::Eq, &["Electronics"])),
        sort: vec![SortColumn {
            column: "price".to_owned(),
            descending: true,
            nulls: None,
        }],
        ..search("products", "laptop")
    };
    let sql = "SELECT id::text AS shown FROM products WHERE category = 'Electronics' AND \
               to_tsvector('english', name || ' ' || brand || ' ' || description) \
               @@ to_tsquery('english', 'laptop:*') ORDER BY price DESC, id DESC";
    let expected = ids(&connect(&database).await, sql).await;
    assert!(
        expected.len() > 5,
        "the demo has laptops: {}",
        expected.len()
    );
    let window = viewer.open(view, vec!["id".into()], 0, 20);
    until(&mut viewer, "the dearest laptops", |model| {
        column(model, window, "id") == expected[..expected.len().min(20)]
    })
    .await;
    let none = ViewSpec {
        filter: Some(Filter::And(Vec::new())),
        ..search("products", "laptopp xyzzy")
    };
    let window = open(&mut viewer, none, 0, 10).await;
    shows(&mut viewer, window, "id", &[]).await;
}
