//! A summary as a client holds it. Written from the protocol's documentation alone.

use e2e::RawSocket;
use protocol::{
    AckSummary, ClientMsg, RowOp, ServerMsg, Summarize, Summarized, SummaryUpdate, Value, Version,
};

/// A group: its key and its cells.
pub(crate) type Group = (Vec<Value>, Vec<Value>);

#[derive(Clone, Debug, Default)]
pub(crate) struct Replica {
    pub(crate) version: Option<Version>,
    pub(crate) number: u64,
    pub(crate) generation: u32,
    pub(crate) start: u64,
    pub(crate) groups: u64,
    pub(crate) rows: u64,
    pub(crate) rest: u64,
    pub(crate) shown: Vec<Group>,
}

impl Replica {
    pub(crate) fn apply(&mut self, update: SummaryUpdate) -> Result<(), String> {
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
    pub(crate) fn texts(&self) -> Vec<String> {
        let text = |value: &Value| value.to_postgres_text().unwrap_or_else(|| "∅".to_owned());
        let list = |values: &[Value]| values.iter().map(text).collect::<Vec<_>>().join(" ");
        let group = |(key, cells): &Group| format!("{}: {}", list(key), list(cells));
        self.shown.iter().map(group).collect()
    }
}

/// A socket that shows one summary.
pub(crate) struct Viewer {
    pub(crate) socket: RawSocket,
    pub(crate) replica: Replica,
    pub(crate) told: Option<Summarized>,
}

impl Viewer {
    /// Asks for a summary, given as JSON, and waits for it.
    pub(crate) async fn open(url: &str, asked: &str) -> Self {
        let mut viewer = Self {
            socket: RawSocket::connect(url).await,
            replica: Replica::default(),
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
    pub(crate) async fn until(&mut self, what: &str, is: impl Fn(&Replica) -> bool) {
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
    pub(crate) async fn shows(&mut self, expected: &[&str]) {
        let is_shown = |replica: &Replica| replica.texts() == expected;
        let patience = tokio::time::timeout(
            e2e::eventually::SOON * 2 / 3,
            self.until("groups", is_shown),
        );
        if patience.await.is_err() {
            panic!("{:#?} is shown and not {expected:#?}", self.replica.texts());
        }
    }
}
