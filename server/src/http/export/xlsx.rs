//! A workbook for Excel and its kin: one sheet, written in constant memory.
//!
//! The sheet is a zip member whose size must be known before the next begins, so its rows go to a temporary file
//! first. That file has no name from the moment it is made: it is gone with the process, however that ends.

use std::io;

use protocol::{Column, ColumnKind};
use rust_xlsxwriter::{Format, Workbook, Worksheet, XlsxError};
use view_index::datetime::{parse_date, parse_timestamp};

use super::encode::{Encode, Layout};
use super::formulas::{is_formula, may_hold_formulas};
use super::output::ChunkWriter;
use crate::db::export::RowBatch;
use crate::limits::{XLSX_BYTES_MAX, XLSX_CELL_UNITS_MAX, XLSX_ROWS_MAX};

/// Days between Excel's day 0 and 1970-01-01.
const EPOCH_SERIAL: i64 = 25_569;
/// Excel believes that 1900 was a leap year; from 1900-03-01 on its days are the calendar's.
const FIRST_SERIAL: i64 = 61;
/// 9999-12-31.
const LAST_SERIAL: i64 = 2_958_465;
/// Digits of a number that a spreadsheet keeps.
const NUMBER_DIGITS_MAX: usize = 15;
/// Characters of a sheet's name: a bound of the format.
const SHEET_NAME_MAX: usize = 31;

/// Writes a workbook.
pub struct Xlsx {
    out: ChunkWriter,
    workbook: Workbook,
    columns: Vec<Form>,
    names: Vec<String>,
    /// Cells of each column that were cut.
    cut: Vec<u64>,
    next_row: u32,
    bytes: u64,
    quoted: Format,
    date: Format,
    timestamp: Format,
}

/// What a column's cells become.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Form {
    Bool,
    Number,
    Date,
    Timestamp,
    /// Text that may look like a formula, or not.
    Text {
        guarded: bool,
    },
}

/// A cell, decided.
#[derive(Clone, Debug, PartialEq)]
enum Cell<'a> {
    Bool(bool),
    Number(f64),
    Date(f64),
    Timestamp(f64),
    Text(&'a str),
    /// Text that keeps its meaning when somebody edits the cell.
    Quoted(&'a str),
}

impl Form {
    fn of(column: &Column) -> Self {
        match column.kind {
            ColumnKind::Bool => Self::Bool,
            ColumnKind::Int | ColumnKind::Float | ColumnKind::Numeric => Self::Number,
            ColumnKind::Date => Self::Date,
            ColumnKind::Timestamp | ColumnKind::TimestampTz => Self::Timestamp,
            _ => Self::Text {
                guarded: may_hold_formulas(column),
            },
        }
    }

    /// What a spreadsheet cannot hold exactly (long numbers, NaN, dates before 1900) stays text.
    fn cell(self, text: &str) -> Cell<'_> {
        let typed = match self {
            Self::Bool => text.parse().ok().map(Cell::Bool),
            Self::Number => number(text).map(Cell::Number),
            Self::Date => date_serial(text).map(Cell::Date),
            Self::Timestamp => timestamp_serial(text).map(Cell::Timestamp),
            Self::Text { guarded } if guarded && is_formula(text) => Some(Cell::Quoted(text)),
            Self::Text { .. } => None,
        };
        typed.unwrap_or(Cell::Text(text))
    }

    /// In characters.
    fn width(self) -> f64 {
        match self {
            Self::Bool => 8.0,
            Self::Number | Self::Date => 12.0,
            Self::Timestamp => 24.0,
            Self::Text { .. } => 24.0,
        }
    }
}

/// The number, if a spreadsheet keeps all of its digits.
fn number(text: &str) -> Option<f64> {
    let mantissa = text.split(['e', 'E']).next()?;
    let digits: String = mantissa.chars().filter(char::is_ascii_digit).collect();
    let significant = digits.trim_start_matches('0').trim_end_matches('0').len();
    let number: f64 = text.parse().ok()?;
    (number.is_finite() && significant <= NUMBER_DIGITS_MAX).then_some(number)
}

fn date_serial(text: &str) -> Option<f64> {
    let serial = parse_date(text)?.checked_add(EPOCH_SERIAL)?;
    let fits = (FIRST_SERIAL..=LAST_SERIAL).contains(&serial);
    fits.then_some(serial as f64)
}

/// To the millisecond, which is what the sheet shows.
fn timestamp_serial(text: &str) -> Option<f64> {
    const DAY_MILLIS: i64 = 86_400_000;
    let millis = parse_timestamp(text)?.div_euclid(1_000);
    let millis = millis.checked_add(EPOCH_SERIAL * DAY_MILLIS)?;
    let fits = (FIRST_SERIAL..=LAST_SERIAL).contains(&millis.div_euclid(DAY_MILLIS));
    fits.then_some(millis as f64 / DAY_MILLIS as f64)
}

/// The longest beginning that a cell holds.
fn cut(text: &str) -> &str {
    let mut units = 0;
    let too_far = |&(_, char): &(usize, char)| {
        units += char.len_utf16();
        units > XLSX_CELL_UNITS_MAX
    };
    match text.char_indices().find(too_far) {
        Some((end, _)) => &text[..end],
        None => text,
    }
}

/// A name that a sheet may have.
fn sheet_name(title: &str) -> String {
    let is_kept = |char: &char| !char.is_control() && !"[]:*?/\\".contains(*char);
    let name: String = title.chars().filter(is_kept).collect();
    let mut units = 0;
    let fits = |char: &char| {
        units += char.len_utf16();
        units <= SHEET_NAME_MAX
    };
    let name: String = name.trim_matches('\'').chars().take_while(fits).collect();
    let name = name.trim_matches(['\'', ' ']);
    if name.is_empty() || name.eq_ignore_ascii_case("history") {
        return "Rows".to_owned();
    }
    name.to_owned()
}

impl Xlsx {
    /// Begins a workbook with its header.
    ///
    /// # Errors
    /// If no temporary file can be made.
    pub fn new(out: ChunkWriter, layout: &Layout) -> io::Result<Self> {
        let columns: Vec<Form> = layout.columns.iter().map(Form::of).collect();
        let mut workbook = Workbook::new();
        let sheet = workbook
            .add_worksheet_with_constant_memory()
            .map_err(failed)?;
        begin_sheet(sheet, layout, &columns).map_err(failed)?;
        Ok(Self {
            out,
            workbook,
            names: layout.columns.iter().map(|c| c.name.clone()).collect(),
            cut: vec![0; columns.len()],
            columns,
            next_row: 1,
            bytes: 0,
            quoted: Format::new().set_quote_prefix(),
            date: Format::new().set_num_format("yyyy-mm-dd"),
            timestamp: Format::new().set_num_format("yyyy-mm-dd hh:mm:ss.000"),
        })
    }

    fn write_cell(&mut self, at: usize, text: &str) -> Result<(), XlsxError> {
        let row = self.next_row;
        let column = u16::try_from(at).unwrap_or(u16::MAX);
        let short = cut(text);
        self.cut[at] += u64::from(short.len() < text.len());
        self.bytes += short.len() as u64;
        let sheet = self.workbook.worksheet_from_index(0)?;
        match self.columns[at].cell(short) {
            Cell::Bool(value) => sheet.write_boolean(row, column, value),
            Cell::Number(value) => sheet.write_number(row, column, value),
            Cell::Date(day) => sheet.write_number_with_format(row, column, day, &self.date),
            Cell::Timestamp(day) => {
                sheet.write_number_with_format(row, column, day, &self.timestamp)
            }
            Cell::Text(text) => sheet.write_string(row, column, text),
            Cell::Quoted(text) => sheet.write_string_with_format(row, column, text, &self.quoted),
        }
        .map(drop)
    }

    /// A second sheet, if the first does not say everything.
    fn write_notes(&mut self) -> Result<(), XlsxError> {
        if self.cut.iter().all(|&cells| cells == 0) {
            return Ok(());
        }
        let sheet = self.workbook.add_worksheet();
        sheet.set_name("Rowcast notes")?;
        let cut = self
            .names
            .iter()
            .zip(&self.cut)
            .filter(|(_, cells)| **cells > 0);
        for (row, (name, cells)) in (0..).zip(cut) {
            let note = format!(
                "{cells} cells of {name} were cut at {XLSX_CELL_UNITS_MAX} characters, the most that a cell holds"
            );
            sheet.write_string(row, 0, note)?;
        }
        Ok(())
    }
}

fn begin_sheet(sheet: &mut Worksheet, layout: &Layout, columns: &[Form]) -> Result<(), XlsxError> {
    sheet.set_name(sheet_name(&layout.title))?;
    sheet.set_freeze_panes(1, 0)?;
    let bold = Format::new().set_bold().set_quote_prefix();
    for (at, (column, form)) in (0..).zip(layout.columns.iter().zip(columns)) {
        sheet.set_column_width(at, form.width())?;
        sheet.write_string_with_format(0, at, column.name.as_str(), &bold)?;
    }
    Ok(())
}

impl Encode for Xlsx {
    fn batch(&mut self, batch: &RowBatch) -> io::Result<()> {
        for row in batch.rows() {
            // The rows were counted before, in the same snapshot.
            if self.next_row >= XLSX_ROWS_MAX || self.bytes > XLSX_BYTES_MAX {
                return Err(io::ErrorKind::FileTooLarge.into());
            }
            for (at, cell) in row.enumerate() {
                if let Some(text) = cell {
                    self.write_cell(at, text).map_err(failed)?;
                }
            }
            self.next_row += 1;
        }
        Ok(())
    }

    fn finish(mut self: Box<Self>) -> io::Result<()> {
        self.write_notes().map_err(failed)?;
        self.workbook
            .save_to_writer(&mut self.out)
            .map_err(failed)?;
        self.out.complete()
    }
}

fn failed(error: XlsxError) -> io::Error {
    match error {
        XlsxError::IoError(error) => error,
        error => io::Error::other(error),
    }
}

#[cfg(test)]
mod tests {
    use super::{Cell, Form, cut, sheet_name};

    #[test]
    fn numbers_stay_numbers_while_a_sheet_keeps_their_digits() {
        let cell = |text| Form::Number.cell(text);
        assert_eq!(cell("-12.50"), Cell::Number(-12.5));
        assert_eq!(cell("1e+300"), Cell::Number(1e300));
        assert_eq!(cell("9007199254740993"), Cell::Text("9007199254740993"));
        assert_eq!(cell("1000000000000000000"), Cell::Number(1e18));
        assert_eq!(cell("NaN"), Cell::Text("NaN"));
        assert_eq!(cell("-Infinity"), Cell::Text("-Infinity"));
    }

    #[test]
    fn days_are_excels() {
        let day = |text| Form::Date.cell(text);
        assert_eq!(day("2026-11-21"), Cell::Date(46_347.0));
        assert_eq!(day("1900-03-01"), Cell::Date(61.0));
        assert_eq!(day("1900-02-28"), Cell::Text("1900-02-28"));
        assert_eq!(day("infinity"), Cell::Text("infinity"));
        let noon = Form::Timestamp.cell("2026-11-21T12:00:00.000999+00:00");
        assert_eq!(noon, Cell::Timestamp(46_347.5));
    }

    #[test]
    fn formulas_stay_texts_when_they_are_edited() {
        let guarded = Form::Text { guarded: true };
        assert_eq!(guarded.cell("=1+1"), Cell::Quoted("=1+1"));
        assert_eq!(guarded.cell("1+1"), Cell::Text("1+1"));
        assert_eq!(Form::Number.cell("-5"), Cell::Number(-5.0));
    }

    #[test]
    fn sheets_have_names_that_excel_takes() {
        assert_eq!(sheet_name("products"), "products");
        assert_eq!(sheet_name("a/b:[c]"), "abc");
        assert_eq!(sheet_name("'quoted'"), "quoted");
        assert_eq!(sheet_name("?*"), "Rows");
        assert_eq!(sheet_name("History"), "Rows");
        assert_eq!(sheet_name(&"ä".repeat(60)).chars().count(), 31);
    }

    #[test]
    fn long_texts_are_cut_between_characters() {
        let long = "𝄞".repeat(20_000);
        assert_eq!(cut(&long).chars().count(), 16_383);
        assert_eq!(cut("short"), "short");
    }
}
