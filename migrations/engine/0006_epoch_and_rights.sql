-- An epoch belongs to one database, and the functions to those who need them.

alter table rowcast.log_state add column database text;

comment on column rowcast.log_state.database is
    'The cluster and the database that the epoch was begun in. Another one is a copy of it (a dump, a '
    'template, pg_upgrade), whose transactions have other numbers.';

-- The epoch of the log, begun if there is none, or if this is a copy of the database it was begun in. In a
-- REPEATABLE READ transaction that races with the first reader this fails with a serialization
-- error: try again.
create or replace function rowcast.epoch() returns uuid
    language plpgsql volatile security definer
    set search_path = pg_catalog, pg_temp
as $$
declare
    here text;
    state rowcast.log_state;
begin
    select concat_ws('.', system.system_identifier, d.oid) into strict here
    from pg_control_system() as system, pg_database as d
    where d.datname = current_database();
    select * into state from rowcast.log_state;
    if not found then
        insert into rowcast.log_state (database) values (here) on conflict do nothing;
    elsif state.database is null then
        update rowcast.log_state set database = here where database is null;
    elsif state.database <> here then
        update rowcast.log_state
        set epoch = gen_random_uuid(), pruned = null, database = here
        where database = state.database;
        if found then
            -- Their numbers could belong to transactions to come.
            delete from rowcast.change_log;
        end if;
    end if;
    select * into strict state from rowcast.log_state;
    return state.epoch;
end
$$;

-- Triggers and event triggers fire without this right, and what they call runs as the schema's owner. Who
-- is to read changes or to watch tables is granted it; README.md says what.
revoke execute on all functions in schema rowcast from public;
