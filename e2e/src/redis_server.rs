//! A Redis of a test's own.

use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use futures_util::StreamExt;

use crate::eventually::SOON;
use crate::ports::free_port;

/// A Redis server on a port of its own, without persistence.
#[derive(Debug)]
pub struct TestRedis {
    port: u16,
    process: Option<Child>,
}

impl TestRedis {
    /// Starts one.
    ///
    /// # Panics
    /// If `redis-server` is not installed, or does not answer.
    pub async fn start() -> Self {
        let mut redis = Self {
            port: free_port(),
            process: None,
        };
        redis.resume().await;
        redis
    }

    /// Its address.
    pub fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }

    /// Listens to all channels, from now on.
    ///
    /// # Panics
    /// If Redis does not answer.
    pub async fn listen(&self) -> Bus {
        let client = redis::Client::open(self.url()).expect("an address of Redis");
        let mut subscription = client.get_async_pubsub().await.expect("Redis answers");
        subscription.psubscribe("*").await.expect("Redis answers");
        Bus { subscription }
    }

    /// Kills it: connections break, new ones are refused.
    pub fn kill(&mut self) {
        if let Some(mut process) = self.process.take() {
            drop(process.kill());
            drop(process.wait());
        }
    }

    /// Starts it again on the same port.
    ///
    /// # Panics
    /// If it does not answer.
    pub async fn resume(&mut self) {
        let port = self.port.to_string();
        let process = Command::new("redis-server")
            .args([
                "--port",
                &port,
                "--bind",
                "127.0.0.1",
                "--save",
                "",
                "--appendonly",
                "no",
            ])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("redis-server is not installed: apt-get install redis-server");
        self.process = Some(process);
        let client = redis::Client::open(self.url()).expect("an address of Redis");
        // Not `eventually`: a future with an async closure in it cannot be spawned.
        let began = Instant::now();
        while client.get_multiplexed_async_connection().await.is_err() {
            assert!(began.elapsed() < SOON, "Redis does not answer");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }
}

/// Everything that is published.
pub struct Bus {
    subscription: redis::aio::PubSub,
}

impl Bus {
    /// Waits until a message contains a text.
    pub async fn carries(&mut self, text: &str) {
        let mut messages = self.subscription.on_message();
        while let Some(message) = messages.next().await {
            let payload = message.get_payload_bytes();
            if payload
                .windows(text.len())
                .any(|bytes| bytes == text.as_bytes())
            {
                return;
            }
        }
    }
}

impl Drop for TestRedis {
    fn drop(&mut self) {
        self.kill();
    }
}
