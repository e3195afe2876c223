//! What the person asked for.

use egui::ThemePreference;
use protocol::{AggregateOp, Value};

use super::{ExportFormat, GroupSortBy};
use crate::model::{EditId, NoticeId, WindowId};
use crate::net::DownloadId;

/// What the person asked for. Drawing only emits these; the viewer carries them out before the next
/// frame.
#[derive(Clone, Debug, PartialEq)]
pub enum Command {
    /// Show a table.
    OpenTable(String),
    /// The next order of a column: ascending, descending, none.
    CycleSort {
        /// The column's name.
        column: String,
        /// Keep the other sort columns.
        add: bool,
    },
    /// Filter by a column; an empty text removes its filter.
    SetFilter {
        /// The column's name.
        column: String,
        /// What was typed; it has been checked.
        text: String,
    },
    /// Look for words; an empty text looks for none.
    Search(String),
    /// Show the values of a column with their counts, or no column's.
    ShowFacet(Option<String>),
    /// Show more values of the column whose values are shown.
    MoreFacetValues,
    /// Show a total of a column, or none.
    SetTotal {
        /// The column's name.
        column: String,
        /// Which; `None` for none.
        op: Option<AggregateOp>,
    },
    /// Group the rows by these columns; by none to show them one by one.
    GroupBy(Vec<String>),
    /// The next order of the groups by one of their columns.
    OrderGroups(GroupSortBy),
    /// Show a group's rows, or hide them.
    ToggleGroup {
        /// The group's key.
        key: Vec<Value>,
        /// Where it is among the groups.
        position: u64,
    },
    /// Sort by one column alone.
    SortBy {
        /// The column's name.
        column: String,
        /// The largest first.
        descending: bool,
    },
    /// Show a column, or hide it.
    ShowColumn {
        /// The column's name.
        column: String,
        /// Whether it is to be shown.
        is_shown: bool,
    },
    /// Move a column.
    MoveColumn {
        /// The column's name.
        column: String,
        /// The column in front of which it is to be; behind all others without one.
        before: Option<String>,
    },
    /// Show all columns, as the table has them.
    ResetColumns,
    /// Remove the filters of all columns.
    ClearFilters,
    /// Show the table in its key's order.
    ClearSort,
    /// Save all rows of the view as a file.
    Export(ExportFormat),
    /// Stop saving a file, or take it off the screen.
    DismissDownload(DownloadId),
    /// Create the index that is suggested for the view; only for administrators.
    CreateIndex {
        /// The server's admin token.
        token: Secret,
    },
    /// Stop the creation of an index.
    CancelIndex,
    /// Forget what became of an index.
    DismissIndex,
    /// Open a view although that takes long.
    OpenAnyway,
    /// Return from rows that cannot be shown to the first ones.
    ReturnToTop,
    /// Change a cell.
    Edit {
        /// The window it was changed in.
        window: WindowId,
        /// The row's primary key.
        key: Vec<Value>,
        /// The column's name.
        column: String,
        /// What it showed when the editing began.
        seen: Value,
        /// The new value.
        value: Value,
    },
    /// Settle a conflict: write mine over theirs.
    KeepMine(EditId),
    /// Settle a conflict or an unconfirmed edit: drop mine.
    KeepTheirs(EditId),
    /// Send an unconfirmed edit again.
    Resend(EditId),
    /// Take a notice off the screen.
    DismissNotice(NoticeId),
    /// Scroll to a row and select it.
    GoToRow(u64),
    /// Show or hide the box that asks for a row number.
    ShowGoTo(bool),
    /// Light, dark, or as the system is.
    SetTheme(ThemePreference),
    /// Connect now instead of at the next attempt.
    ReconnectNow,
}

/// What must not be written to a log.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(pub String);

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Secret")
    }
}
