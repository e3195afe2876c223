//! Each file, read by another program, holds what PostgreSQL says.

use std::io::{Cursor, Read};

use calamine::{Data, Reader, Xlsx};
use e2e::{TestDatabase, TestServer};
use futures_util::SinkExt;
use hyper::body::Bytes;
use parquet::basic::{LogicalType, TimeUnit};
use parquet::data_type::AsBytes;
use parquet::file::reader::{FileReader, SerializedFileReader};
use parquet::record::Field;
use serde_json::Value;

use crate::download::{address, get};
use crate::kinds::{COLUMNS, server, shown, shown_rows, texts};

/// An order that no index and no Rust knows: by a collation, with `NULL`s in the middle of the key.
const VIEW: &str =
    r#"{"sort":[{"column":"mood","descending":true,"nulls":"last"},{"column":"name"}]}"#;
const ORDER_BY: &str = "mood DESC NULLS LAST, name ASC NULLS LAST, id ASC";

async fn file(server: &TestServer, parameters: &[(&str, &str)]) -> Vec<u8> {
    let answer = get(server.address(), &address("kinds", parameters)).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    answer.body
}

/// What PostgreSQL's own reader of CSV finds in the file, in its order.
async fn copied(
    database: &TestDatabase,
    columns: &[&str],
    csv: Vec<u8>,
) -> Vec<Vec<Option<String>>> {
    let client = database.connect().await;
    let list = |suffix: &str| {
        let one = |name: &&str| format!("\"{}\"{suffix}", name.replace('"', "\"\""));
        columns.iter().map(one).collect::<Vec<_>>().join(", ")
    };
    let create = format!(
        "DROP TABLE IF EXISTS back; CREATE TABLE back (nth bigserial, {})",
        list(" text")
    );
    client.batch_execute(&create).await.unwrap();
    let copy = format!(
        "COPY back ({}) FROM STDIN WITH (FORMAT csv, HEADER match)",
        list("")
    );
    let sink = client.copy_in(&copy).await.unwrap();
    let mut sink = std::pin::pin!(sink);
    sink.send(Bytes::from(csv)).await.unwrap();
    sink.finish().await.unwrap();
    texts(
        database,
        &format!("SELECT {} FROM back ORDER BY nth", list("")),
    )
    .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_csv_is_what_copy_reads_back() {
    let (database, server) = server().await;
    let names: Vec<&str> = COLUMNS.iter().map(|column| column.0).collect();
    let csv = file(
        &server,
        &[("format", "csv"), ("formulas", "keep"), ("view", VIEW)],
    )
    .await;
    let read = copied(&database, &names, csv).await;
    assert_eq!(read, shown_rows(&database, ORDER_BY).await);
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_csv_evaluates_nothing_in_a_spreadsheet() {
    let (database, server) = server().await;
    let columns = [("format", "csv"), ("columns", "id,name,small,cash,list")];
    let csv = file(&server, &columns).await;
    let read = copied(&database, &["id", "name", "small", "cash", "list"], csv).await;
    let expected = texts(
        &database,
        "SELECT id::text, regexp_replace(name, E'^([-=+@\\t\\r])', '''\\1'), small::text, cash::text, \
         to_json(list)::text FROM kinds ORDER BY kinds.id",
    );
    assert_eq!(read, expected.await);
    let escaped = read.iter().filter_map(|row| row[1].as_deref());
    assert_eq!(escaped.filter(|name| name.starts_with('\'')).count(), 7);
    let marked = file(
        &server,
        &[("format", "csv"), ("bom", "true"), ("columns", "id")],
    )
    .await;
    assert!(marked.starts_with("\u{feff}id\r\n-9223372036854775808\r\n".as_bytes()));
    server.stop().await;
}

/// A cell as the line must have it.
fn json(kind: &str, nested: bool, text: Option<&str>) -> Value {
    let Some(text) = text else {
        return Value::Null;
    };
    let is_number = matches!(kind, "bigint" | "smallint" | "integer" | "boolean")
        || matches!(kind, "real" | "double precision") && !text.ends_with(['N', 'y']);
    if nested || is_number {
        return serde_json::from_str(text).unwrap();
    }
    Value::from(text)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn json_lines_hold_what_to_json_says() {
    let (database, server) = server().await;
    let lines = file(&server, &[("format", "jsonl"), ("view", VIEW)]).await;
    let lines = String::from_utf8(lines).unwrap();
    let expected = shown_rows(&database, ORDER_BY).await;
    assert!(lines.ends_with('\n'));
    // Only what ends a line in every language: a text may hold U+2028.
    let read: Vec<&str> = lines.trim_end_matches('\n').split('\n').collect();
    assert_eq!(read.len(), expected.len());
    for (line, row) in read.into_iter().zip(expected) {
        let object: Value = serde_json::from_str(line).unwrap_or_else(|e| panic!("{e}: {line}"));
        assert_eq!(object.as_object().unwrap().len(), COLUMNS.len());
        for ((name, kind, nested), text) in COLUMNS.iter().zip(row) {
            assert_eq!(
                object[name],
                json(kind, *nested, text.as_deref()),
                "{name} in {line}"
            );
        }
    }
    server.stop().await;
}

/// A field as PostgreSQL is asked to write it.
fn field(field: &Field) -> Option<String> {
    Some(match field {
        Field::Null => return None,
        Field::Bool(value) => value.to_string(),
        Field::Short(value) => value.to_string(),
        Field::Int(value) | Field::Date(value) => value.to_string(),
        Field::Long(value) | Field::TimestampMicros(value) => value.to_string(),
        Field::Float(value) => format!("{:08x}", value.to_bits()),
        Field::Double(value) => format!("{:016x}", value.to_bits()),
        Field::Decimal(decimal) => {
            let bytes = decimal.data().as_bytes();
            let sign = if bytes[0] & 0x80 == 0 { 0 } else { 0xff };
            let mut wide = [sign; 16];
            wide[16 - bytes.len()..].copy_from_slice(bytes);
            i128::from_be_bytes(wide).to_string()
        }
        Field::Bytes(bytes) => {
            let digits = bytes.data().iter().map(|byte| format!("{byte:02x}"));
            digits.collect()
        }
        Field::Str(text) => text.clone(),
        other => panic!("an unexpected field: {other:?}"),
    })
}

/// SQL for what [`field`] says of the column.
fn stored(name: &str, kind: &str, nested: bool) -> String {
    match kind {
        "real" => format!("encode(float4send({name}), 'hex')"),
        "double precision" => format!("encode(float8send({name}), 'hex')"),
        "numeric" => format!("{name}::text"),
        kind if kind.starts_with("numeric") => {
            format!("replace(nullif({name}, 'NaN')::text, '.', '')::numeric::text")
        }
        "date" => {
            format!("CASE WHEN isfinite({name}) THEN ({name} - '1970-01-01'::date)::text END")
        }
        "timestamp" | "timestamptz" => format!(
            "CASE WHEN isfinite({name}) THEN (extract(epoch FROM {name}) * 1000000)::int8::text END"
        ),
        "bytea" => format!("encode({name}, 'hex')"),
        "json" => format!("{name}::text"),
        _ => shown(name, nested),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_parquet_file_holds_typed_columns() {
    let (database, server) = server().await;
    let bytes = file(&server, &[("format", "parquet"), ("view", VIEW)]).await;
    let reader = SerializedFileReader::new(Bytes::from(bytes)).unwrap();
    let cells: Vec<String> = COLUMNS
        .iter()
        .map(|&(name, kind, nested)| stored(name, kind, nested))
        .collect();
    let sql = format!("SELECT {} FROM kinds ORDER BY {ORDER_BY}", cells.join(", "));
    let expected = texts(&database, &sql).await;
    let mut read = Vec::new();
    for row in reader.get_row_iter(None).unwrap() {
        let row = row.unwrap();
        let cells = row.get_column_iter().map(|(_, value)| field(value));
        read.push(cells.collect::<Vec<_>>());
    }
    assert_eq!(read, expected);

    let metadata = reader.metadata().file_metadata();
    let logical = |at: usize| {
        metadata
            .schema_descr()
            .column(at)
            .logical_type_ref()
            .cloned()
    };
    assert_eq!(logical(2), Some(LogicalType::integer(16, true)));
    assert_eq!(logical(6), Some(LogicalType::decimal(2, 12)));
    assert_eq!(logical(8), Some(LogicalType::decimal(10, 38)));
    assert_eq!(logical(9), Some(LogicalType::String));
    assert_eq!(logical(12), Some(LogicalType::Date));
    assert_eq!(
        logical(14),
        Some(LogicalType::timestamp(false, TimeUnit::MICROS))
    );
    assert_eq!(
        logical(15),
        Some(LogicalType::timestamp(true, TimeUnit::MICROS))
    );
    // What was not written is said.
    let notes = metadata.key_value_metadata().unwrap();
    let noted: Vec<&str> = notes.iter().map(|note| note.key.as_str()).collect();
    let key = |name: &&str| format!("rowcast.null_instead:{name}");
    let lost = ["price", "wide", "day", "local", "moment"];
    assert_eq!(noted, lost.iter().map(key).collect::<Vec<_>>());
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_workbook_holds_numbers_dates_and_harmless_texts() {
    let (database, server) = server().await;
    let bytes = file(&server, &[("format", "xlsx")]).await;
    let mut book: Xlsx<_> = Xlsx::new(Cursor::new(&bytes)).unwrap();
    assert_eq!(book.sheet_names(), ["kinds", "Rowcast notes"]);
    let sheet = book.worksheet_range("kinds").unwrap();
    let header: Vec<String> = sheet.headers().unwrap();
    assert_eq!(header, COLUMNS.map(|column| column.0.to_owned()));
    let expected = shown_rows(&database, "id").await;
    assert_eq!(sheet.height(), expected.len() + 1);
    for (row, (cells, texts)) in sheet.rows().skip(1).zip(&expected).enumerate() {
        for ((cell, text), (name, kind, _)) in cells.iter().zip(texts).zip(COLUMNS) {
            check_cell(cell, text.as_deref(), kind, &format!("{name} in row {row}"));
        }
    }
    let notes = book.worksheet_range("Rowcast notes").unwrap();
    let note = notes.get_value((0, 0)).unwrap().to_string();
    assert!(
        note.starts_with("1 cells of name were cut at 32767"),
        "{note}"
    );

    // No formula, and nothing that becomes one when somebody edits the cell.
    let mut zip = zip::ZipArchive::new(Cursor::new(&bytes)).unwrap();
    let mut part = |name: &str| {
        let mut xml = String::new();
        zip.by_name(name).unwrap().read_to_string(&mut xml).unwrap();
        xml
    };
    let (styles, sheet) = (part("xl/styles.xml"), part("xl/worksheets/sheet1.xml"));
    assert!(!sheet.contains("<f>"));
    let formats = styles.split("<cellXfs").nth(1).unwrap();
    let quoted = |cell: &str| {
        let style: usize = cell
            .split("s=\"")
            .nth(1)
            .unwrap()
            .split('"')
            .next()
            .unwrap()
            .parse()
            .unwrap();
        formats
            .split("<xf ")
            .nth(style + 1)
            .unwrap()
            .contains("quotePrefix=\"1\"")
    };
    let cells: Vec<&str> = sheet.split("<c r=\"").collect();
    let of = |text: &str| *cells.iter().find(|cell| cell.contains(text)).unwrap();
    assert!(quoted(of("=HYPERLINK")) && quoted(of("@SUM")) && quoted(of("<t>-3</t>")));
    server.stop().await;
}

fn check_cell(cell: &Data, text: Option<&str>, kind: &str, place: &str) {
    let Some(text) = text.filter(|text| !text.is_empty()) else {
        return assert_eq!(*cell, Data::Empty, "{place}");
    };
    match (kind, cell) {
        ("boolean", cell) => assert_eq!(*cell, Data::Bool(text == "true"), "{place}"),
        (_, Data::Float(number)) => assert_eq!(text.parse::<f64>().unwrap(), *number, "{place}"),
        ("date", Data::DateTime(day)) => {
            let (year, month, day, ..) = day.to_ymd_hms_milli();
            assert_eq!(format!("{year:04}-{month:02}-{day:02}"), text, "{place}");
        }
        (_, Data::DateTime(moment)) => {
            let (year, month, day, hour, minute, second, milli) = moment.to_ymd_hms_milli();
            let shown = format!(
                "{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{milli:03}"
            );
            let (whole, fraction) = text.split_once('.').unwrap_or((&text[..19], ""));
            let fraction: String = fraction.chars().take_while(char::is_ascii_digit).collect();
            assert_eq!(shown, format!("{whole}.{:0<3.3}", fraction), "{place}");
        }
        (_, Data::String(written)) => {
            assert_eq!(
                *written,
                text.chars().take(32_767).collect::<String>(),
                "{place}"
            );
            let is_number = !matches!(text, "NaN" | "Infinity" | "-Infinity") && text.len() < 16;
            let is_typed = kind.starts_with("numeric") || kind.ends_with("int") || kind == "real";
            assert!(!(is_typed && is_number), "{place}: {text} became a text");
        }
        other => panic!("{place}: {other:?} for {text}"),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn filters_sorts_and_odd_names_are_followed() {
    let database = TestDatabase::new().await;
    let name = "Größe \"x\"; /drop/ 表, =1";
    let quoted = format!("public.\"{}\"", name.replace('"', "\"\""));
    let sql = format!(
        "CREATE TABLE {quoted} (\"select\" int PRIMARY KEY, \"=a,\"\"b\" text, \"$1\" int); \
         INSERT INTO {quoted} SELECT n, 'v' || n % 7, n % 5 FROM generate_series(1, 5000) AS n"
    );
    database.install(&sql, &[&quoted]).await;
    let server = TestServer::start(&database).await;
    let view = r#"{"filter":{"or":[{"test":{"column":"$1","op":">=","values":[3]}},
        {"test":{"column":"=a,\"b","op":"contains","values":["V6"]}}]},
        "sort":[{"column":"$1","descending":true}]}"#;
    for table in [name, &quoted] {
        let columns = r#""=a,""b",select"#;
        let parameters = [
            ("format", "csv"),
            ("view", view),
            ("columns", columns),
            ("formulas", "keep"),
        ];
        let answer = get(server.address(), &address(table, &parameters)).await;
        assert_eq!(answer.status, 200, "{}", answer.text());
        assert!(answer.header("content-disposition").starts_with(
            "attachment; filename=\"Gr__e _x__ _drop_ __ _1.csv\"; filename*=UTF-8''Gr%C3%B6"
        ));
        let read = copied(&database, &["=a,\"b", "select"], answer.body).await;
        let sql = format!(
            "SELECT \"=a,\"\"b\", \"select\"::text FROM {quoted} AS t WHERE \"$1\" >= 3 \
             OR \"=a,\"\"b\" ILIKE '%v6%' ORDER BY \"$1\" DESC, t.\"select\" DESC"
        );
        assert_eq!(read, texts(&database, &sql).await);
    }
    let none = r#"{"filter":{"or":[]}}"#;
    for (format, starts) in [
        ("csv", "select,"),
        ("jsonl", ""),
        ("parquet", "PAR1"),
        ("xlsx", "PK"),
    ] {
        let parameters = [("format", format), ("view", none)];
        let answer = get(server.address(), &address(name, &parameters)).await;
        assert!(answer.status == 200 && answer.body.starts_with(starts.as_bytes()));
    }
    server.stop().await;
}
