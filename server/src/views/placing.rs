//! Where new texts stand among many known ones, asked of PostgreSQL in two steps.

use std::collections::{BTreeSet, HashMap};

use view_index::Placement;

/// Among many bounds, ascending and distinct, texts are first placed among every n-th of them and then among
/// those around: both times about as many as the square root, if the texts are near to each other,
/// instead of all.
pub struct RoughBounds {
    all: Vec<String>,
    step: usize,
}

impl RoughBounds {
    /// The two steps among these bounds.
    pub fn new(all: Vec<String>) -> Self {
        let step = all.len().isqrt().max(1);
        Self { all, step }
    }

    /// The bounds of the first step.
    pub fn rough(&self) -> Vec<String> {
        self.all.iter().step_by(self.step).cloned().collect()
    }

    /// The bounds of the second step, from the answer to the first.
    pub fn near(self, rough: Vec<Placement>) -> NearBounds {
        let near = Near::new(
            rough.iter().map(|placed| placed.bucket),
            self.step,
            &self.all,
        );
        let roughly = rough
            .into_iter()
            .map(|placed| (placed.text, placed.bucket))
            .collect();
        NearBounds { near, roughly }
    }
}

/// The second of the two steps.
pub struct NearBounds {
    near: Near,
    /// Each text's rough bucket.
    roughly: HashMap<String, usize>,
}

impl NearBounds {
    /// The bounds of the second step.
    pub fn bounds(&self) -> &[String] {
        &self.near.bounds
    }

    /// What PostgreSQL would have answered about all bounds, from its answer to the second step.
    pub fn placed(&self, mut fine: Vec<Placement>) -> Vec<Placement> {
        for placed in &mut fine {
            let bucket = self.roughly.get(&placed.text).copied().unwrap_or(0);
            placed.bucket = self.near.to_all(bucket, placed.bucket);
        }
        fine
    }
}

/// The bounds around some texts.
struct Near {
    bounds: Vec<String>,
    /// For each rough bucket: how many of `bounds` come before its own, and the place of its first among
    /// all bounds.
    buckets: HashMap<usize, (usize, usize)>,
}

impl Near {
    fn new(rough: impl Iterator<Item = usize>, step: usize, all: &[String]) -> Self {
        let mut near = Self {
            bounds: Vec::new(),
            buckets: HashMap::new(),
        };
        for bucket in rough.collect::<BTreeSet<usize>>() {
            // A text of bucket n is at or behind the n-th of the rough bounds (from 1), and before the next.
            let first = bucket.saturating_sub(1) * step;
            let end = (bucket * step).min(all.len());
            near.buckets.insert(bucket, (near.bounds.len(), first));
            near.bounds.extend_from_slice(&all[first..end]);
        }
        near
    }

    /// How many of all bounds are at or below a text, of which so many near ones are.
    fn to_all(&self, rough: usize, near: usize) -> usize {
        let (before, first) = self.buckets.get(&rough).copied().unwrap_or((0, 0));
        near.saturating_sub(before) + first
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As `width_bucket` and `dense_rank` answer, for numbers.
    fn answer(texts: &[String], bounds: &[String]) -> Vec<Placement> {
        let number = |text: &String| text.parse::<u32>().unwrap_or(0);
        let mut distinct: Vec<u32> = texts.iter().map(number).collect();
        distinct.sort_unstable();
        distinct.dedup();
        let place = |text: &String| {
            let bucket = bounds
                .iter()
                .filter(|bound| number(bound) <= number(text))
                .count();
            Placement {
                text: text.clone(),
                bucket,
                equals_bound: bucket > 0 && number(&bounds[bucket - 1]) == number(text),
                place: distinct
                    .iter()
                    .filter(|other| **other <= number(text))
                    .count() as i64,
            }
        };
        texts.iter().map(place).collect()
    }

    #[test]
    fn two_steps_say_what_one_says() {
        let bounds: Vec<String> = (1..20_000).map(|n| (n * 3).to_string()).collect();
        let near: Vec<String> = (700..900).map(|n| n.to_string()).collect();
        let far: Vec<String> = (0..61_000).step_by(997).map(|n| n.to_string()).collect();
        for texts in [near, far, vec!["0".to_owned()], vec!["99999".to_owned()]] {
            let steps = RoughBounds::new(bounds.clone());
            let rough = steps.rough();
            let near = steps.near(answer(&texts, &rough));
            assert!(rough.len() + near.bounds().len() < bounds.len());
            let placed = near.placed(answer(&texts, near.bounds()));
            assert_eq!(placed, answer(&texts, &bounds));
        }
    }
}
