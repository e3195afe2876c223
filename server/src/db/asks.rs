//! What only PostgreSQL can say: whether a condition holds for an image, and where a text stands in an
//! order.

use std::sync::Arc;
use std::time::Duration;

use protocol::Value;
use sqlx::postgres::PgPool;
use sqlx::{AssertSqlSafe, Row};
use view_index::{Placement, TableChanges, TableRow, Verdicts};

use super::bounded::bounded;
use super::catalog::{ColumnDef, TableDef};
use super::decode::{record_sql, row_to_json};
use super::query::Condition;

/// Whether each condition holds for each image and each current row: one statement, which may take as
/// long as `limit` says, else as any query.
///
/// # Errors
/// If PostgreSQL cannot evaluate them, or not in time.
pub async fn verdicts(
    pool: &PgPool,
    table: &TableDef,
    conditions: &[&Condition],
    changes: &TableChanges,
    limit: Option<Duration>,
) -> Result<Verdicts, sqlx::Error> {
    if conditions.is_empty() {
        return Ok(Verdicts::default());
    }
    let (images, sides) = (images(table, changes), changes.sides.len());
    let (sql, params) = ask_images(table, conditions);
    let mut query = sqlx::query(AssertSqlSafe(sql)).bind(&images);
    for param in params {
        query = query.bind(param);
    }
    let mut all = Vec::with_capacity(images.len() * conditions.len());
    let rows = match limit {
        None => query.fetch_all(pool).await?,
        Some(limit) => {
            let mut transaction = bounded(pool, limit).await?;
            let rows = query.fetch_all(&mut *transaction).await?;
            transaction.commit().await?;
            rows
        }
    };
    for row in rows {
        let verdicts: Vec<Option<bool>> = row.try_get(0)?;
        all.extend(verdicts);
    }
    let current = all.split_off(sides * conditions.len());
    Ok(Verdicts {
        conditions: conditions.len(),
        sides: all,
        current,
    })
}

/// Whether the type `$3` has a length that is padded in arrays (timetz: 12 bytes in 16; macaddr: 6 in 8).
/// PostgreSQL's `width_bucket` forgets the padding, and compares with what is not there.
const PADDED: &str = "SELECT typlen > 0 AND typlen % CASE typalign \
    WHEN 'd' THEN 8 WHEN 'i' THEN 4 WHEN 's' THEN 2 ELSE 1 END <> 0 \
    FROM pg_catalog.pg_type WHERE oid = $3::text::regtype";

/// The scores of each image, then of each current row, for each of these rankings: one statement.
///
/// # Errors
/// If PostgreSQL cannot evaluate them.
pub async fn scores(
    pool: &PgPool,
    table: &TableDef,
    rankings: &[&Condition],
    changes: &TableChanges,
) -> Result<Vec<Vec<Option<f64>>>, sqlx::Error> {
    if rankings.is_empty() {
        return Ok(Vec::new());
    }
    let (images, (sql, params)) = (images(table, changes), ask_images(table, rankings));
    let mut query = sqlx::query(AssertSqlSafe(sql)).bind(&images);
    for param in params {
        query = query.bind(param);
    }
    let mut all = vec![Vec::with_capacity(images.len()); rankings.len()];
    for row in query.fetch_all(pool).await? {
        let texts: Vec<Option<String>> = row.try_get(0)?;
        for (scores, text) in all.iter_mut().zip(texts) {
            scores.push(text.and_then(|text| text.parse().ok()));
        }
    }
    Ok(all)
}

/// Every image, then every current row (`None` for none), as [`record_sql`] reads them.
fn images(table: &TableDef, changes: &TableChanges) -> Vec<Option<String>> {
    let sides = changes.sides.iter().map(|side| Some(&side.row));
    let all = sides.chain(changes.current.iter().map(|(_, row)| row.as_ref()));
    let image = |row: Option<&Arc<TableRow>>| row.map(|row| row_to_json(table, row));
    all.map(image).collect()
}

/// A statement that evaluates these expressions for each image in `$1`, and its other parameters.
fn ask_images<'a>(table: &TableDef, expressions: &[&'a Condition]) -> (String, Vec<&'a String>) {
    let mut list = Vec::with_capacity(expressions.len());
    let mut params = Vec::new();
    for expression in expressions {
        list.push(format!("({})", expression.renumbered(params.len() + 1)));
        params.extend(&expression.params);
    }
    // `t` stands alone in its query: the expression of an index names its columns without it.
    let sql = format!(
        "SELECT (SELECT ARRAY[{}] FROM {} AS t) \
         FROM unnest($1::text[]) WITH ORDINALITY AS i(image, nth) ORDER BY i.nth",
        list.join(", "),
        record_sql(table, "i.image"),
    );
    (sql, params)
}

/// Where new texts stand among `bounds`, which are ascending and distinct: one statement.
///
/// # Errors
/// If PostgreSQL cannot order them.
pub async fn placements(
    pool: &PgPool,
    sql_type: &str,
    collation: Option<&str>,
    texts: &[String],
    bounds: &[String],
) -> Result<Vec<Placement>, sqlx::Error> {
    let collate = collation
        .map(|name| format!(" COLLATE {name}"))
        .unwrap_or_default();
    let sql = format!(
        "SELECT text, bucket, coalesce(bucket > 0 AND bounds[bucket] = value{collate}, false), \
                dense_rank() OVER (ORDER BY value{collate}) \
           FROM (SELECT n.text, n.text::{sql_type} AS value, b.bounds, \
                        CASE WHEN cardinality(b.bounds) = 0 THEN 0 \
                             WHEN b.padded THEN (SELECT count(*)::int FROM unnest(b.bounds) AS bound \
                                                  WHERE bound <= n.text::{sql_type}{collate}) \
                             ELSE width_bucket(n.text::{sql_type}{collate}, b.bounds) END AS bucket \
                   FROM (SELECT DISTINCT text COLLATE \"C\" AS text FROM unnest($1::text[]) AS text) n, \
                        (SELECT $2::text[]::{sql_type}[] AS bounds, ({PADDED}) AS padded) b) asked"
    );
    ask_placements(pool, sql, &[texts, bounds], Some(sql_type)).await
}

/// The same for arrays, composites and types with operators of other names: the bounds are sorted in with
/// the new ones. With the type it is said whether its values are read [from records](ColumnDef::from_record).
///
/// # Errors
/// If PostgreSQL cannot order them.
pub async fn sorted_placements(
    pool: &PgPool,
    (sql_type, from_record): (&str, bool),
    collation: Option<&str>,
    texts: &[String],
    bounds: &[String],
) -> Result<Vec<Placement>, sqlx::Error> {
    let collate = collation
        .map(|name| format!(" COLLATE {name}"))
        .unwrap_or_default();
    let (value, read) = if from_record {
        let record = format!(
            ", json_to_record(json_build_object('value', n.text::json)) AS read (value {sql_type})"
        );
        ("read.value".to_owned(), record)
    } else {
        (format!("n.text::{sql_type}"), String::new())
    };
    let sql = format!(
        "SELECT text, bucket, equals_bound, place \
           FROM (SELECT text, nth, \
                        (max(nth) OVER (ORDER BY value))::int4 AS bucket, \
                        bool_or(nth > 0) OVER (PARTITION BY value) AS equals_bound, \
                        dense_rank() OVER (ORDER BY value) AS place \
                   FROM (SELECT n.text, n.nth, {value}{collate} AS value \
                           FROM (SELECT DISTINCT text COLLATE \"C\" AS text, 0::int8 AS nth \
                                   FROM unnest($1::text[]) AS text \
                                 UNION ALL \
                                 SELECT b.text, b.nth \
                                   FROM unnest($2::text[]) WITH ORDINALITY AS b (text, nth)) n{read}) \
                        AS known) AS placed \
          WHERE nth = 0"
    );
    ask_placements(pool, sql, &[texts, bounds], None).await
}

async fn ask_placements(
    pool: &PgPool,
    sql: String,
    lists: &[&[String]],
    sql_type: Option<&str>,
) -> Result<Vec<Placement>, sqlx::Error> {
    let query = sqlx::query(AssertSqlSafe(sql));
    let mut query = lists.iter().fold(query, |query, &list| query.bind(list));
    if let Some(sql_type) = sql_type {
        query = query.bind(sql_type);
    }
    let rows = query.fetch_all(pool).await?;
    let placement = |row: sqlx::postgres::PgRow| {
        let bucket: i32 = row.try_get(1)?;
        Ok(Placement {
            text: row.try_get(0)?,
            bucket: usize::try_from(bucket).unwrap_or(0),
            equals_bound: row.try_get(2)?,
            place: row.try_get(3)?,
        })
    };
    rows.into_iter().map(placement).collect()
}

/// A canonical text as the value that rows hold.
pub fn value_of(column: &ColumnDef, text: &str) -> Value {
    use protocol::ColumnKind;
    let parsed = match column.shown.kind {
        ColumnKind::Bool => text.parse().ok().map(Value::Bool),
        ColumnKind::Int => text.parse().ok().map(Value::Int),
        ColumnKind::Float => text.parse().ok().map(Value::Float),
        _ => None,
    };
    parsed.unwrap_or_else(|| Value::text(text))
}
