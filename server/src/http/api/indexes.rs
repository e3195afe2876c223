//! `…/tables/{table}/advice`: what serves a view, and the index that would. `…/tables/{table}/indexes` and
//! `/api/v1/index-builds`: creating it, for administrators.

use std::sync::Arc;

use axum::body::Body;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use protocol::{ErrorCode, IndexState, IndexSuggestion, OpeningCost, ServedBy};
use serde::{Deserialize, Serialize};

use super::Api;
use super::body;
use super::codes::{Code, refused, unavailable};
use super::parameters::{Parameters, RowsQuery};
use super::rows::json;
use super::window::refusal;
use crate::db::catalog::TableDef;
use crate::db::indexes::indexes;
use crate::http::problem::Problem;
use crate::limits::RETRY_AFTER;
use crate::views::indexer::{IndexBuild, Refused, busy};

/// What says which view is meant, besides the columns of the table.
const PARAMETERS: [&str; 3] = ["filter", "sort", "q"];

/// Where the index builds are.
const BUILDS: &str = "/api/v1/index-builds";

/// Answers with what serves a view, what it costs, and what would help.
///
/// # Errors
/// If a parameter is wrong, or PostgreSQL cannot be asked.
pub async fn advice(
    api: &Api,
    table: &TableDef,
    parameters: Parameters,
) -> Result<Response, Problem> {
    #[derive(Serialize)]
    struct Answer {
        served_by: ServedBy,
        cost: OpeningCost,
        warning: Option<String>,
        suggestions: Vec<IndexSuggestion>,
    }
    let view = RowsQuery::read(parameters, table, &PARAMETERS)?.view;
    let advice = api.sessions.engine.advice(table, &view).await;
    let advice = advice.map_err(|refused| refusal(refused.code, refused.message, &view))?;
    json(&Answer {
        served_by: advice.served_by,
        cost: advice.cost,
        warning: advice.warning,
        suggestions: advice.suggestion.into_iter().collect(),
    })
}

/// Answers with the indexes that a table has.
///
/// # Errors
/// If PostgreSQL cannot be asked.
pub async fn list(api: &Api, table: &TableDef) -> Result<Response, Problem> {
    #[derive(Serialize)]
    struct Answer {
        indexes: Vec<Index>,
    }
    #[derive(Serialize)]
    struct Index {
        name: String,
        definition: String,
        is_valid: bool,
        is_unique: bool,
        bytes: i64,
    }
    let there = indexes(api.sessions.engine.pool(), Some(table.oid)).await;
    let there = there.map_err(|error| unavailable(&error))?;
    let indexes = there.into_iter().map(|index| Index {
        name: index.name,
        definition: index.definition,
        is_valid: index.is_valid,
        is_unique: index.is_unique,
        bytes: index.bytes,
    });
    json(&Answer {
        indexes: indexes.collect(),
    })
}

/// Checks that a request comes from an administrator.
///
/// # Errors
/// If it does not present the token, or the server has none.
pub fn authorize(api: &Api, headers: &HeaderMap) -> Result<(), Problem> {
    let presented = headers.get(header::AUTHORIZATION).map(|value| {
        let text = value.to_str().unwrap_or_default();
        let (scheme, token) = text.split_once(' ').unwrap_or_default();
        scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
    });
    let indexer = api.sessions.engine.indexer();
    let token = presented.flatten().unwrap_or_default();
    let Err(reason) = indexer.authorize(token) else {
        return Ok(());
    };
    if !indexer.takes_tokens() {
        return Err(refused(reason.code, reason.message));
    }
    if presented.is_some() {
        tracing::warn!("a request presented a wrong admin token");
    }
    let detail = "only an administrator may do this: Authorization: Bearer, and the admin token";
    let ask = HeaderValue::from_static("Bearer realm=\"rowcast administrators\"");
    let problem = Code::Unauthorized.because(detail);
    Err(problem.header(header::WWW_AUTHENTICATE, ask))
}

/// The body of a request for an index.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Wanted {
    /// The suggestion's.
    name: String,
}

fn wanted(bytes: &[u8]) -> Result<Wanted, Problem> {
    let bad = |reason: String| {
        let detail = format!("the body is {{\"name\": \"the name of the suggestion\"}}: {reason}");
        Code::BadBody.because(detail).allowed(["name"])
    };
    // An array of members would be read as well.
    if !bytes.trim_ascii_start().starts_with(b"{") {
        return Err(bad("it is no object".to_owned()));
    }
    serde_json::from_slice(bytes).map_err(|error| bad(error.to_string()))
}

/// Begins to create the index that is suggested for a view.
///
/// # Errors
/// If the request is wrong, another index is suggested, or another one is being created.
pub async fn create(
    api: &Api,
    table: &Arc<TableDef>,
    parameters: Parameters,
    headers: &HeaderMap,
    body: Body,
) -> Result<Response, Problem> {
    let view = RowsQuery::read(parameters, table, &PARAMETERS)?.view;
    let bytes = body::bytes(headers, body).await?;
    let wanted = wanted(&bytes)?;
    let engine = &api.sessions.engine;
    match engine.indexer().create(engine, &view, &wanted.name).await {
        Ok(build) => under_way(&build),
        Err(Refused::Request(refused)) => Err(refusal(refused.code, refused.message, &view)),
        Err(Refused::Busy(other)) => {
            let problem = Code::IndexBusy.because(busy(&other));
            let seconds = HeaderValue::from(RETRY_AFTER.as_secs());
            let problem = problem.header(header::RETRY_AFTER, seconds);
            Err(problem.with("index_build", address(&other)))
        }
    }
}

/// Answers with the index builds that are remembered, the newest first.
///
/// # Errors
/// If the answer cannot be written.
pub fn builds(api: &Api) -> Result<Response, Problem> {
    #[derive(Serialize)]
    struct Answer {
        index_builds: Vec<Build>,
    }
    let builds = api.sessions.engine.indexer().builds();
    json(&Answer {
        index_builds: builds.iter().map(|build| Build::of(build)).collect(),
    })
}

/// Answers with how far an index is.
///
/// # Errors
/// If none of this number is known.
pub fn show(api: &Api, id: &str) -> Result<Response, Problem> {
    let build = find(api, id)?;
    answer(&build, StatusCode::OK)
}

/// Stops the creation of an index; what is over stays as it is.
///
/// # Errors
/// If none of this number is known.
pub fn cancel(api: &Api, id: &str) -> Result<Response, Problem> {
    let build = find(api, id)?;
    build.cancel();
    if build.is_over() {
        return answer(&build, StatusCode::OK);
    }
    under_way(&build)
}

fn find(api: &Api, id: &str) -> Result<Arc<IndexBuild>, Problem> {
    let builds = api.sessions.engine.indexer().builds();
    let found = builds.into_iter().find(|build| name(build) == id);
    found.ok_or_else(|| {
        let detail = format!("there is no index build {id:?}; {BUILDS} lists those of this server");
        Code::UnknownIndexBuild.because(detail)
    })
}

fn name(build: &IndexBuild) -> String {
    format!("{:016x}", build.id)
}

fn address(build: &IndexBuild) -> String {
    format!("{BUILDS}/{}", name(build))
}

/// An index build, as it is answered.
#[derive(Serialize)]
struct Build {
    id: String,
    index: String,
    table: String,
    sql: String,
    state: &'static str,
    /// It is being stopped, or was.
    is_stopping: bool,
    #[serde(flatten)]
    more: More,
}

#[derive(Serialize)]
#[serde(untagged)]
enum More {
    Running {
        phase: String,
        done: u64,
        total: u64,
    },
    Done {
        millis: u64,
    },
    Failed {
        code: ErrorCode,
        message: String,
    },
}

impl Build {
    fn of(build: &IndexBuild) -> Self {
        let (state, more) = match build.state.borrow().clone() {
            IndexState::Running { phase, done, total } => {
                ("running", More::Running { phase, done, total })
            }
            IndexState::Done { millis } => ("done", More::Done { millis }),
            IndexState::Failed { code, message } => ("failed", More::Failed { code, message }),
        };
        Self {
            id: name(build),
            index: build.name.clone(),
            table: build.table.clone(),
            sql: build.sql.clone(),
            state,
            is_stopping: build.is_stopping(),
            more,
        }
    }
}

/// An answer that will be another one soon.
fn under_way(build: &IndexBuild) -> Result<Response, Problem> {
    let mut response = answer(build, StatusCode::ACCEPTED)?;
    if let Ok(address) = HeaderValue::try_from(address(build)) {
        response.headers_mut().insert(header::LOCATION, address);
    }
    Ok(response)
}

fn answer(build: &IndexBuild, status: StatusCode) -> Result<Response, Problem> {
    let mut response = (status, json(&Build::of(build))?).into_response();
    if !build.is_over() {
        let seconds = HeaderValue::from(RETRY_AFTER.as_secs());
        response.headers_mut().insert(header::RETRY_AFTER, seconds);
    }
    Ok(response)
}
