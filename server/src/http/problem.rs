//! What is said when a request is refused: RFC 9457, `application/problem+json`.

use std::borrow::Cow;

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use serde_json::{Map, Value};

use crate::limits::RETRY_AFTER;

/// Why a request was refused.
#[derive(Debug, Serialize)]
pub struct Problem {
    /// The HTTP status, again.
    status: u16,
    /// The status in words.
    title: &'static str,
    /// Which kind of refusal it is, for programs.
    #[serde(skip_serializing_if = "Option::is_none")]
    code: Option<Cow<'static, str>>,
    /// What was wrong, for people.
    detail: Cow<'static, str>,
    /// More about it, by the code.
    #[serde(flatten)]
    more: Box<Map<String, Value>>,
    /// Headers of the response.
    #[serde(skip)]
    headers: Vec<(header::HeaderName, HeaderValue)>,
}

impl Problem {
    /// A refusal with its reason.
    pub fn new(status: StatusCode, detail: impl Into<Cow<'static, str>>) -> Self {
        let title = status.canonical_reason().unwrap_or("Error");
        Self {
            status: status.as_u16(),
            title,
            code: None,
            detail: detail.into(),
            more: Box::default(),
            headers: Vec::new(),
        }
    }

    /// Names the kind of refusal.
    #[must_use]
    pub fn code(mut self, code: impl Into<Cow<'static, str>>) -> Self {
        self.code = Some(code.into());
        self
    }

    /// Has another status than that of its code, if it has that one.
    #[must_use]
    pub fn instead_of(mut self, usual: StatusCode, status: StatusCode) -> Self {
        if self.status == usual.as_u16() {
            self.status = status.as_u16();
            self.title = status.canonical_reason().unwrap_or("Error");
        }
        self
    }

    /// Adds a member.
    #[must_use]
    pub fn with(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.more.insert(name.to_owned(), value.into());
        self
    }

    /// Adds what would have been allowed.
    #[must_use]
    pub fn allowed<T: Into<String>>(self, values: impl IntoIterator<Item = T>) -> Self {
        let values: Vec<Value> = values.into_iter().map(|it| it.into().into()).collect();
        self.with("allowed", values)
    }

    /// Adds a header to the response.
    #[must_use]
    pub fn header(mut self, name: header::HeaderName, value: HeaderValue) -> Self {
        self.headers.push((name, value));
        self
    }
}

impl IntoResponse for Problem {
    fn into_response(mut self) -> Response {
        let status = StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let headers = std::mem::take(&mut self.headers);
        let mut response = (status, axum::Json(self)).into_response();
        let kind = HeaderValue::from_static("application/problem+json");
        response.headers_mut().insert(header::CONTENT_TYPE, kind);
        if status == StatusCode::SERVICE_UNAVAILABLE {
            let seconds = HeaderValue::from(RETRY_AFTER.as_secs());
            response.headers_mut().insert(header::RETRY_AFTER, seconds);
        }
        response.headers_mut().extend(headers);
        response
    }
}
