//! A window as a client holds it.

use protocol::{Row, RowOp, Update, UpdateNumber, Version};

/// What the client holds. Written from the protocol's documentation alone.
#[derive(Clone, Debug, Default)]
pub(crate) struct Replica {
    pub(crate) version: Option<Version>,
    pub(crate) number: UpdateNumber,
    pub(crate) start: u64,
    pub(crate) total: u64,
    pub(crate) is_exact: bool,
    pub(crate) rows: Vec<Row>,
}

impl Replica {
    /// Applies an update; says why if it does not fit what is held.
    pub(crate) fn apply(&mut self, update: Update) -> Result<(), String> {
        if update.number != self.number + 1 {
            return Err(format!("update {} follows {}", update.number, self.number));
        }
        if update.from.is_some() && update.from != self.version {
            return Err(format!(
                "an update from {:?} at {:?}",
                update.from, self.version
            ));
        }
        let before = if update.from.is_some() {
            std::mem::take(&mut self.rows)
        } else {
            vec![]
        };
        let at = |from: u32| {
            before
                .get(from as usize)
                .ok_or("a row that is not held")
                .cloned()
        };
        let mut rows = Vec::new();
        for op in update.rows {
            match op {
                RowOp::Keep { from, count } => {
                    for index in from..from + count {
                        rows.push(at(index)?);
                    }
                }
                RowOp::Patch { from, cells } => {
                    let mut row = at(from)?;
                    for (column, value) in cells {
                        row.cells[column as usize] = value;
                    }
                    rows.push(row);
                }
                RowOp::Row(row) => rows.push(row),
            }
        }
        *self = Self {
            version: Some(update.to),
            number: update.number,
            start: update.start,
            total: update.total,
            is_exact: update.total_is_exact,
            rows,
        };
        Ok(())
    }
}
