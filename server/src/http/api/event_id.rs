//! Where the reader of an event stream stands: the `id` of its last event, which says all that a server needs to go
//! on from there.
//!
//! A reader can send back only one short text. So it holds what the client of a socket sends to resume: the version,
//! and the keys of the rows that the window shows, written small. Every server on the database reads it; none has
//! to remember anything.

use std::sync::Arc;

use protocol::{OpenWindow, Resume, RowOp, Value, Version};
use serde::{Deserialize, Serialize};

use super::signed::{Malformed, Signer};
use crate::db::catalog::TableDef;
use crate::limits::EVENT_ID_BYTES_MAX;

/// The keys of a window's rows, in order.
pub type Keys = Arc<[Arc<[Value]>]>;

/// What a window showed after an event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct State {
    /// The version.
    pub version: Version,
    /// The position of the first row.
    pub start: u64,
    /// The rows.
    pub keys: Keys,
}

impl State {
    /// The window as it is to be opened again.
    pub fn resume(&self) -> Resume {
        Resume {
            version: self.version.clone(),
            keys: self.keys.iter().map(|key| key.to_vec()).collect(),
        }
    }
}

/// Writes the ids of one request's events, and knows them again.
#[derive(Clone, Debug)]
pub struct EventIds(Signer);

impl EventIds {
    /// For a window as it was asked for first. `key` is the database's.
    ///
    /// # Errors
    /// If the request cannot be written, which no request can cause.
    pub fn new(key: &str, table: &TableDef, open: &OpenWindow) -> Result<Self, postcard::Error> {
        let of = (table.oid, table.layout(), open);
        Ok(Self(Signer::new(key, "rowcast event 1", &of)?))
    }

    /// The id of the event that led to a state. If the keys are too long for a header, it says only that there was
    /// an event: the reader is then sent a snapshot.
    pub fn write(&self, state: &State) -> String {
        let rows = Some(Columns::pack(&state.keys));
        let whole = (&state.version, state.start, rows);
        let none: Option<Columns> = None;
        self.0.write(&whole, EVENT_ID_BYTES_MAX).unwrap_or_else(|| {
            let bare = (Version(String::new()), 0_u64, none);
            self.0.write(&bare, usize::MAX).unwrap_or_default()
        })
    }

    /// The state that an id names; `None` if it is of another request, or does not tell.
    ///
    /// # Errors
    /// [`Malformed`].
    pub fn read(&self, id: &str) -> Result<Option<State>, Malformed> {
        let read: Option<(Version, u64, Option<Columns>)> = self.0.read(id)?;
        Ok(read.and_then(|(version, start, rows)| {
            let keys = rows?.unpack()?;
            Some(State {
                version,
                start,
                keys,
            })
        }))
    }
}

/// Keys column by column: what is alike is next to each other, and small.
#[derive(Debug, Serialize, Deserialize)]
struct Columns {
    rows: u32,
    columns: Vec<Packed>,
}

#[derive(Debug, Serialize, Deserialize)]
enum Packed {
    /// Whole numbers: each less the one before.
    Ints(Vec<i64>),
    /// Texts of hexadecimal digits grouped as a `uuid`'s.
    Uuids(Vec<[u8; 16]>),
    Any(Vec<Value>),
}

impl Columns {
    fn pack(keys: &Keys) -> Self {
        let width = keys.first().map_or(0, |key| key.len());
        let column = |at: usize| {
            let values = || {
                keys.iter()
                    .map(move |key| key.get(at).unwrap_or(&Value::Null))
            };
            let mut before = 0;
            let ints = values().map(|value| match value {
                Value::Int(int) => Some(int.wrapping_sub(std::mem::replace(&mut before, *int))),
                _ => None,
            });
            if let Some(ints) = ints.collect() {
                return Packed::Ints(ints);
            }
            let uuids = values().map(|value| match value {
                Value::Text(text) => uuid_bytes(text),
                _ => None,
            });
            match uuids.collect() {
                Some(uuids) => Packed::Uuids(uuids),
                None => Packed::Any(values().cloned().collect()),
            }
        };
        Self {
            rows: u32::try_from(keys.len()).unwrap_or(u32::MAX),
            columns: (0..width).map(column).collect(),
        }
    }

    fn unpack(self) -> Option<Keys> {
        let rows = usize::try_from(self.rows).ok()?;
        let columns: Vec<Vec<Value>> = self.columns.into_iter().map(Packed::unpack).collect();
        if rows > 0 && columns.is_empty() || columns.iter().any(|column| column.len() != rows) {
            return None;
        }
        let key = |row: usize| columns.iter().map(|column| column[row].clone()).collect();
        Some((0..rows).map(key).collect())
    }
}

impl Packed {
    fn unpack(self) -> Vec<Value> {
        match self {
            Self::Ints(steps) => {
                let mut int = 0_i64;
                let add = |step| {
                    int = int.wrapping_add(step);
                    Value::Int(int)
                };
                steps.into_iter().map(add).collect()
            }
            Self::Uuids(uuids) => uuids.iter().map(uuid_text).collect(),
            Self::Any(values) => values,
        }
    }
}

fn uuid_text(bytes: &[u8; 16]) -> Value {
    let mut text = String::with_capacity(36);
    for (at, byte) in bytes.iter().enumerate() {
        if [4, 6, 8, 10].contains(&at) {
            text.push('-');
        }
        text.push_str(&format!("{byte:02x}"));
    }
    Value::Text(text)
}

/// The bytes of a text that is exactly what [`uuid_text`] writes.
fn uuid_bytes(text: &str) -> Option<[u8; 16]> {
    let digits: String = text.chars().filter(|&c| c != '-').collect();
    let number = u128::from_str_radix(&digits, 16).ok()?;
    let bytes = number.to_be_bytes();
    (uuid_text(&bytes) == Value::text(text)).then_some(bytes)
}

/// The keys after an update of a window with these keys.
pub fn keys_after(before: &Keys, operations: &[RowOp]) -> Keys {
    let place = |from: u32| usize::try_from(from).unwrap_or(usize::MAX);
    let mut after: Vec<Arc<[Value]>> = Vec::with_capacity(before.len());
    for operation in operations {
        match operation {
            RowOp::Keep { from, count } => {
                after.extend(
                    before
                        .iter()
                        .skip(place(*from))
                        .take(place(*count))
                        .cloned(),
                );
            }
            RowOp::Patch { from, .. } => after.extend(before.get(place(*from)).cloned()),
            RowOp::Row(row) => after.push(row.key.as_slice().into()),
        }
    }
    let is_same = after.len() == before.len()
        && after
            .iter()
            .zip(before.iter())
            .all(|(a, b)| Arc::ptr_eq(a, b));
    if is_same {
        before.clone()
    } else {
        after.into()
    }
}

#[cfg(test)]
mod tests {
    use protocol::Row;

    use super::*;

    fn ids(of: u32) -> EventIds {
        EventIds(Signer::new("key", "rowcast event 1", &of).unwrap())
    }

    fn state(keys: Vec<Vec<Value>>) -> State {
        State {
            version: Version("e/1:2:".to_owned()),
            start: 17,
            keys: keys.into_iter().map(Into::into).collect(),
        }
    }

    #[test]
    fn ids_say_where_a_reader_stands() {
        let uuid = "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11";
        let ints = |ints: &[i64]| ints.iter().map(|&int| vec![Value::Int(int)]).collect();
        let texts = |texts: &[&str]| texts.iter().map(|text| vec![Value::text(*text)]).collect();
        for keys in [
            Vec::new(),
            ints(&[5, 4, i64::MAX, i64::MIN, 0]),
            texts(&[uuid, "00000000-0000-0000-0000-000000000000"]),
            texts(&[uuid, &uuid.to_uppercase()]),
            texts(&["", "+0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11"]),
            vec![
                vec![Value::Int(1), Value::text("a"), Value::Bool(true)],
                vec![Value::Int(2), Value::text(uuid), Value::Bool(false)],
            ],
        ] {
            let state = state(keys);
            assert_eq!(ids(1).read(&ids(1).write(&state)), Ok(Some(state.clone())));
            assert_eq!(ids(2).read(&ids(1).write(&state)), Ok(None));
        }
    }

    #[test]
    fn ids_fit_into_a_header() {
        let row = |n: i64| vec![Value::Int(n * 7_919 % 1_000_000)];
        let many = state((0..1_000).map(row).collect());
        let id = ids(1).write(&many);
        assert!(id.len() < 5_000, "{}", id.len());
        assert_eq!(ids(1).read(&id), Ok(Some(many)));
        let long = state(vec![vec![Value::text("x".repeat(10_000))]]);
        let id = ids(1).write(&long);
        assert!(id.len() < 100, "{}", id.len());
        assert_eq!(ids(1).read(&id), Ok(None));
    }

    #[test]
    fn keys_follow_updates() {
        let row = |text: &str| {
            RowOp::Row(Row {
                key: vec![Value::text(text)],
                cells: Vec::new(),
            })
        };
        let keep = |from, count| RowOp::Keep { from, count };
        let patch = |from| RowOp::Patch {
            from,
            cells: Vec::new(),
        };
        let first = keys_after(&Keys::from([]), &[row("a"), row("b"), row("c")]);
        let same = keys_after(&first, &[keep(0, 1), patch(1), keep(2, 1)]);
        assert!(Arc::ptr_eq(&first, &same));
        let moved = keys_after(&first, &[row("z"), patch(2), keep(0, 1), keep(9, 9)]);
        let texts: Vec<String> = moved.iter().map(|key| key[0].to_string()).collect();
        assert_eq!(texts, ["z", "c", "a"]);
    }
}
