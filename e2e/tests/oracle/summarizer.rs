//! A client that asks for one random summary after another and has every version it applies checked.

use std::sync::Arc;
use std::time::{Duration, Instant};

use e2e::RawSocket;
use e2e::summaries::SummaryReplica;
use protocol::{
    AckSummary, ClientMsg, ServerMsg, ShowGroups, Summarized, SummaryUpdate, Unsummarize,
};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use tokio::time::timeout;

use crate::asked::Asked;
use crate::groups::ShownGroups;
use crate::run::{Check, PATIENCE, Run, STALLED, Shown};
use crate::snapshots::{Named, Snapshots};

/// How long a client waits for messages before it does something, at most.
const RESTLESSNESS: Duration = Duration::from_millis(300);
/// How many versions a client follows before it asks for another summary.
const LOYALTY: usize = 12;
/// How often it finds that nothing has come before it does so.
const IDLE_MAX: usize = 10;

pub(crate) struct Summarizer {
    socket: RawSocket,
    rng: ChaCha8Rng,
    run: Arc<Run>,
    snapshots: Arc<Snapshots>,
    id: u32,
    asked: Asked,
    told: Option<Summarized>,
    replica: SummaryReplica,
    /// The ranges asked for, by their generation.
    ranges: Vec<(u64, u32)>,
}

impl Summarizer {
    pub(crate) async fn connect(
        url: &str,
        seed: u64,
        run: Arc<Run>,
        snapshots: Arc<Snapshots>,
    ) -> Self {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        Self {
            socket: RawSocket::connect(url).await,
            asked: run.summary(&mut rng),
            rng,
            run,
            snapshots,
            id: 0,
            told: None,
            replica: SummaryReplica::default(),
            ranges: Vec::new(),
        }
    }

    /// Looks at summaries until the run ends.
    pub(crate) async fn look(mut self) -> Result<(), String> {
        while !self.run.is_over() {
            self.ask().await;
            let followed = self.follow().await;
            followed.map_err(|error| format!("{error}\n{:?}", self.asked.spec))?;
            let end = Unsummarize { summary: self.id };
            self.socket.send(&ClientMsg::Unsummarize(end)).await;
        }
        Ok(())
    }

    async fn ask(&mut self) {
        self.id += 1;
        self.asked = self.run.summary(&mut self.rng);
        self.told = None;
        self.replica = SummaryReplica::default();
        let mut spec = self.asked.spec.clone();
        spec.summary = self.id;
        (spec.start, spec.count) = (self.rng.random_range(0..4), self.rng.random_range(1..40));
        self.ranges = vec![(spec.start, spec.count)];
        self.socket
            .send(&ClientMsg::Summarize(Box::new(spec)))
            .await;
    }

    async fn follow(&mut self) -> Result<(), String> {
        let asked_at = Instant::now();
        let (mut seen, mut idle) = (0, 0);
        while seen < LOYALTY && idle < IDLE_MAX && !self.run.is_over() {
            let patience = RESTLESSNESS.mul_f64(self.rng.random_range(0.05..1.0));
            let Ok(message) = timeout(patience, self.socket.next()).await else {
                if self.replica.version.is_none() && asked_at.elapsed() > PATIENCE {
                    let elapsed = asked_at.elapsed();
                    return Err(format!("{STALLED}: no groups came for {elapsed:?}"));
                }
                idle += usize::from(self.replica.version.is_some());
                self.act().await;
                continue;
            };
            match message.map_err(|code| format!("the server closed the socket: {code:?}"))? {
                ServerMsg::Summarized(told) if told.summary == self.id => self.told = Some(told),
                ServerMsg::Summary(update) if update.summary == self.id => {
                    self.update(update).await?;
                    seen += 1;
                }
                ServerMsg::SummaryRefused(refused) => return Err(format!("{refused:?}")),
                ServerMsg::Error(error) => return Err(format!("{error:?}")),
                _ => {}
            }
        }
        Ok(())
    }

    async fn update(&mut self, update: SummaryUpdate) -> Result<(), String> {
        let followed = update.from.is_some() && update.changed_at_micros.is_some();
        self.replica.apply(update)?;
        let named = Named::by(self.replica.version.as_ref().ok_or("a version")?);
        self.run.check_instant(&self.asked.view, &named)?;
        let range = self.ranges.get(self.replica.generation as usize);
        let &(start, count) = range.ok_or("a generation that was not asked for")?;
        let check = Check {
            held: self.snapshots.of(&named),
            named,
            followed,
            shown: Shown::Groups(Box::new(ShownGroups {
                asked: self.asked.clone(),
                told: self.told.clone().ok_or("groups before their keys")?,
                replica: self.replica.clone(),
                start,
                count,
            })),
        };
        self.run.check(check).await;
        if self.rng.random_bool(0.8) {
            self.acknowledge().await;
        }
        Ok(())
    }

    async fn acknowledge(&mut self) {
        let ack = AckSummary {
            summary: self.id,
            number: self.replica.number,
        };
        self.socket.send(&ClientMsg::AckSummary(ack)).await;
    }

    async fn act(&mut self) {
        if self.run.is_behind() || self.rng.random_bool(0.6) {
            return self.acknowledge().await;
        }
        let (start, count) = (self.rng.random_range(0..12), self.rng.random_range(1..40));
        self.ranges.push((start, count));
        let show = ShowGroups {
            summary: self.id,
            generation: u32::try_from(self.ranges.len() - 1).unwrap(),
            start,
            count,
            received: self.replica.number,
        };
        self.socket.send(&ClientMsg::ShowGroups(show)).await;
    }
}
