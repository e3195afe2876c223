//! The harness of the end-to-end tests: real PostgreSQL, real Redis, real servers, a real browser.
//!
//! Every port, folder, database and process is the test's own and goes with it, so tests run side by
//! side and beside a user's own servers. Nothing is skipped: what is missing on the machine is an
//! error that says what to install.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

pub mod browser;
pub mod events;
pub mod eventually;
pub mod http;
pub mod ports;
pub mod postgres;
pub mod proxy;
pub mod redis_server;
pub mod server;
pub mod set_clock;
pub mod socket;
pub mod summaries;
pub mod viewing;

pub use browser::Browser;
pub use eventually::eventually;
pub use postgres::{Cluster, TestDatabase};
pub use proxy::TcpProxy;
pub use redis_server::TestRedis;
pub use server::{ServerProcess, TestServer};
pub use set_clock::SetClock;
pub use socket::RawSocket;
