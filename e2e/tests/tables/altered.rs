//! Tables that are altered, renamed, dropped, taken apart: every window follows, or says why not.

use client_egui::model::{Headless, Model, WindowId};
use e2e::viewing::{column, open, until};
use e2e::{TestDatabase, TestServer};
use protocol::{ErrorCode, Liveness, ViewSpec};

use crate::{equals, error_code, schema, serve, serve_as_guest, watcher};

const THINGS: &str = "
    CREATE TYPE mood AS ENUM ('sad', 'glad');
    CREATE TABLE things (id int PRIMARY KEY, a text NOT NULL, b int, mood mood);
    INSERT INTO things SELECT n, 'name ' || 1000 + n, n % 7, 'sad' FROM generate_series(1, 500) AS n;
    CREATE TABLE parts (id int PRIMARY KEY, note text) PARTITION BY RANGE (id);
    CREATE TABLE parts_1 PARTITION OF parts FOR VALUES FROM (0) TO (10);
    CREATE TABLE parts_2 (id int PRIMARY KEY, note text);
    INSERT INTO parts VALUES (1, 'one'); INSERT INTO parts_2 VALUES (11, 'eleven');
    CREATE VIEW seen AS SELECT id, a FROM things;";

/// How a change of the table's definition is noticed.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Noticed {
    /// Event triggers tell of it in its own transaction.
    AtOnce,
    /// Nobody tells of it; servers look now and then.
    Later,
    /// The table is polled.
    ByLooking,
}

struct Stage {
    database: TestDatabase,
    _server: TestServer,
    viewer: Headless,
    noticed: Noticed,
}

impl Stage {
    async fn new(noticed: Noticed) -> Self {
        let database = TestDatabase::new().await;
        let watched: &[&str] = if noticed == Noticed::ByLooking {
            &[]
        } else {
            &["things", "parts"]
        };
        database.install(THINGS, watched).await;
        let server = if noticed == Noticed::Later {
            // An ordinary role's server installs no event triggers.
            let drop = "DROP EVENT TRIGGER rowcast_on_ddl; DROP EVENT TRIGGER rowcast_on_drop";
            database.execute(drop).await;
            let grants = "GRANT SELECT ON ALL TABLES IN SCHEMA public TO ROLE;
                          ALTER DEFAULT PRIVILEGES GRANT SELECT ON TABLES TO ROLE";
            serve_as_guest(&database, grants).await.0
        } else {
            serve(&database).await
        };
        let viewer = watcher(&server).await;
        Self {
            database,
            _server: server,
            viewer,
            noticed,
        }
    }

    async fn open(&mut self, view: ViewSpec, count: u32) -> WindowId {
        open(&mut self.viewer, view, 0, count).await
    }

    /// Alters something, and has it looked for as servers do every ten seconds.
    async fn alter(&self, ddl: &str) {
        self.database.execute(ddl).await;
        if self.noticed == Noticed::Later {
            self.database.execute("SELECT rowcast.reconcile()").await;
        }
    }

    async fn equals(&mut self, window: WindowId, sql: &str) {
        equals(&mut self.viewer, &self.database, window, sql).await;
    }

    async fn names(&mut self, window: WindowId, names: &[&str]) {
        let are_named = |model: &Model| {
            let schema = schema(model, window);
            schema.is_some_and(|it| it.columns.iter().map(|column| &column.name).eq(names))
        };
        until(&mut self.viewer, &format!("columns {names:?}"), are_named).await;
    }

    async fn is_refused(&mut self, window: WindowId, code: ErrorCode) {
        let is_told = |model: &Model| error_code(model, window) == Some(code);
        until(&mut self.viewer, &format!("{code:?}"), is_told).await;
    }
}

const EVERY_WAY: [Noticed; 3] = [Noticed::AtOnce, Noticed::Later, Noticed::ByLooking];

#[tokio::test]
async fn columns_that_come_go_and_change_are_followed() {
    for noticed in EVERY_WAY {
        let mut stage = Stage::new(noticed).await;
        let top = stage.open(ViewSpec::table("things"), 4).await;
        let by_b = stage.open(crate::by("things", &[("b", true)]), 4).await;
        for (ddl, names) in [
            (
                "ALTER TABLE things ADD COLUMN c numeric DEFAULT 1.5",
                vec!["id", "a", "b", "mood", "c"],
            ),
            (
                "ALTER TABLE things RENAME COLUMN a TO d",
                vec!["id", "d", "b", "mood", "c"],
            ),
            (
                "ALTER TABLE things ALTER COLUMN c TYPE text USING 'x' || c",
                vec!["id", "d", "b", "mood", "c"],
            ),
            (
                "BEGIN; ALTER TABLE things RENAME COLUMN d TO other; ALTER TABLE things RENAME COLUMN c TO d; \
                 ALTER TABLE things RENAME COLUMN other TO c; COMMIT",
                vec!["id", "c", "b", "mood", "d"],
            ),
            (
                "ALTER TYPE mood RENAME VALUE 'sad' TO 'blue'",
                vec!["id", "c", "b", "mood", "d"],
            ),
            (
                "ALTER TABLE things ALTER COLUMN b TYPE bigint",
                vec!["id", "c", "b", "mood", "d"],
            ),
        ] {
            stage.alter(ddl).await;
            stage.names(top, &names).await;
            let first = "SELECT * FROM things ORDER BY id LIMIT 4";
            let by = "SELECT * FROM things ORDER BY b DESC, id DESC LIMIT 4";
            stage.equals(top, first).await;
            stage.equals(by_b, by).await;
            let write = "UPDATE things SET b = b + 1 WHERE id IN (2, 400)";
            stage.database.execute(write).await;
            stage.equals(top, first).await;
            stage.equals(by_b, by).await;
        }
        // A window cannot be sorted by what is gone; another goes on without it.
        stage.alter("ALTER TABLE things DROP COLUMN b").await;
        stage.names(top, &["id", "c", "mood", "d"]).await;
        stage
            .equals(top, "SELECT * FROM things ORDER BY id LIMIT 4")
            .await;
        stage.is_refused(by_b, ErrorCode::UnknownColumn).await;
    }
}

#[tokio::test]
async fn a_table_with_another_key_or_name_is_followed_and_one_that_is_gone_is_not() {
    for noticed in EVERY_WAY {
        let mut stage = Stage::new(noticed).await;
        let window = stage.open(ViewSpec::table("things"), 4).await;
        let ddl = "ALTER TABLE things DROP CONSTRAINT things_pkey, ADD PRIMARY KEY (a)";
        stage.alter(ddl).await;
        let key = |key: &'static str| {
            move |model: &Model| schema(model, window).is_some_and(|schema| schema.key == [key])
        };
        until(&mut stage.viewer, "another key", key("a")).await;
        stage
            .equals(window, "SELECT * FROM things ORDER BY a LIMIT 4")
            .await;
        stage.alter("ALTER TABLE things RENAME TO objects").await;
        until(&mut stage.viewer, "another name", |model| {
            schema(model, window).is_some_and(|schema| schema.name == "public.objects")
        })
        .await;
        stage
            .database
            .execute("UPDATE objects SET b = 70 WHERE a = 'name 1001'")
            .await;
        stage
            .equals(window, "SELECT * FROM objects ORDER BY a LIMIT 4")
            .await;

        // Without a key it cannot be live.
        stage
            .alter("ALTER TABLE objects DROP CONSTRAINT things_pkey")
            .await;
        until(&mut stage.viewer, "polled", |model| {
            schema(model, window)
                .is_some_and(|schema| schema.key.is_empty() && schema.liveness != Liveness::Live)
        })
        .await;
        stage
            .database
            .execute("DELETE FROM objects WHERE a <> 'name 1003'")
            .await;
        stage.equals(window, "SELECT * FROM objects").await;

        let ddl = "BEGIN; DROP TABLE objects CASCADE; CREATE TABLE objects (other text PRIMARY KEY); COMMIT";
        stage.alter(ddl).await;
        stage.is_refused(window, ErrorCode::UnknownTable).await;
        stage
            .database
            .execute("INSERT INTO objects VALUES ('new')")
            .await;
        let again = stage.open(ViewSpec::table("objects"), 4).await;
        stage.equals(again, "SELECT * FROM objects").await;
    }
}

#[tokio::test]
async fn partitions_come_and_go() {
    for noticed in EVERY_WAY {
        let mut stage = Stage::new(noticed).await;
        let window = stage.open(ViewSpec::table("parts"), 10).await;
        let sql = "SELECT * FROM parts ORDER BY id";
        for ddl in [
            "ALTER TABLE parts ATTACH PARTITION parts_2 FOR VALUES FROM (10) TO (20)",
            "CREATE TABLE parts_3 PARTITION OF parts FOR VALUES FROM (20) TO (30)",
            "ALTER TABLE parts DETACH PARTITION parts_1",
            "DROP TABLE parts_3",
        ] {
            stage.alter(ddl).await;
            stage.equals(window, sql).await;
            stage
                .database
                .execute("UPDATE parts SET note = note || '!'")
                .await;
            let insert = "INSERT INTO parts_2 SELECT max(id) + 1, 'direct' FROM parts_2";
            stage.database.execute(insert).await;
            stage.equals(window, sql).await;
        }
        assert!(!column(stage.viewer.model(), window, "id").contains(&"1".to_owned()));
    }
}

#[tokio::test]
async fn a_view_that_is_replaced_is_followed() {
    let mut stage = Stage::new(Noticed::ByLooking).await;
    let window = stage.open(crate::by("seen", &[("id", false)]), 3).await;
    stage
        .alter("CREATE OR REPLACE VIEW seen AS SELECT id, upper(a) AS a, b FROM things")
        .await;
    stage.names(window, &["id", "a", "b"]).await;
    stage
        .equals(window, "SELECT * FROM seen ORDER BY id LIMIT 3")
        .await;
    stage.alter("DROP VIEW seen").await;
    stage.is_refused(window, ErrorCode::UnknownTable).await;
}

#[tokio::test]
async fn a_server_that_is_not_told_finds_out_by_itself() {
    let mut stage = Stage::new(Noticed::Later).await;
    let window = stage.open(ViewSpec::table("things"), 4).await;
    // Nobody calls reconcile but the server.
    stage
        .database
        .execute("ALTER TABLE things RENAME COLUMN a TO renamed")
        .await;
    stage.names(window, &["id", "renamed", "b", "mood"]).await;
    stage
        .equals(window, "SELECT * FROM things ORDER BY id LIMIT 4")
        .await;
}
