-- The trigger function that writes the log, and the wake-up of its reader.

-- Wakes a sleeping reader. NOTIFY takes a database-wide lock at commit, so writers pay for it only
-- while the reader sleeps: an awake reader holds this advisory lock. Where transactions may be
-- prepared, NOTIFY would make PREPARE TRANSACTION fail, and the reader polls instead.
-- `log_change` holds a copy of this body, because a call costs each write more than its work.
create function rowcast.wake() returns void
    language plpgsql volatile
    set search_path = pg_catalog, pg_temp
as $$
begin
    if pg_try_advisory_lock_shared(7813014321550001) then
        perform pg_advisory_unlock_shared(7813014321550001);
        if current_setting('max_prepared_transactions') = '0' then
            perform pg_notify('rowcast', '');
        end if;
    end if;
end
$$;

-- A large image without its large values; the columns of the primary key always stay. Whoever needs
-- a value that is missing has to ask the table.
create function rowcast.trim_image(image json, root oid) returns json
    language sql stable
    set search_path = pg_catalog, pg_temp
as $$
    select json_object_agg(key, value)
    from json_each(image)
    where octet_length(value::text) <= 8192
       or key in (
           select a.attname
           from pg_index i
           join pg_attribute a on a.attrelid = i.indrelid and a.attnum = any (i.indkey)
           where i.indrelid = root and i.indisprimary)
$$;

-- Logs one statement. It names no column of the table, so that no DDL can make a user's write fail,
-- and fixes every setting that changes how a value is written: the same value must always have the
-- same image, whoever wrote it. `x.*` and not `x`: the table may have a column of that name.
create function rowcast.log_change() returns trigger
    language plpgsql volatile security definer
    set search_path = pg_catalog, pg_temp
    set extra_float_digits = 1
    set bytea_output = hex
    set datestyle = 'ISO, MDY'
    set intervalstyle = iso_8601
    set timezone = 'UTC'
    set lc_monetary = 'C'
as $$
declare
    root oid := coalesce(pg_partition_root(tg_relid), tg_relid);
begin
    -- `offset 0` keeps the planner from writing each row's image twice.
    if tg_op = 'UPDATE' then
        insert into rowcast.change_log (table_oid, op, image)
        select root, side.op,
               case when pg_column_size(side.image) <= 8192 then side.image
                    else rowcast.trim_image(side.image, root) end
        from (select '-'::"char" as op, to_json(x.*) as image from old_rows as x
              union all
              select '+'::"char", to_json(x.*) from new_rows as x
              offset 0) as side;
    elsif tg_op = 'INSERT' then
        insert into rowcast.change_log (table_oid, op, image)
        select root, '+',
               case when pg_column_size(side.image) <= 8192 then side.image
                    else rowcast.trim_image(side.image, root) end
        from (select to_json(x.*) as image from new_rows as x offset 0) as side;
    elsif tg_op = 'DELETE' then
        insert into rowcast.change_log (table_oid, op, image)
        select root, '-',
               case when pg_column_size(side.image) <= 8192 then side.image
                    else rowcast.trim_image(side.image, root) end
        from (select to_json(x.*) as image from old_rows as x offset 0) as side;
    else
        -- One partition emptied on its own is not an empty table.
        insert into rowcast.change_log (table_oid, op)
        values (root, case when root = tg_relid then 'T' else 'S' end);
    end if;
    if found and pg_try_advisory_lock_shared(7813014321550001) then
        perform pg_advisory_unlock_shared(7813014321550001);
        if current_setting('max_prepared_transactions') = '0' then
            perform pg_notify('rowcast', '');
        end if;
    end if;
    return null;
end
$$;
