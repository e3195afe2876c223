//! The rows of `events`: visits to the tenants' shops, from the first page to the purchase.

use crate::calendar::{DAY, Micros, SECOND, waking_instant};
use crate::catalogue::CATEGORIES;
use crate::copy_text::CopyLines;
use crate::dice::{Dice, Stream};
use crate::people::{TENANTS, Tenant, USERS_PER_TENANT, first_user};
use crate::product::Cents;

/// The columns of [`Event::write`], in its order.
pub(crate) const COLUMNS: &str = "tenant_id, event_id, \"timestamp\", event_type, user_id, \
     anonymous_id, session_id, page, browser, device, country, metadata";

/// Events are made in blocks of this many; a block holds whole visits.
pub(crate) const BLOCK: u64 = 16;

/// How far back the events reach.
pub(crate) const HISTORY: Micros = 90 * DAY;

/// A UUID in PostgreSQL's text form.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Uuid(u128);

impl Uuid {
    fn random(dice: &mut Dice) -> Self {
        let bits = u128::from(dice.bits()) << 64 | u128::from(dice.bits());
        // Version 4, variant 1.
        Self(bits & !(0xF << 76) & !(0x3 << 62) | 0x4 << 76 | 0x2 << 62)
    }
}

impl std::fmt::Display for Uuid {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let part = |shift: u32, digits: u32| (self.0 >> shift) & ((1 << (4 * digits)) - 1);
        write!(
            f,
            "{:08x}-{:04x}-{:04x}-{:04x}-{:012x}",
            part(96, 8),
            part(80, 4),
            part(64, 4),
            part(48, 4),
            part(0, 12)
        )
    }
}

/// One row.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Event {
    pub(crate) tenant_id: i32,
    pub(crate) event_id: Uuid,
    pub(crate) at: Micros,
    pub(crate) event_type: &'static str,
    pub(crate) user_id: Option<i32>,
    pub(crate) anonymous_id: Uuid,
    pub(crate) session_id: Uuid,
    pub(crate) page: String,
    pub(crate) browser: &'static str,
    pub(crate) device: &'static str,
    pub(crate) country: &'static str,
    /// A JSON object.
    pub(crate) metadata: String,
}

impl Event {
    /// Appends the row.
    pub(crate) fn write(&self, lines: &mut CopyLines) {
        lines.number(self.tenant_id);
        lines.number(self.event_id);
        lines.instant(self.at);
        lines.text(self.event_type);
        match self.user_id {
            Some(id) => lines.number(id),
            None => lines.null(),
        }
        lines.number(self.anonymous_id);
        lines.number(self.session_id);
        lines.text(&self.page);
        lines.text(self.browser);
        lines.text(self.device);
        lines.text(self.country);
        lines.text(&self.metadata);
        lines.end_row();
    }
}

/// The events of a block: the same for the same seed, whatever the total.
pub(crate) fn block(seed: u64, until: Micros, index: u64) -> Vec<Event> {
    let mut dice = Dice::of_row(seed, Stream::Visits, index);
    let mut events = Vec::with_capacity(BLOCK as usize);
    while events.len() < BLOCK as usize {
        let mut visit = Visit::begin(&mut dice, |dice, offset| {
            waking_instant(dice, until, HISTORY, offset)
        });
        let left = BLOCK as usize - events.len();
        let length = (1 + dice.exponential(4.5) as usize).min(left);
        for _ in 0..length {
            let event = visit.step(&mut dice);
            // A visit around the end of the time covered is cut there.
            events.push(Event {
                at: event.at.min(until - 1),
                ..event
            });
        }
    }
    events
}

/// Somebody walking through a shop.
pub(crate) struct Visit {
    tenant: &'static Tenant,
    now: Micros,
    user_id: Option<i32>,
    anonymous_id: Uuid,
    session_id: Uuid,
    browser: &'static str,
    device: &'static str,
    country: &'static str,
    place: Place,
    cart: Cents,
}

/// Where in the shop a visitor is; decides what may come next.
#[derive(Clone, Copy)]
enum Place {
    Door,
    Category(&'static str),
    Product(u64),
    Cart,
    Checkout,
    Done,
}

impl Visit {
    /// Somebody comes; `when` is asked with the visitor's time zone.
    pub(crate) fn begin(dice: &mut Dice, when: impl FnOnce(&mut Dice, i64) -> Micros) -> Self {
        let tenant = dice.pick_weighted(&TENANTS, |tenant| tenant.weight);
        let &(country, offset, _) = dice.pick_weighted(tenant.countries, |country| country.2);
        let device = *dice.pick_weighted(
            &[("desktop", 45.0), ("mobile", 48.0), ("tablet", 7.0)],
            |device| device.1,
        );
        let browsers: &[(&str, f64)] = match device.0 {
            "desktop" => &[
                ("Chrome", 58.0),
                ("Firefox", 16.0),
                ("Edge", 15.0),
                ("Safari", 11.0),
            ],
            "mobile" => &[
                ("Chrome", 56.0),
                ("Safari", 34.0),
                ("Samsung Internet", 10.0),
            ],
            _ => &[("Safari", 62.0), ("Chrome", 38.0)],
        };
        let user_id = dice.chance(0.35).then(|| {
            let skewed = (dice.unit().powi(2) * f64::from(USERS_PER_TENANT)) as i32;
            first_user(tenant.id) + skewed
        });
        Self {
            now: when(dice, offset),
            tenant,
            user_id,
            anonymous_id: Uuid::random(dice),
            session_id: Uuid::random(dice),
            browser: dice.pick_weighted(browsers, |browser| browser.1).0,
            device: device.0,
            country,
            place: Place::Door,
            cart: Cents(0),
        }
    }

    /// Whether the visitor is about to leave.
    pub(crate) fn is_over(&self) -> bool {
        matches!(self.place, Place::Done)
    }

    /// What the visitor does next.
    pub(crate) fn step(&mut self, dice: &mut Dice) -> Event {
        let (event_type, page, metadata) = match self.place {
            Place::Door => self.look_around(dice),
            Place::Category(category) => self.open_product(dice, category),
            Place::Product(id) if dice.chance(0.3) => self.fill_cart(dice, id),
            Place::Product(_) | Place::Done => self.look_around(dice),
            Place::Cart if dice.chance(0.45) => {
                self.place = Place::Checkout;
                (
                    "checkout_started",
                    "/checkout".into(),
                    format!(r#"{{"total": {}}}"#, self.cart),
                )
            }
            Place::Cart => self.look_around(dice),
            Place::Checkout => self.pay(dice),
        };
        let event = Event {
            tenant_id: self.tenant.id,
            event_id: Uuid::random(dice),
            at: self.now,
            event_type,
            user_id: self.user_id,
            anonymous_id: self.anonymous_id,
            session_id: self.session_id,
            page,
            browser: self.browser,
            device: self.device,
            country: self.country,
            metadata,
        };
        self.now += SECOND + dice.exponential(40.0 * SECOND as f64) as Micros;
        event
    }

    fn look_around(&mut self, dice: &mut Dice) -> (&'static str, String, String) {
        let category = dice.pick_weighted(&CATEGORIES, |category| category.share);
        let entering = matches!(self.place, Place::Door);
        self.place = Place::Category(category.name);
        if dice.chance(0.25) {
            let query = dice.pick_skewed(category.kinds).name.to_lowercase();
            let page = format!("/search?q={}", query.replace(' ', "+"));
            let found = dice.log_normal(60.0, 1.0) as u64;
            return (
                "search",
                page,
                format!(r#"{{"query": "{query}", "results": {found}}}"#),
            );
        }
        if !entering {
            return (
                "page_view",
                format!("/c/{}", slug(category.name)),
                "{}".into(),
            );
        }
        let referrer = *dice.pick_skewed(&["direct", "search", "newsletter", "social", "partner"]);
        (
            "page_view",
            "/".into(),
            format!(r#"{{"referrer": "{referrer}"}}"#),
        )
    }

    fn open_product(&mut self, dice: &mut Dice, category: &str) -> (&'static str, String, String) {
        // The popular ones have low numbers.
        let id = 1 + (dice.unit().powi(3) * 10_000.0) as u64;
        self.place = Place::Product(id);
        let metadata = format!(r#"{{"product_id": {id}, "category": "{category}"}}"#);
        ("product_view", format!("/p/{id}"), metadata)
    }

    fn fill_cart(&mut self, dice: &mut Dice, id: u64) -> (&'static str, String, String) {
        self.place = Place::Cart;
        let price = Cents(dice.log_normal(4_000.0, 1.0) as i64 + 99);
        let quantity = 1 + dice.exponential(0.5) as i64;
        self.cart.0 += price.0 * quantity;
        let metadata =
            format!(r#"{{"product_id": {id}, "quantity": {quantity}, "price": {price}}}"#);
        ("add_to_cart", format!("/p/{id}"), metadata)
    }

    fn pay(&mut self, dice: &mut Dice) -> (&'static str, String, String) {
        if dice.chance(0.12) {
            self.place = Place::Cart;
            return (
                "payment_failed",
                "/checkout".into(),
                r#"{"reason": "declined"}"#.into(),
            );
        }
        self.place = Place::Done;
        let order = dice.below(900_000) + 100_000;
        let method = *dice.pick_skewed(&["card", "paypal", "invoice", "transfer"]);
        let total = std::mem::replace(&mut self.cart, Cents(0));
        let metadata = format!(r#"{{"order": {order}, "total": {total}, "method": "{method}"}}"#);
        ("purchase", "/checkout/thanks".into(), metadata)
    }
}

fn slug(name: &str) -> String {
    name.to_lowercase().replace(" & ", "-").replace(' ', "-")
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;
    use crate::calendar::parse_date;

    #[test]
    fn blocks_are_reproducible_and_fit_the_table() {
        let until = parse_date("2026-01-31").unwrap();
        let mut ids = HashSet::new();
        let mut purchases = 0;
        for index in 0..1_000 {
            let events = block(42, until, index);
            assert_eq!(events, block(42, until, index));
            assert_eq!(events.len(), BLOCK as usize);
            for event in events {
                assert!(ids.insert(event.event_id));
                assert!((until - HISTORY..until).contains(&event.at));
                serde_json::from_str::<serde_json::Map<_, _>>(&event.metadata).unwrap();
                let users =
                    first_user(event.tenant_id)..first_user(event.tenant_id) + USERS_PER_TENANT;
                assert!(event.user_id.is_none_or(|id| users.contains(&id)));
                purchases += i32::from(event.event_type == "purchase");
            }
        }
        assert!(purchases > 100, "{purchases}");
    }
}
