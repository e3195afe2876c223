//! Cells that a spreadsheet would take for formulas.

use protocol::{Column, ColumnKind};

/// Whether a column's texts are free enough to spell a formula. Numbers and dates are not: `-5` stays `-5`.
pub fn may_hold_formulas(column: &Column) -> bool {
    let is_strict = matches!(
        column.kind,
        ColumnKind::Bool
            | ColumnKind::Int
            | ColumnKind::Float
            | ColumnKind::Numeric
            | ColumnKind::Date
            | ColumnKind::Time
            | ColumnKind::Timestamp
            | ColumnKind::TimestampTz
            | ColumnKind::Interval
            | ColumnKind::Uuid
    );
    !is_strict && column.type_name != "money"
}

/// Whether a spreadsheet may read this text as a formula: by its first character, of which some programs also
/// accept the full-width forms, and some skip a leading tab or line break.
pub fn is_formula(text: &str) -> bool {
    text.starts_with([
        '=', '+', '-', '@', '\t', '\r', '\n', '\u{ff1d}', '\u{ff0b}', '\u{ff0d}', '\u{ff20}',
    ])
}

#[cfg(test)]
mod tests {
    use super::is_formula;

    #[test]
    fn formulas_are_told_by_their_first_character() {
        for text in [
            "=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "\n=1", "＝1",
        ] {
            assert!(is_formula(text), "{text:?}");
        }
        for text in ["", "a=1", " =1", "'=1", "1-1", "é"] {
            assert!(!is_formula(text), "{text:?}");
        }
    }
}
