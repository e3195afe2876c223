//! Room for looks at tables that are not live.

use std::fmt;
use std::time::Duration;

use sqlx::Connection;
use sqlx::postgres::{PgConnection, PgPool};
use tokio::sync::Semaphore;
use tokio::time::{Instant, timeout};

use crate::changes::SnapshotHook;
use crate::db::polls::{Look, Place, PolledQuery};
use crate::db::rows::FetchError;
use crate::limits::{POLL_CONNECTIONS_SLOW, POLL_RANGES_MAX, POLL_TIMEOUT, POLL_TIMEOUT_GRACE};

/// Room for looks at tables that are not live: connections of their own, of which those that are slow, or
/// may hang with another server, get only some.
pub struct Lanes {
    pool: PgPool,
    slow: Semaphore,
    hook: Option<SnapshotHook>,
}

impl fmt::Debug for Lanes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { pool, slow, hook } = self;
        f.debug_struct("Lanes")
            .field("pool", pool)
            .field("slow", slow)
            .field("has_hook", &hook.is_some())
            .finish()
    }
}

/// What became of a look.
#[derive(Debug)]
pub struct Looked {
    /// What was seen: one look for every few places.
    pub looks: Result<Vec<Look>, LookError>,
    /// How long it took, waiting for room not counted.
    pub took: Duration,
}

/// Why a look saw nothing.
#[derive(Debug)]
pub enum LookError {
    /// The table is not what the catalogue says.
    SchemaChanged(String),
    /// It took too long.
    Timeout,
    /// PostgreSQL cannot be reached.
    Unreachable,
    /// PostgreSQL refused it, in its words.
    Refused(String),
}

impl Lanes {
    /// Looks through this pool.
    pub fn new(pool: PgPool, hook: Option<SnapshotHook>) -> Self {
        Self {
            hook,
            pool,
            slow: Semaphore::new(POLL_CONNECTIONS_SLOW),
        }
    }

    /// Looks at these places of a view.
    pub async fn look(&self, query: &PolledQuery, places: &[Place], is_slow: bool) -> Looked {
        let turn = if is_slow {
            self.slow.acquire().await.ok()
        } else {
            None
        };
        let connected = self.pool.acquire().await;
        let began = Instant::now();
        let looks = match connected {
            Err(_) => Err(LookError::Unreachable),
            Ok(mut connection) => {
                let looking = self.look_at_all(query, &mut connection, places);
                match timeout(POLL_TIMEOUT + POLL_TIMEOUT_GRACE, looking).await {
                    Ok(looks) => looks.map_err(|error| meaning(&error)),
                    Err(_) => {
                        // PostgreSQL does not even notice its own limit: it waits for another server.
                        drop(connection.detach());
                        Err(LookError::Timeout)
                    }
                }
            }
        };
        drop(turn);
        Looked {
            looks,
            took: began.elapsed(),
        }
    }

    async fn look_at_all(
        &self,
        query: &PolledQuery,
        connection: &mut PgConnection,
        places: &[Place],
    ) -> Result<Vec<Look>, FetchError> {
        let mut looks = Vec::new();
        for places in places.chunks(POLL_RANGES_MAX) {
            looks.push(self.look_once(query, connection, places).await?);
        }
        if looks.is_empty() {
            looks.push(self.look_once(query, connection, &[]).await?);
        }
        Ok(looks)
    }

    async fn look_once(
        &self,
        query: &PolledQuery,
        connection: &mut PgConnection,
        places: &[Place],
    ) -> Result<Look, FetchError> {
        let Some(hook) = &self.hook else {
            return query.look(connection, places).await;
        };
        let mut transaction = connection.begin().await?;
        let (look, exported) = query.exported_look(&mut transaction, places).await?;
        if !hook(exported, look.snapshot.clone()).await {
            return Err(sqlx::Error::PoolClosed.into());
        }
        transaction.commit().await?;
        Ok(look)
    }
}

fn meaning(error: &FetchError) -> LookError {
    let FetchError::Database(error) = error else {
        return LookError::SchemaChanged(error.to_string());
    };
    let Some(error) = error.as_database_error() else {
        return LookError::Unreachable;
    };
    match error.code().unwrap_or_default().as_bytes() {
        b"57014" => LookError::Timeout,
        b"42703" | b"42P01" | b"3F000" => LookError::SchemaChanged(error.message().to_owned()),
        // The table is being altered, or the server stops or has no room.
        b"55P03" => LookError::Timeout,
        [b'5', b'7', ..] | [b'5', b'3', ..] => LookError::Unreachable,
        _ => LookError::Refused(error.message().to_owned()),
    }
}
