//! A server on a table with a value of every kind.

use e2e::http::{Answer, ask, encoded};
use e2e::{TestDatabase, TestServer};
use serde_json::Value;
use server::ServerOptions;
use tokio_postgres::Client;

/// What the tests ask about.
const TABLES: &str = r#"
CREATE COLLATION german (provider = icu, locale = 'de-u-ks-level2', deterministic = false);
CREATE TYPE mood AS ENUM ('sad', 'ok', 'happy');
CREATE TABLE items (
    id     int PRIMARY KEY,
    name   text NOT NULL,
    price  numeric(12, 2) CHECK (price >= 0 AND price <> 'NaN'),
    weight float8,
    stock  bigint NOT NULL DEFAULT 0,
    active boolean,
    mood   mood,
    tags   text[] NOT NULL DEFAULT '{}',
    extra  jsonb,
    added  timestamptz,
    code   varchar(8) UNIQUE,
    german text COLLATE german,
    place  point,
    total  numeric GENERATED ALWAYS AS (price * stock) STORED
);
INSERT INTO items
SELECT n,
       CASE WHEN n % 7 = 0 THEN 'Ärger ' ELSE 'item ' END || n % 20,
       CASE WHEN n % 5 > 0 THEN (n * 37 % 100)::numeric / 4 END,
       CASE WHEN n = 3 THEN 'NaN' WHEN n = 4 THEN '-Infinity' ELSE n / 8.0 END,
       9007199254740993 + n,
       CASE n % 3 WHEN 0 THEN true WHEN 1 THEN false END,
       (ARRAY['sad', 'ok', 'happy', NULL])[n % 4 + 1]::mood,
       ARRAY['a', 'b, "' || n],
       CASE WHEN n % 2 = 0 THEN jsonb_build_object('n', n, 'deep', ARRAY[1.50, NULL]) END,
       CASE WHEN n % 6 > 0 THEN timestamptz '2026-11-21 10:00+00' - n * interval '1 hour' END,
       'C' || n,
       (ARRAY['Straße', 'STRASSE', 'Äpfel', 'apfel', 'zebra', NULL])[n % 6 + 1],
       point(n, n)
  FROM generate_series(1, 200) AS n;
CREATE TABLE "Odd ""table"", 100%/é" (
    "key, one" text, "select" int, "a.b nullslast" text, PRIMARY KEY ("select", "key, one"));
INSERT INTO "Odd ""table"", 100%/é" VALUES ('a,b/c d', 1, 'x'), ('é"%', 2, 'y'), ('+', 3, NULL);
"#;

/// A server and its database.
pub(crate) struct Fixture {
    pub(crate) database: TestDatabase,
    pub(crate) server: TestServer,
    pub(crate) client: Client,
}

impl Fixture {
    pub(crate) async fn start() -> Self {
        Self::start_with(|_| {}).await
    }

    /// One whose server has other options.
    pub(crate) async fn start_with(change: impl FnOnce(&mut ServerOptions)) -> Self {
        let database = TestDatabase::new().await;
        let odd = r#"public."Odd ""table"", 100%/é""#;
        database.install(TABLES, &["items", odd]).await;
        let mut options = TestServer::options(&database);
        change(&mut options);
        let server = TestServer::with(options).await;
        let client = database.connect().await;
        Self {
            database,
            server,
            client,
        }
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.send("GET", path, &[], b"").await
    }

    pub(crate) async fn send(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: &[u8],
    ) -> Answer {
        let path = format!("/api/v1{path}");
        ask(self.server.address(), method, &path, headers, body).await
    }

    /// The items that these parameters ask for.
    pub(crate) async fn items(&self, parameters: &[(&str, &str)]) -> Answer {
        self.get(&address(parameters)).await
    }

    /// One value as PostgreSQL says it.
    pub(crate) async fn sql(&self, sql: &str) -> Value {
        let row = self
            .client
            .query_one(&format!("SELECT ({sql})::text"), &[])
            .await;
        let text: String = row
            .unwrap_or_else(|error| panic!("{sql}: {error:?}"))
            .get(0);
        serde_json::from_str(&text).unwrap()
    }

    /// Tells whether anything in a table changed.
    pub(crate) async fn checksum(&self) -> Value {
        let sql = "SELECT to_json(md5(string_agg(i::text, '|' ORDER BY id))) FROM items i";
        self.sql(sql).await
    }
}

/// The address of items with these parameters.
pub(crate) fn address(asked: &[(&str, &str)]) -> String {
    format!("/tables/items/rows?{}", parameters(asked))
}

/// Parameters as an address has them.
pub(crate) fn parameters(asked: &[(&str, &str)]) -> String {
    let pairs = asked
        .iter()
        .map(|(name, value)| format!("{}={}", encoded(name), encoded(value)));
    pairs.collect::<Vec<_>>().join("&")
}

/// The header of a body of JSON.
pub(crate) const JSON: (&str, &str) = ("Content-Type", "application/json");

/// Asserts that an answer is a refusal as all of them are.
pub(crate) fn assert_refused(what: &str, answer: &Answer, status: u16, code: &str) {
    assert_eq!(answer.status, status, "{what}: {}", answer.text());
    assert_eq!(
        answer.header("content-type"),
        Some("application/problem+json"),
        "{what}"
    );
    let problem = answer.json();
    assert_eq!(problem["code"], code, "{what}: {problem}");
    assert_eq!(problem["status"], status, "{what}");
    assert!(
        problem["detail"].as_str().unwrap().len() > 10,
        "{what}: {problem}"
    );
    assert!(answer.header("x-request-id").is_some());
    for leak in ["SELECT", "panicked", ".rs:"] {
        assert!(!answer.text().contains(leak), "{what}: {problem}");
    }
}
