//! The rows of `products`.

use fake::Fake;
use fake::faker::company::en::BuzzwordMiddle;
use fake::faker::name::raw::{FirstName, LastName};
use fake::locales::{AR_SA, DE_DE, EN, FR_FR, IT_IT, JA_JP, PT_BR, TR_TR, ZH_CN};

use crate::calendar::{DAY, Micros, waking_instant};
use crate::catalogue::{BRANDS, CATEGORIES, COMMON_TAGS, Category, Kind, SERIES};
use crate::copy_text::CopyLines;
use crate::dice::{Dice, Stream};

/// The columns of [`Product::write`], in its order.
pub(crate) const COLUMNS: &str = "id, sku, name, description, category, brand, price, \
     stock_quantity, rating, reviews_count, tags, created_at, updated_at";

/// How far back the catalogue reaches.
const HISTORY: Micros = 4 * 365 * DAY;

/// One row.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Product {
    pub(crate) id: i64,
    pub(crate) sku: String,
    pub(crate) name: String,
    pub(crate) description: String,
    pub(crate) category: &'static str,
    pub(crate) brand: &'static str,
    pub(crate) price_cents: i64,
    pub(crate) stock: i32,
    /// In tenths; `None` without reviews.
    pub(crate) rating_tenths: Option<i32>,
    pub(crate) reviews: i32,
    pub(crate) tags: Vec<&'static str>,
    pub(crate) created_at: Micros,
    pub(crate) updated_at: Micros,
}

impl Product {
    /// The product with this id, as of `until`.
    pub(crate) fn generate(seed: u64, until: Micros, id: i64) -> Self {
        let dice = &mut Dice::of_row(seed, Stream::Products, id.unsigned_abs());
        let category = dice.pick_weighted(&CATEGORIES, |category| category.share);
        let kind = dice.pick_skewed(category.kinds);
        let brand = BRANDS[*dice.pick_skewed(category.brands)];
        let name = name(dice, category, kind, brand);
        let description = description(dice, category, kind, brand);
        let price_cents = price_cents(dice, kind.median_price, category.price_spread);
        // A product is as good as it is; few reviews measure that badly, and good ones sell more.
        let quality = (4.25 + 0.45 * dice.normal()).min(5.0);
        let (rating_tenths, reviews) = reviews(dice, quality);
        let stock = if dice.chance(0.06) {
            0
        } else {
            dice.log_normal(60.0, 1.1) as i32
        };
        // The catalogue grows: more products are young than old.
        let span = (HISTORY as f64 * (1.0 - dice.unit().sqrt())) as Micros;
        let created_at = waking_instant(dice, until - span, DAY, 1);
        let updated_at = (created_at
            + dice.exponential((until - created_at) as f64 / 3.0) as Micros)
            .min(until - 1);
        let tags = tags(
            dice,
            category,
            price_cents,
            stock,
            reviews,
            until - created_at,
        );
        Self {
            id,
            sku: sku(id, category.code),
            name,
            description,
            category: category.name,
            brand,
            price_cents,
            stock,
            rating_tenths,
            reviews,
            tags,
            created_at,
            updated_at,
        }
    }

    /// Appends the row.
    pub(crate) fn write(&self, lines: &mut CopyLines) {
        lines.number(self.id);
        lines.text(&self.sku);
        lines.text(&self.name);
        lines.text(&self.description);
        lines.text(self.category);
        lines.text(self.brand);
        lines.number(Cents(self.price_cents));
        lines.number(self.stock);
        match self.rating_tenths {
            Some(tenths) => lines.number(format_args!("{}.{}", tenths / 10, tenths % 10)),
            None => lines.null(),
        }
        lines.number(self.reviews);
        lines.texts(&self.tags);
        lines.instant(self.created_at);
        lines.instant(self.updated_at);
        lines.end_row();
    }
}

/// An amount of money, shown in euros.
pub(crate) struct Cents(pub(crate) i64);

impl std::fmt::Display for Cents {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}.{:02}", self.0 / 100, self.0 % 100)
    }
}

/// Unique, and in the order of the ids, so that a bulk load appends to the unique index.
fn sku(id: i64, code: &str) -> String {
    const DIGITS: &[u8; 36] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ";
    let mut rest = id.unsigned_abs();
    let mut digits = ['0'; 7];
    for digit in digits.iter_mut().rev() {
        *digit = char::from(DIGITS[(rest % 36) as usize]);
        rest /= 36;
    }
    let digits: String = digits.iter().collect();
    format!("{}-{}-{code}", &digits[..3], &digits[3..])
}

fn name(dice: &mut Dice, category: &Category, kind: &Kind, brand: &str) -> String {
    let mut name = if category.name == "Books" {
        format!("{}: {}", kind.name, author(dice))
    } else {
        let model = (dice.below(90) + 10) * 10;
        format!(
            "{brand} {} {} {model}",
            dice.pick_skewed(&SERIES),
            kind.name
        )
    };
    if !kind.elsewhere.is_empty() && dice.chance(0.08) {
        let elsewhere = *dice.pick(kind.elsewhere);
        name.push_str(" · ");
        name.push_str(elsewhere);
    }
    name
}

fn author(dice: &mut Dice) -> String {
    fn western<L: fake::locales::Data + Copy>(dice: &mut Dice, locale: L) -> String {
        let first: &str = FirstName(locale).fake_with_rng(dice);
        let last: &str = LastName(locale).fake_with_rng(dice);
        format!("{first} {last}")
    }
    fn eastern<L: fake::locales::Data + Copy>(dice: &mut Dice, locale: L) -> String {
        let last: &str = LastName(locale).fake_with_rng(dice);
        let first: &str = FirstName(locale).fake_with_rng(dice);
        format!("{last}{first}")
    }
    match dice.below(12) {
        0 => western(dice, DE_DE),
        1 => western(dice, FR_FR),
        2 => western(dice, IT_IT),
        3 => western(dice, PT_BR),
        4 => western(dice, TR_TR),
        5 => western(dice, AR_SA),
        6 => eastern(dice, JA_JP),
        7 => eastern(dice, ZH_CN),
        _ => western(dice, EN),
    }
}

fn description(dice: &mut Dice, category: &Category, kind: &Kind, brand: &str) -> String {
    let first = dice.pick(category.features);
    let second = dice.pick(category.features);
    let quality: &str = BuzzwordMiddle().fake_with_rng(dice);
    let mut text = format!("{} by {brand} with {first}", kind.name);
    if first != second {
        text.push_str(" and ");
        text.push_str(second);
    }
    text.push_str(". ");
    text.push_str(match dice.below(5) {
        0 => "Made for every day: ",
        1 => "A favourite of our customers: ",
        2 => "New in this range: ",
        3 => "Built to last: ",
        _ => "Thought through to the last detail: ",
    });
    let article = if quality.starts_with(['a', 'e', 'i', 'o', 'u']) {
        "an "
    } else {
        "a "
    };
    text.push_str(article);
    text.push_str(quality);
    text.push_str(match dice.below(4) {
        0 => " design that is easy to repair.",
        1 => " design, simple and reliable.",
        2 => " design, with spare parts for ten years.",
        _ => " design at a fair price.",
    });
    text
}

/// Around the kind's median, ending as prices in shops do.
fn price_cents(dice: &mut Dice, median: f64, spread: f64) -> i64 {
    let euros = dice.log_normal(median, spread).clamp(1.0, 250_000.0) as i64;
    let round = if euros >= 200 { 10 } else { 1 };
    let euros = euros / round * round;
    match dice.below(10) {
        0..=5 => euros * 100 - 1,
        6 | 7 => euros * 100 + 49,
        8 => euros * 100 - 5,
        _ => euros * 100,
    }
}

fn reviews(dice: &mut Dice, quality: f64) -> (Option<i32>, i32) {
    if dice.chance(0.09) {
        return (None, 0);
    }
    let popularity = 12.0 * (1.3 * (quality - 4.0)).exp();
    let count = dice.log_normal(popularity, 1.5).clamp(1.0, 250_000.0);
    let measured = quality + 0.9 * dice.normal() / count.sqrt();
    (
        Some((measured.clamp(1.0, 5.0) * 10.0).round() as i32),
        count as i32,
    )
}

fn tags(
    dice: &mut Dice,
    category: &Category,
    price_cents: i64,
    stock: i32,
    reviews: i32,
    age: Micros,
) -> Vec<&'static str> {
    let mut tags = Vec::with_capacity(6);
    if age < 45 * DAY {
        tags.push("new");
    }
    if reviews > 400 {
        tags.push("bestseller");
    }
    if price_cents % 100 == 49 {
        tags.push("sale");
    }
    if stock > 0 && stock < 5 {
        tags.push("last-pieces");
    }
    for _ in 0..dice.below(3) {
        let tag = *dice.pick(category.tags);
        if !tags.contains(&tag) {
            tags.push(tag);
        }
    }
    if dice.chance(0.2) {
        tags.push(*dice.pick_skewed(&COMMON_TAGS));
    }
    tags
}

#[cfg(test)]
mod tests {
    use std::collections::{HashMap, HashSet};

    use super::*;
    use crate::calendar::parse_date;

    fn sample(count: i64) -> Vec<Product> {
        let until = parse_date("2026-01-31").unwrap();
        (1..=count)
            .map(|id| Product::generate(42, until, id))
            .collect()
    }

    #[test]
    fn every_row_fits_the_table() {
        let until = parse_date("2026-01-31").unwrap();
        for product in sample(20_000) {
            assert!(!product.name.trim().is_empty() && product.name.chars().count() <= 300);
            assert!(
                (1..1_000_000_000).contains(&product.price_cents),
                "{product:?}"
            );
            assert!(product.stock >= 0 && product.reviews >= 0);
            assert_eq!(product.rating_tenths.is_some(), product.reviews > 0);
            assert!(
                product
                    .rating_tenths
                    .is_none_or(|tenths| (0..=50).contains(&tenths))
            );
            assert!(product.created_at <= product.updated_at && product.updated_at < until);
        }
    }

    #[test]
    fn article_numbers_are_unique_and_ordered() {
        let skus: Vec<String> = [1, 35, 36, 9_999_999, 10_000_000]
            .map(|id| sku(id, "X"))
            .into();
        assert_eq!(skus[0], "000-0001-X");
        assert!(skus.is_sorted());
        assert_eq!(skus.iter().collect::<HashSet<_>>().len(), skus.len());
    }

    #[test]
    fn values_belong_together() {
        let products = sample(20_000);
        let mut prices: HashMap<&str, Vec<i64>> = HashMap::new();
        for product in &products {
            prices
                .entry(product.category)
                .or_default()
                .push(product.price_cents);
        }
        assert_eq!(prices.len(), 15);
        let mut median = |category: &str| {
            let prices = prices.get_mut(category).unwrap();
            prices.sort_unstable();
            prices[prices.len() / 2]
        };
        assert!(median("Electronics") > 5 * median("Grocery"));
        let brands: HashSet<_> = products.iter().map(|product| product.brand).collect();
        assert_eq!(brands.len(), 20);
        let mean = |rated: &mut dyn Iterator<Item = &Product>| {
            let (sum, count) = rated
                .filter_map(|product| product.rating_tenths)
                .fold((0, 0), |(sum, count), tenths| (sum + tenths, count + 1));
            f64::from(sum) / f64::from(count)
        };
        let popular = mean(&mut products.iter().filter(|product| product.reviews > 200));
        let obscure = mean(&mut products.iter().filter(|product| product.reviews < 5));
        assert!(popular > obscure + 1.0, "{popular} {obscure}");
        let laptops = products
            .iter()
            .filter(|product| product.name.contains("Laptop"));
        assert!(laptops.clone().count() > 200);
        assert!(
            laptops
                .clone()
                .all(|product| product.category == "Electronics")
        );
        assert!(products.iter().any(|product| !product.name.is_ascii()));
    }
}
