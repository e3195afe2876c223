//! One socket, in the browser: the page's own WebSocket.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::rc::Rc;

use protocol::{ClientMsg, Encoding, ServerMsg};
use wasm_bindgen::prelude::Closure;
use wasm_bindgen::{JsCast, JsValue};
use web_sys::{BinaryType, CloseEvent, Event, MessageEvent, WebSocket};
use web_time::Instant;

use super::limits::{BUFFERED_BYTES_MAX, INCOMING_EVENTS_MAX};
use super::socket_event::{CODE_ABNORMAL, CODE_UNREADABLE};
use super::{SendError, SocketEvent};

/// One socket, from its opening to its end. Dropping it closes it.
#[derive(Debug)]
pub struct Connection {
    incoming: Rc<Incoming>,
    /// `None` if the browser would not even try (a malformed address, say).
    socket: Option<Socket>,
    encoding: Encoding,
}

impl Connection {
    /// Starts opening a socket. `wake` is called after an event that cannot wait has been queued, and
    /// not again before [`poll`](Self::poll) has returned `None`. Failures come as
    /// [`SocketEvent::Closed`].
    pub fn open(url: &str, encoding: Encoding, wake: impl Fn() + Send + 'static) -> Self {
        let incoming = Rc::new(Incoming {
            queue: RefCell::new(Queue::default()),
            wake: Box::new(wake),
        });
        let socket = match Socket::open(url, encoding, &incoming) {
            Ok(socket) => Some(socket),
            Err(error) => {
                incoming.push(SocketEvent::abnormal(describe(&error)));
                None
            }
        };
        Self {
            incoming,
            socket,
            encoding,
        }
    }

    /// The next event, if one is waiting.
    pub fn poll(&mut self) -> Option<SocketEvent> {
        let mut queue = self.incoming.queue.borrow_mut();
        let event = queue.events.pop_front();
        queue.woken &= event.is_some();
        event
    }

    /// Whether [`send`](Self::send) would take a message.
    pub fn has_room(&self) -> bool {
        let is_open = |socket: &Socket| socket.socket.ready_state() == WebSocket::OPEN;
        let has_room = |socket: &Socket| socket.socket.buffered_amount() < BUFFERED_BYTES_MAX;
        self.socket
            .as_ref()
            .is_some_and(|socket| is_open(socket) && has_room(socket))
    }

    /// Queues a message for sending; messages arrive in the order they are queued in.
    ///
    /// # Errors
    /// If the queue is full or the socket is not open; the message is dropped.
    #[allow(
        clippy::needless_pass_by_value,
        reason = "the native one, same in signature, keeps it"
    )]
    pub fn send(&mut self, message: ClientMsg) -> Result<(), SendError> {
        let socket = &self.socket.as_ref().ok_or(SendError::Closed)?.socket;
        if socket.ready_state() != WebSocket::OPEN {
            return Err(SendError::Closed);
        }
        if !self.has_room() {
            return Err(SendError::Full);
        }
        // No message of the protocol fails to encode; one that did could only be a broken build.
        let bytes = self
            .encoding
            .encode(&message)
            .map_err(|_| SendError::Closed)?;
        let sent = match self.encoding {
            Encoding::Binary => socket.send_with_u8_array(&bytes),
            Encoding::Json => socket.send_with_str(&String::from_utf8_lossy(&bytes)),
        };
        sent.map_err(|_| SendError::Closed)
    }
}

/// The event queue, shared with the browser's callbacks.
struct Incoming {
    queue: RefCell<Queue>,
    wake: Box<dyn Fn() + Send>,
}

#[derive(Debug, Default)]
struct Queue {
    events: VecDeque<SocketEvent>,
    /// `wake` was called and nobody has emptied the queue since.
    woken: bool,
    /// The last event is `Closed`: nothing follows it.
    closed: bool,
}

impl Incoming {
    fn push(&self, event: SocketEvent) {
        let wake = {
            let mut queue = self.queue.borrow_mut();
            if queue.closed {
                return;
            }
            // The browser cannot stop reading; a viewer this far behind starts again instead.
            let event = if queue.events.len() < INCOMING_EVENTS_MAX {
                event
            } else {
                queue.events.clear();
                SocketEvent::abnormal("this page was too busy to follow; it starts again")
            };
            queue.closed = matches!(event, SocketEvent::Closed { .. });
            let wake = event.is_urgent() && !queue.woken;
            queue.woken |= wake;
            queue.events.push_back(event);
            wake
        };
        // After the event is queued and the queue released: waking may lead straight to `poll`.
        if wake {
            (self.wake)();
        }
    }
}

impl std::fmt::Debug for Incoming {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Incoming")
            .field("queue", &self.queue)
            .finish_non_exhaustive()
    }
}

/// The browser's socket and the callbacks it holds; they live exactly as long as it does.
#[derive(Debug)]
struct Socket {
    socket: WebSocket,
    _on_open: Closure<dyn FnMut(Event)>,
    _on_message: Closure<dyn FnMut(MessageEvent)>,
    _on_close: Closure<dyn FnMut(CloseEvent)>,
}

impl Socket {
    fn open(url: &str, encoding: Encoding, incoming: &Rc<Incoming>) -> Result<Self, JsValue> {
        let socket = WebSocket::new_with_str(url, encoding.subprotocol())?;
        // Once: any other type would deliver binary frames late and out of order.
        socket.set_binary_type(BinaryType::Arraybuffer);

        let queue = Rc::clone(incoming);
        let on_open = Closure::new(move |_: Event| queue.push(SocketEvent::Opened));
        socket.set_onopen(Some(on_open.as_ref().unchecked_ref()));

        let queue = Rc::clone(incoming);
        let on_message = Closure::new(move |message: MessageEvent| {
            queue.push(read(encoding, &message.data()));
        });
        socket.set_onmessage(Some(on_message.as_ref().unchecked_ref()));

        // `onerror` says nothing that `onclose`, which always follows, does not say better.
        let queue = Rc::clone(incoming);
        let on_close = Closure::new(move |event: CloseEvent| {
            let event = match (event.code(), event.reason()) {
                // All that a browser tells of a server that is not there.
                (CODE_ABNORMAL, reason) if reason.is_empty() => {
                    SocketEvent::abnormal("the server cannot be reached")
                }
                (code, reason) => SocketEvent::closed(code, reason),
            };
            queue.push(event);
        });
        socket.set_onclose(Some(on_close.as_ref().unchecked_ref()));

        Ok(Self {
            socket,
            _on_open: on_open,
            _on_message: on_message,
            _on_close: on_close,
        })
    }
}

impl Drop for Socket {
    fn drop(&mut self) {
        // The callbacks are about to be freed: the browser must not call them any more.
        self.socket.set_onopen(None);
        self.socket.set_onmessage(None);
        self.socket.set_onclose(None);
        if let Err(error) = self.socket.close() {
            log::debug!("the socket could not be closed: {}", describe(&error));
        }
    }
}

fn read(encoding: Encoding, data: &JsValue) -> SocketEvent {
    let received_at = Instant::now();
    let bytes = match data.dyn_ref::<js_sys::ArrayBuffer>() {
        Some(buffer) => js_sys::Uint8Array::new(buffer).to_vec(),
        None => data.as_string().unwrap_or_default().into_bytes(),
    };
    match encoding.decode::<ServerMsg>(&bytes) {
        Ok(message) => SocketEvent::Message {
            message,
            received_at,
        },
        Err(error) => SocketEvent::Closed {
            code: CODE_UNREADABLE,
            reason: format!("the server's answer cannot be read ({error})"),
        },
    }
}

fn describe(error: &JsValue) -> String {
    let message = error
        .dyn_ref::<js_sys::Error>()
        .map(|error| String::from(error.message()));
    message.unwrap_or_else(|| format!("{error:?}"))
}
