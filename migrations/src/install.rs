//! Installing: once per database, however many servers start at once.

use std::time::{Duration, Instant};

use sqlx::migrate::{MigrateError, Migrator};
use sqlx::{AssertSqlSafe, Connection, PgConnection};

use crate::error::{Error, sqlstate};
use crate::watch::{ATTEMPT, PATIENCE, PAUSE};

/// The oldest PostgreSQL whose SQL dialect and catalogues suffice.
pub(crate) const OLDEST_POSTGRES: i32 = 14;

/// The key of the advisory lock that one installer holds. (The reader's ends in 1.)
const INSTALL_LOCK: i64 = 7_813_014_321_550_002;

/// What an installation found or did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Installed {
    /// Whether changed schemas are noticed at once, by event triggers, which only a superuser can
    /// install. Without them it depends on how often [`reconcile`](crate::reconcile) is called.
    pub follows_ddl: bool,
}

/// The files of one folder and the table that remembers which of them ran.
struct Folder {
    migrator: Migrator,
    bookkeeping: &'static str,
}

impl Folder {
    fn new(mut migrator: Migrator, bookkeeping: &'static str) -> Self {
        migrator.dangerous_set_table_name(format!("rowcast.{bookkeeping}"));
        // Ours is taken instead: the migrator's stays with the session after an error.
        migrator.set_locking(false);
        Self {
            migrator,
            bookkeeping,
        }
    }
}

/// Installs the change log (schema `rowcast`) or brings it up to date. Where that is done already
/// it writes nothing, and needs no privilege but to read the schema.
///
/// # Errors
/// See [`Error`]; nothing is left half done.
pub async fn install_engine(connection: &mut PgConnection) -> Result<Installed, Error> {
    check_server(connection).await?;
    let engine = Folder::new(sqlx::migrate!("./engine"), "_sqlx_migrations");
    migrate(connection, &engine).await?;
    Ok(Installed {
        follows_ddl: follow_ddl(connection).await?,
    })
}

/// Installs the engine, then the demo's tables into the schema `public`, watched.
///
/// # Errors
/// See [`Error`]; nothing is left half done.
pub async fn install_demo(connection: &mut PgConnection) -> Result<Installed, Error> {
    let installed = install_engine(connection).await?;
    let demo = Folder::new(sqlx::migrate!("./demo"), "_sqlx_migrations_demo");
    migrate(connection, &demo).await?;
    Ok(installed)
}

async fn check_server(connection: &mut PgConnection) -> Result<(), Error> {
    let (number, version, standby): (i32, String, bool) = sqlx::query_as(
        "select current_setting('server_version_num')::integer, \
                current_setting('server_version'), pg_is_in_recovery()",
    )
    .fetch_one(connection)
    .await?;
    if number / 10_000 < OLDEST_POSTGRES {
        return Err(Error::TooOld { found: version });
    }
    if standby { Err(Error::Standby) } else { Ok(()) }
}

/// Runs what is missing, patiently: a file may need a lock that running writers hold, and new writers
/// queue behind whoever waits for it.
async fn migrate(connection: &mut PgConnection, folder: &Folder) -> Result<(), Error> {
    let started = Instant::now();
    while !is_current(connection, folder).await? {
        match run_missing(connection, folder).await {
            Err(Error::Locked { .. }) if started.elapsed() < PATIENCE => {
                tracing::info!("waiting for running writers before the schema can be updated");
                tokio::time::sleep(PAUSE).await;
            }
            Err(Error::Locked { .. }) => {
                let waited = started.elapsed();
                return Err(Error::Locked { waited });
            }
            outcome => return outcome,
        }
    }
    Ok(())
}

/// Runs what is missing, in one transaction.
async fn run_missing(connection: &mut PgConnection, folder: &Folder) -> Result<(), Error> {
    let mut transaction = connection.begin().await?;
    sqlx::query("select pg_advisory_xact_lock($1)")
        .bind(INSTALL_LOCK)
        .execute(&mut *transaction)
        .await?;
    // The files name every schema; nothing may depend on how the user's session is set up.
    sqlx::query("set local search_path = pg_catalog, pg_temp")
        .execute(&mut *transaction)
        .await?;
    sqlx::query(ATTEMPT).execute(&mut *transaction).await?;
    ensure_schema(&mut transaction).await?;
    match folder
        .migrator
        .run_direct(None, &mut *transaction, false)
        .await
    {
        Ok(()) => Ok(transaction.commit().await?),
        Err(error) => {
            transaction.rollback().await?;
            Err(explain(connection, error).await?)
        }
    }
}

/// Whether every file ran already. Reads only.
async fn is_current(connection: &mut PgConnection, folder: &Folder) -> Result<bool, Error> {
    let exists: bool = sqlx::query_scalar(
        "select exists (select from pg_class c join pg_namespace n on n.oid = c.relnamespace \
         where n.nspname = 'rowcast' and c.relname = $1)",
    )
    .bind(folder.bookkeeping)
    .fetch_one(&mut *connection)
    .await?;
    if !exists {
        return Ok(false);
    }
    let applied = sqlx::query_as::<_, (i64, Vec<u8>)>(AssertSqlSafe(format!(
        "select version, checksum from rowcast.{} where success",
        folder.bookkeeping
    )))
    .fetch_all(&mut *connection)
    .await;
    let applied = match applied {
        Ok(applied) => applied,
        Err(error) => return Err(explain_sql(connection, error).await?),
    };
    // One more, one fewer or another one: the migrator decides, and has the words for it.
    Ok(applied.len() == folder.migrator.iter().count()
        && folder.migrator.iter().all(|migration| {
            applied.iter().any(|(version, checksum)| {
                *version == migration.version && **checksum == *migration.checksum
            })
        }))
}

async fn ensure_schema(connection: &mut PgConnection) -> Result<(), Error> {
    // Not IF NOT EXISTS, which asks for the privilege even where the schema exists.
    let (exists, may_create, role, database): (bool, bool, String, String) = sqlx::query_as(
        "select exists (select from pg_namespace where nspname = 'rowcast'), \
                has_database_privilege(current_database(), 'CREATE'), \
                quote_ident(current_user), quote_ident(current_database())",
    )
    .fetch_one(&mut *connection)
    .await?;
    if exists {
        return Ok(());
    }
    if !may_create {
        return Err(Error::CannotCreate { role, database });
    }
    sqlx::raw_sql(
        "create schema rowcast; \
         comment on schema rowcast is 'Change log and settings of Rowcast, a live grid over tables'",
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// Installs the event triggers where the role may.
async fn follow_ddl(connection: &mut PgConnection) -> Result<bool, Error> {
    let (installed, may_install): (bool, bool) = sqlx::query_as(
        "select count(*) = 2, (select rolsuper from pg_roles where rolname = current_user) \
         from pg_event_trigger where evtname in ('rowcast_on_ddl', 'rowcast_on_drop')",
    )
    .fetch_one(&mut *connection)
    .await?;
    if installed || !may_install {
        return Ok(installed);
    }
    let mut transaction = connection.begin().await?;
    sqlx::query("select pg_advisory_xact_lock($1)")
        .bind(INSTALL_LOCK)
        .execute(&mut *transaction)
        .await?;
    let installed = sqlx::query_scalar("select rowcast.follow_ddl()")
        .fetch_one(&mut *transaction)
        .await?;
    transaction.commit().await?;
    Ok(installed)
}

async fn explain(connection: &mut PgConnection, error: MigrateError) -> Result<Error, Error> {
    match error {
        MigrateError::Execute(error) | MigrateError::ExecuteMigration(error, _) => {
            explain_sql(connection, error).await
        }
        other => Ok(Error::OtherVersion(other)),
    }
}

/// Says who lacks which privilege, or that a lock was not to be had; any other error stays what it is.
async fn explain_sql(connection: &mut PgConnection, error: sqlx::Error) -> Result<Error, Error> {
    let code = error.as_database_error().and_then(|error| error.code());
    let message = match (code.as_deref(), error.as_database_error()) {
        (Some(sqlstate::INSUFFICIENT_PRIVILEGE), Some(denied)) => denied.message().to_owned(),
        (Some(sqlstate::LOCK_NOT_AVAILABLE | sqlstate::DEADLOCK_DETECTED), _) => {
            let waited = Duration::ZERO;
            return Ok(Error::Locked { waited });
        }
        _ => return Ok(error.into()),
    };
    let role = sqlx::query_scalar("select quote_ident(current_user)")
        .fetch_one(connection)
        .await?;
    Ok(Error::Forbidden { role, message })
}
