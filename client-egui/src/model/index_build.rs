//! The creation of an index that the server suggests.

use protocol::{CancelIndex, ClientMsg, CreateIndex, IndexProgress, IndexState};

use super::{Model, WindowId};

/// The creation of an index, as far as it is known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IndexBuild {
    id: u64,
    /// The index's name.
    pub name: String,
    /// How far it is.
    pub state: IndexBuildState,
    /// It is to be stopped; the server has not said yet that it is.
    pub is_cancelling: bool,
}

/// How far the creation of an index is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum IndexBuildState {
    /// It was asked for.
    Asked,
    /// What the server says.
    Told(IndexState),
    /// The connection was lost meanwhile: the server goes on, and nobody says how far it is.
    Unknown,
}

impl IndexBuild {
    /// Whether the server is still at it, as far as is known.
    pub fn is_running(&self) -> bool {
        matches!(
            self.state,
            IndexBuildState::Asked | IndexBuildState::Told(IndexState::Running { .. })
        )
    }
}

impl Model {
    /// The index whose creation was asked for last.
    pub fn index_build(&self) -> Option<&IndexBuild> {
        self.index_build.as_ref()
    }

    /// Asks for the index that the server suggests for a window's view; one at a time. `token` is the
    /// server's admin token.
    pub fn create_index(&mut self, window: WindowId, token: String) {
        let is_busy = self
            .index_build
            .as_ref()
            .is_some_and(IndexBuild::is_running);
        if is_busy || self.hello.is_none() {
            return;
        }
        let Some(window) = self.windows.get(&window) else {
            return;
        };
        let Some(suggestion) = window
            .advice()
            .and_then(|advice| advice.suggestion.as_ref())
        else {
            return;
        };
        self.last_index_build += 1;
        let id = self.last_index_build;
        let name = suggestion.name.clone();
        self.outbox.push_back(ClientMsg::CreateIndex(CreateIndex {
            id,
            view: window.view().clone(),
            name: name.clone(),
            token,
        }));
        self.index_build = Some(IndexBuild {
            id,
            name,
            state: IndexBuildState::Asked,
            is_cancelling: false,
        });
    }

    /// Stops the creation of the index that was asked for.
    pub fn cancel_index(&mut self) {
        if let Some(build) = &mut self.index_build
            && build.is_running()
            && !build.is_cancelling
        {
            build.is_cancelling = true;
            let id = build.id;
            self.outbox
                .push_back(ClientMsg::CancelIndex(CancelIndex { id }));
        }
    }

    /// Forgets what became of an index: it has been read.
    pub fn dismiss_index(&mut self) {
        self.index_build = self.index_build.take().filter(IndexBuild::is_running);
    }

    pub(super) fn index_progress(&mut self, progress: IndexProgress) {
        if let Some(build) = &mut self.index_build
            && build.id == progress.id
        {
            build.state = IndexBuildState::Told(progress.state);
            build.is_cancelling &= build.is_running();
        }
    }

    pub(super) fn index_build_lost(&mut self) {
        if let Some(build) = &mut self.index_build
            && build.is_running()
        {
            build.state = IndexBuildState::Unknown;
            build.is_cancelling = false;
        }
    }
}
