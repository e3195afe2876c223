//! What the windows show: random sorts, filters and positions.

use anyhow::Context;
use protocol::{Filter, FilterOp, SortColumn, Test, Value, ViewSpec};
use rand::Rng;
use rand::seq::IndexedRandom;
use rand_chacha::ChaCha8Rng;

/// The table that is changed and shown.
pub(super) const TABLE: &str = "public.products";

/// Where each change leaves its number; no view sorts or filters by it.
pub(super) const NUMBER_COLUMN: &str = "reviews_count";

/// Rows in a window: a screen of them.
pub(super) const WINDOW_ROWS: u32 = 50;

const SORTS: [&str; 8] = [
    "name",
    "category",
    "brand",
    "price",
    "stock_quantity",
    "rating",
    "created_at",
    "updated_at",
];

/// What one window is to show.
#[derive(Clone, Debug)]
pub(super) struct WindowPlan {
    pub(super) view: ViewSpec,
    /// How far down its view, from 0 (the top) to 1.
    pub(super) depth: f64,
}

/// Values that filters can name.
#[derive(Debug)]
pub(super) struct Values {
    categories: Vec<String>,
    brands: Vec<String>,
    /// Ascending, each with as many rows between it and the next.
    prices: Vec<String>,
}

impl Values {
    /// Reads them from the table.
    pub(super) async fn read(client: &tokio_postgres::Client) -> anyhow::Result<Self> {
        let read = async |sql: &str| -> anyhow::Result<Vec<String>> {
            let rows = client.query(sql, &[]).await?;
            let values = rows
                .iter()
                .map(|row| row.try_get(0))
                .collect::<Result<Vec<_>, _>>()?;
            anyhow::ensure!(!values.is_empty(), "public.products is empty");
            Ok(values)
        };
        Ok(Self {
            categories: read("SELECT DISTINCT category FROM public.products ORDER BY 1").await?,
            brands: read("SELECT DISTINCT brand FROM public.products ORDER BY 1").await?,
            prices: read(
                "SELECT unnest(percentile_disc(ARRAY[0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9]) \
                 WITHIN GROUP (ORDER BY price))::text FROM public.products",
            )
            .await?,
        })
    }

    /// A random window.
    pub(super) fn window(&self, random: &mut ChaCha8Rng) -> anyhow::Result<WindowPlan> {
        let view = ViewSpec {
            filter: self.filter(random)?,
            sort: sort(random)?,
            ..ViewSpec::table(TABLE)
        };
        let depth = if random.random_bool(0.3) {
            0.0
        } else {
            random.random_range(0.0..1.0)
        };
        Ok(WindowPlan { view, depth })
    }

    fn filter(&self, random: &mut ChaCha8Rng) -> anyhow::Result<Option<Filter>> {
        let one_of = |values: &[String], random: &mut ChaCha8Rng| -> anyhow::Result<Value> {
            Ok(Value::text(values.choose(random).context("no values")?))
        };
        Ok(Some(match random.random_range(0..10) {
            0..4 => return Ok(None),
            4..6 => Filter::test("category", FilterOp::Eq, one_of(&self.categories, random)?),
            6 => Filter::test("brand", FilterOp::Eq, one_of(&self.brands, random)?),
            7 => Filter::test("rating", FilterOp::Ge, Value::text("3.5")),
            8 => Filter::test("stock_quantity", FilterOp::Gt, Value::Int(10)),
            _ => {
                let low = random.random_range(0..self.prices.len());
                let high = random.random_range(low..self.prices.len());
                let price = |at: usize| Value::text(self.prices[at].as_str());
                Filter::Test(Test {
                    column: "price".to_owned(),
                    op: FilterOp::Between,
                    values: vec![price(low), price(high)],
                })
            }
        }))
    }
}

fn sort(random: &mut ChaCha8Rng) -> anyhow::Result<Vec<SortColumn>> {
    let columns = match random.random_range(0..10) {
        0 => 0,
        1..8 => 1,
        _ => 2,
    };
    let mut sort: Vec<SortColumn> = Vec::with_capacity(columns);
    while sort.len() < columns {
        let column = *SORTS.choose(random).context("no columns")?;
        if sort.iter().all(|earlier| earlier.column != column) {
            let descending = random.random_bool(0.5);
            sort.push(SortColumn {
                column: column.to_owned(),
                descending,
                nulls: None,
            });
        }
    }
    Ok(sort)
}
