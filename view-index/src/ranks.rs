//! Orders that only PostgreSQL knows: text under a linguistic collation, enums, ranges, and so on.
//!
//! A [`Ranks`] remembers, for each *domain* (a type under a collation), the values it has met, in
//! PostgreSQL's order. Where a new value stands is asked of PostgreSQL once; comparing two known values
//! compares two integers. A value nobody holds any more can be forgotten.

use std::cmp::Ordering;
use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{self, AtomicU64};

/// A type under a collation, numbered by the server.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DomainId(pub u32);

/// The place of a value in its domain: values that PostgreSQL calls equal share it. Only ranks of one
/// domain compare.
#[derive(Clone, Debug)]
pub struct Rank(Arc<Place>);

#[derive(Debug)]
struct Place {
    /// Ascends along the domain; all labels are dealt anew when a gap is used up, which keeps their
    /// order, so keys that hold a rank stay sorted.
    label: AtomicU64,
    /// One of the texts of this place, to show PostgreSQL as a bound.
    text: Box<str>,
}

impl Rank {
    /// One of the texts of this place.
    pub fn text(&self) -> &str {
        &self.0.text
    }

    fn label(&self) -> u64 {
        self.0.label.load(atomic::Ordering::Relaxed)
    }
}

impl PartialEq for Rank {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl Eq for Rank {}

impl PartialOrd for Rank {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Rank {
    fn cmp(&self, other: &Self) -> Ordering {
        self.label().cmp(&other.label())
    }
}

/// PostgreSQL's answer about one new text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Placement {
    /// The text.
    pub text: String,
    /// How many of the bounds are at or below it (`width_bucket`).
    pub bucket: usize,
    /// Whether it equals the last of those.
    pub equals_bound: bool,
    /// Its place among the new texts: equal texts have equal places (`dense_rank`).
    pub place: i64,
}

/// What is known of every domain's order.
#[derive(Debug, Default)]
pub struct Ranks {
    domains: HashMap<DomainId, Domain>,
}

#[derive(Debug, Default)]
struct Domain {
    /// Every known place, ascending.
    sorted: Vec<Rank>,
    by_text: HashMap<Box<str>, Rank>,
}

impl Ranks {
    /// Where a text stands; `None` if PostgreSQL must be asked.
    pub fn get(&self, domain: DomainId, text: &str) -> Option<Rank> {
        self.domains.get(&domain)?.by_text.get(text).cloned()
    }

    /// The known values of a domain, ascending and distinct: the bounds to ask PostgreSQL with.
    pub fn bounds(&self, domain: DomainId) -> Vec<String> {
        let Some(domain) = self.domains.get(&domain) else {
            return Vec::new();
        };
        domain
            .sorted
            .iter()
            .map(|rank| rank.0.text.to_string())
            .collect()
    }

    /// Learns where new texts stand. The answers must have been given against [`Self::bounds`] as
    /// they still are.
    pub fn learn(&mut self, domain: DomainId, mut answers: Vec<Placement>) {
        let domain = self.domains.entry(domain).or_default();
        answers.sort_by_key(|answer| (answer.bucket, answer.place));
        let known = std::mem::take(&mut domain.sorted);
        let mut sorted: Vec<Rank> = Vec::with_capacity(known.len() + answers.len());
        let mut known = known.into_iter();
        let mut taken = 0;
        let mut last_place = None;
        for answer in answers {
            sorted.extend(known.by_ref().take(answer.bucket - taken));
            taken = taken.max(answer.bucket);
            let is_known = answer.equals_bound || last_place == Some(answer.place);
            if !is_known {
                let text = answer.text.as_str().into();
                sorted.push(Rank(Arc::new(Place {
                    label: AtomicU64::new(UNLABELLED),
                    text,
                })));
            }
            last_place = Some(answer.place);
            if let Some(rank) = sorted.last() {
                domain.by_text.insert(answer.text.into(), rank.clone());
            }
        }
        sorted.extend(known);
        domain.sorted = sorted;
        domain.label();
    }

    /// Forgets the values that no key holds.
    pub fn forget_unused(&mut self) {
        for domain in self.domains.values_mut() {
            // One holder is `sorted`; each text in `by_text` is one more.
            let mut texts: HashMap<u64, usize> = HashMap::new();
            for rank in domain.by_text.values() {
                *texts.entry(rank.label()).or_default() += 1;
            }
            let unused = |rank: &Rank| {
                Arc::strong_count(&rank.0) <= 1 + texts.get(&rank.label()).copied().unwrap_or(0)
            };
            let gone: Vec<u64> = domain
                .sorted
                .iter()
                .filter(|rank| unused(rank))
                .map(Rank::label)
                .collect();
            domain
                .by_text
                .retain(|_, rank| gone.binary_search(&rank.label()).is_err());
            domain
                .sorted
                .retain(|rank| gone.binary_search(&rank.label()).is_err());
        }
    }

    /// Texts remembered in all domains.
    pub fn len(&self) -> usize {
        self.domains
            .values()
            .map(|domain| domain.by_text.len())
            .sum()
    }

    /// Whether nothing is remembered.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

const UNLABELLED: u64 = u64::MAX;

impl Domain {
    /// Gives every new place a label between its neighbours'; where one does not fit, all get new ones.
    fn label(&mut self) {
        let mut index = 0;
        while index < self.sorted.len() {
            if self.sorted[index].label() != UNLABELLED {
                index += 1;
                continue;
            }
            let run = self.sorted[index..]
                .iter()
                .take_while(|rank| rank.label() == UNLABELLED)
                .count();
            let below = if index == 0 {
                0
            } else {
                self.sorted[index - 1].label()
            };
            let above = self.sorted.get(index + run).map_or(UNLABELLED, Rank::label);
            if !deal(&self.sorted[index..index + run], below, above) {
                deal(&self.sorted, 0, UNLABELLED);
                return;
            }
            index += run;
        }
    }
}

/// Spreads labels evenly strictly between two; `false` if they do not fit.
fn deal(ranks: &[Rank], below: u64, above: u64) -> bool {
    let step = (above - below) / (ranks.len() as u64 + 1);
    if step == 0 {
        return false;
    }
    for (label, rank) in (1..).map(|nth| below + nth * step).zip(ranks) {
        rank.0.label.store(label, atomic::Ordering::Relaxed);
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    const DOMAIN: DomainId = DomainId(7);

    /// Answers as PostgreSQL would under a case-insensitive collation.
    fn ask(ranks: &Ranks, texts: &[&str]) -> Vec<Placement> {
        let bounds: Vec<String> = ranks
            .bounds(DOMAIN)
            .iter()
            .map(|text| text.to_lowercase())
            .collect();
        let mut places: Vec<String> = texts.iter().map(|text| text.to_lowercase()).collect();
        places.sort();
        places.dedup();
        let answer = |text: &&str| {
            let folded = text.to_lowercase();
            let bucket = bounds.iter().filter(|bound| **bound <= folded).count();
            let equals_bound = bucket > 0 && bounds[bucket - 1] == folded;
            let place = places.binary_search(&folded).unwrap() as i64;
            Placement {
                text: (*text).to_owned(),
                bucket,
                equals_bound,
                place,
            }
        };
        texts.iter().map(answer).collect()
    }

    #[test]
    fn learns_an_order_in_any_order_of_asking() {
        let mut ranks = Ranks::default();
        for texts in [
            &["m"][..],
            &["b", "x", "B"],
            &["M", "a", "n", "c"],
            &["y", "Z", "z"],
        ] {
            let answers = ask(&ranks, texts);
            ranks.learn(DOMAIN, answers);
        }
        let rank = |text| ranks.get(DOMAIN, text).unwrap();
        for pair in ["a", "b", "c", "m", "n", "x", "y", "z"].windows(2) {
            assert!(rank(pair[0]) < rank(pair[1]), "{pair:?}");
        }
        assert_eq!(rank("b"), rank("B"));
        assert_eq!(rank("m"), rank("M"));
        assert_eq!(rank("z"), rank("Z"));
        assert_eq!(ranks.get(DOMAIN, "q"), None);
    }

    #[test]
    fn a_used_up_gap_keeps_held_ranks_in_order() {
        let mut ranks = Ranks::default();
        let answers = ask(&ranks, &["a", "b"]);
        ranks.learn(DOMAIN, answers);
        let held = (
            ranks.get(DOMAIN, "a").unwrap(),
            ranks.get(DOMAIN, "b").unwrap(),
        );
        let mut text = "a".to_owned();
        for _ in 0..200 {
            // Always just above the last one: halves the same gap again and again.
            text.push('a');
            let answers = ask(&ranks, &[&text]);
            ranks.learn(DOMAIN, answers);
            let rank = ranks.get(DOMAIN, &text).unwrap();
            assert!(held.0 < rank && rank < held.1);
        }
        let labels: Vec<u64> = ranks.domains[&DOMAIN]
            .sorted
            .iter()
            .map(Rank::label)
            .collect();
        assert!(labels.is_sorted());
    }

    #[test]
    fn forgets_what_no_key_holds() {
        let mut ranks = Ranks::default();
        let answers = ask(&ranks, &["a", "A", "b", "c"]);
        ranks.learn(DOMAIN, answers);
        let held = ranks.get(DOMAIN, "A").unwrap();
        ranks.forget_unused();
        assert_eq!(ranks.get(DOMAIN, "a"), Some(held));
        assert_eq!(ranks.len(), 2);
        assert_eq!(ranks.get(DOMAIN, "b"), None);
    }
}
