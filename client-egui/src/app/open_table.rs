//! The table on the screen.

use std::collections::BTreeMap;

use protocol::{AggregateOp, Column, Filter, SortColumn, TableSchema, Value, ViewSpec};

use web_time::Instant;

use super::table_summaries::{self, FACET_VALUES, ShownSummary};
use super::{ColumnArrangement, GroupSortBy, Grouping, SearchField, ViewAddress, grouping};
use crate::grid::GridState;
use crate::groups;
use crate::model::{GROUPS_SHOWN_MAX, Model, Summary, WindowCache, WindowId, filter_from_input};

/// How many rows to ask for before the size of the screen is known.
const FIRST_ROWS: u32 = 64;

/// The table on the screen: which rows, in which order, and where the grid is.
#[derive(Debug)]
pub struct OpenTable {
    /// Its name.
    pub name: String,
    /// Its window.
    pub window: WindowId,
    /// The order, most significant column first.
    pub sort: Vec<SortColumn>,
    /// The words looked for.
    pub search: SearchField,
    /// What was typed in the filter fields, by column.
    pub filters: BTreeMap<String, String>,
    /// Which totals are shown, by column.
    pub totals: BTreeMap<String, AggregateOp>,
    /// The column whose values are shown beside the grid.
    pub facet: Option<Facet>,
    /// Which columns are shown, and in which order.
    pub columns: ColumnArrangement,
    /// The rows in groups, if they are shown so.
    pub grouping: Option<Grouping>,
    totals_summary: ShownSummary,
    facet_summary: ShownSummary,
    /// The number of its rows when last shown without a filter and a search.
    pub unfiltered_total: Option<u64>,
    /// Where the grid is.
    pub grid: GridState,
    /// The filters are part of the window's view. They cannot be before its columns are known.
    filters_sent: bool,
}

/// A column whose values are shown with their counts.
#[derive(Clone, Debug, PartialEq)]
pub struct Facet {
    /// Its name.
    pub column: String,
    /// How many values are asked for.
    pub(super) values: u32,
    /// The bars of a histogram that are being chosen: where the pointer went down, and where it is.
    pub(crate) dragged: Option<(usize, usize)>,
}

impl Facet {
    fn new(column: String) -> Self {
        Self {
            column,
            values: FACET_VALUES,
            dragged: None,
        }
    }
}

impl OpenTable {
    /// Opens a table.
    pub fn open(model: &mut Model, name: String, address: ViewAddress) -> Self {
        let view = ViewSpec {
            sort: address.sort.clone(),
            search: search_of(&address.search),
            ..ViewSpec::table(name.clone())
        };
        let window = model.open(view, Vec::new(), 0, FIRST_ROWS);
        Self {
            name,
            window,
            sort: address.sort,
            search: SearchField::new(address.search),
            grid: GridState::with_filters(address.filters.clone()),
            filters_sent: address.filters.is_empty(),
            filters: address.filters,
            totals: address.totals,
            columns: address.columns,
            facet: address.facet.map(Facet::new),
            grouping: (!address.groups.is_empty())
                .then(|| Grouping::new(address.groups, address.group_sort, address.open_groups)),
            totals_summary: ShownSummary::default(),
            facet_summary: ShownSummary::default(),
            unfiltered_total: None,
        }
    }

    /// Its columns; `None` until the server has said them.
    pub fn schema<'a>(&self, model: &'a Model) -> Option<&'a TableSchema> {
        self.cache(model)?.schema().map(AsRef::as_ref)
    }

    /// Its rows.
    pub fn cache<'a>(&self, model: &'a Model) -> Option<&'a WindowCache> {
        model.window(self.window).map(|window| window.cache())
    }

    /// Whether a filter or a search leaves rows out.
    pub fn is_narrowed(&self) -> bool {
        !self.filters.is_empty() || !self.search.applied().trim().is_empty()
    }

    /// How it can be shown again.
    pub fn address(&self) -> ViewAddress {
        let grouping = self.grouping.as_ref();
        ViewAddress {
            table: Some(self.name.clone()),
            sort: self.sort.clone(),
            search: self.search.applied().to_owned(),
            filters: self.filters.clone(),
            totals: self.totals.clone(),
            columns: self.columns.clone(),
            facet: self.facet.as_ref().map(|facet| facet.column.clone()),
            groups: grouping.map_or_else(Vec::new, |grouping| grouping.by.clone()),
            group_sort: grouping.and_then(|grouping| grouping.sort.clone()),
            open_groups: grouping.map_or_else(Vec::new, Grouping::open_texts),
        }
    }

    /// What the server has said of the totals.
    pub fn totals_summary<'a>(&self, model: &'a Model) -> Option<&'a Summary> {
        self.totals_summary.of(model)
    }

    /// What the server has said of the column whose values are shown.
    pub fn facet_summary<'a>(&self, model: &'a Model) -> Option<&'a Summary> {
        self.facet_summary.of(model)
    }

    /// Closes its window and ends its summaries.
    pub fn close(mut self, model: &mut Model) {
        self.totals_summary.want(model, None, 1);
        self.facet_summary.want(model, None, 1);
        if let Some(grouping) = self.grouping.take() {
            grouping.close(model);
        }
        model.close(self.window);
    }

    /// Groups the rows by these columns; by none shows them one by one.
    pub fn group_by(&mut self, model: &mut Model, by: Vec<String>) {
        if let Some(grouping) = self.grouping.take() {
            grouping.close(model);
        }
        self.grouping = (!by.is_empty()).then(|| Grouping::new(by, None, Vec::new()));
    }

    /// The next order of the groups by one of their columns.
    pub fn order_groups(&mut self, by: GroupSortBy) {
        if let Some(grouping) = &mut self.grouping {
            grouping.cycle_sort(by);
        }
    }

    /// Shows a group's rows, or hides them.
    pub fn toggle_group(&mut self, model: &mut Model, key: Vec<Value>, position: u64) {
        let Some(schema) = self.schema(model) else {
            return;
        };
        let rows = self.sorted_rows(schema);
        if let Some(grouping) = &mut self.grouping {
            grouping.toggle(model, key, position, &rows);
        }
    }

    /// The columns that a file gets, in their order: those shown; none for all as they come.
    pub fn columns_to_save<'a>(&self, model: &'a Model) -> Vec<&'a str> {
        let schema = self.schema(model);
        let schema = schema.filter(|_| !self.columns.is_as_it_comes());
        let names = |schema: &'a TableSchema| {
            let shown = self.columns.shown(&schema.columns);
            let names = shown
                .into_iter()
                .map(|index| &schema.columns[index].name[..]);
            names.collect()
        };
        schema.map_or_else(Vec::new, names)
    }

    /// Moves a column in front of another, or behind all others.
    pub fn move_column(&mut self, model: &Model, column: &str, before: Option<&str>) {
        if let Some(schema) = self.cache(model).and_then(WindowCache::schema) {
            self.columns.move_before(&schema.columns, column, before);
        }
    }

    /// Shows the values of a column, or of none.
    pub fn show_facet(&mut self, column: Option<String>) {
        self.facet = column.map(Facet::new);
    }

    /// Shows more values of the column whose values are shown.
    pub fn more_facet_values(&mut self, model: &mut Model, now: Instant) {
        if let (Some(facet), Some(id)) = (&mut self.facet, self.facet_summary.id()) {
            facet.values = facet.values.saturating_mul(3).min(GROUPS_SHOWN_MAX);
            model.show_groups(id, 0, facet.values, now);
        }
    }

    /// Shows a total of a column, or none.
    pub fn set_total(&mut self, column: String, op: Option<AggregateOp>) {
        match op {
            Some(op) => drop(self.totals.insert(column, op)),
            None => drop(self.totals.remove(&column)),
        }
    }

    /// Sorts by one column alone.
    pub fn sort_by(&mut self, model: &mut Model, column: String, descending: bool) {
        self.sort = vec![SortColumn {
            column,
            descending,
            nulls: None,
        }];
        self.send_view(model);
    }

    /// The next order of a column: ascending, descending, none.
    pub fn cycle_sort(&mut self, model: &mut Model, column: &str, add: bool) {
        let place = self.sort.iter().position(|sorted| sorted.column == column);
        let descending = place.map(|place| self.sort[place].descending);
        if !add {
            self.sort.retain(|sorted| sorted.column == column);
        }
        let place = self.sort.iter().position(|sorted| sorted.column == column);
        match (place, descending) {
            (Some(place), Some(false)) => self.sort[place].descending = true,
            (Some(place), _) => drop(self.sort.remove(place)),
            (None, _) => {
                let column = column.to_owned();
                self.sort.push(SortColumn {
                    column,
                    descending: false,
                    nulls: None,
                });
            }
        }
        self.send_view(model);
    }

    /// Looks for words; an empty text looks for none.
    pub fn set_search(&mut self, model: &mut Model, text: String) {
        self.search.set(text);
        self.send_view(model);
    }

    /// Filters by a column; an empty text removes its filter.
    pub fn set_filter(&mut self, model: &mut Model, column: String, text: String) {
        self.grid.set_filter(&column, &text);
        if text.trim().is_empty() {
            self.filters.remove(&column);
        } else {
            self.filters.insert(column, text);
        }
        self.send_view(model);
    }

    /// Removes all filters.
    pub fn clear_filters(&mut self, model: &mut Model) {
        self.filters.clear();
        self.grid.clear_filters();
        self.send_view(model);
    }

    /// Returns to the order of the table's key.
    pub fn clear_sort(&mut self, model: &mut Model) {
        self.sort.clear();
        self.send_view(model);
    }

    /// Follows what the model has taken in.
    pub fn follow(&mut self, model: &mut Model, now: Instant) {
        if !self.filters_sent && self.schema(model).is_some() {
            self.send_view(model);
        }
        self.grid.follow(model, self.window);
        let total = self.cache(model).and_then(WindowCache::total);
        let is_narrowed = model
            .window(self.window)
            .is_some_and(|w| w.view().filter.is_some() || w.view().search.is_some());
        if !is_narrowed && total.is_some() {
            self.unfiltered_total = total;
        }
        self.summarize(model);
        if let Some(grouping) = &mut self.grouping {
            grouping.follow(model, groups::ROW, now);
        }
    }

    /// Keeps the summaries that are shown.
    fn summarize(&mut self, model: &mut Model) {
        let Some(schema) = self.schema(model) else {
            return;
        };
        let known = |name: &str| schema.columns.iter().any(|column| column.name == name);
        let chosen = self.totals.iter().filter(|(column, _)| known(column));
        let totals = table_summaries::totals(self.rows(schema, None), chosen);
        let facet = self.facet.as_ref().and_then(|facet| {
            let column = schema.columns.iter();
            let column = column
                .into_iter()
                .find(|column| column.name == facet.column)?;
            // Its own filter is what is chosen there: it must not hide what else could be.
            table_summaries::facet(self.rows(schema, Some(&facet.column)), column)
        });
        let grouped = self.grouping.as_ref().map(|grouping| {
            let of = |name: &String| schema.columns.iter().find(|column| column.name == *name);
            let by: Vec<&Column> = grouping.by.iter().filter_map(of).collect();
            let chosen = self.totals.iter().filter(|(column, _)| known(column));
            let rows = self.sorted_rows(schema);
            (grouping::spec(grouping, &rows, &by, chosen), rows)
        });
        self.totals_summary.want(model, totals, 1);
        self.facet_summary.want(model, facet, FACET_VALUES);
        if let (Some(grouping), Some((spec, rows))) = (&mut self.grouping, grouped) {
            grouping.want(model, spec, &rows);
        }
    }

    /// The rows shown, in their order.
    fn sorted_rows(&self, schema: &TableSchema) -> ViewSpec {
        ViewSpec {
            sort: self.sort.clone(),
            ..self.rows(schema, None)
        }
    }

    /// The rows shown, in no order; without the filter of one column, if it is named.
    fn rows(&self, schema: &TableSchema, but: Option<&str>) -> ViewSpec {
        ViewSpec {
            filter: self.filter(schema, but),
            search: search_of(self.search.applied()),
            ..ViewSpec::table(self.name.clone())
        }
    }

    fn send_view(&mut self, model: &mut Model) {
        let filter = self
            .schema(model)
            .and_then(|schema| self.filter(schema, None));
        self.filters_sent = true;
        let view = ViewSpec {
            filter,
            sort: self.sort.clone(),
            search: search_of(self.search.applied()),
            ..ViewSpec::table(self.name.clone())
        };
        model.set_view(self.window, view);
        self.grid.view_changed();
    }

    /// The filters of all columns together. What cannot be read (an address typed by hand) filters
    /// nothing; its field says why. `but` names a column whose filter is left out.
    fn filter(&self, schema: &TableSchema, but: Option<&str>) -> Option<Filter> {
        let of_column = |column: &Column| {
            let text = self.filters.get(&column.name)?;
            filter_from_input(column, text).ok().flatten()
        };
        let columns = schema.columns.iter();
        let columns = columns.filter(|column| Some(column.name.as_str()) != but);
        let mut filters: Vec<Filter> = columns.filter_map(of_column).collect();
        match filters.len() {
            0 | 1 => filters.pop(),
            _ => Some(Filter::And(filters)),
        }
    }
}

/// What a view looks for, of what was typed.
fn search_of(text: &str) -> Option<String> {
    let text = text.trim();
    (!text.is_empty()).then(|| text.to_owned())
}
