//! A table's tasks take turns: none while nobody shows it, one kind while it is live, another while it is polled. Sessions
//! notice nothing but new columns and rows.

use std::sync::Arc;

use protocol::{
    EditId, ErrorCode, Generation, OpenWindow, ResetReason, UpdateNumber, ViewSpec, WindowId,
};
use tokio::sync::mpsc::{self, WeakSender};
use tokio_util::sync::CancellationToken;
use view_index::{Window, Xid};

use super::client::ClientRef;
use super::polled::{PolledTask, PolledWindow};
use super::table::{Beginning, Command, Surroundings, TableTask};
use super::view::ClientWindow;
use crate::db::catalog::TableDef;

/// What one task of a table leaves to the next.
#[derive(Debug)]
pub struct Turn {
    /// The table as it is now.
    pub table: Arc<TableDef>,
    /// Where it takes its commands.
    pub commands: mpsc::Receiver<Command>,
    /// The other end of `commands`.
    pub own_commands: WeakSender<Command>,
    /// Its open windows.
    pub windows: Vec<MovingWindow>,
    /// What the next task takes before all other commands.
    pub first: Option<Command>,
    /// The table is gone.
    pub is_gone: bool,
}

/// A window on its way from one task to another.
#[derive(Debug)]
pub struct MovingWindow {
    /// Whose it is.
    pub client: ClientRef,
    /// Keeps the window's number taken in its session.
    pub lease: Arc<()>,
    /// Its number on its socket.
    pub id: WindowId,
    /// What it asked for.
    pub spec: ViewSpec,
    /// The columns it asked for, by name; empty for all.
    pub columns: Vec<String>,
    /// Counts the ranges it has had.
    pub generation: Generation,
    /// The position of the first row to show; `None` for the view's end.
    pub start: Option<u64>,
    /// How many rows to show.
    pub count: u32,
    /// The last update's number.
    pub number: UpdateNumber,
    /// Edits made in it that no update has listed.
    pub edits: Vec<(EditId, Xid)>,
}

impl Turn {
    /// The first task of a table.
    pub fn first(
        table: Arc<TableDef>,
        own_commands: WeakSender<Command>,
        commands: mpsc::Receiver<Command>,
    ) -> Self {
        Self {
            table,
            commands,
            own_commands,
            windows: Vec::new(),
            first: None,
            is_gone: false,
        }
    }

    /// Waits until somebody shows something of the table; `false` if nobody can any more.
    async fn is_needed(&mut self) -> bool {
        while self.windows.is_empty() && self.first.is_none() {
            match self.commands.recv().await {
                Some(command) => self.first = Some(command).filter(Command::shows),
                None => return false,
            }
        }
        true
    }

    /// The table as it is by now, or that it is gone.
    fn look_again(&mut self, around: &Surroundings) {
        match around.catalog.current().get(self.table.oid) {
            Some(table) => self.table = table.clone(),
            None => self.is_gone = true,
        }
    }

    /// The turn with what became of the table (`None`: it is gone), and its windows.
    #[must_use]
    pub fn then<W: Into<MovingWindow>>(
        self,
        table: Option<Arc<TableDef>>,
        windows: Vec<W>,
    ) -> Self {
        Self {
            is_gone: table.is_none(),
            table: table.unwrap_or(self.table),
            windows: windows.into_iter().map(Into::into).collect(),
            ..self
        }
    }

    /// Tells everybody that the table is gone.
    async fn end(mut self) {
        let message = format!("{} is no longer there", self.table.sql_name);
        for window in self.windows {
            let id = Some(window.id);
            window.client.refuse(ErrorCode::UnknownTable, &*message, id);
        }
        self.commands.close();
        let mut first = self.first;
        while let Some(command) = match first.take() {
            Some(first) => Some(first),
            None => self.commands.recv().await,
        } {
            match command {
                Command::Open(client, _, open) => {
                    client.refuse(ErrorCode::UnknownTable, &*message, Some(open.window));
                }
                Command::Summary(command) => command.refuse(ErrorCode::UnknownTable, &*message),
                _ => {}
            }
        }
    }
}

/// Serves a table until `stop`, or until it is gone.
pub async fn serve(around: Surroundings, mut turn: Turn, stop: CancellationToken) {
    loop {
        if !turn.is_gone {
            match stop.run_until_cancelled(turn.is_needed()).await {
                Some(true) => turn.look_again(&around),
                _ => return,
            }
        }
        let next = if turn.is_gone {
            return turn.end().await;
        } else if turn.table.is_live() {
            // From here on its changes are logged.
            let beginning = Beginning::of(&around, turn.table.oid);
            let Some(Some(beginning)) = stop.run_until_cancelled(beginning).await else {
                return;
            };
            turn.look_again(&around);
            if turn.is_gone || !turn.table.is_live() {
                continue;
            }
            let task = TableTask::new(around.clone(), turn, beginning).await;
            task.run(stop.clone()).await
        } else {
            let task = PolledTask::new(around.clone(), turn).await;
            task.run(stop.clone()).await
        };
        match next {
            Some(next) => turn = next,
            None => return,
        }
    }
}

impl From<ClientWindow> for MovingWindow {
    fn from(mut shown: ClientWindow) -> Self {
        let standing = shown.window.standing();
        Self {
            id: shown.window.id(),
            client: shown.client.clone(),
            lease: shown.lease.clone(),
            spec: shown.spec.clone(),
            columns: std::mem::take(&mut shown.columns),
            generation: standing.generation,
            start: standing.start,
            count: standing.count,
            number: standing.number,
            edits: std::mem::take(&mut shown.edits),
        }
    }
}

impl From<MovingWindow> for ClientWindow {
    fn from(moving: MovingWindow) -> Self {
        let mut window = Window::new(moving.id, moving.generation, moving.start, moving.count);
        window.continue_after(moving.number, ResetReason::SchemaChanged);
        Self {
            client: moving.client,
            lease: moving.lease,
            window,
            spec: moving.spec,
            columns: moving.columns,
            // It was open, so it stays open.
            allow_expensive: true,
            edits: moving.edits,
            resume: None,
            resume_waited: false,
        }
    }
}

impl From<PolledWindow> for MovingWindow {
    fn from(window: PolledWindow) -> Self {
        Self {
            client: window.client,
            lease: window.lease,
            id: window.id,
            spec: window.spec,
            columns: window.columns,
            generation: window.generation,
            start: (!window.from_end).then_some(window.start),
            count: window.count,
            number: window.number,
            edits: window.edits,
        }
    }
}

impl From<MovingWindow> for PolledWindow {
    fn from(moving: MovingWindow) -> Self {
        let number = moving.number;
        let open = OpenWindow {
            window: moving.id,
            generation: moving.generation,
            view: moving.spec,
            columns: moving.columns,
            start: moving.start.unwrap_or(0),
            count: moving.count,
            from_end: moving.start.is_none(),
            // A look is bounded by its timeout in any case.
            allow_expensive: false,
            resume: None,
        };
        let mut window = Self::new(moving.client, moving.lease, open);
        window.edits = moving.edits;
        window.continue_after(number, ResetReason::SchemaChanged);
        window
    }
}
