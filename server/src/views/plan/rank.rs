//! The best matches of a search first.
//!
//! PostgreSQL's rank is a function of a row alone, so it keeps like any value: a ranked view is a view of
//! the table with one more column, which queries compute, and which PostgreSQL is asked for the images of a
//! batch. The view is ordered by that column, then by the primary key.

use std::sync::Arc;

use protocol::{Column, ColumnKind};
use sqlx::postgres::PgPool;
use view_index::{OrderClass, OrderColumn};

use super::Plan;
use super::search::Search;
use crate::db::catalog::{ColumnDef, Ordering, TableDef};
use crate::db::query::{Condition, rank, with_rank};
use crate::db::search::finds_at_most;
use crate::limits::{SEARCH_RANKED_ROWS_MAX, SEARCH_RANKED_TIMEOUT};

/// How the rows of a view are ranked.
#[derive(Clone, Debug)]
pub struct Ranking {
    /// SQL of the rank of a row, as text.
    pub score: Condition,
    /// The columns that it is made of: places in the table.
    pub columns: Vec<usize>,
    /// The table with the rank as its last column.
    source: Arc<TableDef>,
}

impl Plan {
    /// The table that its rows are read from: with their ranks, if it has any.
    pub fn source<'a>(&'a self, table: &'a TableDef) -> &'a TableDef {
        self.ranking
            .as_ref()
            .map_or(table, |ranking| &ranking.source)
    }

    /// How its rows are ranked, if they are.
    pub fn ranking(&self) -> Option<&Ranking> {
        self.ranking.as_ref()
    }

    /// Orders a search without an order of its own by rank: if it goes by full text, and finds few enough
    /// rows that PostgreSQL can rank them all while somebody waits.
    ///
    /// # Errors
    /// If PostgreSQL cannot be asked.
    pub(super) async fn ranked(
        mut self,
        table: &TableDef,
        pool: &PgPool,
    ) -> Result<Self, sqlx::Error> {
        let Some(Search::FullText { index, query }) = &self.search else {
            return Ok(self);
        };
        let can_be = table.is_live() && table.reads_all && !table.key.is_empty();
        let (max, limit) = (SEARCH_RANKED_ROWS_MAX, SEARCH_RANKED_TIMEOUT);
        if !can_be || !finds_at_most(pool, table, &self.condition, max, limit).await? {
            return Ok(self);
        }
        let column = rank_column(table);
        let sql_name = with_rank(table, &index.document, query, &column.sql_name);
        let mut source = TableDef {
            sql_name,
            ..table.clone()
        };
        source.columns.push(column);
        self.ranking = Some(Ranking {
            score: rank(&index.document, query.clone()),
            columns: index.columns.clone(),
            source: Arc::new(source),
        });
        let best_first = OrderColumn {
            column: table.columns.len(),
            class: OrderClass::Float,
            descending: true,
            nulls_first: true,
        };
        // The key follows in the same direction, as it does in every order.
        for by in &mut self.order {
            (by.descending, by.nulls_first) = (true, true);
        }
        self.order.insert(0, best_first);
        Ok(self)
    }
}

/// A column that no table has.
fn rank_column(table: &TableDef) -> ColumnDef {
    let mut name = "rowcast rank".to_owned();
    while table.column(&name).is_some() {
        name.push('+');
    }
    ColumnDef {
        sql_name: format!("\"{name}\""),
        sql_type: "real".to_owned(),
        collation: None,
        ordering: Ordering::Float,
        is_jsonb: false,
        is_array: false,
        is_composite: false,
        worded: false,
        operators: None,
        refuses_null: false,
        insertable: false,
        equal_is_same_text: false,
        shown: Column {
            name: name.clone(),
            kind: ColumnKind::Float,
            type_name: "real".to_owned(),
            nullable: false,
            editable: false,
            sortable: true,
            labels: Vec::new(),
            comment: None,
        },
        name,
    }
}
