//! Saving all rows of a view as a file.

use protocol::ViewSpec;

use super::view_address::encode;

/// What a view can be saved as.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ExportFormat {
    /// Comma-separated values, with a header.
    Csv,
    /// One JSON object per line.
    JsonLines,
    /// Columns with their types, compressed.
    Parquet,
    /// A workbook of Excel.
    Xlsx,
}

impl ExportFormat {
    /// Every one, the commonest first.
    pub const ALL: [Self; 4] = [Self::Csv, Self::Xlsx, Self::JsonLines, Self::Parquet];

    /// Its name for people.
    pub fn name(self) -> &'static str {
        match self {
            Self::Csv => "CSV",
            Self::JsonLines => "JSON Lines",
            Self::Parquet => "Parquet",
            Self::Xlsx => "Excel workbook",
        }
    }

    /// What the server calls it; also how names of such files end.
    pub fn extension(self) -> &'static str {
        match self {
            Self::Csv => "csv",
            Self::JsonLines => "jsonl",
            Self::Parquet => "parquet",
            Self::Xlsx => "xlsx",
        }
    }

    /// The most rows that such a file holds; `None` for any number.
    pub fn rows_max(self) -> Option<u64> {
        (self == Self::Xlsx).then_some(1_048_575)
    }
}

/// Where the server has all rows of a view as a file, behind its host and port: these columns in this
/// order, or all if none are named.
pub fn export_path(view: &ViewSpec, columns: &[&str], format: ExportFormat) -> String {
    // A view is plain data: it can always be written.
    let as_json = serde_json::to_string(view).unwrap_or_default();
    let mut path = format!(
        "/api/v1/tables/{}/export?format={}&view={}",
        encode(&view.table),
        format.extension(),
        encode(&as_json)
    );
    if !columns.is_empty() {
        // In double quotes a name may hold anything; its own are doubled.
        let quoted = |name: &&str| format!("\"{}\"", name.replace('"', "\"\""));
        let names: Vec<String> = columns.iter().map(quoted).collect();
        path += "&columns=";
        path += &encode(&names.join(","));
    }
    path
}

/// What a file with a view's rows is called.
pub fn export_name(table: &str, format: ExportFormat) -> String {
    let is_kept = |char: char| char.is_alphanumeric() || matches!(char, '-' | '_' | '.' | ' ');
    let name = table
        .chars()
        .map(|char| if is_kept(char) { char } else { '_' });
    format!("{}.{}", name.collect::<String>(), format.extension())
}
