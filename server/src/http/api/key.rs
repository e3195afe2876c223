//! Keys and versions of single rows, as addresses and headers have them.

use axum::http::{HeaderMap, HeaderValue, header};
use percent_encoding::{NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};
use protocol::Value;

use super::codes::Code;
use crate::db::catalog::TableDef;
use crate::db::write::Expected;
use crate::http::problem::Problem;
use crate::limits::ETAGS_MAX;

/// The key in the last part of an address: its values with commas between them, each percent-encoded.
///
/// # Errors
/// If it has not as many values as the table's key, or is not UTF-8.
pub fn read(path: &str, table: &TableDef) -> Result<Vec<Value>, Problem> {
    let names: Vec<&str> = table
        .key
        .iter()
        .map(|&column| table.columns[column].name.as_str())
        .collect();
    if names.is_empty() {
        let detail = "the table has no primary key, so its rows have no address";
        return Err(Code::BadKey.because(detail));
    }
    let last = path.rsplit('/').next().unwrap_or_default();
    let parts: Vec<&str> = last.split(',').collect();
    if parts.len() != names.len() {
        let detail = format!(
            "the key of {} is {}: write {} with commas between the values, and %2C for a comma in one",
            table.sql_name,
            names.join(", "),
            names.len(),
        );
        return Err(Code::BadKey.because(detail).allowed(names));
    }
    let value = |part: &str| {
        let text = percent_decode_str(part).decode_utf8().ok()?;
        (!text.contains('\0')).then(|| Value::text(text))
    };
    let values: Option<Vec<Value>> = parts.into_iter().map(value).collect();
    values.ok_or_else(|| {
        let detail = "the key is not UTF-8 once its %xx are decoded, or holds a zero byte";
        Code::BadKey.because(detail)
    })
}

/// A key as the last part of an address.
pub fn write(key: &[Value]) -> String {
    let value = |value: &Value| {
        let text = value.to_postgres_text().unwrap_or_default();
        utf8_percent_encode(&text, NON_ALPHANUMERIC).to_string()
    };
    key.iter().map(value).collect::<Vec<_>>().join(",")
}

/// A version as the header `ETag` has it.
pub fn etag(version: &str) -> HeaderValue {
    // Hexadecimal digits always fit.
    HeaderValue::try_from(format!("\"{version}\"")).unwrap_or(HeaderValue::from_static("\"\""))
}

/// The versions that a write may replace.
///
/// # Errors
/// If the request does not say, which every write must.
pub fn expected(headers: &HeaderMap) -> Result<Expected, Problem> {
    match etags(headers, &header::IF_MATCH) {
        Some(Ok(expected)) => Ok(expected),
        Some(Err(())) => {
            let detail = format!(
                "If-Match holds what ETag said, in its double quotes (at most {ETAGS_MAX} of them), or *"
            );
            Err(Code::BadParameter.because(detail))
        }
        None => {
            let detail = "say which version of the row is meant: If-Match with the ETag of the row as you \
                          saw it, or If-Match: * for whatever it is by now";
            Err(Code::PreconditionRequired.because(detail))
        }
    }
}

/// Whether a client holds this version already.
pub fn is_known(headers: &HeaderMap, version: &str) -> bool {
    match etags(headers, &header::IF_NONE_MATCH) {
        Some(Ok(Expected::Any)) => true,
        Some(Ok(Expected::OneOf(known))) => known.iter().any(|known| known == version),
        _ => false,
    }
}

/// The versions in a header; `None` without it.
fn etags(headers: &HeaderMap, name: &header::HeaderName) -> Option<Result<Expected, ()>> {
    let mut lines = headers.get_all(name).iter().peekable();
    lines.peek()?;
    let mut versions = Vec::new();
    for line in lines {
        let Ok(line) = line.to_str() else {
            return Some(Err(()));
        };
        for tag in line.split(',').map(str::trim) {
            if tag == "*" {
                return Some(Ok(Expected::Any));
            }
            // A proxy that changed the encoding weakens the tag; the row is the same.
            let strong = tag.strip_prefix("W/").unwrap_or(tag);
            let inner = strong
                .strip_prefix('"')
                .and_then(|tag| tag.strip_suffix('"'));
            match inner {
                Some(version) if versions.len() < ETAGS_MAX => versions.push(version.to_owned()),
                _ => return Some(Err(())),
            }
        }
    }
    Some(Ok(Expected::OneOf(versions)))
}
