//! What is told of the measurements: JSON lines for programs, Markdown tables for people.

use std::fmt::Write as _;
use std::fs::File;
use std::io::Write as _;

use serde::Serialize;

use crate::machine::Machine;

/// The conditions of the measurements that follow: a line of the JSON.
#[derive(Debug, Serialize)]
pub(super) struct Conditions {
    pub(super) kind: &'static str,
    pub(super) rowcast_version: &'static str,
    pub(super) machine: Machine,
    pub(super) postgres_version: String,
    pub(super) rows_per_window: u32,
    pub(super) rounds: usize,
    pub(super) jumps: usize,
    pub(super) seed: u64,
}

/// Collects what was measured, and tells it.
pub(super) struct Report {
    json: Option<File>,
    text: String,
}

impl Report {
    /// Begins with the conditions. `json` gets a line for each measurement as soon as it is done.
    pub(super) fn begin(conditions: &Conditions, json: Option<File>) -> anyhow::Result<Self> {
        let machine = &conditions.machine;
        let mut report = Self {
            json,
            text: format!(
                "{}, {} cores, Linux {}, PostgreSQL {}, {} rows per window\n",
                machine.processor,
                machine.cores,
                machine.kernel,
                conditions.postgres_version,
                conditions.rows_per_window,
            ),
        };
        report.line(conditions)?;
        Ok(report)
    }

    /// Begins a table; text stands to the left, numbers to the right.
    pub(super) fn table(
        &mut self,
        title: &str,
        texts: usize,
        columns: &[&str],
    ) -> anyhow::Result<()> {
        let align = (0..columns.len()).map(|nth| if nth < texts { "---" } else { "---:" });
        let align: Vec<&str> = align.collect();
        writeln!(
            self.text,
            "\n{title}\n\n| {} |\n|{}|",
            columns.join(" | "),
            align.join("|")
        )?;
        Ok(())
    }

    /// Adds a measurement: a row of the table, and its line of JSON.
    pub(super) fn row(&mut self, cells: &[String], line: &impl Serialize) -> anyhow::Result<()> {
        writeln!(self.text, "| {} |", cells.join(" | "))?;
        self.line(line)
    }

    /// The tables.
    pub(super) fn text(&self) -> &str {
        &self.text
    }

    fn line(&mut self, line: &impl Serialize) -> anyhow::Result<()> {
        if let Some(json) = &mut self.json {
            serde_json::to_writer(&mut *json, line)?;
            writeln!(json)?;
        }
        Ok(())
    }
}

/// 1,234,567
pub(super) fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (nth, digit) in digits.chars().enumerate() {
        if nth > 0 && (digits.len() - nth).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// With as many digits as tell something.
pub(super) fn short(number: f64) -> String {
    match number.abs() {
        at if at >= 100.0 => grouped(number.round().abs() as u64),
        at if at >= 10.0 => format!("{number:.1}"),
        at if at >= 0.1 => format!("{number:.2}"),
        _ => format!("{number:.3}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_short() {
        assert_eq!(grouped(999), "999");
        assert_eq!(grouped(1_234_567), "1,234,567");
        assert_eq!(short(1_234.4), "1,234");
        assert_eq!(short(12.345), "12.3");
        assert_eq!(short(1.234), "1.23");
        assert_eq!(short(0.0123), "0.012");
    }
}
