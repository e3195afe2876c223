//! Statements that may take long, and end when nobody waits for them any more.

use sqlx::pool::PoolConnection;
use sqlx::postgres::{PgPool, PgRow};
use sqlx::{AssertSqlSafe, Connection, Executor, Postgres, Row};
use tokio::time::timeout;

use crate::limits::CANCEL_TIMEOUT;

/// A transaction whose statement is cancelled if nobody waits for it any more: if this is dropped before its
/// [end](Self::end).
pub(super) struct Cancelling {
    connection: Option<PoolConnection<Postgres>>,
    pool: PgPool,
    /// The backend's process; `None` while nothing runs there that takes long.
    pid: Option<i32>,
}

impl Cancelling {
    /// Begins it by these statements, and says what these columns are then: one round trip.
    pub(super) async fn begin(
        pool: &PgPool,
        statements: &str,
        columns: &str,
    ) -> Result<(Self, PgRow), sqlx::Error> {
        let mut this = Self {
            connection: Some(pool.acquire().await?),
            pool: pool.clone(),
            pid: None,
        };
        let sql = format!("{statements}; SELECT {columns}, pg_backend_pid()");
        let rows = sqlx::raw_sql(AssertSqlSafe(sql)).fetch_all(this.connection()?);
        let row = rows.await?.pop().ok_or(sqlx::Error::RowNotFound)?;
        this.pid = Some(row.try_get(row.len() - 1)?);
        Ok((this, row))
    }

    pub(super) fn connection(&mut self) -> Result<&mut sqlx::PgConnection, sqlx::Error> {
        let connection = self.connection.as_deref_mut();
        connection.ok_or(sqlx::Error::PoolClosed)
    }

    /// Ends it, which nobody waits for. Whatever came of its last statement has been read to its end.
    pub(super) fn end(mut self) {
        if let Some(connection) = self.connection.take() {
            tokio::spawn(roll_back(connection));
        }
    }
}

async fn roll_back(mut connection: PoolConnection<Postgres>) {
    if connection.execute("ROLLBACK").await.is_err() {
        connection.close_on_drop();
    }
}

impl Drop for Cancelling {
    fn drop(&mut self) {
        let Some(mut connection) = self.connection.take() else {
            return;
        };
        let (Some(pid), Ok(runtime)) = (self.pid, tokio::runtime::Handle::try_current()) else {
            return connection.close_on_drop();
        };
        let pool = self.pool.clone();
        runtime.spawn(async move {
            let cancel = sqlx::query("SELECT pg_cancel_backend($1)").bind(pid);
            if let Err(error) = cancel.execute(&pool).await {
                tracing::debug!(%error, "a count could not be cancelled");
                return connection.close_on_drop();
            }
            // The signal has reached its process by now, so it does not hit what is said next: the connection is kept,
            // since a new one takes as long to make as many a count.
            let ending = async {
                // Reads what came of the statement, which may be that it was cancelled.
                drop(connection.ping().await);
                connection.execute("ROLLBACK").await.is_ok()
            };
            if !timeout(CANCEL_TIMEOUT, ending).await.unwrap_or(false) {
                connection.close_on_drop();
            }
        });
    }
}
