//! The codes by which programs tell refusals apart.

use std::borrow::Cow;

use axum::http::StatusCode;
use protocol::ErrorCode;

use crate::http::problem::Problem;

/// Why a request of the HTTP API was refused, besides the codes that it shares with the socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Code {
    /// Nothing is at this address.
    UnknownAddress,
    /// The table has no row of this key.
    UnknownRow,
    /// The request has a parameter that the address does not take.
    UnknownParameter,
    /// A parameter is given twice.
    DuplicateParameter,
    /// A parameter cannot be read.
    BadParameter,
    /// The cursor is not one of this table, sort and filter.
    InvalidCursor,
    /// The `Last-Event-ID` is not one of a stream.
    InvalidEventId,
    /// The key in the address does not fit the table's.
    BadKey,
    /// The body is not what the address takes.
    BadBody,
    /// The body is too large.
    BodyTooLarge,
    /// The body did not arrive in time.
    BodyTooSlow,
    /// The body is of another kind than JSON.
    UnsupportedMediaType,
    /// The client takes nothing that the address gives.
    NotAcceptable,
    /// The address does not take the method.
    MethodNotAllowed,
    /// A write without `If-Match`.
    PreconditionRequired,
    /// The row is not, or no longer, as `If-Match` says.
    VersionMismatch,
    /// The request does not present the admin token.
    Unauthorized,
    /// No index build has this number.
    UnknownIndexBuild,
    /// Another index is being created.
    IndexBusy,
    /// The database's role may not do it.
    Forbidden,
    /// Another row is in the way.
    Conflict,
    /// The row breaks a rule of the table.
    ConstraintViolated,
    /// The table's columns changed meanwhile.
    SchemaChanged,
    /// As many streams as the server holds are open.
    TooManyStreams,
    /// As many exports as the server allows are under way.
    TooManyExports,
    /// The view has more rows than the format holds.
    TooManyRows,
}

impl Code {
    /// Every one.
    pub const ALL: [Self; 26] = [
        Self::UnknownAddress,
        Self::UnknownRow,
        Self::UnknownParameter,
        Self::DuplicateParameter,
        Self::BadParameter,
        Self::InvalidCursor,
        Self::InvalidEventId,
        Self::BadKey,
        Self::BadBody,
        Self::BodyTooLarge,
        Self::BodyTooSlow,
        Self::UnsupportedMediaType,
        Self::NotAcceptable,
        Self::MethodNotAllowed,
        Self::PreconditionRequired,
        Self::VersionMismatch,
        Self::Unauthorized,
        Self::UnknownIndexBuild,
        Self::IndexBusy,
        Self::Forbidden,
        Self::Conflict,
        Self::ConstraintViolated,
        Self::SchemaChanged,
        Self::TooManyStreams,
        Self::TooManyExports,
        Self::TooManyRows,
    ];

    /// As programs see it, and the HTTP status it comes with.
    pub const fn name_and_status(self) -> (&'static str, StatusCode) {
        match self {
            Self::UnknownAddress => ("unknown_address", StatusCode::NOT_FOUND),
            Self::UnknownRow => ("unknown_row", StatusCode::NOT_FOUND),
            Self::UnknownParameter => ("unknown_parameter", StatusCode::BAD_REQUEST),
            Self::DuplicateParameter => ("duplicate_parameter", StatusCode::BAD_REQUEST),
            Self::BadParameter => ("bad_parameter", StatusCode::BAD_REQUEST),
            Self::InvalidCursor => ("invalid_cursor", StatusCode::BAD_REQUEST),
            Self::InvalidEventId => ("invalid_event_id", StatusCode::BAD_REQUEST),
            Self::BadKey => ("bad_key", StatusCode::BAD_REQUEST),
            Self::BadBody => ("bad_body", StatusCode::BAD_REQUEST),
            Self::BodyTooLarge => ("body_too_large", StatusCode::PAYLOAD_TOO_LARGE),
            Self::BodyTooSlow => ("body_too_slow", StatusCode::REQUEST_TIMEOUT),
            Self::UnsupportedMediaType => {
                ("unsupported_media_type", StatusCode::UNSUPPORTED_MEDIA_TYPE)
            }
            Self::NotAcceptable => ("not_acceptable", StatusCode::NOT_ACCEPTABLE),
            Self::MethodNotAllowed => ("method_not_allowed", StatusCode::METHOD_NOT_ALLOWED),
            Self::PreconditionRequired => {
                ("precondition_required", StatusCode::PRECONDITION_REQUIRED)
            }
            Self::VersionMismatch => ("version_mismatch", StatusCode::PRECONDITION_FAILED),
            Self::Unauthorized => ("unauthorized", StatusCode::UNAUTHORIZED),
            Self::UnknownIndexBuild => ("unknown_index_build", StatusCode::NOT_FOUND),
            Self::IndexBusy => ("index_busy", StatusCode::CONFLICT),
            Self::Forbidden => ("forbidden", StatusCode::FORBIDDEN),
            Self::Conflict => ("conflict", StatusCode::CONFLICT),
            Self::ConstraintViolated => ("constraint_violated", StatusCode::UNPROCESSABLE_ENTITY),
            Self::SchemaChanged => ("schema_changed", StatusCode::CONFLICT),
            Self::TooManyStreams => ("too_many_streams", StatusCode::SERVICE_UNAVAILABLE),
            Self::TooManyExports => ("too_many_exports", StatusCode::TOO_MANY_REQUESTS),
            Self::TooManyRows => ("too_many_rows", StatusCode::UNPROCESSABLE_ENTITY),
        }
    }

    /// A refusal with this code.
    pub fn because(self, detail: impl Into<Cow<'static, str>>) -> Problem {
        let (name, status) = self.name_and_status();
        Problem::new(status, detail).code(name)
    }
}

/// A refusal of the engine's, as HTTP says it.
pub fn refused(code: ErrorCode, message: impl Into<Cow<'static, str>>) -> Problem {
    let status = match code {
        ErrorCode::UnknownTable => StatusCode::NOT_FOUND,
        ErrorCode::NotEditable | ErrorCode::Forbidden => StatusCode::FORBIDDEN,
        ErrorCode::EditRejected | ErrorCode::Expensive | ErrorCode::NoIndex => {
            StatusCode::UNPROCESSABLE_ENTITY
        }
        ErrorCode::StaleAdvice => StatusCode::CONFLICT,
        ErrorCode::RateLimited | ErrorCode::DatabaseUnavailable => StatusCode::SERVICE_UNAVAILABLE,
        ErrorCode::QueryTimeout => StatusCode::GATEWAY_TIMEOUT,
        ErrorCode::Internal => StatusCode::INTERNAL_SERVER_ERROR,
        _ => StatusCode::BAD_REQUEST,
    };
    let name = serde_json::to_value(code).ok();
    let name = name.and_then(|name| name.as_str().map(str::to_owned));
    Problem::new(status, message).code(name.unwrap_or_default())
}

/// PostgreSQL cannot be asked.
pub fn unavailable(error: &sqlx::Error) -> Problem {
    tracing::debug!(%error, "the database cannot be asked");
    let message = "the database cannot be reached now; try again in a moment";
    refused(ErrorCode::DatabaseUnavailable, message)
}
