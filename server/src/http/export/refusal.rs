//! Why an export does not begin.

use axum::http::{HeaderValue, header};
use protocol::ErrorCode;

use crate::http::api::codes::{Code, refused, unavailable};
use crate::http::problem::Problem;
use crate::limits::{EXPORT_COUNT_TIMEOUT, EXPORT_RETRY_AFTER, EXPORTS_MAX, XLSX_ROWS_MAX};

/// All places are taken.
pub fn too_many() -> Problem {
    let detail = format!(
        "{EXPORTS_MAX} exports are under way, which is as many as this server allows; try again when \
         one has ended"
    );
    let seconds = HeaderValue::from(EXPORT_RETRY_AFTER.as_secs());
    Code::TooManyExports
        .because(detail)
        .header(header::RETRY_AFTER, seconds)
}

/// A worksheet is too short.
pub fn too_many_rows() -> Problem {
    let max = XLSX_ROWS_MAX - 1;
    let detail = format!(
        "the view has more rows than the {max} that a worksheet holds besides its header; narrow the \
         filter, or choose csv, jsonl or parquet"
    );
    Code::TooManyRows.because(detail).with("rows_max", max)
}

/// The server stops, or has failed to say why nothing begins.
pub fn stopping() -> Problem {
    let detail = "the server is stopping; try again in a moment";
    refused(ErrorCode::DatabaseUnavailable, detail)
}

/// What PostgreSQL says, or that it says nothing.
pub fn database(error: &sqlx::Error) -> Problem {
    let Some(database) = error.as_database_error() else {
        return unavailable(error);
    };
    let state = database.code().unwrap_or_default();
    let message = database.message().to_owned();
    match state.as_bytes() {
        b"57014" => {
            let detail = format!(
                "the query took longer than an export may (ROWCAST_TIMEOUT_EXPORT; {} s for counting a \
                 worksheet's rows); narrow the filter, or sort by an indexed column",
                EXPORT_COUNT_TIMEOUT.as_secs()
            );
            refused(ErrorCode::QueryTimeout, detail)
        }
        b"55P03" => {
            let detail = "the table is locked by another transaction; try again when it has ended";
            refused(ErrorCode::QueryTimeout, detail)
        }
        // Data exceptions: a condition cannot be evaluated.
        [b'2', b'2', ..] => refused(ErrorCode::BadFilter, message),
        b"42501" => refused(ErrorCode::Forbidden, message),
        // The table is not what the catalogue said a moment ago.
        b"42P01" | b"42703" => Code::SchemaChanged.because(message),
        // Too many connections, out of memory or disk, shutting down.
        [b'5', b'3' | b'7', ..] => {
            let detail = format!("{message}; try again in a moment");
            refused(ErrorCode::DatabaseUnavailable, detail)
        }
        _ => {
            tracing::warn!(%error, "an export failed");
            let detail = "the server failed to read the rows; its log says why";
            refused(ErrorCode::Internal, detail)
        }
    }
}
