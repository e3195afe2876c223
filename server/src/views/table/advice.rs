//! What a table's clients are told of what their views cost.

use std::sync::Arc;

use super::{Surroundings, TableTask};
use crate::db::catalog::TableDef;
use crate::views::plan::Plan;
use crate::views::view::ClientWindow;

impl TableTask {
    /// Why a window should not be opened without asking, if so. A view that somebody shows costs nothing more.
    pub(super) async fn too_expensive(&self, shown: &ClientWindow, plan: &Plan) -> Option<String> {
        let is_open = self.views.values().any(|view| *view.plan == *plan);
        if shown.allow_expensive || is_open {
            return None;
        }
        let advisor = &self.around.advisor;
        advisor.too_expensive(&self.table, plan, &shown.spec).await
    }
}

impl Surroundings {
    /// Tells a window's client what its view costs, without holding anything up.
    pub(super) fn advise(&self, table: &Arc<TableDef>, plan: &Arc<Plan>, shown: &ClientWindow) {
        let (advisor, table, plan) = (self.advisor.clone(), table.clone(), plan.clone());
        let spec = shown.spec.clone();
        let to = (shown.client.clone(), shown.window.id());
        tokio::spawn(async move { advisor.tell((&table, &plan, &spec), None, [to]).await });
    }
}
