//! What a batch means for one view.

use std::sync::Arc;

use crate::blocks::LoadedRow;
use crate::order::{Key, KeyError, Order};
use crate::predicate::Predicate;
use crate::ranks::Ranks;
use crate::row::{RowKey, TableChanges, Verdicts};
use crate::snapshot::Snapshot;

/// What a batch means for one view: which of its rows came and went since a state, and how each row that the
/// batch names is at its end.
///
/// Counts are kept by summing images, which works in any order; rows are replaced by what each is at the
/// end. After the last batch that the state did not cover the two agree again.
#[derive(Debug, Default)]
pub(crate) struct Effects {
    /// Images that the state had not seen.
    pub(crate) sides: Vec<CountedSide>,
    /// Every row named, with its place if it is in the view.
    pub(crate) current: Vec<(RowKey, Option<LoadedRow>)>,
}

/// One image that came into the view or went from it.
#[derive(Debug)]
pub(crate) struct CountedSide {
    pub(crate) key: Key,
    pub(crate) row: RowKey,
    /// 1 if it came, -1 if it went.
    pub(crate) difference: i64,
}

impl Effects {
    /// What a batch means for a view of this order and filter that had `seen` this much.
    ///
    /// # Errors
    /// If a row has no key, or the filter cannot be decided.
    pub(crate) fn new(
        (order, predicate): (&Order, &Predicate),
        (changes, verdicts): (&TableChanges, &Verdicts),
        ranks: &Ranks,
        seen: &Snapshot,
    ) -> Result<Self, KeyError> {
        let mut effects = Self::default();
        for (index, side) in changes.sides.iter().enumerate() {
            if seen.sees(side.xid) || !predicate.holds(&side.row, verdicts.side(index), ranks)? {
                continue;
            }
            effects.sides.push(CountedSide {
                key: order.key(&side.row, ranks)?,
                row: side.row.key.clone(),
                difference: if side.appeared { 1 } else { -1 },
            });
        }
        for (index, (key, row)) in changes.current.iter().enumerate() {
            let present = match row {
                // Two texts of one key ('1 day' and '24:00:00') find the same row; it is under its own.
                Some(row) if row.key != *key => None,
                Some(row) if predicate.holds(row, verdicts.current(index), ranks)? => {
                    Some(LoadedRow {
                        key: order.key(row, ranks)?,
                        row: Arc::clone(row),
                    })
                }
                _ => None,
            };
            effects.current.push((key.clone(), present));
        }
        Ok(effects)
    }

    /// What it means that a view of this order gets the second filter instead of the first: those of the
    /// current rows that are in only one of the two views come or go.
    ///
    /// # Errors
    /// If a row has no key, or one of the filters cannot be decided.
    pub(crate) fn between(
        (old, new): (&Predicate, &Predicate),
        order: &Order,
        (rows, verdicts): (&TableChanges, &Verdicts),
        ranks: &Ranks,
    ) -> Result<Self, KeyError> {
        let mut effects = Self::default();
        for (index, (name, row)) in rows.current.iter().enumerate() {
            // A row that another text of its key found is there under its own, too.
            let Some(row) = row.as_ref().filter(|row| row.key == *name) else {
                continue;
            };
            let verdicts = verdicts.current(index);
            let comes = new.holds(row, verdicts, ranks)?;
            if old.holds(row, verdicts, ranks)? == comes {
                continue;
            }
            let key = order.key(row, ranks)?;
            effects.sides.push(CountedSide {
                key: key.clone(),
                row: name.clone(),
                difference: if comes { 1 } else { -1 },
            });
            let row = Arc::clone(row);
            effects
                .current
                .push((name.clone(), comes.then_some(LoadedRow { key, row })));
        }
        Ok(effects)
    }
}
