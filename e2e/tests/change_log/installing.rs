//! Who may install it, and how often.

use e2e::TestDatabase;
use sqlx::{Connection, PgConnection};

use crate::{connect, texts};

#[tokio::test]
async fn many_servers_may_install_at_once() {
    let database = TestDatabase::new().await;
    let installers: Vec<_> = (0..8)
        .map(|_| {
            let url = database.url().to_owned();
            tokio::spawn(async move {
                let mut connection = PgConnection::connect(&url).await.unwrap();
                migrations::install_demo(&mut connection).await
            })
        })
        .collect();
    for installer in installers {
        assert!(installer.await.unwrap().unwrap().follows_ddl);
    }
    let client = database.connect().await;
    let watched = "SELECT relation::text FROM rowcast.watched ORDER BY 1";
    assert_eq!(
        texts(&client, watched).await,
        ["events", "products", "tenants", "users"]
    );
    let ours = "SELECT relname::text FROM pg_class WHERE relnamespace = 'public'::regnamespace
                AND relname LIKE '%sqlx%'";
    assert_eq!(
        texts(&client, ours).await.len(),
        0,
        "bookkeeping belongs into our own schema"
    );
}

#[tokio::test]
async fn a_role_that_may_not_install_is_told_what_to_grant() {
    let database = TestDatabase::new().await;
    let name = database.url().rsplit_once('/').unwrap().1.to_owned();
    let role = format!("guest_{name}");
    database
        .execute(&format!(
            "CREATE ROLE {role} LOGIN; REVOKE CREATE ON SCHEMA public FROM PUBLIC"
        ))
        .await;
    let mut guest = connect(&database).await;
    let become_guest = format!("SET ROLE {role}");
    sqlx::raw_sql(sqlx::AssertSqlSafe(become_guest))
        .execute(&mut guest)
        .await
        .unwrap();
    let error = migrations::install_engine(&mut guest)
        .await
        .unwrap_err()
        .to_string();
    assert!(
        error.contains(&format!("GRANT CREATE ON DATABASE {name} TO {role}")),
        "{error}"
    );

    database
        .execute(&format!("GRANT CREATE ON DATABASE {name} TO {role}"))
        .await;
    let installed = migrations::install_engine(&mut guest).await.unwrap();
    assert!(!installed.follows_ddl, "event triggers need a superuser");
    sqlx::raw_sql("CREATE SCHEMA own; CREATE TABLE own.things (id int PRIMARY KEY)")
        .execute(&mut guest)
        .await
        .unwrap();
    migrations::watch(&mut guest, "own.things").await.unwrap();
    sqlx::raw_sql("INSERT INTO own.things VALUES (1)")
        .execute(&mut guest)
        .await
        .unwrap();

    // Where it is installed, a role that only reads changes installs nothing and is not refused.
    database
        .execute(&format!(
            "CREATE ROLE reader_{name}; GRANT USAGE ON SCHEMA rowcast TO reader_{name};
             GRANT SELECT ON ALL TABLES IN SCHEMA rowcast TO reader_{name};
             GRANT EXECUTE ON FUNCTION rowcast.epoch(), rowcast.prune(pg_snapshot),
                 rowcast.reconcile() TO reader_{name}"
        ))
        .await;
    let mut reader = connect(&database).await;
    let become_reader = format!("SET ROLE reader_{name}");
    sqlx::raw_sql(sqlx::AssertSqlSafe(become_reader))
        .execute(&mut reader)
        .await
        .unwrap();
    migrations::install_engine(&mut reader).await.unwrap();
    let read = "SELECT rowcast.epoch(), rowcast.prune(pg_current_snapshot()), rowcast.reconcile()";
    sqlx::raw_sql(read).execute(&mut reader).await.unwrap();
}
