//! How finely views are divided, and how much of them is held.

use view_index::Sizes;

use crate::limits::{COUNTED_AT_ONCE_MAX, FETCH_MARGIN, KEEP_MARGIN, RELEASE_SLACK};

/// How finely views are divided, and how much of them is held. No option of the program changes it; tests do,
/// so that a table of a hundred rows is counted, divided and let go of as one of ten million is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Division {
    /// Rows in a block.
    pub sizes: Sizes,
    /// See [`COUNTED_AT_ONCE_MAX`].
    pub counted_at_once_max: u64,
    /// See [`FETCH_MARGIN`].
    pub fetch_margin: u64,
    /// See [`KEEP_MARGIN`].
    pub keep_margin: u64,
    /// See [`RELEASE_SLACK`].
    pub release_slack: u64,
}

impl Default for Division {
    fn default() -> Self {
        Self {
            sizes: Sizes::default(),
            counted_at_once_max: COUNTED_AT_ONCE_MAX,
            fetch_margin: FETCH_MARGIN,
            keep_margin: KEEP_MARGIN,
            release_slack: RELEASE_SLACK as u64,
        }
    }
}
