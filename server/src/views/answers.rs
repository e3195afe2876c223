//! What PostgreSQL has been asked for the views of one table, and what it said.

use std::collections::{HashMap, HashSet};

use protocol::Value;
use sqlx::postgres::PgPool;
use view_index::{DomainId, OrderClass, OrderColumn, Placement, Ranks, TableChanges, TableRow};

use super::clock::Clock;
use super::judging::{Judged, judge};
use super::placing::RoughBounds;
use super::plan::order_class;
use crate::db::asks;
use crate::db::catalog::{ColumnDef, TableDef};
use crate::db::query::Condition;
use crate::limits::PLACED_AT_ONCE_MAX;

/// What PostgreSQL has been asked for the views of one table, and what it said. Every statement serves
/// all of them, so their number does not grow with views or windows.
#[derive(Debug, Default)]
pub struct Answers {
    /// Conditions that Rust does not evaluate, numbered by their place.
    conditions: Vec<Slot>,
    /// Types under collations whose order Rust does not know, numbered by their place.
    domains: Vec<Domain>,
    ranks: Ranks,
    clock: Clock,
}

/// A type under a collation whose order Rust does not know.
#[derive(Debug, PartialEq, Eq)]
struct Domain {
    sql_type: String,
    collation: Option<String>,
    /// Whether `width_bucket` does not take it.
    is_sorted_in: bool,
    /// See [`ColumnDef::from_record`].
    from_record: bool,
}

impl Domain {
    /// Where new texts stand among known ones.
    async fn placements(
        &self,
        pool: &PgPool,
        texts: &[String],
        bounds: &[String],
    ) -> Result<Vec<Placement>, sqlx::Error> {
        let (sql_type, collation) = (&self.sql_type, self.collation.as_deref());
        if self.is_sorted_in {
            let of = (sql_type.as_str(), self.from_record);
            asks::sorted_placements(pool, of, collation, texts, bounds).await
        } else {
            asks::placements(pool, sql_type, collation, texts, bounds).await
        }
    }
}

/// A condition, while views use it.
#[derive(Debug)]
struct Slot {
    condition: Condition,
    /// Predicates that refer to it.
    views: usize,
}

impl Answers {
    /// Nothing has been asked yet.
    pub fn new(clock: Clock) -> Self {
        Self {
            clock,
            ..Self::default()
        }
    }

    /// What time it is.
    pub fn clock(&self) -> &Clock {
        &self.clock
    }

    /// The known orders.
    pub fn ranks(&self) -> &Ranks {
        &self.ranks
    }

    /// The place of a condition among the verdicts, until it is [released](Self::release).
    pub fn condition(&mut self, condition: Condition) -> usize {
        if let Some(at) = self
            .conditions
            .iter()
            .position(|slot| slot.condition == condition)
        {
            self.conditions[at].views += 1;
            return at;
        }
        let slot = Slot {
            condition,
            views: 1,
        };
        match self.conditions.iter().position(|slot| slot.views == 0) {
            Some(at) => {
                self.conditions[at] = slot;
                at
            }
            None => {
                self.conditions.push(slot);
                self.conditions.len() - 1
            }
        }
    }

    /// A view that had asked for these conditions is gone.
    pub fn release(&mut self, conditions: &[usize]) {
        for &at in conditions {
            let slot = &mut self.conditions[at];
            slot.views = slot.views.saturating_sub(1);
            if slot.views == 0 {
                slot.condition = Condition {
                    sql: "NULL::boolean".to_owned(),
                    ..Condition::default()
                };
            }
        }
        while self.conditions.last().is_some_and(|slot| slot.views == 0) {
            self.conditions.pop();
        }
    }

    /// How a column's values compare; `None` if they do not.
    pub fn class(&mut self, column: &ColumnDef) -> Option<OrderClass> {
        order_class(column, |sql_type, collation| {
            let domain = Domain {
                sql_type: sql_type.to_owned(),
                collation: collation.map(ToOwned::to_owned),
                is_sorted_in: column.has_parts() || column.operators.is_some(),
                from_record: column.from_record(),
            };
            let known = self.domains.iter().position(|known| *known == domain);
            let at = known.unwrap_or_else(|| {
                self.domains.push(domain);
                self.domains.len() - 1
            });
            OrderClass::Asked(DomainId(u32::try_from(at).unwrap_or(u32::MAX)))
        })
    }

    /// PostgreSQL's verdicts on every known condition for every image and row of these changes.
    ///
    /// # Errors
    /// If PostgreSQL cannot be asked.
    pub async fn verdicts(
        &self,
        pool: &PgPool,
        table: &TableDef,
        changes: &TableChanges,
    ) -> Result<Judged, sqlx::Error> {
        let conditions: Vec<&Condition> =
            self.conditions.iter().map(|slot| &slot.condition).collect();
        judge(pool, table, &conditions, changes).await
    }

    /// Learns where the values of these rows stand in these orders.
    ///
    /// # Errors
    /// If PostgreSQL cannot be asked.
    pub async fn place<'a>(
        &mut self,
        pool: &PgPool,
        orders: impl Iterator<Item = &'a [OrderColumn]>,
        rows: impl Iterator<Item = &'a TableRow> + Clone,
    ) -> Result<(), sqlx::Error> {
        let mut unknown: HashMap<DomainId, HashSet<String>> = HashMap::new();
        // Many views sort by the same few columns.
        let asked: HashSet<(DomainId, usize)> = orders
            .flatten()
            .filter_map(|by| match by.class {
                OrderClass::Asked(domain) => Some((domain, by.column)),
                _ => None,
            })
            .collect();
        for (domain, column) in asked {
            let texts = rows.clone().filter_map(|row| row.cell(column));
            for text in texts.filter_map(Value::to_postgres_text) {
                if self.ranks.get(domain, &text).is_none() {
                    unknown.entry(domain).or_default().insert(text);
                }
            }
        }
        self.learn(pool, unknown).await
    }

    /// Learns where these texts stand, as far as they are not known.
    ///
    /// # Errors
    /// If PostgreSQL cannot be asked.
    pub async fn learn(
        &mut self,
        pool: &PgPool,
        mut texts: HashMap<DomainId, HashSet<String>>,
    ) -> Result<(), sqlx::Error> {
        for (domain, texts) in &mut texts {
            texts.retain(|text| self.ranks.get(*domain, text).is_none());
        }
        texts.retain(|_, texts| !texts.is_empty());
        for (domain, texts) in texts {
            let Some(known) = self.domains.get(domain.0 as usize) else {
                continue;
            };
            let texts: Vec<String> = texts.into_iter().collect();
            let bounds = self.ranks.bounds(domain);
            let placed = if bounds.len() <= PLACED_AT_ONCE_MAX {
                known.placements(pool, &texts, &bounds).await?
            } else {
                let steps = RoughBounds::new(bounds);
                let rough = known.placements(pool, &texts, &steps.rough()).await?;
                let near = steps.near(rough);
                near.placed(known.placements(pool, &texts, near.bounds()).await?)
            };
            self.ranks.learn(domain, placed);
        }
        Ok(())
    }

    /// Forgets the places that no view's rows hold.
    pub fn forget_unused(&mut self) {
        self.ranks.forget_unused();
    }
}
