//! Groups of a table's rows, and their extreme values: several questions in one statement.

use protocol::ColumnKind;
use sqlx::postgres::PgPool;
use sqlx::{AssertSqlSafe, Row};
use view_index::Snapshot;
use view_index::summary::{Account, Numbers};

use super::catalog::{ColumnDef, TableDef};
use super::query::Condition;
use super::timeouts::{QueryClass, begin};

/// One key of a `GROUP BY`.
#[derive(Clone, Debug)]
pub struct KeySql {
    /// The column's place in the table.
    pub column: usize,
    /// The bounds of its buckets, as texts; `None` to group by the value.
    pub bounds: Option<Vec<String>>,
}

/// One question of a statement.
#[derive(Clone, Debug)]
pub enum Part<'a> {
    /// Every group of the rows for which the condition holds: its keys, its number of rows, and its accounts.
    Groups {
        /// Which rows.
        condition: &'a Condition,
        /// What they are grouped by.
        keys: Vec<KeySql>,
        /// What is computed of each group.
        accounts: &'a [Account],
        /// At most so many.
        limit: usize,
    },
    /// The most extreme values of an account, of the rows for which the condition holds.
    Best {
        /// Which rows.
        condition: Condition,
        /// [`Account::Extreme`] or [`Account::Scale`].
        account: &'a Account,
        /// At most so many.
        limit: usize,
    },
}

/// One row of an answer.
#[derive(Clone, Debug)]
pub struct PartRow {
    /// The keys; of a bucket its number.
    pub keys: Vec<Option<String>>,
    /// For [`Part::Groups`] the number of rows and then what [`cell_count`] says for each account; for
    /// [`Part::Best`] the values.
    pub cells: Vec<Option<String>>,
}

/// The answers to several questions.
#[derive(Debug)]
pub struct PartAnswers {
    /// What the statement saw.
    pub snapshot: Snapshot,
    /// The rows of each part.
    pub parts: Vec<Vec<PartRow>>,
}

enum Param {
    Text(String),
    List(Vec<String>),
}

/// Asks all of them at one snapshot.
///
/// # Errors
/// If the statement fails.
pub async fn ask(
    pool: &PgPool,
    table: &TableDef,
    parts: &[Part<'_>],
) -> Result<PartAnswers, sqlx::Error> {
    let mut params = Vec::new();
    let mut sql =
        "SELECT 0, ARRAY[pg_current_snapshot()::text]::text[], ARRAY[]::text[]".to_owned();
    for (nth, part) in (1..).zip(parts) {
        sql.push_str(" UNION ALL ");
        sql.push_str(&match part {
            Part::Groups {
                condition,
                keys,
                accounts,
                limit,
            } => {
                let from = (table, *condition, keys.as_slice());
                groups(nth, from, accounts, *limit, &mut params)
            }
            Part::Best {
                condition,
                account,
                limit,
            } => best(nth, table, condition, account, *limit, &mut params),
        });
    }
    // Not kept: the next one asks for other groups.
    let mut query = sqlx::query(AssertSqlSafe(sql)).persistent(false);
    for param in params {
        query = match param {
            Param::Text(text) => query.bind(text),
            Param::List(list) => query.bind(list),
        };
    }
    let mut snapshot = None;
    let mut answers: Vec<Vec<PartRow>> = parts.iter().map(|_| Vec::new()).collect();
    let mut transaction = begin(pool, QueryClass::Summary).await?;
    let rows = query.fetch_all(&mut *transaction).await?;
    transaction.commit().await?;
    for row in rows {
        let nth: i32 = row.try_get(0)?;
        let keys: Vec<Option<String>> = row.try_get(1)?;
        match usize::try_from(nth - 1) {
            Ok(part) => {
                let cells = row.try_get(2)?;
                answers[part].push(PartRow { keys, cells });
            }
            Err(_) => snapshot = keys.into_iter().next().flatten(),
        }
    }
    let snapshot = snapshot.unwrap_or_default().parse();
    Ok(PartAnswers {
        snapshot: snapshot.map_err(|error| sqlx::Error::Decode(Box::new(error)))?,
        parts: answers,
    })
}

/// How many cells an account has in an answer.
pub fn cell_count(account: &Account) -> usize {
    match account {
        Account::Values { .. } => 1,
        Account::Sum {
            numbers: Numbers::Int | Numbers::BigInt,
            ..
        }
        | Account::Extreme { .. } => 2,
        Account::Scale { .. } => 3,
        Account::Sum { .. } => 5,
    }
}

fn condition_sql(condition: &Condition, params: &mut Vec<Param>) -> String {
    let sql = condition.renumbered(params.len());
    params.extend(condition.params.iter().cloned().map(Param::Text));
    sql
}

fn groups(
    nth: i32,
    (table, condition, keys): (&TableDef, &Condition, &[KeySql]),
    accounts: &[Account],
    limit: usize,
    params: &mut Vec<Param>,
) -> String {
    let (mut inner, mut shown, mut grouped) = (Vec::new(), Vec::new(), Vec::new());
    for (at, key) in keys.iter().enumerate() {
        let def = &table.columns[key.column];
        let name = format!("t.{}", def.sql_name);
        match &key.bounds {
            None => {
                inner.push(format!("{name} AS k{at}"));
                shown.push(def.told(&format!("g.k{at}")));
            }
            Some(bounds) => {
                params.push(Param::List(bounds.clone()));
                let list = format!("${}::text[]::{}[]", params.len(), def.sql_type);
                inner.push(format!("width_bucket({name}, {list}) AS k{at}"));
                shown.push(format!("g.k{at}::text"));
            }
        }
        grouped.push(format!("g.k{at}"));
    }
    let mut cells = vec!["count(*)::text".to_owned()];
    for (at, account) in accounts.iter().enumerate() {
        let def = &table.columns[column_of(account)];
        inner.push(format!("t.{} AS v{at}", def.sql_name));
        cells.extend(account_sql(&format!("g.v{at}"), def, account));
    }
    let condition = condition_sql(condition, params);
    let group_by = if grouped.is_empty() {
        String::new()
    } else {
        format!(" GROUP BY {}", grouped.join(", "))
    };
    format!(
        "(SELECT {nth}, ARRAY[{}]::text[], ARRAY[{}]::text[] \
         FROM (SELECT {} FROM {} AS t WHERE {condition}) AS g{group_by} LIMIT {limit})",
        shown.join(", "),
        cells.join(", "),
        inner.join(", "),
        table.sql_name,
    )
}

fn column_of(account: &Account) -> usize {
    match account {
        Account::Values { column }
        | Account::Sum { column, .. }
        | Account::Extreme { column, .. }
        | Account::Scale { column } => *column,
    }
}

/// An account's cells, as many as [`cell_count`] says.
fn account_sql(value: &str, def: &ColumnDef, account: &Account) -> Vec<String> {
    let count = format!("count({value})::text");
    match account {
        Account::Values { .. } => vec![count],
        Account::Sum {
            numbers: Numbers::Int | Numbers::BigInt,
            ..
        } => vec![count, format!("sum({value})::text")],
        Account::Sum { numbers, .. } => {
            // The shortest decimals of floats: exact, whatever the order of adding.
            let number = match numbers {
                Numbers::Float => format!("{value}::text::numeric"),
                _ => value.to_owned(),
            };
            let special = |text: &str| format!("count(*) FILTER (WHERE {value} = '{text}')::text");
            vec![
                count,
                format!(
                    "(sum({number}) FILTER (WHERE {value} \
                     NOT IN ('NaN', 'Infinity', '-Infinity')))::text"
                ),
                special("NaN"),
                special("Infinity"),
                special("-Infinity"),
            ]
        }
        Account::Extreme { descending, .. } => vec![count, extreme_sql(value, def, *descending)],
        Account::Scale { .. } => vec![
            format!("count(scale({value}))::text"),
            format!("max(scale({value}))::text"),
            format!("min(scale({value}))::text"),
        ],
    }
}

fn extreme_sql(value: &str, def: &ColumnDef, descending: bool) -> String {
    let function = if descending { "max" } else { "min" };
    match def.shown.kind {
        // These types have an order, but `min` and `max` do not take them in every version.
        ColumnKind::Bool if descending => format!("bool_or({value})::text"),
        ColumnKind::Bool => format!("bool_and({value})::text"),
        ColumnKind::Uuid | ColumnKind::Bytes => {
            format!("{function}({value}::text COLLATE \"C\")")
        }
        _ => def.told(&format!("{function}({value})")),
    }
}

fn best(
    nth: i32,
    table: &TableDef,
    condition: &Condition,
    account: &Account,
    limit: usize,
    params: &mut Vec<Param>,
) -> String {
    let def = &table.columns[column_of(account)];
    let name = format!("t.{}", def.sql_name);
    let (value, descending) = match account {
        Account::Scale { .. } => (format!("scale({name})"), true),
        Account::Extreme { descending, .. } => (name, *descending),
        Account::Values { .. } | Account::Sum { .. } => (name, false),
    };
    let direction = if descending { "DESC" } else { "ASC" };
    let condition = condition_sql(condition, params);
    let is_there = def.is_not_null(&value);
    format!(
        "(SELECT {nth}, ARRAY[]::text[], ARRAY(SELECT {told} \
         FROM (SELECT {value} AS v FROM {} AS t WHERE ({condition}) AND {is_there} \
         ORDER BY 1 {direction} LIMIT {limit}) AS b ORDER BY b.v {direction}))",
        table.sql_name,
        told = def.told("b.v"),
    )
}

/// The least and the greatest finite value of each of these columns of numbers or times, among the rows for
/// which the condition holds.
///
/// # Errors
/// If the statement fails.
pub async fn ranges(
    pool: &PgPool,
    table: &TableDef,
    condition: &Condition,
    columns: &[usize],
) -> Result<Vec<Option<(String, String)>>, sqlx::Error> {
    let ends = columns.iter().map(|&column| {
        let def = &table.columns[column];
        let name = format!("t.{}", def.sql_name);
        let is_finite = match def.shown.kind {
            ColumnKind::Int => "true".to_owned(),
            ColumnKind::Float | ColumnKind::Numeric => {
                format!("{name} NOT IN ('NaN', 'Infinity', '-Infinity')")
            }
            _ => format!("isfinite({name})"),
        };
        let end = |function| def.told(&format!("{function}({name}) FILTER (WHERE {is_finite})"));
        format!("{}, {}", end("min"), end("max"))
    });
    let sql = format!(
        "SELECT ARRAY[{}]::text[] FROM {} AS t WHERE {}",
        ends.collect::<Vec<_>>().join(", "),
        table.sql_name,
        condition.sql,
    );
    let mut query = sqlx::query(AssertSqlSafe(sql)).persistent(false);
    for param in &condition.params {
        query = query.bind(param);
    }
    let mut transaction = begin(pool, QueryClass::Summary).await?;
    let row = query.fetch_one(&mut *transaction).await?;
    transaction.commit().await?;
    let ends: Vec<Option<String>> = row.try_get(0)?;
    let pairs = ends
        .chunks_exact(2)
        .map(|pair| pair[0].clone().zip(pair[1].clone()));
    Ok(pairs.collect())
}
