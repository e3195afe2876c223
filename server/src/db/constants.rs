//! What the constants of a filter mean: PostgreSQL reads each, and says so in its own words.

use std::time::Duration;

use sqlx::postgres::PgPool;
use sqlx::{AssertSqlSafe, Row};

use super::bounded::bounded;
use super::catalog::ColumnDef;
use super::query::PREDICATE;

/// A constant as a client wrote it.
#[derive(Clone, Debug)]
pub enum Constant<'a> {
    /// A value of the column's type.
    Value(&'a ColumnDef, String),
    /// Elements of the column's type, which is an array that its elements can be looked for in.
    Elements(&'a ColumnDef, Vec<String>),
    /// A regular expression.
    Pattern(String),
    /// JSON.
    Json(String),
    /// A path into JSON.
    JsonPath(String),
    /// A length of time.
    Interval(String),
}

impl Constant<'_> {
    /// How many texts PostgreSQL writes for it: its canonical form; for a path also how it is asked
    /// (as a predicate or not); for an interval also its length in seconds.
    pub fn texts(&self) -> usize {
        match self {
            Self::JsonPath(_) | Self::Interval(_) => 2,
            _ => 1,
        }
    }

    /// The texts as SQL; what was written becomes further parameters.
    fn sql(&self, params: &mut Vec<String>) -> Vec<String> {
        let mut param = |text: &str| {
            params.push(text.to_owned());
            format!("${}::text", params.len())
        };
        match self {
            Self::Value(column, text) => {
                vec![column.told(&format!("{}::{}", param(text), column.sql_type))]
            }
            Self::Elements(column, texts) => {
                let list: Vec<String> = texts.iter().map(|text| param(text)).collect();
                // The comparison fails if the elements have no equality.
                vec![format!(
                    "(SELECT CASE WHEN list @> list THEN list::text END \
                     FROM (SELECT ARRAY[{}]::text[]::{} AS list) AS of)",
                    list.join(", "),
                    column.sql_type,
                )]
            }
            Self::Pattern(text) => {
                let text = param(text);
                vec![format!("CASE WHEN '' ~ {text} THEN {text} ELSE {text} END")]
            }
            Self::Json(text) => vec![format!("{}::jsonb::text", param(text))],
            Self::JsonPath(text) => {
                let path = format!("{}::jsonpath", param(text));
                // A predicate says true, false or null of whatever it is asked; any other path finds at
                // most the number itself.
                let kind = format!(
                    "(SELECT CASE WHEN count(*) = 1 AND \
                     bool_and(jsonb_typeof(item) IN ('boolean', 'null')) \
                     THEN '{PREDICATE}' ELSE 'exists' END \
                     FROM jsonb_path_query('1'::jsonb, {path}, '{{}}', true) AS item)"
                );
                vec![format!("{path}::text"), kind]
            }
            Self::Interval(text) => {
                let interval = format!("{}::interval", param(text));
                vec![
                    format!("{interval}::text"),
                    format!("extract(epoch FROM {interval})::text"),
                ]
            }
        }
    }
}

/// The canonical texts of constants, each as often as [`Constant::texts`] says: what PostgreSQL reads
/// them as, values the way rows are written. One statement, which may take as long as `limit`.
///
/// # Errors
/// If one cannot be read; PostgreSQL's message names it.
pub async fn canonical(
    pool: &PgPool,
    constants: &[Constant<'_>],
    limit: Duration,
) -> Result<Vec<String>, sqlx::Error> {
    if constants.is_empty() {
        return Ok(Vec::new());
    }
    let mut params = Vec::new();
    let texts: Vec<String> = constants
        .iter()
        .flat_map(|constant| constant.sql(&mut params))
        .collect();
    let sql = format!("SELECT ARRAY[{}]", texts.join(", "));
    let mut query = sqlx::query(AssertSqlSafe(sql));
    for param in &params {
        query = query.bind(param);
    }
    let mut transaction = bounded(pool, limit).await?;
    let row = query.fetch_one(&mut *transaction).await?;
    transaction.commit().await?;
    row.try_get(0)
}
