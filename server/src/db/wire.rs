//! Values in the form in which PostgreSQL sends them, where making text of them first would cost both sides more.

use std::error::Error;

use tokio_postgres::types::{FromSql, Type};
use view_index::Xid;

type Refusal = Box<dyn Error + Sync + Send>;

/// Microseconds from 1970 to 2000, where PostgreSQL's own count begins.
const POSTGRES_EPOCH_MICROS: i64 = 946_684_800_000_000;

/// An `xid8`.
pub(super) struct FullXid(pub(super) Xid);

impl<'a> FromSql<'a> for FullXid {
    fn from_sql(_: &Type, raw: &'a [u8]) -> Result<Self, Refusal> {
        Ok(Self(Xid::from_be_bytes(raw.try_into()?)))
    }

    fn accepts(sql_type: &Type) -> bool {
        *sql_type == Type::XID8
    }
}

/// A `timestamptz`, in microseconds since 1970.
pub(super) struct UnixMicros(pub(super) i64);

impl<'a> FromSql<'a> for UnixMicros {
    fn from_sql(_: &Type, raw: &'a [u8]) -> Result<Self, Refusal> {
        let micros = i64::from_be_bytes(raw.try_into()?);
        // The infinities stay at the ends.
        Ok(Self(micros.saturating_add(POSTGRES_EPOCH_MICROS)))
    }

    fn accepts(sql_type: &Type) -> bool {
        *sql_type == Type::TIMESTAMPTZ
    }
}

/// A `json`, as it was written.
pub(super) struct JsonText<'a>(pub(super) &'a str);

impl<'a> FromSql<'a> for JsonText<'a> {
    fn from_sql(_: &Type, raw: &'a [u8]) -> Result<Self, Refusal> {
        Ok(Self(std::str::from_utf8(raw)?))
    }

    fn accepts(sql_type: &Type) -> bool {
        *sql_type == Type::JSON
    }
}
