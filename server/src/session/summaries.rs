//! One client's summaries.

use std::collections::HashMap;
use std::sync::{Arc, Weak};

use protocol::{ErrorCode, ServerMsg, ShowGroups, Summarize, SummaryId, SummaryRefused};
use tokio::sync::mpsc::{self, error::SendError};

use crate::limits::{GROUPS_SHOWN_MAX, SUMMARIES_PER_SESSION_MAX};
use crate::views::{ClientRef, Command, Engine, SummaryCommand};

/// A summary that is kept for this socket.
#[derive(Debug)]
struct Kept {
    commands: mpsc::Sender<Command>,
    /// Held by the table for as long as it keeps the summary, which it may refuse to.
    lease: Weak<()>,
}

/// One client's summaries.
#[derive(Debug)]
pub struct Summaries {
    client: ClientRef,
    engine: Arc<Engine>,
    kept: HashMap<SummaryId, Kept>,
}

impl Summaries {
    /// None yet.
    pub fn new(client: ClientRef, engine: Arc<Engine>) -> Self {
        Self {
            client,
            engine,
            kept: HashMap::new(),
        }
    }

    /// Keeps a summary for the client.
    pub async fn summarize(&mut self, asked: Summarize) {
        let id = asked.summary;
        self.kept.retain(|_, kept| kept.lease.strong_count() > 0);
        if self.kept.contains_key(&id) {
            let message = format!("summary {id} is in use; end it first with unsummarize");
            return self.refuse(id, ErrorCode::DuplicateSummary, message);
        }
        if self.kept.len() >= SUMMARIES_PER_SESSION_MAX {
            let message = format!("{SUMMARIES_PER_SESSION_MAX} summaries are kept; end one first");
            return self.refuse(id, ErrorCode::TooManySummaries, message);
        }
        if !is_range(asked.start, asked.count) {
            return self.refuse(id, ErrorCode::BadRange, range_message());
        }
        let table = match self.engine.table(&asked.view.table).await {
            Ok(Some(table)) => table,
            Ok(None) => {
                let message = format!(
                    "no table that the server's role may read is called {:?}; list_tables names them \
                     all",
                    asked.view.table
                );
                return self.refuse(id, ErrorCode::UnknownTable, message);
            }
            Err(error) => {
                tracing::debug!(%error, "the database cannot be asked");
                let message = "the database cannot be reached now; try again in a moment";
                return self.refuse(id, ErrorCode::DatabaseUnavailable, message);
            }
        };
        let held = Arc::new(());
        let kept = Kept {
            commands: self.engine.commands(&table),
            lease: Arc::downgrade(&held),
        };
        self.kept.insert(id, kept);
        let asked = Box::new(asked);
        self.command(
            id,
            SummaryCommand::Summarize(self.client.clone(), held, asked),
        )
        .await;
    }

    /// Shows other groups of a summary.
    pub async fn show(&self, show: ShowGroups) {
        if is_range(show.start, show.count) {
            let command = SummaryCommand::Show(self.client.session, show.clone());
            self.command(show.summary, command).await;
        } else {
            self.unchanged(show.summary, ErrorCode::BadRange, range_message());
        }
    }

    /// A message has been applied.
    pub async fn acknowledge(&self, ack: protocol::AckSummary) {
        let id = ack.summary;
        self.command(id, SummaryCommand::Acknowledge(self.client.session, ack))
            .await;
    }

    /// Ends a summary.
    pub async fn end(&mut self, id: SummaryId) {
        self.command(id, SummaryCommand::End(self.client.session, id))
            .await;
        self.kept.remove(&id);
    }

    /// The client is gone.
    pub async fn leave(&mut self) {
        for (_, kept) in self.kept.drain() {
            // The table's task ends only with the server.
            drop(
                kept.commands
                    .send(Command::Leave(self.client.session))
                    .await,
            );
        }
    }

    async fn command(&self, id: SummaryId, command: SummaryCommand) {
        match self.kept.get(&id) {
            // Waits while the table is busy: that slows this client only.
            Some(kept) => {
                let sent = kept.commands.send(Command::Summary(command)).await;
                if let Err(SendError(Command::Summary(command))) = sent {
                    command.refuse(ErrorCode::UnknownTable, "the table is no longer there");
                }
            }
            None => {
                let message = format!("summary {id} is not in use");
                self.unchanged(id, ErrorCode::UnknownSummary, message);
            }
        }
    }

    /// Says that there is no such summary.
    fn refuse(&self, summary: SummaryId, code: ErrorCode, message: impl Into<String>) {
        let message = message.into();
        // The number's own summary, if it is another's, goes on.
        if code == ErrorCode::DuplicateSummary {
            return self.unchanged(summary, code, message);
        }
        self.client.send(ServerMsg::SummaryRefused(SummaryRefused {
            summary,
            code,
            message,
        }));
    }

    /// Refuses a request that leaves all summaries as they are.
    fn unchanged(&self, summary: SummaryId, code: ErrorCode, message: impl Into<String>) {
        let message = format!("summary {summary}: {}", message.into());
        self.client.refuse(code, message, None);
    }
}

fn is_range(start: u64, count: u32) -> bool {
    (1..=GROUPS_SHOWN_MAX).contains(&count) && i64::try_from(start).is_ok()
}

fn range_message() -> String {
    format!("a summary shows 1 to {GROUPS_SHOWN_MAX} groups from a position below 2^63")
}
