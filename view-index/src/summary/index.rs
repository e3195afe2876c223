//! All groups of a summary.

use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::sync::Arc;

use protocol::Value;

use super::extreme::Move;
use super::group::{Group, Kept, extreme, extreme_move};
use super::ranking::{Ranking, Slot, compare, compare_keys};
use super::shape::{BuiltGroup, Shape};
use crate::blocks::Drift;
use crate::order::{KeyError, KeyPart};
use crate::predicate::Predicate;
use crate::ranks::Ranks;
use crate::row::{TableChanges, TableRow, Verdicts};
use crate::snapshot::Snapshot;

/// A summary cannot follow its table any further and must be built anew.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SummaryError {
    /// A row has no group, or the filter cannot be decided.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// The counts do not add up.
    #[error(transparent)]
    Drift(#[from] Drift),
    /// A query's answer is not of the summary's shape.
    #[error("an answer does not fit the summary")]
    Misfit,
}

/// A group's keys, ordered.
#[derive(Clone, Debug)]
struct GroupKey(Arc<[KeyPart]>);

impl Ord for GroupKey {
    fn cmp(&self, other: &Self) -> Ordering {
        compare_keys(&self.0, &other.0)
    }
}

impl PartialOrd for GroupKey {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for GroupKey {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for GroupKey {}

/// All groups of a view's rows.
#[derive(Clone, Debug)]
pub struct SummaryIndex {
    shape: Arc<Shape>,
    predicate: Predicate,
    groups: Vec<Option<Group>>,
    free: Vec<Slot>,
    by_key: BTreeMap<GroupKey, Slot>,
    ranking: Ranking,
    rows: i64,
    /// Accounts that only PostgreSQL knows now.
    unknown: BTreeSet<(Slot, usize)>,
}

/// An extreme value that was lost: it must be asked for.
#[derive(Clone, Debug)]
pub struct Doubt {
    key: GroupKey,
    /// The group's keys, to find its rows by.
    pub shown: Arc<[Value]>,
    /// Which of [`Shape::accounts`].
    pub account: usize,
}

/// PostgreSQL's answer to a [`Doubt`].
#[derive(Clone, Debug)]
pub struct Settled {
    /// What was asked.
    pub doubt: Doubt,
    /// The group's most extreme values, in order, repeated as often as they occur.
    pub best: Vec<Value>,
    /// Whether that is all of its values.
    pub is_all: bool,
}

impl SummaryIndex {
    /// The groups as one query returned them.
    ///
    /// # Errors
    /// If one has no key, or two have the same.
    pub fn new(
        shape: Arc<Shape>,
        predicate: Predicate,
        built: Vec<BuiltGroup>,
        ranks: &Ranks,
    ) -> Result<Self, SummaryError> {
        let mut index = Self {
            groups: Vec::with_capacity(built.len()),
            free: Vec::new(),
            by_key: BTreeMap::new(),
            ranking: Ranking::default(),
            rows: 0,
            unknown: BTreeSet::new(),
            shape,
            predicate,
        };
        for built in built {
            let group = Group::built(&index.shape, built, ranks)?;
            index.rows += group.rows;
            let slot = index.groups.len();
            let taken = index.by_key.insert(GroupKey(group.key.clone()), slot);
            if taken.is_some() {
                return Err(SummaryError::Misfit);
            }
            index.groups.push(Some(group));
        }
        if index.shape.keys.is_empty() && index.groups.is_empty() {
            index.slot(Vec::new(), None);
        }
        let all: Vec<Slot> = (0..index.groups.len()).collect();
        index.finish(&all)?;
        Ok(index)
    }

    /// What it computes.
    pub fn shape(&self) -> &Arc<Shape> {
        &self.shape
    }

    /// How many groups there are.
    pub fn len(&self) -> usize {
        self.ranking.len()
    }

    /// Whether there is no group.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Rows in all groups.
    pub fn rows(&self) -> u64 {
        u64::try_from(self.rows).unwrap_or(0)
    }

    /// The groups from a position on: keys and cells. Of no meaning while there are [doubts](Self::doubts).
    pub fn groups(
        &self,
        start: usize,
        count: usize,
    ) -> impl Iterator<Item = (&Arc<[Value]>, &Arc<[Value]>)> {
        let slots = self.ranking.range(start, count).iter();
        slots.filter_map(|&slot| {
            let group = self.groups[slot].as_ref()?;
            Some((&group.shown, &group.cells))
        })
    }

    /// Applies a batch, except for what a state that had `seen` this much already contains. Returns whether
    /// any group changed.
    ///
    /// # Errors
    /// If a row has no group, or the counts do not add up; the summary must then be built anew.
    pub fn apply(
        &mut self,
        changes: &TableChanges,
        verdicts: &Verdicts,
        ranks: &Ranks,
        seen: &Snapshot,
    ) -> Result<bool, SummaryError> {
        let rows = unseen(&self.predicate, changes, verdicts, ranks, seen)?;
        self.add(rows, ranks)
    }

    /// Replaces the filter by another one. Among `rows`, which are as they are in this state, must be all those
    /// for which only one of the two holds; sides do not matter. Returns whether any group changed.
    ///
    /// # Errors
    /// As for [`Self::apply`].
    pub fn advance(
        &mut self,
        predicate: Predicate,
        rows: &TableChanges,
        verdicts: &Verdicts,
        ranks: &Ranks,
    ) -> Result<bool, SummaryError> {
        let mut moved = Vec::new();
        for (index, (name, row)) in rows.current.iter().enumerate() {
            // A row that another text of its key found is there under its own, too.
            let Some(row) = row.as_ref().filter(|row| row.key == *name) else {
                continue;
            };
            let verdicts = verdicts.current(index);
            let comes = predicate.holds(row, verdicts, ranks)?;
            if self.predicate.holds(row, verdicts, ranks)? != comes {
                moved.push((row.as_ref(), if comes { 1 } else { -1 }));
            }
        }
        self.predicate = predicate;
        self.add(moved, ranks)
    }

    /// Adds rows (1), or takes them away (-1).
    fn add(&mut self, rows: Vec<(&TableRow, i64)>, ranks: &Ranks) -> Result<bool, SummaryError> {
        let (mut touched, mut moves) = (Vec::new(), BTreeMap::new());
        let shape = self.shape.clone();
        for (row, by) in rows {
            let slot = self.slot(shape.key(row, ranks)?, Some(row));
            let Some(group) = &mut self.groups[slot] else {
                continue;
            };
            if !std::mem::replace(&mut group.is_touched, true) {
                touched.push(slot);
            }
            self.rows += by;
            group.add(&shape, row, by)?;
            for (at, account) in shape.accounts.iter().enumerate() {
                if let Some(moved) = extreme_move(account, row, by, ranks)? {
                    moves.entry((slot, at)).or_insert_with(Vec::new).push(moved);
                }
            }
        }
        for ((slot, at), moves) in moves {
            self.move_extreme(slot, at, moves)?;
        }
        self.finish(&touched)?;
        Ok(!touched.is_empty())
    }

    /// The group of a key, made if there is none.
    fn slot(&mut self, key: Vec<KeyPart>, row: Option<&TableRow>) -> Slot {
        let key = GroupKey(key.into());
        if let Some(slot) = self.by_key.get(&key) {
            return *slot;
        }
        let shown = row.map_or_else(Arc::default, |row| self.shape.shown_key(row, &key.0));
        let group = Some(Group::empty(&self.shape, key.0.clone(), shown));
        let slot = match self.free.pop() {
            Some(slot) => {
                self.groups[slot] = group;
                slot
            }
            None => {
                self.groups.push(group);
                self.groups.len() - 1
            }
        };
        self.by_key.insert(key, slot);
        slot
    }

    fn move_extreme(&mut self, slot: Slot, at: usize, moves: Vec<Move>) -> Result<(), Drift> {
        let kept = self.groups[slot].as_mut().map(|group| &mut group.kept[at]);
        let Some(Kept::Extreme(extreme)) = kept else {
            return Ok(());
        };
        extreme.apply(moves)?;
        if extreme.is_unknown() {
            self.unknown.insert((slot, at));
        } else {
            self.unknown.remove(&(slot, at));
        }
        Ok(())
    }

    /// Computes the touched groups' cells, and puts each where it belongs.
    fn finish(&mut self, touched: &[Slot]) -> Result<(), SummaryError> {
        let (mut removed, mut moved) = (Vec::new(), Vec::new());
        for &slot in touched {
            let Some(group) = &mut self.groups[slot] else {
                continue;
            };
            group.is_touched = false;
            group.check()?;
            let is_new = group.cells.is_empty();
            if group.rows == 0 && !self.shape.keys.is_empty() {
                removed.push(slot);
                continue;
            }
            if group.finish(&self.shape)? || is_new {
                moved.push(slot);
            }
        }
        let gone: Vec<Slot> = removed.iter().chain(&moved).copied().collect();
        self.ranking.remove(&gone);
        for slot in removed {
            if let Some(group) = self.groups[slot].take() {
                self.by_key.remove(&GroupKey(group.key));
                self.free.push(slot);
                self.unknown.retain(|&(unknown, _)| unknown != slot);
            }
        }
        let (groups, order) = (&self.groups, &self.shape.order);
        self.ranking
            .insert(moved, |a, b| match (&groups[a], &groups[b]) {
                (Some(a), Some(b)) => compare(order, a, b),
                _ => Ordering::Equal,
            });
        Ok(())
    }

    /// Whether an extreme value was lost: until it is [settled](Self::settle) nothing may be shown.
    pub fn is_in_doubt(&self) -> bool {
        !self.unknown.is_empty()
    }

    /// The extreme values that were lost.
    pub fn doubts(&self) -> Vec<Doubt> {
        let doubt = |&(slot, account): &(Slot, usize)| {
            let group = self.groups[slot].as_ref()?;
            Some(Doubt {
                key: GroupKey(group.key.clone()),
                shown: group.shown.clone(),
                account,
            })
        };
        self.unknown.iter().filter_map(doubt).collect()
    }

    /// Learns extreme values from a query that had `seen` a state before this one; `changes` are those since.
    ///
    /// # Errors
    /// If they do not fit; the summary must then be built anew.
    pub fn settle(
        &mut self,
        settled: Vec<Settled>,
        changes: &TableChanges,
        verdicts: &Verdicts,
        ranks: &Ranks,
        seen: &Snapshot,
    ) -> Result<(), SummaryError> {
        let shape = self.shape.clone();
        let wanted: HashSet<(Slot, usize)> = settled
            .iter()
            .filter_map(|one| Some((*self.by_key.get(&one.doubt.key)?, one.doubt.account)))
            .collect();
        let mut moves: BTreeMap<(Slot, usize), Vec<Move>> = BTreeMap::new();
        for (row, by) in unseen(&self.predicate, changes, verdicts, ranks, seen)? {
            let key = GroupKey(shape.key(row, ranks)?.into());
            let Some(&slot) = self.by_key.get(&key) else {
                continue;
            };
            for (at, account) in shape.accounts.iter().enumerate() {
                if wanted.contains(&(slot, at))
                    && let Some(moved) = extreme_move(account, row, by, ranks)?
                {
                    moves.entry((slot, at)).or_default().push(moved);
                }
            }
        }
        let mut touched = Vec::new();
        for Settled {
            doubt,
            best,
            is_all,
        } in settled
        {
            // The group may have gone since.
            let Some(&slot) = self.by_key.get(&doubt.key) else {
                continue;
            };
            let account = shape
                .accounts
                .get(doubt.account)
                .ok_or(SummaryError::Misfit)?;
            let known = i64::try_from(best.len()).map_err(|_| Drift)?;
            // How many more there are does not matter, only that there are more.
            let values = if is_all { known } else { i64::MAX / 2 };
            let best = best.into_iter().map(|value| (value, 1)).collect();
            let mut learned = extreme(account, values, best, ranks)?;
            learned.apply(moves.remove(&(slot, doubt.account)).unwrap_or_default())?;
            let group = self.groups[slot].as_mut().ok_or(SummaryError::Misfit)?;
            if let Some(Kept::Extreme(kept)) = group.kept.get_mut(doubt.account) {
                kept.learn(learned);
                if !kept.is_unknown() {
                    self.unknown.remove(&(slot, doubt.account));
                }
            }
            touched.push(slot);
        }
        touched.sort_unstable();
        touched.dedup();
        self.finish(&touched)
    }
}

/// The rows of a view that came (1) and went (-1) since a state.
fn unseen<'a>(
    predicate: &Predicate,
    changes: &'a TableChanges,
    verdicts: &Verdicts,
    ranks: &Ranks,
    seen: &Snapshot,
) -> Result<Vec<(&'a TableRow, i64)>, KeyError> {
    let mut rows = Vec::new();
    for (index, side) in changes.sides.iter().enumerate() {
        if !seen.sees(side.xid) && predicate.holds(&side.row, verdicts.side(index), ranks)? {
            rows.push((side.row.as_ref(), if side.appeared { 1 } else { -1 }));
        }
    }
    Ok(rows)
}
