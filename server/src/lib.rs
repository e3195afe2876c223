//! Rowcast's server: from PostgreSQL's change log to every client's window.
//!
//! The folders are the stages a change passes: [`changes`] reads the log, [`fanout`] hands batches to
//! the tables, [`views`] keep their order and rows up to date, [`session`] speaks to clients. [`db`]
//! runs all SQL; [`http`] is everything that is not a socket. [`mod@start`] puts them together.

pub mod admin;
pub mod app;
pub mod changes;
pub mod config;
pub mod db;
pub mod fanout;
pub mod http;
pub mod limits;
pub mod postgres_keeper;
pub mod router;
pub mod session;
pub mod shutdown;
pub mod start;
pub mod views;

pub use config::Config;
pub use start::{Database, Demo, RunningServer, ServerOptions, StartError, start};
