//! PostgreSQL's objections, as HTTP says them.

use axum::http::StatusCode;
use protocol::ErrorCode;

use super::codes::{Code, refused};
use super::rows::fetch_problem;
use crate::db::catalog::TableDef;
use crate::db::write::{Objection, WriteError};
use crate::http::problem::Problem;

/// Why a row was not read or written.
pub fn objection(table: &TableDef, error: WriteError) -> Problem {
    let objection = match error {
        WriteError::Fetch(error) => return fetch_problem(&error),
        WriteError::Objection(objection) => objection,
    };
    let problem = kind(table, &objection);
    let more = [
        ("column", &objection.column),
        ("constraint", &objection.constraint),
        ("postgresql_detail", &objection.detail),
    ];
    more.into_iter()
        .fold(problem, |problem, (name, value)| match value {
            Some(value) => problem.with(name, value.as_str()),
            None => problem,
        })
}

fn kind(table: &TableDef, objection: &Objection) -> Problem {
    let message = objection.message.clone();
    match objection.state.as_bytes() {
        // Unique, exclusion and foreign keys: another row is in the way, or missing.
        b"23505" | b"23P01" | b"23503" => Code::Conflict.because(message),
        // The other constraints, what a trigger raised, a view's check option.
        [b'2', b'3', ..] | [b'P', b'0', ..] | b"44000" => Code::ConstraintViolated.because(message),
        // The text is not of the type, or out of its range.
        [b'2', b'2', ..] => refused(ErrorCode::BadValue, message)
            .instead_of(StatusCode::BAD_REQUEST, StatusCode::UNPROCESSABLE_ENTITY),
        b"428C9" | b"55000" => refused(ErrorCode::NotEditable, message),
        b"42501" => Code::Forbidden.because(message),
        b"42703" | b"42P01" | b"42804" | b"42883" | b"0A000" => {
            let detail = format!("{} changed meanwhile: {message}", table.sql_name);
            Code::SchemaChanged.because(detail)
        }
        b"55P03" | b"57014" => {
            let detail = "somebody else holds the row, or the table, for too long; try again";
            refused(ErrorCode::QueryTimeout, detail)
        }
        b"25006" => refused(
            ErrorCode::DatabaseUnavailable,
            "the database takes no writes now",
        ),
        [b'4', b'0', ..] => {
            let detail = "the write lost a race with another; try again";
            refused(ErrorCode::DatabaseUnavailable, detail)
        }
        [b'5', b'7' | b'3', ..] | [b'0', b'8', ..] => {
            let detail = "the database cannot be reached now; look at the row before you try again";
            refused(ErrorCode::DatabaseUnavailable, detail)
        }
        _ => {
            tracing::warn!(?objection, "PostgreSQL objects in an unexpected way");
            Code::ConstraintViolated.because(message)
        }
    }
}
