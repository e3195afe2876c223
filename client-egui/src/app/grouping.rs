//! The groups of the table on the screen, and which of them are open.

use protocol::{Filter, Value, ViewSpec};
use web_time::Instant;

use super::table_summaries::{self, ShownSummary};
use super::{GroupSort, GroupSortBy};
use crate::grid::GridState;
use crate::model::{
    GroupTexts, Model, Summary, SummarySpec, WindowId, filter_of_group, group_key, group_texts,
};

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
    pub sort: Option<GroupSort>,
    /// The groups whose rows are shown.
    pub open: Vec<OpenGroup>,
    /// Groups to open as soon as it is known what their keys hold.
    wanted: Vec<GroupTexts>,
    /// How far the groups are scrolled, in points.
    pub(crate) offset: f32,
    /// How far they are to be scrolled on, so that what is being read stays in place.
    pub(crate) shift: f32,
    /// The topmost group on the screen, and where it was.
    pub(crate) anchor: Option<(Vec<Value>, u64)>,
    /// The groups on the screen.
    pub(crate) visible: std::ops::Range<u64>,
    summary: ShownSummary,
}

/// A group whose rows are shown.
#[derive(Debug)]
pub struct OpenGroup {
    /// Its key.
    pub key: Vec<Value>,
    /// What names it, whatever the bounds of its ranges are.
    texts: GroupTexts,
    /// The window on its rows.
    pub window: WindowId,
    /// Where its grid is.
    pub grid: GridState,
    /// Where it is among the groups, as last known.
    pub position: Option<u64>,
}

impl OpenGroup {
    /// Whether it is known to be at this position among the groups.
    pub(crate) fn is_at(&self, position: u64) -> bool {
        self.position == Some(position)
    }
}

impl Grouping {
    pub(super) fn new(by: Vec<String>, sort: Option<GroupSort>, open: Vec<GroupTexts>) -> Self {
        Self {
            by,
            sort,
            open: Vec::new(),
            wanted: open,
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

    /// What names the groups whose rows are shown, or are to be.
    pub(super) fn open_texts(&self) -> Vec<GroupTexts> {
        let open = self.open.iter().map(|open| &open.texts);
        open.chain(&self.wanted).cloned().collect()
    }

    /// The next order of the groups by one of their columns.
    pub(super) fn cycle_sort(&mut self, by: GroupSortBy) {
        self.sort = GroupSort::next(self.sort.as_ref(), by);
    }

    /// Opens a group, or closes it.
    pub(super) fn toggle(
        &mut self,
        model: &mut Model,
        key: Vec<Value>,
        position: u64,
        rows: &ViewSpec,
    ) {
        if let Some(place) = self.open.iter().position(|open| open.key == key) {
            let closed = self.open.remove(place);
            return model.close(closed.window);
        }
        self.open(model, key, Some(position), rows);
    }

    fn open(&mut self, model: &mut Model, key: Vec<Value>, position: Option<u64>, rows: &ViewSpec) {
        let keys = self.summary(model).map_or(&[][..], Summary::keys);
        let texts = group_texts(keys, &key);
        let (Some(texts), Some(view)) = (texts, self.view_of(model, &key, rows)) else {
            return;
        };
        if self.open.len() == OPEN_GROUPS_MAX {
            let first = self.open.remove(0);
            model.close(first.window);
        }
        self.open.push(OpenGroup {
            key,
            texts,
            window: model.open(view, Vec::new(), 0, FIRST_ROWS),
            grid: GridState::default(),
            position,
        });
    }

    /// Opens the groups that the address names.
    fn open_wanted(&mut self, model: &mut Model, rows: &ViewSpec) {
        for texts in std::mem::take(&mut self.wanted) {
            let keys = self.summary(model).map_or(&[][..], Summary::keys);
            let key = group_key(keys, &texts);
            let is_open = self.open.iter().any(|open| open.texts == texts);
            if let Some(key) = key.filter(|_| !is_open) {
                self.open(model, key, None, rows);
            }
        }
    }

    /// Gives the open groups the keys that they have under the present bounds, and closes those whose
    /// range is no longer one.
    fn follow_bounds(&mut self, model: &mut Model) {
        let Some(summary) = self.summary.of(model) else {
            return;
        };
        let mut gone = Vec::new();
        for open in &mut self.open {
            match group_key(summary.keys(), &open.texts) {
                Some(key) => open.key = key,
                None => gone.push(open.window),
            }
        }
        self.close_groups(model, &gone);
    }

    fn close_groups(&mut self, model: &mut Model, gone: &[WindowId]) {
        self.open.retain(|open| !gone.contains(&open.window));
        for window in gone {
            model.close(*window);
        }
    }

    /// A group's rows: those of `rows` that have its key.
    fn view_of(&self, model: &Model, key: &[Value], rows: &ViewSpec) -> Option<ViewSpec> {
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
        self.follow_bounds(model);
        self.open_wanted(model, rows);
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
                    Some(position) => open.position = Some(position),
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
        self.close_groups(model, &gone);
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
    let by: Vec<_> = by
        .iter()
        .map(|column| table_summaries::group_by(column))
        .collect();
    let sort = grouping.sort.as_ref();
    let order = sort.and_then(|sort| sort.order(&by, &aggregates));
    SummarySpec {
        view: ViewSpec {
            sort: Vec::new(),
            ..rows.clone()
        },
        by,
        order: order.into_iter().collect(),
        aggregates,
    }
}
