//! In which order a view's rows stand.

use protocol::{ErrorCode, ViewSpec};
use view_index::{OrderClass, OrderColumn};

use super::{Refusal, unknown_column};
use crate::db::catalog::{ColumnDef, Ordering, TableDef};
use crate::db::query::nulls_first;
use crate::limits::SORT_COLUMNS_MAX;
use crate::views::answers::Answers;

/// The order that was asked for, ending in the primary key.
///
/// # Errors
/// If a column is not there, is named twice, or has no order.
pub(super) fn order(
    spec: &ViewSpec,
    table: &TableDef,
    answers: &mut Answers,
) -> Result<Vec<OrderColumn>, Refusal> {
    if spec.sort.len() > SORT_COLUMNS_MAX {
        let message = format!("a sort may name {SORT_COLUMNS_MAX} columns");
        return Err(Refusal::new(ErrorCode::BadSort, message));
    }
    let mut order: Vec<OrderColumn> = Vec::new();
    for by in &spec.sort {
        let column = table
            .column(&by.column)
            .ok_or_else(|| unknown_column(table, &by.column))?;
        if order.iter().any(|before| before.column == column) {
            let message = format!("the sort names {:?} twice", by.column);
            return Err(Refusal::new(ErrorCode::BadSort, message));
        }
        let class = answers.class(&table.columns[column]).ok_or_else(|| {
            let type_name = &table.columns[column].shown.type_name;
            let message = format!(
                "{:?} cannot be sorted by: {type_name} has no order",
                by.column
            );
            Refusal::new(ErrorCode::BadSort, message)
        })?;
        let nulls_first = nulls_first(by.descending, by.nulls);
        order.push(OrderColumn {
            column,
            class,
            descending: by.descending,
            nulls_first,
        });
    }
    // The key makes the order total, in the last column's direction, so that one index serves it.
    let descending = order.last().is_some_and(|by| by.descending);
    for &column in &table.key {
        if order.iter().all(|by| by.column != column) {
            let class = answers.class(&table.columns[column]).ok_or_else(|| {
                let message = "the primary key has a type without an order".to_owned();
                Refusal::new(ErrorCode::BadSort, message)
            })?;
            order.push(OrderColumn {
                column,
                class,
                descending,
                nulls_first: descending,
            });
        }
    }
    Ok(order)
}

/// How a column's values compare, if Rust compares them as PostgreSQL does.
pub(super) fn native_class(ordering: &Ordering) -> Option<OrderClass> {
    Some(match ordering {
        Ordering::Bool => OrderClass::Bool,
        Ordering::Int => OrderClass::Int,
        Ordering::Float => OrderClass::Float,
        Ordering::Numeric => OrderClass::Numeric,
        Ordering::Date => OrderClass::Date,
        Ordering::Timestamp => OrderClass::Timestamp,
        Ordering::Bytes => OrderClass::Bytes,
        Ordering::Asked { .. } | Ordering::None => return None,
    })
}

/// How a column's values compare; `domain` numbers what only PostgreSQL knows.
pub fn order_class(
    column: &ColumnDef,
    domain: impl FnOnce(&str, Option<&str>) -> OrderClass,
) -> Option<OrderClass> {
    match &column.ordering {
        Ordering::Asked { collation } => Some(domain(&column.sql_type, collation.as_deref())),
        native => native_class(native),
    }
}
