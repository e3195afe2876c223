//! What a headless viewer shows, in the tests' words.

use client_egui::model::{Headless, Model, WindowCache, WindowId};
use protocol::{Value, ViewSpec};

use crate::eventually::SOON;

/// The rows that a window holds, as texts (`NULL` is `∅`), by column name.
pub fn column(model: &Model, window: WindowId, name: &str) -> Vec<String> {
    model
        .window(window)
        .map(|window| cells(window.cache(), name))
        .unwrap_or_default()
}

/// The same of a cache.
pub fn cells(cache: &WindowCache, name: &str) -> Vec<String> {
    let Some(index) = cache.column_index(name) else {
        return Vec::new();
    };
    let text = |value: &Value| value.to_postgres_text().unwrap_or_else(|| "∅".to_owned());
    cache
        .rows()
        .iter()
        .map(|row| text(&row.cells()[index]))
        .collect()
}

/// The number of rows in the window's view.
pub fn total(model: &Model, window: WindowId) -> Option<u64> {
    model.window(window)?.cache().total()
}

/// Opens a window on all columns and waits for its rows.
///
/// # Panics
/// If none come.
pub async fn open(viewer: &mut Headless, view: ViewSpec, start: u64, count: u32) -> WindowId {
    let window = viewer.open(view, Vec::new(), start, count);
    until(viewer, "the window's first rows", |model| {
        model
            .window(window)
            .is_some_and(|window| window.cache().version().is_some())
    })
    .await;
    window
}

/// Runs until the condition is true of the model.
///
/// # Panics
/// If it is not soon.
pub async fn until(viewer: &mut Headless, what: &str, condition: impl FnMut(&Model) -> bool) {
    let outcome = viewer.wait_until(condition, SOON).await;
    outcome.unwrap_or_else(|error| panic!("not soon: {what}: {error}"));
}

/// Waits until a column of a window shows exactly these texts.
///
/// # Panics
/// If it does not soon.
pub async fn shows(viewer: &mut Headless, window: WindowId, name: &str, expected: &[&str]) {
    let is_shown = |model: &Model| column(model, window, name) == expected;
    let outcome = viewer.wait_until(is_shown, SOON).await;
    if let Err(error) = outcome {
        let shown = column(viewer.model(), window, name);
        panic!("{name} shows {shown:?} and not {expected:?}: {error}");
    }
}
