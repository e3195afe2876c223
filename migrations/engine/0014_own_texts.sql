-- Values that `to_json` does not write so that they can be read back.

-- Of JSON inside of arrays and composites it writes JSON's own null like a missing element, and of a type with a cast to
-- json (hstore) whatever that cast makes. Columns of such types are told as their types' own texts, which the types read
-- back. A trigger function names no column, so the images of tables that have one are pairs: the row as JSON, and the
-- same as PostgreSQL writes a record, in which each value is its type's own text.

-- `log_insert_worded` and so on: the functions as they are, but for what they write of a row.
do $make$
declare
    plain constant text := 'pg_catalog.to_json(x.*)';
    pair constant text := 'pg_catalog.json_build_array(pg_catalog.to_json(x.*), (x.*)::pg_catalog.text)';
    source record;
    definition text;
begin
    for source in
        select oid, proname, pg_get_functiondef(oid) as definition
        from pg_proc
        where pronamespace = 'rowcast'::regnamespace
          and proname ~ '^log_(insert|update|delete)(_usual|_any)?$'
    loop
        definition := replace(source.definition, plain, pair);
        if definition = source.definition then
            raise exception '% writes no images', source.oid::regprocedure;
        end if;
        execute replace(definition, format('rowcast.%I()', source.proname),
                        format('rowcast.%I()', source.proname || '_worded'));
    end loop;
end
$make$;

-- The names of the columns that tell the table's rows apart. They stay in an image, however large they are.
create function rowcast.key_columns(root oid) returns text[]
    language sql stable
    set search_path = pg_catalog, pg_temp
as $$
    select array_agg(a.attname::text)
    from pg_index i
    join pg_attribute a on a.attrelid = i.indrelid and a.attnum = any (i.indkey)
    where i.indexrelid = rowcast.key_index(root)
$$;

-- A pair without the large values, in both of its halves. Whoever needs a value that is missing has to ask the table.
create function rowcast.trim_pair(image json, record text, root oid) returns json
    language sql stable
    set search_path = pg_catalog, pg_temp
as $$
    select json_build_array(
        json_object_agg(cell.key, cell.value order by nth),
        '(' || string_agg(substr(field.found[1], 2), ',' order by nth) || ')')
    from json_each(image) with ordinality as cell (key, value, nth)
    join regexp_matches(record collate "C", '[(,](?:"(?:[^"]|"")*"|[^",)]*)', 'g')
        with ordinality as field (found, nth) using (nth)
    where greatest(octet_length(cell.value::text), octet_length(field.found[1])) <= 8192
       or cell.key = any ((select rowcast.key_columns(root))::text[])
$$;

-- As before, with pairs. Of a very large row only the JSON is kept: patterns take memory, and nothing may fail here.
create or replace function rowcast.trim_image(image json, root oid) returns json
    language sql stable
    set search_path = pg_catalog, pg_temp
as $$
    select case
        when json_typeof(image) = 'array' and octet_length(image ->> 1) <= 1048576
            then rowcast.trim_pair(image -> 0, image ->> 1, root)
        else (
            select json_object_agg(key, value)
            from json_each(case json_typeof(image) when 'array' then image -> 0 else image end)
            where octet_length(value::text) <= 8192
               or key = any ((select rowcast.key_columns(root))::text[]))
    end
$$;

-- Whether a column of the table is told as its type's own text: JSON is inside of its values, or what somebody made a
-- cast to json for. Servers decide the same (`server/src/db/catalog/sql.rs`).
create function rowcast.has_worded(member regclass) returns boolean
    language sql stable
    set search_path = pg_catalog, pg_temp
as $$
    with recursive part (type, is_inner) as (
        select atttypid, false from pg_attribute
        where attrelid = member and attnum > 0 and not attisdropped
        union
        select inner_type.oid, part.is_inner or inner_type.is_inner
        from part
        join pg_type t on t.oid = part.type
        cross join lateral (
            select t.typbasetype as oid, false as is_inner where t.typtype = 'd'
            union all select t.typelem, true where t.typcategory = 'A' and t.typelem <> 0
            union all select atttypid, true from pg_attribute
                      where t.typtype = 'c' and attrelid = t.typrelid and attnum > 0
                        and not attisdropped) as inner_type
    )
    select exists (
        select
        from part
        join pg_type t on t.oid = part.type
        where part.is_inner and t.oid in ('json'::regtype, 'jsonb'::regtype)
           -- to_json asks for no cast of PostgreSQL's own types, nor of composites and domains.
           or t.oid >= 16384 and t.typtype not in ('c', 'd') and exists (
              select from pg_cast
              where castsource = t.oid and casttarget = 'json'::regtype and castfunc <> 0))
$$;

-- As before, with `_worded` where it makes a difference.
create or replace function rowcast.log_function(member regclass, event text) returns regprocedure
    language sql stable
    set search_path = pg_catalog, pg_temp
as $$
    select case
        when event = 'truncate' then 'rowcast.log_truncate()'::regprocedure
        else format('rowcast.log_%s%s%s()', event, rowcast.images_depend_on(member),
                    case when rowcast.has_worded(member) then '_worded'
                         when rowcast.may_miss_json(member) then '_json' end)::regprocedure
    end
$$;

comment on column rowcast.change_log.image is
    'to_json(row) under fixed settings, or an array of such. In a large row, values over 8,192 bytes '
    'are left out. In an array alone: its nulls are NULL; with a text: the row as a record, where NULL is empty '
    'and every value is its type''s own text.';

revoke execute on all functions in schema rowcast from public;
