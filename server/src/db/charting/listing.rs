//! The division of a view that no index serves: its keys are sorted once, and remembered.

use std::sync::atomic::{AtomicU64, Ordering};

use futures_util::TryStreamExt;
use protocol::Value;
use sqlx::Row;
use sqlx::postgres::PgRow;
use view_index::{ChartBlock, KeySet, RowKey};

use super::{ChartError, Walk, bound, has_int_key, key_bytes, order_columns, order_sql};
use crate::db::catalog::ColumnDef;
use crate::db::decode::{key_from_json, row_from_json};
use crate::db::keyset::behind;
use crate::db::query::{Condition, order_by};
use crate::db::rows::FetchError;

impl Walk<'_> {
    /// All rows, sorted once by PostgreSQL: of each its key, of each block's first one its place too.
    pub(super) async fn list(
        &self,
        connection: &mut sqlx::PgConnection,
    ) -> Result<Vec<ChartBlock>, ChartError> {
        let table = self.source.table;
        let is_int = has_int_key(table);
        let columns = table.key.iter().map(|&key| &table.columns[key]);
        let key = if is_int {
            let names = columns.map(|column| &column.sql_name);
            names.map(|name| format!("s.{name}::int8")).collect()
        } else {
            let part = |column: &ColumnDef| column.in_json(&format!("s.{}", column.sql_name));
            let parts: Vec<String> = columns.map(part).collect();
            format!("json_build_array({})::text", parts.join(", "))
        };
        let start = Condition::join(behind(table, self.source.order, &self.start), false);
        let all = Condition::join(vec![self.filter.clone(), start], true);
        let sql = format!(
            "SELECT {key}, CASE WHEN s.\"rowcast nth\" % {size} = 1 THEN \
             (SELECT {text} FROM (SELECT {columns}) AS t) END \
             FROM (SELECT {inner}, row_number() OVER (ORDER BY {order}) AS \"rowcast nth\" \
             FROM {table} AS t WHERE {filter}) AS s",
            size = self.sizes.listed,
            text = order_sql(self.source, "t"),
            columns = order_columns(self.source, "s"),
            inner = order_columns(self.source, "t"),
            order = order_by(table, self.source.order),
            table = table.sql_name,
            filter = all.sql,
        );
        let mut rows = bound(&sql, &all.params).fetch(connection);
        let mut blocks = Vec::new();
        let mut keys: Vec<RowKey> = Vec::new();
        let mut bytes = 0;
        while let Some(row) = rows.try_next().await? {
            if let Some(first) = row.try_get::<Option<String>, _>(1)? {
                close(&mut blocks, &mut keys, self.counted);
                blocks.push(ChartBlock {
                    first: row_from_json(table, &first)
                        .map_err(FetchError::from)?
                        .into(),
                    count: 0,
                    keys: None,
                });
            }
            let key = self.key(&row, is_int)?;
            bytes += key_bytes(table);
            if bytes > self.listed_max {
                let rows = self.counted.load(Ordering::Relaxed);
                return Err(ChartError::TooLarge { rows });
            }
            keys.push(key);
        }
        close(&mut blocks, &mut keys, self.counted);
        Ok(blocks)
    }

    fn key(&self, row: &PgRow, is_int: bool) -> Result<RowKey, ChartError> {
        if is_int {
            return Ok([Value::Int(row.try_get(0)?)].into());
        }
        let json: String = row.try_get(0)?;
        Ok(key_from_json(self.source.table, &json).map_err(FetchError::from)?)
    }
}

fn close(blocks: &mut [ChartBlock], keys: &mut Vec<RowKey>, counted: &AtomicU64) {
    if let Some(last) = blocks.last_mut() {
        last.count = keys.len() as u64;
        counted.fetch_add(last.count, Ordering::Relaxed);
        last.keys = Some(KeySet::new(std::mem::take(keys)));
    }
}
