//! A client that moves about at random and has every version it applies checked.

use std::sync::Arc;
use std::time::Duration;

use e2e::RawSocket;
use protocol::{
    Ack, ClientMsg, CloseWindow, Generation, MoveWindow, OpenWindow, ResetReason, Resume, Row,
    RowOp, ServerMsg, Update, UpdateNumber, Value, Version, WindowId,
};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use tokio::time::timeout;

use crate::Run;
use crate::snapshots::Snapshots;
use crate::views::{COLUMNS, View};

/// How often a client does something else than applying updates, at most.
const RESTLESSNESS: Duration = Duration::from_millis(120);

/// Rows that may come and go while PostgreSQL is asked.
const START_SLACK: u64 = 100;

/// What the client holds. Written from the protocol's documentation alone.
#[derive(Clone, Debug, Default)]
pub(crate) struct Replica {
    pub(crate) version: Option<Version>,
    number: UpdateNumber,
    pub(crate) start: u64,
    pub(crate) total: u64,
    pub(crate) rows: Vec<Row>,
}

impl Replica {
    fn apply(&mut self, update: Update) -> Result<(), String> {
        if update.number != self.number + 1 {
            return Err(format!("update {} follows {}", update.number, self.number));
        }
        if update.from.is_some() && update.from != self.version {
            return Err(format!(
                "an update from {:?} at {:?}",
                update.from, self.version
            ));
        }
        let before = if update.from.is_some() {
            std::mem::take(&mut self.rows)
        } else {
            vec![]
        };
        let at = |from: u32| {
            before
                .get(from as usize)
                .ok_or("a row that is not held")
                .cloned()
        };
        let mut rows = Vec::new();
        for op in update.rows {
            match op {
                RowOp::Keep { from, count } => {
                    for index in from..from + count {
                        rows.push(at(index)?);
                    }
                }
                RowOp::Patch { from, cells } => {
                    let mut row = at(from)?;
                    for (column, value) in cells {
                        row.cells[column as usize] = value;
                    }
                    rows.push(row);
                }
                RowOp::Row(row) => rows.push(row),
            }
        }
        let number = update.number;
        let (start, total, version) = (update.start, update.total, Some(update.to));
        *self = Self {
            version,
            number,
            start,
            total,
            rows,
        };
        Ok(())
    }
}

/// A range of the view, as asked for.
#[derive(Clone, Copy, Debug)]
struct Asked {
    generation: Generation,
    start: u64,
    count: u32,
}

/// Something to be compared with PostgreSQL.
pub(crate) struct Check {
    pub(crate) view: View,
    pub(crate) replica: Replica,
    /// How many rows were asked for.
    pub(crate) count: u32,
    /// Whether a delta led here, because something had changed.
    pub(crate) followed: bool,
    pub(crate) snapshot: Arc<crate::snapshots::Held>,
}

pub(crate) struct Client {
    url: String,
    socket: RawSocket,
    rng: ChaCha8Rng,
    run: Arc<Run>,
    snapshots: Arc<Snapshots>,
    window: WindowId,
    view: View,
    replica: Replica,
    asked: Vec<Asked>,
    /// The newest generation an update has named.
    answered: Option<Generation>,
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
            view: View::random(&mut rng),
            rng,
            run,
            snapshots,
            window: 0,
            replica: Replica::default(),
            asked: Vec::new(),
            answered: None,
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
                Err(_) if self.run.is_behind() => self.acknowledge().await,
                Err(_) => self.act().await,
            }
        }
        Ok(())
    }

    async fn take(&mut self, message: ServerMsg) -> Result<(), String> {
        match message {
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
            Some(reason) => return Err(format!("{reason:?} for no reason: {context}")),
        }
        let asked = self
            .asked
            .iter()
            .find(|asked| asked.generation == update.generation);
        let asked = *asked.ok_or(format!("generation {} of {context}", update.generation))?;
        let (number, generation) = (update.number, update.generation);
        let followed = update.from.is_some() && update.changed_at_micros.is_some();
        self.replica
            .apply(update)
            .map_err(|error| format!("{error}: {context}"))?;
        if self.answered != Some(generation) {
            self.answered = Some(generation);
            self.check_start(asked)
                .map_err(|error| format!("{error}: {context}"))?;
        }
        self.run
            .show(self.replica.rows.iter().filter_map(|row| match row.key[1] {
                Value::Int(id) => Some(id),
                _ => None,
            }));
        let version = self
            .replica
            .version
            .clone()
            .ok_or("an update has a version")?;
        let check = Check {
            view: self.view.clone(),
            replica: self.replica.clone(),
            count: asked.count,
            followed,
            snapshot: self.snapshots.of(&version),
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
                self.view = View::random(&mut self.rng);
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
    fn anywhere(&mut self) -> (u64, u32) {
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
        (start, self.rng.random_range(1..60))
    }

    async fn open(&mut self, resume: Option<Resume>) {
        self.window += 1;
        self.owed = None;
        self.answered = None;
        self.resumed = resume.is_some();
        let (start, count) = match &resume {
            Some(_) => (self.replica.start, self.rng.random_range(1..60)),
            None => self.anywhere(),
        };
        self.asked = vec![Asked {
            generation: 0,
            start,
            count,
        }];
        let open = OpenWindow {
            window: self.window,
            generation: 0,
            view: self.view.spec.clone(),
            columns: COLUMNS.map(str::to_owned).to_vec(),
            start,
            count,
            from_end: false,
            resume,
            allow_expensive: true,
        };
        self.socket.send(&ClientMsg::Open(open)).await;
    }

    async fn move_on(&mut self) {
        let (start, count) = self.anywhere();
        let generation = self.asked.last().map_or(0, |asked| asked.generation) + 1;
        self.asked.push(Asked {
            generation,
            start,
            count,
        });
        self.owed = None;
        let moved = MoveWindow {
            window: self.window,
            generation,
            start,
            count,
            from_end: false,
            received: self.replica.number,
        };
        self.socket.send(&ClientMsg::Move(moved)).await;
    }
}
