//! Removing all that Rowcast has put into a database.

use std::time::Instant;

use sqlx::PgConnection;

use crate::error::Error;
use crate::preview::{is_installed, watched};
use crate::watch::{PATIENCE, PAUSE, begin, explain, is_conflict, unwatch};

/// Removes the triggers of all watched tables, the event triggers and the schema `rowcast`. Tables, the
/// demo's too, stay. Safe to repeat. Servers should be stopped before: a running one only fails.
///
/// # Errors
/// [`Error::Locked`] if a transaction that wrote a watched table stays open for half a minute;
/// what was removed by then stays removed.
pub async fn uninstall(connection: &mut PgConnection) -> Result<(), Error> {
    if !is_installed(connection).await? {
        return Ok(());
    }
    for table in watched(connection).await? {
        unwatch(connection, &table).await?;
    }
    let started = Instant::now();
    loop {
        let mut attempt = begin(connection).await?;
        let dropped = sqlx::raw_sql(
            "drop event trigger if exists rowcast_on_ddl; \
             drop event trigger if exists rowcast_on_drop; \
             drop schema rowcast cascade",
        )
        .execute(&mut *attempt)
        .await;
        let error = match dropped {
            Ok(_) => return Ok(attempt.commit().await?),
            Err(error) => error,
        };
        attempt.rollback().await?;
        if !is_conflict(&error) || started.elapsed() > PATIENCE {
            return Err(explain(error, started.elapsed()));
        }
        tokio::time::sleep(PAUSE).await;
    }
}
