//! The same rows, asked of PostgreSQL at the same snapshot.

use protocol::Value;
use tokio_postgres::{Client, Error, Row};

use crate::client::ShownRows;
use crate::run::Check;
use crate::table::{Column, NAME, Table};

/// A window's rows and the question that PostgreSQL is asked.
struct Page<'a> {
    table: &'a Table,
    shown: &'a ShownRows,
    condition: String,
    order: &'a str,
}

/// Asks PostgreSQL for the same rows, at the same snapshot.
pub(crate) async fn compare_rows(
    table: &Table,
    check: &Check,
    shown: &ShownRows,
) -> Result<(), String> {
    let page = Page {
        table,
        shown,
        condition: shown.view.condition(check.named.second)?,
        order: shown.view.order(shown.is_ranked)?,
    };
    let client = check.held.client();
    page.compare(client).await.map_err(|difference| {
        let (sql, view) = (page.sql(), &shown.view.spec);
        format!("{difference} at {:?}\n{sql}\n{view:?}", check.named)
    })
}

impl Page<'_> {
    async fn compare(&self, client: &Client) -> Result<(), String> {
        let answer = self.ask(client).await;
        let answer = answer.map_err(|error| format!("{error:?}"))?;
        self.compare_place(&answer)?;
        let expected: Vec<Vec<Option<&str>>> = answer.rows.iter().map(texts).collect();
        if self.order.is_empty() {
            return self.compare_unordered(answer.total, &expected);
        }
        let shown = &self.shown.replica.rows;
        if shown.len() != expected.len() {
            let lengths = (shown.len(), expected.len());
            return Err(format!("{lengths:?} rows"));
        }
        for (at, (shown, texts)) in shown.iter().zip(&expected).enumerate() {
            let values = self.values(shown);
            if !self.is_row(client, &values, texts).await {
                return Err(format!("row {at} is {values:?} and not {texts:?}"));
            }
        }
        Ok(())
    }

    fn compare_place(&self, answer: &Answer) -> Result<(), String> {
        let (replica, asked) = (&self.shown.replica, self.shown.asked);
        let total = answer.total;
        if replica.is_exact {
            if replica.total != total {
                return Err(format!("total {} and not {total}", replica.total));
            }
            let end = total.saturating_sub(asked.count.into());
            if asked.from_end && replica.start != end {
                return Err(format!("starts at {} and not {end}", replica.start));
            }
        } else if asked.from_end && answer.start + replica.rows.len() as u64 != total {
            let (start, rows) = (answer.start, replica.rows.len());
            return Err(format!("ends at {start} + {rows} and not {total}"));
        }
        Ok(())
    }

    /// Without an order which rows are shown is PostgreSQL's choice: all that are must be there, each as
    /// often.
    fn compare_unordered(&self, total: u64, all: &[Vec<Option<&str>>]) -> Result<(), String> {
        let replica = &self.shown.replica;
        let expected = total.saturating_sub(replica.start);
        let expected = expected.min(self.shown.asked.count.into());
        if replica.rows.len() as u64 != expected {
            return Err(format!("{} rows and not {expected}", replica.rows.len()));
        }
        let mut rest: Vec<&Vec<Option<&str>>> = all.iter().collect();
        for (at, row) in replica.rows.iter().enumerate() {
            let values = self.values(row);
            let is_it = |texts: &&Vec<Option<&str>>| is_same_row(&values, texts);
            let place = rest.iter().position(is_it);
            let place =
                place.ok_or_else(|| format!("row {at} is {values:?}, which is not there"))?;
            rest.swap_remove(place);
        }
        Ok(())
    }

    /// The columns shown and the key, unless that is made up.
    fn places(&self) -> impl Iterator<Item = usize> {
        let places = self.shown.columns.iter().chain(&self.table.key);
        places.copied()
    }

    fn values<'r>(&self, row: &'r protocol::Row) -> Vec<&'r Value> {
        let keyed = self.table.key.len();
        row.cells.iter().chain(row.key.iter().take(keyed)).collect()
    }

    async fn is_row(&self, client: &Client, values: &[&Value], texts: &[Option<&str>]) -> bool {
        if is_same_row(values, texts) {
            return true;
        }
        // Rows of equal values that are written differently come in any order, where no key tells them apart.
        if !self.table.key.is_empty() {
            return false;
        }
        for ((value, text), at) in values.iter().zip(texts).zip(self.places()) {
            let column = &self.table.columns[at];
            let is_same =
                same(value, *text) || column.sortable && equal(client, column, value, *text).await;
            if !is_same {
                return false;
            }
        }
        true
    }

    /// The window's columns and the key, of the window's rows; lacks the offset at its end.
    fn sql(&self) -> String {
        let columns = self.places().map(|at| self.table.columns[at].shown_text());
        let columns: Vec<String> = columns.collect();
        let (columns, name) = (columns.join(", "), self.table.name);
        let (condition, order) = (&self.condition, self.order);
        if order.is_empty() {
            return format!("SELECT {columns} FROM {name} WHERE {condition}");
        }
        // The texts are made for the shown rows only: making them costs more than sorting.
        let count = self.shown.asked.count;
        format!(
            "SELECT {columns} FROM (SELECT * FROM {name} WHERE {condition} ORDER BY {order} LIMIT {count}"
        )
    }

    /// Asks for the total and the rows. Afterwards nothing is locked any more: TRUNCATE would wait for it.
    async fn ask(&self, client: &Client) -> Result<Answer, Error> {
        client.batch_execute("SAVEPOINT before").await?;
        let (name, condition) = (self.table.name, &self.condition);
        let all = format!("SELECT count(*) FROM {name} WHERE {condition}");
        let total: i64 = client.query_one(&all, &[]).await?.get(0);
        let replica = &self.shown.replica;
        let start = match replica.rows.first() {
            Some(first) if !replica.is_exact => self.position(client, &first.key).await?,
            _ => replica.start,
        };
        let mut sql = self.sql();
        if !self.order.is_empty() {
            sql.push_str(&format!(" OFFSET {start}) AS page"));
        }
        let rows = client.query(&sql, &[]).await?;
        client.batch_execute("ROLLBACK TO before").await?;
        Ok(Answer {
            total: total.unsigned_abs(),
            start,
            rows,
        })
    }

    /// Where the row of this key stands in the view; behind all rows if it is not there.
    async fn position(&self, client: &Client, key: &[Value]) -> Result<u64, Error> {
        let (name, condition, order) = (self.table.name, &self.condition, self.order);
        let sql = format!(
            "SELECT place - 1 FROM (SELECT *, row_number() OVER (ORDER BY {order}) AS place \
             FROM {name} WHERE {condition}) AS placed WHERE {}",
            self.table.is_row(key)
        );
        let row = client.query_opt(&sql, &[]).await?;
        Ok(row.map_or(i64::MAX, |row| row.get(0)).unsigned_abs())
    }
}

/// What PostgreSQL says.
struct Answer {
    total: u64,
    /// The position of the window's first row: as the client has it, or where that row stands if the
    /// client has no exact position.
    start: u64,
    rows: Vec<Row>,
}

fn texts(row: &Row) -> Vec<Option<&str>> {
    (0..row.len()).map(|cell| row.get(cell)).collect()
}

fn is_same_row(values: &[&Value], texts: &[Option<&str>]) -> bool {
    let mut cells = values.iter().zip(texts);
    values.len() == texts.len() && cells.all(|(value, text)| same(value, *text))
}

/// Whether a cell is what PostgreSQL writes. A float is compared as a number, bit by bit: there is more
/// than one way to write it.
pub(crate) fn same(value: &Value, text: Option<&str>) -> bool {
    match (value, text) {
        (Value::Float(value), Some(text)) => text.parse::<f64>().is_ok_and(|float| {
            float.to_bits() == value.to_bits() || float.is_nan() && value.is_nan()
        }),
        // JSON has no way to write these floats.
        _ => value.to_postgres_text().as_deref() == text,
    }
}

/// Whether PostgreSQL calls two values of a column equal, however they are written.
pub(crate) async fn equal(
    client: &Client,
    column: &Column,
    value: &Value,
    text: Option<&str>,
) -> bool {
    let (Some(value), Some(text)) = (value.to_postgres_text(), text) else {
        return value.is_null() && text.is_none();
    };
    // What a column says of its collation goes before what a constant does.
    let [a, b] = [&value, text].map(|text| column.constant(text));
    let name = column.sql();
    let sql = format!("SELECT coalesce((SELECT {name} FROM {NAME} LIMIT 0), {a}) = {b}");
    let answer = client.query_one(&sql, &[]).await;
    answer
        .unwrap_or_else(|error| panic!("{sql}: {error:?}"))
        .get(0)
}
