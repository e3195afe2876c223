//! A connection that is kept open for as long as the viewer runs.

use std::fmt;
use std::sync::Arc;

use protocol::{ClientMsg, Encoding, ServerMsg};
use web_time::Instant;

use super::supervisor::{Action, Supervisor};
use super::{Connection, Now, SendError, SocketEvent, random};
use crate::model::LinkEvent;

/// A connection that is kept open for as long as the viewer runs: reopened with backoff when it is
/// lost, given up when the server falls silent for two heartbeats or the computer slept.
pub struct Link {
    url: String,
    encoding: Encoding,
    wake: Arc<dyn Fn() + Send + Sync>,
    connection: Option<Connection>,
    supervisor: Supervisor,
    #[cfg(target_arch = "wasm32")]
    signals: super::web_signals::WebSignals,
}

impl Link {
    /// A link to `url` (`ws://…` or `wss://…`) that opens its socket on the first
    /// [`poll`](Self::poll). `wake` is called, from any thread, when `poll` has something new.
    pub fn new(
        url: impl Into<String>,
        encoding: Encoding,
        now: Now,
        wake: impl Fn() + Send + Sync + 'static,
    ) -> Self {
        let wake: Arc<dyn Fn() + Send + Sync> = Arc::new(wake);
        Self {
            url: url.into(),
            encoding,
            #[cfg(target_arch = "wasm32")]
            signals: super::web_signals::WebSignals::listen(Arc::clone(&wake)),
            wake,
            connection: None,
            supervisor: Supervisor::new(now),
        }
    }

    /// The next event; `None` when nothing is left to do now.
    pub fn poll(&mut self, now: Now) -> Option<LinkEvent> {
        #[cfg(target_arch = "wasm32")]
        if self.signals.take() {
            self.supervisor.hurry(now.steady);
        }
        // What has arrived comes first: only then is silence silence.
        if let Some(event) = self.connection.as_mut().and_then(Connection::poll) {
            return Some(self.take_in(event, now));
        }
        match self.supervisor.tick(now) {
            Action::Nothing => None,
            Action::Open => {
                let wake = Arc::clone(&self.wake);
                self.connection = Some(Connection::open(&self.url, self.encoding, move || wake()));
                None
            }
            Action::Drop { reason } => Some(self.lost(reason.to_owned(), now)),
        }
    }

    fn take_in(&mut self, event: SocketEvent, now: Now) -> LinkEvent {
        match event {
            SocketEvent::Opened => LinkEvent::Connected,
            SocketEvent::Message {
                message,
                received_at,
            } => {
                if let ServerMsg::Hello(hello) = &message {
                    self.supervisor.greeted(hello, received_at);
                } else {
                    self.supervisor.heard(received_at);
                }
                LinkEvent::Message {
                    message,
                    received_at,
                }
            }
            SocketEvent::Closed { code, reason } => {
                log::info!("the connection to {} ended ({code}): {reason}", self.url);
                self.lost(reason, now)
            }
        }
    }

    fn lost(&mut self, reason: String, now: Now) -> LinkEvent {
        self.connection = None;
        let (attempt, retry_at) = self.supervisor.lost(now.steady, random::unit());
        LinkEvent::Lost {
            reason,
            attempt,
            retry_at,
        }
    }

    /// Gives the socket up, as if it had been lost; another is opened.
    pub fn reset(&mut self, reason: &str, now: Now) -> LinkEvent {
        self.lost(reason.to_owned(), now)
    }

    /// Whether [`send`](Self::send) would take a message.
    pub fn has_room(&self) -> bool {
        self.connection.as_ref().is_some_and(Connection::has_room)
    }

    /// Queues a message for sending.
    ///
    /// # Errors
    /// If the queue is full or no socket is open; the message is dropped.
    pub fn send(&mut self, message: ClientMsg) -> Result<(), SendError> {
        self.connection
            .as_mut()
            .ok_or(SendError::Closed)?
            .send(message)
    }

    /// Tries to connect at once instead of waiting for the next attempt.
    pub fn hurry(&mut self, now: Now) {
        self.supervisor.hurry(now.steady);
    }

    /// When [`poll`](Self::poll) must be called even if nothing wakes.
    pub fn next_deadline(&self) -> Instant {
        self.supervisor.next_deadline()
    }
}

impl fmt::Debug for Link {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Link")
            .field("url", &self.url)
            .field("supervisor", &self.supervisor)
            .finish_non_exhaustive()
    }
}
