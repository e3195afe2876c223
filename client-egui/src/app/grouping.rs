//! The groups of the table on the screen, and which of them are open.

use protocol::{Filter, GroupOrder, GroupTerm, ViewSpec};
use web_time::Instant;

use super::table_summaries::{self, ShownSummary};
use crate::grid::GridState;
use crate::model::{Model, Summary, SummarySpec, WindowId, filter_of_group};

/// How many groups are asked for before the size of the screen is known.
const FIRST_GROUPS: u32 = 64;

/// How many groups can be open at once: each is a window of its own, of which a socket has few. Opening
/// one more closes the one opened first.
const OPEN_GROUPS_MAX: usize = 8;

/// How many rows of an open group are asked for before the size of its grid is known.
const FIRST_ROWS: u32 = 32;

/// A table's rows in groups.
#[derive(Debug)]
pub struct Grouping {
    /// The columns that the rows are grouped by.
    pub by: Vec<String>,
    /// What the groups are ordered by; by their keys without it.
    pub order: Option<GroupOrder>,
    /// The groups whose rows are shown.
    pub open: Vec<OpenGroup>,
    /// How far the groups are scrolled, in points.
    pub(crate) offset: f32,
    /// How far they are to be scrolled on, so that what is being read stays in place.
    pub(crate) shift: f32,
    /// The topmost group on the screen, and where it was.
    pub(crate) anchor: Option<(Vec<protocol::Value>, u64)>,
    /// The groups on the screen.
    pub(crate) visible: std::ops::Range<u64>,
    summary: ShownSummary,
}

/// A group whose rows are shown.
#[derive(Debug)]
pub struct OpenGroup {
    /// Its key.
    pub key: Vec<protocol::Value>,
    /// The window on its rows.
    pub window: WindowId,
    /// Where its grid is.
    pub grid: GridState,
    /// Where it is among the groups, as last known.
    pub position: u64,
}

impl Grouping {
    pub(super) fn new(by: Vec<String>) -> Self {
        Self {
            by,
            order: None,
            open: Vec::new(),
            offset: 0.0,
            shift: 0.0,
            anchor: None,
            visible: 0..0,
            summary: ShownSummary::default(),
        }
    }

    /// What the server has said of the groups.
    pub fn summary<'a>(&self, model: &'a Model) -> Option<&'a Summary> {
        self.summary.of(model)
    }

    /// The order that a click on a header leads to: as it comes (`descending` first), reversed, none.
    pub(super) fn cycle_order(&mut self, by: GroupTerm) {
        let largest_first = matches!(by, GroupTerm::Value(_));
        let now = self.order.as_ref().filter(|order| order.by == by);
        self.order = match now.map(|order| order.descending) {
            None => Some(largest_first),
            Some(descending) if descending == largest_first => Some(!largest_first),
            Some(_) => None,
        }
        .map(|descending| GroupOrder {
            by,
            descending,
            nulls: None,
        });
    }

    /// Opens a group, or closes it.
    pub(super) fn toggle(
        &mut self,
        model: &mut Model,
        key: Vec<protocol::Value>,
        position: u64,
        rows: &ViewSpec,
    ) {
        if let Some(place) = self.open.iter().position(|open| open.key == key) {
            let closed = self.open.remove(place);
            return model.close(closed.window);
        }
        let Some(view) = self.view_of(model, &key, rows) else {
            return;
        };
        if self.open.len() == OPEN_GROUPS_MAX {
            let first = self.open.remove(0);
            model.close(first.window);
        }
        self.open.push(OpenGroup {
            key,
            window: model.open(view, Vec::new(), 0, FIRST_ROWS),
            grid: GridState::default(),
            position,
        });
    }

    /// A group's rows: those of `rows` that have its key.
    fn view_of(&self, model: &Model, key: &[protocol::Value], rows: &ViewSpec) -> Option<ViewSpec> {
        let keys = self.summary(model)?.keys();
        let of_group = filter_of_group(keys, key)?;
        let filter = match rows.filter.clone() {
            Some(filter) => Filter::And(vec![filter, of_group]),
            None => of_group,
        };
        Some(ViewSpec {
            filter: Some(filter),
            ..rows.clone()
        })
    }

    /// Asks for the groups of `spec`, and for the open ones' part of `rows`.
    pub(super) fn want(&mut self, model: &mut Model, spec: SummarySpec, rows: &ViewSpec) {
        self.summary.want(model, Some(spec), FIRST_GROUPS);
        if self
            .summary(model)
            .is_none_or(|summary| summary.keys().is_empty())
        {
            return;
        }
        let views = self.open.iter();
        let views: Vec<_> = views
            .map(|open| (open.window, self.view_of(model, &open.key, rows)))
            .collect();
        for (window, view) in views {
            if let Some(view) = view {
                model.set_view(window, view);
            }
        }
    }

    /// Follows what the model has taken in, and says what is on the screen.
    pub(super) fn follow(&mut self, model: &mut Model, row_height: f32, now: Instant) {
        let mut gone = Vec::new();
        if let Some(summary) = self
            .summary
            .of(model)
            .filter(|summary| summary.is_current())
        {
            let groups = summary.counts().map_or(0, |counts| counts.groups);
            let has_all = summary.groups().len() as u64 == groups;
            for open in &mut self.open {
                match summary.position_of(&open.key) {
                    Some(position) => open.position = position,
                    None if has_all => gone.push(open.window),
                    None => {}
                }
            }
            if let Some((key, position)) = &mut self.anchor
                && let Some(at) = summary.position_of(key)
            {
                let moved = i128::from(at) - i128::from(*position);
                // What streams in at the top is shown there.
                if self.offset > 0.0 {
                    self.shift += moved as f32 * row_height;
                }
                *position = at;
            }
        }
        self.open.retain(|open| !gone.contains(&open.window));
        for window in gone {
            model.close(window);
        }
        self.open.sort_by_key(|open| open.position);
        for open in &mut self.open {
            open.grid.follow(model, open.window);
            let visible = open.grid.visible_rows();
            let count = u32::try_from(visible.end.saturating_sub(visible.start));
            model.show_rows(open.window, visible.start, count.unwrap_or(u32::MAX), now);
        }
        if let Some(id) = self.summary.id() {
            let visible = &self.visible;
            let count = u32::try_from(visible.end.saturating_sub(visible.start));
            model.show_groups(id, visible.start, count.unwrap_or(u32::MAX), now);
        }
    }

    /// Closes its windows and ends its summary.
    pub(super) fn close(mut self, model: &mut Model) {
        self.summary.want(model, None, 1);
        for open in self.open {
            model.close(open.window);
        }
    }
}

/// What to group and aggregate; the order only if it still means something.
pub(super) fn spec<'a>(
    grouping: &Grouping,
    rows: &ViewSpec,
    by: &[&protocol::Column],
    chosen: impl Iterator<Item = (&'a String, &'a protocol::AggregateOp)>,
) -> SummarySpec {
    let aggregates = table_summaries::aggregates(chosen);
    let means_something = |order: &&GroupOrder| match order.by {
        GroupTerm::Key(place) => (place as usize) < by.len(),
        GroupTerm::Value(place) => (place as usize) <= aggregates.len(),
    };
    let order = grouping.order.iter().filter(means_something).cloned();
    SummarySpec {
        view: ViewSpec {
            sort: Vec::new(),
            ..rows.clone()
        },
        by: by
            .iter()
            .map(|column| table_summaries::group_by(column))
            .collect(),
        order: order.collect(),
        aggregates,
    }
}
