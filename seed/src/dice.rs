//! Reproducible randomness: every row has dice of its own, so rows do not depend on the order or the
//! size of the chunks they are made in.

use std::convert::Infallible;
use std::f64::consts::TAU;

use fake::rand::TryRng;

/// What a row belongs to; rows of different streams have nothing in common.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Stream {
    Users = 1,
    Products = 2,
    Visits = 3,
    Churn = 4,
}

/// A SplitMix64 generator with the distributions that rows are made of. The arithmetic is our own,
/// so the same seed keeps giving the same rows whatever becomes of the `rand` crates.
#[derive(Clone, Debug)]
pub(crate) struct Dice(u64);

impl Dice {
    /// The dice of one row.
    pub(crate) fn of_row(seed: u64, stream: Stream, index: u64) -> Self {
        Self(mix(mix(seed ^ mix(stream as u64)) ^ index))
    }

    pub(crate) fn bits(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        mix(self.0)
    }

    /// In `0..n`; `n` must not be 0.
    pub(crate) fn below(&mut self, n: u64) -> u64 {
        ((u128::from(self.bits()) * u128::from(n)) >> 64) as u64
    }

    /// In `0.0..1.0`.
    pub(crate) fn unit(&mut self) -> f64 {
        (self.bits() >> 11) as f64 / (1u64 << 53) as f64
    }

    pub(crate) fn chance(&mut self, probability: f64) -> bool {
        self.unit() < probability
    }

    /// One of the items; the slice must not be empty.
    pub(crate) fn pick<'a, T>(&mut self, items: &'a [T]) -> &'a T {
        &items[self.below(items.len() as u64) as usize]
    }

    /// One of the items, the earlier ones more often: about half of all picks hit the first fifth.
    pub(crate) fn pick_skewed<'a, T>(&mut self, items: &'a [T]) -> &'a T {
        let share = self.unit().powf(2.2);
        &items[((share * items.len() as f64) as usize).min(items.len() - 1)]
    }

    /// One of the items, as often as its weight says; at least one weight must be positive.
    pub(crate) fn pick_weighted<'a, T>(
        &mut self,
        items: &'a [T],
        weight: impl Fn(&T) -> f64,
    ) -> &'a T {
        let total: f64 = items.iter().map(&weight).sum();
        let mut left = self.unit() * total;
        items
            .iter()
            .find(|item| {
                left -= weight(item);
                left < 0.0
            })
            .unwrap_or(&items[items.len() - 1])
    }

    /// Mean 0, standard deviation 1.
    pub(crate) fn normal(&mut self) -> f64 {
        let radius = (-2.0 * (1.0 - self.unit()).ln()).sqrt();
        radius * (TAU * self.unit()).cos()
    }

    /// Around `median`; `sigma` is the spread of the logarithm.
    pub(crate) fn log_normal(&mut self, median: f64, sigma: f64) -> f64 {
        median * (sigma * self.normal()).exp()
    }

    /// Waiting time until something that happens on average every `mean`.
    pub(crate) fn exponential(&mut self, mean: f64) -> f64 {
        -mean * (1.0 - self.unit()).ln()
    }
}

/// For the names that `fake` makes.
impl TryRng for Dice {
    type Error = Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        Ok((self.bits() >> 32) as u32)
    }

    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        Ok(self.bits())
    }

    fn try_fill_bytes(&mut self, bytes: &mut [u8]) -> Result<(), Infallible> {
        for part in bytes.chunks_mut(8) {
            part.copy_from_slice(&self.bits().to_le_bytes()[..part.len()]);
        }
        Ok(())
    }
}

fn mix(mut z: u64) -> u64 {
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_have_their_own_dice() {
        let first = |index| Dice::of_row(7, Stream::Products, index).bits();
        assert_eq!(first(1), first(1));
        assert_ne!(first(1), first(2));
        assert_ne!(first(1), Dice::of_row(7, Stream::Visits, 1).bits());
        assert_ne!(first(1), Dice::of_row(8, Stream::Products, 1).bits());
    }

    #[test]
    fn distributions_have_their_shape() {
        let mut dice = Dice::of_row(1, Stream::Churn, 0);
        let n = 20_000;
        let normals: Vec<f64> = (0..n).map(|_| dice.normal()).collect();
        let mean = normals.iter().sum::<f64>() / f64::from(n);
        let variance = normals.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / f64::from(n);
        assert!(
            mean.abs() < 0.03 && (variance - 1.0).abs() < 0.05,
            "{mean} {variance}"
        );
        let waits = (0..n).map(|_| dice.exponential(5.0)).sum::<f64>() / f64::from(n);
        assert!((waits - 5.0).abs() < 0.2, "{waits}");
        let items: Vec<usize> = (0..100).collect();
        let early = (0..n).filter(|_| *dice.pick_skewed(&items) < 20).count();
        assert!((9_000..11_000).contains(&early), "{early}");
    }
}
