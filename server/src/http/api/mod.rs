//! The HTTP API for programs: `/api/v1`. `docs/http-api.md` describes it.
//!
//! [`parameters`] reads what stands behind the `?`, [`filter_text`] the filters in it; [`rows`] answers with
//! pages, through a [`window`] of the engine's or from a cursor; [`row`] reads and writes single rows; [`stream`]
//! follows a window, from an [`event_id`] on; [`indexes`] says what serves a view, and creates what would; [`codes`]
//! names every refusal.

pub mod body;
pub mod codes;
pub mod cursor;
pub mod event_id;
pub mod filter_text;
pub mod indexes;
pub mod json;
pub mod key;
pub mod parameters;
pub mod refusals;
pub mod row;
pub mod rows;
pub mod signed;
pub mod stream;
pub mod tables;
pub mod window;

use std::sync::Arc;

use axum::Router;
use axum::extract::{RawPathParams, RawQuery, Request, State};
use axum::http::{HeaderMap, StatusCode, Uri, header};
use axum::middleware::{Next, from_fn};
use axum::response::{IntoResponse, Response};
use axum::routing::{any, get};

use tokio::sync::{OnceCell, Semaphore};

use self::codes::{Code, refused, unavailable};
use self::parameters::Parameters;
use crate::db::catalog::TableDef;
use crate::db::log::database_identity;
use crate::http::problem::Problem;
use crate::limits::STREAMS_MAX;
use crate::session::handshake::Sessions;
use crate::views::Engine;

/// What the requests of the API share.
#[derive(Clone, Debug)]
pub struct Api {
    /// The engine, and numbers for the windows that are opened on it.
    pub sessions: Sessions,
    /// What cursors and ids of events are signed with, once it is known.
    signing_key: Arc<OnceCell<String>>,
    /// Room for further streams.
    streams: Arc<Semaphore>,
}

impl Api {
    /// An API on this engine.
    pub fn new(sessions: Sessions) -> Self {
        Self {
            sessions,
            signing_key: Arc::default(),
            streams: Arc::new(Semaphore::new(STREAMS_MAX)),
        }
    }

    /// What cursors and ids are signed with: the same for every server on a database.
    async fn signing_key(&self) -> Result<&str, Problem> {
        let pool = self.sessions.engine.pool();
        let key = self.signing_key.get_or_try_init(|| database_identity(pool));
        let key = key.await.map_err(|error| unavailable(&error))?;
        Ok(key)
    }

    /// The table that an address names.
    async fn table(&self, path: &RawPathParams) -> Result<Arc<TableDef>, Problem> {
        find_table(&self.sessions.engine, named(path, "table")).await
    }
}

/// A part of an address by its name.
fn named<'a>(path: &'a RawPathParams, name: &str) -> &'a str {
    let part = path.iter().find(|(known, _)| *known == name);
    part.map(|(_, value)| value).unwrap_or_default()
}

/// The table of this name.
///
/// # Errors
/// If there is none, or PostgreSQL cannot be asked.
pub async fn find_table(engine: &Engine, name: &str) -> Result<Arc<TableDef>, Problem> {
    let found = engine.table(name).await;
    found.map_err(|error| unavailable(&error))?.ok_or_else(|| {
        let detail = format!("no table is called {name:?}; /api/v1/tables lists those there are");
        refused(protocol::ErrorCode::UnknownTable, detail)
    })
}

/// Every address of the API.
pub fn router<S: Clone + Send + Sync + 'static>(api: Api) -> Router<S> {
    let table = "/api/v1/tables/{table}";
    Router::new()
        .route("/api/v1/tables", get(list_tables))
        .route(table, get(show_table))
        .route(&format!("{table}/rows"), get(list_rows).post(insert_row))
        .route(&format!("{table}/stream"), get(follow))
        .route(&format!("{table}/advice"), get(advise))
        .route(
            &format!("{table}/indexes"),
            get(list_indexes).post(create_index),
        )
        .route("/api/v1/index-builds", get(list_builds))
        .route(
            "/api/v1/index-builds/{build}",
            get(show_build).delete(cancel_build),
        )
        .route(
            &format!("{table}/rows/{{key}}"),
            get(show_row).patch(update_row).delete(delete_row),
        )
        .method_not_allowed_fallback(wrong_method)
        .route("/api/{*rest}", any(nothing_here))
        .route("/api", any(nothing_here))
        .layer(from_fn(check))
        .with_state(api)
}

async fn list_tables(
    State(api): State<Api>,
    RawQuery(query): RawQuery,
) -> Result<Response, Problem> {
    Parameters::read(query.as_deref())?.finish(&[])?;
    tables::tables(&api).await
}

async fn show_table(
    State(api): State<Api>,
    path: RawPathParams,
    RawQuery(query): RawQuery,
) -> Result<Response, Problem> {
    Parameters::read(query.as_deref())?.finish(&[])?;
    tables::table(&*api.table(&path).await?)
}

async fn list_rows(
    State(api): State<Api>,
    path: RawPathParams,
    RawQuery(query): RawQuery,
) -> Result<Response, Problem> {
    let parameters = Parameters::read(query.as_deref())?;
    let table = api.table(&path).await?;
    rows::rows(&api, &table, parameters).await
}

async fn follow(
    State(api): State<Api>,
    path: RawPathParams,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let parameters = Parameters::read(query.as_deref())?;
    let table = api.table(&path).await?;
    stream::stream(&api, &table, parameters, &headers).await
}

/// Writes take no parameters.
async fn without_parameters(
    api: &Api,
    path: &RawPathParams,
    uri: &Uri,
) -> Result<Arc<TableDef>, Problem> {
    Parameters::read(uri.query())?.finish(&[])?;
    api.table(path).await
}

async fn insert_row(
    State(api): State<Api>,
    path: RawPathParams,
    request: Request,
) -> Result<Response, Problem> {
    let (parts, body) = request.into_parts();
    let table = without_parameters(&api, &path, &parts.uri).await?;
    row::insert(&api, &table, &parts.headers, body).await
}

async fn show_row(
    State(api): State<Api>,
    path: RawPathParams,
    uri: Uri,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let parameters = Parameters::read(uri.query())?;
    let table = api.table(&path).await?;
    let key = key::read(uri.path(), &table)?;
    row::show(&api, &table, &key, parameters, &headers).await
}

async fn update_row(
    State(api): State<Api>,
    path: RawPathParams,
    request: Request,
) -> Result<Response, Problem> {
    let (parts, body) = request.into_parts();
    let table = without_parameters(&api, &path, &parts.uri).await?;
    let key = key::read(parts.uri.path(), &table)?;
    row::update(&api, &table, key, &parts.headers, body).await
}

async fn delete_row(
    State(api): State<Api>,
    path: RawPathParams,
    uri: Uri,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let table = without_parameters(&api, &path, &uri).await?;
    let key = key::read(uri.path(), &table)?;
    row::delete(&api, &table, key, &headers).await
}

async fn advise(
    State(api): State<Api>,
    path: RawPathParams,
    RawQuery(query): RawQuery,
) -> Result<Response, Problem> {
    let parameters = Parameters::read(query.as_deref())?;
    let table = api.table(&path).await?;
    indexes::advice(&api, &table, parameters).await
}

async fn list_indexes(
    State(api): State<Api>,
    path: RawPathParams,
    uri: Uri,
) -> Result<Response, Problem> {
    let table = without_parameters(&api, &path, &uri).await?;
    indexes::list(&api, &table).await
}

async fn create_index(
    State(api): State<Api>,
    path: RawPathParams,
    request: Request,
) -> Result<Response, Problem> {
    let (parts, body) = request.into_parts();
    indexes::authorize(&api, &parts.headers)?;
    let parameters = Parameters::read(parts.uri.query())?;
    let table = api.table(&path).await?;
    indexes::create(&api, &table, parameters, &parts.headers, body).await
}

async fn list_builds(
    State(api): State<Api>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    indexes::authorize(&api, &headers)?;
    Parameters::read(query.as_deref())?.finish(&[])?;
    indexes::builds(&api)
}

async fn show_build(
    State(api): State<Api>,
    path: RawPathParams,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    indexes::authorize(&api, &headers)?;
    Parameters::read(query.as_deref())?.finish(&[])?;
    indexes::show(&api, named(&path, "build"))
}

async fn cancel_build(
    State(api): State<Api>,
    path: RawPathParams,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    indexes::authorize(&api, &headers)?;
    Parameters::read(query.as_deref())?.finish(&[])?;
    indexes::cancel(&api, named(&path, "build"))
}

async fn nothing_here() -> Problem {
    let detail = "there is nothing at this address; /api/v1/tables is where to start";
    Code::UnknownAddress.because(detail)
}

/// For addresses that do not take a method.
pub async fn wrong_method() -> Problem {
    let detail = "this address does not take that method; the Allow header names those it does";
    Code::MethodNotAllowed.because(detail)
}

/// What every request must have right, and a code for what axum refuses by itself.
async fn check(request: Request, next: Next) -> Response {
    let site = request.headers().get("sec-fetch-site");
    if site.is_some_and(|site| site == "cross-site")
        && !request.headers().contains_key(header::ORIGIN)
    {
        // A page of another site, by a way that names no origin: an image, a link, a form.
        let detail = "pages of other sites may not use this server";
        return refused(protocol::ErrorCode::Forbidden, detail).into_response();
    }
    let path = request.uri().path();
    // A row may have the key `stream`.
    let kind = if path.ends_with("/stream") && !path.contains("/rows/") {
        "text/event-stream"
    } else {
        "application/json"
    };
    if !is_acceptable(request.headers(), kind) {
        let detail = format!("this address answers with {kind}");
        let problem = Code::NotAcceptable.because(detail);
        return problem.allowed([kind]).into_response();
    }
    let response = next.run(request).await;
    let is_coded = response
        .headers()
        .get(header::CONTENT_TYPE)
        .is_some_and(|kind| kind != "text/plain; charset=utf-8");
    match response.status() {
        // A path that is not UTF-8 does not reach a handler.
        StatusCode::BAD_REQUEST if !is_coded => {
            let detail = "the address is not UTF-8 once its %xx are decoded";
            Code::BadParameter.because(detail).into_response()
        }
        _ => response,
    }
}

/// Whether a client takes this kind of answer.
fn is_acceptable(headers: &HeaderMap, answer: &str) -> bool {
    let mut accepts = headers.get_all(header::ACCEPT).iter().peekable();
    if accepts.peek().is_none() {
        return true;
    }
    let group = answer.split('/').next().unwrap_or_default();
    let takes = [answer, &format!("{group}/*"), "*/*"];
    accepts.any(|accept| {
        let ranges = accept.to_str().unwrap_or_default().split(',');
        ranges.into_iter().any(|range| {
            let mut parts = range.split(';').map(str::trim);
            let kind = parts.next().unwrap_or_default().to_ascii_lowercase();
            let is_refused = parts.any(|part| {
                let weight = part.strip_prefix("q=").and_then(|q| q.parse::<f32>().ok());
                weight == Some(0.0)
            });
            takes.contains(&kind.as_str()) && !is_refused
        })
    })
}
