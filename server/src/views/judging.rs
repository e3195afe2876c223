//! Verdicts of PostgreSQL on a batch, such that a pattern that somebody wrote cannot hold up a table.

use std::time::Duration;

use futures_util::future::join_all;
use protocol::ErrorCode;
use sqlx::postgres::PgPool;
use view_index::{TableChanges, Verdicts};

use crate::db::asks;
use crate::db::catalog::TableDef;
use crate::db::query::Condition;
use crate::limits::{VERDICT_SUSPECTS, VERDICT_TIMEOUT, VERDICT_TIMEOUT_PER_IMAGE};

/// What PostgreSQL said.
#[derive(Debug, Default)]
pub struct Judged {
    /// Its verdicts; null on the conditions that failed.
    pub verdicts: Verdicts,
    /// Conditions that it could not judge.
    pub faults: Vec<Fault>,
}

/// A condition that PostgreSQL could not judge.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// Its place among the conditions.
    pub condition: usize,
    /// For programs.
    pub code: ErrorCode,
    /// For people.
    pub message: String,
}

/// Asks for the verdicts on these conditions: one statement. It has a time limit if one of the conditions
/// is costly. Only if it fails are the costly ones asked one by one, to find out which they were; each
/// such condition costs so many statements once, for its views are then closed.
///
/// # Errors
/// If PostgreSQL cannot be asked.
pub async fn judge(
    pool: &PgPool,
    table: &TableDef,
    conditions: &[&Condition],
    changes: &TableChanges,
) -> Result<Judged, sqlx::Error> {
    let is_costly = |at: &usize| conditions[*at].is_costly;
    let (costly, safe): (Vec<usize>, Vec<usize>) = (0..conditions.len()).partition(is_costly);
    let limit = (!costly.is_empty()).then(|| limit(changes));
    let asked = asks::verdicts(pool, table, conditions, changes, limit).await;
    let error = match asked {
        Ok(verdicts) => {
            return Ok(Judged {
                verdicts,
                faults: Vec::new(),
            });
        }
        Err(error) => error,
    };
    if costly.is_empty() || fault(0, &error).is_none() {
        return Err(error);
    }
    let mut judged = Judged {
        verdicts: unknown(conditions.len(), changes),
        faults: Vec::new(),
    };
    let chosen: Vec<&Condition> = safe.iter().map(|&at| conditions[at]).collect();
    let asked = asks::verdicts(pool, table, &chosen, changes, None).await?;
    put(&mut judged.verdicts, &safe, &asked);
    for some in costly.chunks(VERDICT_SUSPECTS) {
        let ask = |&at: &usize| {
            let alone = &conditions[at..=at];
            asks::verdicts(pool, table, alone, changes, limit)
        };
        for (&at, outcome) in some.iter().zip(join_all(some.iter().map(ask)).await) {
            match outcome {
                Ok(verdicts) => put(&mut judged.verdicts, &[at], &verdicts),
                Err(error) => match fault(at, &error) {
                    Some(fault) => judged.faults.push(fault),
                    None => return Err(error),
                },
            }
        }
    }
    Ok(judged)
}

fn limit(changes: &TableChanges) -> Duration {
    let images = changes.sides.len() + changes.current.len();
    let images = u32::try_from(images).unwrap_or(u32::MAX);
    VERDICT_TIMEOUT + VERDICT_TIMEOUT_PER_IMAGE.saturating_mul(images)
}

/// What an error says about the condition; `None` if it says something about the connection.
fn fault(condition: usize, error: &sqlx::Error) -> Option<Fault> {
    let error = error.as_database_error()?;
    let (code, message) = match error.code()?.as_bytes() {
        b"57014" => {
            let message = "the filter's pattern takes too long on rows that changed; simplify it \
                           (without repetitions of repetitions and back references) and open the \
                           window again";
            (ErrorCode::QueryTimeout, message.to_owned())
        }
        [b'2', b'2', ..] | [b'4', b'2', ..] | [b'5', b'4', ..] | [b'0', b'A', ..] => {
            let message = format!("the filter fails on a row: {}", error.message());
            (ErrorCode::BadFilter, message)
        }
        _ => return None,
    };
    Some(Fault {
        condition,
        code,
        message,
    })
}

fn unknown(conditions: usize, changes: &TableChanges) -> Verdicts {
    Verdicts {
        conditions,
        sides: vec![None; conditions * changes.sides.len()],
        current: vec![None; conditions * changes.current.len()],
    }
}

/// Puts the verdicts on some conditions in their places among all.
fn put(all: &mut Verdicts, places: &[usize], some: &Verdicts) {
    let conditions = all.conditions;
    let copy = |all: &mut [Option<bool>], some: &[Option<bool>]| {
        if places.is_empty() || conditions == 0 {
            return;
        }
        let rows = all.chunks_mut(conditions).zip(some.chunks(places.len()));
        for (all, some) in rows {
            for (&place, &verdict) in places.iter().zip(some) {
                all[place] = verdict;
            }
        }
    };
    copy(&mut all.sides, &some.sides);
    copy(&mut all.current, &some.current);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn verdicts_find_their_places() {
        let (yes, no) = (Some(true), Some(false));
        let mut all = Verdicts {
            conditions: 3,
            sides: vec![None; 6],
            current: vec![None; 3],
        };
        let some = Verdicts {
            conditions: 2,
            sides: vec![yes, no, no, yes],
            current: vec![yes, yes],
        };
        put(&mut all, &[2, 0], &some);
        assert_eq!(all.sides, [no, None, yes, yes, None, no]);
        assert_eq!(all.current, [yes, None, yes]);
        put(&mut all, &[], &Verdicts::default());
        assert_eq!(all.current, [yes, None, yes]);
    }
}
