//! `rowcast index …`: the program, as a person runs it.

use std::process::{Command, Output, Stdio};

use e2e::TestDatabase;
use e2e::eventually::SOON;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, BufReader};

use crate::creating::ours;
use crate::support::database;
use crate::waiting::Open;

fn program(database: &TestDatabase, arguments: &[&str]) -> Command {
    let this = std::env::current_exe().unwrap();
    let program = this.ancestors().nth(2).unwrap().join("rowcast");
    let mut command = Command::new(program);
    command
        .args(arguments)
        .env("DATABASE_URL", database.url())
        .stdin(Stdio::null());
    command
}

async fn rowcast(database: &TestDatabase, arguments: &[&str]) -> Output {
    let mut command = program(database, arguments);
    tokio::task::spawn_blocking(move || command.output().expect("the rowcast program; build it"))
        .await
        .unwrap()
}

fn said(output: &Output) -> String {
    let (out, err) = (&output.stdout, &output.stderr);
    format!(
        "{}{}",
        String::from_utf8_lossy(out),
        String::from_utf8_lossy(err)
    )
}

#[tokio::test]
async fn an_index_is_shown_created_listed_and_dropped_from_the_command_line() {
    let (database, _pool) = database("SELECT").await;
    let create = [
        "index",
        "create",
        "orders",
        "--sort",
        "-price,name",
        "--filter",
        "stage = \"new\"",
    ];
    let sql = "ON public.orders USING btree (stage, price DESC, name, id);";
    // Nobody is there to be asked.
    let asked = rowcast(&database, &create).await;
    let text = said(&asked);
    assert!(!asked.status.success() && text.contains(sql), "{text}");
    assert!(text.contains("nothing was done"), "{text}");
    let listed = rowcast(&database, &["index", "list", "orders"]).await;
    assert!(!said(&listed).contains("rowcast_"), "{}", said(&listed));

    let created = rowcast(&database, &[&create[..], &["--yes"]].concat()).await;
    assert!(created.status.success(), "{}", said(&created));
    let again = rowcast(&database, &create).await;
    assert!(again.status.success(), "{}", said(&again));
    assert!(
        said(&again).contains("serves this already"),
        "{}",
        said(&again)
    );

    let name = "rowcast_orders_stage_price_name_id_";
    let break_it = format!(
        "UPDATE pg_index SET indisvalid = false FROM pg_class \
         WHERE oid = indexrelid AND relname LIKE '{name}%'"
    );
    database.execute(&break_it).await;
    let listed = said(&rowcast(&database, &["index", "list"]).await);
    assert!(
        listed.contains(name) && listed.contains("NOT VALID"),
        "{listed}"
    );
    let dropped = rowcast(&database, &["index", "drop-invalid", "-y"]).await;
    assert!(said(&dropped).contains("is dropped"), "{}", said(&dropped));
    let listed = said(&rowcast(&database, &["index", "list"]).await);
    assert!(
        !listed.contains(name) && listed.contains("orders_pkey"),
        "{listed}"
    );
}

#[tokio::test]
async fn what_cannot_be_read_is_explained() {
    let (database, _pool) = database("SELECT").await;
    for (arguments, part) in [
        (&["index", "create", "nothing"][..], "no table is called"),
        (
            &["index", "create", "orders", "--sort", "nothing"],
            "has no column",
        ),
        (
            &["index", "create", "orders", "--filter", "price >"],
            "at character",
        ),
    ] {
        let output = rowcast(&database, arguments).await;
        let text = said(&output);
        assert!(
            !output.status.success() && text.contains(part),
            "{arguments:?}: {text}"
        );
    }
}

/// `rowcast index create`, which waits for somebody.
struct Waiting {
    process: tokio::process::Child,
    said: BufReader<tokio::process::ChildStdout>,
}

impl Waiting {
    fn start(database: &TestDatabase) -> Self {
        let create = ["index", "create", "orders", "--sort", "name", "--yes"];
        let mut command = tokio::process::Command::from(program(database, &create));
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut process = command.kill_on_drop(true).spawn().unwrap();
        let said = BufReader::new(process.stdout.take().unwrap());
        Self { process, said }
    }

    /// Reads until a line has all these parts.
    async fn until(&mut self, parts: &[&str]) {
        let mut heard = String::new();
        loop {
            let mut line = String::new();
            let read = tokio::time::timeout(SOON, self.said.read_line(&mut line)).await;
            let read = read.unwrap_or_else(|_| panic!("no line has {parts:?}: {heard}"));
            assert!(read.unwrap() > 0, "it ended before {parts:?}: {heard}");
            heard += &line;
            if parts.iter().all(|part| line.contains(part)) {
                return;
            }
        }
    }

    async fn press_ctrl_c(&self) {
        let pid = self.process.id().unwrap().to_string();
        let kill = tokio::process::Command::new("kill")
            .args(["-INT", &pid])
            .status();
        assert!(kill.await.unwrap().success());
    }

    /// Its exit code, and what it complained about.
    async fn end(mut self) -> (Option<i32>, String) {
        let mut complaint = String::new();
        let mut complaints = self.process.stderr.take().unwrap();
        let reading = async {
            complaints.read_to_string(&mut complaint).await.unwrap();
            self.process.wait().await.unwrap()
        };
        let status = tokio::time::timeout(SOON, reading).await;
        (status.expect("it ends").code(), complaint)
    }
}

#[tokio::test]
async fn ctrl_c_leaves_no_index_behind() {
    let (database, _pool) = database("SELECT").await;
    let writer = Open::writer(&database).await;
    let process = format!("process {}", writer.pid);
    let mut waiting = Waiting::start(&database);
    waiting.until(&["waiting for writers", &process]).await;
    waiting.press_ctrl_c().await;
    waiting
        .until(&["dropping what was created", &process])
        .await;
    writer.end().await;
    let (code, complaint) = waiting.end().await;
    assert_eq!(code, Some(1), "{complaint}");
    assert!(
        complaint.contains("stopped; nothing of it is left"),
        "{complaint}"
    );
    assert!(ours(&database).await.is_empty());
}

#[tokio::test]
async fn ctrl_c_again_does_not_wait_for_the_writer() {
    let (database, _pool) = database("SELECT").await;
    let writer = Open::writer(&database).await;
    let process = format!("process {}", writer.pid);
    let mut waiting = Waiting::start(&database);
    waiting.until(&["waiting for writers", &process]).await;
    waiting.press_ctrl_c().await;
    waiting
        .until(&["dropping what was created", &process])
        .await;
    waiting.press_ctrl_c().await;
    let (code, complaint) = waiting.end().await;
    assert_eq!(code, Some(1), "{complaint}");
    let [(name, false)] = &ours(&database).await[..] else {
        panic!("{complaint}")
    };
    let left = format!(
        "these are left, and should be dropped (`rowcast index drop-invalid`): public.{name}"
    );
    assert!(complaint.contains(&left), "{complaint}");
    writer.end().await;
    let dropped = rowcast(&database, &["index", "drop-invalid", "--yes"]).await;
    assert!(dropped.status.success(), "{}", said(&dropped));
    assert!(ours(&database).await.is_empty());
}
