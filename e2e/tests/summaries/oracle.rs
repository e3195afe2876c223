//! The oracle: at every version that a client applies, its groups equal the `GROUP BY` query run by
//! PostgreSQL at that very snapshot.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use e2e::{Cluster, RawSocket, TestServer};
use protocol::{
    AckSummary, ClientMsg, ServerMsg, ShowGroups, Summarize, Summarized, Unsummarize, Value,
};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use server::ServerOptions;
use server::changes::Sabotage;
use tokio::task::JoinSet;
use tokio::time::timeout;

use crate::random::{self, Alike, Asked, KINDS};
use crate::replica::{Group, Replica};
use crate::snapshots::{Held, Snapshots};

const WRITERS: u64 = 3;
const CLIENTS: u64 = 3;
/// How long all of a run may take.
const PATIENCE: Duration = Duration::from_secs(150);
/// How many versions a client follows before it asks for another summary.
const LOYALTY: usize = 12;

/// Runs until so many versions were found right, or one was found wrong.
async fn run(rows: u32, checks: usize, sabotage: Option<Sabotage>) -> Result<(), String> {
    let setting = |name: &str| std::env::var(name).ok()?.parse::<u64>().ok();
    let seed = setting("ROWCAST_ORACLE_SEED").unwrap_or_else(rand::random);
    println!("ROWCAST_ORACLE_SEED={seed} (rows {rows}, {sabotage:?})");
    let database = Cluster::start().await.database().await;
    database.install(&random::table(rows), &["things"]).await;
    let snapshots = Snapshots::new(database.clone());
    let server = TestServer::with(ServerOptions {
        hook: Some(snapshots.hook()),
        sabotage,
        ..TestServer::options(&database)
    })
    .await;
    let (checked, followed) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let mut clients = JoinSet::new();
    for nth in 0..CLIENTS {
        let client = Client {
            socket: RawSocket::connect(&server.socket_url()).await,
            rng: ChaCha8Rng::seed_from_u64(seed.wrapping_add(nth)),
            snapshots: snapshots.clone(),
            checked: checked.clone(),
            followed: followed.clone(),
            id: 0,
        };
        clients.spawn(client.look());
    }
    let mut writers = JoinSet::new();
    for nth in 0..WRITERS {
        writers.spawn(random::write(
            database.clone(),
            seed.wrapping_add(100 + nth),
            rows,
        ));
    }
    let began = Instant::now();
    let outcome = loop {
        if checked.load(Ordering::Relaxed) >= checks {
            break Ok(());
        }
        if began.elapsed() > PATIENCE {
            break Err(format!(
                "too few versions: {} of {checks}",
                checked.load(Ordering::Relaxed)
            ));
        }
        match timeout(Duration::from_millis(100), clients.join_next()).await {
            Ok(Some(Ok(outcome))) => break outcome,
            Ok(Some(Err(panic))) => std::panic::resume_unwind(panic.into_panic()),
            _ => {}
        }
    };
    clients.shutdown().await;
    writers.shutdown().await;
    server.stop().await;
    let (checked, followed) = (
        checked.load(Ordering::Relaxed),
        followed.load(Ordering::Relaxed),
    );
    println!("{checked} versions compared, {followed} of them reached by deltas of changes");
    if outcome.is_ok() && followed < checked / 4 {
        return Err(format!(
            "only {followed} of {checked} versions were deltas of changes"
        ));
    }
    outcome.map_err(|difference| format!("ROWCAST_ORACLE_SEED={seed}: {difference}"))
}

struct Client {
    socket: RawSocket,
    rng: ChaCha8Rng,
    snapshots: Arc<Snapshots>,
    checked: Arc<AtomicUsize>,
    followed: Arc<AtomicUsize>,
    id: u32,
}

impl Client {
    /// Looks at one summary after another.
    async fn look(mut self) -> Result<(), String> {
        loop {
            let asked = Asked::random(&mut self.rng);
            let context = asked.json.to_string();
            self.follow(&asked)
                .await
                .map_err(|error| format!("{error}\n{context}"))?;
        }
    }

    async fn follow(&mut self, asked: &Asked) -> Result<(), String> {
        self.id += 1;
        let mut summarize: Summarize = serde_json::from_value(asked.json.clone()).unwrap();
        summarize.summary = self.id;
        (summarize.start, summarize.count) =
            (self.rng.random_range(0..4), self.rng.random_range(1..40));
        let mut shown = vec![(summarize.start, summarize.count)];
        self.socket
            .send(&ClientMsg::Summarize(Box::new(summarize)))
            .await;
        let (mut told, mut replica) = (None, Replica::default());
        let (mut seen, mut idle) = (0, 0);
        while seen < LOYALTY && idle < 10 {
            let patience = Duration::from_millis(self.rng.random_range(10..300));
            let Ok(message) = timeout(patience, self.socket.next()).await else {
                idle += usize::from(replica.version.is_some());
                self.act(&mut shown, &replica).await;
                continue;
            };
            match message.map_err(|code| format!("the server closed the socket: {code:?}"))? {
                ServerMsg::Summarized(now) if now.summary == self.id => told = Some(now),
                ServerMsg::Summary(update) if update.summary == self.id => {
                    let followed = update.from.is_some() && update.changed_at_micros.is_some();
                    replica.apply(update)?;
                    let version = replica.version.clone().ok_or("a version")?;
                    let held = self.snapshots.of(&version);
                    let told = told.as_ref().ok_or("summary before summarized")?;
                    let (start, count) = shown[replica.generation as usize];
                    compare(asked, told, &replica, (start, count), &held).await?;
                    self.checked.fetch_add(1, Ordering::Relaxed);
                    self.followed
                        .fetch_add(usize::from(followed), Ordering::Relaxed);
                    seen += 1;
                    if self.rng.random_bool(0.8) {
                        self.acknowledge(&replica).await;
                    }
                }
                ServerMsg::SummaryRefused(refused) => return Err(format!("{refused:?}")),
                ServerMsg::Error(error) => return Err(format!("{error:?}")),
                _ => {}
            }
        }
        if idle >= 10 && replica.version.is_none() {
            return Err("no groups come".to_owned());
        }
        self.socket
            .send(&ClientMsg::Unsummarize(Unsummarize { summary: self.id }))
            .await;
        Ok(())
    }

    async fn acknowledge(&mut self, replica: &Replica) {
        let ack = AckSummary {
            summary: self.id,
            number: replica.number,
        };
        self.socket.send(&ClientMsg::AckSummary(ack)).await;
    }

    async fn act(&mut self, shown: &mut Vec<(u64, u32)>, replica: &Replica) {
        if self.rng.random_bool(0.6) {
            return self.acknowledge(replica).await;
        }
        let (start, count) = (self.rng.random_range(0..12), self.rng.random_range(1..40));
        shown.push((start, count));
        let show = ShowGroups {
            summary: self.id,
            generation: u32::try_from(shown.len() - 1).unwrap(),
            start,
            count,
            received: replica.number,
        };
        self.socket.send(&ClientMsg::ShowGroups(show)).await;
    }
}

/// What is shown of each group behind its keys.
fn aggregates(asked: &Asked) -> Vec<String> {
    let values = asked.values.iter().enumerate();
    let value = values.map(
        |(nth, (function, at))| match (*function, KINDS[*at].sql_type) {
            // Single precision is not enough even for PostgreSQL's own sum.
            ("sum" | "avg", "real") => format!("{function}(v{nth}::float8)"),
            ("min", "boolean") => format!("bool_and(v{nth})"),
            ("max", "boolean") => format!("bool_or(v{nth})"),
            ("min" | "max", "uuid") => format!("{function}(v{nth}::text COLLATE \"C\")"),
            _ => format!("{function}(v{nth})"),
        },
    );
    ["count(*)".to_owned()].into_iter().chain(value).collect()
}

/// The same as SQL: every group in order, keys and cells as texts.
fn query(asked: &Asked, told: &Summarized) -> String {
    let (mut inner, mut keys, mut ties) = (Vec::new(), Vec::new(), Vec::new());
    for (nth, ((at, is_bucket), key)) in asked.keys.iter().zip(&told.keys).enumerate() {
        let kind = &KINDS[*at];
        let bare = kind.sql_type.split([' ', '(']).next().unwrap();
        let bare = if bare == "double" { "float8" } else { bare };
        if *is_bucket {
            let bounds = key
                .bounds
                .as_ref()
                .unwrap()
                .iter()
                .filter_map(Value::to_postgres_text);
            let bounds: Vec<String> = bounds.map(|bound| format!("'{bound}'")).collect();
            inner.push(format!(
                "width_bucket({}, array[{}]::{bare}[]) AS k{nth}",
                kind.name,
                bounds.join(",")
            ));
        } else {
            inner.push(format!("{} AS k{nth}", kind.name));
        }
        keys.push(format!("k{nth}"));
        let is_ordered = asked.order.is_empty()
            || asked
                .order
                .iter()
                .any(|(is_key, key, _)| *is_key && *key == nth);
        let by_bytes = bare == "text" && kind.alike == Alike::Exactly && !is_ordered;
        ties.push(format!(
            "k{nth}{}",
            if by_bytes { " COLLATE \"C\"" } else { "" }
        ));
    }
    for (nth, (_, at)) in asked.values.iter().enumerate() {
        inner.push(format!("{} AS v{nth}", KINDS[*at].name));
    }
    let cells = aggregates(asked);
    let order = asked.order.iter().map(|(is_key, at, sql)| {
        let term = if *is_key { &keys[*at] } else { &cells[*at] };
        format!("{term} {sql}")
    });
    let order: Vec<String> = order.chain(ties).collect();
    let order = if order.is_empty() {
        String::new()
    } else {
        format!("ORDER BY {}", order.join(", "))
    };
    let text = |sql: &String| format!("to_json({sql}) #>> '{{}}'");
    let key_texts = asked.keys.iter().zip(&keys).map(|((at, _), key)| {
        // JSON's own null is a value.
        match KINDS[*at].sql_type {
            "jsonb" => format!("{key}::text AS shown"),
            _ => text(key),
        }
    });
    let texts = key_texts.chain(cells.iter().map(text));
    let group_by = if keys.is_empty() {
        String::new()
    } else {
        format!("GROUP BY {}", keys.join(", "))
    };
    format!(
        "SELECT {} FROM (SELECT {} FROM things WHERE {}) AS g {group_by} {order}",
        texts.collect::<Vec<_>>().join(", "),
        inner.join(", "),
        asked.condition,
    )
}

fn alike(alike: Alike, text: Option<String>) -> String {
    let Some(text) = text else {
        return "∅".to_owned();
    };
    match alike {
        Alike::Exactly | Alike::About => text,
        Alike::Folded => text.to_lowercase(),
        Alike::Span if text == "PT24H" => "P1D".to_owned(),
        Alike::Span => text,
        Alike::Float if text == "-0" => "0".to_owned(),
        Alike::Float => text,
        Alike::Number if text.contains('.') => {
            text.trim_end_matches('0').trim_end_matches('.').to_owned()
        }
        Alike::Number => text,
    }
}

/// How each text of a group is compared: keys, the number of rows, values.
fn manners(asked: &Asked) -> Vec<Alike> {
    let keys = asked.keys.iter().map(|(at, is_bucket)| {
        if *is_bucket {
            Alike::Exactly
        } else {
            KINDS[*at].alike
        }
    });
    let values = asked
        .values
        .iter()
        .map(|(function, at)| match (*function, KINDS[*at].alike) {
            ("count", _) => Alike::Exactly,
            ("sum" | "avg", Alike::Float) => Alike::About,
            ("sum" | "avg", _) => Alike::Exactly,
            (_, alike) => alike,
        });
    keys.chain([Alike::Exactly]).chain(values).collect()
}

fn about(a: &str, b: &str) -> bool {
    match (a.parse::<f64>(), b.parse::<f64>()) {
        (Ok(a), Ok(b)) if a.is_finite() && b.is_finite() => {
            (a - b).abs() <= 1e-9 * a.abs().max(b.abs()).max(1e3)
        }
        _ => a == b,
    }
}

/// Asks PostgreSQL the same, at the same snapshot.
async fn compare(
    asked: &Asked,
    told: &Summarized,
    replica: &Replica,
    (start, count): (u64, u32),
    held: &Held,
) -> Result<(), String> {
    let sql = query(asked, told);
    let rows = held
        .client()
        .query(&sql, &[])
        .await
        .map_err(|error| format!("{sql}: {error:?}"))?;
    let manners = manners(asked);
    let texts = |row: &tokio_postgres::Row| -> Vec<String> {
        manners
            .iter()
            .enumerate()
            .map(|(at, manner)| alike(*manner, row.get(at)))
            .collect()
    };
    let all: Vec<Vec<String>> = rows.iter().map(texts).collect();
    let at_rows = asked.keys.len();
    let rows_of = |groups: &[Vec<String>]| -> u64 {
        groups
            .iter()
            .map(|group| group[at_rows].parse::<u64>().unwrap())
            .sum()
    };
    let from = usize::try_from(start).unwrap().min(all.len());
    let expected = &all[from..(from + count as usize).min(all.len())];
    let shown = |(key, cells): &Group| -> Vec<String> {
        let values = key.iter().chain(cells).map(Value::to_postgres_text);
        values
            .zip(&manners)
            .map(|(text, manner)| alike(*manner, text))
            .collect()
    };
    let shown: Vec<Vec<String>> = replica.shown.iter().map(shown).collect();
    let same = |a: &Vec<String>, b: &Vec<String>| {
        let mut cells = a.iter().zip(b).zip(&manners);
        cells.all(|((a, b), manner)| a == b || *manner == Alike::About && about(a, b))
    };
    let counts = (
        all.len() as u64,
        rows_of(&all),
        rows_of(&all) - rows_of(expected),
        from as u64,
    );
    let held = (replica.groups, replica.rows, replica.rest, replica.start);
    if counts != held {
        return Err(format!(
            "groups, rows, rest, start are {held:?} and not {counts:?} at {:?}\n{sql}",
            replica.version
        ));
    }
    if shown.len() != expected.len() || !shown.iter().zip(expected).all(|(a, b)| same(a, b)) {
        let at = shown.iter().zip(expected).position(|(a, b)| !same(a, b));
        let at = at.unwrap_or(shown.len().min(expected.len()));
        return Err(format!(
            "group {at} is {:?} and not {:?} at {:?}\n{sql}",
            shown.get(at),
            expected.get(at),
            replica.version
        ));
    }
    Ok(())
}

#[tokio::test]
async fn every_version_of_random_summaries_is_exact() {
    run(60, 400, None).await.unwrap();
}

#[tokio::test]
async fn every_version_of_random_summaries_of_a_table_is_exact() {
    run(3_000, 300, None).await.unwrap();
}

/// A server that is wrong on purpose must be found out.
#[tokio::test]
async fn the_oracle_notices_mistakes() {
    for sabotage in [
        Sabotage::DropSides,
        Sabotage::ForgetRunning,
        Sabotage::ReuseTransactionIds,
    ] {
        let outcome = run(500, 100_000, Some(sabotage)).await;
        let difference = outcome.expect_err("a wrong server passed");
        assert!(
            !difference.contains("too few"),
            "{sabotage:?} went unnoticed: {difference}"
        );
        println!(
            "{sabotage:?}: {}",
            difference.lines().next().unwrap_or_default()
        );
    }
}
