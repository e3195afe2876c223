//! The words that a table is searched for, and what is being typed.

use std::time::Duration;

use web_time::Instant;

/// How long after the last keystroke a search applies by itself.
const SETTLE: Duration = Duration::from_millis(300);

/// The most characters of a search that a server takes.
pub(crate) const SEARCH_CHARS_MAX: usize = 200;

/// The words that a table is searched for, and what is being typed.
#[derive(Clone, Debug, Default)]
pub struct SearchField {
    pub(crate) text: String,
    applied: String,
    typed_at: Option<Instant>,
}

impl SearchField {
    /// A field that says `text`, which applies.
    pub fn new(text: String) -> Self {
        Self {
            applied: text.clone(),
            text,
            typed_at: None,
        }
    }

    /// What is looked for; empty for nothing.
    pub fn applied(&self) -> &str {
        &self.applied
    }

    /// Looks for `text` from now on.
    pub(super) fn set(&mut self, text: String) {
        // What was typed since is newer.
        if self.typed_at.is_none() {
            self.text.clone_from(&text);
        }
        self.applied = text;
    }

    /// Something was typed: it applies by itself after a pause.
    pub(crate) fn typed(&mut self, now: Instant) {
        self.typed_at = Some(now);
    }

    /// How long until what was typed applies by itself; `None` if nothing is waiting.
    pub(crate) fn waits(&self, now: Instant) -> Option<Duration> {
        let typed_at = self.typed_at?;
        Some(SETTLE.saturating_sub(now.saturating_duration_since(typed_at)))
    }

    /// What was typed, to be applied now; `None` if it applies already.
    pub(crate) fn take(&mut self) -> Option<String> {
        self.typed_at = None;
        (self.text.trim() != self.applied.trim()).then(|| self.text.clone())
    }
}
