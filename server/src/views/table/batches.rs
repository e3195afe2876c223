//! Batches, applied to every view of a table.

use std::sync::Arc;

use protocol::ResetReason;
use tokio::time::Instant;
use view_index::TableChanges;

use super::{TableTask, rows_of};
use crate::changes::{Batch, Mark, TableBatch};
use crate::limits::BATCHES_TURN_MAX;
use crate::views::answers::Answers;

impl TableTask {
    /// Applies this batch and those that wait behind it, then tells the clients.
    pub(super) async fn take_batches(&mut self, batch: Arc<Batch>) {
        // Only those that wait by now, and not for long: the clients' turn comes, and that of answers, however
        // fast more arrive, and however slowly they are applied.
        let (waiting, began) = (self.feed.len(), Instant::now());
        self.take_batch(batch).await;
        for _ in 0..waiting {
            if began.elapsed() > BATCHES_TURN_MAX {
                break;
            }
            let Ok(batch) = self.feed.try_recv() else {
                break;
            };
            self.take_batch(batch).await;
        }
        // Read before the queue is found empty: what it says was queued before it was said.
        let newest = self.around.router.mark();
        if self.feed.is_empty() {
            self.notice_missed(newest);
        }
        let early = std::mem::take(&mut self.early);
        for answer in early {
            self.place_answer(answer).await;
        }
        self.take_early_steps().await;
        self.place_early_summaries().await;
        self.show_unplanned().await;
        self.keep_unplanned().await;
        self.refresh_all();
        self.refresh_summaries();
    }

    /// The router drops batches for a task that falls far behind.
    fn notice_missed(&mut self, newest: Option<Mark>) {
        if let Some(newest) = newest
            && (self.mark.epoch != newest.epoch || !self.mark.snapshot.covers(&newest.snapshot))
        {
            self.reset(newest, ResetReason::TooManyChanges);
        }
    }

    async fn take_batch(&mut self, batch: Arc<Batch>) {
        let next = batch.next.clone();
        let mark = &self.mark;
        if mark.epoch != next.epoch {
            return self.reset(next, ResetReason::EpochChanged);
        }
        if let Some(reason) = batch.reset {
            return self.reset(next, reason);
        }
        if mark.snapshot.covers(&next.snapshot) {
            return;
        }
        if !mark.snapshot.covers(&batch.prev) {
            return self.reset(next, ResetReason::TooManyChanges);
        }
        match batch.tables.get(&self.table.oid) {
            None => self.mark = next,
            Some(TableBatch::Rebuild(ResetReason::SchemaChanged)) => {
                self.reset(next, ResetReason::SchemaChanged);
                self.change_schema().await;
            }
            Some(TableBatch::Rebuild(reason)) => self.reset(next, *reason),
            Some(TableBatch::Changes { layout, .. }) if *layout != self.table.layout() => {
                self.reset(next, ResetReason::SchemaChanged);
                self.change_schema().await;
            }
            Some(TableBatch::Changes { changes, .. }) => {
                let applied = self.apply(changes, &next).await;
                self.mark = next.clone();
                if let Err(error) = applied {
                    tracing::warn!(table = self.table.sql_name, %error, "cannot follow a batch");
                    self.reset(next, ResetReason::TooManyChanges);
                }
            }
        }
    }

    /// Applies a batch's changes to every view.
    async fn apply(&mut self, changes: &Arc<TableChanges>, next: &Mark) -> Result<(), sqlx::Error> {
        let seen = self.mark.snapshot.clone();
        let verdicts = self.ask_verdicts(changes).await?;
        let ranked = self.ranked(changes).await?;
        let pool = &self.around.pool;
        let orders = self.views.values().map(|view| view.plan.order.as_slice());
        let orders = orders.chain(self.summaries.orders());
        self.answers.place(pool, orders, rows_of(changes)).await?;
        let ranks = self.answers.ranks();
        for view in self.views.values_mut() {
            let Some(index) = &mut view.index else {
                continue;
            };
            let before = index.revision();
            let applied = index.apply(ranked.of(&view.plan, changes), &verdicts, ranks, &seen);
            match applied {
                Ok(()) if index.revision() == before => {}
                Ok(()) => view.windows.values_mut().for_each(|shown| {
                    shown.window.changed(changes.changed_at_micros);
                }),
                Err(error) => {
                    tracing::warn!(table = self.table.sql_name, %error, "rebuilding a view");
                    view.rebuild(ResetReason::TooManyChanges);
                }
            }
        }
        self.unmeasured = true;
        let told = self.around.sabotage.map(|it| it.of_groups(changes));
        let told = told.as_ref().unwrap_or(changes);
        self.summaries.apply(told, &verdicts, ranks, &seen);
        self.history.push(&seen, next.snapshot.clone(), changes);
        Ok(())
    }

    /// Starts anew at a state to which no known way leads.
    fn reset(&mut self, next: Mark, reason: ResetReason) {
        self.history.reset(next.snapshot.clone());
        self.mark = next;
        for answer in std::mem::take(&mut self.early) {
            if let Some(view) = self.views.get_mut(&answer.question.view) {
                view.answered(&answer.question);
            }
        }
        self.reset_summaries(reason);
        for view in self.views.values_mut() {
            view.rebuild(reason);
        }
    }

    /// A query found other columns than the catalogue says, before the change log told of them (without event
    /// triggers it does so late): reads the catalogue again; `false` if that says nothing new.
    pub(super) async fn is_described_anew(&mut self) -> bool {
        let before = self.table.clone();
        let Ok(found) = self.around.catalog.refresh(before.oid).await else {
            return false;
        };
        if found.is_some_and(|found| found.is_live() && found.layout() == before.layout()) {
            return false;
        }
        self.reset(self.mark.clone(), ResetReason::SchemaChanged);
        self.change_schema().await;
        true
    }

    /// Plans every view again for the table's new columns; what no longer fits is closed.
    async fn change_schema(&mut self) {
        let catalog = match self.around.catalog.reload().await {
            Ok(catalog) => catalog,
            // The next batch shows again that the layout is another.
            Err(error) => return tracing::debug!(%error, "the catalogue cannot be read"),
        };
        let found = catalog.get(self.table.oid).cloned();
        let Some(table) = found.clone().filter(|table| table.is_live()) else {
            self.leaving = Some(found);
            self.leave_summaries();
            return;
        };
        if table == self.table {
            return;
        }
        self.table = table;
        self.answers = Answers::new(self.around.clock.clone());
        let views = std::mem::take(&mut self.views).into_values();
        self.shown_in.clear();
        self.by_plan.clear();
        for shown in views.flat_map(|mut view| std::mem::take(&mut view.windows).into_values()) {
            self.show_or_refuse(shown).await;
        }
        self.replan_summaries().await;
    }
}
