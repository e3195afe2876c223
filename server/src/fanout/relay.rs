//! Batches between servers, through Redis pub/sub.
//!
//! Pub/sub loses what is published while a subscriber is away and drops slow subscribers, so nothing here
//! relies on delivery. The leader says several times a second where it is, which shows a follower
//! that it missed something, or that Redis or the leader is gone. A follower says as often which tables it
//! wants told; a batch names those it tells all of, and a follower reads the log itself while one of its own is not among them.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, Mutex, PoisonError};

use futures_util::StreamExt;
use redis::AsyncCommands;
use redis::aio::MultiplexedConnection;
use serde::{Deserialize, Serialize};
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, MissedTickBehavior, interval, sleep, timeout};
use tokio_util::sync::CancellationToken;

use super::Router;
use crate::changes::{Batch, Mark};
use crate::limits::{
    FOLLOWER_SILENCE_MAX, HEARTBEAT, PUBLISH_BYTES_MAX, READER_TIMEOUT, RECONNECT_BACKOFF,
    REDIS_BACKOFF_MAX, RELAY_QUEUE,
};

/// This server's end of the relay.
#[derive(Debug)]
pub struct Relay {
    outgoing: mpsc::Sender<Outgoing>,
    incoming: mpsc::Receiver<Arc<Batch>>,
    wishes: Arc<Mutex<Wishes>>,
}

/// What each of the other servers wants told, and when it said so.
type Wishes = HashMap<u64, (Instant, BTreeSet<u32>)>;

#[derive(Debug)]
enum Outgoing {
    Batch(Arc<Batch>),
    Mark(Mark),
    /// Another server leads: say nothing more.
    Resign,
}

/// What travels on the channel.
#[derive(Debug, Serialize, Deserialize)]
struct Message<B> {
    /// The server that published it, which ignores it.
    from: u64,
    body: Body<B>,
}

#[derive(Debug, Serialize, Deserialize)]
enum Body<B> {
    /// From the leader.
    Batch(B),
    /// From a follower: the tables that it wants told.
    Wanted(BTreeSet<u32>),
}

impl Relay {
    /// Connects for as long as `stop` is not cancelled; `connected` says whether Redis is there.
    ///
    /// # Errors
    /// If the address is not one of Redis.
    pub fn start(
        url: &str,
        channel: String,
        router: Arc<Router>,
        connected: watch::Sender<bool>,
        stop: &CancellationToken,
    ) -> Result<Self, redis::RedisError> {
        let client = redis::Client::open(url)?;
        let (outgoing, to_publish) = mpsc::channel(RELAY_QUEUE);
        let (received, incoming) = mpsc::channel(RELAY_QUEUE);
        let server = rand::random();
        let publisher = Publisher {
            client: client.clone(),
            channel: channel.clone(),
            server,
            router,
        };
        let wishes: Arc<Mutex<Wishes>> = Arc::default();
        let publisher = publisher.run(to_publish);
        let subscriber = Subscriber {
            client,
            channel,
            server,
            received,
            wishes: wishes.clone(),
            connected,
        }
        .run();
        let (stop_publisher, stop_subscriber) = (stop.clone(), stop.clone());
        tokio::spawn(async move { stop_publisher.run_until_cancelled(publisher).await });
        tokio::spawn(async move { stop_subscriber.run_until_cancelled(subscriber).await });
        Ok(Self {
            outgoing,
            incoming,
            wishes,
        })
    }

    /// Tells the other servers, if they can be reached and there is room; they read the log otherwise.
    pub fn publish(&self, batch: &Arc<Batch>) {
        let message = if batch.is_empty() {
            Outgoing::Mark(batch.next.clone())
        } else {
            Outgoing::Batch(batch.clone())
        };
        if self.outgoing.try_send(message).is_err() {
            tracing::debug!("a batch was not published; other servers read the log");
        }
    }

    /// The tables that other servers have lately said they want told.
    pub fn wanted(&self) -> BTreeSet<u32> {
        let mut wishes = self.wishes.lock().unwrap_or_else(PoisonError::into_inner);
        wishes.retain(|_, (said, _)| said.elapsed() < FOLLOWER_SILENCE_MAX);
        let tables = wishes.values().flat_map(|(_, tables)| tables);
        tables.copied().collect()
    }

    /// Another server leads from now on.
    pub fn resign(&self) {
        drop(self.outgoing.try_send(Outgoing::Resign));
    }

    /// What another server published; `None` only at shutdown.
    pub async fn receive(&mut self) -> Option<Arc<Batch>> {
        self.incoming.recv().await
    }
}

struct Publisher {
    client: redis::Client,
    channel: String,
    server: u64,
    router: Arc<Router>,
}

impl Publisher {
    /// Publishes batches as they come and, now and then, where this server is if it leads, else what it wants.
    async fn run(self, mut outgoing: mpsc::Receiver<Outgoing>) {
        let mut connection = None;
        let mut mark: Option<Mark> = None;
        let mut heartbeat = interval(HEARTBEAT);
        heartbeat.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            let payload = tokio::select! {
                message = outgoing.recv() => match message {
                    None => return,
                    Some(Outgoing::Batch(batch)) => {
                        mark = Some(batch.next.clone());
                        self.encode(&batch)
                    }
                    Some(Outgoing::Mark(next)) => {
                        mark = Some(next);
                        continue;
                    }
                    Some(Outgoing::Resign) => {
                        mark = None;
                        continue;
                    }
                },
                _ = heartbeat.tick() => match &mark {
                    Some(mark) => self.encode(&empty(mark)),
                    None => self.encode_body(Body::<Batch>::Wanted(self.router.wanted())),
                },
            };
            if let Some(payload) = payload {
                self.send(&mut connection, payload).await;
            }
        }
    }

    async fn send(&self, connection: &mut Option<MultiplexedConnection>, payload: Vec<u8>) {
        if connection.is_none() {
            let connecting = self.client.get_multiplexed_async_connection();
            *connection = timeout(READER_TIMEOUT, connecting)
                .await
                .ok()
                .and_then(Result::ok);
        }
        let Some(open) = connection else { return };
        let published: Result<(), _> = open.publish(&self.channel, payload).await;
        if let Err(error) = published {
            tracing::debug!(%error, "a batch was not published; other servers read the log");
            *connection = None;
        }
    }

    /// The batch, or only where it ends if it is too large: followers read the log then.
    fn encode(&self, batch: &Batch) -> Option<Vec<u8>> {
        let whole = self.encode_body(Body::Batch(batch))?;
        if whole.len() <= PUBLISH_BYTES_MAX {
            Some(whole)
        } else {
            self.encode_body(Body::Batch(&empty(&batch.next)))
        }
    }

    fn encode_body<B: Serialize>(&self, body: Body<B>) -> Option<Vec<u8>> {
        let from = self.server;
        postcard::to_stdvec(&Message { from, body })
            .inspect_err(
                |error| tracing::error!(%error, "a message to other servers cannot be encoded"),
            )
            .ok()
    }
}

/// Says where the leader is.
fn empty(mark: &Mark) -> Batch {
    let (prev, next) = (mark.snapshot.clone(), mark.clone());
    Batch {
        prev,
        next,
        tables: HashMap::new(),
        complete: BTreeSet::new(),
        reset: None,
    }
}

struct Subscriber {
    client: redis::Client,
    channel: String,
    server: u64,
    received: mpsc::Sender<Arc<Batch>>,
    wishes: Arc<Mutex<Wishes>>,
    connected: watch::Sender<bool>,
}

impl Subscriber {
    /// Receives batches, reconnecting for as long as it takes.
    async fn run(self) {
        let mut backoff = RECONNECT_BACKOFF.0;
        loop {
            let connecting = timeout(READER_TIMEOUT, self.client.get_async_pubsub());
            if let Ok(Ok(mut pubsub)) = connecting.await
                && pubsub.subscribe(&self.channel).await.is_ok()
            {
                self.connected.send_replace(true);
                backoff = RECONNECT_BACKOFF.0;
                let mut messages = pubsub.on_message();
                // A leader is heard several times a second, so a long silence is a dead connection.
                while let Ok(Some(message)) = timeout(READER_TIMEOUT, messages.next()).await {
                    self.forward(message.get_payload_bytes());
                }
            }
            if self.connected.send_replace(false) {
                tracing::warn!("lost Redis; every server reads the change log until it is back");
            }
            sleep(backoff).await;
            backoff = (backoff * 2).min(REDIS_BACKOFF_MAX);
        }
    }

    fn forward(&self, payload: &[u8]) {
        match postcard::from_bytes::<Message<Batch>>(payload) {
            Ok(message) if message.from == self.server => {}
            Ok(Message { from, body }) => match body {
                // A full queue loses it, as Redis itself might.
                Body::Batch(batch) => drop(self.received.try_send(Arc::new(batch))),
                Body::Wanted(tables) => {
                    let mut wishes = self.wishes.lock().unwrap_or_else(PoisonError::into_inner);
                    wishes.insert(from, (Instant::now(), tables));
                }
            },
            Err(error) => tracing::warn!(%error, "ignored what is no batch on Redis"),
        }
    }
}
