//! Every bound of the network code, with its unit.

use std::time::Duration;

/// Messages that wait to be sent on one socket.
#[cfg(not(target_arch = "wasm32"))]
pub(super) const OUTGOING_MESSAGES_MAX: usize = 256;

/// Messages that wait for a place in that queue; beyond it the server is taken for dead.
pub(super) const BACKLOG_MESSAGES_MAX: usize = 4_096;

/// Events that wait to be taken in. Natively a full queue stops the reading from the socket; in the
/// browser, where nothing can, it closes the socket. Acknowledgements keep it far from that.
pub(super) const INCOMING_EVENTS_MAX: usize = 1_024;

/// Events taken in at one go, so that the screen is drawn in between.
pub(super) const EVENTS_PER_PUMP_MAX: usize = 512;

/// The largest message taken from a server, in bytes.
#[cfg(not(target_arch = "wasm32"))]
pub(super) const MESSAGE_BYTES_MAX: usize = 16 << 20;

/// Bytes that the browser may hold for sending before the socket counts as full.
#[cfg(target_arch = "wasm32")]
pub(super) const BUFFERED_BYTES_MAX: u32 = 1 << 20;

/// How long opening a socket, up to the server's `hello`, may take.
pub(super) const OPENING_MAX: Duration = Duration::from_secs(15);

/// How long a socket may take to say goodbye before it is dropped.
#[cfg(not(target_arch = "wasm32"))]
pub(super) const CLOSING_MAX: Duration = Duration::from_secs(1);

/// The shortest wait before a reconnect, before jitter.
pub(super) const BACKOFF_FIRST: Duration = Duration::from_millis(250);

/// The longest wait before a reconnect.
pub(super) const BACKOFF_LONGEST: Duration = Duration::from_secs(15);

/// By how much the wall clock must run ahead of the steady one to tell that the computer slept.
pub(super) const SLEEP_LEAST: Duration = Duration::from_secs(5);

/// Files that are saved at once. A server gives one client no more.
#[cfg(not(target_arch = "wasm32"))]
pub(super) const DOWNLOADS_MAX: usize = 2;

/// The person is told how far a file is after this many bytes more.
#[cfg(not(target_arch = "wasm32"))]
pub(super) const DOWNLOAD_STEP_BYTES: u64 = 256 << 10;

/// The most bytes read of a server's reason why it sends no file.
#[cfg(not(target_arch = "wasm32"))]
pub(super) const PROBLEM_BYTES_MAX: usize = 64 << 10;
