//! Server-sent events, as a program without a library reads them.

use std::net::SocketAddr;

use protocol::{Row, RowOp, Update};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::eventually::SOON;
use crate::http::{Answer, head, header};

/// One event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// `event:`
    pub name: String,
    /// `id:`
    pub id: Option<String>,
    /// `data:`
    pub data: String,
}

/// An open stream of events.
#[derive(Debug)]
pub struct EventStream {
    stream: TcpStream,
    buffer: String,
    /// The head of the answer.
    pub head: String,
    /// Comments so far.
    pub comments: usize,
}

impl EventStream {
    /// Asks for a stream; what is not one is returned as the answer it is.
    ///
    /// # Errors
    /// If the answer is not a stream.
    ///
    /// # Panics
    /// If there is no answer.
    pub async fn open(
        to: SocketAddr,
        path: &str,
        headers: &[(&str, &str)],
    ) -> Result<Self, Box<Answer>> {
        // Under HTTP/1.0 the body comes as it is, not in chunks.
        let request = head(to, "GET", path, headers).replace("HTTP/1.1", "HTTP/1.0");
        let mut stream = TcpStream::connect(to).await.expect("no connection");
        let sent = stream.write_all(format!("{request}\r\n").as_bytes()).await;
        sent.expect("the request is sent");
        let mut opened = Self {
            stream,
            buffer: String::new(),
            head: String::new(),
            comments: 0,
        };
        opened.head = opened.until("\r\n\r\n").await.expect("a head");
        let status = opened.head.split(' ').nth(1).and_then(|it| it.parse().ok());
        let is_stream = header(&opened.head, "content-type") == Some("text/event-stream");
        if is_stream && status == Some(200) {
            return Ok(opened);
        }
        while opened.more().await {}
        Err(Box::new(Answer {
            status: status.expect("a status"),
            head: opened.head,
            body: opened.buffer.into_bytes(),
        }))
    }

    /// The next event; `None` at the end.
    ///
    /// # Panics
    /// If it is not framed as events are.
    pub async fn next(&mut self) -> Option<Event> {
        loop {
            let block = self.until("\n\n").await?;
            let mut event = Event {
                name: String::new(),
                id: None,
                data: String::new(),
            };
            for line in block.lines() {
                match line.split_once(": ") {
                    Some(("event", name)) => name.clone_into(&mut event.name),
                    Some(("id", id)) => event.id = Some(id.to_owned()),
                    Some(("data", data)) => event.data += data,
                    Some(("retry", _)) => {}
                    Some(("", _)) => self.comments += 1,
                    _ => panic!("not a line of an event: {line:?}"),
                }
            }
            if !event.name.is_empty() {
                return Some(event);
            }
        }
    }

    /// The next event of this name.
    ///
    /// # Panics
    /// If the stream ends before it.
    pub async fn expect(&mut self, name: &str) -> Event {
        loop {
            let event = self.next().await;
            let event = event.unwrap_or_else(|| panic!("the stream ended before {name}"));
            if event.name == name {
                return event;
            }
        }
    }

    async fn until(&mut self, end: &str) -> Option<String> {
        loop {
            if let Some(at) = self.buffer.find(end) {
                let rest = self.buffer.split_off(at + end.len());
                let mut piece = std::mem::replace(&mut self.buffer, rest);
                piece.truncate(at);
                return Some(piece);
            }
            if !self.more().await {
                return None;
            }
        }
    }

    async fn more(&mut self) -> bool {
        let mut bytes = vec![0; 64 * 1024];
        let mut filled = 0;
        loop {
            let read = tokio::time::timeout(SOON, self.stream.read(&mut bytes[filled..])).await;
            let read = read.expect("nothing comes");
            let Ok(read @ 1..) = read else {
                return false;
            };
            filled += read;
            // A character may be cut in two.
            if let Ok(text) = std::str::from_utf8(&bytes[..filled]) {
                self.buffer += text;
                return true;
            }
            bytes.resize(filled + 64 * 1024, 0);
        }
    }
}

/// A window as the reader of a stream holds it.
#[derive(Clone, Debug, Default)]
pub struct Followed {
    /// The version.
    pub version: Option<String>,
    /// The position of the first row.
    pub start: u64,
    /// Rows in the view.
    pub total: u64,
    /// The rows.
    pub rows: Vec<Row>,
    /// The id of the last event.
    pub id: String,
}

impl Followed {
    /// Applies an event, as `docs/protocol.md` says.
    ///
    /// # Panics
    /// If it does not follow what is held.
    pub fn apply(&mut self, event: &Event) -> Update {
        let update: Update = serde_json::from_str(&event.data)
            .unwrap_or_else(|error| panic!("{error}: {}", event.data));
        let before = match &update.from {
            None => Vec::new(),
            Some(from) => {
                assert_eq!(Some(&from.0), self.version.as_ref(), "a gap");
                std::mem::take(&mut self.rows)
            }
        };
        assert_eq!(event.name == "snapshot", update.from.is_none());
        let mut after = Vec::new();
        for operation in &update.rows {
            match operation {
                RowOp::Keep { from, count } => {
                    let from = *from as usize;
                    after.extend_from_slice(&before[from..from + *count as usize]);
                }
                RowOp::Patch { from, cells } => {
                    let mut row = before[*from as usize].clone();
                    for (column, value) in cells {
                        row.cells[*column as usize] = value.clone();
                    }
                    after.push(row);
                }
                RowOp::Row(row) => after.push(row.clone()),
            }
        }
        self.rows = after;
        self.version = Some(update.to.0.clone());
        (self.start, self.total) = (update.start, update.total);
        self.id = event.id.clone().expect("an update has an id");
        update
    }
}
