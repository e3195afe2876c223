//! What people type and read: cells, edits and filters, for every kind of column.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod model_support;

use client_egui::model::{display_cell, edit_text, filter_from_input, parse_input};
use model_support::column;
use protocol::{Column, ColumnKind, Filter, FilterOp, Test, Value};

fn text() -> Column {
    column("c", ColumnKind::Text, "text")
}

fn of(kind: ColumnKind, type_name: &str) -> Column {
    let labels = vec!["Small".to_owned(), "Large".to_owned()];
    Column {
        labels,
        ..column("c", kind, type_name)
    }
}

/// Kind, type, what is typed, and the value or words of the error.
type Typed<T> = (ColumnKind, &'static str, &'static str, T);

fn read(cases: impl IntoIterator<Item = Typed<Value>>) {
    for (kind, type_name, typed, value) in cases {
        let column = of(kind, type_name);
        assert_eq!(
            parse_input(&column, typed),
            Ok(value),
            "{type_name}: {typed:?}"
        );
    }
}

fn refused(cases: impl IntoIterator<Item = Typed<&'static str>>) {
    for (kind, type_name, typed, words) in cases {
        let error = parse_input(&of(kind, type_name), typed)
            .unwrap_err()
            .to_string();
        assert!(error.contains(words), "{type_name}: {typed:?}: {error}");
    }
}

#[test]
fn numbers_are_exact() {
    use ColumnKind as K;
    let t = Value::text;
    let long = "123456789012345678901234567890.5";
    read([
        (K::Int, "integer", " +42 ", Value::Int(42)),
        (
            K::Int,
            "bigint",
            "-9223372036854775808",
            Value::Int(i64::MIN),
        ),
        (K::Int, "integer", "", Value::Null),
        (K::Float, "double precision", "1e3", Value::Float(1_000.0)),
        (
            K::Float,
            "double precision",
            "-Infinity",
            Value::Float(f64::NEG_INFINITY),
        ),
        (K::Float, "real", "0.1", Value::Float(0.1)),
        (K::Numeric, "numeric(12,2)", "19.9", t("19.90")),
        (K::Numeric, "numeric(12,2)", "007", t("7.00")),
        (K::Numeric, "numeric(12,2)", ".5", t("0.50")),
        (K::Numeric, "numeric(12,2)", "-0", t("0.00")),
        (K::Numeric, "numeric(12,2)", "1.2300", t("1.23")),
        (K::Numeric, "numeric(4)", "1234", t("1234")),
        (K::Numeric, "numeric", "1.230", t("1.230")),
        (K::Numeric, "numeric", long, t(long)),
    ]);
    refused([
        (K::Int, "smallint", "32768", "from -32768 to 32767"),
        (K::Int, "integer", "2147483648", "2147483647"),
        (
            K::Int,
            "bigint",
            "9223372036854775808",
            "9223372036854775807",
        ),
        (K::Int, "integer", "1.5", "whole number"),
        (K::Int, "integer", "12 000", "whole number"),
        (K::Float, "double precision", "1e999", "not so large"),
        (K::Float, "real", "1e39", "not so large"),
        (K::Float, "real", "x", "number"),
        (K::Numeric, "numeric(12,2)", "1.999", "2 decimals"),
        (K::Numeric, "numeric(4,2)", "100", "2 digits before"),
        (K::Numeric, "numeric(12,2)", "1,5", "19.90"),
        (K::Numeric, "numeric(12,2)", ".", "19.90"),
    ]);
}

#[test]
fn times_are_written_as_postgres_writes_them() {
    use ColumnKind as K;
    let t = Value::text;
    let (plain, zoned) = ("timestamp without time zone", "timestamp with time zone");
    read([
        (K::Date, "date", "2026-11-21", t("2026-11-21")),
        (K::Date, "date", "Infinity", t("infinity")),
        (K::Time, "time without time zone", "1:45", t("01:45:00")),
        (
            K::Time,
            "time with time zone",
            "13:45 +01",
            t("13:45:00+01"),
        ),
        (
            K::Timestamp,
            plain,
            "2026-11-21 13:45",
            t("2026-11-21T13:45:00"),
        ),
        (
            K::TimestampTz,
            zoned,
            "2026-11-21 00:30+01",
            t("2026-11-20T23:30:00+00:00"),
        ),
    ]);
    refused([
        (K::Date, "date", "2026-02-30", "2026-11-21"),
        (K::Time, "time without time zone", "25:00", "13:45"),
        (K::Timestamp, plain, "2026-11-21 13:45+01", "2026-11-21"),
        (K::TimestampTz, zoned, "today", "2026-11-21"),
    ]);
}

#[test]
fn other_types_are_checked_before_they_are_sent() {
    use ColumnKind as K;
    let t = Value::text;
    let uuid = t("a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11");
    read([
        (K::Bool, "boolean", " Yes ", Value::Bool(true)),
        (K::Bool, "boolean", "0", Value::Bool(false)),
        (K::Text, "text", "  as typed ", t("  as typed ")),
        (K::Text, "text", "", t("")),
        (K::Text, "text", "\\NULL", t("NULL")),
        (K::Text, "text", "NULL", Value::Null),
        (K::Text, "character varying(3)", "äöü", t("äöü")),
        (K::Uuid, "uuid", "{A0EEBC999C0B4EF8BB6D6BB9BD380A11}", uuid),
        (K::Json, "jsonb", "{\"a\": [1, 2]}", t("{\"a\": [1, 2]}")),
        (K::Array, "text[]", "[\"a\"]", t("[\"a\"]")),
        (K::Enum, "size", "small", t("Small")),
        (K::Bytes, "bytea", "\\x00FF", t("\\x00ff")),
        (K::Interval, "interval", "1 day", t("1 day")),
    ]);
    refused([
        (K::Bool, "boolean", "maybe", "true or false"),
        (
            K::Text,
            "character varying(3)",
            "abcd",
            "at most 3 characters",
        ),
        (K::Text, "text", "a\0b", "character 0"),
        (K::Uuid, "uuid", "abc", "UUID"),
        (K::Json, "jsonb", "{a: 1}", "not JSON"),
        (K::Array, "text[]", "{a,b}", "list like"),
        (K::Enum, "size", "medium", "Small, Large"),
        (K::Bytes, "bytea", "\\x0", "pairs"),
    ]);
    let required = Column {
        nullable: false,
        ..of(K::Int, "integer")
    };
    for nothing in ["", "NULL"] {
        assert!(
            parse_input(&required, nothing)
                .unwrap_err()
                .to_string()
                .contains("must have")
        );
    }
}

#[test]
fn what_is_edited_reads_back_as_the_value() {
    use ColumnKind as K;
    let t = Value::text;
    let cases = [
        (K::Text, "text", Value::Null),
        (K::Text, "text", t("NULL")),
        (K::Text, "text", t("\\NULL")),
        (K::Text, "text", t("\\\\NULL")),
        (K::Text, "text", t("\\n")),
        (K::Text, "text", t("")),
        (K::Text, "text", t(" NULL ")),
        (K::Int, "integer", Value::Int(-5)),
        (K::Float, "double precision", Value::Float(f64::INFINITY)),
        (K::Float, "double precision", Value::Float(1.5e300)),
        (K::Bool, "boolean", Value::Bool(true)),
        (K::Numeric, "numeric(12,2)", t("19.90")),
        (
            K::Timestamp,
            "timestamp without time zone",
            t("2026-11-21T13:45:00.123456"),
        ),
        (
            K::TimestampTz,
            "timestamp with time zone",
            t("2026-11-21T13:45:00.1+00:00"),
        ),
        (K::Time, "time with time zone", t("13:45:00+00")),
        (K::Json, "jsonb", t("{\"a\": null}")),
    ];
    for (kind, type_name, value) in cases {
        let column = of(kind, type_name);
        let edited = edit_text(&column, &value);
        assert_eq!(
            parse_input(&column, &edited),
            Ok(value),
            "{type_name}: {edited:?}"
        );
    }
}

#[test]
fn cells_are_short_exact_and_hide_nothing() {
    use ColumnKind as K;
    let cases = [
        (
            K::Text,
            Value::text("a\nb\tc\u{202e}d\u{7f}"),
            "a\\nb\\tc\\u{202e}d\\u{7f}",
        ),
        (K::Text, Value::Null, ""),
        (K::Text, Value::text("مرحبا 👩‍👩‍👧 日本"), "مرحبا 👩‍👩‍👧 日本"),
        (
            K::Numeric,
            Value::text("123456789012345678901234567890.10"),
            { "123456789012345678901234567890.10" },
        ),
        (K::Int, Value::Int(i64::MIN), "-9223372036854775808"),
        (
            K::TimestampTz,
            Value::text("2026-11-21T13:45:00.123456+00:00"),
            { "2026-11-21 13:45:00.123 UTC" },
        ),
        (
            K::TimestampTz,
            Value::text("2026-11-21T13:45:00+00:00"),
            "2026-11-21 13:45:00 UTC",
        ),
        (
            K::Timestamp,
            Value::text("2026-11-21T13:45:00.5"),
            "2026-11-21 13:45:00.5",
        ),
        (K::TimestampTz, Value::text("infinity"), "infinity"),
    ];
    for (kind, value, shown) in cases {
        assert_eq!(display_cell(&of(kind, "x"), &value), shown);
    }
    let long = display_cell(&text(), &Value::text("é".repeat(10_000)));
    assert_eq!(long.chars().count(), 501);
    assert!(long.ends_with('…'));
}

fn int(op: FilterOp, value: i64) -> Filter {
    Filter::test("c", op, value)
}

fn many(op: FilterOp, values: Vec<Value>) -> Filter {
    Filter::Test(Test {
        column: "c".to_owned(),
        op,
        values,
    })
}

fn not(filter: Filter) -> Filter {
    Filter::Not(Box::new(filter))
}

#[test]
fn filters_of_numbers() {
    let column = of(ColumnKind::Int, "integer");
    let read = |typed| filter_from_input(&column, typed).unwrap().unwrap();
    assert_eq!(filter_from_input(&column, "  "), Ok(None));
    assert_eq!(read("5"), int(FilterOp::Eq, 5));
    assert_eq!(read("= 5"), int(FilterOp::Eq, 5));
    assert_eq!(read("!=5"), int(FilterOp::Ne, 5));
    assert_eq!(read("< 5"), int(FilterOp::Lt, 5));
    assert_eq!(read("<=5"), int(FilterOp::Le, 5));
    assert_eq!(read(">-5"), int(FilterOp::Gt, -5));
    assert_eq!(read(">=5"), int(FilterOp::Ge, 5));
    let ends = vec![Value::Int(1), Value::Int(9)];
    assert_eq!(read("1..9"), many(FilterOp::Between, ends.clone()));
    assert_eq!(read("1.."), int(FilterOp::Ge, 1));
    assert_eq!(read("..9"), int(FilterOp::Le, 9));
    assert_eq!(read("1 | 9"), many(FilterOp::In, ends.clone()));
    assert_eq!(read("!=1|9"), not(many(FilterOp::In, ends)));
    assert_eq!(read("null"), many(FilterOp::IsNull, Vec::new()));
    assert_eq!(read("!NULL"), not(many(FilterOp::IsNull, Vec::new())));
    for wrong in ["x", "1..x", "..", "1|x", ">", "|"] {
        assert!(filter_from_input(&column, wrong).is_err(), "{wrong}");
    }
}

#[test]
fn filters_of_text() {
    let column = text();
    let read = |typed| filter_from_input(&column, typed).unwrap().unwrap();
    let contains = |text: &str| Filter::test("c", FilterOp::Contains, text);
    assert_eq!(read(" lap "), contains("lap"));
    assert_eq!(read("wait..."), contains("wait..."));
    assert_eq!(read("..x"), contains("..x"));
    assert_eq!(read("\\>5"), contains(">5"));
    assert_eq!(read("\\null"), contains("null"));
    assert_eq!(read("^lap"), Filter::test("c", FilterOp::StartsWith, "lap"));
    assert_eq!(read("=lap"), Filter::test("c", FilterOp::Eq, "lap"));
    assert_eq!(read("="), Filter::test("c", FilterOp::Eq, ""));
    let values = vec![Value::text("a"), Value::text("b")];
    assert_eq!(read("a|b"), many(FilterOp::In, values.clone()));
    assert_eq!(read("a..b"), many(FilterOp::Between, values));
}

#[test]
fn a_day_means_the_whole_day() {
    let column = of(ColumnKind::TimestampTz, "timestamp with time zone");
    let read = |typed| filter_from_input(&column, typed).unwrap().unwrap();
    let at = |op, text: &str| Filter::test("c", op, text);
    let (start, end) = ("2026-11-21T00:00:00+00:00", "2026-11-22T00:00:00+00:00");
    let day = Filter::And(vec![at(FilterOp::Ge, start), at(FilterOp::Lt, end)]);
    assert_eq!(read("2026-11-21"), day);
    assert_eq!(read("2026-11-20..2026-11-21"), {
        Filter::And(vec![
            at(FilterOp::Ge, "2026-11-20T00:00:00+00:00"),
            at(FilterOp::Lt, end),
        ])
    });
    assert_eq!(read(">2026-11-21"), at(FilterOp::Ge, end));
    assert_eq!(read("<2026-11-21"), at(FilterOp::Lt, start));
    assert_eq!(
        read("=2026-11-21 13:45"),
        at(FilterOp::Eq, "2026-11-21T13:45:00+00:00")
    );
    assert_eq!(
        read("2026-11-21|2026-11-21"),
        Filter::Or(vec![day.clone(), day])
    );
}
