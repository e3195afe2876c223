//! The browser's hints that the network may be back.

use std::cell::Cell;
use std::rc::Rc;
use std::sync::Arc;

use wasm_bindgen::JsCast;
use wasm_bindgen::prelude::Closure;
use web_sys::{Event, EventTarget};

/// Listens to the browser's hints that the network may be back (`online`) or that somebody looks again
/// (`visibilitychange`), for as long as it lives.
pub(super) struct WebSignals {
    seen: Rc<Cell<bool>>,
    listener: Closure<dyn FnMut(Event)>,
    targets: Vec<(EventTarget, &'static str)>,
}

impl WebSignals {
    pub(super) fn listen(wake: Arc<dyn Fn() + Send + Sync>) -> Self {
        let seen = Rc::new(Cell::new(false));
        let flag = Rc::clone(&seen);
        let listener: Closure<dyn FnMut(Event)> = Closure::new(move |_: Event| {
            flag.set(true);
            wake();
        });
        let window = web_sys::window();
        let document = window.as_ref().and_then(web_sys::Window::document);
        let mut targets: Vec<(EventTarget, &'static str)> = Vec::new();
        targets.extend(window.map(|window| (window.into(), "online")));
        targets.extend(document.map(|document| (document.into(), "visibilitychange")));
        targets.retain(|(target, name)| {
            let function = listener.as_ref().unchecked_ref();
            // Without the hint the next attempt comes a little later, no more.
            target
                .add_event_listener_with_callback(name, function)
                .is_ok()
        });
        Self {
            seen,
            listener,
            targets,
        }
    }

    /// Whether there was a hint since the last call.
    pub(super) fn take(&self) -> bool {
        self.seen.take()
    }
}

impl Drop for WebSignals {
    fn drop(&mut self) {
        let function = self.listener.as_ref().unchecked_ref();
        for (target, name) in &self.targets {
            // Only a listener that is not there fails to go.
            let _ = target.remove_event_listener_with_callback(name, function);
        }
    }
}
