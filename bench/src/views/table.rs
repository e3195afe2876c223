//! The table that views are measured on, and the views.

use std::time::Instant;

use anyhow::Context;
use protocol::{Filter, FilterOp, SortColumn, Value, ViewSpec};
use tokio_postgres::Client;

use super::say;

/// A table of so many rows, each different in every column but `status` and `priority`.
#[derive(Clone, Debug)]
pub(super) struct Table {
    pub(super) rows: u64,
    /// As PostgreSQL and a client name it.
    pub(super) name: String,
}

/// Indexes, each of which serves one of the orders.
const INDEXES: [&str; 5] = [
    "(amount, id)",
    "(status, amount, id)",
    "(customer, id)",
    "(priority DESC, placed_at, id)",
    "(shipped_at, id)",
];

impl Table {
    /// The table of so many rows; made if it is not there, and vacuumed.
    pub(super) async fn of(client: &Client, rows: u64) -> anyhow::Result<Self> {
        let name = format!("public.orders_{rows}");
        let table = Self { rows, name };
        let began = Instant::now();
        if !table.is_complete(client).await? {
            say(&format!("making {} with its indexes", table.name))?;
            table.make(client).await?;
        }
        let vacuum = format!("VACUUM (ANALYZE) {}", table.name);
        for statement in [vacuum.as_str(), "CHECKPOINT"] {
            client.batch_execute(statement).await?;
        }
        say(&format!("{} took {:.1?}", table.name, began.elapsed()))?;
        Ok(table)
    }

    async fn is_complete(&self, client: &Client) -> anyhow::Result<bool> {
        let sql = "SELECT coalesce(obj_description(to_regclass($1::text)) = 'complete', false)";
        Ok(client.query_one(sql, &[&self.name]).await?.try_get(0)?)
    }

    async fn make(&self, client: &Client) -> anyhow::Result<()> {
        let name = &self.name;
        // `hashint8extended` scatters evenly and is the same everywhere. Dates are of the same two years.
        let fill = format!(
            "DROP TABLE IF EXISTS {name};
             CREATE TABLE {name} (
                 id bigint PRIMARY KEY,
                 account int NOT NULL,
                 status text COLLATE \"C\" NOT NULL,
                 customer text COLLATE \"C\" NOT NULL,
                 amount numeric(12, 2) NOT NULL,
                 priority smallint NOT NULL,
                 placed_at timestamptz NOT NULL,
                 shipped_at timestamptz,
                 note text COLLATE \"C\" NOT NULL);
             INSERT INTO {name}
             SELECT n, h % 10000, (ARRAY['open', 'paid', 'sent', 'done', 'void'])[(1 + h / 11 % 5)::int],
                 'customer ' || to_hex(hashint8extended(n, 2)), (h % 1000000000) / 100.0, h / 7 % 4,
                 timestamptz '2024-01-01 UTC' + h % 63072000 * interval '1 second',
                 CASE WHEN h / 13 % 10 > 2 THEN timestamptz '2024-01-02 UTC' + h % 63072000 * interval '1 second' END,
                 'note ' || to_hex(hashint8extended(n, 3))
             FROM generate_series(1, {rows}) AS n, abs(hashint8extended(n, 1) / 2) AS h",
            rows = self.rows,
        );
        client.batch_execute(&fill).await?;
        client
            .batch_execute("SET maintenance_work_mem = '512MB'")
            .await?;
        for index in INDEXES {
            let sql = format!("CREATE INDEX ON {name} {index}");
            client.batch_execute(&sql).await?;
        }
        let done = format!("COMMENT ON TABLE {name} IS 'complete'");
        Ok(client.batch_execute(&done).await?)
    }

    /// Has its changes logged.
    pub(super) async fn watch(&self, client: &Client) -> anyhow::Result<()> {
        let watch = "SELECT rowcast.watch($1::text::regclass)";
        client
            .execute(watch, &[&self.name])
            .await
            .with_context(|| format!("cannot watch {}", self.name))?;
        Ok(())
    }
}

/// A view of the table.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Case {
    /// By a number.
    Amount,
    /// The same, a fifth of the rows.
    AmountFiltered,
    /// By text, backwards.
    Customer,
    /// By two columns in different directions.
    Mixed,
    /// By a column with NULLs.
    Nullable,
    /// By a column without an index.
    Unserved,
    /// The same, a fifth of the rows.
    UnservedFiltered,
}

/// The value that a fifth of the rows have.
const STATUS: &str = "open";

impl Case {
    /// In words, for people.
    pub(super) fn label(self) -> &'static str {
        match self {
            Self::Amount => "amount",
            Self::AmountFiltered => "amount, filtered",
            Self::Customer => "customer desc",
            Self::Mixed => "priority desc, placed_at",
            Self::Nullable => "shipped_at (nullable)",
            Self::Unserved => "note (no index)",
            Self::UnservedFiltered => "note, filtered (no index)",
        }
    }

    /// Whether an index serves it.
    pub(super) fn is_served(self) -> bool {
        !matches!(self, Self::Unserved | Self::UnservedFiltered)
    }

    fn is_filtered(self) -> bool {
        matches!(self, Self::AmountFiltered | Self::UnservedFiltered)
    }

    /// As a client asks for it.
    pub(super) fn view(self, table: &Table) -> ViewSpec {
        let by = |column: &str, descending| SortColumn {
            column: column.to_owned(),
            descending,
            nulls: None,
        };
        let sort = match self {
            Self::Amount | Self::AmountFiltered => vec![by("amount", false)],
            Self::Customer => vec![by("customer", true)],
            Self::Mixed => vec![by("priority", true), by("placed_at", false)],
            Self::Nullable => vec![by("shipped_at", false)],
            Self::Unserved | Self::UnservedFiltered => vec![by("note", false)],
        };
        let filter = Filter::test("status", FilterOp::Eq, Value::text(STATUS));
        ViewSpec {
            sort,
            filter: self.is_filtered().then_some(filter),
            ..ViewSpec::table(table.name.clone())
        }
    }

    /// The SQL that counts its rows.
    pub(super) fn count(self, table: &Table) -> String {
        let filter = if self.is_filtered() {
            format!(" WHERE status = '{STATUS}'")
        } else {
            String::new()
        };
        format!("SELECT count(*) FROM {}{filter}", table.name)
    }

    /// As many different views that cost the same.
    pub(super) fn variants(self, table: &Table, count: usize) -> anyhow::Result<Vec<ViewSpec>> {
        let variant = |nth: usize| {
            let all = Filter::test("id", FilterOp::Gt, Value::Int(-i64::try_from(nth)?));
            let view = self.view(table);
            let filters = view.filter.clone().into_iter().chain([all]).collect();
            anyhow::Ok(ViewSpec {
                filter: Some(Filter::And(filters)),
                ..view
            })
        };
        (0..count).map(variant).collect()
    }
}
