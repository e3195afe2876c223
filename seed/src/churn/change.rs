//! One change: what shops and their visitors do.

use std::time::{SystemTime, UNIX_EPOCH};

use sqlx::PgConnection;

use crate::calendar::Micros;
use crate::dice::{Dice, Stream};
use crate::product::{Cents, Product};
use crate::visit::{Event, Visit};

/// Visits that one connection keeps going at a time.
const VISITS: usize = 16;

/// Makes changes on one connection.
pub(super) struct Changer {
    connection: PgConnection,
    visits: Vec<Visit>,
    /// About the largest product id; new ones are added as they are made.
    last_id: i64,
}

/// Picks an existing row near a random id, since some ids are gone.
macro_rules! update_one {
    ($set:literal) => {
        concat!(
            "update public.products set ",
            $set,
            " where id = (select id from public.products where id >= $1 order by id limit 1)"
        )
    };
}

impl Changer {
    pub(super) async fn new(mut connection: PgConnection) -> Result<Self, sqlx::Error> {
        let last_id = sqlx::query_scalar("select coalesce(max(id), 0) from public.products")
            .fetch_one(&mut connection)
            .await?;
        Ok(Self {
            connection,
            visits: Vec::new(),
            last_id,
        })
    }

    /// Makes the change with this number, and commits it.
    pub(super) async fn change(&mut self, seed: u64, number: u64) -> Result<(), sqlx::Error> {
        let dice = &mut Dice::of_row(seed, Stream::Churn, number);
        // An empty catalogue can only grow.
        let choice = if self.last_id == 0 {
            99
        } else {
            dice.below(100)
        };
        match choice {
            0..28 => self.move_price(dice).await,
            28..54 => self.sell(dice).await,
            54..66 => self.review(dice).await,
            66..92 => self.click(dice).await,
            92..95 => self.remove(dice).await,
            _ => self.launch(seed, number).await,
        }
    }

    async fn move_price(&mut self, dice: &mut Dice) -> Result<(), sqlx::Error> {
        let factor = (0.06 * dice.normal()).exp();
        // Keeps the cents that the price ended in, as shops do.
        sqlx::query(update_one!(
            "price = least(greatest(trunc((price * $2::float8)::numeric), 1) + price % 1, 1e9)"
        ))
        .bind(self.some_id(dice))
        .bind(factor)
        .execute(&mut self.connection)
        .await?;
        Ok(())
    }

    async fn sell(&mut self, dice: &mut Dice) -> Result<(), sqlx::Error> {
        let sold = 1 + dice.exponential(1.2) as i32;
        let delivery = 20 + dice.below(200) as i32;
        sqlx::query(update_one!(
            "stock_quantity = case when stock_quantity >= $2 then stock_quantity - $2 else $3 end"
        ))
        .bind(self.some_id(dice))
        .bind(sold)
        .bind(delivery)
        .execute(&mut self.connection)
        .await?;
        Ok(())
    }

    async fn review(&mut self, dice: &mut Dice) -> Result<(), sqlx::Error> {
        let stars = *dice.pick_weighted(
            &[(5, 55.0), (4, 25.0), (3, 9.0), (2, 4.0), (1, 7.0)],
            |stars| stars.1,
        );
        sqlx::query(update_one!(
            "reviews_count = reviews_count + 1, \
             rating = round((coalesce(rating, 0) * reviews_count + $2) / (reviews_count + 1), 1)"
        ))
        .bind(self.some_id(dice))
        .bind(stars.0)
        .execute(&mut self.connection)
        .await?;
        Ok(())
    }

    async fn remove(&mut self, dice: &mut Dice) -> Result<(), sqlx::Error> {
        sqlx::query(
            "delete from public.products \
             where id = (select id from public.products where id >= $1 order by id limit 1)",
        )
        .bind(self.some_id(dice))
        .execute(&mut self.connection)
        .await?;
        Ok(())
    }

    async fn launch(&mut self, seed: u64, number: u64) -> Result<(), sqlx::Error> {
        let id: i64 =
            sqlx::query_scalar("select nextval(pg_get_serial_sequence('public.products', 'id'))")
                .fetch_one(&mut self.connection)
                .await?;
        let product = Product::generate(seed ^ number, now(), id);
        sqlx::query(
            "insert into public.products (id, sku, name, description, category, brand, price, \
                                          stock_quantity, tags) \
             values ($1, $2, $3, $4, $5, $6, $7::text::numeric, $8, $9)",
        )
        .bind(id)
        .bind(product.sku)
        .bind(product.name)
        .bind(product.description)
        .bind(product.category)
        .bind(product.brand)
        .bind(Cents(product.price_cents).to_string())
        .bind(product.stock)
        .bind(product.tags)
        .execute(&mut self.connection)
        .await?;
        self.last_id = id;
        Ok(())
    }

    /// The next event of one of the visits going on.
    async fn click(&mut self, dice: &mut Dice) -> Result<(), sqlx::Error> {
        if self.visits.len() < VISITS {
            self.visits.push(Visit::begin(dice, |_, _| now()));
        }
        let index = dice.below(self.visits.len() as u64) as usize;
        let event = self.visits[index].step(dice);
        if self.visits[index].is_over() || dice.chance(0.15) {
            self.visits.swap_remove(index);
        }
        self.insert(event).await
    }

    async fn insert(&mut self, event: Event) -> Result<(), sqlx::Error> {
        sqlx::query(
            "insert into public.events (tenant_id, event_id, event_type, user_id, anonymous_id, \
                                        session_id, page, browser, device, country, metadata) \
             values ($1, $2::text::uuid, $3, $4, $5::text::uuid, $6::text::uuid, $7, $8, $9, $10, \
                     $11::text::jsonb)",
        )
        .bind(event.tenant_id)
        .bind(event.event_id.to_string())
        .bind(event.event_type)
        .bind(event.user_id)
        .bind(event.anonymous_id.to_string())
        .bind(event.session_id.to_string())
        .bind(event.page)
        .bind(event.browser)
        .bind(event.device)
        .bind(event.country)
        .bind(event.metadata)
        .execute(&mut self.connection)
        .await?;
        Ok(())
    }

    /// Popular products change more often.
    fn some_id(&self, dice: &mut Dice) -> i64 {
        1 + (dice.unit().powf(1.5) * self.last_id as f64) as i64
    }
}

fn now() -> Micros {
    let now = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    Micros::try_from(now.as_micros()).unwrap_or(Micros::MAX)
}
