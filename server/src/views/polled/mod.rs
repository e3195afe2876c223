//! Tables that are not live: views, tables without a key, foreign tables, and all that nobody watches.
//!
//! The change log tells nothing of them, so their windows are looked at again and again, while somebody
//! shows them: one statement for each view, with an `OFFSET` for each range. What differs from the last look
//! goes out as ordinary updates. Looks have connections of their own, so one that hangs holds up nobody
//! else.

pub mod lanes;
mod view;
mod window;

use std::collections::HashMap;
use std::sync::Arc;

use protocol::{ErrorCode, Opened, ResetReason, ServerMsg, Version};
use tokio::sync::mpsc::{self, WeakSender};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, sleep_until};
use tokio_util::sync::CancellationToken;

use self::lanes::{LookError, Looked};
use self::view::{PolledView, PolledViewId};
pub use self::window::PolledWindow;
use super::answers::Answers;
use super::client::SessionId;
use super::plan::{Plan, Refusal, columns};
use super::table::{Command, Surroundings, not_live};
use super::turn::Turn;
use crate::db::catalog::{Catalog, TableDef};
use crate::db::polls::Look;
use crate::limits::FETCH_RETRY;

/// The task of one table that is not live.
#[derive(Debug)]
pub struct PolledTask {
    around: Surroundings,
    table: Arc<TableDef>,
    commands: mpsc::Receiver<Command>,
    own_commands: WeakSender<Command>,
    catalog: watch::Receiver<Arc<Catalog>>,
    views: HashMap<PolledViewId, PolledView>,
    next_view: PolledViewId,
    /// The looks under way.
    looks: JoinSet<(PolledViewId, Looked)>,
    /// Numbers the versions, with `began` before it.
    versions: u64,
    began: u64,
    /// Windows that could not be planned because PostgreSQL was away; tried again when it is back.
    unplanned: Vec<PolledWindow>,
}

/// Whether the task goes on.
enum Next {
    Go,
    /// The table is live now, or gone.
    Leave(Option<Arc<TableDef>>),
}

impl PolledTask {
    /// A task that takes over.
    pub async fn new(around: Surroundings, turn: Turn) -> Self {
        let mut task = Self {
            catalog: around.catalog.follow(),
            around,
            table: turn.table,
            commands: turn.commands,
            own_commands: turn.own_commands,
            views: HashMap::new(),
            next_view: 0,
            looks: JoinSet::new(),
            versions: 0,
            began: rand::random(),
            unplanned: Vec::new(),
        };
        for moving in turn.windows {
            task.show_or_refuse(moving.into()).await;
        }
        if let Some(command) = turn.first {
            task.take_command(command).await;
        }
        task
    }

    /// Works until `stop`, or until another kind of task is to go on.
    pub async fn run(mut self, stop: CancellationToken) -> Option<Turn> {
        // What was read between two tasks counts too.
        let mut next = self.compare(&self.catalog.borrow().clone());
        loop {
            if let Next::Leave(table) = next {
                return Some(self.hand_over(table));
            }
            let due = self.views.values().filter_map(PolledView::due).min();
            next = tokio::select! {
                () = stop.cancelled() => return None,
                command = self.commands.recv() => match command {
                    Some(command) => self.take_command(command).await,
                    None => return None,
                },
                Some(Ok((view, looked))) = self.looks.join_next() => self.take_look(view, looked).await,
                Ok(()) = self.catalog.changed() => {
                    let catalog = self.catalog.borrow_and_update().clone();
                    self.follow_catalog(&catalog).await
                }
                () = sleep_until(due.unwrap_or_else(Instant::now)), if due.is_some() => {
                    self.look_at_due().await
                }
                () = sleep(FETCH_RETRY), if !self.unplanned.is_empty() => {
                    for window in std::mem::take(&mut self.unplanned) {
                        self.show_or_refuse(window).await;
                    }
                    Next::Go
                }
            };
        }
    }

    fn compare(&self, catalog: &Catalog) -> Next {
        match catalog.get(self.table.oid) {
            Some(table) if !table.is_live() => Next::Go,
            other => Next::Leave(other.cloned()),
        }
    }

    /// Shows the windows anew if the table is described otherwise now.
    async fn follow_catalog(&mut self, catalog: &Catalog) -> Next {
        let next = self.compare(catalog);
        if let (Next::Go, Some(table)) = (&next, catalog.get(self.table.oid))
            && (table.layout() != self.table.layout() || table.shape != self.table.shape)
        {
            self.table = table.clone();
            for mut window in self.take_windows() {
                window.reset(ResetReason::SchemaChanged);
                self.show_or_refuse(window).await;
            }
        }
        next
    }

    fn take_windows(&mut self) -> Vec<PolledWindow> {
        let views = std::mem::take(&mut self.views).into_values();
        let mut windows: Vec<_> = views.flat_map(|view| view.windows).collect();
        windows.append(&mut self.unplanned);
        windows
    }

    fn hand_over(mut self, table: Option<Arc<TableDef>>) -> Turn {
        let windows = self.take_windows();
        Turn::first(self.table, self.own_commands, self.commands).then(table, windows)
    }

    async fn take_command(&mut self, command: Command) -> Next {
        match command {
            Command::Open(client, lease, open) => {
                self.show_or_refuse(PolledWindow::new(client, lease, *open))
                    .await;
            }
            Command::Move(session, moved) => self.with_window(session, moved.window, |window| {
                window.acknowledge(moved.received);
                window.move_to(moved.generation, moved.start, moved.count, moved.from_end);
            }),
            Command::Acknowledge(session, ack) => {
                self.with_window(session, ack.window, |window| window.acknowledge(ack.number));
            }
            Command::Edited(session, window, edit, xid) => {
                self.with_window(session, window, |window| window.edits.push((edit, xid)));
                // Everybody sees it now, not only whoever made it.
                self.views.values_mut().for_each(PolledView::hurry);
            }
            Command::Close(session, window) => self.remove(|shown| shown.is(session, window)),
            Command::Leave(session) => self.remove(|shown| shown.client.session == session),
            Command::Summary(command) => {
                command.refuse(ErrorCode::BadSummary, not_live(&self.table));
            }
            // A polled view remembers no more than its windows show.
            Command::Shed(_) | Command::Readvise => {}
        }
        Next::Go
    }

    async fn show_or_refuse(&mut self, mut window: PolledWindow) {
        match self.plan(&window).await {
            Ok((plan, places)) => {
                let (id, schema) = (window.id, self.table.schema(&places));
                let opened = Opened {
                    window: id,
                    schema,
                    highlight: plan.highlight.clone(),
                    ranked: plan.ranking().is_some(),
                };
                window.client.send(ServerMsg::Opened(opened));
                window.places = places;
                self.show(window, plan);
            }
            Err(refusal) if refusal.code == ErrorCode::DatabaseUnavailable => {
                self.unplanned.push(window);
            }
            Err(refusal) => window.refuse(refusal.code, &refusal.message),
        }
    }

    async fn plan(&self, window: &PolledWindow) -> Result<(Plan, Vec<usize>), Refusal> {
        let places = columns(&self.table, &window.columns)?;
        // Nothing is compared here, so what PostgreSQL says of conditions and orders need not be kept.
        let mut answers = Answers::new(self.around.clock.clone());
        let pool = &self.around.pool;
        let plan = Plan::new(&window.spec, &self.table, &mut answers, pool).await?;
        Ok((plan, places))
    }

    fn show(&mut self, window: PolledWindow, plan: Plan) {
        let known = self.views.values_mut().find(|view| view.plan == plan);
        let view = match known {
            Some(view) => view,
            None => {
                let is_ordered = !window.spec.sort.is_empty() || !self.table.key.is_empty();
                let is_foreign = self.table.kind == protocol::TableKind::Foreign;
                self.next_view += 1;
                let view = PolledView::new(plan, self.table.clone(), is_ordered, is_foreign);
                self.views.entry(self.next_view).or_insert(view)
            }
        };
        view.windows.push(window);
        view.serve(view.windows.len() - 1);
    }

    fn with_window(
        &mut self,
        session: SessionId,
        window: protocol::WindowId,
        act: impl FnOnce(&mut PolledWindow),
    ) {
        for view in self.views.values_mut() {
            if let Some(at) = view.windows.iter().position(|it| it.is(session, window)) {
                act(&mut view.windows[at]);
                return view.serve(at);
            }
        }
        if let Some(shown) = self.unplanned.iter_mut().find(|it| it.is(session, window)) {
            act(shown);
        }
    }

    fn remove(&mut self, gone: impl Fn(&PolledWindow) -> bool) {
        self.unplanned.retain(|window| !gone(window));
        self.views.retain(|_, view| {
            view.windows.retain(|window| !gone(window));
            !view.windows.is_empty()
        });
    }

    async fn look_at_due(&mut self) -> Next {
        let (now, second) = (Instant::now(), self.around.clock.now());
        for (&id, view) in &mut self.views {
            if view.due().is_some_and(|due| due <= now) {
                if view.plan.is_behind(second) {
                    let later = view.plan.at(second, &self.table, &self.around.pool);
                    match later.await {
                        Ok(later) => view.replan(later, self.table.clone()),
                        Err(error) => tracing::debug!(%error, "a view stays where it was"),
                    }
                }
                let (query, places, is_slow) = view.ask();
                let lanes = self.around.lanes.clone();
                self.looks
                    .spawn(async move { (id, lanes.look(&query, &places, is_slow).await) });
            }
        }
        Next::Go
    }

    async fn take_look(&mut self, id: PolledViewId, mut looked: Looked) -> Next {
        let Some(view) = self.views.get_mut(&id) else {
            return Next::Go;
        };
        if let Ok(looks) = &looked.looks
            && looks
                .iter()
                .any(|look| look.shape.as_ref() != Some(&self.table.shape))
        {
            let message = format!("{} is being altered", self.table.sql_name);
            looked.looks = Err(LookError::SchemaChanged(message));
        }
        let is_changed = matches!(looked.looks, Err(LookError::SchemaChanged(_)));
        let (versions, began) = (&mut self.versions, self.began);
        let interval = self.around.catalog.poll_interval();
        let second = view.plan.stands_at();
        let second = second.map_or(String::new(), |second| format!("@{second}"));
        let closing = view.take(looked, interval, |look: &Look| {
            *versions += 1;
            let snapshot = &look.snapshot;
            Version(format!("polled/{began:016x}-{versions}/{snapshot}{second}"))
        });
        if let Some((code, message)) = closing {
            let windows = std::mem::take(&mut view.windows);
            windows
                .iter()
                .for_each(|window| window.refuse(code, &message));
            self.views.remove(&id);
        }
        if is_changed {
            return self.read_table_again().await;
        }
        Next::Go
    }

    /// The table is not what it was: its new description changes the windows, or closes them.
    async fn read_table_again(&mut self) -> Next {
        if let Err(error) = self.around.catalog.refresh(self.table.oid).await {
            // The next look shows again that the table is another.
            tracing::debug!(%error, "the catalogue cannot be read");
            return Next::Go;
        }
        let catalog = self.catalog.borrow_and_update().clone();
        self.follow_catalog(&catalog).await
    }
}
