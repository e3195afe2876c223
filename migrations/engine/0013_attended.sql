-- A table's changes are logged only while somebody shows it: watching costs its writers next to nothing otherwise.

-- A table is *attended* while a reader holds a shared advisory lock that names it: 78130143 and the number of the table,
-- or of the root of its partition tree. A trigger tries to take the same lock exclusively. If it can, nobody attends, and it
-- gives the lock back at once. If it cannot, it logs: a reader holds the lock, or another writer tries at this moment, and what
-- is logged in vain does no harm.
--
-- A transaction that had written before a reader took the lock may have logged nothing, and commits later. So a reader takes the lock,
-- then asks which transactions have written the table and are running, then takes the snapshot that it begins at; it builds the table's
-- views anew when one of those has ended (`server/src/changes/attendance.rs`).

-- The functions as they are, but for this question before anything else. Nothing may be interrupted between the two calls:
-- the number of the table is looked up before.
do $make$
declare
    before constant text := E'begin\n    insert into rowcast.change_log (table_oid, op, image)';
    asking constant text := E'begin\n'
        '    if pg_catalog.pg_try_advisory_lock(78130143, root::pg_catalog.int4)\n'
        '        and pg_catalog.pg_advisory_unlock(78130143, root::pg_catalog.int4)\n'
        '    then\n'
        '        return null;\n'
        '    end if;\n'
        '    insert into rowcast.change_log (table_oid, op, image)';
    source record;
begin
    for source in
        select oid, pg_get_functiondef(oid) as definition
        from pg_proc
        where pronamespace = 'rowcast'::regnamespace
          and proname ~ '^log_(insert|update|delete)(_usual|_any)?(_json)?$'
    loop
        if strpos(source.definition, before) = 0 then
            raise exception '% does not begin as expected', source.oid::regprocedure;
        end if;
        execute replace(source.definition, before, asking);
    end loop;
end
$make$;

revoke execute on all functions in schema rowcast from public;
