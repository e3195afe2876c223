//! The SQL that Rowcast installs, embedded: the change log, which goes into any database
//! ([`install_engine`]), and the demo's tables ([`install_demo`]).
//!
//! All of it can be run by several servers at once and any number of times. The rules for changing
//! the SQL are in this crate's `README.md`.

mod error;
mod install;
mod preview;
mod uninstall;
mod watch;

pub use error::Error;
pub use install::{Installed, install_demo, install_engine};
pub use preview::{Preview, preview_uninstall, preview_unwatch, preview_watch};
pub use uninstall::uninstall;
pub use watch::{reconcile, unwatch, watch};
