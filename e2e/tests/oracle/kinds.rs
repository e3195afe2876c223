//! The types that a random table's columns have, with values of each as a person would type them.
//!
//! Few values per type, so that there are many duplicates; among them the extremes, and pairs that are
//! equal though they are written differently.

use crate::values::{
    address, below_zero_too, clock, day, day_of, days, fact, fraction, hex, in_hours, instant,
    label, list_of_one, local_instant, local_time_of, name, number, other_case, other_scale,
    short_name, time_of, uuid,
};

/// A column's type.
#[derive(Debug)]
pub(crate) struct Kind {
    /// The type in `CREATE TABLE`, with its collation.
    pub(crate) sql: &'static str,
    /// The type alone, for a constant.
    pub(crate) cast: &'static str,
    /// What rows hold.
    pub(crate) values: &'static [&'static str],
    /// What filters also compare with.
    pub(crate) others: &'static [&'static str],
    /// A value for each number, no two of them equal; without it the type cannot be a key by itself.
    pub(crate) nth: Option<fn(u64) -> String>,
    /// The value of a second since 1970, for dates.
    pub(crate) near: Option<fn(i64) -> String>,
    /// The same value written differently, where there is one.
    pub(crate) respell: Option<fn(&str) -> String>,
    /// Whether `to_json` writes something else than a string or a number.
    pub(crate) is_nested: bool,
    /// Whether it is shown as its own text instead: what `to_json` writes does not say what it was.
    pub(crate) is_worded: bool,
    /// Whether PostgreSQL can sort and index it.
    pub(crate) has_order: bool,
    /// How often a value is repeated, to make it long.
    pub(crate) repeated: usize,
}

const fn kind(
    sql: &'static str,
    values: &'static [&'static str],
    others: &'static [&'static str],
) -> Kind {
    Kind {
        sql,
        cast: sql,
        values,
        others,
        nth: None,
        near: None,
        respell: None,
        is_nested: false,
        is_worded: false,
        has_order: true,
        repeated: 1,
    }
}

const fn words(sql: &'static str) -> Kind {
    kind(sql, WORDS, OTHER_WORDS).cast("text").nth(name)
}

impl Kind {
    const fn cast(mut self, cast: &'static str) -> Self {
        self.cast = cast;
        self
    }

    const fn nth(mut self, nth: fn(u64) -> String) -> Self {
        self.nth = Some(nth);
        self
    }

    const fn near(mut self, near: fn(i64) -> String) -> Self {
        self.near = Some(near);
        self
    }

    /// Whether it is a type of texts.
    pub(crate) fn is_text(&self) -> bool {
        ["text", "varchar", "bpchar", "name", "word"].contains(&self.cast)
    }

    /// What the type calls an operator that others call so.
    pub(crate) fn operator(&self, usual: &'static str) -> &'static str {
        match usual {
            _ if !["hstore", "labels"].contains(&self.cast) => usual,
            "<" => "#<#",
            "<=" => "#<=#",
            ">=" => "#>=#",
            ">" => "#>#",
            _ => usual,
        }
    }

    /// Whether texts that differ may be equal.
    pub(crate) fn folds(&self) -> bool {
        let folding = ["nocase", "noaccent", "word"];
        self.cast == "bpchar" || folding.iter().any(|name| self.sql.contains(name))
    }

    const fn respell(mut self, respell: fn(&str) -> String) -> Self {
        self.respell = Some(respell);
        self
    }

    const fn nested(mut self) -> Self {
        self.is_nested = true;
        self
    }

    const fn worded(mut self) -> Self {
        self.is_worded = true;
        self
    }

    const fn unordered(mut self) -> Self {
        self.has_order = false;
        self
    }

    const fn repeated(mut self, times: usize) -> Self {
        self.repeated = times;
        self
    }
}

/// The types, domains and collations that the kinds need.
pub(crate) const TYPES: &str = r#"
    CREATE COLLATION nocase (provider = icu, locale = 'und-u-ks-level2', deterministic = false);
    CREATE COLLATION noaccent (provider = icu, locale = 'und-u-ks-level1', deterministic = false);
    CREATE COLLATION natural_order (provider = icu, locale = 'en-u-kn-true');
    CREATE TYPE grade AS ENUM ('poor', 'fair', 'good', 'best');
    ALTER TYPE grade ADD VALUE 'so-so' BEFORE 'good';
    CREATE DOMAIN small_number AS integer CHECK (VALUE > -1000);
    CREATE DOMAIN word AS text COLLATE nocase CHECK (length(VALUE) < 100);
    CREATE DOMAIN document AS jsonb CHECK (VALUE <> '13');
    CREATE DOMAIN short_word AS word CHECK (length(VALUE) < 50);
    CREATE TYPE pair AS (a integer, b text);
    CREATE EXTENSION hstore;
    CREATE DOMAIN labels AS hstore CHECK (NOT VALUE ? 'refused');
    CREATE TYPE fact AS (n integer, said jsonb, at timestamptz);"#;

const WORDS: &[&str] = &[
    "apple",
    "Apple",
    "APPLE",
    "äpfel",
    "ÄPFEL",
    "apfel",
    "Zebra",
    "zoo",
    "a-b",
    "ab",
    "a b",
    "10",
    "9",
    "é",
    "",
    " x",
    "%_\\",
    "o'clock \"now\"",
    "tab\tand\nline",
    "\u{1d11e}",
    "ß",
    "ss",
    "$1",
];
const OTHER_WORDS: &[&str] = &["b", "AB", "aPPLE", "zzz", "Äpfel"];

const INSTANTS: &[&str] = &[
    "2026-01-01",
    "2026-06-30 23:59:59.999999",
    "2026-06-30 23:59:59.999998",
    "-infinity",
    "infinity",
    "0044-03-15 BC",
    "1999-12-31 12:00",
    "294276-12-31 12:00",
];

/// Every kind of column.
pub(crate) static KINDS: &[Kind] = &[
    kind("smallint", &["-3", "0", "7", "32767"], &["1", "-32768"]).nth(below_zero_too),
    kind(
        "integer",
        &["-3", "0", "7", "8", "2147483647"],
        &["1", "-2147483648"],
    )
    .nth(below_zero_too),
    kind(
        "bigint",
        &[
            "-3",
            "0",
            "7",
            "9223372036854775807",
            "-9223372036854775808",
        ],
        &["1"],
    )
    .nth(number),
    kind(
        "numeric",
        &[
            "1",
            "1.0",
            "1.00",
            "-0.5",
            "99.99",
            "100",
            "1e2",
            "NaN",
            "1e30",
            "1e-20",
            "Infinity",
            "-Infinity",
            "12345678901234567890.123",
        ],
        &["5", "0", "100.000"],
    )
    .nth(fraction)
    .respell(other_scale),
    kind(
        "numeric(8,2)",
        &["1", "1.5", "-0.5", "999999.99", "NaN", "0"],
        &["1.50", "0.001"],
    )
    .cast("numeric")
    .nth(fraction),
    kind(
        "real",
        &[
            "0.1",
            "-0",
            "0",
            "2.5",
            "NaN",
            "Infinity",
            "-Infinity",
            "3.4e38",
            "1e-40",
        ],
        &["1", "0.100000002"],
    )
    .nth(fraction),
    kind(
        "double precision",
        &[
            "0.1",
            "-0",
            "0",
            "2.5",
            "NaN",
            "Infinity",
            "-Infinity",
            "1e300",
            "5e-324",
        ],
        &["1", "0.1000000000000000055"],
    )
    .cast("float8")
    .nth(fraction),
    words("text COLLATE \"C\""),
    words("text"),
    words("text COLLATE \"und-x-icu\""),
    words("text COLLATE \"sv-x-icu\""),
    words("text COLLATE natural_order"),
    words("text COLLATE nocase").respell(other_case),
    words("text COLLATE noaccent").respell(other_case),
    kind(
        "text COLLATE natural_order",
        &["a1", "a2", "a10", "A10", "a01", "b"],
        &["a3"],
    )
    .cast("text")
    .nth(name),
    words("varchar(20) COLLATE nocase")
        .cast("varchar")
        .respell(other_case),
    words("varchar(20)").cast("varchar"),
    kind(
        "char(6)",
        &["a", "ab", "  a", "AB", "zoo", ""],
        &["ab  ", "b"],
    )
    .cast("bpchar")
    .nth(short_name),
    kind(
        "char(6) COLLATE nocase",
        &["a", "ab", "  a", "AB", "zoo", ""],
        &["ab  ", "B"],
    )
    .cast("bpchar")
    .nth(short_name)
    .respell(other_case),
    kind(
        "char(6) COLLATE \"C\"",
        &["a", "ab", "a\t", "AB", "zoo", ""],
        &["ab  ", "b"],
    )
    .cast("bpchar")
    .nth(short_name),
    kind("name", &["apple", "Apple", "zoo", ""], &["b"]).nth(name),
    kind("\"char\"", &["a", "b", "Z", "~"], &["c"]),
    kind("boolean", &["true", "false"], &[]),
    kind(
        "date",
        &[
            "2026-01-01",
            "2024-02-29",
            "0044-03-15 BC",
            "infinity",
            "-infinity",
            "1999-12-31",
            "5874897-12-31",
        ],
        &["2000-01-01"],
    )
    .nth(day)
    .near(day_of),
    kind(
        "time",
        &["00:00", "23:59:59.999999", "24:00", "12:30"],
        &["12:00"],
    )
    .nth(clock),
    kind(
        "timetz",
        &[
            "12:00+00",
            "13:00+01",
            "11:00-01",
            "14:30+02:30",
            "09:00+00",
        ],
        &["12:00+01"],
    ),
    kind("timestamp", INSTANTS, &["2000-01-01"])
        .nth(local_instant)
        .near(local_time_of),
    kind(
        "timestamptz",
        INSTANTS,
        &["2000-01-01T00:00:00+00:00", "2026-01-01T00:00:00+00:00"],
    )
    .nth(instant)
    .near(time_of),
    kind("timestamp(0)", INSTANTS, &["2000-01-01"])
        .cast("timestamp")
        .near(local_time_of),
    kind(
        "uuid",
        &[
            "00000000-0000-0000-0000-000000000000",
            "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11",
            "A0EEBC99-9C0B-4EF8-BB6D-6BB9BD380A12",
            "ffffffff-ffff-ffff-ffff-ffffffffffff",
        ],
        &["b0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11"],
    )
    .nth(uuid),
    kind("grade", &["poor", "fair", "so-so", "good"], &["best"]),
    kind("small_number", &["-3", "0", "7"], &["1"]).nth(below_zero_too),
    kind("word", WORDS, OTHER_WORDS)
        .nth(name)
        .respell(other_case),
    kind(
        "bytea",
        &["\\x", "\\x00", "\\xff00", "\\x61", "\\x6162"],
        &["\\x62"],
    )
    .nth(hex),
    kind(
        "inet",
        &[
            "10.0.0.1",
            "10.0.0.0/8",
            "::1",
            "192.168.1.5/24",
            "9.255.0.1",
        ],
        &["10.0.0.2"],
    )
    .nth(address),
    kind(
        "cidr",
        &["10.0.0.0/8", "10.0.0.0/16", "::/0", "192.168.1.0/24"],
        &["9.0.0.0/8"],
    )
    .nth(address),
    kind(
        "macaddr",
        &["08:00:2b:01:02:03", "00:00:00:00:00:00", "08002b:010204"],
        &["08:00:2b:01:02:05"],
    ),
    kind(
        "interval",
        &[
            "1 day",
            "24:00:00",
            "-1 mon",
            "30 days",
            "1 mon",
            "1 year 2 mons 3 days 04:05:06.789",
            "0",
            "-00:00:01",
        ],
        &["25:00:00", "720:00:00"],
    )
    .nth(days)
    .respell(in_hours),
    kind("money", &["1.50", "-3", "100000.99", "0"], &["1"]),
    kind("oid", &["0", "7", "4294967295"], &["1"]).nth(number),
    kind("bit(4)", &["0000", "1010", "1111"], &["0001"]).cast("pg_catalog.\"bit\""),
    kind("varbit", &["", "1", "10", "0101"], &["11"]),
    kind("pg_lsn", &["0/0", "0/16B3748", "1/0"], &["0/1"]),
    kind(
        "integer[]",
        &["{}", "{1}", "{1,2}", "{NULL}", "{{1,2},{3,4}}", "{2}"],
        &["{1,1}"],
    )
    .nested(),
    kind(
        "text[]",
        &["{a,b}", "{}", "{\"x y\",NULL}", "{A,b}", "{\"\"}"],
        &["{a}"],
    )
    .nested(),
    kind(
        "int4range",
        &["empty", "[1,5)", "[1,)", "(,5)", "[2,3]", "(,)"],
        &["[1,6)"],
    ),
    kind(
        "numrange",
        &["empty", "[1,5)", "[1.0,5.00)", "(1,5]", "(,0)"],
        &["[1,6)"],
    ),
    kind(
        "tstzrange",
        &[
            "empty",
            "[2026-01-01 00:00+00,2026-02-01 00:00+00)",
            "[2026-01-01 00:00+00,)",
        ],
        &["[2026-01-01 00:00+00,2026-03-01 00:00+00)"],
    ),
    kind(
        "int4multirange",
        &["{}", "{[1,2),[5,6)}", "{[1,3)}"],
        &["{[1,4)}"],
    ),
    kind(
        "jsonb",
        &[
            "{}",
            "{\"a\": 1}",
            "[1, 2]",
            "\"text\"",
            "1.0",
            "1.00",
            "true",
            "null",
            "[]",
            "{\"b\": [1, null]}",
        ],
        &["1", "2"],
    )
    .nested(),
    kind("document", &["{}", "null", "\"x\"", "2"], &["1"]).nested(),
    kind(
        "jsonb[]",
        &[
            "{}",
            "{\"null\"}",
            "{NULL}",
            "{1,2}",
            "{1.0,2}",
            "{\"{\\\"a, b\\\": [null, \\\"\\\\\\\\(é)\\\"]}\"}",
            "[0:1]={1,2}",
            "{{1,2},{3,\"null\"}}",
        ],
        &["{1,2.0}", "{\"{}\"}"],
    )
    .worded()
    .nth(list_of_one),
    kind(
        "json[]",
        &["{}", "{\"null\"}", "{NULL,1.0}", "{\"[ ]\"}"],
        &[],
    )
    .worded()
    .unordered(),
    kind(
        "hstore",
        &[
            "",
            "a=>1",
            "a=>NULL",
            "b=>2, a=>1",
            "\"q \\\" \\\\ , (é)\"=>\"=>\"",
            "a=>\"\"",
        ],
        &["c=>3", "a=>1, b=>2"],
    )
    .worded()
    .nth(label),
    kind(
        "labels",
        &["", "a=>1", "a=>NULL", "\"a b\"=>\"'\""],
        &["a=>2"],
    )
    .worded(),
    kind(
        "hstore[]",
        &["{}", "{a=>1,NULL}", "{\"\"}", "{\"a=>1, b=>2\"}"],
        &["{a=>1}"],
    )
    .worded(),
    kind(
        "fact",
        &[
            "(1,null,)",
            "(1,,)",
            "(,,)",
            "(2,\"{\"\"a, b\"\": \"\"\\\\\\\\\"\"}\",2026-01-01 12:00+02)",
            "(2,1.0,infinity)",
            "(2,1.00,infinity)",
            "(-1,\"\"\"x\"\"\",\"2026-01-01 10:00:00.5+00\")",
        ],
        &["(1,2,)", "(,null,)"],
    )
    .worded()
    .nth(fact),
    kind(
        "json",
        &["{\"a\":   1}", "[1,2]", "\"text\"", "1.0", "null"],
        &[],
    )
    .nested()
    .unordered(),
    kind("point", &["(1,2)", "(0,0)", "(-0.5,1e10)"], &[]).unordered(),
    kind("tsvector", &["'a':1 'b':2", "'cat'", ""], &["'dog'"]),
    kind("pair", &["(1,a)", "(,)", "(2,\"x y\")", "(1,b)"], &["(1,)"]).nested(),
    kind("text", &["a", "b", "ab", "é"], &[]).repeated(5_000),
];
