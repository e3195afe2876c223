//! From a filter to text.

use std::fmt::Write as _;

use protocol::{Filter, Test, Value};

use super::operators::{self, Takes};
use super::scan::{Scanner, is_reserved};

/// Writes a valid filter so that [`parse`](super::parse()) reads the same one. (A list of one is
/// written as what is in it.)
pub fn print(filter: &Filter) -> String {
    let mut text = String::new();
    write(filter, &mut text, false);
    text
}

/// Writes a filter; a list gets parentheses if `inside` another that would swallow it.
fn write(filter: &Filter, text: &mut String, inside: bool) {
    match filter {
        Filter::And(list) => write_list(list, " and ", "true", text, inside),
        Filter::Or(list) => write_list(list, " or ", "false", text, inside),
        Filter::Not(inner) => {
            text.push_str("not ");
            write(inner, text, true);
        }
        Filter::Test(test) => write_test(test, text),
    }
}

fn write_list(list: &[Filter], between: &str, empty: &str, text: &mut String, inside: bool) {
    match list {
        [] => text.push_str(empty),
        [only] => write(only, text, inside),
        _ => {
            if inside {
                text.push('(');
            }
            for (nth, filter) in list.iter().enumerate() {
                if nth > 0 {
                    text.push_str(between);
                }
                write(filter, text, true);
            }
            if inside {
                text.push(')');
            }
        }
    }
}

fn write_test(test: &Test, text: &mut String) {
    write_column(&test.column, text);
    let Some(operator) = operators::of(test.op) else {
        // Every operator of the protocol is in the table; a test sees to it.
        return;
    };
    text.push(' ');
    text.push_str(operator.word);
    let mut values = test.values.iter();
    let mut next = |text: &mut String| write_value(values.next().unwrap_or(&Value::Null), text);
    match operator.takes {
        Takes::Nothing => {}
        Takes::One => {
            text.push(' ');
            next(text);
        }
        Takes::Two => {
            text.push(' ');
            next(text);
            text.push_str(" and ");
            next(text);
        }
        Takes::List => {
            text.push_str(" (");
            for nth in 0..test.values.len() {
                if nth > 0 {
                    text.push_str(", ");
                }
                next(text);
            }
            text.push(')');
        }
    }
}

fn write_column(name: &str, text: &mut String) {
    let is_word = !name.is_empty() && Scanner::new(name).peek_word() == name;
    if is_word
        && !is_reserved(name)
        && !["true", "false"]
            .iter()
            .any(|word| name.eq_ignore_ascii_case(word))
    {
        text.push_str(name);
    } else {
        write_quoted(name, '"', text);
    }
}

fn write_value(value: &Value, text: &mut String) {
    // Writing to a string cannot fail.
    let _ = match value {
        Value::Null => write!(text, "null"),
        Value::Bool(value) => write!(text, "{value}"),
        Value::Int(value) => write!(text, "{value}"),
        Value::Float(value) if value.is_finite() => write!(text, "{value:?}"),
        Value::Float(_) => {
            write_quoted(&value.to_string(), '\'', text);
            Ok(())
        }
        Value::Text(value) => {
            write_quoted(value, '\'', text);
            Ok(())
        }
    };
}

fn write_quoted(inner: &str, quote: char, text: &mut String) {
    text.push(quote);
    for letter in inner.chars() {
        if letter == quote {
            text.push(quote);
        }
        text.push(letter);
    }
    text.push(quote);
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::*;
    use protocol::FilterOp;

    use super::super::operators::OPERATORS;
    use super::super::parse;
    use super::*;

    fn value() -> impl Strategy<Value = Value> + Clone {
        prop_oneof![
            any::<bool>().prop_map(Value::Bool),
            any::<i64>().prop_map(Value::Int),
            any::<f64>()
                .prop_filter("finite", |float| float.is_finite())
                .prop_map(Value::Float),
            text().prop_map(Value::Text),
        ]
    }

    fn text() -> impl Strategy<Value = String> + Clone {
        let any_letter = vec(any::<char>(), 0..8).prop_map(|letters| letters.into_iter().collect());
        const WORDS: &[&str] = &[
            "and", "null", "true", "1", "1.0", "a b", "not", "it's", "\"", "is", "x",
        ];
        prop_oneof![
            any_letter,
            prop::sample::select(WORDS).prop_map(str::to_owned)
        ]
    }

    fn filter() -> impl Strategy<Value = Filter> {
        let operator = prop::sample::select(OPERATORS);
        let test =
            (text(), operator, vec(value(), 2..5)).prop_map(|(column, operator, mut values)| {
                match operator.takes {
                    Takes::Nothing => values.clear(),
                    Takes::One => values.truncate(1),
                    Takes::Two => values.truncate(2),
                    Takes::List => {}
                }
                Filter::Test(Test {
                    column,
                    op: operator.op,
                    values,
                })
            });
        test.prop_recursive(6, 24, 4, |inner| {
            prop_oneof![
                vec(inner.clone(), 0..4).prop_map(Filter::And),
                vec(inner.clone(), 0..4).prop_map(Filter::Or),
                inner.prop_map(|filter| Filter::Not(Box::new(filter))),
            ]
        })
    }

    /// Lists of one are what is in them.
    fn simplified(filter: &Filter) -> Filter {
        let list = |list: &[Filter]| list.iter().map(simplified).collect::<Vec<_>>();
        match filter {
            Filter::And(inner) | Filter::Or(inner) if inner.len() == 1 => simplified(&inner[0]),
            Filter::And(inner) => Filter::And(list(inner)),
            Filter::Or(inner) => Filter::Or(list(inner)),
            Filter::Not(inner) => Filter::Not(Box::new(simplified(inner))),
            Filter::Test(test) => Filter::Test(test.clone()),
        }
    }

    proptest! {
        #[test]
        fn what_is_printed_is_read_back(filter in filter()) {
            let text = print(&filter);
            prop_assert_eq!(parse(&text), Ok(simplified(&filter)), "{}", text);
        }

        #[test]
        fn no_text_makes_the_parser_panic(text in ".{0,60}", from in 0..60_usize) {
            let _ = parse(&text);
            let cut: String = "a >= 'x''y' and (not b in (1, 2.5, \"z\") or c is not null)"
                .chars()
                .skip(from)
                .collect();
            let _ = parse(&cut);
            let _ = super::super::shorthand("c", &text);
        }
    }

    #[test]
    fn every_operator_of_the_protocol_can_be_typed() {
        let names: Vec<String> = serde_json::from_str(include_str!(concat!(
            env!("CARGO_MANIFEST_DIR"),
            "/../protocol/tests/golden/v2/enum_filter_op.json"
        )))
        .unwrap();
        for name in names {
            let op: FilterOp = serde_json::from_value(name.clone().into()).unwrap();
            assert!(operators::of(op).is_some(), "{name} is not in OPERATORS");
        }
    }
}
