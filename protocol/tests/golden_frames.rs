//! The wire format, byte for byte: a change of it fails here until the protocol has a new version.
//!
//! `golden/v2/` holds one frame of every kind, as JSON to read and as the hex of the binary
//! encoding. To change the format on purpose: raise `PROTOCOL_VERSION`, add a line to its history,
//! rename the folder (`git mv golden/v2 golden/v3`), delete the frames that change, and run
//! `BLESS=1 cargo test -p protocol --test golden_frames`, which writes the missing frames and never
//! touches an existing one.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod samples;

use std::fmt::Debug;
use std::fs;
use std::path::{Path, PathBuf};

use protocol::{
    AggregateOp, ColumnKind, Encoding, ErrorCode, FilterOp, NullsOrder, PROTOCOL_VERSION,
    ResetReason,
};
use serde::Serialize;
use serde::de::DeserializeOwned;

fn golden_root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden")
}

fn golden_folder() -> PathBuf {
    golden_root().join(format!("v{PROTOCOL_VERSION}"))
}

fn hex(bytes: &[u8]) -> String {
    let lines = bytes.chunks(32).map(|line| {
        line.iter()
            .map(|byte| format!("{byte:02x}"))
            .collect::<Vec<_>>()
            .join(" ")
            + "\n"
    });
    lines.collect()
}

fn unhex(text: &str) -> Vec<u8> {
    text.split_whitespace()
        .map(|byte| u8::from_str_radix(byte, 16).unwrap())
        .collect()
}

/// The file's text; with `BLESS` set a missing file is written first.
fn golden(name: &str, actual: &str) -> String {
    let path = golden_folder().join(name);
    if !path.exists() && std::env::var_os("BLESS").is_some() {
        fs::create_dir_all(golden_folder()).unwrap();
        fs::write(&path, actual).unwrap();
    }
    fs::read_to_string(&path)
        .unwrap_or_else(|error| panic!("{}: {error}; see the top of this test", path.display()))
}

/// Checks that `message` is written as its two golden frames and that both read back as `message`.
fn assert_golden<T: Serialize + DeserializeOwned + PartialEq + Debug>(name: &str, message: &T) {
    let changed = format!("the frame {name} changed: see the top of golden_frames.rs");

    let json = serde_json::to_string_pretty(message).unwrap() + "\n";
    let expected = golden(&format!("{name}.json"), &json);
    assert_eq!(json, expected, "{changed}");
    assert_eq!(
        *message,
        Encoding::Json.decode::<T>(expected.as_bytes()).unwrap()
    );

    let binary = hex(&Encoding::Binary.encode(message).unwrap());
    let expected = golden(&format!("{name}.hex"), &binary);
    assert_eq!(binary, expected, "{changed}");
    assert_eq!(
        *message,
        Encoding::Binary.decode::<T>(&unhex(&expected)).unwrap()
    );
}

/// Every value of an enum, in the order of its binary encoding; a value left out does not compile.
macro_rules! every {
    ($type:ident: $($variant:ident),+ $(,)?) => {{
        fn complete(value: $type) -> $type {
            match value {
                $($type::$variant => $type::$variant),+
            }
        }
        vec![$(complete($type::$variant)),+]
    }};
}

#[test]
fn client_frames() {
    for (name, message) in samples::client_messages() {
        assert_golden(name, &message);
    }
}

#[test]
fn server_frames() {
    for (name, message) in samples::server_messages() {
        assert_golden(name, &message);
    }
}

/// The binary encoding writes an enum as its place in the list, so the order is format too.
#[test]
fn enumerations() {
    let codes = every![ErrorCode: BadMessage, FrameTooLarge, UnknownTable, UnknownColumn, BadRange,
        BadSort, BadFilter, BadValue, DuplicateWindow, UnknownWindow, TooManyWindows, RateLimited,
        NotEditable, EditRejected, DatabaseUnavailable, QueryTimeout, Internal,
        Expensive, Forbidden, StaleAdvice, IndexFailed, Cancelled, BadSearch, NoIndex, QueryFailed,
        BadSummary, TooManyGroups, DuplicateSummary, UnknownSummary, TooManySummaries];
    assert_golden("enum_error_code", &codes);
    let kinds = every![ColumnKind: Bool, Int, Float, Numeric, Text, Date, Time, Timestamp,
        TimestampTz, Interval, Uuid, Json, Array, Enum, Bytes, Other];
    assert_golden("enum_column_kind", &kinds);
    let operators = every![FilterOp: Eq, Ne, Lt, Le, Gt, Ge, Between, In, Contains, StartsWith,
        IsNull, Matches, IMatches, ArrayContains, ArrayContained, Overlaps, JsonContains, JsonPath,
        WithinLast, WithinNext];
    assert_golden("enum_filter_op", &operators);
    let reasons = every![ResetReason: EpochChanged, HistoryExpired, TooManyChanges, Truncated,
        SchemaChanged];
    assert_golden("enum_reset_reason", &reasons);
    assert_golden("enum_nulls_order", &every![NullsOrder: First, Last]);
    let aggregates = every![AggregateOp: Count, Sum, Avg, Min, Max];
    assert_golden("enum_aggregate_op", &aggregates);
}

#[test]
fn every_kind_has_a_frame() {
    let client = samples::client_messages();
    for kind in samples::CLIENT_KINDS {
        let found = client
            .iter()
            .any(|(_, message)| samples::client_kind(message) == kind);
        assert!(found, "no golden frame of the client's {kind}");
    }
    let server = samples::server_messages();
    for kind in samples::SERVER_KINDS {
        let found = server
            .iter()
            .any(|(_, message)| samples::server_kind(message) == kind);
        assert!(found, "no golden frame of the server's {kind}");
    }
}

#[test]
fn kinds_are_named_as_in_json() {
    for (_, message) in samples::client_messages() {
        let json = serde_json::to_value(&message).unwrap();
        assert!(json.get(samples::client_kind(&message)).is_some(), "{json}");
    }
    for (_, message) in samples::server_messages() {
        let json = serde_json::to_value(&message).unwrap();
        assert!(json.get(samples::server_kind(&message)).is_some(), "{json}");
    }
}

#[test]
fn the_version_has_its_frames_and_its_history() {
    let folders: Vec<_> = fs::read_dir(golden_root())
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    assert_eq!(
        folders,
        [format!("v{PROTOCOL_VERSION}")],
        "golden frames are of this version"
    );

    let source = include_str!("../src/version.rs");
    assert!(
        source.contains(&format!("\n/// - {PROTOCOL_VERSION}: ")),
        "the history in version.rs says what version {PROTOCOL_VERSION} changed"
    );
    for encoding in Encoding::ALL {
        let prefix = format!("rowcast.v{PROTOCOL_VERSION}.");
        assert!(
            encoding.subprotocol().starts_with(&prefix),
            "{}",
            encoding.subprotocol()
        );
    }
}

/// A frame whose sample was deleted would otherwise stay behind and check nothing.
#[test]
fn every_golden_file_is_checked() {
    let mut names: Vec<_> = samples::client_messages()
        .iter()
        .map(|(name, _)| *name)
        .collect();
    names.extend(samples::server_messages().iter().map(|(name, _)| *name));
    for entry in fs::read_dir(golden_folder()).unwrap() {
        let path = entry.unwrap().path();
        let stem = path.file_stem().and_then(|stem| stem.to_str()).unwrap();
        assert!(
            stem.starts_with("enum_") || names.contains(&stem),
            "stray {}",
            path.display()
        );
    }
}
