//! How far a statement about an index is, and whom it waits for.

use sqlx::Row;
use sqlx::postgres::{PgPool, PgRow};

/// How far the creation of an index is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BuildProgress {
    /// What PostgreSQL is doing, in its words, and the process that it waits for.
    pub phase: String,
    /// Steps done of the phase.
    pub done: u64,
    /// Steps of the phase; 0 if it has none.
    pub total: u64,
}

/// PostgreSQL counts what it waits for only while it creates; other statements are asked about by their locks.
const PROGRESS: &str = "
SELECT p.phase, p.lockers_total, p.lockers_done, p.blocks_total, p.blocks_done, p.tuples_total, p.tuples_done,
       w.pid AS waits_for, w.application_name, w.state
  FROM (SELECT 1) AS one
  LEFT JOIN pg_stat_progress_create_index p ON p.pid = $1
  LEFT JOIN pg_stat_activity w
         ON w.pid = coalesce(nullif(p.current_locker_pid, 0)::int4, (pg_blocking_pids($1))[1])";

/// How far the statement of a backend is; `None` if it neither creates an index nor waits.
pub(super) async fn progress(
    pool: &PgPool,
    pid: i32,
) -> Result<Option<BuildProgress>, sqlx::Error> {
    let row = sqlx::query(PROGRESS).bind(pid).fetch_one(pool).await?;
    let waits_for = waits_for(&row)?;
    let Some(mut phase) = row.try_get::<Option<String>, _>("phase")? else {
        return Ok(waits_for.map(|process| BuildProgress {
            phase: format!("waiting for a lock ({process})"),
            done: 0,
            total: 0,
        }));
    };
    let number = |name: &str| -> Result<u64, sqlx::Error> {
        let number: Option<i64> = row.try_get(name)?;
        Ok(u64::try_from(number.unwrap_or(0)).unwrap_or(0))
    };
    let is_waiting = phase.starts_with("waiting");
    let unit = if is_waiting {
        "lockers"
    } else if number("blocks_total")? > 0 && number("tuples_total")? == 0 {
        "blocks"
    } else {
        "tuples"
    };
    if let (true, Some(process)) = (is_waiting, waits_for) {
        phase.push_str(&format!(" ({process})"));
    }
    Ok(Some(BuildProgress {
        phase,
        done: number(&format!("{unit}_done"))?,
        total: number(&format!("{unit}_total"))?,
    }))
}

/// The process that is waited for, and what helps to recognize it.
fn waits_for(row: &PgRow) -> Result<Option<String>, sqlx::Error> {
    let Some(pid) = row.try_get::<Option<i32>, _>("waits_for")? else {
        return Ok(None);
    };
    let mut words = format!("process {pid}");
    for name in ["application_name", "state"] {
        let word: Option<String> = row.try_get(name)?;
        if let Some(word) = word.filter(|word| !word.is_empty()) {
            words.push_str(&format!(", {word}"));
        }
    }
    Ok(Some(words))
}
