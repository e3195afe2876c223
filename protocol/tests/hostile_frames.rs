//! Frames that nobody honest sends: each is refused in bounded time and memory, and says why.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod arbitrary;

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

use proptest::collection::vec;
use proptest::prelude::*;
use protocol::filter::FILTER_DEPTH_MAX;
use protocol::{ClientMsg, Encoding, Filter, FilterOp, OpenWindow, ServerMsg, ViewSpec};

/// Counts what a thread asks of the system's allocator, so that a test can bound it.
struct Counting;

thread_local! {
    static ALLOCATED: Cell<usize> = const { Cell::new(0) };
}

// SAFETY: every call is passed on unchanged to the system's allocator; counting does not allocate.
#[allow(unsafe_code, reason = "an allocator cannot be written without")]
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATED.with(|bytes| bytes.set(bytes.get() + layout.size()));
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// What a closure allocates in total, in bytes.
fn allocated_by<T>(work: impl FnOnce() -> T) -> (usize, T) {
    let before = ALLOCATED.with(Cell::get);
    let result = work();
    (ALLOCATED.with(Cell::get) - before, result)
}

fn refusal<T: serde::de::DeserializeOwned>(encoding: Encoding, bytes: &[u8]) -> String {
    match encoding.decode::<T>(bytes) {
        Ok(_) => panic!("accepted {bytes:?}"),
        Err(error) => error.to_string(),
    }
}

fn json_refusal(text: &str) -> String {
    refusal::<ClientMsg>(Encoding::Json, text.as_bytes())
}

fn nested(depth: usize) -> ClientMsg {
    let mut filter = Filter::test("id", FilterOp::Eq, 1);
    for _ in 1..depth {
        filter = Filter::Not(Box::new(filter));
    }
    ClientMsg::Open(OpenWindow {
        window: 1,
        generation: 0,
        view: ViewSpec {
            filter: Some(filter),
            ..ViewSpec::table("products")
        },
        columns: Vec::new(),
        start: 0,
        count: 1,
        from_end: false,
        resume: None,
        allow_expensive: false,
    })
}

#[test]
fn a_filter_nests_to_the_limit_and_no_further() {
    for encoding in Encoding::ALL {
        let deepest = encoding.encode(&nested(FILTER_DEPTH_MAX)).unwrap();
        assert_eq!(nested(FILTER_DEPTH_MAX), encoding.decode(&deepest).unwrap());

        let deeper = encoding.encode(&nested(FILTER_DEPTH_MAX + 1)).unwrap();
        assert!(
            encoding.decode::<ClientMsg>(&deeper).is_err(),
            "{encoding:?}"
        );
        // A refusal leaves nothing counted: the same thread reads the deepest one again.
        assert!(
            encoding.decode::<ClientMsg>(&deepest).is_ok(),
            "{encoding:?}"
        );
    }
    let deeper = Encoding::Json
        .encode(&nested(FILTER_DEPTH_MAX + 1))
        .unwrap();
    let reason = refusal::<ClientMsg>(Encoding::Json, &deeper);
    assert!(reason.contains("deeper than 32 levels"), "{reason}");
}

#[test]
fn a_frame_of_nothing_but_nesting_does_not_exhaust_the_stack() {
    let text = r#"{"open":{"window":1,"count":1,"view":{"table":"t","filter":"#.to_owned()
        + &r#"{"and":["#.repeat(100_000);
    assert!(json_refusal(&text).contains("deeper than 32 levels"));
    json_refusal(&"[".repeat(100_000));

    // `not` is variant 2 of Filter: open, window 1, generation 0, table "t", a filter, nested.
    let mut binary = vec![1, 1, 0, 1, b't', 1];
    binary.extend(std::iter::repeat_n(2, 100_000));
    refusal::<ClientMsg>(Encoding::Binary, &binary);
}

/// A length of four billion in a ten-byte frame must not be believed.
#[test]
fn declared_lengths_do_not_allocate() {
    let huge = [0xff, 0xff, 0xff, 0xff, 0x0f];
    let after = |prefix: &[u8]| [prefix, &huge].concat();
    let frames = [
        ("table", after(&[1, 1, 0])),
        ("columns", after(&[1, 1, 0, 1, b't', 0, 0])),
        ("sort", after(&[1, 1, 0, 1, b't', 0])),
        ("and", after(&[1, 1, 0, 1, b't', 1, 0])),
        ("edit key", after(&[5, 1, 1])),
        (
            "resume keys",
            after(&[1, 1, 0, 1, b't', 0, 0, 0, 0, 1, 1, 1, b'v']),
        ),
    ];
    for (field, frame) in frames {
        let (bytes, _) = allocated_by(|| refusal::<ClientMsg>(Encoding::Binary, &frame));
        assert!(
            bytes < 4_096,
            "{field}: {bytes} bytes allocated for a frame of {}",
            frame.len()
        );
    }
}

/// A number longer than any integer type (a varint that never ends) is an error, not a loop.
#[test]
fn endless_numbers_are_refused() {
    refusal::<ClientMsg>(Encoding::Binary, &[0xff; 64]);
    refusal::<ClientMsg>(Encoding::Binary, &[&[6][..], &[0xff; 64]].concat());
}

#[test]
fn bytes_after_a_message_are_refused() {
    let reason = refusal::<ClientMsg>(Encoding::Binary, &[6, 0, 0]);
    assert!(reason.contains("1 bytes follow it"), "{reason}");
    assert!(json_refusal(r#"{"ping":{}} {"ping":{}}"#).contains("trailing"));
}

#[test]
fn unknown_json_fields_are_named() {
    for (text, field) in [
        (r#"{"ping":{"id":1,"idd":2}}"#, "`idd`"),
        (r#"{"list_tables":{"all":true}}"#, "`all`"),
        (
            r#"{"open":{"window":1,"view":{"table":"t"},"count":1,"offset":5}}"#,
            "`offset`",
        ),
        (
            r#"{"open":{"window":1,"view":{"table":"t","where":[]},"count":1}}"#,
            "`where`",
        ),
        (
            r#"{"open":{"window":1,"view":{"table":"t","sort":[{"column":"a","desc":true}]}}}"#,
            "`desc`",
        ),
        (
            r#"{"open":{"window":1,"view":{"table":"t","filter":{"test":{"column":"a","op":"=","value":1}}}}}"#,
            "`value`",
        ),
        (
            r#"{"open":{"window":1,"count":1,"resume":{"token":"x"}}}"#,
            "`token`",
        ),
        (
            r#"{"move":{"window":1,"generation":1,"start":0,"count":1,"end":2}}"#,
            "`end`",
        ),
        (r#"{"ack":{"window":1,"number":1,"seq":1}}"#, "`seq`"),
        (r#"{"close":{"window":1,"why":"done"}}"#, "`why`"),
        (r#"{"edit":{"id":1,"window":1,"row":[1]}}"#, "`row`"),
    ] {
        let reason = json_refusal(text);
        assert!(
            reason.contains("unknown field") && reason.contains(field),
            "{text}: {reason}"
        );
    }
}

#[test]
fn what_is_missing_or_wrong_is_named() {
    for (text, expected) in [
        (r#"{"subscribe":{}}"#, "unknown variant `subscribe`"),
        (
            r#"{"open":{"window":1,"view":{"table":"t"}}}"#,
            "missing field `count`",
        ),
        (
            r#"{"ack":{"window":"1","number":1}}"#,
            "invalid type: string",
        ),
        (
            r#"{"ack":{"window":-1,"number":1}}"#,
            "invalid value: integer `-1`",
        ),
        (
            r#"{"ack":{"window":4294967296,"number":1}}"#,
            "invalid value: integer `4294967296`",
        ),
        (
            r#"{"edit":{"id":1,"window":1,"key":[{}],"column":"a","expected":1,"value":1}}"#,
            "null, a boolean, a number or a string",
        ),
        ("", "EOF"),
        ("hello", "expected value"),
    ] {
        let reason = json_refusal(text);
        assert!(reason.contains(expected), "{text}: {reason}");
    }
}

proptest! {
    #[test]
    fn random_bytes_never_panic(bytes in vec(any::<u8>(), 0..512)) {
        for encoding in Encoding::ALL {
            drop(encoding.decode::<ClientMsg>(&bytes));
            drop(encoding.decode::<ServerMsg>(&bytes));
        }
    }

    /// A real frame with a few bytes changed gets further into the reader than noise does.
    #[test]
    fn damaged_client_frames_never_panic(
        message in arbitrary::client_msg(),
        damage in vec((any::<prop::sample::Index>(), any::<u8>()), 1..4),
        cut in any::<prop::sample::Index>(),
    ) {
        for encoding in Encoding::ALL {
            let mut bytes = encoding.encode(&message).unwrap();
            for (index, byte) in &damage {
                let index = index.index(bytes.len());
                bytes[index] = *byte;
            }
            let (allocated, _) = allocated_by(|| drop(encoding.decode::<ClientMsg>(&bytes)));
            prop_assert!(allocated < 65_536 + 64 * bytes.len(), "{} bytes", allocated);
            drop(encoding.decode::<ClientMsg>(&bytes[..cut.index(bytes.len())]));
        }
    }

    #[test]
    fn damaged_server_frames_never_panic(
        message in arbitrary::server_msg(),
        index in any::<prop::sample::Index>(),
        byte in any::<u8>(),
    ) {
        for encoding in Encoding::ALL {
            let mut bytes = encoding.encode(&message).unwrap();
            let index = index.index(bytes.len());
            bytes[index] = byte;
            drop(encoding.decode::<ServerMsg>(&bytes));
        }
    }
}
