//! What a summary computes.

use std::sync::Arc;

use protocol::Value;

use crate::order::{KeyError, KeyPart, OrderClass, OrderColumn};
use crate::ranks::Ranks;
use crate::row::TableRow;

/// What a summary computes: keys that make groups, accounts that are kept of each, and what is shown of
/// them in which order.
#[derive(Clone, Debug)]
pub struct Shape {
    /// What rows are grouped by; nothing for one group of all rows.
    pub keys: Vec<GroupColumn>,
    /// What is kept of each group besides its number of rows.
    pub accounts: Vec<Account>,
    /// A group's cells.
    pub outputs: Vec<Output>,
    /// The order of groups; the keys, ascending and nulls last, end it.
    pub order: Vec<Term>,
}

/// One key.
#[derive(Clone, Debug)]
pub struct GroupColumn {
    /// The column's place in the table.
    pub column: usize,
    /// How its values compare. Equal values make one group; text under a deterministic collation may be
    /// compared by its bytes, unless an order of groups names it.
    pub class: OrderClass,
    /// Ascending; for a key that is the number of bounds at or below the value (`width_bucket`).
    pub bounds: Option<Arc<[KeyPart]>>,
}

/// What is kept of each group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Account {
    /// How many values of a column are not null.
    Values {
        /// The column's place in the table.
        column: usize,
    },
    /// The sum of a column's values.
    Sum {
        /// The column's place in the table.
        column: usize,
        /// What is summed.
        numbers: Numbers,
    },
    /// The least or greatest value of a column.
    Extreme {
        /// The column's place in the table.
        column: usize,
        /// How its values compare.
        class: OrderClass,
        /// The greatest.
        descending: bool,
    },
    /// The most digits behind the point that a value of a `numeric` column has: PostgreSQL writes a sum
    /// with as many.
    Scale {
        /// The column's place in the table.
        column: usize,
    },
}

/// What is summed, which decides how PostgreSQL writes the result.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Numbers {
    /// `smallint` and `integer`: the sum is a `bigint`.
    Int,
    /// `bigint`: the sum is a `numeric`.
    BigInt,
    /// `numeric`.
    Numeric(Scale),
    /// Floats: the sum is a float. It is that of their shortest decimal texts, rounded once.
    Float,
}

/// Digits behind the point of a sum of `numeric` values.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scale {
    /// The column's own.
    Fixed(u32),
    /// As many as the group's longest value has: an [`Account::Scale`], by its place.
    Tracked(usize),
}

/// One cell of a group.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Output {
    /// How many rows.
    Rows,
    /// An [`Account::Values`] or [`Account::Extreme`] as it is, or an [`Account::Sum`]'s sum.
    Of(usize),
    /// An [`Account::Sum`]'s average.
    Average(usize),
}

/// One term of an order of groups.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Term {
    /// What is compared.
    pub of: TermOf,
    /// Largest first.
    pub descending: bool,
    /// `NULL`s before everything.
    pub nulls_first: bool,
}

/// What an order of groups compares.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TermOf {
    /// A key.
    Key(usize),
    /// An output.
    Output(usize),
}

/// One group as a query returned it.
#[derive(Clone, Debug)]
pub struct BuiltGroup {
    /// The keys' values; for a key with bounds, the number of those at or below.
    pub key: Vec<Value>,
    /// Its rows.
    pub rows: i64,
    /// In the order of [`Shape::accounts`].
    pub accounts: Vec<BuiltAccount>,
}

/// One account as a query returned it.
#[derive(Clone, Debug)]
pub enum BuiltAccount {
    /// For [`Account::Values`].
    Values(i64),
    /// For [`Account::Sum`].
    Sum {
        /// Values that are not null.
        values: i64,
        /// The exact decimal sum of the finite ones.
        finite: String,
        /// How many are `NaN`, `Infinity` and `-Infinity`.
        special: [i64; 3],
    },
    /// For [`Account::Extreme`] and [`Account::Scale`].
    Extreme {
        /// Values that are not null.
        values: i64,
        /// The most extreme of them, each with how often it is there at least.
        best: Vec<(Value, i64)>,
    },
}

impl Shape {
    /// The columns whose values' places PostgreSQL must be asked for.
    pub fn asked(&self) -> Vec<OrderColumn> {
        let keys = self.keys.iter().map(|key| (key.column, key.class));
        let extremes = self.accounts.iter().filter_map(|account| match account {
            Account::Extreme { column, class, .. } => Some((*column, *class)),
            _ => None,
        });
        let asked = |&(_, class): &(usize, OrderClass)| matches!(class, OrderClass::Asked(_));
        let column = |(column, class)| OrderColumn {
            column,
            class,
            descending: false,
            nulls_first: false,
        };
        keys.chain(extremes).filter(asked).map(column).collect()
    }

    /// The group that a row belongs to.
    pub(crate) fn key(&self, row: &TableRow, ranks: &Ranks) -> Result<Vec<KeyPart>, KeyError> {
        let part = |key: &GroupColumn| {
            let value = row.cell(key.column).ok_or(KeyError::Omitted(key.column))?;
            let part = KeyPart::new(key.column, key.class, value, ranks)?;
            Ok(match (&key.bounds, part) {
                (Some(bounds), part) if !matches!(part, KeyPart::Null) => {
                    KeyPart::Int(bucket(bounds, &part))
                }
                (_, part) => part,
            })
        };
        self.keys.iter().map(part).collect()
    }

    /// The keys of a group as a query returned it.
    pub(crate) fn built_key(
        &self,
        built: &[Value],
        ranks: &Ranks,
    ) -> Result<Vec<KeyPart>, KeyError> {
        let part = |(key, value): (&GroupColumn, &Value)| match (&key.bounds, value) {
            (Some(_), Value::Int(bucket)) => Ok(KeyPart::Int(*bucket)),
            (Some(_), Value::Null) => Ok(KeyPart::Null),
            _ => KeyPart::new(key.column, key.class, value, ranks),
        };
        self.keys.iter().zip(built).map(part).collect()
    }

    /// A row's keys as they are shown.
    pub(crate) fn shown_key(&self, row: &TableRow, parts: &[KeyPart]) -> Arc<[Value]> {
        let value = |(key, part): (&GroupColumn, &KeyPart)| match (&key.bounds, part) {
            (Some(_), KeyPart::Int(bucket)) => Value::Int(*bucket),
            _ => row.cells[key.column].clone(),
        };
        self.keys.iter().zip(parts).map(value).collect()
    }
}

/// The number of bounds at or below a value, as `width_bucket` counts.
pub(crate) fn bucket(bounds: &[KeyPart], part: &KeyPart) -> i64 {
    let below = bounds.partition_point(|bound| bound.compare(part).is_le());
    i64::try_from(below).unwrap_or(i64::MAX)
}
