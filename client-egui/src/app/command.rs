//! What the person asked for.

use egui::ThemePreference;
use protocol::Value;

use crate::model::{EditId, NoticeId};

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
    /// Remove the filters of all columns.
    ClearFilters,
    /// Show the table in its key's order.
    ClearSort,
    /// Open a view although that takes long.
    OpenAnyway,
    /// Return from rows that cannot be shown to the first ones.
    ReturnToTop,
    /// Change a cell.
    Edit {
        /// The row's primary key.
        key: Vec<Value>,
        /// The column's name.
        column: String,
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
