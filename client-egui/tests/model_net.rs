//! The native socket, link and headless viewer against a small server played by the test.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod model_support;

use std::sync::mpsc::{Receiver, sync_channel};
use std::time::Duration;

use client_egui::model::{ConnectionState, Headless};
use client_egui::net::{CODE_ABNORMAL, CODE_UNREADABLE, Connection, SocketEvent};
use futures_util::{SinkExt, StreamExt};
use model_support::{delta, fresh, hello, keep, rename, schema, snapshot};
use protocol::{
    Ack, ClientMsg, Encoding, Heartbeat, Hello, Opened, ServerMsg, TableInfo, Tables, Update,
    Value, ViewSpec,
};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::timeout;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::handshake::server::{Request, Response};
use tokio_tungstenite::tungstenite::protocol::CloseFrame;

const PATIENCE: Duration = Duration::from_secs(20);

struct Server {
    listener: TcpListener,
}

/// One accepted socket.
struct Peer {
    socket: WebSocketStream<TcpStream>,
    encoding: Encoding,
}

impl Server {
    async fn start() -> (Self, String) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("ws://{}/ws", listener.local_addr().unwrap());
        (Self { listener }, url)
    }

    async fn accept(&self) -> Peer {
        let (stream, _) = timeout(PATIENCE, self.listener.accept())
            .await
            .unwrap()
            .unwrap();
        let mut encoding = Encoding::Json;
        #[allow(clippy::result_large_err, reason = "the library's own signature")]
        let choose = |request: &Request, mut response: Response| {
            let asked = request
                .headers()
                .get("Sec-WebSocket-Protocol")
                .unwrap()
                .clone();
            let known = |known: &&Encoding| known.subprotocol() == asked;
            encoding = *Encoding::ALL
                .iter()
                .find(known)
                .expect("a known subprotocol");
            response
                .headers_mut()
                .insert("Sec-WebSocket-Protocol", asked);
            Ok(response)
        };
        let socket = tokio_tungstenite::accept_hdr_async(stream, choose)
            .await
            .unwrap();
        Peer { socket, encoding }
    }

    /// Accepts a viewer and greets it.
    async fn greet(&self, hello: Hello) -> Peer {
        let mut peer = self.accept().await;
        peer.say(ServerMsg::Hello(hello)).await;
        peer
    }
}

impl Peer {
    async fn say(&mut self, message: ServerMsg) {
        let bytes = self.encoding.encode(&message).unwrap();
        let frame = match self.encoding {
            Encoding::Binary => Message::binary(bytes),
            Encoding::Json => Message::text(String::from_utf8(bytes).unwrap()),
        };
        self.socket.send(frame).await.unwrap();
    }

    /// The next message for which `pick` returns something.
    async fn hear<T>(&mut self, pick: impl Fn(ClientMsg) -> Option<T>) -> T {
        loop {
            let frame = timeout(PATIENCE, self.socket.next())
                .await
                .unwrap()
                .unwrap()
                .unwrap();
            if let Some(picked) = pick(self.encoding.decode(&frame.into_data()).unwrap()) {
                return picked;
            }
        }
    }

    async fn hear_open(&mut self) -> protocol::OpenWindow {
        self.hear(|message| match message {
            ClientMsg::Open(open) => Some(open),
            _ => None,
        })
        .await
    }

    async fn hear_ack(&mut self) -> Ack {
        self.hear(|message| match message {
            ClientMsg::Ack(ack) => Some(ack),
            _ => None,
        })
        .await
    }

    async fn open_with(&mut self, update: Update) {
        let window = update.window;
        self.say(ServerMsg::Opened(Opened {
            window,
            schema: schema(),
            highlight: None,
            ranked: false,
        }))
        .await;
        self.say(ServerMsg::Update(update)).await;
    }
}

fn shows(model: &client_egui::model::Model, name: &str) -> bool {
    let is_it = |cells: &[Value]| cells.get(1) == Some(&Value::text(name));
    model
        .windows()
        .any(|(_, window)| window.cache().rows().iter().any(|row| is_it(row.cells())))
}

#[tokio::test]
async fn a_window_is_opened_and_followed_in_both_encodings() {
    for encoding in Encoding::ALL {
        let (server, url) = Server::start().await;
        let serve = async {
            let mut peer = server.greet(hello()).await;
            peer.say(ServerMsg::Tables(Tables {
                id: 0,
                tables: Vec::new(),
            }))
            .await;
            let open = peer.hear_open().await;
            assert_eq!((open.start, open.count), (0, 3));
            let first = Update {
                window: open.window,
                ..snapshot(0, 3, fresh(0..3))
            };
            peer.open_with(first.clone()).await;
            assert_eq!(peer.hear_ack().await.number, 1);
            let second = delta(
                &first,
                3,
                vec![keep(0, 1), rename(1, "changed"), keep(2, 1)],
            );
            peer.say(ServerMsg::Update(second)).await;
            assert_eq!(peer.hear_ack().await.number, 2);
            peer
        };
        let view = async {
            let mut viewer = Headless::connect_with(&url, encoding).await.unwrap();
            let (sender, versions) = sync_channel(8);
            viewer.on_applied(move |_, cache, _| {
                sender.try_send(cache.version().unwrap().0.clone()).unwrap();
            });
            viewer.open(ViewSpec::table("things"), Vec::new(), 0, 3);
            viewer
                .wait_until(|model| shows(model, "changed"), PATIENCE)
                .await
                .unwrap();
            assert_eq!(versions.iter().take(2).collect::<Vec<_>>(), ["1", "2"]);
            viewer
        };
        tokio::join!(serve, view);
    }
}

#[tokio::test]
async fn a_dead_server_is_reconnected_to_and_the_window_resumed() {
    let (server, url) = Server::start().await;
    let serve = async {
        let mut peer = server.greet(hello()).await;
        let open = peer.hear_open().await;
        peer.open_with(Update {
            window: open.window,
            ..snapshot(0, 3, fresh(0..3))
        })
        .await;
        peer.hear_ack().await;
        drop(peer);
        let mut peer = server.greet(hello()).await;
        let open = peer.hear_open().await;
        let resume = open.resume.expect("the viewer holds rows");
        assert_eq!(resume.keys.len(), 3);
        let held = snapshot(0, 3, fresh(0..3));
        let mut update = delta(&held, 3, vec![keep(0, 2), rename(2, "after")]);
        (update.window, update.number) = (open.window, 1);
        peer.open_with(update).await;
        peer.hear_ack().await;
        peer
    };
    let view = async {
        let mut viewer = Headless::connect(&url).await.unwrap();
        viewer.open(ViewSpec::table("things"), Vec::new(), 0, 3);
        let lost = |model: &client_egui::model::Model| {
            matches!(model.connection(), ConnectionState::Reconnecting { .. })
        };
        viewer.wait_until(lost, PATIENCE).await.unwrap();
        assert!(shows(viewer.model(), "n2"), "the rows stay on the screen");
        viewer
            .wait_until(|model| shows(model, "after"), PATIENCE)
            .await
            .unwrap();
        assert_eq!(viewer.model().connection(), &ConnectionState::Live);
        viewer
    };
    tokio::join!(serve, view);
}

#[tokio::test]
async fn a_silent_server_is_given_up_and_one_with_a_heartbeat_is_not() {
    let (server, url) = Server::start().await;
    let quick = Hello {
        heartbeat_millis: 150,
        ..hello()
    };
    let serve = async {
        let mut peer = server.greet(quick.clone()).await;
        for time_micros in 0..8 {
            peer.say(ServerMsg::Heartbeat(Heartbeat { time_micros }))
                .await;
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        // Silent from here on, but open: only a viewer that listens for the heartbeat comes back.
        let second = server.greet(quick.clone()).await;
        (peer, second)
    };
    let view = async {
        let mut viewer = Headless::connect(&url).await.unwrap();
        let connected = std::time::Instant::now();
        viewer
            .wait_until(|model| model.hello().is_none(), PATIENCE)
            .await
            .unwrap();
        assert!(
            connected.elapsed() >= Duration::from_millis(700),
            "it beat for that long"
        );
        let ConnectionState::Reconnecting { reason, .. } = viewer.model().connection() else {
            panic!("{:?}", viewer.model().connection())
        };
        assert!(reason.contains("silent"), "{reason}");
        viewer
            .wait_until(|model| model.hello().is_some(), PATIENCE)
            .await
            .unwrap();
    };
    tokio::join!(serve, view);
}

/// A connection whose wake-ups can be waited for.
struct Client {
    connection: Connection,
    woken: Receiver<()>,
}

impl Client {
    fn open(url: &str) -> Self {
        let (wake, woken) = sync_channel(64);
        // A wake-up that nobody has fetched yet says all that a second one could.
        let wake = move || _ = wake.try_send(());
        Self {
            connection: Connection::open(url, Encoding::Binary, wake),
            woken,
        }
    }

    /// The next event, asked for only when woken: no wake-up may be lost.
    fn next(&mut self) -> SocketEvent {
        loop {
            if let Some(event) = self.connection.poll() {
                return event;
            }
            self.woken.recv_timeout(PATIENCE).expect("a wake-up");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_close_code_and_reason_arrive() {
    let (server, url) = Server::start().await;
    let serve = tokio::spawn(async move {
        let mut peer = server.accept().await;
        let reason = "too many connections".into();
        peer.socket
            .close(Some(CloseFrame {
                code: 1013.into(),
                reason,
            }))
            .await
            .unwrap();
    });
    let mut client = Client::open(&url);
    assert_eq!(client.next(), SocketEvent::Opened);
    let reason = "too many connections".to_owned();
    assert_eq!(client.next(), SocketEvent::Closed { code: 1013, reason });
    serve.await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn failures_to_connect_are_told_in_words() {
    let (server, url) = Server::start().await;
    drop(server);
    let cases = [(url.as_str(), "no server is running"), ("nonsense", "")];
    for (url, words) in cases {
        match Client::open(url).next() {
            SocketEvent::Closed {
                code: CODE_ABNORMAL,
                reason,
            } => {
                assert!(reason.contains(words), "{reason}");
            }
            event => panic!("{event:?}"),
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unreadable_message_closes_the_socket() {
    let (server, url) = Server::start().await;
    let serve = tokio::spawn(async move {
        let mut peer = server.accept().await;
        peer.socket
            .send(Message::binary(vec![255; 40]))
            .await
            .unwrap();
        peer
    });
    let mut client = Client::open(&url);
    assert_eq!(client.next(), SocketEvent::Opened);
    let event = client.next();
    assert!(
        matches!(
            event,
            SocketEvent::Closed {
                code: CODE_UNREADABLE,
                ..
            }
        ),
        "{event:?}"
    );
    serve.await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn dropping_a_connection_says_goodbye() {
    let (server, url) = Server::start().await;
    let mut client = Client::open(&url);
    let mut peer = server.accept().await;
    assert_eq!(client.next(), SocketEvent::Opened);
    drop(client);
    let frame = timeout(PATIENCE, peer.socket.next())
        .await
        .unwrap()
        .unwrap()
        .unwrap();
    assert!(matches!(frame, Message::Close(_)), "{frame:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_viewer_that_is_behind_stops_the_server_and_loses_nothing() {
    let (server, url) = Server::start().await;
    let mut client = Client::open(&url);
    let mut peer = server.accept().await;
    let table = TableInfo {
        name: "t".repeat(16 << 10),
        ..TableInfo::named("t")
    };
    let mut sent = 0_u64;
    loop {
        let message = ServerMsg::Tables(Tables {
            id: sent,
            tables: vec![table.clone()],
        });
        // Blocked: the viewer's queue and the buffers between are full.
        if timeout(Duration::from_millis(500), peer.say(message))
            .await
            .is_err()
        {
            break;
        }
        sent += 1;
        assert!(sent < 20_000, "nothing bounds what an idle viewer takes in");
    }
    assert!(sent > 1_000);
    assert_eq!(client.next(), SocketEvent::Opened);
    for expected in 0..sent {
        match client.next() {
            SocketEvent::Message {
                message: ServerMsg::Tables(tables),
                ..
            } => {
                assert_eq!(tables.id, expected);
            }
            event => panic!("{event:?}"),
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn heartbeats_do_not_wake_an_idle_viewer() {
    let (server, url) = Server::start().await;
    let mut client = Client::open(&url);
    let mut peer = server.accept().await;
    assert_eq!(client.next(), SocketEvent::Opened);
    assert!(client.connection.poll().is_none());
    while client.woken.try_recv().is_ok() {}
    for time_micros in 0..3 {
        peer.say(ServerMsg::Heartbeat(Heartbeat { time_micros }))
            .await;
    }
    peer.say(ServerMsg::Tables(Tables {
        id: 7,
        tables: Vec::new(),
    }))
    .await;
    client.woken.recv_timeout(PATIENCE).unwrap();
    assert!(
        client.woken.try_recv().is_err(),
        "one wake-up for all of them"
    );
    let mut events = Vec::new();
    while events.len() < 4 {
        events.push(client.next());
    }
    assert!(events[..3].iter().all(|event| matches!(
        event,
        SocketEvent::Message {
            message: ServerMsg::Heartbeat(_),
            ..
        }
    )));
}
