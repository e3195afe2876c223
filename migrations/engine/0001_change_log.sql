-- The change log: one row per side of every change of every watched table.
--
-- Images are only ever summed (an old image leaves, a new image enters); they are never paired or
-- replayed, because within a transaction their order can differ from the order of the changes.
--
-- Log and epoch are UNLOGGED: a crash empties them together, exactly when PostgreSQL may hand out
-- the same transaction ids again. Readers notice by the new epoch and start over.

create unlogged table rowcast.change_log (
    -- A large cache keeps the sequence out of the writers' way; the numbers only tell rows apart.
    seq        bigint generated always as identity (cache 64),
    xid        xid8 not null default pg_current_xact_id(),
    table_oid  oid not null,
    op         "char" not null,
    image      json,
    changed_at timestamptz not null default clock_timestamp()
) with (
    -- Keep images in the row and uncompressed: compressing costs the writer more than the bytes do.
    toast_tuple_target = 8160,
    -- Rows are deleted minutes after they were inserted, so only dead rows are worth a vacuum.
    autovacuum_vacuum_scale_factor = 0.02,
    autovacuum_vacuum_threshold = 10000,
    autovacuum_vacuum_insert_threshold = -1
);

alter table rowcast.change_log alter column image set storage external;

create index change_log_xid on rowcast.change_log (xid);

comment on table rowcast.change_log is
    'One row per side of a change of a watched table. Read by snapshot, never by seq.';
comment on column rowcast.change_log.xid is
    'The writing transaction; a reader takes the rows its previous snapshot did not see.';
comment on column rowcast.change_log.table_oid is
    'The table, or the root of its partition tree.';
comment on column rowcast.change_log.op is
    '- an old image, + a new image, T the table was truncated, S its schema changed: rebuild.';
comment on column rowcast.change_log.image is
    'to_json(row) under fixed settings. In a large row, values over 8,192 bytes are left out.';

create unlogged table rowcast.log_state (
    singleton boolean primary key default true check (singleton),
    epoch     uuid not null default gen_random_uuid(),
    pruned    pg_snapshot
);

comment on table rowcast.log_state is
    'At most one row, inserted by the first reader after installation and after every crash.';
comment on column rowcast.log_state.epoch is
    'Names this change log; another epoch means that nothing known about the old one holds.';
comment on column rowcast.log_state.pruned is
    'Rows visible in this snapshot may have been deleted; null if none was.';

-- The epoch of the log, begun if there is none. In a REPEATABLE READ transaction that races with
-- the first reader this fails with a serialization error: try again.
create function rowcast.epoch() returns uuid
    language plpgsql volatile security definer
    set search_path = pg_catalog, pg_temp
as $$
declare
    current_epoch uuid;
begin
    select epoch into current_epoch from rowcast.log_state;
    if not found then
        insert into rowcast.log_state default values on conflict do nothing;
        select epoch into strict current_epoch from rowcast.log_state;
    end if;
    return current_epoch;
end
$$;

-- Whether everything that `older` sees is also seen by `newer`.
create function rowcast.covers(newer pg_snapshot, older pg_snapshot) returns boolean
    language sql immutable strict parallel safe
    set search_path = pg_catalog, pg_temp
as $$
    select pg_snapshot_xmax(older) <= pg_snapshot_xmax(newer)
       and not exists (
           select from pg_snapshot_xip(newer) as running
           where running < pg_snapshot_xmax(older)
             and running not in (select pg_snapshot_xip(older)))
$$;

-- Deletes the log rows that `keep` sees, records that in the same transaction, and returns how many
-- they were. A `keep` that does not cover what is already pruned changes nothing.
create function rowcast.prune(keep pg_snapshot) returns bigint
    language plpgsql volatile security definer
    set search_path = pg_catalog, pg_temp
as $$
declare
    deleted bigint;
begin
    perform rowcast.epoch();
    update rowcast.log_state
    set pruned = keep
    where pruned is null or rowcast.covers(keep, pruned);
    if not found then
        return 0;
    end if;
    delete from rowcast.change_log
    where xid < pg_snapshot_xmax(keep) and pg_visible_in_snapshot(xid, keep);
    get diagnostics deleted = row_count;
    return deleted;
end
$$;

-- A role of the schema's name would create its own tables in here: `"$user"` leads its search path.
do $$
begin
    if exists (select from pg_catalog.pg_roles where rolname = 'rowcast') then
        execute format('alter role rowcast in database %I set search_path = public',
                       current_database());
    end if;
exception when insufficient_privilege then
    raise notice 'rowcast: the role rowcast needs search_path = public in this database';
end
$$;
