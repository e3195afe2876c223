//! What tables there are: read from PostgreSQL's catalogue, the only source of identifiers.

use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;

use protocol::{Column, ColumnKind, TableInfo, TableSchema};
use sqlx::Row;
use sqlx::postgres::{PgPool, PgRow};

/// One table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TableDef {
    /// PostgreSQL's number of it.
    pub oid: u32,
    /// `schema.table`, quoted where SQL needs it.
    pub sql_name: String,
    /// The table's name alone if it is in the schema `public`.
    pub short_name: Option<String>,
    /// In the table's order, without dropped ones.
    pub columns: Vec<ColumnDef>,
    /// The primary key: places in `columns`, in key order.
    pub key: Vec<usize>,
    /// The table's comment.
    pub comment: Option<String>,
    /// PostgreSQL's estimate of the row count.
    pub estimated_rows: Option<u64>,
}

/// One column.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ColumnDef {
    /// The bare name.
    pub name: String,
    /// The name, quoted where SQL needs it.
    pub sql_name: String,
    /// The type without modifiers, as SQL: what text is cast to.
    pub sql_type: String,
    /// How its values are ordered.
    pub ordering: Ordering,
    /// Whether it is `jsonb`, or a domain over it.
    pub is_jsonb: bool,
    /// Whether `to_json` nests its values (arrays, composites, json) rather than writing a string.
    pub nested: bool,
    /// Whether `=` means the same bytes (text under a deterministic collation).
    pub equal_is_same_text: bool,
    /// What clients are told.
    pub shown: Column,
}

/// How a column's values are ordered.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Ordering {
    /// `boolean`
    Bool,
    /// Integers.
    Int,
    /// Floats.
    Float,
    /// `numeric`
    Numeric,
    /// `date`
    Date,
    /// `timestamp`, `timestamptz`
    Timestamp,
    /// By the bytes of the text.
    Bytes,
    /// Only PostgreSQL knows; text also needs the collation, as SQL.
    Asked {
        /// The collation, quoted; `None` for types without one.
        collation: Option<String>,
    },
    /// The type has no order.
    None,
}

impl TableDef {
    /// A column by its name.
    pub fn column(&self, name: &str) -> Option<usize> {
        self.columns.iter().position(|column| column.name == name)
    }

    /// What clients are told of a window on these columns.
    pub fn schema(&self, columns: &[usize]) -> TableSchema {
        TableSchema {
            name: self.sql_name.clone(),
            key: self
                .key
                .iter()
                .map(|&column| self.columns[column].name.clone())
                .collect(),
            columns: columns
                .iter()
                .map(|&column| self.columns[column].shown.clone())
                .collect(),
        }
    }

    /// What clients are told in the list of tables.
    pub fn info(&self) -> TableInfo {
        TableInfo {
            name: self.sql_name.clone(),
            estimated_rows: self.estimated_rows,
            comment: self.comment.clone(),
        }
    }

    /// Tells this list of columns from every other, on every server of the same build: rows read under
    /// one layout mean nothing under another.
    pub fn layout(&self) -> u64 {
        let mut hasher = DefaultHasher::new();
        (&self.sql_name, &self.columns, &self.key).hash(&mut hasher);
        hasher.finish()
    }
}

/// Every watched table.
#[derive(Clone, Debug, Default)]
pub struct Catalog {
    tables: HashMap<u32, Arc<TableDef>>,
}

impl Catalog {
    /// Reads it.
    ///
    /// # Errors
    /// If PostgreSQL cannot be asked.
    pub async fn load(pool: &PgPool) -> Result<Self, sqlx::Error> {
        let mut connection = pool.acquire().await?;
        let mut tables = HashMap::new();
        for row in sqlx::query(TABLES).fetch_all(&mut *connection).await? {
            let table = table_def(&row)?;
            tables.insert(table.oid, table);
        }
        for row in sqlx::query(COLUMNS).fetch_all(&mut *connection).await? {
            let oid = oid(&row, "table_oid")?;
            let Some(table) = tables.get_mut(&oid) else {
                continue;
            };
            let key_position: Option<i32> = row.try_get("key_position")?;
            if let Some(position) = key_position {
                let place = usize::try_from(position - 1).unwrap_or(0);
                table.key.resize(table.key.len().max(place + 1), 0);
                table.key[place] = table.columns.len();
            }
            table.columns.push(column_def(&row)?);
        }
        // Without a key a row cannot be told from its neighbour.
        let tables = tables
            .into_iter()
            .filter(|(_, table)| !table.key.is_empty());
        Ok(Self {
            tables: tables.map(|(oid, table)| (oid, Arc::new(table))).collect(),
        })
    }

    /// A table by its number.
    pub fn get(&self, oid: u32) -> Option<&Arc<TableDef>> {
        self.tables.get(&oid)
    }

    /// A table by the name a client gave it.
    pub fn find(&self, name: &str) -> Option<&Arc<TableDef>> {
        self.tables
            .values()
            .find(|table| table.sql_name == name || table.short_name.as_deref() == Some(name))
    }

    /// All tables in name order.
    pub fn sorted(&self) -> Vec<&Arc<TableDef>> {
        let mut tables: Vec<_> = self.tables.values().collect();
        tables.sort_by(|a, b| a.sql_name.cmp(&b.sql_name));
        tables
    }
}

const TABLES: &str = "
SELECT c.oid::int8 AS table_oid,
       quote_ident(n.nspname) || '.' || quote_ident(c.relname) AS sql_name,
       CASE WHEN n.nspname = 'public' THEN c.relname::text END AS short_name,
       obj_description(c.oid, 'pg_class') AS comment,
       (SELECT sum(nullif(leaf.reltuples, -1))::int8
          FROM pg_class leaf
         WHERE leaf.oid = c.oid AND c.relkind <> 'p'
            OR leaf.oid IN (SELECT relid FROM pg_partition_tree(c.oid) WHERE isleaf)
       ) AS estimated_rows
  FROM rowcast.watched w
  JOIN pg_class c ON c.oid = w.relation
  JOIN pg_namespace n ON n.oid = c.relnamespace
 WHERE has_table_privilege(c.oid, 'SELECT')";

const COLUMNS: &str = "
SELECT a.attrelid::int8 AS table_oid,
       a.attname::text AS name,
       quote_ident(a.attname) AS sql_name,
       format_type(a.atttypid, a.atttypmod) AS type_name,
       CASE WHEN a.atttypid = 1042 THEN 'pg_catalog.bpchar'
            WHEN a.atttypid = 1560 THEN 'pg_catalog.\"bit\"'
            WHEN a.atttypid = 1014 THEN 'pg_catalog.bpchar[]'
            WHEN a.atttypid = 1561 THEN 'pg_catalog.\"bit\"[]'
            ELSE format_type(a.atttypid, NULL) END AS sql_type,
       base.oid::int8 AS base_oid,
       base.typtype::text AS type_type,
       base.typcategory::text AS category,
       EXISTS (SELECT FROM pg_opclass o
                WHERE o.opcdefault AND o.opcmethod = 403
                  AND (o.opcintype = base.oid OR base.typtype = 'e' OR base.typtype = 'r'
                       OR base.oid IN (1043, 650))) AS has_order,
       NOT a.attnotnull AND NOT t.typnotnull AS nullable,
       a.attgenerated = '' AND a.attidentity <> 'a'
         AND has_column_privilege(a.attrelid, a.attnum, 'UPDATE') AS editable,
       CASE WHEN array_position(i.indkey::int2[], a.attnum) < i.indnkeyatts
            THEN array_position(i.indkey::int2[], a.attnum) + 1 END AS key_position,
       col_description(a.attrelid, a.attnum) AS comment,
       ARRAY(SELECT e.enumlabel::text FROM pg_enum e
              WHERE e.enumtypid = base.oid ORDER BY e.enumsortorder) AS labels,
       CASE WHEN a.attcollation <> 0 THEN
         quote_ident(cn.nspname) || '.' || quote_ident(co.collname) END AS collation,
       a.attcollation IN (950, 951)
         OR a.attcollation = 100 AND d.datcollate IN ('C', 'POSIX')
            AND coalesce(to_jsonb(d) ->> 'datlocprovider', 'c') IN ('c', 'b') AS by_bytes,
       coalesce(co.collisdeterministic, true) AS deterministic
  FROM rowcast.watched w
  JOIN pg_attribute a ON a.attrelid = w.relation AND a.attnum > 0 AND NOT a.attisdropped
  JOIN pg_type t ON t.oid = a.atttypid
  JOIN pg_type base ON base.oid = coalesce(nullif(t.typbasetype, 0), t.oid)
  JOIN pg_database d ON d.datname = current_database()
  LEFT JOIN pg_collation co ON co.oid = a.attcollation
  LEFT JOIN pg_namespace cn ON cn.oid = co.collnamespace
  LEFT JOIN pg_index i ON i.indrelid = a.attrelid AND i.indisprimary
 ORDER BY a.attrelid, a.attnum";

fn oid(row: &PgRow, column: &str) -> Result<u32, sqlx::Error> {
    let oid: i64 = row.try_get(column)?;
    u32::try_from(oid).map_err(|error| sqlx::Error::Decode(error.into()))
}

fn table_def(row: &PgRow) -> Result<TableDef, sqlx::Error> {
    let estimated_rows: Option<i64> = row.try_get("estimated_rows")?;
    Ok(TableDef {
        oid: oid(row, "table_oid")?,
        sql_name: row.try_get("sql_name")?,
        short_name: row.try_get("short_name")?,
        columns: Vec::new(),
        key: Vec::new(),
        comment: row.try_get("comment")?,
        estimated_rows: estimated_rows.and_then(|rows| u64::try_from(rows).ok()),
    })
}

fn column_def(row: &PgRow) -> Result<ColumnDef, sqlx::Error> {
    let base = oid(row, "base_oid")?;
    let type_type: String = row.try_get("type_type")?;
    let category: String = row.try_get("category")?;
    let kind = column_kind(base, &type_type, &category);
    let nested = matches!(kind, ColumnKind::Array | ColumnKind::Json) || type_type == "c";
    let has_order: bool = row.try_get("has_order")?;
    let ordering = if has_order && !nested {
        ordering(
            base,
            kind,
            row.try_get("collation")?,
            row.try_get("by_bytes")?,
        )
    } else {
        Ordering::None
    };
    let name: String = row.try_get("name")?;
    Ok(ColumnDef {
        sql_name: row.try_get("sql_name")?,
        sql_type: row.try_get("sql_type")?,
        is_jsonb: base == JSONB,
        nested,
        equal_is_same_text: kind == ColumnKind::Text
            && base != BPCHAR
            && row.try_get("deterministic")?,
        shown: Column {
            name: name.clone(),
            kind,
            type_name: row.try_get("type_name")?,
            nullable: row.try_get("nullable")?,
            editable: row.try_get("editable")?,
            sortable: ordering != Ordering::None,
            labels: row.try_get("labels")?,
            comment: row.try_get("comment")?,
        },
        ordering,
        name,
    })
}

const BPCHAR: u32 = 1042;
const JSONB: u32 = 3802;

fn column_kind(base: u32, type_type: &str, category: &str) -> ColumnKind {
    match (base, type_type, category) {
        (16, ..) => ColumnKind::Bool,
        (20 | 21 | 23, ..) => ColumnKind::Int,
        (700 | 701, ..) => ColumnKind::Float,
        (1700, ..) => ColumnKind::Numeric,
        (25 | 1043 | BPCHAR | 19, ..) => ColumnKind::Text,
        (1082, ..) => ColumnKind::Date,
        (1083 | 1266, ..) => ColumnKind::Time,
        (1114, ..) => ColumnKind::Timestamp,
        (1184, ..) => ColumnKind::TimestampTz,
        (1186, ..) => ColumnKind::Interval,
        (2950, ..) => ColumnKind::Uuid,
        (114 | 3802, ..) => ColumnKind::Json,
        (17, ..) => ColumnKind::Bytes,
        (_, "e", _) => ColumnKind::Enum,
        (_, _, "A") => ColumnKind::Array,
        _ => ColumnKind::Other,
    }
}

fn ordering(base: u32, kind: ColumnKind, collation: Option<String>, by_bytes: bool) -> Ordering {
    match kind {
        ColumnKind::Bool => Ordering::Bool,
        ColumnKind::Int => Ordering::Int,
        ColumnKind::Float => Ordering::Float,
        ColumnKind::Numeric => Ordering::Numeric,
        ColumnKind::Date => Ordering::Date,
        ColumnKind::Timestamp | ColumnKind::TimestampTz => Ordering::Timestamp,
        // Hex digits ascend as the bytes that they write.
        ColumnKind::Uuid | ColumnKind::Bytes => Ordering::Bytes,
        // Blanks at the end of a char(n) do not count, so bytes do not decide.
        ColumnKind::Text if by_bytes && base != BPCHAR => Ordering::Bytes,
        _ => Ordering::Asked { collation },
    }
}
