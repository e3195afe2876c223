//! What is shown, as text: the part of a web address behind the `#`.

use std::collections::BTreeMap;
use std::fmt::Write;

use protocol::{AggregateOp, SortColumn};

/// Which table is shown, in which order, with which search and filters. As text:
/// `table=products&sort=-price,name&search=lamp&filter.price=%3E10`.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ViewAddress {
    /// The table's name; `None` if none is chosen.
    pub table: Option<String>,
    /// The order, most significant column first.
    pub sort: Vec<SortColumn>,
    /// The words looked for; empty for none.
    pub search: String,
    /// What is typed in the filter fields, by column.
    pub filters: BTreeMap<String, String>,
    /// Which totals are shown, by column.
    pub totals: BTreeMap<String, AggregateOp>,
    /// The column whose values are shown with their counts.
    pub facet: Option<String>,
    /// The columns that the rows are grouped by.
    pub groups: Vec<String>,
}

impl ViewAddress {
    /// A table as it comes.
    pub fn table(name: impl Into<String>) -> Self {
        Self {
            table: Some(name.into()),
            ..Self::default()
        }
    }

    /// Reads an address; what is not understood is left out.
    pub fn parse(text: &str) -> Self {
        let mut address = Self::default();
        for part in text.trim_start_matches('#').split('&') {
            let Some((name, value)) = part.split_once('=') else {
                continue;
            };
            match name {
                "table" => address.table = Some(decode(value)).filter(|name| !name.is_empty()),
                "sort" => {
                    let columns = value.split(',').filter(|column| !column.is_empty());
                    address.sort = columns.map(sort_column).collect();
                }
                "search" => address.search = decode(value),
                "group" => {
                    let columns = value.split(',').filter(|column| !column.is_empty());
                    address.groups = columns.map(decode).collect();
                }
                "facet" => address.facet = Some(decode(value)),
                name => {
                    if let Some(column) = name.strip_prefix("filter.") {
                        address.filters.insert(decode(column), decode(value));
                    } else if let Some(column) = name.strip_prefix("total.")
                        && let Some(op) = aggregate_from_name(value)
                    {
                        address.totals.insert(decode(column), op);
                    }
                }
            }
        }
        address
    }
}

impl std::fmt::Display for ViewAddress {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Some(table) = &self.table else {
            return Ok(());
        };
        write!(f, "table={}", encode(table))?;
        for (index, column) in self.sort.iter().enumerate() {
            f.write_str(if index == 0 { "&sort=" } else { "," })?;
            write!(
                f,
                "{}{}",
                if column.descending { "-" } else { "" },
                encode(&column.column)
            )?;
        }
        if !self.search.is_empty() {
            write!(f, "&search={}", encode(&self.search))?;
        }
        for (column, text) in &self.filters {
            write!(f, "&filter.{}={}", encode(column), encode(text))?;
        }
        for (column, op) in &self.totals {
            write!(f, "&total.{}={}", encode(column), aggregate_name(*op))?;
        }
        for (index, column) in self.groups.iter().enumerate() {
            f.write_str(if index == 0 { "&group=" } else { "," })?;
            f.write_str(&encode(column))?;
        }
        if let Some(column) = &self.facet {
            write!(f, "&facet={}", encode(column))?;
        }
        Ok(())
    }
}

/// What a total is called in an address.
fn aggregate_name(op: AggregateOp) -> &'static str {
    match op {
        AggregateOp::Count => "count",
        AggregateOp::Sum => "sum",
        AggregateOp::Avg => "avg",
        AggregateOp::Min => "min",
        AggregateOp::Max => "max",
    }
}

fn aggregate_from_name(name: &str) -> Option<AggregateOp> {
    let mut all = AGGREGATES.into_iter();
    all.find(|op| aggregate_name(*op) == name)
}

/// Every total there is.
const AGGREGATES: [AggregateOp; 5] = [
    AggregateOp::Count,
    AggregateOp::Sum,
    AggregateOp::Avg,
    AggregateOp::Min,
    AggregateOp::Max,
];

fn sort_column(text: &str) -> SortColumn {
    let (descending, name) = match text.strip_prefix('-') {
        Some(name) => (true, name),
        None => (false, text),
    };
    SortColumn {
        column: decode(name),
        descending,
        nulls: None,
    }
}

/// Percent-encodes all but letters, digits and `_.~`; a leading `-` would mean descending.
pub(super) fn encode(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"_.~".contains(&byte) {
            encoded.push(char::from(byte));
        } else {
            // Writing to a string cannot fail.
            let _ = write!(encoded, "%{byte:02X}");
        }
    }
    encoded
}

fn decode(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&byte, after)) = rest.split_first() {
        let hex = after.get(..2).and_then(|hex| std::str::from_utf8(hex).ok());
        let escaped = hex.and_then(|hex| u8::from_str_radix(hex, 16).ok());
        match (byte, escaped) {
            (b'%', Some(escaped)) => {
                bytes.push(escaped);
                rest = &after[2..];
            }
            _ => {
                bytes.push(byte);
                rest = after;
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sort(column: &str, descending: bool) -> SortColumn {
        SortColumn {
            column: column.to_owned(),
            descending,
            nulls: None,
        }
    }

    #[test]
    fn an_address_reads_back() {
        let address = ViewAddress {
            table: Some("shop.\"odd & name\"".to_owned()),
            sort: vec![sort("price", true), sort("-odd,", false)],
            search: "50% & more".to_owned(),
            filters: [("naïve=".to_owned(), ">10 & <20%".to_owned())].into(),
            totals: AGGREGATES.map(|op| (format!("a {op:?}"), op)).into(),
            facet: Some("naïve=".to_owned()),
            groups: vec!["a,b".to_owned(), "naïve=".to_owned()],
        };
        assert_eq!(ViewAddress::parse(&format!("#{address}")), address);
    }

    #[test]
    fn a_person_can_type_one() {
        let address = ViewAddress::parse("#table=products&sort=-price,name&filter.price=>10&x=%");
        assert_eq!(address.table.as_deref(), Some("products"));
        assert_eq!(address.sort, [sort("price", true), sort("name", false)]);
        assert_eq!(address.filters["price"], ">10");
        assert_eq!(ViewAddress::parse(""), ViewAddress::default());
    }
}
