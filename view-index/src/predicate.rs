//! Which rows a view holds.

use std::cmp::Ordering;

use protocol::Value;

use crate::order::{KeyError, KeyPart, OrderClass};
use crate::ranks::Ranks;
use crate::row::TableRow;

/// A filter, ready to be evaluated with SQL's three-valued logic.
#[derive(Clone, Debug)]
pub enum Predicate {
    /// Every one holds.
    All(Vec<Predicate>),
    /// At least one holds.
    Any(Vec<Predicate>),
    /// It does not hold.
    Not(Box<Predicate>),
    /// A column is `NULL`.
    IsNull {
        /// The column's place in the table.
        column: usize,
    },
    /// A column against a value, by the column's order.
    Compare {
        /// The column's place in the table.
        column: usize,
        /// How its values compare.
        class: OrderClass,
        /// Which outcomes of "column compared with value" hold.
        holds: Comparison,
        /// The value.
        value: KeyPart,
    },
    /// A text column against a text, byte by byte: `=` under any deterministic collation.
    Same {
        /// The column's place in the table.
        column: usize,
        /// The text.
        text: Box<str>,
    },
    /// A condition that PostgreSQL evaluates; its verdict comes with the row.
    Asked {
        /// The columns it is about.
        columns: Box<[usize]>,
        /// The condition's place among the row's verdicts.
        condition: usize,
    },
}

/// Which outcomes of a comparison make it hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Comparison {
    /// The column is below the value.
    pub less: bool,
    /// They are equal.
    pub equal: bool,
    /// The column is above the value.
    pub greater: bool,
}

impl Predicate {
    /// Whether the row is in the view: SQL's `WHERE` keeps it only if the filter is true, not null.
    ///
    /// # Errors
    /// If the row lacks a column that decides.
    pub fn holds(
        &self,
        row: &TableRow,
        verdicts: &[Option<bool>],
        ranks: &Ranks,
    ) -> Result<bool, KeyError> {
        Ok(self.evaluate(row, verdicts, ranks)? == Some(true))
    }

    /// True, false or (`None`) null.
    fn evaluate(
        &self,
        row: &TableRow,
        verdicts: &[Option<bool>],
        ranks: &Ranks,
    ) -> Result<Option<bool>, KeyError> {
        let cell = |column: usize| row.cell(column).ok_or(KeyError::Omitted(column));
        match self {
            Self::All(list) => fold(list, false, |inner| inner.evaluate(row, verdicts, ranks)),
            Self::Any(list) => fold(list, true, |inner| inner.evaluate(row, verdicts, ranks)),
            Self::Not(inner) => Ok(inner.evaluate(row, verdicts, ranks)?.map(|holds| !holds)),
            Self::IsNull { column } => Ok(Some(cell(*column)?.is_null())),
            Self::Same { column, text } => Ok(match cell(*column)? {
                Value::Null => None,
                Value::Text(held) => Some(**held == **text),
                other => return Err(KeyError::Unreadable(*column, other.clone())),
            }),
            Self::Compare {
                column,
                class,
                holds,
                value,
            } => {
                let held = KeyPart::new(*column, *class, cell(*column)?, ranks)?;
                if matches!(held, KeyPart::Null) || matches!(value, KeyPart::Null) {
                    return Ok(None);
                }
                Ok(Some(match held.compare(value) {
                    Ordering::Less => holds.less,
                    Ordering::Equal => holds.equal,
                    Ordering::Greater => holds.greater,
                }))
            }
            Self::Asked { columns, condition } => {
                // PostgreSQL was not shown a value that the log left out.
                for &column in columns {
                    cell(column)?;
                }
                let verdict = verdicts.get(*condition).copied();
                Ok(verdict
                    .expect("every condition of a view is asked before the view is applied to"))
            }
        }
    }

    /// The conditions that PostgreSQL must be asked about, as often as they occur.
    pub fn asked(&self) -> Vec<usize> {
        let mut conditions = Vec::new();
        self.collect_asked(&mut conditions);
        conditions
    }

    fn collect_asked(&self, conditions: &mut Vec<usize>) {
        match self {
            Self::All(list) | Self::Any(list) => {
                list.iter()
                    .for_each(|inner| inner.collect_asked(conditions));
            }
            Self::Not(inner) => inner.collect_asked(conditions),
            Self::Asked { condition, .. } => conditions.push(*condition),
            Self::IsNull { .. } | Self::Compare { .. } | Self::Same { .. } => {}
        }
    }
}

/// SQL's `AND` (`decisive` = false) or `OR` (`decisive` = true) over a list.
fn fold(
    list: &[Predicate],
    decisive: bool,
    mut evaluate: impl FnMut(&Predicate) -> Result<Option<bool>, KeyError>,
) -> Result<Option<bool>, KeyError> {
    let mut result = Some(!decisive);
    for inner in list {
        match evaluate(inner)? {
            Some(verdict) if verdict == decisive => return Ok(Some(decisive)),
            Some(_) => {}
            None => result = None,
        }
    }
    Ok(result)
}
