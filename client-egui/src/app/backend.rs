//! What the viewer shows, and what keeps it up to date.

use web_time::Instant;

use crate::model::Model;
use crate::net::{Driver, Now};

/// What the viewer shows, and what keeps it up to date: a [`Driver`], or in tests a model alone.
pub trait Backend {
    /// Takes in what has arrived and sends what is to be sent. Never blocks. Returns when it has to
    /// be called again at the latest; `None` if only an event can change anything.
    fn pump(&mut self, now: Now) -> Option<Instant>;

    /// What is known.
    fn model(&self) -> &Model;

    /// For the person's actions.
    fn model_mut(&mut self) -> &mut Model;

    /// Connects at once instead of at the next attempt.
    fn retry_now(&mut self, now: Now);
}

impl Backend for Driver {
    fn pump(&mut self, now: Now) -> Option<Instant> {
        Some(Self::pump(self, now))
    }

    fn model(&self) -> &Model {
        Self::model(self)
    }

    fn model_mut(&mut self) -> &mut Model {
        Self::model_mut(self)
    }

    fn retry_now(&mut self, now: Now) {
        Self::retry_now(self, now);
    }
}
