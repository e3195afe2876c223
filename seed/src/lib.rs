//! Fills the demo's tables with realistic rows ([`run`]) and keeps them changing ([`churn`]).
//!
//! Rows are made from the seed and their number alone, so the same seed gives the same rows, in
//! whatever chunks they are written; they are written by COPY, one committed chunk after the other,
//! so an interrupted run continues where it stopped.

mod calendar;
mod catalogue;
pub mod churn;
mod copy_text;
mod dice;
mod load;
mod people;
mod product;
mod progress;
mod run;
mod visit;

pub use calendar::parse_date;
pub use progress::Report;
pub use run::{Error, Options, Outcome, run};
