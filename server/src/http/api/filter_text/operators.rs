//! The operators of filters as they are typed.

use protocol::FilterOp;

/// What follows an operator.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Takes {
    /// Nothing.
    Nothing,
    /// One value.
    One,
    /// Two values: `1 and 2`.
    Two,
    /// Values in parentheses: `(1, 2, 3)`.
    List,
}

/// One operator, in both spellings.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Operator {
    /// What it means.
    pub op: FilterOp,
    /// As it is written in `filter=`: a symbol, or words.
    pub word: &'static str,
    /// As it is written in `column=short.value`.
    pub short: &'static str,
    /// What follows it.
    pub takes: Takes,
}

const fn operator(op: FilterOp, word: &'static str, short: &'static str, takes: Takes) -> Operator {
    Operator {
        op,
        word,
        short,
        takes,
    }
}

/// Every operator. A new one of the protocol is one line here, and one in `docs/http-api.md`.
pub const OPERATORS: &[Operator] = &[
    operator(FilterOp::Eq, "=", "eq", Takes::One),
    operator(FilterOp::Ne, "!=", "ne", Takes::One),
    operator(FilterOp::Lt, "<", "lt", Takes::One),
    operator(FilterOp::Le, "<=", "le", Takes::One),
    operator(FilterOp::Gt, ">", "gt", Takes::One),
    operator(FilterOp::Ge, ">=", "ge", Takes::One),
    operator(FilterOp::Between, "between", "between", Takes::Two),
    operator(FilterOp::In, "in", "in", Takes::List),
    operator(FilterOp::Contains, "contains", "contains", Takes::One),
    operator(
        FilterOp::StartsWith,
        "starts_with",
        "starts_with",
        Takes::One,
    ),
    operator(FilterOp::IsNull, "is null", "is_null", Takes::Nothing),
    operator(FilterOp::Matches, "matches", "matches", Takes::One),
    operator(FilterOp::IMatches, "imatches", "imatches", Takes::One),
    operator(
        FilterOp::ArrayContains,
        "array_contains",
        "array_contains",
        Takes::List,
    ),
    operator(
        FilterOp::ArrayContained,
        "array_contained",
        "array_contained",
        Takes::List,
    ),
    operator(FilterOp::Overlaps, "overlaps", "overlaps", Takes::List),
    operator(
        FilterOp::JsonContains,
        "json_contains",
        "json_contains",
        Takes::One,
    ),
    operator(FilterOp::JsonPath, "json_path", "json_path", Takes::One),
    operator(
        FilterOp::WithinLast,
        "within_last",
        "within_last",
        Takes::One,
    ),
    operator(
        FilterOp::WithinNext,
        "within_next",
        "within_next",
        Takes::One,
    ),
];

/// Other spellings that people know.
const ALIASES: &[(&str, FilterOp)] = &[
    ("<>", FilterOp::Ne),
    ("==", FilterOp::Eq),
    ("neq", FilterOp::Ne),
    ("lte", FilterOp::Le),
    ("gte", FilterOp::Ge),
];

/// The operator that means this; `None` if it cannot be typed yet.
pub fn of(op: FilterOp) -> Option<&'static Operator> {
    OPERATORS.iter().find(|operator| operator.op == op)
}

/// The operator of this spelling, in either letter case.
pub fn find(spelling: &str) -> Option<&'static Operator> {
    let alias = ALIASES
        .iter()
        .find(|(alias, _)| alias.eq_ignore_ascii_case(spelling));
    if let Some((_, op)) = alias {
        return of(*op);
    }
    OPERATORS.iter().find(|operator| {
        operator.word.eq_ignore_ascii_case(spelling)
            || operator.short.eq_ignore_ascii_case(spelling)
    })
}

/// The longest symbol that the text starts with.
pub fn symbol(text: &str) -> Option<(&'static str, &'static Operator)> {
    let words = OPERATORS.iter().map(|operator| operator.word);
    let symbols = words
        .chain(ALIASES.iter().map(|(alias, _)| *alias))
        .filter(|word| !word.starts_with(|first: char| first.is_alphabetic()));
    let longest = symbols
        .filter(|symbol| text.starts_with(symbol))
        .max_by_key(|symbol| symbol.len())?;
    Some((longest, find(longest)?))
}

/// Every spelling in `filter=`, for a message.
pub fn words() -> impl Iterator<Item = &'static str> {
    OPERATORS.iter().map(|operator| operator.word)
}

/// Every spelling in `column=short.value`, for a message.
pub fn shorts() -> impl Iterator<Item = &'static str> {
    OPERATORS.iter().map(|operator| operator.short)
}
