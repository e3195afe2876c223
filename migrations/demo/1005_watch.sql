-- The demo's tables are live from the start.

select rowcast.watch('public.tenants'), rowcast.watch('public.users'),
       rowcast.watch('public.products'), rowcast.watch('public.events');
