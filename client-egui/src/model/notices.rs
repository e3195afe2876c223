//! Messages for the person in front of the screen.

use std::collections::VecDeque;

/// The most notices kept; the oldest goes first.
const NOTICES_MAX: usize = 50;

/// Names a notice until it is dismissed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct NoticeId(u64);

/// Something the person should know.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Notice {
    /// To dismiss it by.
    pub id: NoticeId,
    /// What happened and what to do, in whole sentences.
    pub text: String,
    /// What the person had typed, where the notice is about an edit that was not written: nothing
    /// typed is lost.
    pub typed: Option<String>,
}

/// The notices not dismissed yet, oldest first.
#[derive(Debug, Default)]
pub(super) struct Notices {
    list: VecDeque<Notice>,
    next: u64,
}

impl Notices {
    pub(super) fn push(&mut self, text: String, typed: Option<String>) {
        if self.list.len() == NOTICES_MAX {
            self.list.pop_front();
        }
        self.list.push_back(Notice {
            id: NoticeId(self.next),
            text,
            typed,
        });
        self.next += 1;
    }

    pub(super) fn dismiss(&mut self, id: NoticeId) {
        self.list.retain(|notice| notice.id != id);
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Notice> {
        self.list.iter()
    }
}
