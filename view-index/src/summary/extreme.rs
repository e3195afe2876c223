//! The least or greatest value of a group, while values come and go.

use std::cmp::Ordering;

use protocol::Value;

use crate::blocks::Drift;
use crate::order::KeyPart;

/// The most distinct values that are remembered; enough that a group whose extreme goes again and again
/// (the head of a queue) is seldom asked about.
const REMEMBERED_MAX: usize = 128;

/// The least (or greatest) of a group's values.
///
/// Only the most extreme values are remembered. Of those, all but the last have an exact multiplicity; of
/// the last there may be more in the table. When every remembered one is gone, PostgreSQL must be asked.
#[derive(Clone, Debug)]
pub(crate) struct Extreme {
    descending: bool,
    /// The group's values that are not null, remembered or not.
    values: i64,
    /// Distinct, the most extreme first. No other value of the group is more extreme than the last.
    best: Vec<Remembered>,
}

#[derive(Clone, Debug)]
struct Remembered {
    part: KeyPart,
    value: Value,
    /// At least so many.
    times: i64,
}

/// So many more (or fewer) of one value.
#[derive(Clone, Debug)]
pub(crate) struct Move {
    pub(crate) part: KeyPart,
    pub(crate) value: Value,
    pub(crate) by: i64,
}

impl Extreme {
    /// `values` values, of which these are the most extreme: in order, some perhaps repeated.
    pub(crate) fn new(descending: bool, values: i64, best: Vec<(KeyPart, Value, i64)>) -> Self {
        let mut remembered: Vec<Remembered> = Vec::with_capacity(best.len());
        for (part, value, times) in best {
            match remembered.last_mut() {
                Some(last) if last.part.compare(&part).is_eq() => last.times += times,
                _ => remembered.push(Remembered { part, value, times }),
            }
        }
        Self {
            descending,
            values,
            best: remembered,
        }
    }

    /// The extreme value; `None` if there is no value, or it [must be asked](Self::is_unknown).
    pub(crate) fn get(&self) -> Option<(&KeyPart, &Value)> {
        self.best.first().map(|best| (&best.part, &best.value))
    }

    /// Whether PostgreSQL must be asked.
    pub(crate) fn is_unknown(&self) -> bool {
        self.best.is_empty() && self.values > 0
    }

    /// Takes over what another one, of the same values, remembers.
    pub(crate) fn learn(&mut self, other: Self) {
        self.best = other.best;
    }

    /// Applies a batch's moves of this group.
    ///
    /// # Errors
    /// [`Drift`] if more of a value went than there were.
    pub(crate) fn apply(&mut self, mut moves: Vec<Move>) -> Result<(), Drift> {
        // Within a batch a value may go before it comes: only the net change means anything.
        moves.sort_by(|a, b| a.part.compare(&b.part));
        moves.dedup_by(|next, kept| {
            let same = next.part.compare(&kept.part).is_eq();
            if same {
                kept.by += next.by;
                // What came is held now; what went may have been written differently (1.0 and 1.00).
                if next.by > 0 {
                    kept.value = next.value.clone();
                }
            }
            same
        });
        moves.retain(|one| one.by != 0);
        let (come, gone): (Vec<_>, Vec<_>) = moves.into_iter().partition(|one| one.by > 0);
        come.into_iter().for_each(|one| self.add(one));
        gone.into_iter().try_for_each(|one| self.take_away(&one))
    }

    fn place(&self, part: &KeyPart) -> Result<usize, usize> {
        let order = |known: &Remembered| match known.part.compare(part) {
            ordering if self.descending => ordering.reverse(),
            ordering => ordering,
        };
        self.best.binary_search_by(order)
    }

    /// Whether every value is remembered.
    fn is_complete(&self) -> bool {
        self.best.iter().map(|known| known.times).sum::<i64>() == self.values
    }

    fn add(&mut self, one: Move) {
        let is_complete = self.is_complete();
        self.values += one.by;
        match self.place(&one.part) {
            Ok(at) => self.best[at].times += one.by,
            Err(at) if at < self.best.len() || is_complete => {
                let remembered = Remembered {
                    part: one.part,
                    value: one.value,
                    times: one.by,
                };
                self.best.insert(at, remembered);
                self.best.truncate(REMEMBERED_MAX);
            }
            Err(_) => {}
        }
    }

    fn take_away(&mut self, one: &Move) -> Result<(), Drift> {
        let is_complete = self.is_complete();
        self.values += one.by;
        match self.place(&one.part) {
            Ok(at) => {
                let known = &mut self.best[at];
                known.times += one.by;
                let times = known.times;
                let is_last = at + 1 == self.best.len();
                match times.cmp(&0) {
                    Ordering::Less if !is_last || is_complete => return Err(Drift),
                    Ordering::Greater => {}
                    Ordering::Less | Ordering::Equal => drop(self.best.remove(at)),
                }
            }
            Err(at) if at < self.best.len() || is_complete => return Err(Drift),
            Err(_) => {}
        }
        if self.values < 0 { Err(Drift) } else { Ok(()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn moved(value: i64, by: i64) -> Move {
        Move {
            part: KeyPart::Int(value),
            value: Value::Int(value),
            by,
        }
    }

    fn least(extreme: &Extreme) -> Option<Value> {
        extreme.get().map(|(_, value)| value.clone())
    }

    #[test]
    fn a_batch_counts_as_a_whole() {
        let mut extreme = Extreme::new(false, 3, vec![(KeyPart::Int(5), Value::Int(5), 1)]);
        // 2 goes before it comes; 5 goes for good.
        extreme
            .apply(vec![moved(2, -1), moved(2, 1), moved(3, 1), moved(5, -1)])
            .unwrap();
        assert_eq!(least(&extreme), Some(Value::Int(3)));
        extreme.apply(vec![moved(3, -1)]).unwrap();
        assert!(
            extreme.is_unknown(),
            "two values above 5 are not remembered"
        );
        // Whether 9 is the least of three is not known.
        extreme.apply(vec![moved(9, 1)]).unwrap();
        assert!(extreme.is_unknown());
    }

    #[test]
    fn what_goes_must_have_been_there() {
        let all = vec![(KeyPart::Int(5), Value::Int(5), 1)];
        assert_eq!(
            Extreme::new(false, 1, all.clone()).apply(vec![moved(6, -1)]),
            Err(Drift)
        );
        assert_eq!(
            Extreme::new(false, 2, all.clone()).apply(vec![moved(4, -1)]),
            Err(Drift)
        );
        assert_eq!(
            Extreme::new(false, 2, all.clone()).apply(vec![moved(6, -1)]),
            Ok(())
        );
        let mut empty = Extreme::new(true, 1, all);
        empty.apply(vec![moved(5, -1)]).unwrap();
        assert_eq!((least(&empty), empty.is_unknown()), (None, false));
        empty.apply(vec![moved(1, 1), moved(7, 2)]).unwrap();
        assert_eq!(least(&empty), Some(Value::Int(7)));
    }
}
