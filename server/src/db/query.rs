//! SQL text: the only place where identifiers and conditions are put together.
//!
//! Identifiers come from the catalogue, already quoted; every value is a parameter, sent as text and cast
//! to its column's type by PostgreSQL.

use protocol::{ColumnKind, FilterOp, NullsOrder};
use view_index::OrderColumn;

use super::catalog::{ColumnDef, Ordering, TableDef};

/// A condition on one row of a table, called `t`, with its parameters from `$1` on.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Condition {
    /// SQL of type boolean.
    pub sql: String,
    /// What `$1`, `$2`, … stand for.
    pub params: Vec<String>,
    /// One row's verdict may take long: it runs a pattern that somebody wrote.
    pub is_costly: bool,
}

impl Condition {
    /// `t.column op value`, the values being as [`canonical`](super::constants::canonical) writes them.
    pub fn test(table: &TableDef, column: usize, op: FilterOp, values: &[String]) -> Self {
        let def = &table.columns[column];
        let name = format!("t.{}", def.sql_name);
        let typed = |nth: usize| def.read(&format!("${nth}::text"));
        let as_text = text_of(def);
        let first = || values[..1].to_vec();
        let pattern = |prefix: &str| {
            let value = values.first().map(String::as_str).unwrap_or_default();
            vec![format!("{prefix}{}%", escape_like(value))]
        };
        let compare = |operator: &str| format!("{name} {} {}", def.operator(operator), typed(1));
        // Lists of elements are written as PostgreSQL writes an array, not as rows show one.
        let literal = |operator: &str| format!("{name} {operator} $1::text::{}", def.sql_type);
        let (sql, params) = match op {
            FilterOp::Eq => (compare("="), values.to_vec()),
            FilterOp::Ne => (compare("<>"), values.to_vec()),
            FilterOp::Lt => (compare("<"), values.to_vec()),
            FilterOp::Le => (compare("<="), values.to_vec()),
            FilterOp::Gt => (compare(">"), values.to_vec()),
            FilterOp::Ge => (compare(">="), values.to_vec()),
            FilterOp::Between => (
                format!(
                    "{name} {} {} AND {name} {} {}",
                    def.operator(">="),
                    typed(1),
                    def.operator("<="),
                    typed(2)
                ),
                values.to_vec(),
            ),
            FilterOp::In => {
                let list: Vec<String> = (1..=values.len()).map(typed).collect();
                (format!("{name} IN ({})", list.join(", ")), values.to_vec())
            }
            FilterOp::Contains => (format!("{as_text} ILIKE $1::text"), pattern("%")),
            FilterOp::StartsWith => (format!("{as_text} ILIKE $1::text"), pattern("")),
            FilterOp::IsNull => (def.is_null(&name), Vec::new()),
            FilterOp::Matches => (format!("{as_text} ~ $1::text"), first()),
            FilterOp::IMatches => (format!("{as_text} ~* $1::text"), first()),
            FilterOp::ArrayContains => (literal("@>"), first()),
            FilterOp::ArrayContained => (literal("<@"), first()),
            FilterOp::Overlaps => (literal("&&"), first()),
            FilterOp::JsonContains => (format!("{name} @> $1::text::jsonb"), first()),
            FilterOp::JsonPath => {
                let is_predicate = values.get(1).is_some_and(|kind| kind == PREDICATE);
                let operator = if is_predicate { "@@" } else { "@?" };
                (format!("{name} {operator} $1::text::jsonpath"), first())
            }
            FilterOp::WithinLast | FilterOp::WithinNext => {
                let instant = match def.shown.kind {
                    ColumnKind::Date => "date",
                    ColumnKind::Timestamp => "timestamp",
                    _ => "timestamptz",
                };
                let sql = format!("{name} > $1::text::{instant} AND {name} <= $2::text::{instant}");
                (sql, values.to_vec())
            }
        };
        let is_costly = matches!(
            op,
            FilterOp::Matches | FilterOp::IMatches | FilterOp::JsonPath
        );
        Self {
            sql,
            params,
            is_costly,
        }
    }

    /// One of the columns, as text, contains the words, ignoring case; every word must be found.
    pub fn words(table: &TableDef, columns: &[usize], words: &[String]) -> Self {
        let found = |nth: usize| {
            let one = |&column: &usize| {
                let text = text_of(&table.columns[column]);
                format!("{text} ILIKE ${nth}::text")
            };
            let any: Vec<String> = columns.iter().map(one).collect();
            format!("({})", any.join(" OR "))
        };
        let all: Vec<String> = (1..=words.len()).map(found).collect();
        let pattern = |word: &String| format!("%{}%", escape_like(word));
        Self {
            sql: all.join(" AND "),
            params: words.iter().map(pattern).collect(),
            is_costly: false,
        }
    }

    /// A document (SQL of type tsvector, about one row) satisfies a query for full-text search.
    pub fn full_text(document: &str, query: String) -> Self {
        Self {
            sql: format!("({document}) @@ $1::text::tsquery"),
            params: vec![query],
            is_costly: false,
        }
    }

    /// All (`AND`) or any (`OR`) of them; an empty list is true or false.
    pub fn join(list: Vec<Self>, all: bool) -> Self {
        if list.is_empty() {
            return Self {
                sql: all.to_string(),
                ..Self::default()
            };
        }
        let mut joined = Self::default();
        for inner in list {
            if !joined.sql.is_empty() {
                joined.sql.push_str(if all { " AND " } else { " OR " });
            }
            joined
                .sql
                .push_str(&format!("({})", inner.renumbered(joined.params.len())));
            joined.params.extend(inner.params);
            joined.is_costly |= inner.is_costly;
        }
        joined
    }

    /// It does not hold.
    pub fn negate(self) -> Self {
        Self {
            sql: format!("NOT ({})", self.sql),
            ..self
        }
    }

    /// It does not hold, or is not known to.
    pub fn negate_known(self) -> Self {
        Self {
            sql: format!("({}) IS NOT TRUE", self.sql),
            ..self
        }
    }

    /// The SQL with parameters from `$(offset + 1)` on.
    pub fn renumbered(&self, offset: usize) -> String {
        let mut sql = String::with_capacity(self.sql.len());
        let mut rest = self.sql.as_str();
        // What is quoted (an index's expression may hold strings) is left alone. A doubled quote inside
        // ends and begins quoting at once.
        let mut quote = None;
        while let Some(at) = rest.find(['$', '\'', '"']) {
            let found = rest.as_bytes()[at];
            sql.push_str(&rest[..=at]);
            rest = &rest[at + 1..];
            match quote {
                Some(open) if open == found => quote = None,
                Some(_) => {}
                None if found != b'$' => quote = Some(found),
                None => {
                    let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
                    let (number, behind) = rest.split_at(digits);
                    match number.parse::<usize>() {
                        Ok(number) => sql.push_str(&(number + offset).to_string()),
                        Err(_) => sql.push_str(number),
                    }
                    rest = behind;
                }
            }
        }
        sql.push_str(rest);
        sql
    }
}

/// The rank of a row in a search, as text; null for a document that is.
pub fn rank(document: &str, query: String) -> Condition {
    Condition {
        sql: format!("ts_rank_cd(({document}), $1::text::tsquery)::text"),
        params: vec![query],
        is_costly: false,
    }
}

/// A table with the rank of each row in a search as its last column, as it stands behind `FROM`. It has no
/// parameters, since queries number theirs in many ways: the query is written in hexadecimal digits.
pub fn with_rank(table: &TableDef, document: &str, query: &str, name: &str) -> String {
    let digits: String = query.bytes().map(|byte| format!("{byte:02x}")).collect();
    let query = format!("pg_catalog.convert_from(pg_catalog.decode('{digits}', 'hex'), 'UTF8')");
    format!(
        "(SELECT t.*, ts_rank_cd(({document}), {query}::tsquery) AS {name} FROM {} AS t)",
        table.sql_name
    )
}

/// How a path is asked that is true or false, as [`canonical`](super::constants::canonical) says it.
pub(super) const PREDICATE: &str = "predicate";

/// A column of `t` as text. Patterns refuse nondeterministic collations, so it gets the database's own.
fn text_of(def: &ColumnDef) -> String {
    let collate = match def.ordering {
        Ordering::Asked { collation: Some(_) } if !def.equal_is_same_text => {
            " COLLATE pg_catalog.\"default\""
        }
        _ => "",
    };
    format!("(t.{})::text{collate}", def.sql_name)
}

fn escape_like(text: &str) -> String {
    text.replace('\\', "\\\\")
        .replace('%', "\\%")
        .replace('_', "\\_")
}

/// `ORDER BY` of a view.
pub fn order_by(table: &TableDef, order: &[OrderColumn]) -> String {
    let column = |by: &OrderColumn| {
        format!(
            "t.{} {} NULLS {}",
            table.columns[by.column].sql_name,
            if by.descending { "DESC" } else { "ASC" },
            if by.nulls_first { "FIRST" } else { "LAST" },
        )
    };
    order.iter().map(column).collect::<Vec<_>>().join(", ")
}

/// The places of an order's columns, ascending: rows that hold nothing else have them in the table's order.
pub fn order_by_columns(order: &[OrderColumn]) -> Vec<usize> {
    let mut columns: Vec<usize> = order.iter().map(|by| by.column).collect();
    columns.sort_unstable();
    columns
}

/// `ORDER BY` of a view from its end.
pub fn order_by_reversed(table: &TableDef, order: &[OrderColumn]) -> String {
    let reversed = |by: &OrderColumn| OrderColumn {
        descending: !by.descending,
        nulls_first: !by.nulls_first,
        ..*by
    };
    order_by(table, &order.iter().map(reversed).collect::<Vec<_>>())
}

/// Whether `NULL`s stand first: as asked, else as PostgreSQL has it.
pub fn nulls_first(descending: bool, nulls: Option<NullsOrder>) -> bool {
    nulls.map_or(descending, |nulls| nulls == NullsOrder::First)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn condition(sql: &str, params: &[&str]) -> Condition {
        let params = params.iter().map(|&param| param.to_owned()).collect();
        Condition {
            sql: sql.to_owned(),
            params,
            is_costly: false,
        }
    }

    #[test]
    fn joining_renumbers_parameters() {
        let joined = Condition::join(
            vec![
                condition("t.a = $1::text::int", &["1"]),
                condition("t.b BETWEEN $1::text::int AND $2::text::int", &["2", "3"]).negate(),
            ],
            true,
        );
        let sql = "(t.a = $1::text::int) AND (NOT (t.b BETWEEN $2::text::int AND $3::text::int))";
        assert_eq!(joined, condition(sql, &["1", "2", "3"]));
    }

    #[test]
    fn a_dollar_in_an_identifier_is_no_parameter() {
        let odd = condition(r#"t."a$1" = $1::text::int"#, &["1"]);
        assert_eq!(odd.renumbered(4), r#"t."a$1" = $5::text::int"#);
        let odd = condition(r#"f('it''s $1', "a""$2") = $1::text::int"#, &["1"]);
        assert_eq!(
            odd.renumbered(1),
            r#"f('it''s $1', "a""$2") = $2::text::int"#
        );
    }

    #[test]
    fn empty_lists_are_neutral() {
        assert_eq!(Condition::join(Vec::new(), true).sql, "true");
        assert_eq!(Condition::join(Vec::new(), false).sql, "false");
    }
}
