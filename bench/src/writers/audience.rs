//! Who looks at the tables while they are written.

use std::time::Duration;

use anyhow::Context;
use protocol::{Ack, ClientMsg, OpenWindow, ServerMsg, ViewSpec};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::socket::Socket;
use crate::stage::Stage;

/// Rows in a window: a screen of them.
const WINDOW_ROWS: u32 = 50;
/// How long it may take until the server follows the tables.
const PATIENCE: Duration = Duration::from_secs(60);
/// How often it is looked whether it does.
const PAUSE: Duration = Duration::from_millis(20);

/// A client that shows the first rows of some tables, and applies every update.
pub(super) struct Audience {
    task: JoinHandle<anyhow::Result<()>>,
    stop: CancellationToken,
}

impl Audience {
    /// Opens the windows, and waits until the tables' changes are logged for them.
    pub(super) async fn seat(stage: &Stage, tables: &[&str]) -> anyhow::Result<Self> {
        let mut socket = Socket::connect(&stage.server.socket_url).await?;
        for (window, table) in (0..).zip(tables) {
            let open = OpenWindow {
                window,
                generation: 0,
                view: ViewSpec::table(*table),
                columns: Vec::new(),
                start: 0,
                count: WINDOW_ROWS,
                from_end: false,
                resume: None,
                allow_expensive: true,
            };
            socket.send(&ClientMsg::Open(open)).await?;
        }
        let stop = CancellationToken::new();
        let until = stop.clone();
        let task = tokio::spawn(async move {
            until
                .run_until_cancelled(watch(socket))
                .await
                .unwrap_or(Ok(()))
        });
        let audience = Self { task, stop };
        let attended = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND classid = 78130143 \
             AND mode = 'ShareLock' AND objid = ANY (SELECT t::regclass::oid FROM unnest($1::text[]) AS t)";
        let all_attended = async {
            loop {
                let row = stage
                    .postgres
                    .client
                    .query_one(attended, &[&tables])
                    .await?;
                if usize::try_from(row.try_get::<_, i64>(0)?)? == tables.len() {
                    return anyhow::Ok(());
                }
                tokio::time::sleep(PAUSE).await;
            }
        };
        tokio::time::timeout(PATIENCE, all_attended)
            .await
            .context("the server does not follow the tables")??;
        Ok(audience)
    }

    /// Closes its socket.
    pub(super) async fn leave(self) -> anyhow::Result<()> {
        self.stop.cancel();
        self.task.await?
    }
}

async fn watch(mut socket: Socket) -> anyhow::Result<()> {
    loop {
        match socket.receive().await?.0 {
            ServerMsg::Update(update) => {
                let (window, number) = (update.window, update.number);
                socket.send(&ClientMsg::Ack(Ack { window, number })).await?;
            }
            ServerMsg::Error(error) => anyhow::bail!("the server refused: {}", error.message),
            _ => {}
        }
    }
}
