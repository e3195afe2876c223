//! The body of a write: one JSON object, a member for each column.

use std::fmt;

use axum::body::{Body, Bytes};
use axum::http::{HeaderMap, header};
use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;
use tokio::time::timeout;

use super::codes::{Code, refused};
use crate::db::catalog::TableDef;
use crate::http::problem::Problem;
use crate::limits::{API_BODY_BYTES_MAX, API_BODY_TIMEOUT};

/// Columns and their new values, as the client wrote them.
#[derive(Clone, Debug)]
pub struct Members {
    /// Places of the columns in the table.
    pub columns: Vec<usize>,
    /// The JSON object.
    pub object: String,
}

/// Reads the body of a row.
///
/// # Errors
/// If it is not one JSON object whose members are columns of the table, each once.
pub async fn read(headers: &HeaderMap, body: Body, table: &TableDef) -> Result<Members, Problem> {
    let bytes = bytes(headers, body).await?;
    let object: Object<'_> = serde_json::from_slice(&bytes).map_err(|error| {
        let detail = format!("the body is one JSON object with a member for each column: {error}");
        Code::BadBody.because(detail)
    })?;
    let mut columns = Vec::new();
    for (name, _) in &object.0 {
        let column = table.column(name).ok_or_else(|| {
            let detail = format!("{} has no column {name:?}", table.sql_name);
            let names = table.columns.iter().map(|column| column.name.as_str());
            refused(protocol::ErrorCode::UnknownColumn, detail).allowed(names)
        })?;
        columns.push(column);
    }
    let object = String::from_utf8(bytes.into()).unwrap_or_default();
    Ok(Members { columns, object })
}

/// Reads a body of JSON.
///
/// # Errors
/// If it is of another kind, too large, or does not arrive.
pub async fn bytes(headers: &HeaderMap, body: Body) -> Result<Bytes, Problem> {
    check_kind(headers)?;
    let reading = axum::body::to_bytes(body, API_BODY_BYTES_MAX);
    let bytes = timeout(API_BODY_TIMEOUT, reading).await.map_err(|_| {
        let detail = "the body did not arrive in time";
        Code::BodyTooSlow.because(detail)
    })?;
    bytes.map_err(|error| {
        let is_too_large = std::error::Error::source(&error)
            .is_some_and(|source| source.to_string().contains("length limit"));
        if is_too_large {
            let detail = format!("a body may have {API_BODY_BYTES_MAX} bytes");
            Code::BodyTooLarge.because(detail)
        } else {
            Code::BadBody.because("the body did not arrive whole")
        }
    })
}

/// JSON in UTF-8, as it is.
fn check_kind(headers: &HeaderMap) -> Result<(), Problem> {
    let text = |name: header::HeaderName| {
        let value = headers.get(name)?.to_str().ok()?;
        Some(value.to_ascii_lowercase())
    };
    let kind = text(header::CONTENT_TYPE).unwrap_or_default();
    let mut parts = kind.split(';').map(str::trim);
    let is_json = matches!(
        parts.next(),
        Some("application/json" | "application/merge-patch+json")
    );
    let is_utf8 = parts.all(|part| match part.split_once('=') {
        Some(("charset", charset)) => charset.trim_matches('"') == "utf-8",
        _ => true,
    });
    let is_plain = text(header::CONTENT_ENCODING).is_none_or(|coding| coding == "identity");
    if is_json && is_utf8 && is_plain {
        return Ok(());
    }
    let detail = "the body is JSON in UTF-8, not compressed: Content-Type: application/json";
    let allowed = ["application/json", "application/merge-patch+json"];
    Err(Code::UnsupportedMediaType.because(detail).allowed(allowed))
}

/// Members in their order, each name once.
struct Object<'a>(Vec<(String, &'a RawValue)>);

impl<'de: 'a, 'a> Deserialize<'de> for Object<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Members;
        impl<'de> Visitor<'de> for Members {
            type Value = Vec<(String, &'de RawValue)>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a JSON object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                use serde::de::Error;
                let mut members: Vec<(String, &RawValue)> = Vec::new();
                while let Some((name, value)) = map.next_entry::<String, &RawValue>()? {
                    if members.iter().any(|(known, _)| *known == name) {
                        let message = format_args!("the member {name:?} is there twice");
                        return Err(A::Error::custom(message));
                    }
                    members.push((name, value));
                }
                Ok(members)
            }
        }
        deserializer.deserialize_map(Members).map(Self)
    }
}
