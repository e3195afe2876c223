//! What serves a view, what opening it costs, and the index that would help.

use serde::{Deserialize, Serialize};

use crate::{ErrorCode, ViewSpec, WindowId};

/// What a window's view costs, and why. Sent after `opened`, and again when more is known.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Advice {
    /// The window.
    pub window: WindowId,
    /// What serves the view.
    pub served_by: ServedBy,
    /// What opening it costs, by PostgreSQL's estimate.
    pub cost: OpeningCost,
    /// What opening it took; `None` while it is being counted.
    pub measured: Option<MeasuredOpening>,
    /// An index that would serve it better; `None` if none would, or none is needed.
    pub suggestion: Option<IndexSuggestion>,
    /// What to expect of this view, if it is slow.
    pub warning: Option<String>,
}

/// What serves a view.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ServedBy {
    /// In one word.
    pub verdict: ServedVerdict,
    /// The indexes, by name; of a partitioned table one per partition.
    pub indexes: Vec<String>,
    /// What an index does not do for it, for people.
    pub note: Option<String>,
}

/// What serves a view, in one word.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ServedVerdict {
    /// So little is read that no index is needed.
    Small,
    /// An index delivers the rows in the view's order.
    Ordered,
    /// An index finds the view's few rows, which are then sorted.
    Found,
    /// No index: all rows of the table are read, or very many sorted.
    Unserved,
}

/// What opening a view costs, by PostgreSQL's estimate before anything is run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OpeningCost {
    /// Rows in the view.
    pub rows: u64,
    /// The cost of all its keys in order, in the planner's units.
    pub planner_cost: u64,
    /// That cost in milliseconds, by what earlier queries of this server took; good to a factor of a few.
    pub millis: u64,
    /// The same for people, such as `about 12 s`.
    pub in_words: String,
}

/// What opening a view took.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MeasuredOpening {
    /// From the first question to the exact total, in milliseconds.
    pub millis: u64,
    /// Rows counted.
    pub rows: u64,
    /// How, for people, such as `counted, and divided along products_price`.
    pub how: String,
}

/// An index that would serve a view.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct IndexSuggestion {
    /// Its name: always the same for the same index.
    pub name: String,
    /// What creates it: one statement, or for a partitioned table several, separated by semicolons.
    pub sql: String,
    /// What it does for the view, for people.
    pub why: String,
}

/// Creates the index that [`Advice`] suggests for a view; answered by [`IndexProgress`] until it is done.
/// For administrators only.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CreateIndex {
    /// Chosen by the client, not in use on this socket; echoed in the answers.
    pub id: u64,
    /// The view that the index is to serve.
    pub view: ViewSpec,
    /// The suggestion's name: nothing else than what was shown is created.
    pub name: String,
    /// The server's admin token.
    pub token: String,
}

/// The token is a secret.
impl std::fmt::Debug for CreateIndex {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("CreateIndex")
            .field("id", &self.id)
            .field("view", &self.view)
            .field("name", &self.name)
            .finish_non_exhaustive()
    }
}

/// Stops the creation of an index; nothing of it is left.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CancelIndex {
    /// The [`CreateIndex`] to stop.
    pub id: u64,
}

/// How far the creation of an index is. The last one for an id is `done` or `failed`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct IndexProgress {
    /// The [`CreateIndex`] it answers.
    pub id: u64,
    /// How far.
    pub state: IndexState,
}

/// How far the creation of an index is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum IndexState {
    /// It goes on.
    Running {
        /// What PostgreSQL is doing, in its words, such as `building index: scanning table`.
        phase: String,
        /// Steps done of this phase.
        done: u64,
        /// Steps of this phase; 0 if it has none.
        total: u64,
    },
    /// The index is there.
    Done {
        /// How long it took, in milliseconds.
        millis: u64,
    },
    /// It is not.
    Failed {
        /// Why, for programs.
        code: ErrorCode,
        /// Why, and what is left of it, for people.
        message: String,
    },
}
