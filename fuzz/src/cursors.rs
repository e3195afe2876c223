//! What clients hand back: cursors and the ids of events. Nothing is taken for one that was not handed out.

use std::sync::Arc;

use protocol::{Liveness, OpenWindow, Privileges, TableKind, Value, Version, ViewSpec};
use server::db::catalog::TableDef;
use server::http::api::cursor::{Cursor, Cursors};
use server::http::api::event_id::{EventIds, State};

pub(crate) fn run(bytes: &[u8]) {
    let Some((&first, rest)) = bytes.split_first() else {
        return;
    };
    cursor(first & 1 == 1, rest);
    event_id(usize::from(first) % 4 + 1, rest);
    if let Ok(text) = std::str::from_utf8(bytes) {
        // With a key that signs nothing: guided fuzzing remembers what was signed above, and feeds it.
        assert!(
            cursors("unused key").read(text).is_err(),
            "{text} was never handed out"
        );
        let read = event_ids("unused key").read(text);
        assert!(!matches!(read, Ok(Some(_))), "{text} was never handed out");
    }
}

fn cursors(key: &str) -> Cursors {
    Cursors::new(key, &table(), &ViewSpec::table("t")).unwrap()
}

fn cursor(backwards: bool, bytes: &[u8]) {
    let cursor = Cursor {
        backwards,
        values: values(bytes),
    };
    let signed = cursors("key");
    // One that is too long for an address is not written.
    if let Some(written) = signed.write(&cursor) {
        assert_eq!(signed.read(&written).ok().as_ref(), Some(&cursor));
        let other = cursors("other key").read(&written);
        assert!(other.is_err(), "signed with another key");
        if let Some(changed) = changed(&written, bytes) {
            assert!(signed.read(&changed).is_err(), "{changed} for {written}");
        }
    }
}

fn event_ids(key: &str) -> EventIds {
    let open = OpenWindow {
        window: 1,
        generation: 1,
        view: ViewSpec::table("t"),
        columns: Vec::new(),
        start: 0,
        count: 100,
        from_end: false,
        allow_expensive: false,
        resume: None,
    };
    EventIds::new(key, &table(), &open).unwrap()
}

fn event_id(width: usize, bytes: &[u8]) {
    let keys = values(bytes);
    let keys: Arc<[Arc<[Value]>]> = keys.chunks_exact(width).map(Arc::from).collect();
    let state = State {
        version: Version(format!("version {}", bytes.len())),
        start: bytes.len() as u64,
        keys,
    };
    let signed = event_ids("key");
    let written = signed.write(&state);
    let read = signed.read(&written).unwrap();
    // One that is too long for a header only says that there was an event.
    assert!(read.is_none_or(|read| read == state), "{written}");
    assert!(!matches!(
        event_ids("other key").read(&written),
        Ok(Some(_))
    ));
    if let Some(changed) = changed(&written, bytes) {
        let read = signed.read(&changed);
        assert!(!matches!(read, Ok(Some(_))), "{changed} for {written}");
    }
}

/// The same text with one other character.
fn changed(written: &str, choice: &[u8]) -> Option<String> {
    let (place, with) = (*choice.first()?, *choice.get(1)?);
    let place = usize::from(place) % written.len();
    let mut changed = written.as_bytes().to_vec();
    changed[place] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ"[usize::from(with) % 26];
    let changed = String::from_utf8(changed).unwrap();
    (changed != written).then_some(changed)
}

/// Eight bytes make a number, or a text of as many bytes.
fn values(bytes: &[u8]) -> Vec<Value> {
    let value = |chunk: &[u8]| match <[u8; 8]>::try_from(chunk) {
        Ok(number) if number[0] & 1 == 1 => Value::Int(i64::from_le_bytes(number)),
        Ok(number) if number[0] & 2 == 2 => Value::Float(f64::from_le_bytes(number)),
        _ => Value::text(String::from_utf8_lossy(chunk)),
    };
    bytes.chunks(8).map(value).collect()
}

fn table() -> TableDef {
    TableDef {
        oid: 1,
        sql_name: "public.t".to_owned(),
        schema_name: "public".to_owned(),
        bare_name: "t".to_owned(),
        kind: TableKind::Table,
        columns: Vec::new(),
        key: Vec::new(),
        liveness: Liveness::Live,
        not_editable: None,
        may: Privileges::default(),
        reads_all: true,
        shape: String::new(),
        comment: None,
        estimated_rows: None,
    }
}
