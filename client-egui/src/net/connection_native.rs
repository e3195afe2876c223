//! One socket, natively: tokio-tungstenite on a thread of its own, so that no frame drawn ever waits
//! for the network, nor the network for a frame.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use futures_util::stream::{SplitSink, SplitStream};
use futures_util::{SinkExt, StreamExt};
use protocol::{ClientMsg, Encoding, ServerMsg};
use tokio::net::TcpStream;
use tokio::sync::mpsc;
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::client::{ClientRequestBuilder, IntoClientRequest};
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use tokio_tungstenite::tungstenite::{Error, Message, http};
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async_with_config};
use web_time::Instant;

use super::limits::{
    CLOSING_MAX, INCOMING_EVENTS_MAX, MESSAGE_BYTES_MAX, OPENING_MAX, OUTGOING_MESSAGES_MAX,
};
use super::socket_event::{CODE_ABNORMAL, CODE_UNREADABLE};
use super::{SendError, SocketEvent};

type Socket = WebSocketStream<MaybeTlsStream<TcpStream>>;

/// One socket, from its opening to its end. Dropping it says goodbye to the server and closes it.
#[derive(Debug)]
pub struct Connection {
    events: mpsc::Receiver<SocketEvent>,
    outgoing: mpsc::Sender<ClientMsg>,
    woken: Arc<AtomicBool>,
}

impl Connection {
    /// Starts opening a socket. `wake` is called, from another thread, after an event that cannot wait
    /// has been queued, and not again before [`poll`](Self::poll) has returned `None`. Failures come
    /// as [`SocketEvent::Closed`].
    pub fn open(url: &str, encoding: Encoding, wake: impl Fn() + Send + 'static) -> Self {
        let (event_sender, events) = mpsc::channel(INCOMING_EVENTS_MAX);
        let (outgoing, messages) = mpsc::channel(OUTGOING_MESSAGES_MAX);
        let woken = Arc::new(AtomicBool::new(false));
        let incoming = Incoming {
            events: event_sender,
            woken: Arc::clone(&woken),
            wake: Box::new(wake),
        };
        let refused = incoming.events.clone();
        let url = url.to_owned();
        let thread = std::thread::Builder::new().name("rowcast-socket".to_owned());
        let started = thread.spawn(move || run(&url, encoding, &incoming, messages));
        if let Err(error) = started {
            let event = SocketEvent::abnormal(format!("no thread for the connection: {error}"));
            // The queue is new and empty, and its receiver is held here.
            let _ = refused.try_send(event);
        }
        Self {
            events,
            outgoing,
            woken,
        }
    }

    /// The next event, if one is waiting.
    pub fn poll(&mut self) -> Option<SocketEvent> {
        if let Ok(event) = self.events.try_recv() {
            return Some(event);
        }
        // From here on the next event wakes again; one that slipped in before is taken now.
        self.woken.store(false, Ordering::SeqCst);
        self.events.try_recv().ok()
    }

    /// Whether [`send`](Self::send) would take a message.
    pub fn has_room(&self) -> bool {
        self.outgoing.capacity() > 0
    }

    /// Queues a message for sending; messages arrive in the order they are queued in.
    ///
    /// # Errors
    /// If the queue is full or the socket is gone; the message is dropped.
    pub fn send(&mut self, message: ClientMsg) -> Result<(), SendError> {
        self.outgoing
            .try_send(message)
            .map_err(|error| match error {
                mpsc::error::TrySendError::Full(_) => SendError::Full,
                mpsc::error::TrySendError::Closed(_) => SendError::Closed,
            })
    }
}

/// The network thread's end of the event queue.
struct Incoming {
    events: mpsc::Sender<SocketEvent>,
    woken: Arc<AtomicBool>,
    wake: Box<dyn Fn() + Send>,
}

impl Incoming {
    /// Queues an event, waiting for a place: a viewer that is behind stops the reading, and so the
    /// server. `false` if nobody listens any more.
    async fn push(&self, event: SocketEvent) -> bool {
        let is_urgent = event.is_urgent();
        if let Err(mpsc::error::TrySendError::Full(event)) = self.events.try_send(event) {
            // Also for a quiet event: a full queue must be emptied.
            self.wake();
            return self.events.send(event).await.is_ok();
        }
        if is_urgent {
            self.wake();
        }
        !self.events.is_closed()
    }

    fn wake(&self) {
        if !self.woken.swap(true, Ordering::SeqCst) {
            (self.wake)();
        }
    }
}

fn run(url: &str, encoding: Encoding, incoming: &Incoming, messages: mpsc::Receiver<ClientMsg>) {
    let runtime = match tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
    {
        Ok(runtime) => runtime,
        Err(error) => {
            let event = SocketEvent::abnormal(format!("no runtime for the connection: {error}"));
            if incoming.events.try_send(event).is_ok() {
                incoming.wake();
            }
            return;
        }
    };
    runtime.block_on(Box::pin(async {
        let socket = tokio::select! {
            () = incoming.events.closed() => return,
            socket = timeout(OPENING_MAX, connect(url, encoding)) => socket,
        };
        let failure = match socket {
            Ok(Ok(socket)) => return talk(socket, encoding, incoming, messages).await,
            Ok(Err(error)) => describe(&error),
            Err(_elapsed) => "the server did not answer".to_owned(),
        };
        incoming.push(SocketEvent::abnormal(failure)).await;
    }));
    // A name look-up that hangs must not keep the thread.
    runtime.shutdown_timeout(Duration::ZERO);
}

async fn connect(url: &str, encoding: Encoding) -> Result<Socket, Error> {
    let uri: http::Uri = url.parse().map_err(http::Error::from)?;
    let request = ClientRequestBuilder::new(uri)
        .with_sub_protocol(encoding.subprotocol())
        .into_client_request()?;
    let config = WebSocketConfig::default()
        .max_message_size(Some(MESSAGE_BYTES_MAX))
        .max_frame_size(Some(MESSAGE_BYTES_MAX));
    let (socket, _response) = connect_async_with_config(request, Some(config), true).await?;
    Ok(socket)
}

/// Reads and writes until the socket ends or nobody listens any more, then says goodbye: without it
/// servers and proxies report a fault.
async fn talk(
    socket: Socket,
    encoding: Encoding,
    incoming: &Incoming,
    messages: mpsc::Receiver<ClientMsg>,
) {
    let (mut sink, mut stream) = socket.split();
    if incoming.push(SocketEvent::Opened).await {
        let end = tokio::select! {
            end = read(&mut stream, encoding, incoming) => end,
            written = write(&mut sink, encoding, messages) => {
                written.err().map(|error| SocketEvent::abnormal(describe(&error)))
            }
        };
        if let Some(end) = end {
            incoming.push(end).await;
        }
    }
    let goodbye = async {
        sink.close().await?;
        while stream.next().await.transpose()?.is_some() {}
        Ok::<_, Error>(())
    };
    if let Ok(Err(error)) = timeout(CLOSING_MAX, goodbye).await {
        log::debug!("the socket ended before its goodbye: {error}");
    }
}

/// Reads until the socket ends, or (then without an event) nobody listens any more.
async fn read(
    stream: &mut SplitStream<Socket>,
    encoding: Encoding,
    incoming: &Incoming,
) -> Option<SocketEvent> {
    loop {
        let frame = match stream.next().await {
            None => return Some(SocketEvent::abnormal("the server closed the connection")),
            Some(Err(error)) => return Some(SocketEvent::abnormal(describe(&error))),
            Some(Ok(frame)) => frame,
        };
        let received_at = Instant::now();
        let bytes = match frame {
            Message::Text(text) => text.into(),
            Message::Binary(bytes) => bytes,
            Message::Close(frame) => {
                let (code, reason) = frame.map_or((CODE_ABNORMAL, String::new()), |frame| {
                    (frame.code.into(), frame.reason.to_string())
                });
                return Some(SocketEvent::closed(code, reason));
            }
            Message::Ping(_) | Message::Pong(_) | Message::Frame(_) => continue,
        };
        let event = match encoding.decode::<ServerMsg>(&bytes) {
            Ok(message) => SocketEvent::Message {
                message,
                received_at,
            },
            Err(error) => {
                return Some(SocketEvent::Closed {
                    code: CODE_UNREADABLE,
                    reason: format!("the server's answer cannot be read ({error})"),
                });
            }
        };
        if !incoming.push(event).await {
            return None;
        }
    }
}

/// Writes until the viewer has dropped its end of the queue.
async fn write(
    sink: &mut SplitSink<Socket, Message>,
    encoding: Encoding,
    mut messages: mpsc::Receiver<ClientMsg>,
) -> Result<(), Error> {
    while let Some(message) = messages.recv().await {
        sink.feed(frame(encoding, &message)?).await?;
        // What waits behind it goes out in the same packet.
        while let Ok(message) = messages.try_recv() {
            sink.feed(frame(encoding, &message)?).await?;
        }
        sink.flush().await?;
    }
    Ok(())
}

fn frame(encoding: Encoding, message: &ClientMsg) -> Result<Message, Error> {
    let bytes = encoding
        .encode(message)
        .map_err(|error| Error::Io(std::io::Error::other(error)))?;
    Ok(match encoding {
        Encoding::Binary => Message::binary(bytes),
        Encoding::Json => Message::Text(bytes.try_into()?),
    })
}

fn describe(error: &Error) -> String {
    match error {
        Error::Http(response) => {
            format!("the server refused the connection ({})", response.status())
        }
        Error::Io(error) if error.kind() == std::io::ErrorKind::ConnectionRefused => {
            "no server is running at this address".to_owned()
        }
        error => error.to_string(),
    }
}
