//! The catalogue as it was last read.

use std::sync::Arc;

use sqlx::postgres::PgPool;
use tokio::sync::watch;

use crate::db::catalog::Catalog;

/// The catalogue as it was last read.
#[derive(Debug)]
pub struct CatalogStore {
    pool: PgPool,
    current: watch::Sender<Arc<Catalog>>,
}

impl CatalogStore {
    /// An empty one; [`Self::reload`] fills it.
    pub fn new(pool: PgPool) -> Self {
        Self {
            pool,
            current: watch::Sender::new(Arc::default()),
        }
    }

    /// As last read.
    pub fn current(&self) -> Arc<Catalog> {
        self.current.borrow().clone()
    }

    /// Reads it again.
    ///
    /// # Errors
    /// If PostgreSQL cannot be asked; the old one stays.
    pub async fn reload(&self) -> Result<Arc<Catalog>, sqlx::Error> {
        let catalog = Arc::new(Catalog::load(&self.pool).await?);
        self.current.send_replace(catalog.clone());
        Ok(catalog)
    }
}
