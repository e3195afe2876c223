//! A whole view as a file: `GET /api/v1/tables/{table}/export`.
//!
//! One transaction reads the rows in the view's order, on a connection beside the pool; a thread writes them in
//! the format asked for; the answer's body hands on its chunks. All three go at the pace of the slowest, so the
//! memory in use does not grow with the view. When one ends, the others do.

pub mod csv;
pub mod encode;
pub mod file_name;
pub mod formulas;
pub mod job;
pub mod jsonl;
pub mod output;
pub mod parquet;
pub mod refusal;
pub mod request;
pub mod xlsx;

use std::sync::Arc;

use axum::Router;
use axum::extract::rejection::PathRejection;
use axum::extract::{Path, RawQuery, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, header};
use axum::response::Response;
use axum::routing::get;
use protocol::Version;
use tokio::sync::{Semaphore, oneshot};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use self::encode::Format;
use self::file_name::content_disposition;
use self::job::{Job, Signals};
use self::output::channel;
use self::request::ExportRequest;
use crate::db::catalog::TableDef;
use crate::db::timeouts::Timeouts;
use crate::http::api;
use crate::http::api::codes::{Code, refused};
use crate::http::problem::Problem;
use crate::limits::{EXPORT_FIRST_ROWS_PATIENCE, EXPORTS_MAX};
use crate::views::Engine;
use crate::views::answers::Answers;
use crate::views::plan::{self, Plan, Refusal};

/// Names the state of the database that the rows are of, as `version` does on the socket.
const VERSION_HEADER: HeaderName = HeaderName::from_static("rowcast-version");

/// What all exports share.
#[derive(Clone, Debug)]
pub struct Exports {
    engine: Arc<Engine>,
    timeouts: Timeouts,
    places: Arc<Semaphore>,
    tasks: TaskTracker,
    stop: CancellationToken,
}

impl Exports {
    /// None is under way. Those that will be are tracked by `tasks`, and end when `stop` is cancelled.
    pub fn new(
        engine: Arc<Engine>,
        timeouts: Timeouts,
        tasks: TaskTracker,
        stop: CancellationToken,
    ) -> Self {
        Self {
            engine,
            timeouts,
            places: Arc::new(Semaphore::new(EXPORTS_MAX)),
            tasks,
            stop,
        }
    }
}

/// The address of exports.
pub fn router<S: Clone + Send + Sync + 'static>(exports: Exports) -> Router<S> {
    Router::new()
        .route("/api/v1/tables/{table}/export", get(export))
        .method_not_allowed_fallback(api::wrong_method)
        .with_state(exports)
}

/// Answers a request for a whole view; it is refused if it makes no sense, the format has no room for the rows,
/// all places are taken, or PostgreSQL says no.
async fn export(
    State(exports): State<Exports>,
    path: Result<Path<String>, PathRejection>,
    RawQuery(query): RawQuery,
) -> Result<Response, Problem> {
    let Path(name) = path.map_err(|error| Code::BadParameter.because(error.body_text()))?;
    let table = api::find_table(&exports.engine, &name).await?;
    let request = ExportRequest::read(&table, query.as_deref())?;
    let refuse = |refusal: Refusal| refused(refusal.code, refusal.message);
    let columns = plan::columns(&table, &request.columns).map_err(refuse)?;
    let pool = exports.engine.pool();
    let plan = Plan::new(&request.view, &table, &mut Answers::default(), pool).await;
    let place = exports.places.clone().try_acquire_owned();
    let gone = CancellationToken::new();
    let job = Job {
        pool: pool.clone(),
        timeouts: exports.timeouts,
        table: table.clone(),
        columns,
        plan: plan.map_err(refuse)?,
        format: request.format,
        place: place.map_err(|_| refusal::too_many())?,
        gone: gone.clone(),
        stop: exports.stop.clone(),
    };
    answer(job, &table, gone, &exports.tasks).await
}

/// Starts the export, and answers once it is sure to begin. If the client leaves before, `gone` says so.
async fn answer(
    job: Job,
    table: &TableDef,
    gone: CancellationToken,
    tasks: &TaskTracker,
) -> Result<Response, Problem> {
    let client = gone.drop_guard();
    let format = job.format;
    let (writer, chunks) = channel();
    let (begun, has_begun) = oneshot::channel();
    let (flowing, flows) = oneshot::channel();
    tasks.spawn(job.run(writer, Signals { begun, flowing }));
    let version = has_begun
        .await
        .unwrap_or_else(|_| Err(refusal::stopping()))?;
    // Rows that take longer come later, and an error then cuts the file short.
    if let Ok(first) = tokio::time::timeout(EXPORT_FIRST_ROWS_PATIENCE, flows).await {
        first.unwrap_or_else(|_| Err(refusal::stopping()))?;
    }
    let mut response = Response::new(chunks.into_body(client));
    *response.headers_mut() = headers(table, format, version);
    Ok(response)
}

fn headers(table: &TableDef, format: Format, version: Option<Version>) -> HeaderMap {
    let version = version.and_then(|version| HeaderValue::try_from(version.0).ok());
    let mut headers = HeaderMap::from_iter([
        (
            header::CONTENT_TYPE,
            HeaderValue::from_static(format.content_type()),
        ),
        (
            header::CONTENT_DISPOSITION,
            content_disposition(&table.bare_name, format.extension()),
        ),
        (header::CACHE_CONTROL, HeaderValue::from_static("no-store")),
    ]);
    headers.extend(version.map(|version| (VERSION_HEADER, version)));
    headers
}
