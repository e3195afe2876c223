//! Which of a table's columns are shown, and in which order.

use std::collections::BTreeSet;

use protocol::Column;

/// Which of a table's columns are shown, and in which order. It names columns, so that it still holds
/// after the table has got others: those are shown, behind the ones that were moved.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ColumnArrangement {
    /// The columns that come first, in this order; all others follow as the table has them.
    pub first: Vec<String>,
    /// The columns that are not shown.
    pub hidden: BTreeSet<String>,
}

impl ColumnArrangement {
    /// Whether it changes nothing.
    pub fn is_as_it_comes(&self) -> bool {
        self.first.is_empty() && self.hidden.is_empty()
    }

    /// The indices of all columns in their order, the hidden ones too.
    pub fn ordered(&self, columns: &[Column]) -> Vec<usize> {
        let of = |name: &String| columns.iter().position(|column| column.name == *name);
        let mut order: Vec<usize> = Vec::with_capacity(columns.len());
        for index in self.first.iter().filter_map(of).chain(0..columns.len()) {
            if !order.contains(&index) {
                order.push(index);
            }
        }
        order
    }

    /// The indices of the columns that are shown, in their order. A table is never shown without a
    /// column: if none is left, all are.
    pub fn shown(&self, columns: &[Column]) -> Vec<usize> {
        let all = self.ordered(columns);
        let is_shown = |index: &usize| !self.hidden.contains(&columns[*index].name);
        let shown: Vec<usize> = all.iter().copied().filter(is_shown).collect();
        if shown.is_empty() { all } else { shown }
    }

    /// Shows a column, or hides it.
    pub fn set_shown(&mut self, column: &str, is_shown: bool) {
        if is_shown {
            self.hidden.remove(column);
        } else {
            self.hidden.insert(column.to_owned());
        }
    }

    /// Moves a column in front of another; behind all others without one.
    pub fn move_before(&mut self, columns: &[Column], column: &str, before: Option<&str>) {
        if before == Some(column) {
            return;
        }
        let mut order = self.ordered(columns);
        let place_of = |order: &[usize], name: &str| {
            order.iter().position(|index| columns[*index].name == name)
        };
        let Some(from) = place_of(&order, column) else {
            return;
        };
        let moved = order.remove(from);
        let to = before.and_then(|before| place_of(&order, before));
        order.insert(to.unwrap_or(order.len()), moved);
        // What is in the table's order behind the last one moved needs no mention.
        let first = order.windows(2).rposition(|pair| pair[0] > pair[1]);
        let first = first.map_or(0, |last_descent| last_descent + 1);
        let names = order[..first].iter().map(|index| &columns[*index].name);
        self.first = names.cloned().collect();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use protocol::ColumnKind;

    fn columns(names: &str) -> Vec<Column> {
        let column = |name: char| Column {
            name: name.to_string(),
            kind: ColumnKind::Text,
            type_name: "text".to_owned(),
            nullable: true,
            editable: true,
            sortable: true,
            labels: Vec::new(),
            comment: None,
        };
        names.chars().map(column).collect()
    }

    fn shown(arrangement: &ColumnArrangement, names: &str) -> String {
        let columns = columns(names);
        let shown = arrangement.shown(&columns);
        shown
            .iter()
            .map(|index| &columns[*index].name[..])
            .collect()
    }

    #[test]
    fn columns_are_hidden_and_shown_again() {
        let mut arrangement = ColumnArrangement::default();
        assert_eq!(shown(&arrangement, "abc"), "abc");
        arrangement.set_shown("b", false);
        assert_eq!(shown(&arrangement, "abc"), "ac");
        arrangement.set_shown("b", true);
        assert!(arrangement.is_as_it_comes());
        for name in ["a", "b", "c"] {
            arrangement.set_shown(name, false);
        }
        assert_eq!(shown(&arrangement, "abc"), "abc", "never none");
    }

    #[test]
    fn every_move_leads_where_it_says_and_is_remembered_in_short() {
        let all = columns("abcd");
        let moved = |moves: &[(&str, Option<&str>)]| {
            let mut arrangement = ColumnArrangement::default();
            for (column, before) in moves {
                arrangement.move_before(&all, column, *before);
            }
            (shown(&arrangement, "abcd"), arrangement.first.concat())
        };
        let is = |order: &str, first: &str| (order.to_owned(), first.to_owned());
        assert_eq!(moved(&[("c", Some("a"))]), is("cabd", "c"));
        assert_eq!(moved(&[("a", None)]), is("bcda", "bcd"));
        assert_eq!(moved(&[("a", Some("c"))]), is("bacd", "b"));
        assert_eq!(moved(&[("a", Some("a"))]), is("abcd", ""));
        assert_eq!(moved(&[("a", None), ("a", Some("b"))]), is("abcd", ""));
        assert_eq!(
            moved(&[("x", Some("a")), ("a", Some("x"))]),
            is("bcda", "bcd")
        );
    }

    #[test]
    fn it_outlives_changes_of_the_table() {
        let mut arrangement = ColumnArrangement::default();
        arrangement.move_before(&columns("abcd"), "c", Some("a"));
        arrangement.set_shown("b", false);
        assert_eq!(shown(&arrangement, "abde"), "ade");
        assert_eq!(shown(&arrangement, "xabc"), "cxa");
    }
}
