//! A model joined with a link.

use protocol::Encoding;
use web_time::Instant;

use super::limits::{BACKLOG_MESSAGES_MAX, EVENTS_PER_PUMP_MAX};
use super::{Link, Now, SendError};
use crate::model::{Model, WindowId};

/// A [`Model`] joined with a [`Link`] that keeps it connected.
#[derive(Debug)]
pub struct Driver {
    model: Model,
    link: Link,
}

impl Driver {
    /// Starts connecting to `url` (`ws://…` or `wss://…`). `wake` is called, from any thread, after
    /// something has arrived that [`pump`](Self::pump) should take in: let it request a repaint.
    pub fn connect(
        url: impl Into<String>,
        encoding: Encoding,
        now: Now,
        wake: impl Fn() + Send + Sync + 'static,
    ) -> Self {
        let link = Link::new(url, encoding, now, wake);
        let mut driver = Self {
            model: Model::new(now.steady),
            link,
        };
        driver.pump(now);
        driver
    }

    /// Takes in what has arrived, lets time pass, sends what is to be sent. Never blocks. Call it when
    /// woken, after every use of [`model_mut`](Self::model_mut) and at the latest at the returned
    /// time.
    pub fn pump(&mut self, now: Now) -> Instant {
        self.pump_with(now, |_, _| {})
    }

    /// Like [`pump`](Self::pump); `applied` sees every single version of every window, as soon as it
    /// has been applied.
    pub fn pump_with(&mut self, now: Now, mut applied: impl FnMut(WindowId, &Model)) -> Instant {
        for _ in 0..EVENTS_PER_PUMP_MAX {
            let Some(event) = self.link.poll(now) else {
                self.model.tick(now.steady);
                self.flush(now);
                let deadline = self.link.next_deadline();
                return self
                    .model
                    .next_deadline()
                    .map_or(deadline, |model| model.min(deadline));
            };
            if let Some(window) = self.model.handle(event, now.steady) {
                applied(window, &self.model);
            }
            // At once, not after the whole batch: an acknowledgement asks for the next update.
            self.flush(now);
        }
        now.steady
    }

    fn flush(&mut self, now: Now) {
        while self.link.has_room() {
            let Some(message) = self.model.pop_outgoing() else {
                return;
            };
            match self.link.send(message) {
                Ok(()) => {}
                // Its `Closed` event is on the way and resets the model.
                Err(SendError::Closed | SendError::Full) => return,
            }
        }
        if self.model.outgoing_len() > BACKLOG_MESSAGES_MAX {
            let lost = self.link.reset(&SendError::Full.to_string(), now);
            self.model.handle(lost, now.steady);
        }
    }

    /// What the viewer knows.
    pub fn model(&self) -> &Model {
        &self.model
    }

    /// For the person's actions; [`pump`](Self::pump) afterwards sends what they ask for.
    pub fn model_mut(&mut self) -> &mut Model {
        &mut self.model
    }

    /// Tries to connect at once instead of waiting for the next attempt.
    pub fn retry_now(&mut self, now: Now) {
        self.link.hurry(now);
    }
}
