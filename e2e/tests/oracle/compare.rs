//! The same question, asked of PostgreSQL at the same snapshot.

use protocol::Value;

use crate::client::Check;
use crate::views::COLUMNS;

/// Asks PostgreSQL the same, at the same snapshot.
pub(crate) async fn compare(check: &Check) -> Result<(), String> {
    let Check {
        view,
        replica,
        count,
        snapshot,
        ..
    } = check;
    let client = snapshot.client();
    let columns = COLUMNS
        .map(|column| format!("to_json({column}) #>> '{{}}'"))
        .join(", ");
    let (condition, order, start) = (&view.condition, &view.order, replica.start);
    let all = format!("SELECT count(*) FROM things WHERE {condition}");
    // The texts are made for the shown rows only: making them costs more than sorting.
    let page = format!(
        "SELECT {columns} FROM (SELECT * FROM things WHERE {condition} ORDER BY {order} \
         LIMIT {count} OFFSET {start}) AS page"
    );
    let fault = |error: tokio_postgres::Error| format!("{page}: {error:?}");
    let total: i64 = client.query_one(&all, &[]).await.map_err(fault)?.get(0);
    let expected = client.query(&page, &[]).await.map_err(fault)?;
    let expected: Vec<Vec<Option<String>>> = expected
        .iter()
        .map(|row| (0..COLUMNS.len()).map(|cell| row.get(cell)).collect())
        .collect();
    let shown: Vec<Vec<Option<String>>> = replica
        .rows
        .iter()
        .map(|row| row.cells.iter().map(Value::to_postgres_text).collect())
        .collect();
    let context = || format!("at {:?}\n{page}\n{:?}", replica.version, view.spec);
    if i64::try_from(replica.total) != Ok(total) {
        return Err(format!(
            "total {} and not {total} {}",
            replica.total,
            context()
        ));
    }
    if shown != expected {
        let at = shown.iter().zip(&expected).position(|(a, b)| a != b);
        let at = at.unwrap_or(shown.len().min(expected.len()));
        let (shown_row, row) = (shown.get(at), expected.get(at));
        let lengths = (shown.len(), expected.len());
        return Err(format!(
            "row {at} of {lengths:?} is {shown_row:?} and not {row:?} {}",
            context()
        ));
    }
    for row in &replica.rows {
        if row.key[..] != row.cells[..2] {
            return Err(format!("the key of {row:?} {}", context()));
        }
    }
    Ok(())
}
