//! Indexes: those that there are, and how one that there should be is written.

use sqlx::Row;
use sqlx::postgres::{PgPool, PgRow};

use crate::limits::NAME_BYTES_MAX;

/// What every name of an index that Rowcast creates begins with.
pub const NAME_PREFIX: &str = "rowcast_";

/// An index that is to be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IndexDef {
    /// `schema.table`, quoted where SQL needs it.
    pub table: String,
    /// Such as `btree`.
    pub method: &'static str,
    /// What it is on, in order.
    pub keys: Vec<IndexKey>,
    /// The condition of a partial index, as PostgreSQL writes it.
    pub predicate: Option<String>,
    /// What must be installed first.
    pub extension: Option<&'static str>,
}

/// A column of an index.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IndexKey {
    /// The column's name, quoted where SQL needs it.
    pub column: String,
    /// The operator class and its schema (quoted, with a dot, or empty) where it is not the type's own.
    pub opclass: Option<(String, &'static str)>,
    /// Largest first.
    pub descending: bool,
    /// Whether `NULL`s stand before every value.
    pub nulls_first: bool,
}

impl IndexKey {
    /// A column in ascending order.
    pub fn ascending(column: &str) -> Self {
        Self {
            column: column.to_owned(),
            opclass: None,
            descending: false,
            nulls_first: false,
        }
    }

    fn sql(&self, with_schema: bool) -> String {
        let mut sql = self.column.clone();
        if let Some((schema, name)) = &self.opclass {
            sql.push(' ');
            if with_schema {
                sql.push_str(schema);
            }
            sql.push_str(name);
        }
        if self.descending {
            sql.push_str(" DESC");
        }
        if self.nulls_first != self.descending {
            sql.push_str(if self.nulls_first {
                " NULLS FIRST"
            } else {
                " NULLS LAST"
            });
        }
        sql
    }
}

impl IndexDef {
    /// The same on another table: a partition.
    pub fn on(&self, table: &str) -> Self {
        Self {
            table: table.to_owned(),
            ..self.clone()
        }
    }

    /// What follows the table's name in `CREATE INDEX`.
    pub fn definition(&self) -> String {
        self.text(true)
    }

    fn text(&self, with_schema: bool) -> String {
        let keys: Vec<String> = self.keys.iter().map(|key| key.sql(with_schema)).collect();
        let mut text = format!("USING {} ({})", self.method, keys.join(", "));
        if let Some(predicate) = &self.predicate {
            text.push_str(&format!(" WHERE {predicate}"));
        }
        text
    }

    /// Its name: readable, the same for the same index everywhere, at most [`NAME_BYTES_MAX`] bytes, and of such
    /// letters that it needs no quotes.
    pub fn name(&self) -> String {
        let table = self.table.strip_prefix("public.").unwrap_or(&self.table);
        let mut words = plain(table);
        for key in &self.keys {
            words.push('_');
            words.push_str(&plain(&key.column));
        }
        let whole = format!("{} {}", self.table, self.text(false));
        let mark = format!("_{:08x}", checksum(&whole));
        words.truncate(NAME_BYTES_MAX - NAME_PREFIX.len() - mark.len());
        format!("{NAME_PREFIX}{}{mark}", words.trim_end_matches('_'))
    }

    /// Whether an index that there is does what this one would.
    pub fn is_done_by(&self, index: &IndexInfo) -> bool {
        let keys = self.keys.iter().zip(&index.keys);
        let same_columns = self.keys.len() == index.keys.len()
            && self.method == index.method
            && keys.clone().all(|(key, there)| {
                let opclass = key.opclass.as_ref().map(|(_, name)| *name);
                key.column == there.column && opclass == there.opclass.as_deref()
            });
        let same_order = |reversed: bool| {
            keys.clone().all(|(key, there)| {
                (key.descending != reversed, key.nulls_first != reversed)
                    == (there.descending, there.nulls_first)
            })
        };
        same_columns
            && self.predicate == index.predicate
            && (self.method != "btree" || same_order(false) || same_order(true))
    }
}

/// Lower-case letters, digits and underscores of a name.
fn plain(name: &str) -> String {
    let kept = |char: char| {
        if char.is_ascii_alphanumeric() {
            char.to_ascii_lowercase()
        } else {
            '_'
        }
    };
    let plain: String = name.chars().filter(|&char| char != '"').map(kept).collect();
    plain.trim_matches('_').to_owned()
}

/// FNV-1a: the same on every machine, in every build.
fn checksum(text: &str) -> u32 {
    let step = |hash: u32, byte: u8| (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193);
    text.bytes().fold(0x811c_9dc5, step)
}

/// An index that there is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IndexInfo {
    /// Its name, not quoted.
    pub name: String,
    /// `schema.name`, quoted where SQL needs it.
    pub sql_name: String,
    /// `schema.table`, quoted where SQL needs it.
    pub table: String,
    /// Such as `btree`.
    pub method: String,
    /// Its key columns, without those that are only included.
    pub keys: Vec<KeyInfo>,
    /// The condition of a partial index.
    pub predicate: Option<String>,
    /// Whether the planner may use it: not if it is being created, or its creation failed.
    pub is_valid: bool,
    /// Whether it is the index of a partitioned table, which consists of those of its partitions.
    pub is_partitioned: bool,
    /// Whether its rows must differ.
    pub is_unique: bool,
    /// Bytes on disk; of a partitioned one, none of its own.
    pub bytes: i64,
    /// What creates it.
    pub definition: String,
}

/// A key column of an index that there is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyInfo {
    /// The column's name or an expression, as SQL.
    pub column: String,
    /// The operator class where it is not the type's own.
    pub opclass: Option<String>,
    /// Largest first.
    pub descending: bool,
    /// Whether `NULL`s stand before every value.
    pub nulls_first: bool,
}

const INDEXES: &str = "
SELECT c.relname::text AS name,
       quote_ident(n.nspname) || '.' || quote_ident(c.relname) AS sql_name,
       quote_ident(tn.nspname) || '.' || quote_ident(t.relname) AS table_name,
       am.amname::text AS method,
       ARRAY(SELECT pg_get_indexdef(i.indexrelid, nth, true)
               FROM generate_series(1, i.indnkeyatts) AS nth ORDER BY nth) AS columns,
       ARRAY(SELECT CASE WHEN o.opcdefault THEN '' ELSE o.opcname::text END
               FROM unnest(i.indclass::oid[]) WITH ORDINALITY AS class(oid, nth)
               JOIN pg_opclass o ON o.oid = class.oid
              WHERE nth <= i.indnkeyatts ORDER BY nth) AS opclasses,
       ARRAY(SELECT option::int4 FROM unnest(i.indoption::int2[]) WITH ORDINALITY AS o(option, nth)
              WHERE nth <= i.indnkeyatts ORDER BY nth) AS options,
       ARRAY(SELECT coalesce(a.attcollation, own.coll) = own.coll
               FROM unnest(i.indcollation::oid[], i.indkey::int2[])
                    WITH ORDINALITY AS own(coll, attnum, nth)
               LEFT JOIN pg_attribute a
                    ON a.attrelid = i.indrelid AND a.attnum = own.attnum AND a.attnum > 0
              WHERE nth <= i.indnkeyatts ORDER BY nth) AS own_collations,
       pg_get_expr(i.indpred, i.indrelid, true) AS predicate,
       i.indisvalid AND i.indisready AND i.indislive AS is_valid,
       c.relkind = 'I' AS is_partitioned,
       i.indisunique AS is_unique,
       pg_relation_size(i.indexrelid) AS bytes,
       pg_get_indexdef(i.indexrelid) AS definition
  FROM pg_index i
  JOIN pg_class c ON c.oid = i.indexrelid
  JOIN pg_namespace n ON n.oid = c.relnamespace
  JOIN pg_class t ON t.oid = i.indrelid
  JOIN pg_namespace tn ON tn.oid = t.relnamespace
  JOIN pg_am am ON am.oid = c.relam
 WHERE ($1::int8 IS NULL OR i.indrelid = $1::int8::oid)
   AND tn.nspname NOT IN ('pg_catalog', 'pg_toast', 'information_schema', 'rowcast')
   AND tn.nspname NOT LIKE 'pg\\_temp\\_%' AND tn.nspname NOT LIKE 'pg\\_toast\\_%'
 ORDER BY tn.nspname, t.relname, c.relname";

/// The indexes of one table (by its number), or of every table.
///
/// # Errors
/// If PostgreSQL cannot be asked.
pub async fn indexes(pool: &PgPool, table: Option<u32>) -> Result<Vec<IndexInfo>, sqlx::Error> {
    let rows = sqlx::query(INDEXES).bind(table.map(i64::from));
    rows.fetch_all(pool).await?.iter().map(index_info).collect()
}

fn index_info(row: &PgRow) -> Result<IndexInfo, sqlx::Error> {
    let columns: Vec<String> = row.try_get("columns")?;
    let opclasses: Vec<String> = row.try_get("opclasses")?;
    let options: Vec<i32> = row.try_get("options")?;
    let own_collations: Vec<bool> = row.try_get("own_collations")?;
    let keys = columns.into_iter().enumerate().map(|(nth, column)| {
        let option = options.get(nth).copied().unwrap_or(0);
        let is_own = own_collations.get(nth).copied().unwrap_or(true);
        KeyInfo {
            // Another collation is another order.
            column: if is_own {
                column
            } else {
                format!("{column} COLLATE")
            },
            opclass: opclasses.get(nth).filter(|name| !name.is_empty()).cloned(),
            descending: option & 1 != 0,
            nulls_first: option & 2 != 0,
        }
    });
    Ok(IndexInfo {
        name: row.try_get("name")?,
        sql_name: row.try_get("sql_name")?,
        table: row.try_get("table_name")?,
        method: row.try_get("method")?,
        keys: keys.collect(),
        predicate: row.try_get("predicate")?,
        is_valid: row.try_get("is_valid")?,
        is_partitioned: row.try_get("is_partitioned")?,
        is_unique: row.try_get("is_unique")?,
        bytes: row.try_get("bytes")?,
        definition: row.try_get("definition")?,
    })
}

/// Where the extension for trigram indexes is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Trigrams {
    /// Installed, in this schema (quoted, with a dot).
    Installed(String),
    /// It can be installed.
    Available,
    /// It is not on the server.
    Missing,
}

/// Whether trigram indexes can be created.
///
/// # Errors
/// If PostgreSQL cannot be asked.
pub async fn trigrams(pool: &PgPool) -> Result<Trigrams, sqlx::Error> {
    let sql = "SELECT (SELECT quote_ident(n.nspname) || '.' FROM pg_extension e \
                         JOIN pg_namespace n ON n.oid = e.extnamespace WHERE e.extname = 'pg_trgm'), \
                      EXISTS (SELECT FROM pg_available_extensions WHERE name = 'pg_trgm')";
    let row = sqlx::query(sql).fetch_one(pool).await?;
    let schema: Option<String> = row.try_get(0)?;
    Ok(match (schema, row.try_get(1)?) {
        (Some(schema), _) => Trigrams::Installed(schema),
        (None, true) => Trigrams::Available,
        (None, false) => Trigrams::Missing,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn index(table: &str, columns: &[&str]) -> IndexDef {
        IndexDef {
            table: table.to_owned(),
            method: "btree",
            keys: columns
                .iter()
                .map(|column| IndexKey::ascending(column))
                .collect(),
            predicate: None,
            extension: None,
        }
    }

    #[test]
    fn names_are_stable_short_and_plain() {
        let simple = index("public.products", &["price", "id"]);
        assert_eq!(
            simple.name(),
            index("public.products", &["price", "id"]).name()
        );
        assert!(simple.name().starts_with("rowcast_products_price_id_"));
        let odd = index("\"Büro\".\"a \"\"b\"\" c\"", &["\"x y\"", "\"日本語\""]);
        let long = index(&"t".repeat(63), &["c".repeat(63).as_str(), "d"]);
        for name in [odd.name(), long.name(), simple.name()] {
            assert!(name.len() <= NAME_BYTES_MAX, "{name}");
            let is_plain =
                |char: char| char.is_ascii_lowercase() || char.is_ascii_digit() || char == '_';
            assert!(name.chars().all(is_plain), "{name}");
        }
        let mut other = simple.clone();
        other.keys[0].descending = true;
        assert_ne!(simple.name(), other.name());
    }

    #[test]
    fn directions_are_written_where_they_are_not_the_default() {
        let key = |descending, nulls_first| IndexKey {
            descending,
            nulls_first,
            ..IndexKey::ascending("a")
        };
        let written = [(false, false), (true, true), (false, true), (true, false)]
            .map(|(descending, nulls_first)| key(descending, nulls_first).sql(true));
        assert_eq!(
            written,
            ["a", "a DESC", "a NULLS FIRST", "a DESC NULLS LAST"]
        );
    }
}
