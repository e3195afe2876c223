//! How live a table is, whether it can be edited, and why not: in words for people.

use std::time::Duration;

use protocol::{Liveness, TableKind};

/// What decides it.
#[derive(Debug)]
pub(super) struct Circumstances<'a> {
    pub(super) sql_name: &'a str,
    pub(super) kind: TableKind,
    pub(super) has_key: bool,
    pub(super) may_update: bool,
    pub(super) is_watched: bool,
    /// Somebody dropped or disabled them, or they are not there yet.
    pub(super) lacks_triggers: bool,
    pub(super) may_watch: bool,
    /// The role may read every column.
    pub(super) reads_all: bool,
    /// Row-level security applies to the role; the change log knows all rows.
    pub(super) rows_hidden: bool,
    /// It takes part in table inheritance (`INHERITS`).
    pub(super) inherits: bool,
    /// One of its partitions is a foreign table.
    pub(super) partly_foreign: bool,
}

const NO_KEY: &str = "it has neither a primary key nor a unique index on NOT NULL columns";

impl Circumstances<'_> {
    /// How the table's changes arrive.
    pub(super) fn liveness(&self, poll_interval: Duration) -> Liveness {
        match self.not_live() {
            None => Liveness::Live,
            Some(reason) => Liveness::Polled {
                every_millis: u32::try_from(poll_interval.as_millis()).unwrap_or(u32::MAX),
                reason,
            },
        }
    }

    fn not_live(&self) -> Option<String> {
        let name = self.sql_name;
        let fixed = match self.kind {
            TableKind::View => {
                Some("it is a view: which of its rows a change touches is not known")
            }
            TableKind::MaterializedView => {
                Some("it is a materialized view: no trigger tells of its refresh")
            }
            TableKind::Foreign => Some("it is a foreign table: its changes happen elsewhere"),
            _ if self.partly_foreign => {
                Some("one of its partitions is a foreign table, whose changes happen elsewhere")
            }
            _ if self.inherits => Some("it takes part in table inheritance (INHERITS)"),
            _ if !self.has_key => Some(NO_KEY),
            _ if self.rows_hidden => Some(
                "row-level security hides rows from the server's role; the change log knows all",
            ),
            _ if !self.reads_all => Some("the server's role may not read all of its columns"),
            TableKind::Table | TableKind::Partitioned => None,
        };
        match fixed {
            Some(reason) => Some(reason.to_owned()),
            None if !self.is_watched && self.may_watch => Some(format!(
                "it is not watched; this makes it live: rowcast watch '{name}'"
            )),
            None if !self.is_watched => Some(format!(
                "it is not watched, and the server's role may not put triggers on it; its owner makes \
                 it live: rowcast watch '{name}'"
            )),
            None if self.lacks_triggers => Some(format!(
                "its triggers are missing or disabled; its owner mends them: rowcast watch '{name}'"
            )),
            None => None,
        }
    }

    /// Why none of the table's cells can be edited.
    pub(super) fn not_editable(&self) -> Option<String> {
        let reason = match self.kind {
            TableKind::View => "it is a view: edit the tables that it reads",
            TableKind::MaterializedView => {
                "it is a materialized view: edit the tables that it reads"
            }
            _ if !self.has_key => {
                return Some(format!("{NO_KEY}: its rows cannot be told apart"));
            }
            _ if !self.may_update => "the server's role may not update it",
            _ => return None,
        };
        Some(reason.to_owned())
    }
}
