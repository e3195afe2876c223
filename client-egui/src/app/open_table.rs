//! The table on the screen.

use std::collections::BTreeMap;

use protocol::{Column, Filter, SortColumn, TableSchema, ViewSpec};

use super::ViewAddress;
use crate::grid::GridState;
use crate::model::{Model, WindowCache, WindowId, filter_from_input};

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
    /// What was typed in the filter fields, by column.
    pub filters: BTreeMap<String, String>,
    /// The number of its rows when last shown without a filter.
    pub unfiltered_total: Option<u64>,
    /// Where the grid is.
    pub grid: GridState,
    /// The filters are part of the window's view. They cannot be before its columns are known.
    filters_sent: bool,
}

impl OpenTable {
    /// Opens a table.
    pub fn open(model: &mut Model, name: String, address: ViewAddress) -> Self {
        let view = ViewSpec {
            sort: address.sort.clone(),
            ..ViewSpec::table(name.clone())
        };
        let window = model.open(view, Vec::new(), 0, FIRST_ROWS);
        Self {
            name,
            window,
            sort: address.sort,
            grid: GridState::with_filters(address.filters.clone()),
            filters_sent: address.filters.is_empty(),
            filters: address.filters,
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

    /// How it can be shown again.
    pub fn address(&self) -> ViewAddress {
        ViewAddress {
            table: Some(self.name.clone()),
            sort: self.sort.clone(),
            filters: self.filters.clone(),
        }
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

    /// Filters by a column; an empty text removes its filter.
    pub fn set_filter(&mut self, model: &mut Model, column: String, text: String) {
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
    pub fn follow(&mut self, model: &mut Model) {
        if !self.filters_sent && self.schema(model).is_some() {
            self.send_view(model);
        }
        self.grid.follow(model, self.window);
        let total = self.cache(model).and_then(WindowCache::total);
        let has_filter = model
            .window(self.window)
            .is_some_and(|w| w.view().filter.is_some());
        if !has_filter && total.is_some() {
            self.unfiltered_total = total;
        }
    }

    fn send_view(&mut self, model: &mut Model) {
        let filter = self.schema(model).and_then(|schema| self.filter(schema));
        self.filters_sent = true;
        let view = ViewSpec {
            filter,
            sort: self.sort.clone(),
            ..ViewSpec::table(self.name.clone())
        };
        model.set_view(self.window, view);
        self.grid.view_changed();
    }

    /// The filters of all columns together. What cannot be read (an address typed by hand) filters
    /// nothing; its field says why.
    fn filter(&self, schema: &TableSchema) -> Option<Filter> {
        let of_column = |column: &Column| {
            let text = self.filters.get(&column.name)?;
            filter_from_input(column, text).ok().flatten()
        };
        let mut filters: Vec<Filter> = schema.columns.iter().filter_map(of_column).collect();
        match filters.len() {
            0 | 1 => filters.pop(),
            _ => Some(Filter::And(filters)),
        }
    }
}
