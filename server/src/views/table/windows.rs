//! What sessions ask of a table: windows opened, moved, acknowledged and closed.

use std::collections::HashSet;
use std::sync::Arc;

use protocol::{ErrorCode, OpenWindow, Opened, ServerMsg, WindowId};
use view_index::Window;

use super::{Command, TableTask};
use crate::views::client::{ClientRef, SessionId};
use crate::views::plan::{Plan, Refusal, columns};
use crate::views::view::{ClientWindow, View, ViewId};

impl TableTask {
    pub(super) async fn take_command(&mut self, command: Command) {
        match command {
            Command::Open(client, lease, open) => self.open(client, lease, *open).await,
            Command::Move(session, moved) => self.with_window(session, moved.window, |shown| {
                shown.window.acknowledge(moved.received);
                shown.window.move_to(
                    moved.generation,
                    start(moved.start, moved.from_end),
                    moved.count,
                );
            }),
            Command::Acknowledge(session, ack) => {
                self.with_window(session, ack.window, |shown| {
                    shown.window.acknowledge(ack.number);
                });
            }
            Command::Edited(session, window, edit, xid) => {
                self.with_window(session, window, |shown| shown.edits.push((edit, xid)));
            }
            Command::Close(session, window) => self.close(session, window),
            Command::Summary(command) => self.take_summary_command(command).await,
            Command::Leave(session) => {
                self.summaries
                    .remove(|shown| shown.client.session == session);
                self.leave(session);
            }
            Command::Readvise => self.readvise(),
            Command::Shed(view) => {
                if let Some(view) = self.views.get_mut(&view) {
                    view.shed();
                }
            }
        }
    }

    async fn open(&mut self, client: ClientRef, lease: Arc<()>, open: OpenWindow) {
        let start = start(open.start, open.from_end);
        let window = Window::new(open.window, open.generation, start, open.count);
        let resume = open.resume.map(|resume| {
            let keys = resume.keys.into_iter().map(Into::into).collect();
            (resume.version, keys)
        });
        self.show_or_refuse(ClientWindow {
            client,
            lease,
            window,
            spec: open.view,
            columns: open.columns,
            allow_expensive: open.allow_expensive,
            edits: Vec::new(),
            resume,
            resume_waited: false,
        })
        .await;
    }

    pub(super) async fn show_or_refuse(&mut self, shown: ClientWindow) {
        match self.plan(&shown).await {
            Ok((plan, places)) => match self.too_expensive(&shown, &plan).await {
                None => self.show(shown, plan, places),
                Some(message) => {
                    let window = Some(shown.window.id());
                    shown.client.refuse(ErrorCode::Expensive, message, window);
                }
            },
            Err(refusal) if refusal.code == ErrorCode::DatabaseUnavailable => {
                self.unplanned.push(shown);
            }
            Err(refusal) => {
                let window = Some(shown.window.id());
                shown.client.refuse(refusal.code, refusal.message, window);
            }
        }
    }

    /// Tries the windows again that could not be planned.
    pub(super) async fn show_unplanned(&mut self) {
        for shown in std::mem::take(&mut self.unplanned) {
            self.show_or_refuse(shown).await;
        }
    }

    /// What a window asks for: the view, and the columns' places.
    async fn plan(&mut self, shown: &ClientWindow) -> Result<(Plan, Vec<usize>), Refusal> {
        let places = columns(&self.table, &shown.columns)?;
        let pool = &self.around.pool;
        let plan = Plan::new(&shown.spec, &self.table, &mut self.answers, pool).await?;
        Ok((plan, places))
    }

    /// Tells a window's client the columns, and shows it.
    fn show(&mut self, mut shown: ClientWindow, plan: Plan, places: Vec<usize>) {
        shown.client.send(ServerMsg::Opened(Opened {
            window: shown.window.id(),
            schema: self.table.schema(&places),
            highlight: plan.highlight.clone(),
            ranked: plan.ranking().is_some(),
        }));
        shown.window.set_columns(places);
        let id = self.view_of(plan);
        if let Some(view) = self.views.get_mut(&id) {
            let (session, window) = shown.id();
            self.shown_in.entry(session).or_default().insert(window, id);
            self.around.advise(&self.table, &view.plan, &shown);
            view.show(shown);
        }
        self.refresh(id, None);
    }

    /// The view that means this, made if there is none.
    fn view_of(&mut self, plan: Plan) -> ViewId {
        if let Some(&view) = self.by_plan.get(&plan) {
            self.put_forward(view, plan);
            return view;
        }
        let id = self.next_view;
        self.next_view += 1;
        let predicate = plan.predicate(&self.table, &mut self.answers);
        let charts = Arc::downgrade(&self.charts);
        let plan = Arc::new(plan);
        let mut view = View::new(id, plan.clone(), predicate, charts);
        let moves = plan.is_relative();
        view.moves = moves.then(|| self.clockwork.moving.clone());
        self.by_plan.insert(plan, id);
        self.views.insert(id, view);
        id
    }

    /// A view that had to be forgotten while nobody showed it has not moved along with time since: it begins where
    /// the plan of whoever shows it now stands.
    fn put_forward(&mut self, id: ViewId, plan: Plan) {
        let view = self.views.get_mut(&id);
        let Some(view) = view.filter(|view| view.plan.is_relative() && view.is_blank()) else {
            return;
        };
        let predicate = plan.predicate(&self.table, &mut self.answers);
        self.answers.release(&view.predicate.asked());
        view.predicate = predicate;
        view.plan = Arc::new(plan);
    }

    fn with_window(
        &mut self,
        session: SessionId,
        window: WindowId,
        act: impl FnOnce(&mut ClientWindow),
    ) {
        let id = (session, window);
        let view = self.shown_in.get(&session).and_then(|its| its.get(&window));
        let view = view.and_then(|view| self.views.get_mut(view));
        if let Some(view) = view
            && let Some(shown) = view.windows.get_mut(&id)
        {
            act(shown);
            let view = view.id;
            self.refresh(view, Some(id));
        } else if let Some(shown) = self.unplanned.iter_mut().find(|it| it.id() == id) {
            act(shown);
        }
    }

    fn close(&mut self, session: SessionId, window: WindowId) {
        let id = (session, window);
        self.unplanned.retain(|shown| shown.id() != id);
        let windows = self.shown_in.get_mut(&session);
        let view = windows.and_then(|windows| windows.remove(&window));
        if let Some(view) = view.and_then(|view| self.views.get_mut(&view)) {
            view.remove_windows(|shown| shown.id() == id);
        }
    }

    /// Forgets all windows of a session that is gone.
    fn leave(&mut self, session: SessionId) {
        self.unplanned
            .retain(|shown| shown.client.session != session);
        let its = self.shown_in.remove(&session).unwrap_or_default();
        for view in its.into_values().collect::<HashSet<ViewId>>() {
            if let Some(view) = self.views.get_mut(&view) {
                view.remove_windows(|shown| shown.client.session == session);
            }
        }
    }

    /// Drops the views that nobody has shown for a while.
    pub(super) fn drop_unused(&mut self) {
        let (answers, view_idle) = (&mut self.answers, self.around.view_idle);
        let by_plan = &mut self.by_plan;
        self.views.retain(|_, view| {
            let unused = view
                .unused_since
                .is_some_and(|since| since.elapsed() >= view_idle);
            if unused {
                by_plan.remove(&view.plan);
                answers.release(&view.predicate.asked());
            }
            !unused
        });
        self.summaries.drop_unused(&mut self.answers);
        self.answers.forget_unused();
    }
}

/// Where a window begins; `None` for one that shows the view's last rows.
fn start(start: u64, from_end: bool) -> Option<u64> {
    (!from_end).then_some(start)
}
