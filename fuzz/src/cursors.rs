//! What clients hand back: cursors and the ids of events. Nothing is taken for one that was not handed out.

use protocol::{Liveness, Privileges, TableKind, Value, ViewSpec};
use server::db::catalog::TableDef;
use server::http::api::cursor::{Cursor, Signer};
use server::http::api::stream_memory::EventId;

pub(crate) fn run(bytes: &[u8]) {
    let signer = Signer::new("key", &table(), &ViewSpec::table("t")).unwrap();
    let Some((&first, rest)) = bytes.split_first() else {
        return;
    };
    let cursor = Cursor {
        backwards: first & 1 == 1,
        values: values(rest),
    };
    if let Some(written) = signer.write(&cursor) {
        assert_eq!(signer.read(&written).ok().as_ref(), Some(&cursor));
        let other = Signer::new("other key", &table(), &ViewSpec::table("t")).unwrap();
        assert!(other.read(&written).is_err(), "signed with another key");
        is_all_signed(&signer, &written, rest);
    }
    if let Ok(text) = std::str::from_utf8(bytes) {
        assert!(signer.read(text).is_err(), "{text} was never handed out");
        if let Some(id) = EventId::read(text) {
            assert_eq!(EventId::read(&id.write()), Some(id));
        }
    }
}

/// A cursor in which one character is another is none.
fn is_all_signed(signer: &Signer, written: &str, choice: &[u8]) {
    let (place, with) = (choice.first(), choice.get(1));
    let (Some(&place), Some(&with)) = (place, with) else {
        return;
    };
    let place = usize::from(place) % written.len();
    let mut changed = written.as_bytes().to_vec();
    changed[place] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ"[usize::from(with) % 26];
    let changed = String::from_utf8(changed).unwrap();
    if changed != written {
        assert!(signer.read(&changed).is_err(), "{changed} for {written}");
    }
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
