//! Statements that may take less time than others.

use std::time::Duration;

use sqlx::Postgres;
use sqlx::Transaction;
use sqlx::postgres::PgPool;

/// A transaction whose statements are each cancelled after `limit`. A connection that is left in the
/// middle of it goes back to the pool as any other.
///
/// # Errors
/// If PostgreSQL cannot be asked.
pub async fn bounded(
    pool: &PgPool,
    limit: Duration,
) -> Result<Transaction<'static, Postgres>, sqlx::Error> {
    let mut transaction = pool.begin().await?;
    sqlx::query("SELECT set_config('statement_timeout', $1, true)")
        .bind(format!("{} ms", limit.as_millis().max(1)))
        .execute(&mut *transaction)
        .await?;
    Ok(transaction)
}
