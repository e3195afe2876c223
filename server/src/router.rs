//! Which address is answered by what.

use std::any::Any;
use std::sync::Arc;

use axum::Router;
use axum::extract::ws::WebSocketUpgrade;
use axum::extract::{DefaultBodyLimit, Request, State};
use axum::http::{HeaderName, StatusCode};
use axum::middleware::from_fn_with_state;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use tower_http::catch_panic::CatchPanicLayer;
use tower_http::request_id::{MakeRequestUuid, PropagateRequestIdLayer, SetRequestIdLayer};
use tower_http::timeout::TimeoutLayer;
use tower_http::trace::{DefaultOnFailure, DefaultOnResponse, TraceLayer};
use tracing::Level;

use crate::app::App;
use crate::http::api::{self, Api};
use crate::http::problem::Problem;
use crate::http::web_files::WebFiles;
use crate::http::{export, health, origin, security};
use crate::limits::{REQUEST_BODY_BYTES_MAX, REQUEST_TIMEOUT};
use crate::session;
use crate::session::handshake::Sessions;

/// Everything that is served.
pub fn router(app: &App) -> Router {
    let request_id = HeaderName::from_static("x-request-id");
    let data = Router::new()
        .route("/ws", get(socket))
        .with_state(app.sessions.clone())
        .merge(api::router(Api::new(app.sessions.clone())))
        .merge(export::router(app.exports.clone()))
        .route_layer(from_fn_with_state(app.origins.clone(), origin::guard));
    let status = Router::new()
        .route("/readyz", get(health::readyz))
        .route("/health", get(health::health))
        .with_state(app.health.clone())
        .route("/livez", get(health::livez))
        .route("/version", get(health::version));
    Router::new()
        .merge(data)
        .merge(status)
        .fallback(web_file)
        .with_state(app.web_files.clone())
        .method_not_allowed_fallback(wrong_method)
        .layer(DefaultBodyLimit::max(REQUEST_BODY_BYTES_MAX))
        .layer(TimeoutLayer::with_status_code(
            StatusCode::SERVICE_UNAVAILABLE,
            REQUEST_TIMEOUT,
        ))
        .layer(CatchPanicLayer::custom(panicked))
        .layer(from_fn_with_state(
            app.origins.clone(),
            security::add_headers,
        ))
        .layer(PropagateRequestIdLayer::new(request_id.clone()))
        .layer(
            TraceLayer::new_for_http()
                .make_span_with(span)
                .on_response(DefaultOnResponse::new().level(Level::DEBUG))
                .on_failure(DefaultOnFailure::new().level(Level::DEBUG)),
        )
        .layer(SetRequestIdLayer::new(request_id, MakeRequestUuid))
}

async fn socket(State(sessions): State<Sessions>, request: WebSocketUpgrade) -> Response {
    session::upgrade(request, sessions)
}

async fn web_file(State(files): State<Arc<WebFiles>>, request: Request) -> Response {
    files
        .answer(request.method(), request.uri(), request.headers())
        .await
}

async fn wrong_method() -> Problem {
    let detail = "This address does not take that method; the Allow header names those it does.";
    Problem::new(StatusCode::METHOD_NOT_ALLOWED, detail)
}

fn span(request: &Request) -> tracing::Span {
    let id = request
        .headers()
        .get("x-request-id")
        .and_then(|id| id.to_str().ok());
    let (method, path) = (request.method(), request.uri().path());
    tracing::debug_span!("request", %method, path, id)
}

#[allow(
    clippy::needless_pass_by_value,
    reason = "the signature that the layer asks for"
)]
fn panicked(cause: Box<dyn Any + Send>) -> Response {
    let message = cause
        .downcast_ref::<String>()
        .map(String::as_str)
        .or_else(|| cause.downcast_ref::<&str>().copied())
        .unwrap_or("no message");
    tracing::error!(message, "a request handler panicked");
    let detail = "The server failed to answer; its log says why. Other requests are not affected.";
    Problem::new(StatusCode::INTERNAL_SERVER_ERROR, detail).into_response()
}
