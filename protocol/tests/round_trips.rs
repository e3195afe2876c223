//! Whatever is written reads back as itself, in both encodings.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod arbitrary;

use std::fmt::Debug;

use proptest::prelude::*;
use protocol::{ClientMsg, Encoding, ServerMsg, Value};
use serde::Serialize;
use serde::de::DeserializeOwned;

fn assert_round_trip<T: Serialize + DeserializeOwned + PartialEq + Debug>(message: &T) {
    for encoding in Encoding::ALL {
        let bytes = encoding.encode(message).unwrap();
        assert_eq!(
            *message,
            encoding.decode::<T>(&bytes).unwrap(),
            "{encoding:?}"
        );
    }
}

proptest! {
    #[test]
    fn client_messages(message in arbitrary::client_msg()) {
        assert_round_trip::<ClientMsg>(&message);
    }

    #[test]
    fn server_messages(message in arbitrary::server_msg()) {
        assert_round_trip::<ServerMsg>(&message);
    }

    #[test]
    fn values(value in arbitrary::value()) {
        assert_round_trip::<Value>(&value);
    }

    /// Every bit pattern, not-a-numbers included, keeps its bits where the encoding has floats.
    #[test]
    fn floats_keep_their_bits(bits in any::<u64>()) {
        let value = Value::Float(f64::from_bits(bits));
        let bytes = Encoding::Binary.encode(&value).unwrap();
        prop_assert_eq!(&value, &Encoding::Binary.decode::<Value>(&bytes).unwrap());
    }
}

#[test]
fn json_writes_floats_it_has_no_number_for_as_postgres_does() {
    for (float, text) in [
        (f64::NAN, "NaN"),
        (f64::INFINITY, "Infinity"),
        (f64::NEG_INFINITY, "-Infinity"),
    ] {
        let bytes = Encoding::Json.encode(&Value::Float(float)).unwrap();
        assert_eq!(Value::text(text), Encoding::Json.decode(&bytes).unwrap());
    }
}

#[test]
fn json_integers_beyond_bigint_stay_exact() {
    let value: Value = Encoding::Json.decode(b"18446744073709551615").unwrap();
    assert_eq!(Value::text("18446744073709551615"), value);
}

#[test]
fn json_fields_with_a_default_may_be_left_out() {
    let message: ClientMsg = Encoding::Json
        .decode(br#"{"open":{"window":1,"view":{"table":"t"},"count":10}}"#)
        .unwrap();
    let ClientMsg::Open(open) = message else {
        panic!("{message:?}")
    };
    assert_eq!((open.generation, open.start, open.count), (0, 0, 10));
    assert!(open.columns.is_empty() && open.resume.is_none() && open.view.filter.is_none());
    assert_eq!(
        ClientMsg::Ping(protocol::Ping { id: 0 }),
        decode_json(r#"{"ping":{}}"#)
    );
}

fn decode_json(text: &str) -> ClientMsg {
    Encoding::Json.decode(text.as_bytes()).unwrap()
}
