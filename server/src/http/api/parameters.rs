//! What stands behind the `?` of an address.

use std::collections::HashSet;

use percent_encoding::percent_decode_str;
use protocol::{Filter, NullsOrder, SortColumn, ViewSpec};

use super::codes::Code;
use super::filter_text::{self, TextError};
use crate::db::catalog::TableDef;
use crate::http::problem::Problem;
use crate::limits::{API_ROWS_DEFAULT, WINDOW_ROWS_MAX};

/// Parameters in the order given, each once.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Parameters(Vec<(String, String)>);

impl Parameters {
    /// Reads the query part of an address.
    ///
    /// # Errors
    /// If it is not UTF-8, or names a parameter twice.
    pub fn read(query: Option<&str>) -> Result<Self, Problem> {
        let pieces = query.unwrap_or_default().split('&');
        let mut pairs: Vec<(String, String)> = Vec::new();
        let mut names = HashSet::new();
        for piece in pieces.filter(|piece| !piece.is_empty()) {
            let (name, value) = piece.split_once('=').unwrap_or((piece, ""));
            let (name, value) = (decode(name)?, decode(value)?);
            if !names.insert(name.clone()) {
                let detail = format!(
                    "the parameter {name:?} is given twice; for two tests of one column write \
                     filter=a > 1 and a < 9"
                );
                return Err(Code::DuplicateParameter.because(detail));
            }
            pairs.push((name, value));
        }
        Ok(Self(pairs))
    }

    /// Takes a parameter out.
    pub fn take(&mut self, name: &str) -> Option<String> {
        let at = self.0.iter().position(|(known, _)| known == name)?;
        Some(self.0.remove(at).1)
    }

    /// Nothing may be left.
    ///
    /// # Errors
    /// If something is; `allowed` are the parameters that the address takes.
    pub fn finish(&self, allowed: &[&str]) -> Result<(), Problem> {
        match self.0.first() {
            None => Ok(()),
            Some((name, _)) => Err(unknown(name, allowed.iter().copied())),
        }
    }
}

fn decode(text: &str) -> Result<String, Problem> {
    let spaced = text.replace('+', " ");
    let decoded = percent_decode_str(&spaced).decode_utf8();
    decoded.map(Into::into).map_err(|_| {
        let detail = "a parameter is not UTF-8 once its %xx are decoded";
        Code::BadParameter.because(detail)
    })
}

fn unknown<'a>(name: &str, allowed: impl Iterator<Item = &'a str>) -> Problem {
    let detail = format!("there is no parameter {name:?} here");
    Code::UnknownParameter.because(detail).allowed(allowed)
}

/// A parameter that cannot be read.
pub fn bad(name: &str, detail: impl std::fmt::Display) -> Problem {
    let detail = format!("the parameter {name:?}: {detail}");
    Code::BadParameter.because(detail).with("parameter", name)
}

/// Where a page of rows starts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Start {
    /// At a position from 0.
    Offset(u64),
    /// Where another page ended.
    Cursor(String),
}

/// Which rows of a table, and which columns of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RowsQuery {
    /// Which rows, in which order.
    pub view: ViewSpec,
    /// Which columns by name, in this order; empty for all.
    pub columns: Vec<String>,
    /// How many rows at most.
    pub limit: u32,
    /// From where.
    pub start: Start,
    /// Whether the answer waits until the total is exact.
    pub exact_total: bool,
    /// Whether a view may be read that no index serves and that is large.
    pub allow_expensive: bool,
}

/// What [`RowsQuery::read`] takes, besides the columns of the table.
pub const ROWS_PARAMETERS: [&str; 9] = [
    "filter",
    "sort",
    "columns",
    "limit",
    "offset",
    "cursor",
    "total",
    "expensive",
    "q",
];

impl RowsQuery {
    /// Reads the parameters of an address of rows; `allowed` are those of [`ROWS_PARAMETERS`] that
    /// this address takes.
    ///
    /// # Errors
    /// If a parameter is unknown or cannot be read.
    pub fn read(
        mut given: Parameters,
        table: &TableDef,
        allowed: &[&str],
    ) -> Result<Self, Problem> {
        let mut take = |name: &str| allowed.contains(&name).then(|| given.take(name)).flatten();
        let mut tests = Vec::new();
        if let Some(text) = take("filter") {
            let filter = filter_text::parse(&text);
            tests.push(filter.map_err(|error| bad_text("filter", &error))?);
        }
        let sort = take("sort").map_or(Ok(Vec::new()), |text| sort(&text))?;
        let search = take("q");
        let columns = take("columns").map_or(Ok(Vec::new()), |text| columns(&text))?;
        let limit = match take("limit") {
            None => API_ROWS_DEFAULT.into(),
            Some(text) => number("limit", &text, WINDOW_ROWS_MAX.into())?,
        };
        let offset = take("offset");
        let start = match (offset, take("cursor")) {
            (None, None) => Start::Offset(0),
            (Some(text), None) => Start::Offset(number("offset", &text, i64::MAX as u64)?),
            (None, Some(cursor)) => Start::Cursor(cursor),
            (Some(_), Some(_)) => {
                return Err(bad(
                    "offset",
                    "a cursor says where to start; leave one of them out",
                ));
            }
        };
        let exact_total = choice("total", take("total").as_deref(), ["now", "exact"])?;
        let allow_expensive = choice(
            "expensive",
            take("expensive").as_deref(),
            ["refuse", "allow"],
        )?;
        for (name, text) in &given.0 {
            // A name that means something elsewhere is never a column; `filter` reaches such columns.
            if table.column(name).is_none() || ROWS_PARAMETERS.contains(&name.as_str()) {
                let columns = table.columns.iter().map(|column| column.name.as_str());
                return Err(unknown(name, allowed.iter().copied().chain(columns)));
            }
            let test = filter_text::shorthand(name, text);
            tests.push(test.map_err(|error| bad_text(name, &error))?);
        }
        let filter = match tests.len() {
            0 | 1 => tests.pop(),
            _ => Some(Filter::And(tests)),
        };
        let view = ViewSpec {
            filter,
            sort,
            search,
            ..ViewSpec::table(&table.sql_name)
        };
        Ok(Self {
            view,
            columns,
            limit: u32::try_from(limit).unwrap_or(WINDOW_ROWS_MAX),
            start,
            exact_total,
            allow_expensive,
        })
    }
}

fn bad_text(parameter: &str, error: &TextError) -> Problem {
    let detail = format!("the parameter {parameter:?}, {error}");
    let problem = super::codes::refused(protocol::ErrorCode::BadFilter, detail);
    problem
        .with("parameter", parameter)
        .with("position", error.position)
        .allowed(error.expected.clone())
}

/// Whether the second of two words is given; the first is the default.
///
/// # Errors
/// If it is another word.
pub fn choice(name: &str, given: Option<&str>, words: [&str; 2]) -> Result<bool, Problem> {
    match given {
        None => Ok(false),
        Some(word) if word == words[0] => Ok(false),
        Some(word) if word == words[1] => Ok(true),
        Some(_) => {
            let detail = format!("it is {} or {}", words[0], words[1]);
            Err(bad(name, detail).allowed(words))
        }
    }
}

fn number(name: &str, text: &str, max: u64) -> Result<u64, Problem> {
    let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let number = text.parse().ok().filter(|number| digits && *number <= max);
    number.ok_or_else(|| {
        let allowed = format!("0 to {max}");
        let detail = format!("{text:?} is not a whole number from {allowed}");
        let problem = super::codes::refused(protocol::ErrorCode::BadRange, detail);
        problem.with("parameter", name).allowed([allowed])
    })
}

/// Reads `name,"odd, name"`.
///
/// # Errors
/// If a name is empty, or there twice.
pub fn columns(text: &str) -> Result<Vec<String>, Problem> {
    let mut columns: Vec<String> = Vec::new();
    for item in split(text).ok_or_else(|| bad("columns", "a double quote is not closed"))? {
        let name = unquote(item);
        if name.is_empty() {
            return Err(bad(
                "columns",
                "names with commas between them; one is empty",
            ));
        }
        if columns.contains(&name) {
            return Err(bad("columns", format!("it names {name:?} twice")));
        }
        columns.push(name);
    }
    Ok(columns)
}

/// `-price,name.nullsfirst`
fn sort(text: &str) -> Result<Vec<SortColumn>, Problem> {
    let allowed = ["column", "-column", "column.nullsfirst", "column.nullslast"];
    let bad = |detail: &str| bad("sort", detail).allowed(allowed);
    let items = split(text).ok_or_else(|| bad("a double quote is not closed"))?;
    let one = |item: &str| {
        let (descending, item) = match item.strip_prefix('-') {
            Some(item) => (true, item),
            None => (false, item),
        };
        let ends = [
            (".nullsfirst", NullsOrder::First),
            (".nullslast", NullsOrder::Last),
        ];
        let found = ends
            .iter()
            .find_map(|(end, nulls)| Some((item.strip_suffix(end)?, *nulls)));
        let (name, nulls) = found.map_or((item, None), |(name, nulls)| (name, Some(nulls)));
        let column = unquote(name);
        if column.is_empty() {
            return Err(bad("columns with commas between them; one is empty"));
        }
        Ok(SortColumn {
            column,
            descending,
            nulls,
        })
    };
    items.into_iter().map(one).collect()
}

/// The pieces between commas, but for commas between double quotes; `None` if a quote is open.
fn split(text: &str) -> Option<Vec<&str>> {
    let mut pieces = Vec::new();
    let (mut start, mut quoted) = (0, false);
    for (at, letter) in text.char_indices() {
        match letter {
            '"' => quoted = !quoted,
            ',' if !quoted => {
                pieces.push(text[start..at].trim());
                start = at + 1;
            }
            _ => {}
        }
    }
    pieces.push(text[start..].trim());
    (!quoted).then_some(pieces)
}

fn unquote(name: &str) -> String {
    let inner = name
        .strip_prefix('"')
        .and_then(|name| name.strip_suffix('"'));
    inner.map_or_else(|| name.to_owned(), |inner| inner.replace("\"\"", "\""))
}
