//! Summaries: rows grouped and aggregated, kept by the changes alone.
//!
//! A [`SummaryIndex`] holds every group of a view's rows. It is built from one `GROUP BY` query and then
//! follows the batches as a [`ViewIndex`](crate::ViewIndex) does: every side adds one row to its group or
//! takes one away, and is skipped where the query has seen it. Counts and sums stay exact that way, whatever
//! the order of the sides. A least or greatest value can be lost when it goes; then the index names a
//! [`Doubt`], and PostgreSQL is asked about that group only.
//!
//! Read in this order: [`shape`] (what a summary computes), `group` (one group's accounts), [`index`] (all
//! groups in their order), [`shown`] (what one client is sent).

mod exact;
mod extreme;
mod group;
pub mod index;
pub mod nice;
mod ranking;
pub mod shape;
pub mod shown;

pub use exact::ExactSum;
pub use index::{Doubt, Settled, SummaryError, SummaryIndex};
pub use shape::{
    Account, BuiltAccount, BuiltGroup, GroupColumn, Numbers, Output, Scale, Shape, Term, TermOf,
};
pub use shown::ShownGroups;
