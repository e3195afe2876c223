-- The demo's event stream: append-only, many tenants, one partition per month.

create table public.events (
    tenant_id    integer not null references public.tenants,
    event_id     uuid not null default gen_random_uuid(),
    "timestamp"  timestamptz not null default now() check (isfinite("timestamp")),
    event_type   text not null check (event_type ~ '^[a-z][a-z0-9_]{0,62}$'),
    user_id      integer,
    anonymous_id uuid,
    session_id   uuid not null,
    page         text not null check (page like '/%' and char_length(page) <= 2000),
    browser      text not null check (char_length(browser) between 1 and 50),
    device       text not null check (device in ('desktop', 'mobile', 'tablet')),
    country      text not null check (country ~ '^[A-Z]{2}$'),
    metadata     jsonb not null default '{}' check (jsonb_typeof(metadata) = 'object'),
    -- A sender that repeats an event repeats its id and its time, so the key recognises it.
    primary key (tenant_id, event_id, "timestamp"),
    foreign key (tenant_id, user_id) references public.users (tenant_id, id),
    constraint events_someone check (num_nonnulls(user_id, anonymous_id) >= 1)
) partition by range ("timestamp");

comment on table public.events is 'What visitors of the tenants'' shops do, as it happens';
comment on column public.events.event_id is 'Chosen by the sender; sent again, it is the same event';
comment on column public.events.user_id is 'Who it was; empty while the visitor is anonymous';
comment on column public.events.anonymous_id is 'The visitor''s device, before and after signing in';
comment on column public.events.session_id is 'One visit: events without a long pause between them';
comment on column public.events.country is 'ISO 3166-1 alpha-2';
comment on column public.events.metadata is 'What this type of event has besides';

-- Events of months that have no partition yet; `ensure_event_partitions` moves them out.
create table public.events_default partition of public.events default;

-- Creates the monthly partitions (UTC) from one instant to another and returns how many it created.
create function public.ensure_event_partitions(first timestamptz, last timestamptz)
    returns integer
    language plpgsql
    set search_path = pg_catalog, pg_temp
    set timezone = 'UTC'
as $$
declare
    month timestamptz := date_trunc('month', first);
    next_month timestamptz;
    name text;
    created integer := 0;
begin
    if last < first or last - first > interval '50 years' then
        raise exception 'cannot create partitions from % to %', first, last
            using errcode = 'invalid_parameter_value',
                  hint = 'Name an interval of at most 50 years, the earlier instant first.';
    end if;
    perform pg_advisory_xact_lock('public.events'::regclass::oid::bigint);
    while month <= last loop
        next_month := month + interval '1 month';
        name := 'events_' || to_char(month, 'YYYY_MM');
        if to_regclass(format('public.%I', name)) is null then
            execute format('create table public.%I (like public.events including all)', name);
            execute format(
                'with moved as (
                     delete from public.events_default
                     where "timestamp" >= %L and "timestamp" < %L returning *)
                 insert into public.%I select * from moved', month, next_month, name);
            execute format(
                'alter table public.events attach partition public.%I for values from (%L) to (%L)',
                name, month, next_month);
            created := created + 1;
        end if;
        month := next_month;
    end loop;
    if created > 0 then
        -- Where no event trigger has done so.
        perform rowcast.reconcile_one('public.events');
    end if;
    return created;
end
$$;
