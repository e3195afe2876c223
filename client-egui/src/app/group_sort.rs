//! What groups are ordered by.

use protocol::{Aggregate, GroupBy, GroupOrder, GroupTerm, NullsOrder};

/// What groups are ordered by. It names columns: their places change with what else is shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum GroupSortBy {
    /// A column that they are grouped by.
    Key(String),
    /// How many rows they have.
    Rows,
    /// The total of a column.
    Total(String),
}

/// The order of groups.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GroupSort {
    /// What they are ordered by.
    pub by: GroupSortBy,
    /// The largest first.
    pub descending: bool,
}

impl GroupSort {
    /// The order that a click on a header leads to: as it is wanted most often, reversed, none.
    pub(super) fn next(now: Option<&Self>, by: GroupSortBy) -> Option<Self> {
        let largest_first = !matches!(by, GroupSortBy::Key(_));
        let descending = match now.filter(|now| now.by == by).map(|now| now.descending) {
            None => largest_first,
            Some(descending) if descending == largest_first => !largest_first,
            Some(_) => return None,
        };
        Some(Self { by, descending })
    }

    /// As a summary by `keys` with these aggregates has it; `None` if it has no such column.
    pub(super) fn order(&self, keys: &[GroupBy], aggregates: &[Aggregate]) -> Option<GroupOrder> {
        let place = match &self.by {
            GroupSortBy::Key(column) => keys.iter().position(|key| key.column == *column),
            GroupSortBy::Rows => Some(0),
            GroupSortBy::Total(column) => aggregates
                .iter()
                .position(|aggregate| aggregate.column.as_ref() == Some(column))
                // The number of rows comes before them.
                .map(|place| place + 1),
        };
        let place = u32::try_from(place?).ok()?;
        Some(GroupOrder {
            by: match self.by {
                GroupSortBy::Key(_) => GroupTerm::Key(place),
                GroupSortBy::Rows | GroupSortBy::Total(_) => GroupTerm::Value(place),
            },
            descending: self.descending,
            // A group without a total is not the one with the largest.
            nulls: Some(NullsOrder::Last),
        })
    }
}
