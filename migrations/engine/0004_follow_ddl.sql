-- Event triggers that reconcile a watched table in the very transaction that alters it. They need a
-- superuser to install; without them `rowcast.reconcile()` finds the same changes a little later.

-- After CREATE or ALTER: only the tables that the command touched.
create function rowcast.on_ddl() returns event_trigger
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
        join pg_attribute as a on a.atttypid = command.objid
        where command.classid = 'pg_type'::regclass and a.attrelid = w.relation);
exception when others then
    -- A viewer's bookkeeping must never be the reason that a migration fails.
    raise warning 'rowcast: could not follow this command: %', sqlerrm
        using hint = 'SELECT rowcast.reconcile() does so later.';
end
$$;

-- After a DROP that took a table with it, which can no longer be asked for its root.
create function rowcast.on_drop() returns event_trigger
    language plpgsql security definer
    set search_path = pg_catalog, pg_temp
    -- Nobody's DROP waits for the writers of another table.
    set lock_timeout = '200ms'
as $$
begin
    if exists (
        select from pg_event_trigger_dropped_objects()
        where object_type = 'table' and not is_temporary)
    then
        perform rowcast.reconcile();
    end if;
exception when others then
    raise warning 'rowcast: could not follow this command: %', sqlerrm
        using hint = 'SELECT rowcast.reconcile() does so later.';
end
$$;

-- Installs both if the current role may; says whether they are there.
create function rowcast.follow_ddl() returns boolean
    language plpgsql volatile
    set search_path = pg_catalog, pg_temp
as $$
begin
    if not exists (select from pg_event_trigger where evtname = 'rowcast_on_ddl') then
        create event trigger rowcast_on_ddl on ddl_command_end
            when tag in ('ALTER TABLE', 'CREATE TABLE', 'CREATE TABLE AS', 'ALTER TYPE')
            execute function rowcast.on_ddl();
        -- ALWAYS, like the table triggers: also under session_replication_role = replica.
        alter event trigger rowcast_on_ddl enable always;
    end if;
    if not exists (select from pg_event_trigger where evtname = 'rowcast_on_drop') then
        create event trigger rowcast_on_drop on sql_drop execute function rowcast.on_drop();
        alter event trigger rowcast_on_drop enable always;
    end if;
    return true;
exception when insufficient_privilege then
    raise notice 'rowcast: event triggers need a superuser; changed schemas are found by polling';
    return false;
end
$$;
