//! `holdfast-echo`: answers every WebSocket message with itself.
//!
//! One thread, one readiness loop. It is an origin for measurements and trials: it keeps the framing rules of
//! RFC 6455 and refuses what breaks them, but does not check that text is UTF-8, and negotiates no extension.

#![forbid(unsafe_code)]

mod server;
mod session;
mod tls;

use std::io::{self, Write};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;

/// Answer every WebSocket message with itself, on any path.
#[derive(Debug, Parser)]
#[command(
    name = "holdfast-echo",
    after_help = "\
Prints `ready: ws://ADDRESS:PORT` once it listens, and runs until it is told to end (SIGINT, SIGTERM).

Try it:  holdfast-echo --listen 127.0.0.1:9000
         holdfast-load relay ws://127.0.0.1:9000/ --connections 50"
)]
struct Arguments {
    /// Where to listen; port 0 takes a free one
    #[arg(long, value_name = "ADDRESS:PORT", default_value = "127.0.0.1:9000")]
    listen: SocketAddr,
    /// Speak TLS; without --cert and --key, with a certificate made for this run
    #[arg(long)]
    tls: bool,
    /// Certificate chain, PEM
    #[arg(long, value_name = "FILE", requires_all = ["key", "tls"])]
    cert: Option<PathBuf>,
    /// Its private key, PEM
    #[arg(long, value_name = "FILE", requires_all = ["cert", "tls"])]
    key: Option<PathBuf>,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    match serve(&arguments) {
        Ok(never) => match never {},
        Err(error) => {
            eprintln!("holdfast-echo: {error}");
            ExitCode::from(2)
        }
    }
}

fn serve(arguments: &Arguments) -> io::Result<std::convert::Infallible> {
    let tls = match (arguments.tls, &arguments.cert, &arguments.key) {
        (false, ..) => None,
        (true, Some(cert), Some(key)) => Some(tls::from_files(cert, key)?),
        (true, ..) => Some(tls::self_signed()?),
    };
    let scheme = if arguments.tls { "wss" } else { "ws" };
    let mut server = server::Server::bind(arguments.listen, tls)?;
    println!("ready: {scheme}://{}", server.address()?);
    io::stdout().flush()?;
    server.run()
}
