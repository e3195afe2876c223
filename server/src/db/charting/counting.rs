//! The number of a view's rows, by one statement: it may read them in any order, and be helped by others.

use sqlx::Row;
use sqlx::postgres::PgPool;
use view_index::Snapshot;

use super::bound;
use super::cancelling::Cancelling;
use crate::db::rows::{Source, snapshot};
use crate::db::timeouts::QueryClass;
use crate::limits::COUNT_HELP_COST;

/// Counts a view's rows, as the snapshot sees them. Dropped before its end, it cancels the statement.
///
/// No bounds are named, not even those of what is known already: PostgreSQL would compare every row with them.
///
/// # Errors
/// If PostgreSQL cannot be asked, or refuses it.
pub async fn count(pool: &PgPool, source: Source<'_>) -> Result<(Snapshot, u64), sqlx::Error> {
    let begin = format!(
        "BEGIN READ ONLY; SET LOCAL jit = off; SELECT set_config('parallel_setup_cost', \
         greatest(current_setting('parallel_setup_cost')::float8, {COUNT_HELP_COST})::text, true); {}",
        QueryClass::Count.set_local()
    );
    let (mut transaction, _) = Cancelling::begin(pool, &begin, "NULL").await?;
    // A statement's snapshot is the one that its rows are counted at.
    let sql = format!(
        "SELECT pg_current_snapshot()::text, count(*) FROM {} AS t WHERE {}",
        source.table.sql_name, source.filter.sql
    );
    let counting = bound(&sql, &source.filter.params).fetch_one(transaction.connection()?);
    let counted = counting.await;
    transaction.end();
    let row = counted?;
    let rows: i64 = row.try_get(1)?;
    Ok((snapshot(&row)?, rows.cast_unsigned()))
}
