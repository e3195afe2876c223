//! The only place that runs SQL.
//!
//! It never decides what to ask or when; it turns questions into statements and rows into types.

pub mod advice;
pub mod asks;
pub mod attendance;
pub mod bounded;
pub mod build_index;
pub mod catalog;
pub mod charting;
pub mod constants;
pub mod decode;
pub mod edit;
pub mod explain;
pub mod export;
pub mod images;
pub mod indexes;
pub mod keyset;
pub mod log;
pub mod polls;
pub mod pool;
pub mod query;
pub mod relative;
pub mod rows;
pub mod search;
pub mod seek;
pub mod summaries;
pub mod timeouts;
mod wire;
pub mod write;
