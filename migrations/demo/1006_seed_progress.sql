-- How far the bulk load of each demo table has come; written in the same transaction as the rows.

create table rowcast.seed_progress (
    table_name text primary key,
    seed       bigint not null,
    until      timestamptz not null,
    done       bigint not null check (done >= 0),
    finished   boolean not null default false
);

comment on table rowcast.seed_progress is 'The rows that rowcast-seed has written, to continue there';
comment on column rowcast.seed_progress.until is 'The instant at which the generated history ends';
comment on column rowcast.seed_progress.finished is 'Whether the indexes are back and the table is watched';
