//! Writing many generated rows by COPY, chunk by chunk, in bounded memory.

use std::ops::Range;

use sqlx::{AssertSqlSafe, Connection, PgConnection};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use crate::calendar::Micros;
use crate::copy_text::CopyLines;
use crate::progress::Progress;
use crate::run::Error;

/// Rows per transaction: what an interruption loses at most.
const CHUNK_ROWS: u64 = 32_768;

/// Rows made at a time; a multiple of the events' block.
const PIECE_ROWS: u64 = 1_024;

/// Pieces made ahead while the server takes earlier ones.
const PIECES_AHEAD: usize = 4;

/// Appends the rows with these numbers, from 0.
pub(crate) type WriteRows = fn(seed: u64, until: Micros, rows: Range<u64>, lines: &mut CopyLines);

/// A table to be filled.
#[derive(Clone, Copy)]
pub(crate) struct Load {
    pub(crate) table: &'static str,
    pub(crate) columns: &'static str,
    pub(crate) write: WriteRows,
    pub(crate) seed: u64,
    pub(crate) until: Micros,
    pub(crate) total: u64,
}

/// What is there of a table's rows.
pub(crate) enum Found {
    /// This many of ours, finished (indexed, watched) or not.
    Ours {
        done: u64,
        until: Micros,
        finished: bool,
    },
    /// Rows that somebody else wrote.
    Foreign,
}

impl Load {
    /// What an earlier run, or somebody else, left.
    pub(crate) async fn find(&self, connection: &mut PgConnection) -> Result<Found, Error> {
        let empty: bool = sqlx::query_scalar(AssertSqlSafe(format!(
            "select not exists (select from public.{})",
            self.table
        )))
        .fetch_one(&mut *connection)
        .await?;
        if empty {
            // Never filled, or emptied since: either way from the start.
            sqlx::query("delete from rowcast.seed_progress where table_name = $1")
                .bind(self.table)
                .execute(connection)
                .await?;
            return Ok(Found::Ours {
                done: 0,
                until: self.until,
                finished: true,
            });
        }
        let known: Option<(i64, i64, i64, bool)> = sqlx::query_as(
            "select seed, done, (extract(epoch from until) * 1000000)::bigint, finished \
             from rowcast.seed_progress where table_name = $1",
        )
        .bind(self.table)
        .fetch_optional(connection)
        .await?;
        let Some((seed, done, until, finished)) = known else {
            return Ok(Found::Foreign);
        };
        let (seed, done) = (seed.cast_unsigned(), done.cast_unsigned());
        if seed != self.seed && done < self.total {
            return Err(Error::OtherSeed {
                table: self.table,
                seed,
            });
        }
        Ok(Found::Ours {
            done,
            until,
            finished,
        })
    }

    /// Writes the rows from `done` on; returns how far it came, which is less than all of them if
    /// it was stopped.
    pub(crate) async fn run(
        &self,
        connection: &mut PgConnection,
        done: u64,
        progress: &mut Progress,
        stop: &CancellationToken,
    ) -> Result<u64, Error> {
        let (sender, mut pieces) = mpsc::channel(PIECES_AHEAD);
        let load = *self;
        let maker = tokio::task::spawn_blocking(move || load.make_pieces(done, &sender));
        let mut done = done;
        while done < self.total && !stop.is_cancelled() {
            done = self
                .write_chunk(connection, done, &mut pieces, progress)
                .await?;
        }
        drop(pieces);
        maker.await.map_err(Error::Maker)?;
        Ok(done)
    }

    /// Makes rows for as long as somebody takes them.
    fn make_pieces(&self, done: u64, sender: &mpsc::Sender<(u64, Vec<u8>)>) {
        let mut from = done;
        let mut size = 0;
        while from < self.total {
            let chunk_end = from - from % CHUNK_ROWS + CHUNK_ROWS;
            let to = (from - from % PIECE_ROWS + PIECE_ROWS)
                .min(chunk_end)
                .min(self.total);
            let mut lines = CopyLines::with_capacity(size);
            (self.write)(self.seed, self.until, from..to, &mut lines);
            // The next piece will be about as large.
            size = lines.len() + lines.len() / 8;
            if sender.blocking_send((to, lines.into_bytes())).is_err() {
                return;
            }
            from = to;
        }
    }

    /// One transaction: the rows, and that they are there.
    async fn write_chunk(
        &self,
        connection: &mut PgConnection,
        done: u64,
        pieces: &mut mpsc::Receiver<(u64, Vec<u8>)>,
        progress: &mut Progress,
    ) -> Result<u64, Error> {
        let chunk_end = (done - done % CHUNK_ROWS + CHUNK_ROWS).min(self.total);
        let mut transaction = connection.begin().await?;
        let statement = format!("copy public.{} ({}) from stdin", self.table, self.columns);
        let mut copy = transaction.copy_in_raw(&statement).await?;
        let mut reached = done;
        while reached < chunk_end {
            let Some((to, bytes)) = pieces.recv().await else {
                break;
            };
            copy.send(bytes).await?;
            progress.advance(to - reached);
            reached = to;
        }
        copy.finish().await?;
        sqlx::query(
            "insert into rowcast.seed_progress (table_name, seed, until, done) \
             values ($1, $2, to_timestamp($3 / 1000000.0), $4) \
             on conflict (table_name) do update set done = excluded.done, finished = false",
        )
        .bind(self.table)
        .bind(self.seed.cast_signed())
        .bind(self.until)
        .bind(reached.cast_signed())
        .execute(&mut *transaction)
        .await?;
        transaction.commit().await?;
        Ok(reached)
    }
}
