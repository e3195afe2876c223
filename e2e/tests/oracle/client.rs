//! A client that moves about at random and has every version it applies checked.

use std::sync::Arc;
use std::time::{Duration, Instant};

use e2e::RawSocket;
use protocol::{
    Ack, ClientMsg, CloseWindow, Column, Generation, MoveWindow, OpenWindow, ResetReason, Resume,
    ServerMsg, Update, UpdateNumber, WindowId,
};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use tokio::time::timeout;

use crate::replica::Replica;
use crate::run::{Check, PATIENCE, Run, STALLED, Shown};
use crate::snapshots::{Named, Snapshots};
use crate::views::View;

/// How often a client does something else than applying updates, at most.
const RESTLESSNESS: Duration = Duration::from_millis(120);

/// How often a client that has not been shown anything yet moves on instead of waiting for it. Of a large table,
/// whose views take a while to open, clients that move on all the time would never be shown anything.
const HASTE: f64 = 0.1;
const HASTE_AT_LARGE_TABLES: f64 = 0.01;

/// Rows that may come and go while PostgreSQL is asked.
const START_SLACK: u64 = 100;

/// How often a window is asked for at the view's end.
const FROM_END: f64 = 0.12;

/// A range of the view, as asked for.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Asked {
    generation: Generation,
    pub(crate) start: u64,
    pub(crate) count: u32,
    /// The view's last rows instead.
    pub(crate) from_end: bool,
}

/// A window's rows, to be compared with PostgreSQL.
pub(crate) struct ShownRows {
    pub(crate) view: View,
    /// Whether the server ordered them by rank.
    pub(crate) is_ranked: bool,
    /// The columns asked for: places in the table.
    pub(crate) columns: Vec<usize>,
    pub(crate) replica: Replica,
    /// The range that was asked for.
    pub(crate) asked: Asked,
}

pub(crate) struct Client {
    url: String,
    socket: RawSocket,
    rng: ChaCha8Rng,
    run: Arc<Run>,
    snapshots: Arc<Snapshots>,
    window: WindowId,
    view: View,
    is_ranked: bool,
    columns: Vec<usize>,
    replica: Replica,
    asked: Vec<Asked>,
    /// The newest generation an update has named.
    answered: Option<Generation>,
    /// Since when it has been waiting for an answer, whatever it asked for meanwhile.
    waiting_since: Option<Instant>,
    /// An update to be acknowledged later.
    owed: Option<UpdateNumber>,
    resumed: bool,
}

impl Client {
    pub(crate) async fn connect(
        url: String,
        seed: u64,
        run: Arc<Run>,
        snapshots: Arc<Snapshots>,
    ) -> Self {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        Self {
            socket: RawSocket::connect(&url).await,
            url,
            view: run.view(&mut rng),
            is_ranked: false,
            columns: run.columns(&mut rng),
            rng,
            run,
            snapshots,
            window: 0,
            replica: Replica::default(),
            asked: Vec::new(),
            answered: None,
            waiting_since: None,
            owed: None,
            resumed: false,
        }
    }

    /// Looks at the table until the run ends.
    pub(crate) async fn look(mut self) -> Result<(), String> {
        self.open(None).await;
        while !self.run.is_over() {
            let patience = RESTLESSNESS.mul_f64(self.rng.random_range(0.05..1.0));
            match timeout(patience, self.socket.next()).await {
                Ok(Ok(message)) => self.take(message).await?,
                Ok(Err(code)) => return Err(format!("the server closed the socket: {code:?}")),
                Err(_) if self.run.is_behind() || self.waits() => self.acknowledge().await,
                Err(_) => self.act().await,
            }
            self.check_patience()?;
        }
        Ok(())
    }

    /// Whether it waits for the first rows of what it has opened.
    fn waits(&mut self) -> bool {
        let haste = if self.run.is_large() {
            HASTE_AT_LARGE_TABLES
        } else {
            HASTE
        };
        self.answered.is_none() && !self.rng.random_bool(haste)
    }

    fn check_patience(&self) -> Result<(), String> {
        match self.waiting_since {
            Some(since) if since.elapsed() > PATIENCE => Err(format!(
                "{STALLED}: nothing came for {:?}: {:?} {:?}",
                since.elapsed(),
                self.view,
                self.asked
            )),
            _ => Ok(()),
        }
    }

    async fn take(&mut self, message: ServerMsg) -> Result<(), String> {
        match message {
            ServerMsg::Opened(opened) if opened.window == self.window => {
                self.is_ranked = opened.ranked;
                Ok(())
            }
            ServerMsg::Update(update) if update.window == self.window => self.update(update).await,
            ServerMsg::Error(error) => Err(format!("{:?}: {error:?}", self.view)),
            _ => Ok(()),
        }
    }

    async fn update(&mut self, update: Update) -> Result<(), String> {
        let context = format!("{:?} {:?}", self.view, self.asked);
        let may_reset = std::mem::take(&mut self.resumed);
        match update.must_refetch {
            None => {}
            Some(ResetReason::HistoryExpired) if may_reset => {}
            Some(ResetReason::HistoryExpired) if self.run.has_lost_attendance() => {}
            Some(ResetReason::Truncated) if self.run.is_truncating() => {}
            // Without a value that the log left out there is no telling where a row goes.
            Some(ResetReason::TooManyChanges) if self.run.table.has_long_values() => {}
            // A batch from before TRUNCATE, read after it, finds no rows.
            Some(ResetReason::TooManyChanges) if self.run.is_truncating() => {}
            // A step of the clock may pass more rows than can be moved one by one.
            Some(ResetReason::TooManyChanges) if self.view.is_relative() && self.run.is_large() => {
            }
            Some(reason) => return Err(format!("{reason:?} for no reason: {context}")),
        }
        let asked = self
            .asked
            .iter()
            .find(|asked| asked.generation == update.generation);
        let asked = *asked.ok_or(format!("generation {} of {context}", update.generation))?;
        let (number, generation) = (update.number, update.generation);
        // When the rows of a table that is polled changed is not known.
        let is_change = update.changed_at_micros.is_some() || !self.run.is_live;
        let followed = update.from.is_some() && is_change;
        self.replica
            .apply(update)
            .map_err(|error| format!("{error}: {context}"))?;
        // Its own answer may still be to come, but the server has not stalled.
        self.waiting_since = None;
        if self.answered != Some(generation) {
            self.answered = Some(generation);
            self.check_start(asked)
                .map_err(|error| format!("{error}: {context}"))?;
        }
        self.run.show(self.replica.rows.iter().map(|row| &row.key));
        let version = self.replica.version.as_ref();
        let named = Named::by(version.ok_or("an update has a version")?);
        self.run.check_instant(&self.view, &named)?;
        let check = Check {
            held: self.snapshots.of(&named),
            named,
            followed,
            shown: Shown::Rows(Box::new(ShownRows {
                view: self.view.clone(),
                is_ranked: self.is_ranked,
                columns: self.columns.clone(),
                replica: self.replica.clone(),
                asked,
            })),
        };
        self.run.check(check).await;
        self.owed = Some(number);
        if self.rng.random_bool(0.8) {
            self.acknowledge().await;
        }
        Ok(())
    }

    /// A window begins where it was asked to; not to the row, since rows may have come and gone above
    /// the one that stood there when PostgreSQL was asked.
    fn check_start(&self, asked: Asked) -> Result<(), String> {
        // TRUNCATE takes all rows above at once, and others may have come since.
        if asked.from_end || !self.replica.is_exact || self.run.is_truncating() {
            return Ok(());
        }
        let expected = asked.start.min(self.replica.total);
        let slack = if asked.start == 0 { 0 } else { START_SLACK };
        if self.replica.start.abs_diff(expected) > slack {
            return Err(format!(
                "starts at {} instead of {expected}",
                self.replica.start
            ));
        }
        Ok(())
    }

    async fn acknowledge(&mut self) {
        if let Some(number) = self.owed.take() {
            self.socket
                .send(&ClientMsg::Ack(Ack {
                    window: self.window,
                    number,
                }))
                .await;
        }
    }

    async fn act(&mut self) {
        match self.rng.random_range(0..12) {
            0..=3 => self.acknowledge().await,
            4..=8 => self.move_on().await,
            9 | 10 => {
                self.socket
                    .send(&ClientMsg::Close(CloseWindow {
                        window: self.window,
                    }))
                    .await;
                self.view = self.run.view(&mut self.rng);
                self.columns = self.run.columns(&mut self.rng);
                self.replica = Replica::default();
                self.open(None).await;
            }
            _ => {
                self.socket = RawSocket::connect(&self.url).await;
                let keys = self
                    .replica
                    .rows
                    .iter()
                    .map(|row| row.key.clone())
                    .collect();
                let version = self.replica.version.clone();
                self.replica.number = 0;
                self.open(version.map(|version| Resume { version, keys }))
                    .await;
            }
        }
    }

    /// Somewhere: mostly near, sometimes at the top, at the end or behind it.
    fn anywhere(&mut self, generation: Generation) -> Asked {
        let total = self.replica.total;
        let start = match self.rng.random_range(0..6) {
            0 => 0,
            1 => self.rng.random_range(0..=total + 10),
            2 => total.saturating_sub(self.rng.random_range(0..20)),
            3 => self.rng.random_range(0..=total / 50 + 1),
            _ => self
                .replica
                .start
                .saturating_add_signed(self.rng.random_range(-15..16)),
        };
        Asked {
            generation,
            start,
            count: self.rng.random_range(1..60),
            from_end: self.rng.random_bool(FROM_END),
        }
    }

    async fn open(&mut self, resume: Option<Resume>) {
        self.window += 1;
        self.owed = None;
        self.answered = None;
        self.resumed = resume.is_some();
        let mut asked = self.anywhere(0);
        if resume.is_some() {
            asked.start = self.replica.start;
        }
        self.asked = vec![asked];
        self.waiting_since.get_or_insert_with(Instant::now);
        let open = OpenWindow {
            window: self.window,
            generation: 0,
            view: self.view.spec.clone(),
            columns: self.run.column_names(&self.columns),
            start: asked.start,
            count: asked.count,
            from_end: asked.from_end,
            resume,
            allow_expensive: true,
        };
        self.socket.send(&ClientMsg::Open(open)).await;
    }

    async fn move_on(&mut self) {
        let generation = self.asked.last().map_or(0, |asked| asked.generation) + 1;
        let asked = self.anywhere(generation);
        self.asked.push(asked);
        self.waiting_since.get_or_insert_with(Instant::now);
        self.owed = None;
        let moved = MoveWindow {
            window: self.window,
            generation,
            start: asked.start,
            count: asked.count,
            from_end: asked.from_end,
            received: self.replica.number,
        };
        self.socket.send(&ClientMsg::Move(moved)).await;
    }
}

/// Asks the server what the columns of the table are.
pub(crate) async fn columns(url: &str, table: &str) -> Result<Vec<Column>, String> {
    let mut socket = RawSocket::connect(url).await;
    let open = format!(r#"{{"open":{{"window":1,"view":{{"table":"{table}"}},"count":0}}}}"#);
    socket.send_text(&open).await;
    let is_answer =
        |message: &ServerMsg| matches!(message, ServerMsg::Opened(_) | ServerMsg::Error(_));
    match socket.expect("the columns", is_answer).await {
        ServerMsg::Opened(opened) => Ok(opened.schema.columns),
        refusal => Err(format!("{refusal:?}")),
    }
}
