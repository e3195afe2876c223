//! All edits that are not settled yet.

use std::collections::BTreeMap;
use std::time::Duration;

use protocol::{EditOutcome, EditResult, ErrorCode, Value};
use web_time::Instant;

use super::{Edit, EditId, EditPhase, EditRefused, WindowCache, WindowId};

/// The most edits that are not settled.
pub(super) const EDITS_MAX: usize = 256;

/// The most edits that are sent and not answered. Servers refuse more than 64 of a socket.
const SENT_MAX: usize = 32;

/// How long to wait for the answer to an edit while the connection lives.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(30);

/// How long a committed edit is shown before the update that contains it. Only an update that never
/// names the edit (its window was opened anew since) lets it come to that.
const SHOW_TIMEOUT: Duration = Duration::from_secs(5);

/// Something to tell the person about an edit that was not written.
#[derive(Debug, PartialEq)]
pub(super) struct NotWritten {
    pub(super) text: String,
    pub(super) typed: String,
}

/// All edits that are not settled yet: at most one per cell.
#[derive(Debug, Default)]
pub(super) struct EditBook {
    edits: BTreeMap<EditId, Edit>,
    last_id: u64,
    last_wire_id: protocol::EditId,
}

impl EditBook {
    pub(super) fn iter(&self) -> impl Iterator<Item = &Edit> {
        self.edits.values()
    }

    pub(super) fn of_cell(&self, window: WindowId, key: &[Value], column: &str) -> Option<&Edit> {
        let is_of_cell =
            |edit: &&Edit| edit.window == window && edit.column == column && edit.key == key;
        self.edits.values().find(is_of_cell)
    }

    /// Notes an edit of a cell that holds `held`.
    pub(super) fn make(
        &mut self,
        window: WindowId,
        key: &[Value],
        column: &str,
        held: Value,
        mine: Value,
    ) -> Result<EditId, EditRefused> {
        if let Some(id) = self.of_cell(window, key, column).map(Edit::id) {
            return self.make_again(id, mine);
        }
        if mine == held {
            return Err(EditRefused::Unchanged);
        }
        if self.edits.len() >= EDITS_MAX {
            return Err(EditRefused::TooMany(EDITS_MAX));
        }
        self.last_id += 1;
        let id = EditId(self.last_id);
        self.edits.insert(
            id,
            Edit {
                id,
                window,
                key: key.to_vec(),
                column: column.to_owned(),
                expected: held,
                mine,
                next: None,
                phase: EditPhase::Queued,
                wire_id: None,
                give_up_at: None,
            },
        );
        Ok(id)
    }

    fn make_again(&mut self, id: EditId, mine: Value) -> Result<EditId, EditRefused> {
        let Some(edit) = self.edits.get_mut(&id) else {
            return Err(EditRefused::RowNotHeld);
        };
        match edit.phase {
            EditPhase::Conflict { .. } | EditPhase::Unconfirmed => {
                return Err(EditRefused::Unsettled);
            }
            EditPhase::Queued if mine == edit.expected => {
                // Typed back before it was sent: nothing is left to write.
                self.edits.remove(&id);
            }
            EditPhase::Queued => edit.mine = mine,
            EditPhase::Sent | EditPhase::Applied => {
                edit.next = (mine != edit.mine).then_some(mine);
            }
        }
        Ok(id)
    }

    /// The edits of a window that wait to be sent, now counted as sent.
    pub(super) fn send(
        &mut self,
        window: WindowId,
        wire_window: protocol::WindowId,
        now: Instant,
    ) -> Vec<protocol::Edit> {
        let is_queued = |edit: &&mut Edit| edit.window == window && edit.phase == EditPhase::Queued;
        let is_sent = |edit: &&Edit| edit.phase == EditPhase::Sent;
        let room = SENT_MAX.saturating_sub(self.edits.values().filter(is_sent).count());
        let mut messages = Vec::new();
        for edit in self.edits.values_mut().filter(is_queued).take(room) {
            self.last_wire_id += 1;
            edit.phase = EditPhase::Sent;
            edit.wire_id = Some(self.last_wire_id);
            edit.give_up_at = Some(now + ANSWER_TIMEOUT);
            messages.push(protocol::Edit {
                id: self.last_wire_id,
                window: wire_window,
                key: edit.key.clone(),
                column: edit.column.clone(),
                expected: edit.expected.clone(),
                value: edit.mine.clone(),
            });
        }
        messages
    }

    /// Takes in the answer to an edit.
    pub(super) fn answered(&mut self, result: EditResult, now: Instant) -> Option<NotWritten> {
        let answers = |edit: &&mut Edit| edit.wire_id == Some(result.id);
        // An edit that an update has shown already is settled: its answer says nothing new.
        let edit = self.edits.values_mut().find(answers)?;
        let id = edit.id;
        match result.outcome {
            EditOutcome::Applied => {
                edit.phase = EditPhase::Applied;
                edit.give_up_at = Some(now + SHOW_TIMEOUT);
                None
            }
            EditOutcome::Conflict { theirs } => {
                edit.mine = edit.mine().clone();
                edit.next = None;
                if theirs == edit.mine {
                    self.edits.remove(&id);
                } else {
                    edit.rest(EditPhase::Conflict { theirs });
                }
                None
            }
            EditOutcome::Gone => {
                let edit = self.edits.remove(&id)?;
                let text = format!(
                    "“{}” was not saved: the row was deleted in the meantime.",
                    edit.column
                );
                Some(NotWritten {
                    text,
                    typed: edit.typed(),
                })
            }
            EditOutcome::Rejected { code, message } => {
                let typed = edit.typed();
                let text = rejected(&edit.column, code, &message);
                if edit.next.is_some() {
                    let expected = std::mem::take(&mut edit.expected);
                    edit.queue(expected);
                } else {
                    self.edits.remove(&id);
                }
                Some(NotWritten { text, typed })
            }
        }
    }

    /// Looks at a window's new rows: settles what they show. `contained` are the edits that the update
    /// says it contains.
    pub(super) fn shown(
        &mut self,
        window: WindowId,
        cache: &WindowCache,
        contained: &[protocol::EditId],
    ) {
        self.edits.retain(|_, edit| {
            if edit.window != window {
                return true;
            }
            let cell = cache.cell(&edit.key, &edit.column);
            let is_contained = edit.wire_id.is_some_and(|id| contained.contains(&id));
            let shows_mine = cell == Some(&edit.mine);
            let is_written = match edit.phase {
                EditPhase::Queued => false,
                EditPhase::Sent => is_contained,
                EditPhase::Applied => is_contained || shows_mine,
                EditPhase::Conflict { .. } => cell == Some(edit.mine()),
                EditPhase::Unconfirmed => shows_mine,
            };
            !is_written || edit.go_on(cell)
        });
    }

    /// The socket is gone: what was sent may or may not have been written.
    pub(super) fn lost(&mut self) {
        for edit in self.edits.values_mut() {
            edit.lost();
        }
    }

    /// The same for one window, which the server says it does not know.
    pub(super) fn lost_in(&mut self, window: WindowId) {
        for edit in self.edits.values_mut().filter(|edit| edit.window == window) {
            edit.lost();
        }
    }

    /// Gives up waiting where the time has come. `cell` tells what a cell holds now.
    pub(super) fn give_up<'a>(&mut self, now: Instant, cell: impl Fn(&Edit) -> Option<&'a Value>) {
        self.edits.retain(|_, edit| {
            if edit.give_up_at.is_none_or(|at| now < at) {
                return true;
            }
            if edit.phase == EditPhase::Applied {
                return edit.go_on(cell(edit));
            }
            edit.rest(EditPhase::Unconfirmed);
            true
        });
    }

    pub(super) fn next_deadline(&self) -> Option<Instant> {
        self.edits.values().filter_map(|edit| edit.give_up_at).min()
    }

    /// Writes mine over theirs.
    pub(super) fn keep_mine(&mut self, id: EditId) {
        if let Some(edit) = self.edits.get_mut(&id)
            && let EditPhase::Conflict { theirs } = &edit.phase
        {
            let expected = theirs.clone();
            edit.queue(expected);
        }
    }

    /// Drops mine.
    pub(super) fn take_theirs(&mut self, id: EditId) {
        if self
            .edits
            .get(&id)
            .is_some_and(|edit| !edit.is_on_its_way())
        {
            self.edits.remove(&id);
        }
    }

    /// Sends an unconfirmed edit again, if its cell is held.
    pub(super) fn retry(&mut self, id: EditId, held: Option<&Value>) {
        if let Some(edit) = self.edits.get_mut(&id)
            && edit.phase == EditPhase::Unconfirmed
        {
            let expected = held.cloned().unwrap_or(std::mem::take(&mut edit.expected));
            edit.queue(expected);
        }
    }

    pub(super) fn get(&self, id: EditId) -> Option<&Edit> {
        self.edits.get(&id)
    }

    /// Forgets a closed window's edits; what was not written, or may not have been, is returned.
    pub(super) fn close(&mut self, window: WindowId) -> Vec<NotWritten> {
        let mut not_written = Vec::new();
        self.edits.retain(|_, edit| {
            if edit.window != window {
                return true;
            }
            let why = match &edit.phase {
                EditPhase::Applied if edit.next.is_none() => return false,
                EditPhase::Sent | EditPhase::Unconfirmed => "may not have been saved",
                _ => "was not saved",
            };
            let text = format!("“{}” {why}: its table was closed first.", edit.column);
            not_written.push(NotWritten {
                text,
                typed: edit.typed(),
            });
            false
        });
        not_written
    }
}

impl Edit {
    fn lost(&mut self) {
        match self.phase {
            EditPhase::Sent => self.rest(EditPhase::Unconfirmed),
            // Its number means nothing on another socket; the cell will tell.
            EditPhase::Applied => self.wire_id = None,
            EditPhase::Queued | EditPhase::Conflict { .. } | EditPhase::Unconfirmed => {}
        }
    }

    /// `mine` is written, and `cell` is what the database holds since. Goes on to what was typed
    /// meanwhile; returns whether anything is left to do.
    fn go_on(&mut self, cell: Option<&Value>) -> bool {
        let Some(next) = &self.next else { return false };
        match cell {
            Some(cell) if cell == next => return false,
            Some(cell) if !is_written_as(&self.mine, cell) => {
                let theirs = cell.clone();
                self.mine = self.mine().clone();
                self.next = None;
                self.rest(EditPhase::Conflict { theirs });
            }
            Some(cell) => self.queue(cell.clone()),
            None => {
                let expected = self.mine.clone();
                self.queue(expected);
            }
        }
        true
    }
}

/// Whether PostgreSQL may have written `held` for `mine`: equal but for spaces and closing zeros.
fn is_written_as(mine: &Value, held: &Value) -> bool {
    let plain = |value: &Value| {
        let text: String = value
            .to_string()
            .chars()
            .filter(|c| !c.is_whitespace())
            .collect();
        match text.contains('.') {
            true => text.trim_end_matches('0').trim_end_matches('.').to_owned(),
            false => text,
        }
    };
    mine == held || (mine.is_null() == held.is_null() && plain(mine) == plain(held))
}

fn rejected(column: &str, code: ErrorCode, message: &str) -> String {
    let message = message.trim_end_matches('.');
    match code {
        ErrorCode::RateLimited => {
            format!(
                "“{column}” was not saved: too many edits at once. Wait a moment, then repeat it."
            )
        }
        ErrorCode::DatabaseUnavailable => format!(
            "“{column}” was not saved: the database cannot be reached. Repeat it when the badge says live."
        ),
        _ => format!("“{column}” was not saved: {message}."),
    }
}
