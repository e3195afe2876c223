//! What requests share.

use std::sync::Arc;

use crate::http::export::Exports;
use crate::http::health::Health;
use crate::http::origin::OriginPolicy;
use crate::http::web_files::WebFiles;
use crate::session::handshake::Sessions;

/// What requests share. Each route takes the part it needs.
#[derive(Clone, Debug)]
pub struct App {
    /// How the server is.
    pub health: Arc<Health>,
    /// Which pages are served.
    pub origins: Arc<OriginPolicy>,
    /// Whole views as files.
    pub exports: Exports,
    /// The web viewer.
    pub web_files: Arc<WebFiles>,
    /// The sockets.
    pub sessions: Sessions,
}
