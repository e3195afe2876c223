//! `price=gt.10`: one test as a parameter of its own.

use protocol::{Filter, Test, Value};

use super::operators::{self, Operator, Takes};
use super::scan::TextError;

/// Reads what follows `column=`.
///
/// # Errors
/// If it is not `operator.value`: where, and what could stand there.
pub fn shorthand(column: &str, text: &str) -> Result<Filter, TextError> {
    let (is_negated, rest) = match text.strip_prefix("not.") {
        Some(rest) => (true, rest),
        None => (false, text),
    };
    let is_null = rest == "is.null";
    let (name, operand) = match rest.split_once('.') {
        Some((name, operand)) if !is_null => (name, Some(operand)),
        _ => (rest, None),
    };
    let found = operators::find(if is_null { "is_null" } else { name });
    let at = text.len() - rest.len();
    let Some(operator) =
        found.filter(|operator| is_null || operator.short == name || is_word(name))
    else {
        return Err(wrong(
            text,
            at,
            operators::shorts().map(|short| format!("`{short}`")),
        ));
    };
    let at_operand = text.len() - operand.map_or(0, str::len);
    let values = values(operator, operand, text, at_operand)?;
    let test = Filter::Test(Test {
        column: column.to_owned(),
        op: operator.op,
        values,
    });
    Ok(if is_negated {
        Filter::Not(Box::new(test))
    } else {
        test
    })
}

/// Symbols are for `filter=`.
fn is_word(name: &str) -> bool {
    name.chars()
        .all(|letter| letter.is_ascii_alphabetic() || letter == '_')
}

fn values(
    operator: &Operator,
    operand: Option<&str>,
    text: &str,
    at: usize,
) -> Result<Vec<Value>, TextError> {
    match (operator.takes, operand) {
        (Takes::Nothing, None) => Ok(Vec::new()),
        (Takes::Nothing, Some(_)) => Err(wrong(text, at, ["the end"])),
        (Takes::One, Some(value)) => Ok(vec![Value::text(value)]),
        (Takes::One, None) => Err(wrong(text, at, ["`.`, then a value"])),
        (Takes::Two | Takes::List, None) => Err(wrong(text, at, ["`.(`, then values"])),
        (Takes::Two | Takes::List, Some(list)) => {
            let items = items(list).ok_or_else(|| {
                wrong(text, at, ["`(`, values with commas between them, `)`; \" \" around a value with a comma or parenthesis"])
            })?;
            if operator.takes == Takes::Two && items.len() != 2 {
                return Err(wrong(text, at, ["two values in parentheses"]));
            }
            Ok(items.into_iter().map(Value::Text).collect())
        }
    }
}

/// The values of `(a,"b,c")`; `None` if it is not such a list.
fn items(list: &str) -> Option<Vec<String>> {
    let inner = list.strip_prefix('(')?.strip_suffix(')')?;
    let mut items = Vec::new();
    let mut rest = inner;
    loop {
        let (item, behind) = item(rest)?;
        items.push(item);
        match behind.strip_prefix(',') {
            Some(next) => rest = next,
            None if behind.is_empty() => return Some(items),
            None => return None,
        }
    }
}

/// The first value, and what is behind it.
fn item(text: &str) -> Option<(String, &str)> {
    let Some(quoted) = text.strip_prefix('"') else {
        let end = text.find(',').unwrap_or(text.len());
        let item = &text[..end];
        return (!item.contains(['(', ')', '"'])).then(|| (item.to_owned(), &text[end..]));
    };
    let mut item = String::new();
    let mut inside = quoted.char_indices().peekable();
    while let Some((at, letter)) = inside.next() {
        if letter != '"' {
            item.push(letter);
        } else if inside.next_if(|(_, next)| *next == '"').is_some() {
            item.push('"');
        } else {
            return Some((item, &quoted[at + 1..]));
        }
    }
    None
}

fn wrong<T: Into<String>>(
    text: &str,
    at: usize,
    expected: impl IntoIterator<Item = T>,
) -> TextError {
    let rest: String = text[at..].chars().take(20).collect();
    TextError {
        position: text[..at].chars().count() + 1,
        expected: expected.into_iter().map(Into::into).collect(),
        found: if rest.is_empty() {
            "the end".to_owned()
        } else {
            format!("`{rest}`")
        },
    }
}

#[cfg(test)]
mod tests {
    use protocol::FilterOp;

    use super::*;

    #[test]
    fn one_test_is_read() {
        let test = |op, values: &[&str]| {
            Filter::Test(Test {
                column: "c".to_owned(),
                op,
                values: values.iter().map(|&text| Value::text(text)).collect(),
            })
        };
        assert_eq!(shorthand("c", "gt.10"), Ok(test(FilterOp::Gt, &["10"])));
        assert_eq!(shorthand("c", "gte.1.5"), Ok(test(FilterOp::Ge, &["1.5"])));
        assert_eq!(shorthand("c", "eq."), Ok(test(FilterOp::Eq, &[""])));
        let list = test(FilterOp::In, &["a", "b,\"c\")", ""]);
        assert_eq!(shorthand("c", "in.(a,\"b,\"\"c\"\")\",)"), Ok(list));
        let null = test(FilterOp::IsNull, &[]);
        assert_eq!(shorthand("c", "is_null"), Ok(null.clone()));
        assert_eq!(shorthand("c", "is.null"), Ok(null.clone()));
        assert_eq!(
            shorthand("c", "not.is_null"),
            Ok(Filter::Not(Box::new(null)))
        );
        assert_eq!(
            shorthand("c", "between.(1,2)"),
            Ok(test(FilterOp::Between, &["1", "2"]))
        );
    }

    #[test]
    fn mistakes_are_told_with_their_place() {
        let wrong = |text: &str| shorthand("c", text).unwrap_err();
        assert!(wrong("10").expected.contains(&"`eq`".to_owned()));
        assert_eq!(wrong("not.maybe.1").position, 5);
        assert_eq!(wrong("in.a").position, 4);
        for text in [
            "",
            "=.1",
            "gt",
            "in.",
            "in.(",
            "in.(a))",
            "in.(\"a)",
            "between.(1)",
            "is_null.x",
            "is null",
        ] {
            assert!(shorthand("c", text).is_err(), "{text}");
        }
    }
}
