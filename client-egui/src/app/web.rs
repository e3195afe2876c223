//! The viewer in a browser's page.

use std::cell::RefCell;
use std::rc::Rc;

use egui::{ThemePreference, Ui};
use js_sys::{JSON, Object, Reflect};
use protocol::Encoding;
use wasm_bindgen::JsCast;
use wasm_bindgen::prelude::{Closure, JsValue, wasm_bindgen};
use web_sys::{HtmlCanvasElement, Location, Window};

use super::{Summary, ViewAddress, Viewer};
use crate::a11y::DomMirror;
use crate::net::{Driver, Now};

/// Starts the viewer on a canvas of the page. The page's loader calls it.
///
/// # Errors
/// If the browser has no WebGL, or is no browser.
#[wasm_bindgen]
pub async fn start_viewer(canvas: HtmlCanvasElement) -> Result<(), JsValue> {
    report_panics();
    let window = web_sys::window().ok_or("this is not a web page")?;
    let url = socket_url(&window.location())?;
    let runner = eframe::WebRunner::new();
    let start = move |creation: &eframe::CreationContext<'_>| {
        let ctx = creation.egui_ctx.clone();
        let wake = ctx.clone();
        let driver = Driver::connect(url.clone(), Encoding::Binary, Now::read(), move || {
            wake.request_repaint();
        });
        let address = ViewAddress::parse(&hash(&window));
        if let Some(theme) = remembered_theme(&window) {
            ctx.set_theme(theme);
        }
        let viewer = Viewer::new(&ctx, driver, url, address);
        DomMirror::install(&ctx);
        let theme = ctx.options(|options| options.theme_preference);
        let page = Page::new(viewer, window, theme).map_err(|error| format!("{error:?}"))?;
        Ok(Box::new(page) as Box<dyn eframe::App>)
    };
    runner
        .start(canvas, eframe::WebOptions::default(), Box::new(start))
        .await?;
    // It runs for as long as the page is open.
    std::mem::forget(runner);
    Ok(())
}

/// Tells the page of a panic, so that it can offer to reload: the canvas is frozen from then on.
fn report_panics() {
    let previous = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |info| {
        let failed = Reflect::get(&js_sys::global(), &"rowcastFailed".into());
        if let Some(function) = failed
            .ok()
            .and_then(|f| f.dyn_into::<js_sys::Function>().ok())
        {
            // There is nobody left to tell if this fails.
            let _ = function.call1(&JsValue::NULL, &info.to_string().into());
        }
        previous(info);
    }));
}

/// The socket of the server that the page came from.
fn socket_url(location: &Location) -> Result<String, JsValue> {
    let scheme = if location.protocol()? == "https:" {
        "wss"
    } else {
        "ws"
    };
    Ok(format!("{scheme}://{}/ws", location.host()?))
}

/// The part of the page's address behind the `#`.
fn hash(window: &Window) -> String {
    window.location().hash().unwrap_or_default()
}

/// Where the browser keeps the theme that was chosen.
const THEME_KEY: &str = "rowcast.theme";

/// Every theme, and how it is kept.
const THEMES: [(ThemePreference, &str); 3] = [
    (ThemePreference::System, "system"),
    (ThemePreference::Light, "light"),
    (ThemePreference::Dark, "dark"),
];

/// The theme that was chosen when the page was last open.
fn remembered_theme(window: &Window) -> Option<ThemePreference> {
    let storage = window.local_storage().ok()??;
    let kept = storage.get_item(THEME_KEY).ok()??;
    let mut themes = THEMES.into_iter();
    let (theme, _) = themes.find(|(_, name)| *name == kept)?;
    Some(theme)
}

fn remember_theme(window: &Window, theme: ThemePreference) {
    let name = THEMES.iter().find(|(known, _)| *known == theme);
    if let (Ok(Some(storage)), Some((_, name))) = (window.local_storage(), name) {
        // A browser that keeps nothing shows the system's theme next time.
        let _ = storage.set_item(THEME_KEY, name);
    }
}

/// The viewer, joined with the page: what is shown is part of the page's address, so that a reload,
/// a bookmark and the back button find it again.
struct Page {
    viewer: Viewer<Driver>,
    window: Window,
    /// The address as last read or written.
    address: ViewAddress,
    /// The theme as last kept.
    theme: ThemePreference,
    summary: Rc<RefCell<Summary>>,
}

impl Page {
    fn new(
        viewer: Viewer<Driver>,
        window: Window,
        theme: ThemePreference,
    ) -> Result<Self, JsValue> {
        let address = viewer.address();
        let summary = Rc::new(RefCell::new(Summary::of(&viewer)));
        offer_to_scripts(&window, Rc::clone(&summary))?;
        Ok(Self {
            viewer,
            window,
            address,
            theme,
            summary,
        })
    }

    fn remember_theme(&mut self, ctx: &egui::Context) {
        let theme = ctx.options(|options| options.theme_preference);
        if theme != self.theme {
            remember_theme(&self.window, theme);
            self.theme = theme;
        }
    }

    /// Shows what the person asked for with the back button or by typing an address.
    fn read_address(&mut self) {
        let address = ViewAddress::parse(&hash(&self.window));
        if address != self.address {
            self.address = address.clone();
            self.viewer.go_to_address(address);
        }
    }

    fn write_address(&mut self) {
        let address = self.viewer.address();
        if address == self.address {
            return;
        }
        let Ok(history) = self.window.history() else {
            return;
        };
        let url = format!("#{address}");
        let url = Some(url.as_str());
        // Another table is a step to come back from; another order or filter is not.
        let written = if address.table == self.address.table {
            history.replace_state_with_url(&JsValue::NULL, "", url)
        } else {
            history.push_state_with_url(&JsValue::NULL, "", url)
        };
        match written {
            Ok(()) => self.address = address,
            // Browsers limit how often this may be called: the next frame tries again. Until then the page's
            // address is the one before, and must not be taken for one that the person has typed.
            Err(error) => log::debug!("the address was not written: {error:?}"),
        }
    }
}

impl eframe::App for Page {
    fn logic(&mut self, ctx: &egui::Context, _frame: &mut eframe::Frame) {
        self.read_address();
        self.viewer.logic(ctx);
        self.write_address();
        self.remember_theme(ctx);
        *self.summary.borrow_mut() = Summary::of(&self.viewer);
    }

    fn ui(&mut self, ui: &mut Ui, _frame: &mut eframe::Frame) {
        self.viewer.ui(ui);
        *self.summary.borrow_mut() = Summary::of(&self.viewer);
    }

    fn clear_color(&self, visuals: &egui::Visuals) -> [f32; 4] {
        visuals.panel_fill.to_normalized_gamma_f32()
    }
}

/// A function of the page's that answers with a value.
type Getter = Closure<dyn Fn() -> JsValue>;

/// Makes `window.rowcast`: `version()`, `state()` (a [`Summary`]) and `rows_shown()`.
fn offer_to_scripts(window: &Window, summary: Rc<RefCell<Summary>>) -> Result<(), JsValue> {
    let object = Object::new();
    let version = || JsValue::from_str(env!("CARGO_PKG_VERSION"));
    let shown = Rc::clone(&summary);
    let rows_shown = move || JsValue::from_f64(shown.borrow().rows_shown as f64);
    let state = move || {
        let text = serde_json::to_string(&*summary.borrow()).unwrap_or_default();
        JSON::parse(&text).unwrap_or(JsValue::NULL)
    };
    let functions: [(&str, Getter); 3] = [
        ("version", Closure::new(version)),
        ("state", Closure::new(state)),
        ("rows_shown", Closure::new(rows_shown)),
    ];
    for (name, function) in functions {
        // They live as long as the page.
        Reflect::set(&object, &name.into(), &function.into_js_value())?;
    }
    Reflect::set(window, &"rowcast".into(), &object)?;
    Ok(())
}
