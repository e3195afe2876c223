//! `rowcast-viewer`: the native viewer.

use std::process::ExitCode;

use clap::Parser;
use client_egui::app::{ViewAddress, native};

/// A live grid over the tables of a Rowcast server.
#[derive(Debug, Parser)]
#[command(version)]
struct Arguments {
    /// The server's WebSocket address.
    #[arg(long, env = "ROWCAST_URL", default_value = "ws://127.0.0.1:8080/ws")]
    url: String,

    /// The table to show first, e.g. `products` or `shop.orders`.
    #[arg(long)]
    table: Option<String>,
}

#[allow(
    clippy::print_stderr,
    reason = "the last words of a program go to the terminal"
)]
fn main() -> ExitCode {
    let arguments = Arguments::parse();
    tracing_subscriber::fmt()
        .with_env_filter(tracing_subscriber::EnvFilter::from_default_env())
        .with_writer(std::io::stderr)
        .init();
    let address = arguments.table.map(ViewAddress::table).unwrap_or_default();
    match native::run(arguments.url, address) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("rowcast-viewer: {}", explain(&error));
            ExitCode::FAILURE
        }
    }
}

/// What is wrong and what to do.
fn explain(error: &eframe::Error) -> String {
    let has_display = ["DISPLAY", "WAYLAND_DISPLAY"]
        .iter()
        .any(|name| std::env::var_os(name).is_some_and(|value| !value.is_empty()));
    if cfg!(target_os = "linux") && !has_display {
        "no display: neither DISPLAY nor WAYLAND_DISPLAY is set. Run the viewer in a graphical \
         session, or open the server's page in a browser instead"
            .to_owned()
    } else {
        format!("cannot open a window: {error}")
    }
}
