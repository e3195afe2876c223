//! The questions to PostgreSQL's catalogue.

/// What the tables are: those that the role may read, watched ones first. `$1` limits it to one table
/// (`NULL`: all), `$2` is the most that are read.
///
/// Partitions are left out: their root shows them. The key is the primary key, or else the narrowest
/// unique index on `NOT NULL` columns, under whose collations nothing is equal that the columns' own
/// tell apart. `rowcast.key_index` chooses the same one.
pub(super) const TABLES: &str = concat!(
    "
SELECT c.oid::int8 AS table_oid,
       n.nspname::text AS schema_name,
       c.relname::text AS bare_name,
       quote_ident(n.nspname) || '.' || quote_ident(c.relname) AS sql_name,
       c.relkind::text AS kind,
       obj_description(c.oid, 'pg_class') AS comment,
       CASE WHEN c.relkind = 'p'
            THEN (SELECT sum(nullif(leaf.reltuples, -1))::int8
                    FROM pg_partition_tree(c.oid) AS tree JOIN pg_class leaf ON leaf.oid = tree.relid
                   WHERE tree.isleaf)
            WHEN c.relkind <> 'v' THEN nullif(c.reltuples, -1)::int8
       END AS estimated_rows,
       k.columns AS key,
       ",
    shape!(),
    " AS shape,
       has_table_privilege(c.oid, 'SELECT') AS reads_all,
       has_any_column_privilege(c.oid, 'INSERT') AS may_insert,
       has_any_column_privilege(c.oid, 'UPDATE') AS may_update,
       has_table_privilege(c.oid, 'DELETE') AS may_delete,
       has_table_privilege(c.oid, 'TRIGGER') AS may_watch,
       row_security_active(c.oid) AS rows_hidden,
       c.relkind = 'r'
         AND EXISTS (SELECT FROM pg_inherits WHERE c.oid IN (inhrelid, inhparent)) AS inherits,
       c.relkind = 'p' AND EXISTS (
         SELECT FROM pg_partition_tree(c.oid) AS tree JOIN pg_class leaf ON leaf.oid = tree.relid
          WHERE leaf.relkind = 'f') AS partly_foreign,
       w.relation IS NOT NULL AS watched,
       w.relation IS NOT NULL AND EXISTS (
         SELECT FROM (SELECT c.oid UNION SELECT tree.relid FROM pg_partition_tree(c.oid) AS tree) AS m
                JOIN pg_class member ON member.oid = m.oid AND member.relkind IN ('r', 'p')
          WHERE 4 > (SELECT count(*) FROM pg_trigger g
                      WHERE g.tgrelid = m.oid AND g.tgname LIKE 'rowcast\\_log\\_%'
                        AND g.tgenabled IN ('O', 'A'))) AS lacks_triggers
  FROM pg_class c
  JOIN pg_namespace n ON n.oid = c.relnamespace
  LEFT JOIN rowcast.watched w ON w.relation = c.oid
  LEFT JOIN LATERAL (
       SELECT (i.indkey::int2[])[0:i.indnkeyatts - 1] AS columns
         FROM pg_index i
        WHERE i.indrelid = c.oid AND i.indisunique AND i.indisvalid AND i.indpred IS NULL
          AND i.indexprs IS NULL
          AND (i.indisprimary OR i.indimmediate AND NOT EXISTS (
               SELECT FROM generate_series(0, i.indnkeyatts - 1) AS nth
                 JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = i.indkey[nth]
                 LEFT JOIN pg_collation co ON co.oid = a.attcollation
                WHERE NOT a.attnotnull
                   OR i.indcollation[nth] <> a.attcollation AND NOT co.collisdeterministic))
        ORDER BY i.indisprimary DESC, i.indnkeyatts, i.indexrelid
        LIMIT 1) AS k ON true
 WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f')
   AND NOT c.relispartition
   AND c.relpersistence <> 't'
   AND n.nspname NOT IN ('pg_catalog', 'information_schema', 'rowcast')
   AND n.nspname !~ '^pg_(toast|temp)'
   AND has_schema_privilege(n.oid, 'USAGE')
   AND has_any_column_privilege(c.oid, 'SELECT')
   AND ($1::int8 IS NULL OR c.oid = $1::int8::oid)
 ORDER BY (w.relation IS NULL), sql_name
 LIMIT $2::int8"
);

/// The columns of the tables `$1` that the role may read.
///
/// `part` finds what each type is made of: it has an order if all its parts have, and its values are told as its
/// own texts if `to_json` does not write them in a way that can be read back: not JSON inside of others, whose own null
/// looks like a missing element, and not what somebody made a cast to `json` for. The triggers are chosen by the same
/// rule (`rowcast.has_worded`). `compared` says what each type with an order of its own calls its comparisons.
pub(super) const COLUMNS: &str = "
WITH RECURSIVE
wanted AS MATERIALIZED (
    SELECT a.* FROM pg_attribute a
     WHERE a.attrelid = ANY ($1::int8[]::oid[]) AND a.attnum > 0 AND NOT a.attisdropped),
part (root, type, is_inner) AS (
    SELECT DISTINCT atttypid, atttypid, false FROM wanted
    UNION
    SELECT part.root, inner_type.oid, part.is_inner OR inner_type.is_inner
      FROM part
      JOIN pg_type t ON t.oid = part.type
     CROSS JOIN LATERAL (
           SELECT t.typbasetype AS oid, false AS is_inner WHERE t.typtype = 'd'
           UNION ALL SELECT t.typelem, true WHERE t.typcategory = 'A' AND t.typelem <> 0
           UNION ALL SELECT a.atttypid, true FROM pg_attribute a
                      WHERE t.typtype = 'c' AND a.attrelid = t.typrelid AND a.attnum > 0
                        AND NOT a.attisdropped) AS inner_type),
domain_base (root, type) AS (
    SELECT DISTINCT atttypid, atttypid FROM wanted
    UNION
    SELECT b.root, t.typbasetype FROM domain_base b JOIN pg_type t ON t.oid = b.type
     WHERE t.typtype = 'd'),
ordered AS (
    SELECT part.root,
           bool_and(t.typtype IN ('c', 'd', 'e', 'm', 'r') OR t.typcategory = 'A'
                    OR t.oid IN (1043, 650)
                    OR EXISTS (SELECT FROM pg_opclass o
                                WHERE o.opcdefault AND o.opcmethod = 403 AND o.opcintype = t.oid)
           ) AS has_order,
           -- to_json asks for no cast of PostgreSQL's own types, nor of composites and domains.
           bool_or(part.is_inner AND t.oid IN (114, 3802)
                   OR t.oid >= 16384 AND t.typtype NOT IN ('c', 'd') AND EXISTS (
                      SELECT FROM pg_cast
                       WHERE castsource = t.oid AND casttarget = 114 AND castfunc <> 0)) AS worded
      FROM part JOIN pg_type t ON t.oid = part.type
     GROUP BY part.root),
compared AS MATERIALIZED (
    SELECT o.opcintype AS type,
           bool_or(op.oprname = '=') FILTER (WHERE am.amopstrategy = 3) AS has_equal,
           CASE WHEN bool_or(op.oprname NOT IN ('<', '<=', '=', '>=', '>'))
                THEN array_agg(format('OPERATOR(%I.%s)', n.nspname, op.oprname)
                               ORDER BY am.amopstrategy) FILTER (WHERE am.amopstrategy <> 3)
           END AS operators
      FROM pg_opclass o
      JOIN pg_amop am ON am.amopfamily = o.opcfamily AND am.amoplefttype = o.opcintype
                     AND am.amoprighttype = o.opcintype
      JOIN pg_operator op ON op.oid = am.amopopr
      JOIN pg_namespace n ON n.oid = op.oprnamespace
     WHERE o.opcdefault AND o.opcmethod = 403
     GROUP BY o.opcintype)
SELECT a.attrelid::int8 AS table_oid,
       a.attnum AS number,
       a.attname::text AS name,
       quote_ident(a.attname) AS sql_name,
       format_type(a.atttypid, a.atttypmod) AS type_name,
       format_type(a.atttypid, -1) AS sql_type,
       base.oid::int8 AS base_oid,
       base.typtype::text AS type_type,
       base.typcategory::text AS category,
       ordered.has_order AND coalesce(compared.has_equal, true) AS has_order,
       ordered.worded,
       compared.operators,
       NOT a.attnotnull AS nullable,
       EXISTS (SELECT FROM domain_base d JOIN pg_type dt ON dt.oid = d.type
                WHERE d.root = a.atttypid AND dt.typnotnull) AS refuses_null,
       a.attgenerated = '' AND a.attidentity <> 'a'
         AND has_column_privilege(a.attrelid, a.attnum, 'UPDATE') AS editable,
       a.attgenerated = '' AND a.attidentity <> 'a'
         AND has_column_privilege(a.attrelid, a.attnum, 'INSERT') AS insertable,
       col_description(a.attrelid, a.attnum) AS comment,
       ARRAY(SELECT e.enumlabel::text FROM pg_enum e
              WHERE e.enumtypid = base.oid ORDER BY e.enumsortorder) AS labels,
       CASE WHEN a.attcollation <> 0 THEN
         quote_ident(cn.nspname) || '.' || quote_ident(co.collname) END AS collation,
       a.attcollation IN (950, 951)
         OR a.attcollation = 100 AND d.datcollate IN ('C', 'POSIX')
            AND coalesce(to_jsonb(d) ->> 'datlocprovider', 'c') IN ('c', 'b') AS by_bytes,
       coalesce(co.collisdeterministic, true) AS deterministic
  FROM wanted a
  JOIN pg_type t ON t.oid = a.atttypid
  JOIN domain_base b ON b.root = a.atttypid
  JOIN pg_type base ON base.oid = b.type AND base.typtype <> 'd'
  JOIN ordered ON ordered.root = a.atttypid
  LEFT JOIN compared ON compared.type = base.oid
  JOIN pg_database d ON d.datname = current_database()
  LEFT JOIN pg_collation co ON co.oid = a.attcollation
  LEFT JOIN pg_namespace cn ON cn.oid = co.collnamespace
 WHERE has_column_privilege(a.attrelid, a.attnum, 'SELECT')
 ORDER BY a.attrelid, a.attnum";

/// SQL for the [shape](super::TableDef::shape) of the table with this number. In a statement that reads the
/// table by name it tells whether the name still means it: nobody renames what the statement has locked.
pub fn shape_now(oid: u32) -> String {
    format!(
        concat!("(SELECT ", shape!(), " FROM pg_class c WHERE c.oid = {})"),
        oid
    )
}
