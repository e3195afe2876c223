-- JSON's null and NULL are told apart in large rows, too: whoever counts values cannot ask the table what a row was.

-- As before, whatever the size of what it returns: what is large is trimmed. Only of a record over 1 MiB nothing is told, for the
-- pattern's memory must not make a write fail.
create or replace function rowcast.tell_nulls(image json, record text) returns json
    language sql immutable
    set search_path = pg_catalog, pg_temp
as $$
    select case when octet_length(record) > 1048576 then image
                when record ~ '[(,]null[,)]' then json_build_array(image, record)
                else json_build_array(image) end
$$;

-- As before, but what is alone in an array stays so.
create or replace function rowcast.trim_image(image json, root oid) returns json
    language sql stable
    set search_path = pg_catalog, pg_temp
as $$
    select case
        when json_typeof(image) = 'object' then trimmed.row
        when json_array_length(image) = 1 then json_build_array(trimmed.row)
        when octet_length(image ->> 1) <= 1048576 then rowcast.trim_pair(image -> 0, image ->> 1, root)
        else trimmed.row
    end
    from (
        select json_object_agg(key, value) as row
        from json_each(case json_typeof(image) when 'array' then image -> 0 else image end)
        where octet_length(value::text) <= 8192
           or key = any ((select rowcast.key_columns(root))::text[])) as trimmed
$$;

revoke execute on all functions in schema rowcast from public;
