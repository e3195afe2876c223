//! SQL text: the only place where identifiers and conditions are put together.
//!
//! Identifiers come from the catalogue, already quoted; every value is a parameter, sent as text and cast
//! to its column's type by PostgreSQL.

use super::catalog::{Ordering, TableDef};
use protocol::{FilterOp, NullsOrder};
use view_index::OrderColumn;

/// A condition on one row of a table, called `t`, with its parameters from `$1` on.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Condition {
    /// SQL of type boolean.
    pub sql: String,
    /// What `$1`, `$2`, … stand for.
    pub params: Vec<String>,
}

impl Condition {
    /// `t.column op value`, the values being canonical texts of the column's type.
    pub fn test(table: &TableDef, column: usize, op: FilterOp, values: &[String]) -> Self {
        let def = &table.columns[column];
        let name = format!("t.{}", def.sql_name);
        let typed = |nth: usize| format!("${nth}::text::{}", def.sql_type);
        let as_text = format!("({name})::text{}", default_collation(table, column));
        let pattern = |prefix: &str| {
            let value = values.first().map(String::as_str).unwrap_or_default();
            vec![format!("{prefix}{}%", escape_like(value))]
        };
        let compare = |operator: &str| format!("{name} {operator} {}", typed(1));
        let (sql, params) = match op {
            FilterOp::Eq => (compare("="), values.to_vec()),
            FilterOp::Ne => (compare("<>"), values.to_vec()),
            FilterOp::Lt => (compare("<"), values.to_vec()),
            FilterOp::Le => (compare("<="), values.to_vec()),
            FilterOp::Gt => (compare(">"), values.to_vec()),
            FilterOp::Ge => (compare(">="), values.to_vec()),
            FilterOp::Between => (
                format!("{name} BETWEEN {} AND {}", typed(1), typed(2)),
                values.to_vec(),
            ),
            FilterOp::In => {
                let list: Vec<String> = (1..=values.len()).map(typed).collect();
                (format!("{name} IN ({})", list.join(", ")), values.to_vec())
            }
            FilterOp::Contains => (format!("{as_text} ILIKE $1::text"), pattern("%")),
            FilterOp::StartsWith => (format!("{as_text} ILIKE $1::text"), pattern("")),
            FilterOp::IsNull => (format!("{name} IS NULL"), Vec::new()),
        };
        Self { sql, params }
    }

    /// All (`AND`) or any (`OR`) of them; an empty list is true or false.
    pub fn join(list: Vec<Self>, all: bool) -> Self {
        if list.is_empty() {
            return Self {
                sql: all.to_string(),
                params: Vec::new(),
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
        }
        joined
    }

    /// It does not hold.
    pub fn negate(self) -> Self {
        Self {
            sql: format!("NOT ({})", self.sql),
            params: self.params,
        }
    }

    /// The SQL with parameters from `$(offset + 1)` on.
    pub fn renumbered(&self, offset: usize) -> String {
        let mut sql = String::with_capacity(self.sql.len());
        let mut rest = self.sql.as_str();
        // `$` stands nowhere else: a quoted identifier with one in it is followed by no cast.
        while let Some(at) = rest.find('$') {
            let digits = rest[at + 1..]
                .bytes()
                .take_while(u8::is_ascii_digit)
                .count();
            let (number, behind) = rest[at + 1..].split_at(digits);
            sql.push_str(&rest[..=at]);
            match number.parse::<usize>() {
                Ok(number) if behind.starts_with("::text") => {
                    sql.push_str(&(number + offset).to_string());
                }
                _ => sql.push_str(number),
            }
            rest = behind;
        }
        sql.push_str(rest);
        sql
    }
}

/// `ILIKE` refuses nondeterministic collations, so it gets the database's own.
fn default_collation(table: &TableDef, column: usize) -> &'static str {
    let def = &table.columns[column];
    match def.ordering {
        Ordering::Asked { collation: Some(_) } if !def.equal_is_same_text => {
            " COLLATE pg_catalog.\"default\""
        }
        _ => "",
    }
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
    }

    #[test]
    fn empty_lists_are_neutral() {
        assert_eq!(Condition::join(Vec::new(), true).sql, "true");
        assert_eq!(Condition::join(Vec::new(), false).sql, "false");
    }
}
