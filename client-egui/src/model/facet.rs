//! A column's values as choices: what is chosen is text of the column's filter field, and is read
//! back from it.

use protocol::{Column, ColumnKind, Filter, FilterOp, SummaryKey, Test, Value};

use super::calendar::Timestamp;
use super::filter_from_input;
use super::operands;

/// How a column's values are offered as choices.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FacetKind {
    /// Each distinct value, the most frequent first.
    Values,
    /// Ranges of values.
    Histogram,
}

/// How a column's values are offered; `None` for types without an order (`json` among them, but not
/// `jsonb`), and for arrays, by which nothing can be grouped.
pub fn facet_kind(column: &Column) -> Option<FacetKind> {
    match column.kind {
        _ if !column.sortable => None,
        ColumnKind::Array => None,
        ColumnKind::Int
        | ColumnKind::Float
        | ColumnKind::Numeric
        | ColumnKind::Date
        | ColumnKind::Timestamp
        | ColumnKind::TimestampTz => Some(FacetKind::Histogram),
        _ => Some(FacetKind::Values),
    }
}

/// The filter text that leaves rows with one of these values; empty for no values.
pub fn filter_of_values(values: &[Value]) -> String {
    let operand = |value: &Value| match value.to_postgres_text() {
        Some(text) => operands::escape(&text),
        None => "null".to_owned(),
    };
    let operands: Vec<String> = values.iter().map(operand).collect();
    if operands.is_empty() {
        String::new()
    } else {
        format!("={}", operands.join("|"))
    }
}

/// The values that a filter text leaves, if it names them one by one.
pub fn values_in_filter(column: &Column, text: &str) -> Vec<Value> {
    let filter = filter_from_input(column, text).ok().flatten();
    filter.and_then(values_of).unwrap_or_default()
}

fn values_of(filter: Filter) -> Option<Vec<Value>> {
    match filter {
        Filter::Test(test) => match test.op {
            FilterOp::Eq | FilterOp::In => Some(test.values),
            FilterOp::IsNull => Some(vec![Value::Null]),
            _ => None,
        },
        Filter::Or(any) => {
            let values: Option<Vec<_>> = any.into_iter().map(values_of).collect();
            values.map(|values| values.concat())
        }
        Filter::And(_) | Filter::Not(_) => None,
    }
}

/// The filter text for the values from `low` up to but not including `high`; open at an end without one.
pub fn filter_of_range(low: Option<&Value>, high: Option<&Value>) -> String {
    match (low.map(bound), high.map(bound)) {
        (None, None) => String::new(),
        (Some(low), None) => format!(">={low}"),
        (None, Some(high)) => format!("<{high}"),
        (Some(low), Some(high)) => format!("{low}..<{high}"),
    }
}

/// A bound as a person would type it: midnight as the day alone.
fn bound(value: &Value) -> String {
    let text = value.to_postgres_text().unwrap_or_default();
    let local = text.strip_suffix("+00:00").unwrap_or(&text);
    match local.strip_suffix("T00:00:00") {
        Some(day) => day.to_owned(),
        None => text,
    }
}

/// Values from `low` up to `high`, as [`ordinal`]s.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ValueRange {
    /// The least value.
    pub low: f64,
    /// Greater than every value.
    pub high: f64,
}

impl ValueRange {
    /// All values.
    pub const ALL: Self = Self {
        low: f64::NEG_INFINITY,
        high: f64::INFINITY,
    };

    /// Whether all of `other` is in this.
    pub fn covers(self, other: Self) -> bool {
        self.low <= other.low && other.high <= self.high
    }
}

/// The values that a filter text leaves, if they are one range.
pub fn range_in_filter(column: &Column, text: &str) -> Option<ValueRange> {
    let filter = filter_from_input(column, text).ok()??;
    range_of(column.kind, &filter)
}

fn range_of(kind: ColumnKind, filter: &Filter) -> Option<ValueRange> {
    let all = ValueRange::ALL;
    match filter {
        Filter::And(both) => both.iter().try_fold(all, |so_far, one| {
            let one = range_of(kind, one)?;
            Some(ValueRange {
                low: so_far.low.max(one.low),
                high: so_far.high.min(one.high),
            })
        }),
        Filter::Test(test) => {
            let value = ordinal(kind, test.values.first()?)?;
            match test.op {
                FilterOp::Ge | FilterOp::Gt => Some(ValueRange { low: value, ..all }),
                FilterOp::Le | FilterOp::Lt => Some(ValueRange { high: value, ..all }),
                FilterOp::Between => Some(ValueRange {
                    low: value,
                    high: ordinal(kind, test.values.get(1)?)?,
                }),
                _ => None,
            }
        }
        Filter::Or(_) | Filter::Not(_) => None,
    }
}

/// A number or a time as a place on an axis: only good for drawing and for telling which is greater.
pub fn ordinal(kind: ColumnKind, value: &Value) -> Option<f64> {
    match (kind, value) {
        (_, Value::Int(value)) => Some(*value as f64),
        (_, Value::Float(value)) => Some(*value),
        (ColumnKind::Date | ColumnKind::Timestamp | ColumnKind::TimestampTz, Value::Text(text)) => {
            let (timestamp, zone) = Timestamp::parse(text)?;
            Some(timestamp.to_utc(zone.unwrap_or(0)).seconds())
        }
        (_, Value::Text(text)) => text.parse().ok(),
        (_, Value::Null | Value::Bool(_)) => None,
    }
}

/// The filter that leaves the rows of one group; `None` if `key` is not a group of these keys.
pub fn filter_of_group(keys: &[SummaryKey], key: &[Value]) -> Option<Filter> {
    if keys.len() != key.len() {
        return None;
    }
    let tests = keys.iter().zip(key).map(|(of, value)| {
        let column = &of.column.name;
        match (value, &of.bounds) {
            (Value::Null, _) => Some(vec![Filter::Test(Test {
                column: column.clone(),
                op: FilterOp::IsNull,
                values: Vec::new(),
            })]),
            (value, None) => Some(vec![Filter::test(column, FilterOp::Eq, value.clone())]),
            (Value::Int(bucket), Some(bounds)) => {
                let (low, high) = bucket_bounds(bounds, usize::try_from(*bucket).ok()?);
                let low = low.map(|low| Filter::test(column, FilterOp::Ge, low.clone()));
                let high = high.map(|high| Filter::test(column, FilterOp::Lt, high.clone()));
                Some(low.into_iter().chain(high).collect())
            }
            _ => None,
        }
    });
    let tests: Option<Vec<Vec<Filter>>> = tests.collect();
    Some(Filter::And(tests?.concat()))
}

/// The bounds of a bucket; the first and the last are open at one end.
pub fn bucket_bounds(bounds: &[Value], bucket: usize) -> (Option<&Value>, Option<&Value>) {
    let low = bucket.checked_sub(1).and_then(|below| bounds.get(below));
    (low, bounds.get(bucket))
}
