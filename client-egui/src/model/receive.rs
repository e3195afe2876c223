//! What events and time do to the model.

use protocol::{
    ClientMsg, ErrorCode, ErrorMsg, Hello, ListTables, PROTOCOL_VERSION, Ping, ServerMsg, Status,
    Update,
};
use web_time::Instant;

use super::window::rows_max;
use super::{ConnectionState, LinkEvent, Model, Summary, WindowId};

impl Model {
    /// Takes in one event. Returns the window whose rows it changed, if it did.
    pub fn handle(&mut self, event: LinkEvent, now: Instant) -> Option<WindowId> {
        let changed = match event {
            LinkEvent::Connected => None,
            LinkEvent::Message {
                message,
                received_at,
            } => self.receive(message, received_at, now),
            LinkEvent::Lost {
                reason,
                attempt,
                retry_at,
            } => {
                self.lost(ConnectionState::Reconnecting {
                    attempt,
                    retry_at,
                    reason,
                });
                None
            }
        };
        self.send_edits(now);
        self.refresh_connection();
        changed
    }

    /// Lets time pass: sends what was held back, pings, retries.
    pub fn tick(&mut self, now: Instant) {
        let windows = &self.windows;
        self.edits.give_up(now, |edit| {
            windows
                .get(&edit.window())?
                .cache()
                .cell(edit.key(), edit.column())
        });
        let Some(hello) = &self.hello else { return };
        let rows_max = rows_max(Some(&hello.limits));
        if let Some(id) = self.round_trip.ping(now) {
            self.outbox.push_back(ClientMsg::Ping(Ping { id }));
        }
        for window in self.windows.values_mut() {
            self.outbox.extend(window.move_if_due(rows_max, now));
        }
        let is_due =
            |(id, window): (&WindowId, &super::Window)| window.is_to_be_opened(now).then_some(*id);
        let due: Vec<WindowId> = self.windows.iter().filter_map(is_due).collect();
        for id in due {
            self.open_at_server(id);
        }
        self.tick_summaries(now);
        self.send_edits(now);
        self.refresh_connection();
    }

    /// When [`tick`](Self::tick) has something to do; `None` if only an event can change anything.
    /// Pings are not counted: they ride on wake-ups that happen anyway, so that idle means idle.
    pub fn next_deadline(&self) -> Option<Instant> {
        let windows = self
            .windows
            .values()
            .filter_map(|window| window.next_deadline());
        let summaries = self.summaries.values();
        let summaries = summaries.filter_map(Summary::next_deadline);
        let at_server = windows.chain(summaries).min();
        let at_server = at_server.filter(|_| self.hello.is_some());
        [at_server, self.edits.next_deadline()]
            .into_iter()
            .flatten()
            .min()
    }

    fn receive(
        &mut self,
        message: ServerMsg,
        received_at: Instant,
        now: Instant,
    ) -> Option<WindowId> {
        match message {
            ServerMsg::Hello(hello) => self.greet(hello, now),
            ServerMsg::Tables(tables) => self.tables = Some(tables.tables),
            ServerMsg::Opened(opened) => {
                if let Some(id) = self.of_wire(opened.window)
                    && let Some(window) = self.windows.get_mut(&id)
                {
                    window.opened(opened);
                }
            }
            ServerMsg::Update(update) => return self.update(update, now),
            ServerMsg::EditResult(result) => {
                if let Some(not_written) = self.edits.answered(result, now) {
                    self.notify(not_written);
                }
            }
            ServerMsg::Status(Status::Live) => self.stale = None,
            ServerMsg::Status(Status::Stale {
                since_micros,
                reason,
            }) => {
                self.stale = Some((since_micros, reason));
            }
            ServerMsg::Error(error) => self.error(error, now),
            ServerMsg::Heartbeat(_) => {}
            ServerMsg::Advice(advice) => {
                if let Some(id) = self.of_wire(advice.window)
                    && let Some(window) = self.windows.get_mut(&id)
                {
                    window.advised(*advice);
                }
            }
            ServerMsg::IndexProgress(progress) => self.index_progress(progress),
            ServerMsg::Summarized(kept) => self.summarized(kept),
            ServerMsg::Summary(update) => self.summary_update(update, now),
            ServerMsg::SummaryRefused(refusal) => self.summary_refused(refusal, now),
            ServerMsg::Pong(pong) => self.round_trip.pong(&pong, received_at),
            ServerMsg::Progress(progress) => {
                if let Some(id) = self.of_wire(progress.window)
                    && let Some(window) = self.windows.get_mut(&id)
                {
                    window.counted(progress.counted);
                    return Some(id);
                }
            }
        }
        None
    }

    fn greet(&mut self, hello: Hello, now: Instant) {
        if hello.protocol != PROTOCOL_VERSION {
            self.lost(ConnectionState::Incompatible {
                theirs: hello.protocol,
            });
            return;
        }
        self.hello = Some(hello);
        self.outbox
            .push_back(ClientMsg::ListTables(ListTables { id: 0 }));
        if let Some(id) = self.round_trip.ping(now) {
            self.outbox.push_back(ClientMsg::Ping(Ping { id }));
        }
        let all: Vec<WindowId> = self.windows.keys().copied().collect();
        for id in all {
            self.open_at_server(id);
        }
        self.ask_for_summaries(now);
    }

    /// The server is out of reach. Rows stay on the screen; what was to be sent is outdated.
    fn lost(&mut self, connection: ConnectionState) {
        self.connection = connection;
        self.hello = None;
        self.stale = None;
        self.outbox.clear();
        self.round_trip.reset();
        self.edits.lost();
        self.index_build_lost();
        for window in self.windows.values_mut() {
            window.lost();
        }
        for summary in self.summaries.values_mut() {
            summary.lost();
        }
    }

    fn update(&mut self, update: Update, now: Instant) -> Option<WindowId> {
        let id = self.of_wire(update.window)?;
        let window = self.windows.get_mut(&id)?;
        match window.apply(update, now) {
            Ok((applied, ack)) => {
                self.outbox.push_back(ack);
                let age = applied
                    .changed_at_micros
                    .and_then(|at| self.round_trip.since(at, now));
                if let Some(age) = age {
                    self.latency.record(age);
                }
                self.edits.shown(id, window.cache(), &applied.edits);
                Some(id)
            }
            Err(error) => {
                log::warn!("a window is opened anew: {error}");
                window.distrust_rows();
                self.outbox.extend(window.fail(now));
                Some(id)
            }
        }
    }

    fn error(&mut self, error: ErrorMsg, now: Instant) {
        let Some(wire_id) = error.window else {
            self.notices.push(error.message, None);
            return;
        };
        // A window closed or reopened since: nobody waits for the answer any more.
        let Some(id) = self.of_wire(wire_id) else {
            return;
        };
        let Some(window) = self.windows.get_mut(&id) else {
            return;
        };
        let code = error.code;
        window.set_error(error);
        match code {
            ErrorCode::UnknownWindow | ErrorCode::DuplicateWindow => {
                self.edits.lost_in(id);
                self.outbox.extend(window.fail(now));
            }
            ErrorCode::RateLimited if !window.is_opening() => window.slow_down(now),
            ErrorCode::DatabaseUnavailable | ErrorCode::RateLimited | ErrorCode::Internal
                if window.is_opening() =>
            {
                self.outbox.extend(window.fail(now));
            }
            // Asking again by itself would not help, and after `query_timeout` it would hurt.
            _ => self.outbox.extend(window.refuse()),
        }
    }

    fn of_wire(&self, wire_id: protocol::WindowId) -> Option<WindowId> {
        let is_it = |(_, window): &(&WindowId, &super::Window)| window.wire_id() == Some(wire_id);
        self.windows.iter().find(is_it).map(|(id, _)| *id)
    }

    /// Opens a window on the present socket, if there is one; else it waits for one.
    pub(super) fn open_at_server(&mut self, id: WindowId) {
        if let Some(hello) = &self.hello
            && let Some(window) = self.windows.get_mut(&id)
        {
            // Never used twice, so that a late answer is never taken for another window's.
            self.last_wire_id += 1;
            self.outbox
                .push_back(window.open(self.last_wire_id, &hello.limits));
        }
    }

    /// Sends the edits whose window shows the database's present state: only there does an edit's
    /// result come back in an update.
    pub(super) fn send_edits(&mut self, now: Instant) {
        if self.hello.is_none() || self.stale.is_some() {
            return;
        }
        for (id, window) in &self.windows {
            if let Some(wire_id) = window.wire_id().filter(|_| window.is_following()) {
                let messages = self.edits.send(*id, wire_id, now);
                self.outbox
                    .extend(messages.into_iter().map(ClientMsg::Edit));
            }
        }
    }

    pub(super) fn refresh_connection(&mut self) {
        if self.hello.is_none() {
            return;
        }
        self.connection = match &self.stale {
            Some((since_micros, reason)) => ConnectionState::Stale {
                since_micros: *since_micros,
                reason: reason.clone(),
            },
            None if self.windows.values().any(|window| window.is_behind()) => {
                ConnectionState::CatchingUp
            }
            None => ConnectionState::Live,
        };
    }
}
