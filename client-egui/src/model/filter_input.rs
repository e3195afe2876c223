//! Reading what a person types into the filter row.

use protocol::{Column, ColumnKind, Filter, FilterOp, Test, Value};

use super::InputError;
use super::calendar::{Date, Timestamp};
use super::input::parse_value;
use super::operands::{self, Operand};

/// Reads what a person typed above a column; `None` for no filter.
///
/// | typed | rows |
/// |---|---|
/// | `abc` | a text, JSON or array that contains it; any other value equal to it |
/// | `=abc` `!=abc` `<9` `<=9` `>9` `>=9` | as written |
/// | `1..9` `1..` `..9` | both ends included |
/// | `1..<9` | up to but not 9 |
/// | `a\|b\|c` `!=a\|b` | one of these, none of these; `null` is one, `\` before a character means it as it is |
/// | `^abc` | a text that starts with it |
/// | `null` `!null` | without a value, with one |
/// | `\abc` | what follows, taken as it is |
///
/// A day typed for a column of times means the whole day.
///
/// # Errors
/// If an operand is not a value of the column's type.
pub fn filter_from_input(column: &Column, text: &str) -> Result<Option<Filter>, InputError> {
    let typed = operands::trim(text);
    if typed.is_empty() {
        return Ok(None);
    }
    match typed.to_lowercase().as_str() {
        "null" | "=null" => return Ok(Some(is_null(column))),
        "!null" | "!=null" => return Ok(Some(Filter::Not(Box::new(is_null(column))))),
        _ => {}
    }
    if let Some(literal) = typed.strip_prefix('\\') {
        return plain(column, literal).map(Some);
    }
    // Longest first: `<=` is not `<` and a value that starts with `=`.
    let prefixes = [
        ("!=", FilterOp::Ne),
        ("<>", FilterOp::Ne),
        ("<=", FilterOp::Le),
        (">=", FilterOp::Ge),
        ("<", FilterOp::Lt),
        (">", FilterOp::Gt),
        ("=", FilterOp::Eq),
    ];
    for (prefix, op) in prefixes {
        if let Some(operand) = typed.strip_prefix(prefix) {
            return compared(column, op, operands::trim(operand)).map(Some);
        }
    }
    if let Some(start) = typed.strip_prefix('^').filter(|_| is_searched(column.kind)) {
        return Ok(Some(Filter::test(
            &column.name,
            FilterOp::StartsWith,
            start,
        )));
    }
    if let Some((low, high)) = typed.split_once("..")
        && let Some(filter) = between(column, low.trim(), high.trim())?
    {
        return Ok(Some(filter));
    }
    if typed.contains('|') {
        return one_of(column, typed, false).map(Some);
    }
    plain(column, typed).map(Some)
}

/// Whether a plain word means "contains".
fn is_searched(kind: ColumnKind) -> bool {
    matches!(
        kind,
        ColumnKind::Text | ColumnKind::Json | ColumnKind::Array | ColumnKind::Other
    )
}

fn is_null(column: &Column) -> Filter {
    let column = column.name.clone();
    Filter::Test(Test {
        column,
        op: FilterOp::IsNull,
        values: Vec::new(),
    })
}

fn test(column: &Column, op: FilterOp, value: Value) -> Filter {
    Filter::test(&column.name, op, value)
}

fn plain(column: &Column, text: &str) -> Result<Filter, InputError> {
    if is_searched(column.kind) {
        return Ok(Filter::test(&column.name, FilterOp::Contains, text));
    }
    compared(column, FilterOp::Eq, text)
}

fn compared(column: &Column, op: FilterOp, operand: &str) -> Result<Filter, InputError> {
    if matches!(op, FilterOp::Eq | FilterOp::Ne) && operand.contains(['|', '\\']) {
        let any = one_of(column, operand, column.kind == ColumnKind::Text)?;
        return Ok(if op == FilterOp::Eq {
            any
        } else {
            Filter::Not(Box::new(any))
        });
    }
    if operand.is_empty() && column.kind != ColumnKind::Text {
        return Err(InputError(format!("type a value behind “{}”", symbol(op))));
    }
    if let Some((start, end)) = whole_day(column, operand) {
        return Ok(match op {
            FilterOp::Lt | FilterOp::Ge => test(column, op, start),
            FilterOp::Le => test(column, FilterOp::Lt, end),
            FilterOp::Gt => test(column, FilterOp::Ge, end),
            FilterOp::Ne => Filter::Or(vec![
                test(column, FilterOp::Lt, start),
                test(column, FilterOp::Ge, end),
            ]),
            _ => Filter::And(vec![
                test(column, FilterOp::Ge, start),
                test(column, FilterOp::Lt, end),
            ]),
        });
    }
    Ok(test(column, op, parse_value(column, operand)?))
}

/// `None` if the dots are part of a text, as in `wait...`.
fn between(column: &Column, low: &str, high: &str) -> Result<Option<Filter>, InputError> {
    let is_text = is_searched(column.kind);
    let has_more_dots = high.starts_with('.') || low.ends_with('.');
    if is_text && (low.is_empty() || high.is_empty() || has_more_dots) {
        return Ok(None);
    }
    let from = (!low.is_empty())
        .then(|| compared(column, FilterOp::Ge, low))
        .transpose()?;
    let (op, high) = match high.strip_prefix('<') {
        Some(high) => (FilterOp::Lt, high.trim()),
        None => (FilterOp::Le, high),
    };
    let to = (!high.is_empty())
        .then(|| compared(column, op, high))
        .transpose()?;
    match (from, to) {
        (None, None) => Err(InputError(
            "type a range like 10..20, 10.. or ..20".to_owned(),
        )),
        (Some(only), None) | (None, Some(only)) => Ok(Some(only)),
        (Some(from), Some(to)) => match (from, to) {
            (Filter::Test(from), Filter::Test(to)) if to.op == FilterOp::Le => {
                let values = from.values.into_iter().chain(to.values).collect();
                let column = column.name.clone();
                Ok(Some(Filter::Test(Test {
                    column,
                    op: FilterOp::Between,
                    values,
                })))
            }
            (from, to) => Ok(Some(Filter::And(vec![from, to]))),
        },
    }
}

/// `with_empty`: an empty text is a value like any other.
fn one_of(column: &Column, list: &str, with_empty: bool) -> Result<Filter, InputError> {
    let mut has_null = false;
    let mut texts = Vec::new();
    for operand in operands::split(list) {
        match operand {
            Operand::Null => has_null = true,
            Operand::Text(text) if text.is_empty() && !with_empty => {}
            Operand::Text(text) => texts.push(text),
        }
    }
    let mut any = if texts.iter().any(|text| whole_day(column, text).is_some()) {
        let days = texts
            .iter()
            .map(|text| compared(column, FilterOp::Eq, text));
        days.collect::<Result<Vec<_>, _>>()?
    } else if texts.is_empty() {
        Vec::new()
    } else {
        let values = texts.iter().map(|text| value_of(column, text));
        vec![equal_to_one_of(column, values.collect::<Result<_, _>>()?)]
    };
    if has_null {
        any.push(is_null(column));
    }
    match any.len() {
        0 => Err(InputError("type values like a|b|c".to_owned())),
        1 => Ok(any.remove(0)),
        _ => Ok(Filter::Or(any)),
    }
}

/// A value of a list, whose escapes are gone already.
fn value_of(column: &Column, text: &str) -> Result<Value, InputError> {
    match column.kind {
        ColumnKind::Text => Ok(Value::text(text)),
        _ => parse_value(column, text),
    }
}

fn equal_to_one_of(column: &Column, values: Vec<Value>) -> Filter {
    let op = if values.len() == 1 {
        FilterOp::Eq
    } else {
        FilterOp::In
    };
    Filter::Test(Test {
        column: column.name.clone(),
        op,
        values,
    })
}

/// The first instants of a day and of the next, if a day is what was typed for a column of times.
fn whole_day(column: &Column, operand: &str) -> Option<(Value, Value)> {
    let zone = match column.kind {
        ColumnKind::Timestamp => "",
        ColumnKind::TimestampTz => "+00:00",
        _ => return None,
    };
    let date = Date::parse(operand)?;
    let midnight = |date: Date| {
        let timestamp = Timestamp {
            date,
            time: super::calendar::TimeOfDay::default(),
        };
        Value::Text(format!("{timestamp}{zone}"))
    };
    Some((midnight(date), midnight(date.next())))
}

fn symbol(op: FilterOp) -> &'static str {
    match op {
        FilterOp::Ne => "!=",
        FilterOp::Lt => "<",
        FilterOp::Le => "<=",
        FilterOp::Gt => ">",
        FilterOp::Ge => ">=",
        _ => "=",
    }
}
