//! The same groups, asked of PostgreSQL at the same snapshot.

use e2e::summaries::{Group, SummaryReplica};
use protocol::{Summarized, Value};
use tokio_postgres::{Client, Row};

use crate::asked::{Asked, Manner};
use crate::compare::{equal, same};
use crate::run::Check;
use crate::table::Table;

/// How far a sum of floats may be off, in parts of the larger one.
const TOLERANCE: f64 = 1e-9;

/// A summary's groups, to be compared with PostgreSQL.
pub(crate) struct ShownGroups {
    pub(crate) asked: Asked,
    pub(crate) told: Summarized,
    pub(crate) replica: SummaryReplica,
    /// The position of the first group that was asked for.
    pub(crate) start: u64,
    /// How many were.
    pub(crate) count: u32,
}

/// Asks PostgreSQL for the same groups, at the same snapshot.
pub(crate) async fn compare_groups(
    table: &Table,
    check: &Check,
    shown: &ShownGroups,
) -> Result<(), String> {
    let sql = shown.asked.sql(table, &shown.told, check.named.second)?;
    let context = || format!("at {:?}\n{sql}\n{:?}", check.named, shown.asked.spec);
    let client = check.held.client();
    let failed = |error| format!("{error:?} {}", context());
    client
        .batch_execute("SAVEPOINT before")
        .await
        .map_err(failed)?;
    let rows = client.query(&sql, &[]).await.map_err(failed)?;
    let compared = shown.compare(client, table, &rows).await;
    // Nothing stays locked: TRUNCATE would wait for it.
    client
        .batch_execute("ROLLBACK TO before")
        .await
        .map_err(failed)?;
    compared.map_err(|difference| format!("{difference} {}", context()))
}

impl ShownGroups {
    async fn compare(&self, client: &Client, table: &Table, all: &[Row]) -> Result<(), String> {
        let from = usize::try_from(self.start).unwrap().min(all.len());
        let until = (from + self.count as usize).min(all.len());
        let expected = &all[from..until];
        let rows_of = |groups: &[Row]| -> u64 {
            let rows = |row: &Row| row.get::<_, &str>(self.asked.keys.len()).parse::<u64>();
            groups.iter().map(|row| rows(row).unwrap()).sum()
        };
        let rows = rows_of(all);
        let counts = (
            all.len() as u64,
            rows,
            rows - rows_of(expected),
            from as u64,
        );
        let replica = &self.replica;
        let held = (replica.groups, replica.rows, replica.rest, replica.start);
        if counts != held {
            return Err(format!(
                "groups, rows, rest and start are {held:?} and not {counts:?}"
            ));
        }
        if replica.shown.len() != expected.len() {
            let lengths = (replica.shown.len(), expected.len());
            return Err(format!("{lengths:?} groups"));
        }
        let manners = self.asked.manners(table);
        for (at, (group, row)) in replica.shown.iter().zip(expected).enumerate() {
            if !is_same_group(client, table, &manners, group, row).await {
                let texts: Vec<Option<&str>> = (0..row.len()).map(|cell| row.get(cell)).collect();
                return Err(format!("group {at} is {group:?} and not {texts:?}"));
            }
        }
        Ok(())
    }
}

async fn is_same_group(
    client: &Client,
    table: &Table,
    manners: &[Manner],
    (key, cells): &Group,
    row: &Row,
) -> bool {
    if key.len() + cells.len() != manners.len() {
        return false;
    }
    for (at, (value, manner)) in key.iter().chain(cells).zip(manners).enumerate() {
        let text: Option<&str> = row.get(at);
        let is_same = same(value, text)
            || match manner {
                Manner::Same => false,
                Manner::About => about(value, text),
                Manner::Equal(at) => equal(client, &table.columns[*at], value, text).await,
            };
        if !is_same {
            return false;
        }
    }
    true
}

fn about(value: &Value, text: Option<&str>) -> bool {
    let number = |text: &str| text.parse::<f64>().ok();
    let value = value.to_postgres_text().as_deref().and_then(number);
    match (value, text.and_then(number)) {
        (Some(a), Some(b)) if a.is_finite() && b.is_finite() => {
            // The least numbers that there are have few digits.
            (a - b).abs() <= (TOLERANCE * a.abs().max(b.abs())).max(f64::MIN_POSITIVE)
        }
        (Some(a), Some(b)) => a == b || a.is_nan() && b.is_nan(),
        _ => false,
    }
}
