-- Tables without a primary key can be watched if a unique index tells their rows apart; partitioned
-- tables with a foreign partition cannot, because its changes fire no trigger here.

-- The index whose columns tell the table's rows apart: the primary key's, else that of the narrowest
-- unique index on NOT NULL columns under whose collations nothing is equal that the columns' own tell
-- apart. Null if there is none. Servers choose the same one.
create function rowcast.key_index(relation regclass) returns oid
    language sql stable
    set search_path = pg_catalog, pg_temp
as $$
    select i.indexrelid
    from pg_index i
    where i.indrelid = relation and i.indisunique and i.indisvalid and i.indpred is null
      and i.indexprs is null
      and (i.indisprimary or i.indimmediate and not exists (
           select
           from generate_series(0, i.indnkeyatts - 1) as nth
           join pg_attribute a on a.attrelid = relation and a.attnum = i.indkey[nth]
           left join pg_collation co on co.oid = a.attcollation
           where not a.attnotnull
              or i.indcollation[nth] <> a.attcollation and not co.collisdeterministic))
    order by i.indisprimary desc, i.indnkeyatts, i.indexrelid
    limit 1
$$;

-- As before, with any key, and the labels of enums.
create or replace function rowcast.shape(root regclass) returns text
    language sql stable
    set search_path = pg_catalog, pg_temp
as $$
    select md5(concat_ws('/',
        (select format('%s.%s', relnamespace, relname) from pg_class where oid = root),
        (select string_agg(format('%s:%s:%s:%s:%s:%s:%s', attnum, attname, atttypid, atttypmod,
                                  attcollation, attnotnull, attgenerated), ',' order by attnum)
         from pg_attribute where attrelid = root and attnum > 0 and not attisdropped),
        (select string_agg(format('%s:%s', enumtypid, enumlabel), ',' order by oid)
         from pg_enum
         where enumtypid in (select atttypid from pg_attribute where attrelid = root and attnum > 0)),
        (select indkey::text from pg_index where indexrelid = rowcast.key_index(root)),
        (select string_agg(c.oid::text, ',' order by c.oid)
         from rowcast.members(root) as member join pg_class c on c.oid = member),
        (select string_agg(c.relfilenode::text, ',' order by c.oid)
         from rowcast.members(root) as member join pg_class c on c.oid = member
         where not exists (select from pg_event_trigger
                           where evtname = 'rowcast_on_ddl' and evtenabled <> 'D'))))
$$;

-- As before, with any key, and without foreign partitions.
create or replace function rowcast.check_watchable(relation regclass) returns void
    language plpgsql stable
    set search_path = pg_catalog, pg_temp
as $$
declare
    c pg_class;
    far regclass;
begin
    select * into strict c from pg_class where oid = relation;
    if c.relkind not in ('r', 'p') then
        raise exception 'cannot watch %: it is not a table', relation
            using errcode = 'wrong_object_type',
                  hint = 'It is shown all the same, by polling. Watch the tables that it reads.';
    elsif c.relispartition then
        raise exception 'cannot watch %: it is a partition', relation
            using errcode = 'wrong_object_type',
                  hint = format('Watch %s.', pg_partition_root(relation));
    elsif c.relpersistence = 't' then
        raise exception 'cannot watch %: it is a temporary table', relation
            using errcode = 'wrong_object_type',
                  hint = 'Watch an ordinary table: no other session can read this one.';
    elsif c.relnamespace in ('pg_catalog'::regnamespace, 'information_schema'::regnamespace,
                             'rowcast'::regnamespace) then
        raise exception 'cannot watch %: it is a system table', relation
            using errcode = 'wrong_object_type', hint = 'Watch a table of your own.';
    elsif c.relkind = 'r'
        and exists (select from pg_inherits where relation in (inhrelid, inhparent)) then
        raise exception 'cannot watch %: it takes part in table inheritance', relation
            using errcode = 'feature_not_supported',
                  hint = 'Use declarative partitioning (PARTITION BY) instead of INHERITS.';
    elsif rowcast.key_index(relation) is null then
        raise exception 'cannot watch %: it has neither a primary key nor a unique index on NOT NULL columns',
            relation
            using errcode = 'object_not_in_prerequisite_state',
                  hint = format('ALTER TABLE %s ADD PRIMARY KEY (…);', relation);
    end if;
    select leaf.oid into far
    from pg_partition_tree(relation) as tree join pg_class leaf on leaf.oid = tree.relid
    where leaf.relkind = 'f'
    limit 1;
    if far is not null then
        raise exception 'cannot watch %: its partition % is a foreign table', relation, far
            using errcode = 'feature_not_supported',
                  hint = 'It is shown all the same, by polling. Changes on another server fire no trigger here.';
    end if;
end
$$;
