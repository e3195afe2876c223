//! From an encoder, which writes and waits, to the body of an answer.

use std::io::{self, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use axum::body::{Body, Bytes};
use futures_util::stream;
use tokio::runtime::Handle;
use tokio::sync::mpsc;
use tokio_util::sync::DropGuard;

use crate::limits::{EXPORT_CHUNK_BYTES, EXPORT_CHUNK_QUEUE, EXPORT_STALL_MAX};

/// Where an encoder writes: chunks go to the client as it takes them, and a client that takes none for a while
/// makes writing fail. Only for threads that may block.
#[derive(Debug)]
pub struct ChunkWriter {
    chunks: mpsc::Sender<Bytes>,
    buffer: Vec<u8>,
    complete: Arc<AtomicBool>,
    runtime: Handle,
}

/// The other end: what becomes the answer's body.
#[derive(Debug)]
pub struct Chunks {
    chunks: mpsc::Receiver<Bytes>,
    complete: Arc<AtomicBool>,
}

/// Both ends. Call it within the runtime.
pub fn channel() -> (ChunkWriter, Chunks) {
    let (sender, receiver) = mpsc::channel(EXPORT_CHUNK_QUEUE);
    let complete = Arc::new(AtomicBool::new(false));
    let writer = ChunkWriter {
        chunks: sender,
        buffer: Vec::with_capacity(EXPORT_CHUNK_BYTES),
        complete: complete.clone(),
        runtime: Handle::current(),
    };
    let chunks = Chunks {
        chunks: receiver,
        complete,
    };
    (writer, chunks)
}

impl ChunkWriter {
    /// Sends what is left and says that this is all. Without it the body ends in an error, so that nobody takes
    /// half a file for a whole one.
    ///
    /// # Errors
    /// As for writing.
    pub fn complete(mut self) -> io::Result<()> {
        self.flush()?;
        self.complete.store(true, Ordering::Release);
        Ok(())
    }
}

impl Write for ChunkWriter {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let room = EXPORT_CHUNK_BYTES.saturating_sub(self.buffer.len()).max(1);
        let taken = &bytes[..bytes.len().min(room)];
        self.buffer.extend_from_slice(taken);
        if self.buffer.len() >= EXPORT_CHUNK_BYTES {
            self.flush()?;
        }
        Ok(taken.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        if self.buffer.is_empty() {
            return Ok(());
        }
        let next = Vec::with_capacity(EXPORT_CHUNK_BYTES);
        let chunk = Bytes::from(std::mem::replace(&mut self.buffer, next));
        let sending = tokio::time::timeout(EXPORT_STALL_MAX, self.chunks.send(chunk));
        match self.runtime.block_on(sending) {
            Ok(Ok(())) => Ok(()),
            Ok(Err(_)) => Err(io::ErrorKind::BrokenPipe.into()),
            Err(_) => Err(io::ErrorKind::TimedOut.into()),
        }
    }
}

impl Chunks {
    /// The body; `client` is dropped with it, however it ends.
    pub fn into_body(self, client: DropGuard) -> Body {
        Body::from_stream(stream::unfold(Some((self, client)), |open| async move {
            let (mut this, client) = open?;
            match this.chunks.recv().await {
                Some(chunk) => Some((Ok(chunk), Some((this, client)))),
                None if this.complete.load(Ordering::Acquire) => None,
                None => Some((Err(io::Error::other("the export was cut short")), None)),
            }
        }))
    }
}
