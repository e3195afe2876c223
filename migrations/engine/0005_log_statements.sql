-- Trigger functions that cost writers less: one per event, without settings where a table's types
-- need none, and with many images in one log row where a statement changed many rows.
--
-- Measured on one-row updates, inside one backend: of 16 µs that `log_change` took, 4 to 5 went into
-- its SET clauses, 0.5 into the sequence, 1 into branches; most of the rest is an INSERT's start-up.

-- Ops are kept short: - and + hold one image, m and p ("minus", "plus") an array of at most 100,
-- B stands for a statement that changed more rows than are worth telling. Servers that do not know an
-- op rebuild the table's views.
alter table rowcast.change_log drop column seq;

-- Pages that are empty are written again soon, and extending a file costs a writer up to a millisecond.
alter table rowcast.change_log set (vacuum_truncate = off, toast.vacuum_truncate = off);

comment on table rowcast.change_log is
    'The changes of watched tables: images that went and that came. Read by snapshot, in no order.';
comment on column rowcast.change_log.op is
    '- an old image, + a new image, m and p: arrays of old and of new images; T the table was '
    'truncated, S its schema changed, B more rows changed than are told: rebuild.';
comment on column rowcast.change_log.image is
    'to_json(row) under fixed settings, or an array of such. In a large row, values over 8,192 bytes '
    'are left out.';

-- The log's images one by one, for whoever looks at it by hand.
create view rowcast.change_sides as
    select log.xid, log.table_oid,
           case log.op when 'm' then '-'::"char" when 'p' then '+'::"char" else log.op end as op,
           case when log.op in ('-', '+', 'm', 'p') then side.image end as image,
           log.changed_at
    from rowcast.change_log as log
    cross join lateral json_array_elements(
        case when log.op in ('m', 'p') then log.image else json_build_array(log.image) end)
        as side (image);

comment on view rowcast.change_sides is 'The change log with one image per row.';

-- `trim_image` for an array of images.
create function rowcast.trim_images(images json, root oid) returns json
    language sql stable
    set search_path = pg_catalog, pg_temp
as $$
    select json_agg(case when octet_length(value::text) <= 8192 then value
                         else rowcast.trim_image(value, root) end)
    from json_array_elements(images)
$$;

-- Makes `log_insert`, `log_update` and `log_delete`, each for tables whose images depend on
-- no setting, on the usual ones (`_usual`: time zone and digits) and on any (`_any`).
--
-- A trigger function names no column of the table, so that no DDL can make a user's write fail. With
-- fewer settings it is used only for types whose text cannot depend on the others, and where event
-- triggers exchange it in the transaction that adds a column of another type. Without a search_path of
-- its own, every name and every operator in it is qualified: it runs with its owner's rights.
-- `x.*` and not `x`: the table may have a column of that name.
do $make$
declare
    settings constant text := $$
    set timezone = 'UTC'
    set extra_float_digits = 1$$;
    all_settings constant text := settings || $$
    set search_path = pg_catalog, pg_temp
    set bytea_output = hex
    set datestyle = 'ISO, MDY'
    set intervalstyle = iso_8601
    set lc_monetary = 'C'$$;
    -- The first few images go into rows of their own: a grouped query takes longer to begin.
    few constant text := $$(select '%1$s'::pg_catalog."char" as op, pg_catalog.to_json(x.*) as image
           from %2$s as x limit 16)$$;
    many constant text := $$(select '%1$s'::pg_catalog."char" as op, pg_catalog.json_agg(side.image) as images
           from (select pg_catalog.to_json(x.*) as image,
                        (pg_catalog.row_number() over ()) operator(pg_catalog./) 100 as nth
                 from %2$s as x offset 16) as side
           group by side.nth)$$;
    event record;
    variant record;
begin
    for event in
        select * from (values
            ('insert', 'new_rows', 16, 18000, format(few, '+', 'new_rows'), format(many, 'p', 'new_rows')),
            ('delete', 'old_rows', 16, 18000, format(few, '-', 'old_rows'), format(many, 'm', 'old_rows')),
            ('update', 'new_rows', 32, 9000,
             format(few, '-', 'old_rows') || ' union all ' || format(few, '+', 'new_rows'),
             format(many, 'm', 'old_rows') || ' union all ' || format(many, 'p', 'new_rows')))
            as events (name, rows, full_at, told_at_most, few, many)
    loop
        for variant in
            select * from (values ('', ''), ('_usual', settings), ('_any', all_settings))
                as variants (suffix, settings)
        loop
            execute format($function$
create function rowcast.log_%s%s() returns trigger
    language plpgsql volatile security definer%s
as $body$
declare
    root pg_catalog.oid := coalesce(pg_catalog.pg_partition_root(tg_relid), tg_relid);
    logged pg_catalog.int8;
begin
    insert into rowcast.change_log (table_oid, op, image)
    select root, side.op,
           case when pg_catalog.pg_column_size(side.image) operator(pg_catalog.<=) 8192 then side.image
                else rowcast.trim_image(side.image, root) end
    from (%s) as side;
    get diagnostics logged = row_count;
    if logged operator(pg_catalog.=) %s then
        if exists (select from %s as x offset %s) then
            insert into rowcast.change_log (table_oid, op) values (root, 'B');
        else
            insert into rowcast.change_log (table_oid, op, image)
            select root, chunk.op,
                   case when pg_catalog.pg_column_size(chunk.images) operator(pg_catalog.<=) 65536
                        then chunk.images else rowcast.trim_images(chunk.images, root) end
            from (%s) as chunk;
        end if;
    end if;
    if logged operator(pg_catalog.>) 0
        and pg_catalog.pg_try_advisory_lock_shared(7813014321550001)
    then
        perform pg_catalog.pg_advisory_unlock_shared(7813014321550001);
        if pg_catalog.current_setting('max_prepared_transactions') operator(pg_catalog.=) '0' then
            perform pg_catalog.pg_notify('rowcast', '');
        end if;
    end if;
    return null;
end
$body$
            $function$, event.name, variant.suffix, variant.settings, event.few, event.full_at,
                event.rows, event.told_at_most, event.many);
        end loop;
    end loop;
end
$make$;

-- Which settings the images of a table depend on, as the suffix of its trigger functions. Where nobody
-- tells of DDL in its own transaction, a column of any type may be there before the triggers know.
create function rowcast.images_depend_on(member regclass) returns text
    language sql stable
    set search_path = pg_catalog, pg_temp
as $$
    with recursive types (oid) as (
        select atttypid from pg_attribute
        where attrelid = member and attnum > 0 and not attisdropped
        union
        -- What a domain is made of, and an array.
        select case t.typtype when 'd' then t.typbasetype else t.typelem end
        from types join pg_type t on t.oid = types.oid
        where t.typtype = 'd' or t.typcategory = 'A'
    )
    select case
        when not exists (select from pg_event_trigger
                         where evtname = 'rowcast_on_ddl' and evtenabled = 'A') then '_any'
        when not coalesce(bool_and(
            t.oid in ('bool'::regtype, 'int2'::regtype, 'int4'::regtype, 'int8'::regtype,
                      'oid'::regtype, 'numeric'::regtype, 'text'::regtype, 'varchar'::regtype,
                      'bpchar'::regtype, 'name'::regtype, '"char"'::regtype, 'uuid'::regtype,
                      'json'::regtype, 'jsonb'::regtype, 'date'::regtype, 'time'::regtype,
                      'timestamp'::regtype, 'inet'::regtype, 'cidr'::regtype, 'macaddr'::regtype,
                      'macaddr8'::regtype, 'bit'::regtype, 'varbit'::regtype,
                      'timestamptz'::regtype, 'float4'::regtype, 'float8'::regtype)
            -- to_json would call a cast that somebody made.
            or t.typtype = 'e' and not exists (select from pg_cast where castsource = t.oid)),
            true) then '_any'
        when bool_or(t.oid in ('timestamptz'::regtype, 'float4'::regtype, 'float8'::regtype))
            then '_usual'
        else ''
    end
    from types join pg_type t on t.oid = types.oid
    where t.typtype <> 'd' and t.typcategory <> 'A'
$$;

-- The function that the trigger of a table for an event is to call.
create function rowcast.log_function(member regclass, event text) returns regprocedure
    language sql stable
    set search_path = pg_catalog, pg_temp
as $$
    select case
        when event = 'truncate' then 'rowcast.log_change()'::regprocedure
        else format('rowcast.log_%s%s()', event, rowcast.images_depend_on(member))::regprocedure
    end
$$;

-- Whether a trigger calls one of the functions above.
create function rowcast.is_log_function(called oid) returns boolean
    language sql stable
    set search_path = pg_catalog, pg_temp
as $$
    select exists (
        select from pg_proc
        where oid = called and pronamespace = 'rowcast'::regnamespace
          and prorettype = 'trigger'::regtype)
$$;

-- As before, except that a trigger that calls another one of our functions is exchanged.
create or replace function rowcast.install_triggers(member regclass) returns boolean
    language plpgsql volatile
    set search_path = pg_catalog, pg_temp
as $$
declare
    event text;
    is_owner boolean;
    wanted regprocedure;
    installed pg_trigger;
    changed boolean := false;
begin
    select pg_has_role(relowner, 'USAGE') into is_owner from pg_class where oid = member;
    foreach event in array array['insert', 'update', 'delete', 'truncate'] loop
        wanted := rowcast.log_function(member, event);
        select * into installed
        from pg_trigger
        where tgrelid = member and tgname = 'rowcast_log_' || event
          and rowcast.is_log_function(tgfoid);
        if not found or installed.tgfoid <> wanted then
            execute format(
                'create %s trigger %I after %s on %s %s for each statement '
                'execute function %s',
                case when found then 'or replace' end,
                'rowcast_log_' || event, event, member,
                case event
                    when 'insert' then 'referencing new table as new_rows'
                    when 'update' then 'referencing old table as old_rows new table as new_rows'
                    when 'delete' then 'referencing old table as old_rows'
                    else ''
                end,
                wanted);
            installed.tgenabled := 'O';
            changed := true;
        end if;
        if is_owner and installed.tgenabled <> 'A' then
            -- Keeps the event triggers from answering this as if it were the user's.
            perform set_config('rowcast.installing', 'on', true);
            execute format('alter table only %s enable always trigger %I',
                           member, 'rowcast_log_' || event);
            perform set_config('rowcast.installing', 'off', true);
            changed := true;
        elsif installed.tgenabled in ('D', 'R') then
            raise warning 'rowcast: the trigger rowcast_log_% of % is disabled', event, member
                using hint = 'Its owner has to enable it: changes are missed meanwhile.';
        end if;
    end loop;
    return changed;
end
$$;

create or replace function rowcast.drop_triggers(member regclass) returns void
    language plpgsql volatile
    set search_path = pg_catalog, pg_temp
as $$
declare
    name text;
begin
    for name in
        select tgname from pg_trigger
        where tgrelid = member and rowcast.is_log_function(tgfoid)
    loop
        execute format('drop trigger %I on %s', name, member);
    end loop;
end
$$;

-- As before, with strays told by `is_log_function`.
create or replace function rowcast.reconcile() returns setof regclass
    language plpgsql volatile security definer
    set search_path = pg_catalog, pg_temp
as $$
declare
    root regclass;
    stray regclass;
begin
    for root in select relation from rowcast.watched order by relation loop
        begin
            if rowcast.reconcile_one(root) then
                return next root;
            end if;
        exception when lock_not_available then
            raise notice 'rowcast: % is being written; its triggers come later', root;
        end;
    end loop;
    for stray in
        select distinct t.tgrelid::regclass
        from pg_trigger t
        where rowcast.is_log_function(t.tgfoid)
          and not exists (
              select from rowcast.watched w
              where w.relation = coalesce(pg_partition_root(t.tgrelid), t.tgrelid))
    loop
        perform rowcast.drop_triggers(stray);
        return next stray;
    end loop;
end
$$;
