//! Verdicts on a batch, and views that cannot be judged in time.

use view_index::{TableChanges, Verdicts};

use super::TableTask;
use crate::views::judging::Fault;

impl TableTask {
    /// PostgreSQL's verdicts on these changes. The views of a condition that fails or takes too long are
    /// closed, and their clients told why: the others do not wait for them.
    pub(super) async fn ask_verdicts(
        &mut self,
        changes: &TableChanges,
    ) -> Result<Verdicts, sqlx::Error> {
        let pool = &self.around.pool;
        let asked = self.answers.verdicts(pool, &self.table, changes).await?;
        for fault in &asked.faults {
            self.expel(fault);
        }
        Ok(asked.verdicts)
    }

    fn expel(&mut self, fault: &Fault) {
        tracing::warn!(table = self.table.sql_name, fault.message, "closing views");
        let answers = &mut self.answers;
        self.summaries.expel(fault, answers);
        self.views.retain(|_, view| {
            let asked = view.predicate.asked();
            let is_meant = asked.contains(&fault.condition);
            if is_meant {
                view.refuse_if(|_| true, fault.code, &fault.message);
                answers.release(&asked);
            }
            !is_meant
        });
    }
}
