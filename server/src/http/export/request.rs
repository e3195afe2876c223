//! What was asked for: the query string, checked.

use protocol::ViewSpec;

use super::csv::CsvOptions;
use super::encode::Format;
use crate::db::catalog::TableDef;
use crate::http::api::parameters::{Parameters, RowsQuery, bad, choice, columns};
use crate::http::problem::Problem;

/// The parameters that there are, besides the table's columns.
const PARAMETERS: [&str; 7] = [
    "format", "filter", "sort", "columns", "view", "formulas", "bom",
];

/// An export that was asked for. Names and values are checked when it is planned.
#[derive(Clone, Debug, PartialEq)]
pub struct ExportRequest {
    /// As what.
    pub format: Format,
    /// Which rows, in which order.
    pub view: ViewSpec,
    /// Which columns; empty for all.
    pub columns: Vec<String>,
}

impl ExportRequest {
    /// Reads the parameters of a request for `table`.
    ///
    /// # Errors
    /// For a parameter that is not known, or twice there, or whose value is none of its values.
    pub fn read(table: &TableDef, query: Option<&str>) -> Result<Self, Problem> {
        let mut given = Parameters::read(query)?;
        let format = format(&mut given)?;
        if let Some(text) = given.take("view") {
            let names = given.take("columns");
            given.finish(&["format", "view", "columns", "formulas", "bom"])?;
            return Ok(Self {
                format,
                view: view(table, &text)?,
                columns: names.map_or(Ok(Vec::new()), |text| columns(&text))?,
            });
        }
        let rows = RowsQuery::read(given, table, &PARAMETERS)?;
        Ok(Self {
            format,
            view: rows.view,
            columns: rows.columns,
        })
    }
}

fn format(given: &mut Parameters) -> Result<Format, Problem> {
    let (formulas, bom) = (given.take("formulas"), given.take("bom"));
    let name = given.take("format");
    let format = match name.as_deref() {
        Some("csv") => {
            return Ok(Format::Csv(CsvOptions {
                escape_formulas: !choice("formulas", formulas.as_deref(), ["escape", "keep"])?,
                byte_order_mark: choice("bom", bom.as_deref(), ["false", "true"])?,
            }));
        }
        Some("jsonl") => Format::JsonLines,
        Some("parquet") => Format::Parquet,
        Some("xlsx") => Format::Xlsx,
        other => {
            let found = other.map_or("it is missing".to_owned(), |text| format!("not {text:?}"));
            let detail = format!("it must be one of {}; {found}", Format::NAMES.join(", "));
            return Err(bad("format", detail).allowed(Format::NAMES));
        }
    };
    for (name, value) in [("formulas", formulas), ("bom", bom)] {
        if value.is_some() {
            return Err(bad(name, "it is for format=csv only"));
        }
    }
    Ok(format)
}

/// `view={"filter":…,"sort":[…]}`, as the socket's `open` takes it; the table need not be named again.
fn view(table: &TableDef, text: &str) -> Result<ViewSpec, Problem> {
    let unreadable = |error: serde_json::Error| {
        let detail =
            format!("it is not a view, such as {{\"sort\":[{{\"column\":\"id\"}}]}}: {error}");
        bad("view", detail)
    };
    let mut members: serde_json::Map<String, serde_json::Value> =
        serde_json::from_str(text).map_err(unreadable)?;
    let named = members
        .entry("table")
        .or_insert_with(|| table.sql_name.as_str().into());
    if !named.as_str().is_some_and(|name| table.is_called(name)) {
        return Err(bad("view", "it names another table than the address"));
    }
    serde_json::from_value(members.into()).map_err(unreadable)
}

#[cfg(test)]
mod tests {
    use super::{ExportRequest, Format};
    use crate::db::catalog::TableDef;
    use crate::http::export::csv::CsvOptions;
    use protocol::{Liveness, Privileges, TableKind};

    fn read(query: &str) -> Result<ExportRequest, String> {
        let table = TableDef {
            oid: 0,
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
        };
        ExportRequest::read(&table, Some(query))
            .map_err(|problem| serde_json::to_string(&problem).unwrap())
    }

    #[test]
    fn a_csv_is_safe_unless_told_otherwise() {
        let csv = |escape_formulas, byte_order_mark| {
            Format::Csv(CsvOptions {
                escape_formulas,
                byte_order_mark,
            })
        };
        assert_eq!(read("format=csv").unwrap().format, csv(true, false));
        let raw = read("formulas=keep&format=csv&bom=true");
        assert_eq!(raw.unwrap().format, csv(false, true));
    }

    #[test]
    fn views_and_columns_are_read() {
        let request = read("format=jsonl&sort=-a&filter=a>1&columns=a,b").unwrap();
        assert!(request.view.sort[0].descending && request.view.filter.is_some());
        assert_eq!(request.columns, ["a", "b"]);
        let as_json = "%7B%22sort%22:[%7B%22column%22:%22a%22,%22descending%22:true%7D]%7D";
        let request = read(&format!("format=xlsx&view={as_json}&columns=%22a,b%22")).unwrap();
        assert!(request.view.table == "public.t" && request.view.sort[0].descending);
        assert_eq!(request.columns, ["a,b"]);
        assert!(read("format=csv&view=%7B%22table%22:%22t%22%7D").is_ok());
    }

    #[test]
    fn what_is_wrong_is_named() {
        let wrong = [
            ("", "csv, jsonl, parquet, xlsx"),
            ("format=pdf", "csv, jsonl, parquet, xlsx"),
            ("format=csv&format=csv", "twice"),
            ("format=csv&limit=5", "unknown_parameter"),
            ("format=csv&bom=yes", "false or true"),
            ("format=xlsx&bom=true", "format=csv only"),
            ("format=csv&view=%7B", "not a view"),
            ("format=csv&view=%7B%22table%22:%22u%22%7D", "another table"),
            ("format=csv&view=%7B%22table%22:null%7D", "another table"),
            ("format=csv&view=%7B%7D&sort=a", "unknown_parameter"),
            ("format=csv&columns=a,a", "twice"),
        ];
        for (query, says) in wrong {
            let message = read(query).unwrap_err();
            assert!(message.contains(says), "{query}: {message}");
        }
    }
}
