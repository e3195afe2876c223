//! In which order a view's rows stand.

use std::cmp::Ordering;

use protocol::Value;

use crate::datetime::{format_date, format_timestamp, parse_date, parse_timestamp_since_2000};
use crate::decimal::Decimal;
use crate::ranks::{DomainId, Rank, Ranks};
use crate::row::TableRow;

/// How the values of a column compare. All but the last are evaluated here, each proved equal to
/// PostgreSQL by an oracle test; everything else PostgreSQL is asked about ([`Ranks`]).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum OrderClass {
    /// `false` before `true`.
    Bool,
    /// Integers.
    Int,
    /// Floats: `NaN` last, `-0` equal to `0`.
    Float,
    /// `numeric`.
    Numeric,
    /// `date`.
    Date,
    /// `timestamp` and `timestamptz`.
    Timestamp,
    /// By the text's bytes: text under the collation C, `uuid`, `bytea`.
    Bytes,
    /// By PostgreSQL's answers: text under any other collation, and every other type with an order.
    Asked(DomainId),
}

/// A value in a form that compares fast. Parts compare within one [`OrderClass`] only.
#[derive(Clone, Debug)]
pub enum KeyPart {
    /// SQL `NULL`.
    Null,
    /// Integers, booleans, days, microseconds.
    Int(i64),
    /// Floats.
    Float(f64),
    /// `numeric`.
    Decimal(Decimal),
    /// Text by its bytes.
    Bytes(Box<str>),
    /// A place in PostgreSQL's order.
    Rank(Rank),
}

/// Why a value has no key.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// The change log left the value out for its size.
    #[error("the change log left out the value of column {0}")]
    Omitted(usize),
    /// The value is not of its column's type: the table changed under us.
    #[error("{1:?} is not a value of column {0}")]
    Unreadable(usize, Value),
    /// PostgreSQL has not yet been asked where the value stands.
    #[error("the place of a value of column {0} is not known")]
    Unranked(usize),
}

impl KeyPart {
    /// The key of a value of `column`.
    ///
    /// # Errors
    /// If the value is not of the class, or its rank is not known.
    pub fn new(
        column: usize,
        class: OrderClass,
        value: &Value,
        ranks: &Ranks,
    ) -> Result<Self, KeyError> {
        let part = match (class, value) {
            (_, Value::Null) => Some(Self::Null),
            (OrderClass::Bool, Value::Bool(value)) => Some(Self::Int(i64::from(*value))),
            (OrderClass::Int, Value::Int(value)) => Some(Self::Int(*value)),
            (OrderClass::Float, Value::Float(value)) => Some(Self::Float(*value)),
            (OrderClass::Numeric, Value::Text(text)) => Decimal::parse(text).map(Self::Decimal),
            (OrderClass::Date, Value::Text(text)) => parse_date(text).map(Self::Int),
            (OrderClass::Timestamp, Value::Text(text)) => {
                parse_timestamp_since_2000(text).map(Self::Int)
            }
            (OrderClass::Bytes, Value::Text(text)) => Some(Self::Bytes(text.as_str().into())),
            (OrderClass::Asked(domain), value) => {
                let text = value.to_postgres_text().unwrap_or_default();
                let rank = ranks.get(domain, &text).ok_or(KeyError::Unranked(column))?;
                Some(Self::Rank(rank))
            }
            _ => None,
        };
        part.ok_or_else(|| KeyError::Unreadable(column, value.clone()))
    }

    /// The value as PostgreSQL reads it, or one that is equal to it in this order; `None` for `NULL`.
    pub fn to_postgres_text(&self, class: OrderClass) -> Option<String> {
        Some(match (self, class) {
            (Self::Null, _) => return None,
            (Self::Int(value), OrderClass::Bool) => (*value != 0).to_string(),
            (Self::Int(days), OrderClass::Date) => format_date(*days),
            (Self::Int(micros), OrderClass::Timestamp) => format_timestamp(*micros),
            (Self::Int(value), _) => value.to_string(),
            (Self::Float(value), _) => protocol::Value::Float(*value).to_postgres_text()?,
            (Self::Decimal(value), _) => value.to_string(),
            (Self::Bytes(text), _) => text.to_string(),
            (Self::Rank(rank), _) => rank.text().to_owned(),
        })
    }

    /// Memory held, in bytes, near enough.
    pub(crate) fn bytes(&self) -> usize {
        size_of::<Self>()
            + match self {
                Self::Decimal(value) => value.bytes(),
                Self::Bytes(text) => text.len(),
                Self::Null | Self::Int(_) | Self::Float(_) | Self::Rank(_) => 0,
            }
    }

    /// PostgreSQL's order of two values that are not null; nulls are equal to each other and last.
    pub fn compare(&self, other: &Self) -> Ordering {
        match (self, other) {
            (Self::Null, Self::Null) => Ordering::Equal,
            (Self::Null, _) => Ordering::Greater,
            (_, Self::Null) => Ordering::Less,
            (Self::Int(a), Self::Int(b)) => a.cmp(b),
            (Self::Float(a), Self::Float(b)) => a
                .partial_cmp(b)
                .unwrap_or_else(|| a.is_nan().cmp(&b.is_nan())),
            (Self::Decimal(a), Self::Decimal(b)) => a.cmp(b),
            (Self::Bytes(a), Self::Bytes(b)) => a.as_bytes().cmp(b.as_bytes()),
            (Self::Rank(a), Self::Rank(b)) => a.cmp(b),
            _ => unreachable!("a column's keys are of one class"),
        }
    }
}

/// One column of an order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct OrderColumn {
    /// Its place in the table.
    pub column: usize,
    /// How its values compare.
    pub class: OrderClass,
    /// Largest first.
    pub descending: bool,
    /// `NULL`s before every value (after the direction is taken into account).
    pub nulls_first: bool,
}

/// A row's place in an order: one part per column of the [`Order`].
pub type Key = Box<[KeyPart]>;

/// A total order of a table's rows: its columns contain the primary key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Order {
    columns: Vec<OrderColumn>,
}

impl Order {
    /// The order by these columns, most significant first. They must contain the primary key, or
    /// rows would tie.
    pub fn new(columns: Vec<OrderColumn>) -> Self {
        Self { columns }
    }

    /// The columns, most significant first.
    pub fn columns(&self) -> &[OrderColumn] {
        &self.columns
    }

    /// A row's key.
    ///
    /// # Errors
    /// If a value of the order's columns has none.
    pub fn key(&self, row: &TableRow, ranks: &Ranks) -> Result<Key, KeyError> {
        let part = |by: &OrderColumn| {
            let value = row.cell(by.column).ok_or(KeyError::Omitted(by.column))?;
            KeyPart::new(by.column, by.class, value, ranks)
        };
        self.columns.iter().map(part).collect()
    }

    /// Which of two keys stands first.
    pub fn compare(&self, a: &Key, b: &Key) -> Ordering {
        for ((by, a), b) in self.columns.iter().zip(a).zip(b) {
            let ordering = match (a, b) {
                (KeyPart::Null, KeyPart::Null) => Ordering::Equal,
                (KeyPart::Null, _) if by.nulls_first => Ordering::Less,
                (_, KeyPart::Null) if by.nulls_first => Ordering::Greater,
                (KeyPart::Null, _) => Ordering::Greater,
                (_, KeyPart::Null) => Ordering::Less,
                _ if by.descending => b.compare(a),
                _ => a.compare(b),
            };
            if ordering != Ordering::Equal {
                return ordering;
            }
        }
        Ordering::Equal
    }
}
