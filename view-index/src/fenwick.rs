//! Prefix sums that stay cheap while single summands change.

/// A Fenwick tree (P. M. Fenwick, "A new data structure for cumulative frequency tables", 1994): the sum of
/// the first `n` numbers, a change of one of them, and the place where a sum is reached, each in O(log n).
#[derive(Clone, Debug, Default)]
pub(crate) struct Fenwick {
    /// `tree[i]` is the sum of the `lowest_bit(i + 1)` numbers that end with number `i`.
    tree: Vec<i64>,
}

fn lowest_bit(n: usize) -> usize {
    n & n.wrapping_neg()
}

impl Fenwick {
    /// The tree of these numbers, in O(n).
    pub(crate) fn new(numbers: impl Iterator<Item = i64>) -> Self {
        let mut tree: Vec<i64> = numbers.collect();
        for nth in 1..=tree.len() {
            let parent = nth + lowest_bit(nth);
            if parent <= tree.len() {
                tree[parent - 1] += tree[nth - 1];
            }
        }
        Self { tree }
    }

    /// Adds to the number at `index`.
    pub(crate) fn add(&mut self, index: usize, difference: i64) {
        let mut nth = index + 1;
        while nth <= self.tree.len() {
            self.tree[nth - 1] += difference;
            nth += lowest_bit(nth);
        }
    }

    /// The sum of the first `count` numbers.
    pub(crate) fn sum(&self, count: usize) -> i64 {
        let (mut nth, mut sum) = (count, 0);
        while nth > 0 {
            sum += self.tree[nth - 1];
            nth -= lowest_bit(nth);
        }
        sum
    }

    /// The sum of all numbers.
    pub(crate) fn total(&self) -> i64 {
        self.sum(self.tree.len())
    }

    /// How many of the first numbers add up to at most `sum`, all being 0 or more: the index of the number in
    /// which the place `sum` lies, counting places from 0.
    pub(crate) fn index_at(&self, sum: i64) -> usize {
        let (mut taken, mut rest) = (0, sum);
        let mut step = (self.tree.len() + 1).next_power_of_two();
        while step > 0 {
            let next = taken + step;
            if next <= self.tree.len() && self.tree[next - 1] <= rest {
                rest -= self.tree[next - 1];
                taken = next;
            }
            step /= 2;
        }
        taken
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn agrees_with_adding_up() {
        for length in 0..40_usize {
            let mut numbers: Vec<i64> = (0..length).map(|n| (n * 7 % 5) as i64).collect();
            let mut tree = Fenwick::new(numbers.iter().copied());
            for round in 0..length {
                numbers[round] += round as i64;
                tree.add(round, round as i64);
                for count in 0..=length {
                    assert_eq!(tree.sum(count), numbers[..count].iter().sum::<i64>());
                }
                for place in 0..tree.total() {
                    let mut end = 0;
                    let expected = numbers.iter().position(|number| {
                        end += number;
                        place < end
                    });
                    assert_eq!(
                        Some(tree.index_at(place)),
                        expected,
                        "{numbers:?} at {place}"
                    );
                }
            }
        }
    }
}
