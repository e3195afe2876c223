//! What the images of a batch say, summed, of its rows at its end.
//!
//! Of each key there is one row or none at any state, and a batch's images are all that came and went between
//! two states. So an image that came and went again cancels out, in whatever order the log tells it, and what
//! is left is the difference of the two states: an image left that came is the row now; one left that went, with
//! none that came, is a row that is gone. Where nothing is left the row is as it was, which the images do not say.

use std::collections::HashMap;
use std::sync::Arc;

use crate::row::{RowKey, Side, TableRow};

/// Images of one key that are compared with each other at most. So many are left over only where the log is told in
/// an unfortunate order, and to compare each with each would take long.
const LEFT_MAX: usize = 64;

/// What is known of a row at the end of a batch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum End {
    /// It is this, or gone.
    Known(Option<Arc<TableRow>>),
    /// The table has to be asked.
    Unknown,
}

/// What each row that these images name is at the end of their batch, in the order in which they name them first.
pub fn ends(sides: &[Side]) -> Vec<(RowKey, End)> {
    let mut places: HashMap<&RowKey, usize> = HashMap::with_capacity(sides.len());
    let mut sums: Vec<(&RowKey, Sum<'_>)> = Vec::new();
    for side in sides {
        let key = &side.row.key;
        let place = *places.entry(key).or_insert(sums.len());
        if place == sums.len() {
            sums.push((key, Sum::default()));
        }
        sums[place].1.add(side);
    }
    let end = |(key, sum): (&RowKey, Sum<'_>)| (key.clone(), sum.end());
    sums.into_iter().map(end).collect()
}

/// The images of one key that have not cancelled out.
#[derive(Default)]
struct Sum<'a> {
    came: Vec<&'a Arc<TableRow>>,
    went: Vec<&'a Arc<TableRow>>,
    /// Some image does not tell all of its row, or too many are left.
    unclear: bool,
}

impl<'a> Sum<'a> {
    fn add(&mut self, side: &'a Side) {
        self.unclear |= !side.row.omitted.is_empty()
            || self.came.len() > LEFT_MAX
            || self.went.len() > LEFT_MAX;
        if self.unclear {
            return;
        }
        let (same, opposite) = if side.appeared {
            (&mut self.came, &mut self.went)
        } else {
            (&mut self.went, &mut self.came)
        };
        match opposite.iter().position(|row| row.cells == side.row.cells) {
            Some(at) => drop(opposite.swap_remove(at)),
            None => same.push(&side.row),
        }
    }

    fn end(&self) -> End {
        match (self.came.as_slice(), self.went.as_slice()) {
            _ if self.unclear => End::Unknown,
            ([row], [] | [_]) => End::Known(Some(Arc::clone(row))),
            ([], [_]) => End::Known(None),
            // Nothing is left; or more than two states of one row can differ by, which must not be.
            _ => End::Unknown,
        }
    }
}

#[cfg(test)]
mod tests {
    use protocol::Value;

    use super::*;

    fn side(appeared: bool, id: i64, value: &str, omitted: &[u32]) -> Side {
        Side {
            xid: 3,
            appeared,
            row: Arc::new(TableRow {
                key: Arc::from([Value::Int(id)]),
                cells: Box::from([Value::Int(id), Value::from(value)]),
                omitted: omitted.into(),
            }),
        }
    }

    fn end_of(told: &[(bool, &str)]) -> End {
        let sides: Vec<Side> = told
            .iter()
            .map(|&(appeared, value)| side(appeared, 1, value, &[]))
            .collect();
        let [(_, end)] = ends(&sides).try_into().unwrap();
        end
    }

    fn known(value: &str) -> End {
        End::Known(Some(side(true, 1, value, &[]).row))
    }

    #[test]
    fn what_is_left_is_the_row() {
        assert_eq!(end_of(&[(true, "a")]), known("a"));
        assert_eq!(end_of(&[(false, "a")]), End::Known(None));
        assert_eq!(end_of(&[(false, "a"), (true, "b")]), known("b"));
        // Whatever the order, and over several changes.
        assert_eq!(
            end_of(&[(true, "c"), (true, "b"), (false, "b"), (false, "a")]),
            known("c")
        );
        // A row that came and went again was not there before, or was as it is.
        assert_eq!(end_of(&[(true, "a"), (false, "a")]), End::Unknown);
        assert_eq!(
            end_of(&[(false, "a"), (true, "b"), (false, "b"), (true, "a")]),
            End::Unknown
        );
    }

    #[test]
    fn what_is_left_out_is_asked() {
        let sides = [side(false, 1, "a", &[]), side(true, 1, "", &[1])];
        assert_eq!(ends(&sides)[0].1, End::Unknown);
        let sides: Vec<Side> = (0..1_000)
            .map(|nth| side(true, 1, &nth.to_string(), &[]))
            .collect();
        assert_eq!(ends(&sides)[0].1, End::Unknown);
    }

    #[test]
    fn keys_keep_their_order() {
        let sides = [2, 1, 2, 3].map(|id| side(true, id, "a", &[]));
        let keys: Vec<Value> = ends(&sides).iter().map(|(key, _)| key[0].clone()).collect();
        assert_eq!(keys, [2, 1, 3].map(Value::Int));
    }
}
