//! The catalogue as it was last read.

use std::sync::Arc;
use std::time::Duration;

use sqlx::postgres::PgPool;
use tokio::sync::watch;

use crate::db::catalog::{Catalog, TableDef};

/// The catalogue as it was last read.
#[derive(Debug)]
pub struct CatalogStore {
    pool: PgPool,
    /// The pause at which tables are polled that are not live.
    poll_interval: Duration,
    current: watch::Sender<Arc<Catalog>>,
    /// Held while it is read, so that an older answer never replaces a newer one.
    reading: tokio::sync::Mutex<()>,
}

impl CatalogStore {
    /// An empty one; [`Self::reload`] fills it.
    pub fn new(pool: PgPool, poll_interval: Duration) -> Self {
        Self {
            pool,
            poll_interval,
            current: watch::Sender::new(Arc::default()),
            reading: tokio::sync::Mutex::default(),
        }
    }

    /// As last read.
    pub fn current(&self) -> Arc<Catalog> {
        self.current.borrow().clone()
    }

    /// As last read, now and whenever it is read again.
    pub fn follow(&self) -> watch::Receiver<Arc<Catalog>> {
        self.current.subscribe()
    }

    /// The pause at which tables are polled that are not live.
    pub fn poll_interval(&self) -> Duration {
        self.poll_interval
    }

    /// Reads it again.
    ///
    /// # Errors
    /// If PostgreSQL cannot be asked; the old one stays.
    pub async fn reload(&self) -> Result<Arc<Catalog>, sqlx::Error> {
        let reading = self.reading.lock().await;
        let catalog = Arc::new(Catalog::load_for(&self.pool, self.poll_interval).await?);
        self.current.send_replace(catalog.clone());
        drop(reading);
        Ok(catalog)
    }

    /// Reads one table again; `None` if it is gone.
    ///
    /// # Errors
    /// If PostgreSQL cannot be asked; the old description stays.
    pub async fn refresh(&self, oid: u32) -> Result<Option<Arc<TableDef>>, sqlx::Error> {
        let reading = self.reading.lock().await;
        let known = self.current();
        let catalog = known
            .with_table(&self.pool, self.poll_interval, oid)
            .await?;
        let table = catalog.get(oid).cloned();
        if table.as_ref() != known.get(oid) {
            self.current.send_replace(Arc::new(catalog));
        }
        drop(reading);
        Ok(table)
    }
}
