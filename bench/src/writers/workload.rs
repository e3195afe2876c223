//! What the clients of pgbench do.

/// How large `pgbench --initialize` makes its tables: 100,000 accounts, 10 tellers and one branch for each.
/// More branches than clients, or they would wait for each other's rows.
pub(super) const TPCB_SCALE: u32 = 20;

/// The tables beside `public.products`. Rows leave room for their next version on the page.
pub(super) const TABLES: &str = "
    CREATE TABLE public.bench_narrow (id int PRIMARY KEY, number int NOT NULL, label text)
        WITH (fillfactor = 50);
    INSERT INTO public.bench_narrow SELECT id, 0, 'row ' || id FROM generate_series(1, 100000) AS id;
    CREATE TABLE public.bench_insert (
        id bigint GENERATED ALWAYS AS IDENTITY (CACHE 100) PRIMARY KEY, number int NOT NULL, label text);
    ANALYZE public.bench_narrow, public.bench_insert";

/// What each client does, over and over.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Workload {
    /// Updates one row by its key, in a table of three columns.
    NarrowUpdate,
    /// Updates one row by its key, in the demo's catalogue with all its indexes.
    ProductsUpdate,
    /// Inserts one row into a table of three columns.
    NarrowInsert,
    /// Updates 1,000 rows of a table of three columns in one statement.
    BulkUpdate,
    /// pgbench's own transaction after TPC-B: three updates by key, a query and an insert, in seven round
    /// trips. The three updated tables are watched; the fourth has no key.
    Tpcb,
}

/// What pgbench is told to run.
#[derive(Clone, Copy, Debug)]
pub(super) enum Script {
    /// One of its own, by name.
    Builtin(&'static str),
    /// This one.
    Text(&'static str),
}

impl Workload {
    /// The tables that are written and watched.
    pub(super) fn tables(self) -> &'static [&'static str] {
        match self {
            Self::NarrowUpdate | Self::BulkUpdate => &["public.bench_narrow"],
            Self::ProductsUpdate => &["public.products"],
            Self::NarrowInsert => &["public.bench_insert"],
            Self::Tpcb => &[
                "public.pgbench_accounts",
                "public.pgbench_tellers",
                "public.pgbench_branches",
            ],
        }
    }

    /// What pgbench runs. Clients of the bulk update have rows of their own: they would wait for each
    /// other otherwise.
    pub(super) fn script(self) -> Script {
        let text = match self {
            Self::NarrowUpdate => {
                "\\set id random(1, 100000)\n\
                 UPDATE public.bench_narrow SET number = number + 1 WHERE id = :id;\n"
            }
            Self::ProductsUpdate => {
                "\\set id random(1, 100000)\n\
                 UPDATE public.products SET stock_quantity = (stock_quantity + 1) % 1000 \
                 WHERE id = :id;\n"
            }
            Self::NarrowInsert => {
                "\\set number random(1, 100000)\n\
                 INSERT INTO public.bench_insert (number, label) VALUES (:number, 'label');\n"
            }
            Self::BulkUpdate => {
                "\\set first (random(0, 5) * 16 + :client_id) * 1000\n\
                 UPDATE public.bench_narrow SET number = number + 1 \
                 WHERE id > :first AND id <= :first + 1000;\n"
            }
            Self::Tpcb => return Script::Builtin("tpcb-like"),
        };
        Script::Text(text)
    }

    /// What makes the tables as they were.
    pub(super) fn restore(self) -> &'static [&'static str] {
        match self {
            Self::NarrowUpdate | Self::BulkUpdate => &["VACUUM public.bench_narrow"],
            Self::ProductsUpdate => &["VACUUM public.products"],
            Self::NarrowInsert => &["TRUNCATE public.bench_insert"],
            Self::Tpcb => &[
                "TRUNCATE public.pgbench_history",
                "VACUUM public.pgbench_accounts",
                "VACUUM public.pgbench_tellers",
                "VACUUM public.pgbench_branches",
            ],
        }
    }
}
