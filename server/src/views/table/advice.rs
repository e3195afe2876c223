//! What a table's clients are told of what their views cost.

use std::sync::Arc;

use protocol::ErrorCode;
use tokio::time::sleep;

use super::{Surroundings, TableTask};
use crate::db::catalog::TableDef;
use crate::limits::ADVICE_DELAY;
use crate::views::fetching::{Asked, Question};
use crate::views::plan::Plan;
use crate::views::view::{ClientWindow, ViewId, overlap};

impl TableTask {
    /// Why a window should not be opened without asking, if so. A view that somebody shows costs nothing more.
    pub(super) async fn too_expensive(&self, shown: &ClientWindow, plan: &Plan) -> Option<String> {
        let is_open = self.by_plan.contains_key(plan);
        if shown.allow_expensive || is_open {
            return None;
        }
        let advisor = &self.around.advisor;
        advisor.too_expensive(&self.table, plan, &shown.spec).await
    }
}

impl TableTask {
    /// Tells a view's clients what opening it took, once it is counted and divided, or cannot be divided.
    pub(super) fn tell_opening(&mut self, view: ViewId) {
        let Some(view) = self.views.get_mut(&view) else {
            return;
        };
        let counted = view.index.as_ref().filter(|index| index.total_is_exact());
        let Some(rows) = counted.map(|index| index.total()) else {
            return;
        };
        view.opening.counted();
        if view.is_charting() {
            return;
        }
        let Some(opened) = view.opening.finish(rows) else {
            return;
        };
        let shown = view.windows.values();
        let to: Vec<_> = shown
            .map(|shown| (shown.client.clone(), shown.window.id()))
            .collect();
        let Some(spec) = view.windows.values().next().map(|shown| shown.spec.clone()) else {
            return;
        };
        let (advisor, plan) = (self.around.advisor.clone(), view.plan.clone());
        let table = self.table.clone();
        tokio::spawn(async move {
            advisor.tell((&table, &plan, &spec), Some(opened), to).await;
        });
    }

    /// Tells every window's client what its view costs now.
    pub(super) fn readvise(&mut self) {
        for view in self.views.values_mut() {
            view.reconsider();
            for shown in view.windows.values() {
                self.around.advise(&self.table, &view.plan, shown);
            }
        }
    }

    /// Refuses a view's windows because its rows took too long, and says what would help.
    pub(super) fn refuse_slow(&mut self, question: &Question) {
        let Some(view) = self.views.get_mut(&question.view) else {
            return;
        };
        let needs = |shown: &ClientWindow| match &question.what {
            Asked::First { .. } => true,
            what => match (shown.window.requested(), what.positions()) {
                (Some(requested), Some(asked)) => overlap(&requested, &asked),
                (None, None) => true,
                _ => false,
            },
        };
        let (advisor, plan) = (self.around.advisor.clone(), view.plan.clone());
        let (table, limit) = (self.table.clone(), self.around.timeouts.first_rows);
        let shown = view.windows.values().filter(|shown| needs(shown));
        let told: Vec<_> = shown
            .map(|shown| (shown.client.clone(), shown.window.id(), shown.spec.clone()))
            .collect();
        view.remove_windows(needs);
        tokio::spawn(async move {
            for (client, window, spec) in told {
                let message = advisor.too_slow((&table, &plan, &spec), limit).await;
                client.refuse(ErrorCode::QueryTimeout, message, Some(window));
            }
        });
    }
}

impl Surroundings {
    /// Tells a window's client what its view costs, without holding anything up.
    pub(super) fn advise(&self, table: &Arc<TableDef>, plan: &Arc<Plan>, shown: &ClientWindow) {
        let (advisor, table, plan) = (self.advisor.clone(), table.clone(), plan.clone());
        let spec = shown.spec.clone();
        let to = (shown.client.clone(), shown.window.id());
        tokio::spawn(async move {
            sleep(ADVICE_DELAY).await;
            advisor.tell((&table, &plan, &spec), None, [to]).await;
        });
    }
}
