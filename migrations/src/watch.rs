//! Watching a table, patiently: its triggers need a lock that running writers hold.

use std::time::{Duration, Instant};

use sqlx::postgres::PgDatabaseError;
use sqlx::{Connection, PgConnection, Postgres, Transaction};

use crate::error::{Error, sqlstate};

/// How long one attempt waits for a lock. New writers of the table queue behind the attempt, so
/// this is about the longest pause that they see.
pub(crate) const ATTEMPT: &str = "set local lock_timeout = '500ms'";

/// The pause that writers get between two attempts.
pub(crate) const PAUSE: Duration = Duration::from_millis(500);

/// How long all attempts together may take.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

/// Watches a table: from now on its changes are logged. Safe to repeat, and cheap then.
///
/// `table` is a name as SQL writes it (`public.products`, `"My Table"`).
///
/// # Errors
/// [`Error::NotWatchable`] says why the table cannot be watched; [`Error::Locked`] if a transaction
/// that wrote it stays open for half a minute.
pub async fn watch(connection: &mut PgConnection, table: &str) -> Result<(), Error> {
    retry(
        connection,
        "select rowcast.watch($1::text::regclass)",
        table,
    )
    .await
}

/// The same, once and in the caller's transaction.
pub(crate) async fn watch_once(connection: &mut PgConnection, table: &str) -> Result<(), Error> {
    let started = Instant::now();
    sqlx::query(ATTEMPT).execute(&mut *connection).await?;
    let watched = sqlx::query("select rowcast.watch($1::text::regclass)")
        .bind(table)
        .execute(connection)
        .await;
    watched
        .map(drop)
        .map_err(|error| explain(error, started.elapsed()))
}

/// Stops watching a table and removes its triggers. Safe to repeat.
///
/// # Errors
/// As for [`watch`].
pub async fn unwatch(connection: &mut PgConnection, table: &str) -> Result<(), Error> {
    retry(
        connection,
        "select rowcast.unwatch($1::text::regclass)",
        table,
    )
    .await
}

/// Looks after the triggers of all watched tables (new and detached partitions, disabled triggers,
/// changed columns, dropped tables) and returns the names of those it did something about. The log
/// tells every server to rebuild their views.
///
/// A table that is locked by a running writer is left for the next call.
///
/// # Errors
/// If the database cannot be reached, or the role may not change a table.
pub async fn reconcile(connection: &mut PgConnection) -> Result<Vec<String>, Error> {
    let started = Instant::now();
    let mut attempt = begin(connection).await?;
    let outcome = sqlx::query_scalar("select rowcast.reconcile()::text")
        .fetch_all(&mut *attempt)
        .await;
    match outcome {
        Ok(touched) => {
            attempt.commit().await?;
            Ok(touched)
        }
        Err(error) => {
            attempt.rollback().await?;
            Err(explain(error, started.elapsed()))
        }
    }
}

async fn retry(
    connection: &mut PgConnection,
    statement: &'static str,
    table: &str,
) -> Result<(), Error> {
    let started = Instant::now();
    loop {
        let mut attempt = begin(connection).await?;
        let outcome = sqlx::query(statement)
            .bind(table)
            .execute(&mut *attempt)
            .await;
        let error = match outcome {
            Ok(_) => return Ok(attempt.commit().await?),
            Err(error) => error,
        };
        attempt.rollback().await?;
        if !is_conflict(&error) || started.elapsed() > PATIENCE {
            return Err(explain(error, started.elapsed()));
        }
        tracing::info!(
            table,
            "waiting for running writers before the triggers can be changed"
        );
        tokio::time::sleep(PAUSE).await;
    }
}

pub(crate) async fn begin(
    connection: &mut PgConnection,
) -> Result<Transaction<'_, Postgres>, Error> {
    let mut attempt = connection.begin().await?;
    sqlx::query(ATTEMPT).execute(&mut *attempt).await?;
    Ok(attempt)
}

pub(crate) fn is_conflict(error: &sqlx::Error) -> bool {
    let code = error.as_database_error().and_then(|error| error.code());
    matches!(
        code.as_deref(),
        Some(sqlstate::LOCK_NOT_AVAILABLE | sqlstate::DEADLOCK_DETECTED)
    )
}

pub(crate) fn explain(error: sqlx::Error, waited: Duration) -> Error {
    if is_conflict(&error) {
        return Error::Locked { waited };
    }
    let unfit = error
        .as_database_error()
        .and_then(|error| error.try_downcast_ref::<PgDatabaseError>())
        .filter(|error| sqlstate::NOT_WATCHABLE.contains(&error.code()));
    match unfit {
        Some(unfit) => Error::NotWatchable {
            message: unfit.message().to_owned(),
            hint: unfit.hint().map(str::to_owned),
        },
        None => error.into(),
    }
}
