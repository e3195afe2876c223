//! The viewer in a window of its own.

use protocol::Encoding;

use super::{ViewAddress, Viewer};
use crate::net::{Driver, Now};

/// Opens a window on the server at `url` and returns when it is closed.
///
/// # Errors
/// If no window can be opened.
pub fn run(url: String, address: ViewAddress) -> Result<(), eframe::Error> {
    let options = eframe::NativeOptions {
        viewport: egui::ViewportBuilder::default()
            .with_title("Rowcast")
            .with_app_id("rowcast")
            .with_inner_size([1280.0, 800.0])
            .with_min_inner_size([640.0, 360.0]),
        ..eframe::NativeOptions::default()
    };
    let start = move |creation: &eframe::CreationContext<'_>| {
        let ctx = creation.egui_ctx.clone();
        let wake = ctx.clone();
        let driver = Driver::connect(url.clone(), Encoding::Binary, Now::read(), move || {
            wake.request_repaint();
        });
        Ok(Box::new(Viewer::new(&ctx, driver, url, address)) as Box<dyn eframe::App>)
    };
    eframe::run_native("Rowcast", options, Box::new(start))
}
