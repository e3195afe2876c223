//! From text to a filter.

use protocol::filter::FILTER_DEPTH_MAX;
use protocol::{Filter, FilterOp, Test, Value};

use super::operators::{self, Operator, Takes};
use super::scan::{Scanner, TextError};

/// Reads a filter's text.
///
/// # Errors
/// If it is not one: where, and what could stand there.
pub fn parse(text: &str) -> Result<Filter, TextError> {
    let mut parser = Parser {
        scanner: Scanner::new(text),
        depth: 0,
    };
    let filter = parser.any()?;
    if !parser.scanner.is_at_end() {
        return Err(parser.scanner.expected(["`and`", "`or`", "the end"]));
    }
    if depth(&filter) > FILTER_DEPTH_MAX {
        return Err(too_deep(&mut parser.scanner));
    }
    Ok(filter)
}

struct Parser<'a> {
    scanner: Scanner<'a>,
    /// Parentheses and `not`s that are open.
    depth: usize,
}

impl Parser<'_> {
    /// `f or f or f`
    fn any(&mut self) -> Result<Filter, TextError> {
        let mut list = vec![self.all()?];
        while self.scanner.word("or") {
            list.push(self.all()?);
        }
        Ok(one_or(list, Filter::Or))
    }

    /// `f and f and f`
    fn all(&mut self) -> Result<Filter, TextError> {
        let mut list = vec![self.negated()?];
        while self.scanner.word("and") {
            list.push(self.negated()?);
        }
        Ok(one_or(list, Filter::And))
    }

    /// `not f`, `(f)`, `true`, `false` or a test.
    fn negated(&mut self) -> Result<Filter, TextError> {
        self.depth += 1;
        if self.depth > FILTER_DEPTH_MAX {
            return Err(too_deep(&mut self.scanner));
        }
        let filter = if self.scanner.word("not") {
            Filter::Not(Box::new(self.negated()?))
        } else if self.scanner.symbol("(") {
            let inner = self.any()?;
            if !self.scanner.symbol(")") {
                return Err(self.scanner.expected(["`and`", "`or`", "`)`"]));
            }
            inner
        } else if self.scanner.word("true") {
            Filter::And(Vec::new())
        } else if self.scanner.word("false") {
            Filter::Or(Vec::new())
        } else {
            self.test()?
        };
        self.depth -= 1;
        Ok(filter)
    }

    fn test(&mut self) -> Result<Filter, TextError> {
        let column = match self.scanner.column() {
            Ok(column) => column,
            Err(error) => {
                let mut expected = error.expected;
                expected.extend(["`not`", "`(`"].map(str::to_owned));
                return Err(TextError { expected, ..error });
            }
        };
        let (operator, is_negated) = self.operator()?;
        let values = self.values(operator)?;
        let test = Filter::Test(Test {
            column,
            op: operator.op,
            values,
        });
        Ok(if is_negated {
            Filter::Not(Box::new(test))
        } else {
            test
        })
    }

    /// An operator, and whether it is negated: `not in`, `is not null`.
    fn operator(&mut self) -> Result<(&'static Operator, bool), TextError> {
        let scanner = &mut self.scanner;
        if let Some((symbol, operator)) = operators::symbol(scanner.rest()) {
            scanner.advance(symbol.len());
            return Ok((operator, false));
        }
        if scanner.word("is") {
            let is_negated = scanner.word("not");
            return match operators::of(FilterOp::IsNull) {
                Some(operator) if scanner.word("null") => Ok((operator, is_negated)),
                _ if is_negated => Err(scanner.expected(["`null`"])),
                _ => Err(scanner.expected(["`null`", "`not null`"])),
            };
        }
        let is_negated = scanner.word("not");
        let word = scanner.peek_word();
        match operators::find(word) {
            Some(operator) => {
                scanner.advance(word.len());
                Ok((operator, is_negated))
            }
            None => Err(scanner.expected(operators::words().map(|word| format!("`{word}`")))),
        }
    }

    fn values(&mut self, operator: &Operator) -> Result<Vec<Value>, TextError> {
        let scanner = &mut self.scanner;
        Ok(match operator.takes {
            Takes::Nothing => Vec::new(),
            Takes::One => vec![scanner.value()?],
            Takes::Two => {
                let low = scanner.value()?;
                if !scanner.word("and") {
                    return Err(scanner.expected(["`and`, then the upper end"]));
                }
                vec![low, scanner.value()?]
            }
            Takes::List => {
                if !scanner.symbol("(") {
                    return Err(scanner.expected(["`(`, then values"]));
                }
                let mut list = vec![scanner.value()?];
                while scanner.symbol(",") {
                    list.push(scanner.value()?);
                }
                if !scanner.symbol(")") {
                    return Err(scanner.expected(["`,`", "`)`"]));
                }
                list
            }
        })
    }
}

fn one_or(mut list: Vec<Filter>, many: impl FnOnce(Vec<Filter>) -> Filter) -> Filter {
    match list.pop() {
        Some(only) if list.is_empty() => only,
        Some(last) => {
            list.push(last);
            many(list)
        }
        None => many(list),
    }
}

fn too_deep(scanner: &mut Scanner<'_>) -> TextError {
    scanner.expected([format!(
        "a filter that nests at most {FILTER_DEPTH_MAX} deep"
    )])
}

fn depth(filter: &Filter) -> usize {
    let deepest = |list: &[Filter]| list.iter().map(depth).max().unwrap_or(0);
    1 + match filter {
        Filter::And(list) | Filter::Or(list) => deepest(list),
        Filter::Not(inner) => depth(inner),
        Filter::Test(_) => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wrong(text: &str) -> (usize, String) {
        let error = parse(text).unwrap_err();
        (error.position, error.to_string())
    }

    #[test]
    fn a_person_can_type_a_filter() {
        let test = |column: &str, op, values: Vec<Value>| {
            Filter::Test(Test {
                column: column.to_owned(),
                op,
                values,
            })
        };
        let read = parse(r#"price>10 and (name contains "x" or not brand is null)"#);
        let expected = Filter::And(vec![
            test("price", FilterOp::Gt, vec![Value::Int(10)]),
            Filter::Or(vec![
                test("name", FilterOp::Contains, vec![Value::text("x")]),
                Filter::Not(Box::new(test("brand", FilterOp::IsNull, Vec::new()))),
            ]),
        ]);
        assert_eq!(read, Ok(expected));
        let read =
            parse("at BETWEEN 2026-11-21T10:00:00Z AND '2026-11-22' or \"odd \"\" one\" <> 1.50");
        let expected = Filter::Or(vec![
            test(
                "at",
                FilterOp::Between,
                vec![
                    Value::text("2026-11-21T10:00:00Z"),
                    Value::text("2026-11-22"),
                ],
            ),
            test("odd \" one", FilterOp::Ne, vec![Value::text("1.50")]),
        ]);
        assert_eq!(read, Ok(expected));
        let not_in = Filter::Not(Box::new(test(
            "c",
            FilterOp::In,
            vec![Value::text("it's"), Value::Bool(true)],
        )));
        assert_eq!(parse("c not in ('it''s', true)"), Ok(not_in));
        assert_eq!(parse("c is not null"), parse("not c is null"));
        assert_eq!(parse("c is_null"), parse("c IS NULL"));
    }

    #[test]
    fn mistakes_are_told_with_their_place() {
        let (position, message) = wrong("price > ");
        assert_eq!(position, 9);
        assert!(
            message.contains("expected a value") && message.contains("the end"),
            "{message}"
        );
        let (position, message) = wrong("größe ist 3");
        assert_eq!(position, 7, "characters, not bytes");
        assert!(
            message.contains("`contains`") && message.contains("found `ist`"),
            "{message}"
        );
        assert!(wrong("a = null").1.contains("is null"));
        assert!(wrong("a = 1 b = 2").1.contains("`and`"));
        assert!(wrong("(a = 1").1.contains("`)`"));
        assert!(wrong("a in (1, 2").1.contains("`,`"));
        assert!(wrong("a = 'open").1.contains("closing '"));
        assert!(wrong("a = and").1.contains("in quotes"));
        for text in [
            "",
            "and",
            "a",
            "a =",
            "= 1",
            "a in 1",
            "a between 1",
            "a = 1 or",
            "not",
            "a is 3",
        ] {
            assert!(parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn nesting_is_bounded() {
        let nested = |depth: usize| format!("{}a = 1{}", "(".repeat(depth), ")".repeat(depth));
        assert!(parse(&nested(FILTER_DEPTH_MAX - 1)).is_ok());
        assert!(wrong(&nested(10_000)).1.contains("32 deep"));
        assert!(wrong(&"not ".repeat(10_000)).1.contains("32 deep"));
    }
}
