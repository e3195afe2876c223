//! A network that can fail: a TCP proxy between a client and a server.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio_util::task::AbortOnDropHandle;

/// What becomes of bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Weather {
    /// They pass.
    Fair,
    /// They are held back, without an error, until the weather clears.
    Blackhole,
    /// Connections break, and new ones are refused.
    Cut,
}

/// A TCP proxy on a port of its own; it ends with the value.
#[derive(Debug)]
pub struct TcpProxy {
    address: SocketAddr,
    weather: Arc<watch::Sender<Weather>>,
    _accepting: AbortOnDropHandle<()>,
}

impl TcpProxy {
    /// A proxy for the server at `target`.
    ///
    /// # Panics
    /// If no port is free.
    pub async fn start(target: SocketAddr) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))
            .await
            .expect("no port is free");
        let address = listener
            .local_addr()
            .expect("a bound socket has an address");
        let (weather, seen) = watch::channel(Weather::Fair);
        let accepting = tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                if *seen.borrow() != Weather::Cut {
                    tokio::spawn(forward(client, target, seen.clone()));
                }
            }
        });
        let accepting = AbortOnDropHandle::new(accepting);
        Self {
            address,
            weather: Arc::new(weather),
            _accepting: accepting,
        }
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Breaks every connection and refuses new ones.
    pub fn cut(&self) {
        self.weather.send_replace(Weather::Cut);
    }

    /// Lets nothing through, without telling anyone.
    pub fn blackhole(&self) {
        self.weather.send_replace(Weather::Blackhole);
    }

    /// Lets everything through again.
    pub fn clear(&self) {
        self.weather.send_replace(Weather::Fair);
    }
}

async fn forward(client: TcpStream, target: SocketAddr, weather: watch::Receiver<Weather>) {
    let Ok(server) = TcpStream::connect(target).await else {
        return;
    };
    drop((client.set_nodelay(true), server.set_nodelay(true)));
    let ((from_client, to_client), (from_server, to_server)) =
        (client.into_split(), server.into_split());
    let mut cut = weather.clone();
    tokio::select! {
        () = copy(from_client, to_server, weather.clone()) => {}
        () = copy(from_server, to_client, weather) => {}
        _ = cut.wait_for(|weather| *weather == Weather::Cut) => {}
    }
}

async fn copy(
    mut from: tokio::net::tcp::OwnedReadHalf,
    mut to: tokio::net::tcp::OwnedWriteHalf,
    mut weather: watch::Receiver<Weather>,
) {
    let mut buffer = vec![0; 16 * 1024];
    loop {
        let Ok(length @ 1..) = from.read(&mut buffer).await else {
            return;
        };
        let is_clear = weather
            .wait_for(|weather| *weather != Weather::Blackhole)
            .await
            .is_ok();
        if !is_clear || to.write_all(&buffer[..length]).await.is_err() {
            return;
        }
    }
}
