//! How many rows a view has, as one statement counted them.

use crate::blocks::{Block, BlockList, Content, Drift};
use crate::effects::Effects;

/// How many rows a view has, counted at a state of its own. It says nothing of where they are: that is what a
/// [`Chart`](crate::Chart) says, which takes longer to make.
#[derive(Clone, Debug)]
pub struct Tally {
    count: i64,
}

impl Tally {
    pub(crate) fn new(count: u64) -> Self {
        Self {
            count: i64::try_from(count).unwrap_or(i64::MAX),
        }
    }

    /// Applies a batch.
    pub(crate) fn apply(&mut self, effects: &Effects) {
        let differences = effects.sides.iter().map(|side| side.difference);
        self.count += differences.sum::<i64>();
    }

    /// Counts the block that is not counted: it has the rows that no other block has. `false` if there is none.
    ///
    /// # Errors
    /// [`Drift`] if the list, which shows the same state, has other rows; then it is unchanged.
    pub(crate) fn adopt(self, list: &mut BlockList) -> Result<bool, Drift> {
        let counted = list.iter().filter(|block| block.is_counted());
        let rest = self.count - counted.map(|block| block.count).sum::<i64>();
        let Some(index) = list.uncounted() else {
            return if rest == 0 { Ok(false) } else { Err(Drift) };
        };
        let Some(block) = list.get(index).filter(|_| rest >= 0) else {
            return Err(Drift);
        };
        let counted = Block {
            lower: block.lower.clone(),
            count: rest,
            content: Content::Counted,
        };
        list.replace(index..index + 1, vec![counted]);
        Ok(true)
    }
}
