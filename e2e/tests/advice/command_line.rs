//! `rowcast index …`: the program, as a person runs it.

use std::process::{Command, Output};

use e2e::TestDatabase;

use crate::support::database;

async fn rowcast(database: &TestDatabase, arguments: &[&str]) -> Output {
    let this = std::env::current_exe().unwrap();
    let program = this.ancestors().nth(2).unwrap().join("rowcast");
    let mut command = Command::new(program);
    command
        .args(arguments)
        .env("DATABASE_URL", database.url())
        .stdin(std::process::Stdio::null());
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
