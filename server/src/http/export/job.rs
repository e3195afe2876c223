//! One export under way: PostgreSQL's rows to the encoder, and the encoder's bytes to the client.

use std::sync::Arc;

use protocol::Version;
use sqlx::postgres::PgPool;
use tokio::sync::{OwnedSemaphorePermit, mpsc, oneshot};
use tokio_util::sync::CancellationToken;

use super::encode::{self, Format, Layout, Rows};
use super::output::ChunkWriter;
use super::refusal;
use crate::changes::batch::Mark;
use crate::db::catalog::TableDef;
use crate::db::export::{self, ExportReader, Question};
use crate::db::timeouts::Timeouts;
use crate::http::problem::Problem;
use crate::limits::{EXPORT_BATCH_QUEUE, EXPORT_CANCEL_TIMEOUT, XLSX_ROWS_MAX};
use crate::views::plan::Plan;

/// An export, planned.
#[derive(Debug)]
pub struct Job {
    /// For cancelling; the rows come by a connection beside it.
    pub pool: PgPool,
    /// How long it may take.
    pub timeouts: Timeouts,
    /// The table.
    pub table: Arc<TableDef>,
    /// Which columns.
    pub columns: Vec<usize>,
    /// Which rows, in which order.
    pub plan: Plan,
    /// As what.
    pub format: Format,
    /// Held while it lasts.
    pub place: OwnedSemaphorePermit,
    /// Cancelled when the client is gone.
    pub gone: CancellationToken,
    /// Cancelled when the server stops.
    pub stop: CancellationToken,
}

/// What the one who answers the request is told.
#[derive(Debug)]
pub struct Signals {
    /// The snapshot is taken, and the rows are not too many.
    pub begun: oneshot::Sender<Result<Option<Version>, Problem>>,
    /// The first rows are there (or there are none).
    pub flowing: oneshot::Sender<Result<(), Problem>>,
}

/// Why an export ended before its last row.
#[derive(Debug)]
enum Cut {
    /// PostgreSQL failed.
    Failed(sqlx::Error),
    /// The client left, or takes nothing.
    Gone,
    /// The server stops.
    Stopped,
}

impl From<sqlx::Error> for Cut {
    fn from(error: sqlx::Error) -> Self {
        Self::Failed(error)
    }
}

impl Job {
    /// Runs it to its end.
    pub async fn run(self, out: ChunkWriter, signals: Signals) {
        let Self {
            pool,
            timeouts,
            gone,
            stop,
            ..
        } = &self;
        let began = tokio::select! {
            biased;
            () = gone.cancelled() => return,
            () = stop.cancelled() => Err(refusal::stopping()),
            began = ExportReader::begin(pool, timeouts) => began.map_err(|error| refusal::database(&error)),
        };
        let mut reader = match began {
            Ok(reader) => reader,
            // Nobody is told if nobody waits any more.
            Err(refused) => return drop(signals.begun.send(Err(refused))),
        };
        let (pool, backend) = (pool.clone(), reader.backend());
        let (gone, stop) = (gone.clone(), stop.clone());
        let ended = tokio::select! {
            biased;
            () = gone.cancelled() => Err(Cut::Gone),
            () = stop.cancelled() => Err(Cut::Stopped),
            ended = self.read(&mut reader, out, signals) => ended,
        };
        match ended {
            Ok(()) => reader.end().await,
            Err(Cut::Failed(error)) => tracing::info!(%error, "an export failed"),
            Err(cut) => {
                tracing::debug!(?cut, "an export was cut short");
                let cancelling = export::cancel(&pool, backend);
                let cancelled = tokio::time::timeout(EXPORT_CANCEL_TIMEOUT, cancelling).await;
                if !matches!(cancelled, Ok(Ok(()))) {
                    tracing::warn!(
                        "an export's query was not cancelled; PostgreSQL ends it itself"
                    );
                }
                drop(reader);
            }
        }
    }

    async fn read(
        self,
        reader: &mut ExportReader,
        out: ChunkWriter,
        signals: Signals,
    ) -> Result<(), Cut> {
        let question = Question {
            table: self.plan.source(&self.table),
            columns: &self.columns,
            filter: &self.plan.condition,
            order: &self.plan.order,
        };
        if let Err(refused) = fits(reader, question, self.format).await {
            drop(signals.begun.send(Err(refused)));
            return Ok(());
        }
        drop(signals.begun.send(Ok(version(reader))));
        let (rows, received) = mpsc::channel(EXPORT_BATCH_QUEUE);
        let (layout, format, place) = (self.layout(), self.format, self.place);
        tokio::task::spawn_blocking(move || {
            let ended = encode::run(format, &layout, out, received);
            if let Err(error) = ended {
                tracing::debug!(%error, "an export's file was not finished");
            }
            drop(place);
        });
        let mut source = reader.rows(question);
        let mut next = match source.next().await {
            Ok(first) => first,
            Err(error) => {
                drop(signals.flowing.send(Err(refusal::database(&error))));
                return Err(Cut::Failed(error));
            }
        };
        drop(signals.flowing.send(Ok(())));
        while let Some(batch) = next {
            let taken = rows.send(Rows::Batch(batch)).await;
            taken.map_err(|_| Cut::Gone)?;
            next = source.next().await?;
        }
        rows.send(Rows::End).await.map_err(|_| Cut::Gone)
    }

    fn layout(&self) -> Layout {
        let defs = || self.columns.iter().map(|&at| &self.table.columns[at]);
        Layout {
            title: self.table.bare_name.clone(),
            columns: defs().map(|def| def.shown.clone()).collect(),
            nested: defs().map(|def| def.is_nested()).collect(),
        }
    }
}

/// Whether the format has room for the rows.
async fn fits(
    reader: &mut ExportReader,
    question: Question<'_>,
    format: Format,
) -> Result<(), Problem> {
    if format != Format::Xlsx {
        return Ok(());
    }
    let counted = reader.count_up_to(question, u64::from(XLSX_ROWS_MAX)).await;
    match counted.map_err(|error| refusal::database(&error))? {
        rows if rows < u64::from(XLSX_ROWS_MAX) => Ok(()),
        _ => Err(refusal::too_many_rows()),
    }
}

fn version(reader: &ExportReader) -> Option<Version> {
    let mark = Mark {
        epoch: reader.epoch()?.to_owned(),
        snapshot: reader.snapshot().clone(),
    };
    Some(mark.version())
}
