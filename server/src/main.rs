//! The `rowcast` program.

mod index_command;
mod watching;

use std::io::{IsTerminal, Read, Write};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream};
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Context;
use clap::Parser;
use server::config::{Command, LogFormat, Network};
use server::{Config, Database};
use tracing_subscriber::EnvFilter;

#[tokio::main]
#[allow(
    clippy::print_stderr,
    reason = "the last words of a program go to the terminal"
)]
async fn main() -> ExitCode {
    let config = Config::parse();
    let result = match config.command.clone() {
        Some(Command::Healthcheck) => healthcheck(&config.network),
        Some(Command::Watch { table, yes }) => watching::watch(&config.data, &table, yes).await,
        Some(Command::Unwatch { table, yes }) => watching::unwatch(&config.data, &table, yes).await,
        Some(Command::Uninstall { yes }) => watching::uninstall(&config.data, yes).await,
        Some(Command::Index { command }) => index_command::run(&config.data, &command).await,
        None => run(config).await,
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("rowcast: {error:#}");
            ExitCode::FAILURE
        }
    }
}

async fn run(config: Config) -> anyhow::Result<()> {
    start_logging(config.log_format)?;
    let signalled = server::shutdown::signalled().context("cannot listen to signals")?;
    tokio::pin!(signalled);
    let (host, port) = (config.network.host, config.network.port);
    let options = config.into_options();
    let is_private = matches!(options.database, Database::Private(_));
    let listener = server::start::listen(host, port).await?;
    let running = tokio::select! {
        started = server::start(options, listener) => started?,
        // Dropping what was started so far stops it.
        () = &mut signalled => return Ok(()),
    };
    announce(
        running.address(),
        is_private.then(|| running.database_url()),
    );
    signalled.await;
    tracing::info!("stopping; Ctrl-C again ends at once");
    running.stop().await;
    Ok(())
}

/// The last line says where to look.
#[allow(
    clippy::print_stdout,
    reason = "the answer to the command, not a log line"
)]
fn announce(address: SocketAddr, private_url: Option<&str>) {
    if let Some(url) = private_url {
        println!("To look into its database: psql '{url}'");
    }
    println!("Rowcast is ready at http://{}", local(address));
}

/// An address a browser on this machine can open.
fn local(address: SocketAddr) -> SocketAddr {
    let ip = match address.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => IpAddr::V4(Ipv4Addr::LOCALHOST),
        IpAddr::V6(ip) if ip.is_unspecified() => IpAddr::V6(Ipv6Addr::LOCALHOST),
        ip => ip,
    };
    SocketAddr::new(ip, address.port())
}

fn start_logging(format: LogFormat) -> anyhow::Result<()> {
    let default = || Ok(EnvFilter::new("info,sqlx=warn"));
    let filter = match std::env::var("RUST_LOG") {
        Ok(filter) if !filter.is_empty() => EnvFilter::try_new(&filter)
            .with_context(|| format!("RUST_LOG={filter} is no filter; use e.g. RUST_LOG=info")),
        _ => default(),
    }?;
    let coloured = std::io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none();
    let log = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr);
    match format {
        LogFormat::Pretty => log.with_target(false).with_ansi(coloured).init(),
        LogFormat::Json => log.json().init(),
    }
    Ok(())
}

/// Asks `/readyz` of the server on this machine, with nothing but a socket: a container has no curl.
fn healthcheck(network: &Network) -> anyhow::Result<()> {
    const PATIENCE: Duration = Duration::from_secs(3);
    let address = local(SocketAddr::new(network.host, network.port));
    let mut stream = TcpStream::connect_timeout(&address, PATIENCE)
        .with_context(|| format!("no server answers at {address}"))?;
    stream.set_read_timeout(Some(PATIENCE))?;
    write!(
        stream,
        "GET /readyz HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n"
    )?;
    let mut answer = String::new();
    stream
        .read_to_string(&mut answer)
        .context("the server does not answer")?;
    let body = answer.split_once("\r\n\r\n").map_or("", |(_, body)| body);
    anyhow::ensure!(answer.starts_with("HTTP/1.1 200 "), "not ready: {body}");
    Ok(())
}
