//! How the server is, for load balancers, scripts and people.

use std::sync::Arc;
use std::time::Instant;

use axum::Json;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use protocol::Status;
use serde::Serialize;
use sqlx::postgres::PgPool;

use crate::db::pool;
use crate::limits::READY_TIMEOUT;
use crate::views::Engine;

/// This program's version, and the commit it was built from where that is known.
pub const VERSION: &str = env!("ROWCAST_VERSION");

/// What the server depends on.
#[derive(Debug)]
pub struct Health {
    /// Asked for an answer.
    pub pool: PgPool,
    /// Knows whether the change log is followed and Redis is connected.
    pub engine: Arc<Engine>,
    /// When the server started.
    pub started: Instant,
}

/// The state of one dependency.
#[derive(Debug, Serialize)]
#[serde(rename_all = "snake_case", tag = "status")]
enum Condition {
    Ok,
    Disabled,
    /// Away, which slows the server but makes nothing wrong.
    Degraded {
        reason: String,
    },
    Down {
        reason: String,
    },
}

#[derive(Debug, Serialize)]
struct Readiness {
    ready: bool,
    postgres: Condition,
    change_log: Condition,
    redis: Condition,
}

/// Memory for the divisions of views, in bytes.
#[derive(Debug, Serialize)]
struct ViewMemory {
    divisions: usize,
    bytes: usize,
    limit: usize,
    /// Divisions that were forgotten to make room for others.
    forgotten: u64,
}

impl Health {
    async fn readiness(&self) -> Readiness {
        let postgres = match tokio::time::timeout(READY_TIMEOUT, pool::ask(&self.pool)).await {
            Ok(Ok(())) => Condition::Ok,
            Ok(Err(error)) => Condition::Down {
                reason: error.to_string(),
            },
            Err(_) => Condition::Down {
                reason: "PostgreSQL does not answer".to_owned(),
            },
        };
        let change_log = match &*self.engine.status().borrow() {
            Status::Live => Condition::Ok,
            Status::Stale { reason, .. } => Condition::Down {
                reason: reason.clone(),
            },
        };
        let redis = match self.engine.redis() {
            None => Condition::Disabled,
            Some(true) => Condition::Ok,
            Some(false) => Condition::Degraded {
                reason: "Redis cannot be reached; changes are read from PostgreSQL".to_owned(),
            },
        };
        let ready = matches!((&postgres, &change_log), (Condition::Ok, Condition::Ok));
        Readiness {
            ready,
            postgres,
            change_log,
            redis,
        }
    }
}

/// `GET /livez`: the process answers.
pub async fn livez() -> Response {
    (
        [(header::CACHE_CONTROL, "no-store")],
        Json(serde_json::json!({ "status": "ok" })),
    )
        .into_response()
}

/// `GET /readyz`: whether it can do its work, and which dependency keeps it from that.
pub async fn readyz(State(health): State<Arc<Health>>) -> Response {
    let readiness = health.readiness().await;
    (
        status(&readiness),
        [(header::CACHE_CONTROL, "no-store")],
        Json(readiness),
    )
        .into_response()
}

/// `GET /health`: `/readyz` for people, with the version and the time since the start.
pub async fn health(State(health): State<Arc<Health>>) -> Response {
    #[derive(Serialize)]
    struct Report {
        version: &'static str,
        uptime_seconds: u64,
        #[serde(flatten)]
        readiness: Readiness,
        view_memory: ViewMemory,
    }
    let readiness = health.readiness().await;
    let status = status(&readiness);
    let uptime_seconds = health.started.elapsed().as_secs();
    let budget = health.engine.budget();
    let report = Report {
        version: VERSION,
        uptime_seconds,
        readiness,
        view_memory: ViewMemory {
            divisions: budget.divisions(),
            bytes: budget.bytes(),
            limit: budget.limit(),
            forgotten: budget.forgotten(),
        },
    };
    (status, [(header::CACHE_CONTROL, "no-store")], Json(report)).into_response()
}

/// `GET /version`: the program's and the protocol's.
pub async fn version() -> Response {
    Json(serde_json::json!({
        "name": "rowcast",
        "version": env!("CARGO_PKG_VERSION"),
        "commit": option_env!("ROWCAST_GIT_SHA"),
        "protocol": protocol::PROTOCOL_VERSION,
    }))
    .into_response()
}

fn status(readiness: &Readiness) -> StatusCode {
    if readiness.ready {
        StatusCode::OK
    } else {
        StatusCode::SERVICE_UNAVAILABLE
    }
}
