//! The same question, asked of PostgreSQL at the same snapshot.

use protocol::Value;
use tokio_postgres::{Error, Row};

use crate::client::Check;
use crate::table::{NAME, Table};

/// Asks PostgreSQL the same, at the same snapshot.
pub(crate) async fn compare(table: &Table, check: &Check) -> Result<(), String> {
    let (sql, replica) = (page(table, check), &check.replica);
    let context = || format!("at {:?}\n{sql}\n{:?}", replica.version, check.view.spec);
    let asked = ask(table, check, &sql).await;
    let Answer {
        total,
        start,
        rows: expected,
    } = asked.map_err(|error| format!("{error:?} {}", context()))?;
    let shown = &replica.rows;
    if replica.is_exact {
        if replica.total != total {
            return Err(format!(
                "total {} and not {total} {}",
                replica.total,
                context()
            ));
        }
        let end = total.saturating_sub(check.asked.count.into());
        if check.asked.from_end && replica.start != end {
            return Err(format!(
                "starts at {} and not {end} {}",
                replica.start,
                context()
            ));
        }
    } else if check.asked.from_end && start + shown.len() as u64 != total {
        return Err(format!(
            "ends at {start} + {} and not {total} {}",
            shown.len(),
            context()
        ));
    }
    if shown.len() != expected.len() {
        let lengths = (shown.len(), expected.len());
        return Err(format!("{lengths:?} rows {}", context()));
    }
    for (at, (shown, expected)) in shown.iter().zip(&expected).enumerate() {
        let values: Vec<&Value> = shown.cells.iter().chain(&shown.key).collect();
        let texts: Vec<Option<&str>> = (0..expected.len()).map(|cell| expected.get(cell)).collect();
        let is_same = values.len() == texts.len()
            && values
                .iter()
                .zip(&texts)
                .all(|(value, text)| same(value, *text));
        if !is_same {
            return Err(format!(
                "row {at} is {values:?} and not {texts:?} {}",
                context()
            ));
        }
    }
    Ok(())
}

/// The window's columns and the key, of the window's rows; lacks the offset at its end.
fn page(table: &Table, check: &Check) -> String {
    let columns: Vec<String> = check
        .columns
        .iter()
        .chain(&table.key)
        .map(|&at| table.columns[at].shown_text())
        .collect();
    let (condition, order) = (&check.view.condition, &check.view.order);
    // The texts are made for the shown rows only: making them costs more than sorting.
    format!(
        "SELECT {} FROM (SELECT * FROM {NAME} WHERE {condition} ORDER BY {order} LIMIT {}",
        columns.join(", "),
        check.asked.count
    )
}

/// What PostgreSQL says.
struct Answer {
    total: u64,
    /// The position of the window's first row: as the client has it, or where that row stands if the
    /// client has no exact position.
    start: u64,
    rows: Vec<Row>,
}

/// Asks for the total and the page. Afterwards nothing is locked any more: TRUNCATE would wait for it.
async fn ask(table: &Table, check: &Check, page: &str) -> Result<Answer, Error> {
    let client = check.snapshot.client();
    client.batch_execute("SAVEPOINT before").await?;
    let all = format!("SELECT count(*) FROM {NAME} WHERE {}", check.view.condition);
    let total: i64 = client.query_one(&all, &[]).await?.get(0);
    let start = match check.replica.rows.first() {
        Some(first) if !check.replica.is_exact => position(table, check, &first.key).await?,
        _ => check.replica.start,
    };
    let rows = client
        .query(&format!("{page} OFFSET {start}) AS page"), &[])
        .await?;
    client.batch_execute("ROLLBACK TO before").await?;
    Ok(Answer {
        total: total.unsigned_abs(),
        start,
        rows,
    })
}

/// Where the row of this key stands in the view; behind all rows if it is not there.
async fn position(table: &Table, check: &Check, key: &[Value]) -> Result<u64, Error> {
    let (condition, order) = (&check.view.condition, &check.view.order);
    let sql = format!(
        "SELECT place - 1 FROM (SELECT *, row_number() OVER (ORDER BY {order}) AS place \
         FROM {NAME} WHERE {condition}) AS placed WHERE {}",
        table.is_row(key)
    );
    let row = check.snapshot.client().query_opt(&sql, &[]).await?;
    Ok(row.map_or(i64::MAX, |row| row.get(0)).unsigned_abs())
}

/// Whether a cell is what PostgreSQL writes. A float is compared as a number, bit by bit: there is more
/// than one way to write it.
fn same(value: &Value, text: Option<&str>) -> bool {
    match (value, text) {
        (Value::Float(value), Some(text)) => text.parse::<f64>().is_ok_and(|float| {
            float.to_bits() == value.to_bits() || float.is_nan() && value.is_nan()
        }),
        // JSON has no way to write these floats.
        _ => value.to_postgres_text().as_deref() == text,
    }
}
