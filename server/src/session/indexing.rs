//! The indexes that one client has asked for.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use protocol::{CreateIndex, ErrorCode, IndexProgress, IndexState, ServerMsg};

use crate::limits::WRONG_TOKENS_MAX;
use crate::views::indexer::{Running, is_last};
use crate::views::{ClientRef, Engine};

/// The indexes that one client has asked for.
#[derive(Debug)]
pub struct Indexing {
    client: ClientRef,
    engine: Arc<Engine>,
    /// Those that go on, by the client's numbers.
    running: Arc<Mutex<HashMap<u64, Arc<Running>>>>,
    wrong_tokens: u32,
}

impl Indexing {
    /// None yet.
    pub fn new(client: ClientRef, engine: Arc<Engine>) -> Self {
        Self {
            client,
            engine,
            running: Arc::default(),
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
            tell(&self.client, id, failed(refusal.code, refusal.message));
            if self.wrong_tokens >= WRONG_TOKENS_MAX {
                self.client.cut();
            }
            return;
        }
        if self.lock().contains_key(&id) {
            let message = format!("{id} is in use on this socket; choose another number");
            return tell(&self.client, id, failed(ErrorCode::RateLimited, message));
        }
        let (client, engine, known) = (
            self.client.clone(),
            self.engine.clone(),
            self.running.clone(),
        );
        tokio::spawn(async move {
            let running = match engine.indexer().create(&engine, &view, &name).await {
                Ok(running) => running,
                Err(refusal) => return tell(&client, id, failed(refusal.code, refusal.message)),
            };
            let lock = || known.lock().unwrap_or_else(PoisonError::into_inner);
            lock().insert(id, running.clone());
            follow(&client, id, &running).await;
            lock().remove(&id);
        });
    }

    /// Stops the creation of an index.
    pub fn cancel(&self, id: u64) {
        match self.lock().get(&id) {
            Some(running) => running.cancel(),
            None => {
                let message = format!("no index of number {id} is being created for this socket");
                self.client.refuse(ErrorCode::StaleAdvice, message, None);
            }
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<u64, Arc<Running>>> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Tells the client how far an index is, until it is there or not, or the client is gone.
async fn follow(client: &ClientRef, id: u64, running: &Running) {
    let mut state = running.state.clone();
    loop {
        let now = state.borrow_and_update().clone();
        let over = is_last(&now);
        tell(client, id, now);
        if over || client.is_gone() || state.changed().await.is_err() {
            return;
        }
    }
}

fn tell(client: &ClientRef, id: u64, state: IndexState) {
    client.send(ServerMsg::IndexProgress(IndexProgress { id, state }));
}

fn failed(code: ErrorCode, message: impl Into<String>) -> IndexState {
    IndexState::Failed {
        code,
        message: message.into(),
    }
}
