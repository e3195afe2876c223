//! The indexes that one client has asked for.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use protocol::{CreateIndex, ErrorCode, IndexProgress, IndexState, ServerMsg};
use tokio_util::sync::CancellationToken;

use crate::limits::{INDEXES_FOLLOWED_MAX, WRONG_TOKENS_MAX};
use crate::views::indexer::{IndexBuild, Refused, is_last};
use crate::views::plan::Refusal;
use crate::views::{ClientRef, Engine};

/// The indexes that one client has asked for.
#[derive(Debug)]
pub struct Indexing {
    client: ClientRef,
    engine: Arc<Engine>,
    /// Stops those that go on, by the client's numbers. Going away stops nothing.
    asked: Arc<Mutex<HashMap<u64, CancellationToken>>>,
    wrong_tokens: u32,
}

impl Indexing {
    /// None yet.
    pub fn new(client: ClientRef, engine: Arc<Engine>) -> Self {
        Self {
            client,
            engine,
            asked: Arc::default(),
            wrong_tokens: 0,
        }
    }

    /// Creates an index without holding up the client's other requests.
    pub fn create(&mut self, asked: CreateIndex) {
        let CreateIndex {
            id,
            view,
            name,
            token,
        } = asked;
        if let Err(refusal) = self.engine.indexer().authorize(&token) {
            self.wrong_tokens += 1;
            tell(&self.client, id, failed(refusal));
            if self.wrong_tokens >= WRONG_TOKENS_MAX {
                self.client.cut();
            }
            return;
        }
        let cancel = CancellationToken::new();
        if let Err(refusal) = self.remember(id, &cancel) {
            return tell(&self.client, id, failed(refusal));
        }
        let (client, engine, known) =
            (self.client.clone(), self.engine.clone(), self.asked.clone());
        tokio::spawn(async move {
            let creating = engine.indexer().create(&engine, &view, &name);
            let created = tokio::select! {
                biased;
                created = creating => created.map_err(Refused::into_refusal),
                () = cancel.cancelled() => Err(Refusal {
                    code: ErrorCode::Cancelled,
                    message: "stopped before it began".to_owned(),
                }),
            };
            match created {
                Ok(build) => follow(&client, id, &build, &cancel).await,
                Err(refusal) => tell(&client, id, failed(refusal)),
            }
            let mut known = known.lock().unwrap_or_else(PoisonError::into_inner);
            known.remove(&id);
        });
    }

    /// Takes a number for one more.
    fn remember(&self, id: u64, cancel: &CancellationToken) -> Result<(), Refusal> {
        let mut asked = self.lock();
        let message = if asked.contains_key(&id) {
            format!("{id} is in use on this socket; choose another number")
        } else if asked.len() >= INDEXES_FOLLOWED_MAX {
            format!("this socket waits for {INDEXES_FOLLOWED_MAX} indexes, as many as it may")
        } else {
            asked.insert(id, cancel.clone());
            return Ok(());
        };
        Err(Refusal {
            code: ErrorCode::RateLimited,
            message,
        })
    }

    /// Stops the creation of an index.
    pub fn cancel(&self, id: u64) {
        match self.lock().get(&id) {
            Some(cancel) => cancel.cancel(),
            None => {
                let message = format!("no index of number {id} is being created for this socket");
                self.client.refuse(ErrorCode::StaleAdvice, message, None);
            }
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<u64, CancellationToken>> {
        self.asked.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Tells the client how far an index is, until it is there or not, or the client is gone; stops it if the client
/// asks for that.
async fn follow(client: &ClientRef, id: u64, build: &IndexBuild, cancel: &CancellationToken) {
    let mut state = build.state.clone();
    loop {
        let now = state.borrow_and_update().clone();
        let over = is_last(&now);
        tell(client, id, now);
        if over || client.is_gone() {
            return;
        }
        tokio::select! {
            changed = state.changed() => if changed.is_err() { return },
            () = cancel.cancelled(), if !build.is_stopping() => build.cancel(),
        }
    }
}

fn tell(client: &ClientRef, id: u64, state: IndexState) {
    client.send(ServerMsg::IndexProgress(IndexProgress { id, state }));
}

fn failed(Refusal { code, message }: Refusal) -> IndexState {
    IndexState::Failed { code, message }
}
