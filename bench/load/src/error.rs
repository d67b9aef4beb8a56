//! Why a run ended without a result. Each is one sentence for the person who started it.

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use crate::session::Fault;

/// What ended the run.
#[derive(Debug)]
pub(crate) enum LoadError {
    /// The URL cannot be used; says why.
    Target(String),
    /// A socket could not be made or connected.
    Connect(SocketAddr, io::Error),
    /// The generator's own machinery failed.
    Setup(io::Error),
    /// The socket of this connection failed.
    Socket(usize, io::Error),
    /// The server did on this connection what it should not.
    Fault(usize, Fault),
    /// The stream of this connection ended without a closing handshake.
    Ended(usize),
    /// Nothing happened for this long.
    Stuck(Duration),
}

impl fmt::Display for LoadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Target(why) => f.write_str(why),
            Self::Connect(address, error) => write!(f, "no connection to {address}: {error}"),
            Self::Setup(error) => write!(f, "the generator failed: {error}"),
            Self::Socket(id, error) => write!(f, "connection {id}: {error}"),
            Self::Fault(id, fault) => write!(f, "connection {id}: {fault}"),
            Self::Ended(id) => write!(f, "connection {id}: the stream ended without a closing handshake"),
            Self::Stuck(patience) => write!(f, "nothing has happened for {} s", patience.as_secs_f64()),
        }
    }
}

impl std::error::Error for LoadError {}

impl From<io::Error> for LoadError {
    fn from(error: io::Error) -> Self {
        Self::Setup(error)
    }
}
