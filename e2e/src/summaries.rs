//! A summary as a client holds it. Written from the protocol's documentation alone.

use protocol::{
    AckSummary, ClientMsg, RowOp, ServerMsg, Summarize, Summarized, SummaryUpdate, Value, Version,
};

use crate::RawSocket;
use crate::eventually::SOON;

/// A group: its key and its cells.
pub type Group = (Vec<Value>, Vec<Value>);

/// What a client holds of a summary.
#[derive(Clone, Debug, Default)]
pub struct SummaryReplica {
    /// The version; `None` before the first message.
    pub version: Option<Version>,
    /// The last message's number.
    pub number: u64,
    /// The newest generation that a message named.
    pub generation: u32,
    /// The position of the first group shown.
    pub start: u64,
    /// Groups in all.
    pub groups: u64,
    /// Rows in all groups.
    pub rows: u64,
    /// Rows in the groups that are not shown.
    pub rest: u64,
    /// The groups shown.
    pub shown: Vec<Group>,
}

impl SummaryReplica {
    /// Applies a message.
    ///
    /// # Errors
    /// If it does not fit what is held.
    pub fn apply(&mut self, update: SummaryUpdate) -> Result<(), String> {
        if update.number != self.number + 1 {
            return Err(format!("message {} follows {}", update.number, self.number));
        }
        if update.from.is_some() && update.from != self.version {
            return Err(format!("from {:?} at {:?}", update.from, self.version));
        }
        let before = if update.from.is_some() {
            std::mem::take(&mut self.shown)
        } else {
            Vec::new()
        };
        let at = |index: u32| {
            before
                .get(index as usize)
                .ok_or("a group not held")
                .cloned()
        };
        let mut shown = Vec::new();
        for op in update.shown {
            match op {
                RowOp::Keep { from, count } => {
                    for index in from..from + count {
                        shown.push(at(index)?);
                    }
                }
                RowOp::Patch { from, cells } => {
                    let mut group = at(from)?;
                    for (cell, value) in cells {
                        group.1[cell as usize] = value;
                    }
                    shown.push(group);
                }
                RowOp::Row(row) => shown.push((row.key, row.cells)),
            }
        }
        *self = Self {
            version: Some(update.to),
            number: update.number,
            generation: update.generation,
            start: update.start,
            groups: update.groups,
            rows: update.rows,
            rest: update.rest,
            shown,
        };
        Ok(())
    }

    /// The groups as texts: keys, a colon, cells; `NULL` is `∅`.
    pub fn texts(&self) -> Vec<String> {
        let text = |value: &Value| value.to_postgres_text().unwrap_or_else(|| "∅".to_owned());
        let list = |values: &[Value]| values.iter().map(text).collect::<Vec<_>>().join(" ");
        let group = |(key, cells): &Group| format!("{}: {}", list(key), list(cells));
        self.shown.iter().map(group).collect()
    }
}

/// A socket that shows one summary.
#[derive(Debug)]
pub struct SummaryViewer {
    /// The socket.
    pub socket: RawSocket,
    /// What it shows.
    pub replica: SummaryReplica,
    /// What the keys and the values are.
    pub told: Option<Summarized>,
}

impl SummaryViewer {
    /// Asks for a summary, given as JSON, and waits for it.
    ///
    /// # Panics
    /// If it is refused.
    pub async fn open(url: &str, asked: &str) -> Self {
        let mut viewer = Self {
            socket: RawSocket::connect(url).await,
            replica: SummaryReplica::default(),
            told: None,
        };
        let asked: Summarize =
            serde_json::from_str(asked).unwrap_or_else(|e| panic!("{asked}: {e}"));
        viewer
            .socket
            .send(&ClientMsg::Summarize(Box::new(asked)))
            .await;
        viewer
            .until("the first groups", |replica| replica.version.is_some())
            .await;
        viewer
    }

    /// Applies messages until the condition holds.
    ///
    /// # Panics
    /// If the summary is refused, or no more messages come.
    pub async fn until(&mut self, what: &str, is: impl Fn(&SummaryReplica) -> bool) {
        while !is(&self.replica) {
            let message = self.socket.expect(what, |message| {
                let kinds = (
                    matches!(message, ServerMsg::Summary(_) | ServerMsg::Summarized(_)),
                    matches!(message, ServerMsg::SummaryRefused(_) | ServerMsg::Error(_)),
                );
                kinds.0 || kinds.1
            });
            match message.await {
                ServerMsg::Summarized(told) => {
                    self.told = Some(told);
                }
                ServerMsg::Summary(update) => {
                    let (summary, number) = (update.summary, update.number);
                    self.replica.apply(update).unwrap();
                    let ack = AckSummary { summary, number };
                    self.socket.send(&ClientMsg::AckSummary(ack)).await;
                }
                other => panic!("waiting for {what}: {other:?}"),
            }
        }
    }

    /// Waits until the groups are these.
    ///
    /// # Panics
    /// If they do not come in time.
    pub async fn shows(&mut self, expected: &[&str]) {
        let is_shown = |replica: &SummaryReplica| replica.texts() == expected;
        let patience = tokio::time::timeout(SOON * 2 / 3, self.until("groups", is_shown));
        if patience.await.is_err() {
            panic!("{:#?} is shown and not {expected:#?}", self.replica.texts());
        }
    }
}
