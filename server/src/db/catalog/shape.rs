//! What a table's description depends on.

/// SQL for a text that changes whenever the description of the table `c` (a row of `pg_class`) might:
/// its number, name, columns, keys, enum labels and privileges.
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
           (SELECT string_agg(concat_ws(':', e.enumtypid, e.enumlabel), ',' ORDER BY e.oid)
              FROM pg_enum e
             WHERE e.enumtypid IN (SELECT a.atttypid FROM pg_attribute a
                                    WHERE a.attrelid = c.oid AND a.attnum > 0))))"
    };
}
