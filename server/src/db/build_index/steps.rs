//! The statements that create an index.

use sqlx::Row;
use sqlx::postgres::PgPool;

use crate::db::indexes::IndexDef;

/// One statement of several that create an index.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// Holds up nobody, and may take hours: the index is invalid until it ends, and if it fails.
    Concurrently {
        /// The statement.
        sql: String,
        /// The index, `schema.name`.
        index: String,
    },
    /// Is done in a moment, but waits for a lock that writers wait behind: it is given up soon, and tried
    /// again.
    Brief {
        /// The statement.
        sql: String,
        /// The index it creates, if it does, `schema.name`.
        index: Option<String>,
    },
}

impl Step {
    /// The statement.
    pub fn sql(&self) -> &str {
        match self {
            Self::Concurrently { sql, .. } | Self::Brief { sql, .. } => sql,
        }
    }

    /// The index it creates, if it does, `schema.name`.
    pub fn index(&self) -> Option<&str> {
        match self {
            Self::Concurrently { index, .. } => Some(index),
            Self::Brief { index, .. } => index.as_deref(),
        }
    }

    /// Whether writers would wait behind it.
    pub fn is_brief(&self) -> bool {
        matches!(self, Self::Brief { .. })
    }

    /// What drops its index again, in the same way.
    pub fn undo(&self) -> Option<Self> {
        Some(Self::drop(self.index()?, self.is_brief()))
    }

    /// Drops an index, `schema.name`. That of a partitioned table cannot be dropped concurrently.
    pub fn drop(index: &str, is_partitioned: bool) -> Self {
        if is_partitioned {
            Self::Brief {
                sql: format!("DROP INDEX IF EXISTS {index}"),
                index: Some(index.to_owned()),
            }
        } else {
            Self::Concurrently {
                sql: format!("DROP INDEX CONCURRENTLY IF EXISTS {index}"),
                index: index.to_owned(),
            }
        }
    }
}

/// A table or partition.
struct Part {
    sql_name: String,
    /// Quoted, with a dot.
    schema: String,
    parent: Option<String>,
    is_leaf: bool,
}

/// The parts of a table, it first, parents before their partitions; a plain table is one leaf.
const PARTS: &str = "
SELECT quote_ident(n.nspname) || '.' || quote_ident(c.relname) AS sql_name,
       quote_ident(n.nspname) || '.' AS schema,
       (SELECT quote_ident(pn.nspname) || '.' || quote_ident(p.relname)
          FROM pg_class p JOIN pg_namespace pn ON pn.oid = p.relnamespace
         WHERE p.oid = tree.parent) AS parent,
       tree.is_leaf
  FROM (SELECT $1::int8::oid AS relid, NULL::oid AS parent, true AS is_leaf, 0 AS level
         WHERE (SELECT relkind FROM pg_class WHERE oid = $1::int8::oid) <> 'p'
        UNION ALL
        SELECT relid, CASE WHEN level > 0 THEN parentrelid END, isleaf, level
          FROM pg_partition_tree($1::int8::oid)
         WHERE (SELECT relkind FROM pg_class WHERE oid = $1::int8::oid) = 'p') AS tree
  JOIN pg_class c ON c.oid = tree.relid
  JOIN pg_namespace n ON n.oid = c.relnamespace
 ORDER BY tree.level, n.nspname, c.relname";

/// The statements that create an index on a table (by its number).
///
/// # Errors
/// If PostgreSQL cannot be asked.
pub async fn steps(pool: &PgPool, table: u32, index: &IndexDef) -> Result<Vec<Step>, sqlx::Error> {
    let rows = sqlx::query(PARTS)
        .bind(i64::from(table))
        .fetch_all(pool)
        .await?;
    let part = |row: &sqlx::postgres::PgRow| {
        Ok(Part {
            sql_name: row.try_get("sql_name")?,
            schema: row.try_get("schema")?,
            parent: row.try_get("parent")?,
            is_leaf: row.try_get("is_leaf")?,
        })
    };
    let parts = rows
        .iter()
        .map(part)
        .collect::<Result<Vec<_>, sqlx::Error>>()?;
    Ok(steps_for(&parts, index))
}

/// The same as text: one statement, or several separated by semicolons.
///
/// # Errors
/// If PostgreSQL cannot be asked.
pub async fn statements(
    pool: &PgPool,
    table: u32,
    index: &IndexDef,
) -> Result<String, sqlx::Error> {
    let steps = steps(pool, table, index).await?;
    let sql: Vec<&str> = steps.iter().map(Step::sql).collect();
    Ok(sql.join(";\n"))
}

fn steps_for(parts: &[Part], index: &IndexDef) -> Vec<Step> {
    let mut steps = Vec::new();
    if let Some(extension) = index.extension {
        steps.push(Step::Brief {
            sql: format!("CREATE EXTENSION IF NOT EXISTS {extension}"),
            index: None,
        });
    }
    let named = |part: &Part| {
        let on = index.on(&part.sql_name);
        (format!("{}{}", part.schema, on.name()), on)
    };
    // An index has the schema of its table, so its name is written without.
    for part in parts.iter().filter(|part| part.is_leaf) {
        let (name, on) = named(part);
        steps.push(Step::Concurrently {
            sql: format!(
                "CREATE INDEX CONCURRENTLY {} ON {} {}",
                on.name(),
                on.table,
                on.definition()
            ),
            index: name,
        });
    }
    for part in parts.iter().filter(|part| !part.is_leaf) {
        let (name, on) = named(part);
        steps.push(Step::Brief {
            sql: format!(
                "CREATE INDEX {} ON ONLY {} {}",
                on.name(),
                on.table,
                on.definition()
            ),
            index: Some(name),
        });
    }
    // From the leaves up: a parent's index is valid once all of its partitions' are attached.
    for part in parts.iter().rev() {
        let parent = part
            .parent
            .as_ref()
            .and_then(|parent| parts.iter().find(|part| part.sql_name == *parent));
        if let Some(parent) = parent {
            steps.push(Step::Brief {
                sql: format!(
                    "ALTER INDEX {} ATTACH PARTITION {}",
                    named(parent).0,
                    named(part).0
                ),
                index: None,
            });
        }
    }
    steps
}
