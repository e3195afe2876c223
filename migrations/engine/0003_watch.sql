-- Which tables are watched, and the triggers that this takes.

create table rowcast.watched (
    relation   regclass primary key,
    watched_at timestamptz not null default now(),
    shape      text not null
);

comment on table rowcast.watched is
    'The watched tables; a partitioned one by its root. Changed by rowcast.watch and rowcast.unwatch.';
comment on column rowcast.watched.shape is
    'rowcast.shape() when the triggers were last looked after; another one means: rebuild.';

-- The tables that need triggers: the table itself and everything below it, because a statement only
-- fires the triggers of the table it names. Foreign tables cannot have transition tables.
create function rowcast.members(root regclass) returns setof regclass
    language sql stable
    set search_path = pg_catalog, pg_temp
as $$
    select c.oid::regclass
    from (select root::oid union select relid::oid from pg_partition_tree(root)) as tree (oid)
    join pg_class c on c.oid = tree.oid
    where c.relkind in ('r', 'p')
$$;

-- Changes whenever rows may have changed without a trigger: columns, key, partitions. A rewritten
-- table counts only where no event trigger tells ALTER TABLE from TRUNCATE and VACUUM FULL.
create function rowcast.shape(root regclass) returns text
    language sql stable
    set search_path = pg_catalog, pg_temp
as $$
    select md5(concat_ws('/',
        (select format('%s.%s', relnamespace, relname) from pg_class where oid = root),
        (select string_agg(format('%s:%s:%s:%s:%s:%s:%s', attnum, attname, atttypid, atttypmod,
                                  attcollation, attnotnull, attgenerated), ',' order by attnum)
         from pg_attribute where attrelid = root and attnum > 0 and not attisdropped),
        (select indkey::text from pg_index where indrelid = root and indisprimary),
        (select string_agg(c.oid::text, ',' order by c.oid)
         from rowcast.members(root) as member join pg_class c on c.oid = member),
        (select string_agg(c.relfilenode::text, ',' order by c.oid)
         from rowcast.members(root) as member join pg_class c on c.oid = member
         where not exists (select from pg_event_trigger
                           where evtname = 'rowcast_on_ddl' and evtenabled <> 'D'))))
$$;

-- Logs "rebuild this table's views" and wakes the reader.
create function rowcast.log_rebuild(root oid) returns void
    language plpgsql volatile security definer
    set search_path = pg_catalog, pg_temp
as $$
begin
    insert into rowcast.change_log (table_oid, op) values (root, 'S');
    perform rowcast.wake();
end
$$;

-- Installs what is missing of the four triggers of one table; says whether anything was.
-- ENABLE ALWAYS, so that session_replication_role = replica does not silence them; only the table's
-- owner may do that, others with the TRIGGER privilege get ordinary triggers.
create function rowcast.install_triggers(member regclass) returns boolean
    language plpgsql volatile
    set search_path = pg_catalog, pg_temp
as $$
declare
    event text;
    is_owner boolean;
    installed "char";
    changed boolean := false;
begin
    select pg_has_role(relowner, 'USAGE') into is_owner from pg_class where oid = member;
    foreach event in array array['insert', 'update', 'delete', 'truncate'] loop
        select tgenabled into installed
        from pg_trigger
        where tgrelid = member and tgname = 'rowcast_log_' || event
          and tgfoid = 'rowcast.log_change()'::regprocedure;
        if not found then
            execute format(
                'create trigger %I after %s on %s %s for each statement '
                'execute function rowcast.log_change()',
                'rowcast_log_' || event, event, member,
                case event
                    when 'insert' then 'referencing new table as new_rows'
                    when 'update' then 'referencing old table as old_rows new table as new_rows'
                    when 'delete' then 'referencing old table as old_rows'
                    else ''
                end);
            installed := 'O';
            changed := true;
        end if;
        if is_owner and installed <> 'A' then
            -- Keeps the event triggers from answering this as if it were the user's.
            perform set_config('rowcast.installing', 'on', true);
            execute format('alter table only %s enable always trigger %I',
                           member, 'rowcast_log_' || event);
            perform set_config('rowcast.installing', 'off', true);
            changed := true;
        elsif installed in ('D', 'R') then
            raise warning 'rowcast: the trigger rowcast_log_% of % is disabled', event, member
                using hint = 'Its owner has to enable it: changes are missed meanwhile.';
        end if;
    end loop;
    return changed;
end
$$;

create function rowcast.drop_triggers(member regclass) returns void
    language plpgsql volatile
    set search_path = pg_catalog, pg_temp
as $$
declare
    name text;
begin
    for name in
        select tgname from pg_trigger
        where tgrelid = member and tgfoid = 'rowcast.log_change()'::regprocedure
    loop
        execute format('drop trigger %I on %s', name, member);
    end loop;
end
$$;

-- Raises an error, with what to do about it, unless the table can be watched.
create function rowcast.check_watchable(relation regclass) returns void
    language plpgsql stable
    set search_path = pg_catalog, pg_temp
as $$
declare
    c pg_class;
begin
    select * into strict c from pg_class where oid = relation;
    if c.relkind not in ('r', 'p') then
        raise exception 'cannot watch %: it is not a table', relation
            using errcode = 'wrong_object_type',
                  hint = 'Watch the tables that it reads.';
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
    elsif not exists (select from pg_index where indrelid = relation and indisprimary) then
        raise exception 'cannot watch %: it has no primary key', relation
            using errcode = 'object_not_in_prerequisite_state',
                  hint = format('ALTER TABLE %s ADD PRIMARY KEY (…);', relation);
    end if;
end
$$;

-- Watches a table: from now on its changes are logged. Safe to repeat. Waits for running writers of
-- the table, so set lock_timeout and try again rather than make new writers queue behind it.
create function rowcast.watch(relation regclass) returns void
    language plpgsql volatile
    set search_path = pg_catalog, pg_temp
as $$
declare
    member regclass;
    changed boolean := false;
begin
    perform rowcast.check_watchable(relation);
    for member in select rowcast.members(relation) loop
        changed := rowcast.install_triggers(member) or changed;
    end loop;
    insert into rowcast.watched as w (relation, shape)
    values (watch.relation, rowcast.shape(watch.relation))
    on conflict on constraint watched_pkey do update set shape = excluded.shape
    where w.shape <> excluded.shape;
    if found or changed then
        perform rowcast.log_rebuild(relation);
    end if;
end
$$;

-- Stops watching a table and removes all that `watch` put on it. Safe to repeat.
create function rowcast.unwatch(relation regclass) returns void
    language plpgsql volatile
    set search_path = pg_catalog, pg_temp
as $$
declare
    member regclass;
begin
    for member in select rowcast.members(relation) loop
        perform rowcast.drop_triggers(member);
    end loop;
    delete from rowcast.watched as w where w.relation = unwatch.relation;
    if found then
        perform rowcast.log_rebuild(relation);
    end if;
end
$$;

-- Brings one watched table in order; says whether there was anything to do.
create function rowcast.reconcile_one(root regclass) returns boolean
    language plpgsql volatile security definer
    set search_path = pg_catalog, pg_temp
as $$
declare
    known rowcast.watched;
    c pg_class;
    member regclass;
    changed boolean := false;
begin
    -- Whoever holds the row is at work on the same table. Waiting for them here could deadlock with
    -- the DDL that called; the next run finds what is left.
    select * into known from rowcast.watched where relation = root for update skip locked;
    if not found then
        return false;
    end if;
    select * into c from pg_class where oid = root;
    if not found then
        delete from rowcast.watched where relation = root;
        perform rowcast.log_rebuild(root);
        return true;
    elsif c.relispartition then
        -- It became part of another table, whose triggers it needs if that one is watched.
        delete from rowcast.watched where relation = root;
        perform rowcast.log_rebuild(root);
        if not exists (select from rowcast.watched where relation = pg_partition_root(root)) then
            perform rowcast.drop_triggers(m) from rowcast.members(root) as m;
        end if;
        return true;
    end if;
    for member in select rowcast.members(root) loop
        changed := rowcast.install_triggers(member) or changed;
    end loop;
    if changed or known.shape <> rowcast.shape(root) then
        update rowcast.watched set shape = rowcast.shape(root) where relation = root;
        perform rowcast.log_rebuild(root);
        return true;
    end if;
    return false;
end
$$;

-- Looks after every watched table: triggers that are missing or disabled (a partition was added),
-- shapes that changed, tables that are gone, triggers left on detached partitions. Returns the
-- tables it changed something about. Cheap when there is nothing to do; servers run it regularly,
-- under a lock_timeout: a table that is locked for longer does not keep it from the others.
create function rowcast.reconcile() returns setof regclass
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
        where t.tgfoid = 'rowcast.log_change()'::regprocedure
          and not exists (
              select from rowcast.watched w
              where w.relation = coalesce(pg_partition_root(t.tgrelid), t.tgrelid))
    loop
        perform rowcast.drop_triggers(stray);
        return next stray;
    end loop;
end
$$;
