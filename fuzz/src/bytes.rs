//! Bytes as a source of decisions.

use rand::{Rng, RngCore};

/// A generator that takes one byte for each number asked of it, as its most significant one: that is what
/// decides a choice among few. After the last byte come zeros.
///
/// (The strategies of the property tests cannot be fed with bytes: they halve what is left for each of their
/// parts, and draw zeros, which they refuse, for ever.)
pub(crate) struct Bytes<'a>(pub(crate) &'a [u8]);

impl Bytes<'_> {
    /// Whether all have been taken.
    pub(crate) fn are_used_up(&self) -> bool {
        self.0.is_empty()
    }

    /// A number below `end`.
    pub(crate) fn below(&mut self, end: u64) -> u64 {
        self.random_range(0..end)
    }

    /// A number below `end`.
    pub(crate) fn index(&mut self, end: usize) -> usize {
        self.random_range(0..end)
    }

    /// Yes or no.
    pub(crate) fn flip(&mut self) -> bool {
        self.next() & 1 == 1
    }

    fn next(&mut self) -> u8 {
        match self.0.split_first() {
            Some((&byte, rest)) => {
                self.0 = rest;
                byte
            }
            None => 0,
        }
    }
}

impl RngCore for Bytes<'_> {
    fn next_u32(&mut self) -> u32 {
        u32::from(self.next()) << 24
    }

    fn next_u64(&mut self) -> u64 {
        u64::from(self.next()) << 56
    }

    fn fill_bytes(&mut self, bytes: &mut [u8]) {
        bytes.fill_with(|| self.next());
    }
}
