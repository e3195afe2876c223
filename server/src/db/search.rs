//! How a table can be searched, and what PostgreSQL makes of the words.

use std::time::Duration;

use sqlx::postgres::{PgPool, PgRow};
use sqlx::{AssertSqlSafe, Row};

use super::bounded::bounded;
use super::catalog::TableDef;
use super::explain::explain;
use super::query::Condition;

/// An index for full-text search.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct TextIndex {
    /// What it indexes: SQL of type tsvector, about a row of the table (columns are named without it).
    pub document: String,
    /// The configuration that the document was made with, as PostgreSQL writes it.
    pub configuration: String,
    /// The columns that the document is made of: places in the table.
    pub columns: Vec<usize>,
}

/// What serves a search in a table.
#[derive(Clone, Debug, Default)]
pub struct SearchIndexes {
    /// Full-text search, if there is an index for it.
    pub full_text: Option<TextIndex>,
    /// The columns that have a trigram index: places in the table, ascending.
    pub trigrams: Vec<usize>,
}

/// What full-text search makes of words.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct TextQuery {
    /// The query, as PostgreSQL writes a tsquery.
    pub query: String,
    /// The lexemes of the words that are not stop words.
    pub lexemes: Vec<String>,
}

/// Valid indexes of all rows, GIN before GiST, oldest first: for full text their expressions, and the
/// configuration that these (or the expression of a generated column) name.
const INDEXES: &str = r#"
SELECT op.opcname::text AS class, part.document, part.place, made.columns,
       coalesce(
           replace(substring(concat(part.document, ' ', generated.expression)
                             FROM 'to_tsvector\(''((?:[^'']|'''')+)''::regconfig'), '''''', ''''),
           current_setting('default_text_search_config')) AS configuration
  FROM pg_catalog.pg_index i
  JOIN pg_catalog.pg_class c ON c.oid = i.indexrelid
  JOIN pg_catalog.pg_am am ON am.oid = c.relam
 CROSS JOIN LATERAL unnest(i.indclass::oid[]) WITH ORDINALITY AS class(oid, nth)
  JOIN pg_catalog.pg_opclass op ON op.oid = class.oid
 CROSS JOIN LATERAL (
       SELECT pg_get_indexdef(i.indexrelid, class.nth::int, true) AS document,
              i.indkey[(class.nth - 1)::int]::int AS place) AS part
 CROSS JOIN LATERAL (
       SELECT array_agg(DISTINCT d.refobjsubid) AS columns FROM pg_catalog.pg_depend d
        WHERE d.classid = 'pg_catalog.pg_class'::regclass AND d.objid = i.indexrelid
          AND d.refclassid = 'pg_catalog.pg_class'::regclass AND d.refobjid = i.indrelid
          AND d.refobjsubid > 0) AS made
  LEFT JOIN LATERAL (
       SELECT pg_get_expr(ad.adbin, ad.adrelid) AS expression FROM pg_catalog.pg_attrdef ad
        WHERE ad.adrelid = i.indrelid AND ad.adnum = part.place) AS generated ON true
 WHERE i.indrelid = $1 AND i.indisvalid AND i.indisready AND i.indpred IS NULL
   AND am.amname IN ('gin', 'gist')
   AND (op.opcintype = 'pg_catalog.tsvector'::regtype
        OR op.opcname IN ('gin_trgm_ops', 'gist_trgm_ops') AND part.place > 0)
 ORDER BY am.amname, i.indexrelid, class.nth"#;

/// The places of a table's columns, by PostgreSQL's numbers of them.
const NUMBERS: &str = "
SELECT a.attname::text, a.attnum::int FROM pg_catalog.pg_attribute a
 WHERE a.attrelid = $1 AND a.attnum > 0 AND NOT a.attisdropped";

/// What serves a search in this table: two statements.
///
/// # Errors
/// If PostgreSQL cannot be asked.
pub async fn search_indexes(pool: &PgPool, table: &TableDef) -> Result<SearchIndexes, sqlx::Error> {
    let oid = sqlx::postgres::types::Oid(table.oid);
    let mut connection = pool.acquire().await?;
    let numbers: Vec<(String, i32)> = sqlx::query_as(NUMBERS)
        .bind(oid)
        .fetch_all(&mut *connection)
        .await?;
    let place = |number: i32| {
        let (name, _) = numbers.iter().find(|(_, known)| *known == number)?;
        table.column(name)
    };
    let mut found = SearchIndexes::default();
    let rows = sqlx::query(INDEXES)
        .bind(oid)
        .fetch_all(&mut *connection)
        .await?;
    for row in rows {
        let class: String = row.try_get("class")?;
        if class.ends_with("trgm_ops") {
            let number: i32 = row.try_get("place")?;
            found.trigrams.extend(place(number));
        } else if found.full_text.is_none() {
            found.full_text = text_index(&row, place)?;
        }
    }
    found.trigrams.sort_unstable();
    found.trigrams.dedup();
    Ok(found)
}

/// `None` if a column of it is not known (the table was altered just now).
fn text_index(
    row: &PgRow,
    place: impl Fn(i32) -> Option<usize>,
) -> Result<Option<TextIndex>, sqlx::Error> {
    let numbers: Option<Vec<i32>> = row.try_get("columns")?;
    let columns: Option<Vec<usize>> = numbers.unwrap_or_default().into_iter().map(place).collect();
    let (document, configuration) = (row.try_get("document")?, row.try_get("configuration")?);
    Ok(columns.map(|columns| TextIndex {
        document,
        configuration,
        columns,
    }))
}

/// Whether a condition holds for at most so many rows: by the planner's estimate and, since that knows
/// little of the beginnings of words, by counting that far for as long as `limit`.
///
/// # Errors
/// If PostgreSQL cannot be asked.
pub async fn finds_at_most(
    pool: &PgPool,
    table: &TableDef,
    condition: &Condition,
    max: u32,
    limit: Duration,
) -> Result<bool, sqlx::Error> {
    let from = format!("FROM {} AS t WHERE {}", table.sql_name, condition.sql);
    let mut transaction = bounded(pool, limit).await?;
    let plan = explain(
        &mut transaction,
        &format!("SELECT {from}"),
        &condition.params,
    )
    .await?;
    if plan.rows > f64::from(max) {
        return Ok(false);
    }
    let sql = format!("SELECT count(*) FROM (SELECT {from} LIMIT {max} + 1) AS found");
    let mut query = sqlx::query_scalar(AssertSqlSafe(sql)).persistent(false);
    for param in &condition.params {
        query = query.bind(param);
    }
    let found: Result<i64, sqlx::Error> = query.fetch_one(&mut *transaction).await;
    match found {
        Ok(found) => {
            transaction.commit().await?;
            Ok(found <= i64::from(max))
        }
        Err(error) => {
            let state = error.as_database_error().and_then(|error| error.code());
            if state.as_deref() == Some("57014") {
                Ok(false)
            } else {
                Err(error)
            }
        }
    }
}

/// The words as a query for full-text search: all of them, the last one also as the beginning of a word.
/// `None` if it consists of words that full-text search leaves out.
///
/// # Errors
/// If PostgreSQL cannot be asked.
pub async fn text_query(
    pool: &PgPool,
    index: &TextIndex,
    words: &[String],
) -> Result<Option<TextQuery>, sqlx::Error> {
    let quote = |word: &String| format!("'{}'", word.replace('\\', "\\\\").replace('\'', "''"));
    let all: Vec<String> = words.iter().map(quote).collect();
    let sql = "SELECT query::text, numnode(query), lexemes FROM (SELECT \
               to_tsquery($1::text::regconfig, $2) AS query, \
               tsvector_to_array(to_tsvector($1::text::regconfig, $3)) AS lexemes) AS made";
    let row = sqlx::query(sql)
        .bind(&index.configuration)
        .bind(format!("{}:*", all.join(" & ")))
        .bind(words.join(" "))
        .fetch_one(pool)
        .await?;
    let nodes: i32 = row.try_get(1)?;
    let (query, lexemes) = (row.try_get(0)?, row.try_get(2)?);
    Ok((nodes > 0).then_some(TextQuery { query, lexemes }))
}
