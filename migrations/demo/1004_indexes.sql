-- The indexes of the demo's tables, as a list: a bulk load drops and recreates them.
--
-- Every sort ends in the primary key, in the direction of its last column, so `(price, id)` serves
-- both directions of a sort by price, and rows come out of the index in exactly the view's order.

create function public.demo_indexes()
    returns table (table_name text, index_name text, definition text)
    language sql stable
    set search_path = pg_catalog, pg_temp
as $$
    select 'products', 'products_' || replace(replace(columns, ', ', '_'), '_id', ''),
           format('(%s)', columns)
    from unnest(array[
        'name, id', 'category, id', 'brand, id', 'price, id', 'stock_quantity, id', 'rating, id',
        'reviews_count, id', 'created_at, id', 'updated_at, id',
        'category, price, id', 'brand, price, id']) as columns
    union all
    values
        ('products', 'products_tags', 'using gin (tags)'),
        ('products', 'products_text',
         $sql$using gin (to_tsvector('english', name || ' ' || brand || ' ' || description))$sql$),
        ('events', 'events_timestamp', '("timestamp", tenant_id, event_id)'),
        ('events', 'events_tenant_timestamp', '(tenant_id, "timestamp", event_id)'),
        ('events', 'events_type_timestamp', '(event_type, "timestamp", tenant_id, event_id)')
    union all
    -- Makes "contains" quick, where the extension is there.
    select 'products', 'products_name_trigram', format('using gin (name %I.gin_trgm_ops)', nspname)
    from pg_extension join pg_namespace n on n.oid = extnamespace
    where extname = 'pg_trgm'
$$;

-- Creates those of one table's indexes that are missing.
create function public.ensure_demo_indexes(for_table text) returns void
    language plpgsql
    set search_path = pg_catalog, pg_temp
as $$
declare
    missing record;
begin
    for missing in select * from public.demo_indexes() where table_name = for_table loop
        execute format('create index if not exists %I on public.%I %s',
                       missing.index_name, missing.table_name, missing.definition);
    end loop;
end
$$;

do $$
begin
    create extension if not exists pg_trgm schema public;
exception when others then
    raise notice 'no trigram index: %', sqlerrm;
end
$$;

select public.ensure_demo_indexes('products'), public.ensure_demo_indexes('events');
