//! The socket: one [`Connection`] natively (tokio-tungstenite on a thread of its own) and in the
//! browser, a [`Link`] that keeps one open for as long as the viewer runs, and a [`Driver`] that joins
//! a link with a [`Model`](crate::model::Model). [`Downloads`] saves files of the same server over HTTP.

mod backoff;
mod clock;
#[cfg_attr(target_arch = "wasm32", path = "connection_web.rs")]
#[cfg_attr(not(target_arch = "wasm32"), path = "connection_native.rs")]
mod connection;
mod download;
#[cfg_attr(target_arch = "wasm32", path = "downloads_web.rs")]
#[cfg_attr(not(target_arch = "wasm32"), path = "downloads_native.rs")]
mod downloads;
mod driver;
#[cfg(not(target_arch = "wasm32"))]
mod headless;
mod limits;
mod link;
mod random;
mod socket_event;
mod supervisor;
#[cfg(target_arch = "wasm32")]
mod web_signals;

pub use clock::Now;
pub use connection::Connection;
pub use download::{Download, DownloadId, DownloadState};
pub use downloads::Downloads;
pub use driver::Driver;
#[cfg(not(target_arch = "wasm32"))]
pub use headless::{Headless, HeadlessError};
pub use link::Link;
pub use socket_event::{CODE_ABNORMAL, CODE_UNREADABLE, SendError, SocketEvent};
