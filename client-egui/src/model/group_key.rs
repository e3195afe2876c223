//! A group's key as texts, which name the same group later on: in an address, or under other bounds.

use protocol::{ColumnKind, SummaryKey, Value};

use super::facet::bucket_bounds;

/// What names a group: one text for each of its keys, `None` for NULL. A range is named by its lower
/// bound, since its number among the ranges means another range as soon as the bounds are others.
pub type GroupTexts = Vec<Option<String>>;

/// The text of the range without a lower bound.
const BELOW: &str = "below";

/// What names the group with this key; `None` if it is not a key of these.
pub fn group_texts(keys: &[SummaryKey], key: &[Value]) -> Option<GroupTexts> {
    let text = |(of, value): (&SummaryKey, &Value)| match (value, &of.bounds) {
        (Value::Null, _) => Some(None),
        (value, None) => Some(value.to_postgres_text()),
        (Value::Int(bucket), Some(bounds)) => {
            let (low, _) = bucket_bounds(bounds, usize::try_from(*bucket).ok()?);
            let low = low.and_then(Value::to_postgres_text);
            Some(Some(low.unwrap_or_else(|| BELOW.to_owned())))
        }
        (_, Some(_)) => None,
    };
    let fits = keys.len() == key.len();
    fits.then(|| keys.iter().zip(key).map(text).collect())?
}

/// The key of the group with this name; `None` if there can be no such group.
pub fn group_key(keys: &[SummaryKey], texts: &[Option<String>]) -> Option<Vec<Value>> {
    let value = |(of, text): (&SummaryKey, &Option<String>)| {
        let Some(text) = text else {
            return Some(Value::Null);
        };
        let Some(bounds) = &of.bounds else {
            return value_of(of.column.kind, text);
        };
        if text == BELOW {
            return Some(Value::Int(0));
        }
        let is_it = |bound: &Value| bound.to_postgres_text().as_ref() == Some(text);
        let below = bounds.iter().position(is_it)?;
        i64::try_from(below + 1).ok().map(Value::Int)
    };
    let fits = keys.len() == texts.len();
    fits.then(|| keys.iter().zip(texts).map(value).collect())?
}

/// A value of a key as the server sends it.
fn value_of(kind: ColumnKind, text: &str) -> Option<Value> {
    match kind {
        ColumnKind::Int => text.parse().ok().map(Value::Int),
        ColumnKind::Float => text.parse().ok().map(Value::Float),
        ColumnKind::Bool => text.parse().ok().map(Value::Bool),
        _ => Some(Value::text(text)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use protocol::Column;

    fn key(kind: ColumnKind, bounds: Option<&[i64]>) -> SummaryKey {
        SummaryKey {
            column: Column {
                name: "c".to_owned(),
                kind,
                type_name: "any".to_owned(),
                nullable: true,
                editable: true,
                sortable: true,
                labels: Vec::new(),
                comment: None,
            },
            bounds: bounds.map(|bounds| bounds.iter().map(|n| Value::Int(*n)).collect()),
        }
    }

    #[test]
    fn a_name_finds_its_group_again() {
        let keys = [
            key(ColumnKind::Text, None),
            key(ColumnKind::Int, None),
            key(ColumnKind::Bool, None),
            key(ColumnKind::Numeric, Some(&[0, 10, 20])),
        ];
        for bucket in 0..=3 {
            for text in [Value::text("null"), Value::text(""), Value::Null] {
                let group = [text, Value::Int(-5), Value::Bool(true), Value::Int(bucket)];
                let texts = group_texts(&keys, &group).expect("a key of these");
                assert_eq!(group_key(&keys, &texts).as_deref(), Some(&group[..]));
            }
        }
        assert_eq!(group_texts(&keys, &[Value::Null]), None);
        assert_eq!(group_key(&keys, &[None]), None);
    }

    #[test]
    fn a_range_keeps_its_meaning_under_other_bounds() {
        let before = [key(ColumnKind::Numeric, Some(&[0, 10, 20]))];
        let after = [key(ColumnKind::Numeric, Some(&[10, 20, 30]))];
        let texts = group_texts(&before, &[Value::Int(2)]).expect("a key of these");
        assert_eq!(texts, [Some("10".to_owned())]);
        assert_eq!(group_key(&after, &texts), Some(vec![Value::Int(1)]));
        let gone = group_texts(&before, &[Value::Int(1)]).expect("a key of these");
        assert_eq!(group_key(&after, &gone), None);
    }
}
