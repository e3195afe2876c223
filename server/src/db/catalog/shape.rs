//! What a table's description depends on.

/// SQL for a text that changes whenever the description of the table `c` (a row of `pg_class`) might:
/// its number, name, columns, keys and privileges, and what the types that somebody made are made of (those of
/// PostgreSQL have numbers below 16384).
macro_rules! shape {
    () => {
        "md5(concat_ws('/', c.oid, c.relnamespace, c.relname, c.relkind, c.relacl::text,
           (SELECT string_agg(concat_ws(':', a.attnum, a.attname, a.atttypid, a.atttypmod, a.attcollation,
                                        a.attnotnull, a.attgenerated, a.attidentity, a.attacl::text),
                              ',' ORDER BY a.attnum)
              FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped),
           (SELECT string_agg(concat_ws(':', i.indexrelid, i.indisprimary, i.indisvalid, i.indkey::text),
                              ',' ORDER BY i.indexrelid)
              FROM pg_index i WHERE i.indrelid = c.oid AND i.indisunique),
           (WITH RECURSIVE made (oid) AS (
                SELECT a.atttypid FROM pg_attribute a
                 WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped AND a.atttypid >= 16384
                UNION
                SELECT inner_type.oid
                  FROM made JOIN pg_type t ON t.oid = made.oid
                 CROSS JOIN LATERAL (
                       SELECT t.typbasetype AS oid WHERE t.typtype = 'd'
                       UNION ALL SELECT t.typelem WHERE t.typcategory = 'A'
                       UNION ALL SELECT a.atttypid FROM pg_attribute a
                                  WHERE t.typtype = 'c' AND a.attrelid = t.typrelid AND a.attnum > 0
                                    AND NOT a.attisdropped) AS inner_type
                 WHERE inner_type.oid >= 16384)
            SELECT string_agg(concat_ws(':', t.oid, t.typname, label.text), ',' ORDER BY t.oid, label.text)
              FROM made JOIN pg_type t ON t.oid = made.oid
              LEFT JOIN LATERAL (
                   SELECT concat_ws(':', e.oid, e.enumsortorder, e.enumlabel) AS text FROM pg_enum e
                    WHERE e.enumtypid = t.oid
                   UNION ALL SELECT concat_ws(':', a.attnum, a.attname, a.atttypid) FROM pg_attribute a
                              WHERE t.typtype = 'c' AND a.attrelid = t.typrelid AND a.attnum > 0
                                AND NOT a.attisdropped) AS label ON true)))"
    };
}
