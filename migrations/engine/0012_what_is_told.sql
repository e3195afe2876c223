-- Nulls inside of JSON, truncated partitions, and types inside of types.

-- JSON's own null in a column is another value than NULL, but `to_json` of a row writes both alike. Tables with such a
-- column get trigger functions that tell them apart, so that it can be sorted by and tested like any other.

-- An image with nulls in it, so that they can be told apart. In an array alone, if all of them are NULL; with the
-- record's own text, which has nothing where a value is missing, if one of its fields may be JSON's null. As it is, if
-- that would be too large: then nobody knows, and views that depend on it are built anew.
create function rowcast.tell_nulls(image json, record text) returns json
    language sql immutable
    set search_path = pg_catalog, pg_temp
as $$
    select case when pg_column_size(told) <= 8192 then told else image end
    from (select case when record ~ '[(,]null[,)]' then json_build_array(image, record)
                      else json_build_array(image) end as told
          offset 0) as one
$$;

-- `log_insert_json` and so on: the functions as they are, but for what they write of a row.
do $make$
declare
    plain constant text := 'pg_catalog.to_json(x.*)';
    telling constant text := $$(select case when pg_catalog.strpos(plain.image::pg_catalog.text, ':null')
                         operator(pg_catalog.=) 0 then plain.image
                    else rowcast.tell_nulls(plain.image, (x.*)::pg_catalog.text) end
            from (select pg_catalog.to_json(x.*) as image offset 0) as plain)$$;
    source record;
    definition text;
begin
    for source in
        select oid, proname, pg_get_functiondef(oid) as definition
        from pg_proc
        where pronamespace = 'rowcast'::regnamespace
          and proname ~ '^log_(insert|update|delete)(_usual|_any)?$'
    loop
        definition := replace(source.definition, plain, telling);
        if definition = source.definition then
            raise exception '% writes no images', source.oid::regprocedure;
        end if;
        execute replace(definition, format('rowcast.%I()', source.proname),
                        format('rowcast.%I()', source.proname || '_json'));
    end loop;
end
$make$;

-- Whether a column of the table holds JSON and may be NULL.
create function rowcast.may_miss_json(member regclass) returns boolean
    language sql stable
    set search_path = pg_catalog, pg_temp
as $$
    with recursive types (oid) as (
        select atttypid from pg_attribute
        where attrelid = member and attnum > 0 and not attisdropped and not attnotnull
        union
        select t.typbasetype from types join pg_type t on t.oid = types.oid
        where t.typtype = 'd'
    )
    select exists (select from types where oid in ('json'::regtype, 'jsonb'::regtype))
$$;

-- A truncated table is told as what it is, and so is one of which a partition was: emptying a partitioned table fires
-- the triggers of each of its members.
create function rowcast.log_truncate() returns trigger
    language plpgsql volatile security definer
    set search_path = pg_catalog, pg_temp
as $$
begin
    insert into rowcast.change_log (table_oid, op)
    values (coalesce(pg_partition_root(tg_relid), tg_relid), 'T');
    perform rowcast.wake();
    return null;
end
$$;

-- As before, with `_json` where it makes a difference.
create or replace function rowcast.log_function(member regclass, event text) returns regprocedure
    language sql stable
    set search_path = pg_catalog, pg_temp
as $$
    select case
        when event = 'truncate' then 'rowcast.log_truncate()'::regprocedure
        else format('rowcast.log_%s%s%s()', event, rowcast.images_depend_on(member),
                    case when rowcast.may_miss_json(member) then '_json' end)::regprocedure
    end
$$;

-- As before, without what was added to tell nulls apart.
create or replace view rowcast.change_sides as
    select log.xid, log.table_oid,
           case log.op when 'm' then '-'::"char" when 'p' then '+'::"char" else log.op end as op,
           case when log.op not in ('-', '+', 'm', 'p') then null
                when json_typeof(side.image) = 'array' then side.image -> 0
                else side.image end as image,
           log.changed_at
    from rowcast.change_log as log
    cross join lateral json_array_elements(
        case when log.op in ('m', 'p') then log.image else json_build_array(log.image) end)
        as side (image);

comment on column rowcast.change_log.image is
    'to_json(row) under fixed settings, or an array of such. In a large row, values over 8,192 bytes '
    'are left out. In an array alone: its nulls are NULL; with a text: the row as a record, where NULL is empty.';

-- What the columns of a table are made of, as far as somebody made it: domains, the elements of arrays, the
-- fields of composites.
create function rowcast.made_types(relation regclass) returns setof oid
    language sql stable
    set search_path = pg_catalog, pg_temp
as $$
    with recursive types (oid) as (
        select atttypid from pg_attribute
        where attrelid = relation and attnum > 0 and not attisdropped and atttypid >= 16384
        union
        select inner_type.oid
        from types
        join pg_type t on t.oid = types.oid
        cross join lateral (
            select t.typbasetype as oid where t.typtype = 'd'
            union all select t.typelem where t.typcategory = 'A'
            union all select atttypid from pg_attribute
                      where t.typtype = 'c' and attrelid = t.typrelid and attnum > 0
                        and not attisdropped) as inner_type
        where inner_type.oid >= 16384
    )
    select oid from types
$$;

-- As before, with the labels of enums and the fields of composites wherever they are.
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
         from pg_enum where enumtypid in (select rowcast.made_types(root))),
        (select string_agg(format('%s:%s:%s', attrelid, attname, atttypid), ',' order by attrelid, attnum)
         from pg_attribute
         where attrelid in (select typrelid from pg_type
                            where oid in (select rowcast.made_types(root)) and typrelid <> 0)
           and attnum > 0 and not attisdropped),
        (select indkey::text from pg_index where indexrelid = rowcast.key_index(root)),
        (select string_agg(c.oid::text, ',' order by c.oid)
         from rowcast.members(root) as member join pg_class c on c.oid = member),
        (select string_agg(c.relfilenode::text, ',' order by c.oid)
         from rowcast.members(root) as member join pg_class c on c.oid = member
         where not exists (select from pg_event_trigger
                           where evtname = 'rowcast_on_ddl' and evtenabled <> 'D'))))
$$;

-- As before, with types inside of types.
create or replace function rowcast.on_ddl() returns event_trigger
    language plpgsql security definer
    set search_path = pg_catalog, pg_temp
as $$
declare
    root regclass;
    altered boolean;
begin
    if current_setting('rowcast.installing', true) = 'on' then
        return;
    end if;
    for root, altered in
        select w.relation, bool_or(command.command_tag = 'ALTER TABLE')
        from pg_event_trigger_ddl_commands() as command
        join rowcast.watched as w
            on w.relation = coalesce(pg_partition_root(command.objid), command.objid)
        where command.classid = 'pg_class'::regclass
        group by w.relation
    loop
        -- Any ALTER may have rewritten the rows (`ALTER COLUMN … TYPE … USING …`).
        if not rowcast.reconcile_one(root) and altered then
            perform rowcast.log_rebuild(root);
        end if;
    end loop;
    -- An enum's label or a composite's field may have a new name in every row.
    perform rowcast.log_rebuild(w.relation)
    from rowcast.watched as w
    where exists (
        select
        from pg_event_trigger_ddl_commands() as command
        join pg_type as t
            on command.classid = 'pg_type'::regclass and command.objid = t.oid
            or command.classid = 'pg_class'::regclass and command.objid = t.typrelid
        where command.command_tag = 'ALTER TYPE' and t.oid in (select rowcast.made_types(w.relation)));
exception when others then
    -- A viewer's bookkeeping must never be the reason that a migration fails.
    raise warning 'rowcast: could not follow this command: %', sqlerrm
        using hint = 'SELECT rowcast.reconcile() does so later.';
end
$$;

revoke execute on all functions in schema rowcast from public;
