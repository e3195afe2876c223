//! Starts a throwaway server in the folder given, prints its process id and URL, and stays until
//! its input ends. The crash tests kill it with SIGKILL.

use std::io::Read;

use private_postgres::{Options, PrivatePostgres};

#[tokio::main]
#[allow(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a program for a terminal"
)]
async fn main() -> std::process::ExitCode {
    let folder = std::env::args()
        .nth(1)
        .unwrap_or_else(|| ".rowcast".to_owned());
    let server = match PrivatePostgres::start(Options::throwaway(folder)).await {
        Ok(server) => server,
        Err(error) => {
            eprintln!("{error}");
            return std::process::ExitCode::FAILURE;
        }
    };
    println!("{} {}", server.pid().unwrap_or_default(), server.url());
    // Until the other side closes it, whatever it says.
    let _ = std::io::stdin().read_to_end(&mut Vec::new());
    std::process::ExitCode::SUCCESS
}
