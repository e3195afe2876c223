//! What is shown, as text: the part of a web address behind the `#`.

use std::collections::BTreeMap;
use std::fmt::Write;

use protocol::{AggregateOp, SortColumn};

use super::{ColumnArrangement, GroupSort, GroupSortBy};
use crate::model::GroupTexts;

/// Which table is shown, in which order, with which search, filters and columns. As text:
/// `table=products&sort=-price,name&search=lamp&filter.price=%3E10&hide=sku`.
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
    /// Which columns are shown, and in which order.
    pub columns: ColumnArrangement,
    /// The column whose values are shown with their counts.
    pub facet: Option<String>,
    /// The columns that the rows are grouped by.
    pub groups: Vec<String>,
    /// What the groups are ordered by; by their keys without it.
    pub group_sort: Option<GroupSort>,
    /// The groups whose rows are shown.
    pub open_groups: Vec<GroupTexts>,
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
                "sort" => address.sort = list(value).map(sort_column).collect(),
                "search" => address.search = decode(value),
                "columns" => address.columns.first = list(value).map(decode).collect(),
                "hide" => address.columns.hidden = list(value).map(decode).collect(),
                "group" => address.groups = list(value).map(decode).collect(),
                "groupsort" => address.group_sort = group_sort(value),
                "open" => address.open_groups.push(group_texts(value)),
                "facet" => address.facet = Some(decode(value)),
                name => address.read_of_column(name, value),
            }
        }
        address
    }

    /// What is said of one column.
    fn read_of_column(&mut self, name: &str, value: &str) {
        if let Some(column) = name.strip_prefix("filter.") {
            self.filters.insert(decode(column), decode(value));
        } else if let Some(column) = name.strip_prefix("total.")
            && let Some(op) = aggregate_from_name(value)
        {
            self.totals.insert(decode(column), op);
        }
    }
}

impl std::fmt::Display for ViewAddress {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Some(table) = &self.table else {
            return Ok(());
        };
        write!(f, "table={}", encode(table))?;
        write_list(
            f,
            "sort",
            self.sort.iter().map(|column| {
                let sign = if column.descending { "-" } else { "" };
                format!("{sign}{}", encode(&column.column))
            }),
        )?;
        if !self.search.is_empty() {
            write!(f, "&search={}", encode(&self.search))?;
        }
        for (column, text) in &self.filters {
            write!(f, "&filter.{}={}", encode(column), encode(text))?;
        }
        for (column, op) in &self.totals {
            write!(f, "&total.{}={}", encode(column), aggregate_name(*op))?;
        }
        let names = |names: &[String]| names.iter().map(|name| encode(name)).collect::<Vec<_>>();
        write_list(f, "columns", names(&self.columns.first))?;
        write_list(
            f,
            "hide",
            self.columns.hidden.iter().map(|name| encode(name)),
        )?;
        write_list(f, "group", names(&self.groups))?;
        write_list(f, "groupsort", self.group_sort.iter().map(group_sort_text))?;
        for group in &self.open_groups {
            write_list(f, "open", group.iter().map(group_text))?;
        }
        if let Some(column) = &self.facet {
            write!(f, "&facet={}", encode(column))?;
        }
        Ok(())
    }
}

/// The parts of a list; none of an empty one.
fn list(text: &str) -> impl Iterator<Item = &str> {
    text.split(',').filter(|part| !part.is_empty())
}

/// `&name=a,b`; nothing of an empty list.
fn write_list(
    f: &mut std::fmt::Formatter<'_>,
    name: &str,
    parts: impl IntoIterator<Item = String>,
) -> std::fmt::Result {
    for (index, part) in parts.into_iter().enumerate() {
        if index == 0 {
            write!(f, "&{name}={part}")?;
        } else {
            write!(f, ",{part}")?;
        }
    }
    Ok(())
}

/// How NULL is written among the keys of a group.
const NULL: &str = "null";

/// One key of a group: NULL, or a text; that text itself is written otherwise.
fn group_text(text: &Option<String>) -> String {
    match text.as_deref() {
        None => NULL.to_owned(),
        Some(NULL) => format!("%6E{}", &NULL[1..]),
        Some(text) => encode(text),
    }
}

fn group_texts(text: &str) -> GroupTexts {
    let key = |part: &str| (part != NULL).then(|| decode(part));
    text.split(',').map(key).collect()
}

/// `key.category`, `rows`, `total.price`; with a `-` in front the largest first.
fn group_sort_text(sort: &GroupSort) -> String {
    let sign = if sort.descending { "-" } else { "" };
    match &sort.by {
        GroupSortBy::Key(column) => format!("{sign}key.{}", encode(column)),
        GroupSortBy::Rows => format!("{sign}rows"),
        GroupSortBy::Total(column) => format!("{sign}total.{}", encode(column)),
    }
}

fn group_sort(text: &str) -> Option<GroupSort> {
    let (descending, by) = match text.strip_prefix('-') {
        Some(by) => (true, by),
        None => (false, text),
    };
    let by = match by.split_once('.') {
        None if by == "rows" => GroupSortBy::Rows,
        Some(("key", column)) => GroupSortBy::Key(decode(column)),
        Some(("total", column)) => GroupSortBy::Total(decode(column)),
        _ => return None,
    };
    Some(GroupSort { by, descending })
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
            columns: ColumnArrangement {
                first: vec!["-odd,".to_owned(), "b".to_owned()],
                hidden: ["naïve=".to_owned(), "c,d".to_owned()].into(),
            },
            groups: vec!["a,b".to_owned(), "naïve=".to_owned()],
            group_sort: None,
            open_groups: vec![
                vec![Some("a,b".to_owned()), None],
                vec![Some(String::new()), Some("null".to_owned())],
            ],
        };
        assert_eq!(ViewAddress::parse(&format!("#{address}")), address);
    }

    #[test]
    fn every_order_of_groups_reads_back() {
        let column = || "a.b,-".to_owned();
        for by in [
            GroupSortBy::Key(column()),
            GroupSortBy::Rows,
            GroupSortBy::Total(column()),
        ] {
            for descending in [false, true] {
                let by = by.clone();
                let address = ViewAddress {
                    groups: vec![column()],
                    group_sort: Some(GroupSort { by, descending }),
                    ..ViewAddress::table("t")
                };
                assert_eq!(ViewAddress::parse(&address.to_string()), address);
            }
        }
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
