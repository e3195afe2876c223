//! One cell as the screen shows it.

use protocol::Value;
use web_time::Instant;

use super::{Edit, EditPhase};

/// One cell: what the database holds, and the person's own edit of it.
#[derive(Clone, Copy, Debug)]
pub struct CellView<'a> {
    /// The database's value, at the window's version.
    pub value: &'a Value,
    /// An edit of this cell that is not settled yet.
    pub edit: Option<&'a Edit>,
    /// When the cell last changed, for flashing.
    pub changed_at: Option<Instant>,
}

impl<'a> CellView<'a> {
    /// What to draw: the person's own value while it is on its way, else the database's.
    pub fn shown(&self) -> &'a Value {
        match self.edit {
            Some(edit) if edit.is_on_its_way() => edit.mine(),
            _ => self.value,
        }
    }

    /// Whether the person must decide something about this cell.
    pub fn needs_attention(&self) -> bool {
        self.edit.is_some_and(|edit| {
            matches!(
                edit.phase(),
                EditPhase::Conflict { .. } | EditPhase::Unconfirmed
            )
        })
    }
}
