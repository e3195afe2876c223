//! `rowcast watch`, `unwatch` and `uninstall`.

use std::process::{Command, Output, Stdio};
use std::time::Duration;

use e2e::TestDatabase;
use e2e::eventually::{SOON, eventually};

/// The program, with the database named after the command, as people do.
fn rowcast(database: &TestDatabase, arguments: &[&str]) -> Command {
    let this = std::env::current_exe().unwrap();
    let profile = this.ancestors().nth(2).unwrap();
    let mut command = Command::new(profile.join("rowcast"));
    command
        .args(arguments)
        .args(["--database-url", database.url()])
        .stdin(Stdio::null());
    command
}

fn run(database: &TestDatabase, arguments: &[&str]) -> (bool, String) {
    let output = rowcast(database, arguments).output();
    let Output {
        status,
        stdout,
        stderr,
    } = output.expect("build the program: cargo build --workspace");
    let text = [stdout, stderr].concat();
    (status.success(), String::from_utf8(text).unwrap())
}

/// Everything in the database that has a name.
async fn catalogue(database: &TestDatabase) -> Vec<String> {
    let sql = "
        SELECT 'class ' || n.nspname || '.' || c.relname || ' ' || c.relkind::text || coalesce(c.relacl::text, '')
          FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname !~ '^pg_toast'
        UNION ALL SELECT 'schema ' || nspname FROM pg_namespace WHERE nspname !~ '^pg_(toast_)?temp'
        UNION ALL SELECT 'function ' || pronamespace::regnamespace || '.' || proname FROM pg_proc
        UNION ALL SELECT 'trigger ' || tgrelid::regclass || '.' || tgname || tgenabled::text::text FROM pg_trigger
        UNION ALL SELECT 'event ' || evtname FROM pg_event_trigger
        UNION ALL SELECT 'type ' || typnamespace::regnamespace || '.' || typname FROM pg_type
        UNION ALL SELECT 'constraint ' || conname FROM pg_constraint
        UNION ALL SELECT 'comment ' || description FROM pg_description
        UNION ALL SELECT 'setting ' || setdatabase || setrole || setconfig::text FROM pg_db_role_setting
                   WHERE setdatabase = (SELECT oid FROM pg_database WHERE datname = current_database())
        ORDER BY 1";
    let rows = database.connect().await.query(sql, &[]).await.unwrap();
    rows.iter().map(|row| row.get(0)).collect()
}

const TABLES: &str = "
    CREATE TABLE items (id int PRIMARY KEY, name text); CREATE TABLE \"My Table\" (id int PRIMARY KEY);
    CREATE TABLE keyless (id int);
    CREATE TABLE parts (id int PRIMARY KEY) PARTITION BY RANGE (id);
    CREATE TABLE parts_1 PARTITION OF parts FOR VALUES FROM (0) TO (10);";

#[tokio::test]
async fn what_is_shown_is_what_is_done_and_nothing_is_left_behind() {
    let database = TestDatabase::new().await;
    database.execute(TABLES).await;
    // A role called like the schema gets a search path of its own, which is the role's business.
    let before: Vec<String> = catalogue(&database).await;

    let (done, said) = run(&database, &["watch", "items"]);
    assert!(
        !done && said.contains("CREATE TRIGGER rowcast_log_insert"),
        "{said}"
    );
    assert!(
        said.contains("CREATE SCHEMA rowcast") && said.contains("nothing was done"),
        "{said}"
    );
    assert_eq!(
        catalogue(&database).await,
        before,
        "a preview leaves nothing"
    );

    let (done, said) = run(&database, &["watch", "public.items", "--yes"]);
    assert!(done && said.contains("ENABLE ALWAYS TRIGGER"), "{said}");
    let installed: Vec<String> = catalogue(&database).await;
    let (done, said) = run(&database, &["watch", "items", "--yes"]);
    assert!(done && said.contains("nothing to do"), "{said}");
    for table in ["\"My Table\"", "parts"] {
        let (done, said) = run(&database, &["watch", table, "-y"]);
        assert!(done && !said.contains("CREATE SCHEMA"), "{said}");
        let (done, said) = run(&database, &["unwatch", table]);
        assert!(
            !done && said.contains("DROP TRIGGER rowcast_log_update ON"),
            "{said}"
        );
        let (done, said) = run(&database, &["unwatch", table, "-y"]);
        assert!(done, "{said}");
        assert_eq!(catalogue(&database).await, installed, "{table}");
    }
    for (table, reason) in [
        ("keyless", "ADD PRIMARY KEY"),
        ("parts_1", "Watch public.parts"),
        ("nothing", "does not exist"),
    ] {
        let (done, said) = run(&database, &["watch", table, "--yes"]);
        assert!(!done && said.contains(reason), "{table}: {said}");
    }
    let (done, said) = run(&database, &["uninstall"]);
    assert!(
        !done && said.contains("DROP SCHEMA rowcast CASCADE"),
        "{said}"
    );
    let (done, said) = run(&database, &["uninstall", "--yes"]);
    assert!(
        done && said.contains("DROP TRIGGER rowcast_log_delete ON public.items"),
        "{said}"
    );
    let after: Vec<String> = catalogue(&database).await;
    let left: Vec<_> = after.iter().filter(|line| !before.contains(line)).collect();
    let is_ours = |line: &&&String| !line.starts_with("setting ");
    assert_eq!(left.iter().filter(is_ours).count(), 0, "{left:#?}");
    assert!(before.iter().all(|line| after.contains(line)));
    let (done, said) = run(&database, &["uninstall", "--yes"]);
    assert!(done && said.contains("Nothing of Rowcast"), "{said}");
}

#[tokio::test]
async fn watching_waits_for_a_long_writer_and_lets_others_write() {
    let database = TestDatabase::new().await;
    database.install(TABLES, &[]).await;
    let writer = database.connect().await;
    writer
        .batch_execute("BEGIN; INSERT INTO items VALUES (1, 'slow')")
        .await
        .unwrap();
    let mut watching = rowcast(&database, &["watch", "items", "--yes"])
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    let other = database.connect().await;
    for id in 2..6 {
        let sql = format!("INSERT INTO items VALUES ({id}, 'meanwhile')");
        let write = other.batch_execute(&sql);
        tokio::time::timeout(SOON, write)
            .await
            .expect("the writer hung")
            .unwrap();
    }
    assert!(watching.try_wait().unwrap().is_none(), "it did not wait");
    writer.batch_execute("COMMIT").await.unwrap();
    eventually(
        "it is watched",
        SOON + Duration::from_secs(15),
        async || {
            watching
                .try_wait()
                .unwrap()
                .is_some_and(|status| status.success())
        },
    )
    .await;
}
