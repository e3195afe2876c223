//! Shows the viewer over a table in memory, for looking at it without a server. Its first
//! edit is a conflict.

#[path = "../tests/support/mod.rs"]
mod support;

use client_egui::app::{ViewAddress, Viewer};

fn main() -> Result<(), eframe::Error> {
    let options = eframe::NativeOptions {
        viewport: egui::ViewportBuilder::default().with_inner_size([1280.0, 800.0]),
        ..eframe::NativeOptions::default()
    };
    let address = std::env::args()
        .nth(1)
        .unwrap_or_else(|| "table=products".to_owned());
    eframe::run_native(
        "Rowcast gallery",
        options,
        Box::new(move |creation| {
            let mut stage = support::products(10_000_000);
            let theirs = protocol::Value::text("Someone else’s value");
            stage.next_outcome = Some(protocol::EditOutcome::Conflict { theirs });
            let address = ViewAddress::parse(&address);
            let url = "ws://gallery/ws".to_owned();
            Ok(Box::new(Viewer::new(
                &creation.egui_ctx,
                stage,
                url,
                address,
            )))
        }),
    )
}
