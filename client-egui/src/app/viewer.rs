//! The viewer: takes in what arrives and carries out commands, then draws.

use egui::{CentralPanel, Context, Frame, Panel, Ui};
use web_time::Instant;

use super::{
    Backend, ColumnArrangement, Command, OpenTable, ViewAddress, export_name, export_path,
};
use crate::a11y::PaintedNodes;
use crate::net::{Downloads, Now};
use crate::panels::{self, GoToRow};
use crate::theme::{self, Palette, size};

/// In a narrower window than this, in points, the list of tables is a menu at the table's name.
const SIDE_BAR_FROM: f32 = 900.0;

/// The viewer of what a backend knows.
pub struct Viewer<B> {
    backend: B,
    /// Where the server is, for messages.
    url: String,
    table: Option<OpenTable>,
    /// What to show as soon as there is a connection to ask for it.
    wanted: Option<ViewAddress>,
    downloads: Downloads,
    go_to: Option<GoToRow>,
    refused: Option<String>,
    /// The admin token as typed: kept while the viewer runs, and nowhere else.
    admin_token: String,
    commands: Vec<Command>,
}

impl<B: Backend> Viewer<B> {
    /// A viewer of the server at `url` that shows `address` first.
    pub fn new(ctx: &Context, backend: B, url: String, address: ViewAddress) -> Self {
        theme::install(ctx);
        PaintedNodes::install(ctx);
        let wake = ctx.clone();
        let downloads = Downloads::new(&url, move || wake.request_repaint());
        Self {
            backend,
            url,
            table: None,
            wanted: Some(address),
            downloads,
            go_to: None,
            refused: None,
            admin_token: String::new(),
            commands: Vec::new(),
        }
    }

    /// The table on the screen.
    pub fn table(&self) -> Option<&OpenTable> {
        self.table.as_ref()
    }

    /// What is known.
    pub fn backend(&self) -> &B {
        &self.backend
    }

    /// For tests, which put messages in themselves.
    pub fn backend_mut(&mut self) -> &mut B {
        &mut self.backend
    }

    /// How what is on the screen can be shown again.
    pub fn address(&self) -> ViewAddress {
        let shown = self.table.as_ref().map(OpenTable::address);
        shown.or_else(|| self.wanted.clone()).unwrap_or_default()
    }

    /// Shows something else: the address was changed by hand.
    pub fn go_to_address(&mut self, address: ViewAddress) {
        if address != self.address() {
            self.wanted = Some(address);
        }
    }

    /// For tests, which look at what was saved.
    pub fn downloads(&self) -> &Downloads {
        &self.downloads
    }

    /// Takes in what has arrived and carries out what the person asked for.
    pub fn logic(&mut self, ctx: &Context) {
        let now = Now::read();
        if let Some(address) = self.wanted.take() {
            self.show_address(address);
        }
        for command in std::mem::take(&mut self.commands) {
            self.carry_out(ctx, command, now);
        }
        self.downloads.poll();
        let deadline = self.backend.pump(now);
        if let Some(table) = &mut self.table {
            let model = self.backend.model_mut();
            table.follow(model, now.steady);
            let visible = table.grid.visible_rows();
            let count = u32::try_from(visible.end.saturating_sub(visible.start));
            model.show_rows(
                table.window,
                visible.start,
                count.unwrap_or(u32::MAX),
                now.steady,
            );
        }
        // What was asked for just now goes out in this frame.
        let deadline = [deadline, self.backend.pump(now)]
            .into_iter()
            .flatten()
            .min();
        if let Some(deadline) = deadline {
            ctx.request_repaint_after(deadline.saturating_duration_since(now.steady));
        }
    }

    fn show_address(&mut self, address: ViewAddress) {
        let Some(name) = address.table.clone() else {
            return;
        };
        let model = self.backend.model_mut();
        if let Some(shown) = self.table.take() {
            shown.close(model);
        }
        self.table = Some(OpenTable::open(model, name, address));
    }

    fn carry_out(&mut self, ctx: &Context, command: Command, now: Now) {
        let model = self.backend.model_mut();
        match command {
            Command::OpenTable(name) => self.show_address(ViewAddress::table(name)),
            Command::SetTheme(preference) => ctx.set_theme(preference),
            Command::ReconnectNow => self.backend.retry_now(now),
            Command::ShowGoTo(shown) => self.go_to = shown.then(GoToRow::default),
            Command::KeepMine(edit) => model.resolve_keep_mine(edit, now.steady),
            Command::KeepTheirs(edit) => model.resolve_take_theirs(edit),
            Command::Resend(edit) => model.retry(edit, now.steady),
            Command::DismissNotice(notice) => model.dismiss_notice(notice),
            Command::DismissDownload(id) => self.downloads.dismiss(id),
            Command::CancelIndex => model.cancel_index(),
            Command::DismissIndex => model.dismiss_index(),
            command => self.carry_out_on_table(command, now),
        }
    }

    /// Carries out what is asked of the table on the screen.
    fn carry_out_on_table(&mut self, command: Command, now: Now) {
        let model = self.backend.model_mut();
        let Some(table) = &mut self.table else { return };
        match command {
            Command::CycleSort { column, add } => table.cycle_sort(model, &column, add),
            Command::SetFilter { column, text } => table.set_filter(model, column, text),
            Command::ShowFacet(column) => table.show_facet(column),
            Command::MoreFacetValues => table.more_facet_values(model, now.steady),
            Command::SetTotal { column, op } => table.set_total(column, op),
            Command::GroupBy(columns) => table.group_by(model, columns),
            Command::OrderGroups(by) => table.order_groups(by),
            Command::ToggleGroup { key, position } => table.toggle_group(model, key, position),
            Command::SortBy { column, descending } => table.sort_by(model, column, descending),
            Command::ShowColumn { column, is_shown } => table.columns.set_shown(&column, is_shown),
            Command::MoveColumn { column, before } => {
                table.move_column(model, &column, before.as_deref());
            }
            Command::ResetColumns => table.columns = ColumnArrangement::default(),
            Command::Search(text) => table.set_search(model, text),
            Command::ClearFilters => table.clear_filters(model),
            Command::ClearSort => table.clear_sort(model),
            Command::Export(format) => {
                if let Some(window) = model.window(table.window) {
                    let path = export_path(window.view(), &table.columns_to_save(model), format);
                    let name = export_name(panels::short_name(&table.name), format);
                    self.downloads.start(&path, &name);
                }
            }
            Command::CreateIndex { token } => model.create_index(table.window, token.0),
            Command::OpenAnyway => model.open_anyway(table.window),
            Command::ReturnToTop => {
                table.grid.go_to_row(0);
                model.return_to_top(table.window);
            }
            Command::GoToRow(row) => table.grid.go_to_row(row),
            Command::Edit {
                window,
                key,
                column,
                seen,
                value,
            } => {
                let typed = value.to_postgres_text().unwrap_or_default();
                self.refused =
                    match model.edit_what_was(window, &key, &column, (seen, value), now.steady) {
                        Ok(_) | Err(crate::model::EditRefused::Unchanged) => None,
                        Err(refused) => Some(format!("“{typed}” was not saved: {refused}")),
                    };
            }
            _ => {}
        }
    }

    /// Draws.
    pub fn ui(&mut self, ui: &mut Ui) {
        let ctx = ui.ctx().clone();
        let frame = panels::FrameView {
            model: self.backend.model(),
            url: &self.url,
            now: Instant::now(),
            palette: Palette::of(ctx.theme()),
        };
        let commands = &mut self.commands;
        let surface = Frame::NONE.fill(frame.palette.surface);
        let backdrop = Frame::NONE.fill(frame.palette.backdrop);
        Panel::bottom("status bar")
            .exact_size(size::STATUS_BAR)
            .resizable(false)
            .frame(backdrop)
            .show(ui, |ui| {
                let news = panels::status_bar::News {
                    refused: self.refused.as_deref(),
                    downloads: self.downloads.list(),
                };
                panels::status_bar::show(ui, &frame, self.table.as_ref(), news, commands);
            });
        let has_side_bar = ui.available_width() >= SIDE_BAR_FROM;
        if has_side_bar {
            Panel::left("tables")
                .exact_size(size::SIDE_BAR)
                .resizable(false)
                .frame(backdrop)
                .show(ui, |ui| {
                    panels::table_list::show(ui, &frame, self.table.as_ref(), commands);
                });
        }
        Panel::top("table")
            .exact_size(panels::top_bar::height(ui.available_width()))
            .resizable(false)
            .frame(surface)
            .show(ui, |ui| {
                let table = self.table.as_mut();
                let token = &mut self.admin_token;
                panels::top_bar::show(ui, &frame, table, has_side_bar, token, commands);
            });
        if self
            .table
            .as_ref()
            .is_some_and(|table| table.facet.is_some())
        {
            Panel::right("facet")
                .exact_size(size::FACET_PANEL)
                .resizable(false)
                .frame(surface)
                .show(ui, |ui| {
                    panels::facet::show(ui, &frame, self.table.as_mut(), commands);
                });
        }
        CentralPanel::default().frame(surface).show(ui, |ui| {
            panels::central::show(ui, &frame, self.table.as_mut(), commands);
        });
        if let Some(go_to) = &mut self.go_to {
            panels::go_to::show(&ctx, &frame, self.table.as_ref(), go_to, commands);
        }
        if !commands.is_empty() {
            ctx.request_repaint();
        }
    }
}

impl<B: Backend> eframe::App for Viewer<B> {
    fn logic(&mut self, ctx: &Context, _frame: &mut eframe::Frame) {
        Self::logic(self, ctx);
    }

    fn ui(&mut self, ui: &mut Ui, _frame: &mut eframe::Frame) {
        Self::ui(self, ui);
    }

    fn clear_color(&self, visuals: &egui::Visuals) -> [f32; 4] {
        visuals.panel_fill.to_normalized_gamma_f32()
    }
}
