//! One client's edits: each a compare-and-set of its own.

use std::sync::Arc;

use protocol::{Edit, EditOutcome, EditResult, ErrorCode, ServerMsg};
use sqlx::postgres::PgPool;
use tokio::sync::Semaphore;

use super::requests::OpenedWindow;
use crate::db::edit::{Edited, compare_and_set};
use crate::limits::EDITS_PER_SESSION_MAX;
use crate::views::{ClientRef, Command, Engine};

/// One client's edits.
#[derive(Debug)]
pub struct Edits {
    client: ClientRef,
    pool: PgPool,
    room: Arc<Semaphore>,
    /// Shared by all sessions.
    pool_room: Arc<Semaphore>,
}

impl Edits {
    /// None yet.
    pub fn new(client: ClientRef, engine: &Engine) -> Self {
        Self {
            client,
            pool: engine.pool().clone(),
            room: Arc::new(Semaphore::new(EDITS_PER_SESSION_MAX)),
            pool_room: engine.edits(),
        }
    }

    /// Writes an edit, without holding up the client's other requests. An edit once begun is finished
    /// even if the client leaves.
    pub fn begin(&self, edit: Edit, window: OpenedWindow) {
        let Ok(place) = self.room.clone().try_acquire_owned() else {
            let message = format!("{EDITS_PER_SESSION_MAX} edits are under way; wait for them");
            return self.answer(edit.id, rejected(ErrorCode::RateLimited, message));
        };
        let (client, pool) = (self.client.clone(), self.pool.clone());
        let pool_room = self.pool_room.clone();
        tokio::spawn(async move {
            let (id, shown) = (edit.id, edit.window);
            let turn = pool_room.acquire().await;
            let edited = write(&edit, &window, &pool).await;
            drop(turn);
            client.send(ServerMsg::EditResult(EditResult {
                id,
                outcome: edited.outcome,
            }));
            if let Some(xid) = edited.xid {
                let command = Command::Edited(client.session, shown, id, xid);
                drop(window.commands.send(command).await);
            }
            drop(place);
        });
    }

    fn answer(&self, id: u64, outcome: EditOutcome) {
        self.client
            .send(ServerMsg::EditResult(EditResult { id, outcome }));
    }
}

fn rejected(code: ErrorCode, message: impl Into<String>) -> EditOutcome {
    EditOutcome::Rejected {
        code,
        message: message.into(),
    }
}

async fn write(edit: &Edit, window: &OpenedWindow, pool: &PgPool) -> Edited {
    let refused = |outcome| Edited { outcome, xid: None };
    let table = &window.table;
    let Some(column) = table.column(&edit.column) else {
        let message = format!("{} has no column {:?}", table.sql_name, edit.column);
        return refused(rejected(ErrorCode::UnknownColumn, message));
    };
    if !table.columns[column].shown.editable {
        let message = match &table.not_editable {
            Some(reason) => format!("{} cannot be edited: {reason}", table.sql_name),
            None => format!(
                "{:?} cannot be edited: it is generated, or the server's role may not update it",
                edit.column
            ),
        };
        return refused(rejected(ErrorCode::NotEditable, message));
    }
    if edit.key.len() != table.key.len() {
        let message = format!(
            "the key of {} has {} values",
            table.sql_name,
            table.key.len()
        );
        return refused(rejected(ErrorCode::BadValue, message));
    }
    let zero = [&edit.value, &edit.expected].into_iter().chain(&edit.key);
    if zero
        .filter_map(|value| value.to_postgres_text())
        .any(|text| text.contains('\0'))
    {
        return refused(rejected(
            ErrorCode::BadValue,
            "a text cannot hold a zero byte",
        ));
    }
    let edited = compare_and_set(pool, table, column, &edit.key, &edit.expected, &edit.value).await;
    edited.unwrap_or_else(|error| {
        tracing::warn!(%error, "an edit failed");
        let message = "the database cannot be reached now; the edit was not made, or it is not \
                       known whether it was: look at the cell before you try again";
        refused(rejected(ErrorCode::DatabaseUnavailable, message))
    })
}
