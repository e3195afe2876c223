//! Files from the server, in a browser: the browser saves them, shows how far they are and can stop them.

use wasm_bindgen::JsCast;
use wasm_bindgen::prelude::JsValue;
use web_sys::HtmlElement;

use super::download::{Download, DownloadId};

/// Hands files to the browser.
pub struct Downloads;

impl Downloads {
    /// For the server that the page came from.
    pub fn new(_url: &str, _wake: impl Fn() + Send + Sync + 'static) -> Self {
        Self
    }

    /// Lets the browser save what is at `path` of the server; the server names it.
    pub fn start(&mut self, path: &str, _name: &str) {
        if let Err(error) = click_link(path) {
            log::warn!("the browser does not save {path}: {error:?}");
        }
    }

    /// Nothing arrives here.
    pub fn poll(&mut self) {}

    /// Nothing is known of what the browser saves.
    pub fn list(&self) -> &[Download] {
        &[]
    }

    /// Nothing is to be dismissed.
    pub fn dismiss(&mut self, _id: DownloadId) {}
}

/// With `download` the page stays even if the server refuses: the browser then says that it failed.
fn click_link(path: &str) -> Result<(), JsValue> {
    let document = web_sys::window().and_then(|window| window.document());
    let document = document.ok_or("no document")?;
    let link: HtmlElement = document.create_element("a")?.dyn_into()?;
    link.set_attribute("href", path)?;
    link.set_attribute("download", "")?;
    link.click();
    Ok(())
}
