//! Choices of a column's values: as text of its filter field, and back.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod model_support;

use client_egui::model::{
    FacetKind, ValueRange, facet_kind, filter_from_input, filter_of_group, filter_of_range,
    filter_of_values, range_in_filter, values_in_filter,
};
use model_support::column;
use proptest::prelude::*;
use protocol::{ColumnKind, Filter, FilterOp, SummaryKey, Test, Value};

fn any_value() -> impl Strategy<Value = Value> {
    let odd = prop_oneof![
        Just("null".to_owned()),
        Just(String::new()),
        Just("NULL".to_owned()),
        Just("\\".to_owned()),
        "[ |\\\\a=<>.!^\t]{0,6}",
        "\\PC{0,12}",
    ];
    prop_oneof![9 => odd.prop_map(Value::text), 1 => Just(Value::Null)]
}

proptest! {
    #[test]
    fn chosen_texts_read_back(values in prop::collection::vec(any_value(), 0..5)) {
        let column = column("c", ColumnKind::Text, "text");
        let text = filter_of_values(&values);
        let mut read = values_in_filter(&column, &text);
        // One null at the end means as much as several anywhere.
        let mut expected: Vec<Value> =
            values.iter().filter(|value| !value.is_null()).cloned().collect();
        expected.extend(values.iter().find(|value| value.is_null()).cloned());
        read.dedup_by(|a, b| a.is_null() && b.is_null());
        prop_assert_eq!(read, expected, "{}", text);
    }
}

#[test]
fn chosen_values_are_one_test() {
    let text = column("c", ColumnKind::Text, "text");
    let read = |typed: &str| filter_from_input(&text, typed).unwrap().unwrap();
    assert_eq!(filter_of_values(&[]), "");
    let one = filter_of_values(&[Value::text("a|b")]);
    assert_eq!(one, r"=a\|b");
    assert_eq!(read(&one), Filter::test("c", FilterOp::Eq, "a|b"));
    let null = Filter::Test(Test {
        column: "c".to_owned(),
        op: FilterOp::IsNull,
        values: Vec::new(),
    });
    assert_eq!(read(&filter_of_values(&[Value::Null])), null);
    let both = filter_of_values(&[Value::text("null"), Value::Null]);
    assert_eq!(both, r"=\null|null");
    let text_null = Filter::test("c", FilterOp::Eq, "null");
    assert_eq!(read(&both), Filter::Or(vec![text_null, null]));
}

#[test]
fn values_of_other_types_read_back() {
    let cases = [
        (ColumnKind::Int, "bigint", Value::Int(-5)),
        (ColumnKind::Float, "double precision", Value::Float(1.5e300)),
        (ColumnKind::Bool, "boolean", Value::Bool(false)),
        (ColumnKind::Numeric, "numeric(12,2)", Value::text("19.90")),
        (ColumnKind::Date, "date", Value::text("2026-11-21")),
        (
            ColumnKind::Json,
            "jsonb",
            Value::text(r#"{"a|b": "\\\\", "c": [1, 2]}"#),
        ),
        (ColumnKind::Json, "jsonb", Value::text("\"null\"")),
    ];
    for (kind, type_name, value) in cases {
        let column = column("c", kind, type_name);
        let values = [value, Value::Null];
        let text = filter_of_values(&values);
        assert_eq!(values_in_filter(&column, &text), values, "{text}");
    }
}

#[test]
fn what_has_an_order_is_offered() {
    let mut jsonb = column("c", ColumnKind::Json, "jsonb");
    jsonb.sortable = true;
    assert_eq!(facet_kind(&jsonb), Some(FacetKind::Values));
    let mut json = column("c", ColumnKind::Json, "json");
    json.sortable = false;
    assert_eq!(facet_kind(&json), None);
    assert_eq!(facet_kind(&column("c", ColumnKind::Array, "text[]")), None);
}

#[test]
fn ranges_are_half_open_and_read_back() {
    let price = column("price", ColumnKind::Numeric, "numeric(12,2)");
    let (low, high) = (Value::text("1000"), Value::text("2000"));
    let text = filter_of_range(Some(&low), Some(&high));
    assert_eq!(text, "1000..<2000");
    let from = Filter::test("price", FilterOp::Ge, "1000.00");
    let to = Filter::test("price", FilterOp::Lt, "2000.00");
    let filter = filter_from_input(&price, &text).unwrap().unwrap();
    assert_eq!(filter, Filter::And(vec![from, to]));
    let range = range_in_filter(&price, &text).unwrap();
    assert_eq!((range.low, range.high), (1000.0, 2000.0));
    assert!(ValueRange::ALL.covers(range));
    assert!(!range.covers(ValueRange::ALL));

    assert_eq!(filter_of_range(None, Some(&low)), "<1000");
    assert_eq!(filter_of_range(Some(&high), None), ">=2000");
    let above = range_in_filter(&price, ">=2000").unwrap();
    assert_eq!((above.low, above.high), (2000.0, f64::INFINITY));
    assert_eq!(range_in_filter(&price, "=5"), None);
}

#[test]
fn midnight_is_written_as_a_day() {
    let at = column("at", ColumnKind::TimestampTz, "timestamp with time zone");
    let low = Value::text("2026-11-01T00:00:00+00:00");
    let high = Value::text("2026-11-08T12:00:00+00:00");
    let text = filter_of_range(Some(&low), Some(&high));
    assert_eq!(text, "2026-11-01..<2026-11-08T12:00:00+00:00");
    let from = Filter::test("at", FilterOp::Ge, low);
    let to = Filter::test("at", FilterOp::Lt, high);
    let filter = filter_from_input(&at, &text).unwrap().unwrap();
    assert_eq!(filter, Filter::And(vec![from, to]));
    let range = range_in_filter(&at, &text).unwrap();
    assert_eq!(range.high - range.low, 7.5 * 86_400.0);
}

#[test]
fn a_groups_rows_are_a_filter() {
    let key = |name: &str, kind, bounds| SummaryKey {
        column: column(name, kind, "x"),
        bounds,
    };
    let bounds = vec![Value::text("0"), Value::text("10")];
    let keys = [
        key("name", ColumnKind::Text, None),
        key("brand", ColumnKind::Text, None),
        key("price", ColumnKind::Numeric, Some(bounds)),
    ];
    let group = |bucket| [Value::text("a|b"), Value::Null, Value::Int(bucket)];
    let of = |bucket| match filter_of_group(&keys, &group(bucket)) {
        Some(Filter::And(tests)) => tests,
        other => panic!("{other:?}"),
    };
    let name = Filter::test("name", FilterOp::Eq, "a|b");
    let brand = Filter::Test(Test {
        column: "brand".to_owned(),
        op: FilterOp::IsNull,
        values: Vec::new(),
    });
    let at_least = |n: &str| Filter::test("price", FilterOp::Ge, n);
    let below = |n: &str| Filter::test("price", FilterOp::Lt, n);
    assert_eq!(of(0), [name.clone(), brand.clone(), below("0")]);
    assert_eq!(
        of(1),
        [name.clone(), brand.clone(), at_least("0"), below("10")]
    );
    assert_eq!(of(2), [name, brand, at_least("10")]);
    assert_eq!(filter_of_group(&keys, &[Value::Null]), None);
}
