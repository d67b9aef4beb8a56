//! Dial an origin: resolve, connect to its addresses in turn, TLS.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::path::Path;
use std::sync::atomic::Ordering;
use std::time;

use bytes::BytesMut;
use rustls_pki_types::ServerName;
use socket2::SockRef;
use tokio::net::{TcpStream, UnixStream};
use tokio::time::{Instant, sleep, timeout_at};

use super::{Address, Names, Origin, OriginTls};
use crate::caps::Claim;
use crate::fault::{Fault, FaultKind};
use crate::stream::{KEEP_ALIVE, Stream};
use crate::tls::{self, TlsFault};

/// How long a server that has not accepted what waits in its queue is left alone: it accepts a hundred or so in that time.
const FULL_QUEUE_PAUSE: time::Duration = time::Duration::from_millis(2);

/// What the labels of Workers begin with.
const WORKER: &str = "worker:";
/// How long nobody may listen for a Worker: a host that has died is replaced in some tenths of a second, on a busy machine in some
/// seconds.
const HOST_STARTS: time::Duration = time::Duration::from_secs(5);
/// How long it is left alone meanwhile.
const NOBODY_PAUSE: time::Duration = time::Duration::from_millis(20);

/// A connection to an origin, and what has been read from it and not used.
#[derive(Debug)]
pub(crate) struct OriginConnection {
    pub(crate) stream: Stream,
    pub(crate) read: BytesMut,
    /// The address that was dialled; None where there is none.
    pub(super) address: Option<SocketAddr>,
    /// When it was dialled.
    pub(super) since: time::Instant,
    /// How many requests it has carried to their end.
    pub(super) requests: u32,
    /// The place of the WebSocket that it is for under the limits of its zone.
    pub(crate) claim: Option<Claim>,
}

impl OriginConnection {
    pub(super) fn new(stream: Stream, address: Option<SocketAddr>) -> Self {
        Self {
            stream,
            read: BytesMut::new(),
            address,
            since: time::Instant::now(),
            requests: 0,
            claim: None,
        }
    }
}

/// Dials `origin` within its connect timeout, TLS handshake included. With `name`, TLS is made under that name.
pub(crate) async fn dial(
    origin: &Origin,
    name: Option<&ServerName<'static>>,
    names: &Names,
) -> Result<OriginConnection, Fault> {
    let deadline = Instant::now() + origin.connect_timeout;
    match &origin.address {
        Address::Unix(path) if origin.label.starts_with(WORKER) => match connect_worker(path, deadline).await {
            Ok(socket) => Ok(OriginConnection::new(Stream::Unix(socket), None)),
            Err(error) if error.kind() == io::ErrorKind::TimedOut => Err(connect_timed_out(origin)),
            Err(error) => Err(connect_fault(origin, &error)),
        },
        Address::Unix(path) => match timeout_at(deadline, connect_unix(path)).await {
            Ok(Ok(socket)) => Ok(OriginConnection::new(Stream::Unix(socket), None)),
            Ok(Err(error)) => Err(connect_fault(origin, &error)),
            Err(_) => Err(connect_timed_out(origin)),
        },
        Address::Host(host, port) => {
            let ips = names.resolve(host).await?;
            let addresses = in_turn_of_kind(&ips, *port, origin.turn.fetch_add(1, Ordering::Relaxed));
            dial_one_of(origin, &addresses, name, deadline).await
        }
        Address::Addresses(ips, port) => {
            let addresses = in_turn(ips, *port, origin.turn.fetch_add(1, Ordering::Relaxed));
            dial_one_of(origin, &addresses, name, deadline).await
        }
    }
}

/// A Unix socket whose queue is full refuses at once, where one of TCP would let its client wait (connect(2), EAGAIN).
async fn connect_unix(path: &Path) -> io::Result<UnixStream> {
    loop {
        match UnixStream::connect(path).await {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => sleep(FULL_QUEUE_PAUSE).await,
            connected => return connected,
        }
    }
}

/// The socket of a Worker is there again in a moment where nobody listens: its host has ended, and the next one binds it anew. It is
/// waited for until the deadline, but no longer than [`HOST_STARTS`]: a script may have been deleted.
async fn connect_worker(path: &Path, deadline: Instant) -> io::Result<UnixStream> {
    let patience = deadline.min(Instant::now() + HOST_STARTS);
    loop {
        match timeout_at(deadline, connect_unix(path)).await {
            Err(elapsed) => return Err(elapsed.into()),
            Ok(Err(error))
                if matches!(error.kind(), io::ErrorKind::ConnectionRefused | io::ErrorKind::NotFound)
                    && Instant::now() + NOBODY_PAUSE < patience =>
            {
                sleep(NOBODY_PAUSE).await;
            }
            Ok(connected) => return connected,
        }
    }
}

/// The addresses from the one whose turn it is, so that all get their share of the connections.
fn in_turn(ips: &[IpAddr], port: u16, turn: u32) -> Vec<SocketAddr> {
    let first = turn as usize % ips.len().max(1);
    let ips = ips[first..].iter().chain(&ips[..first]);
    ips.map(|ip| SocketAddr::new(*ip, port)).collect()
}

/// As [`in_turn`], but none before one of the first one's kind: where IPv6 leads nowhere, no dial begins with it.
fn in_turn_of_kind(ips: &[IpAddr], port: u16, turn: u32) -> Vec<SocketAddr> {
    let is_ipv4 = ips.first().map(IpAddr::is_ipv4);
    let (first, others): (Vec<IpAddr>, Vec<IpAddr>) = ips.iter().partition(|ip| Some(ip.is_ipv4()) == is_ipv4);
    let mut addresses = in_turn(&first, port, turn);
    addresses.extend(in_turn(&others, port, turn));
    addresses
}

async fn dial_one_of(
    origin: &Origin,
    addresses: &[SocketAddr],
    name: Option<&ServerName<'static>>,
    deadline: Instant,
) -> Result<OriginConnection, Fault> {
    let (socket, address) = connect(origin, addresses, deadline).await?;
    prepare(&socket);
    match &origin.tls {
        None => Ok(OriginConnection::new(Stream::Tcp(socket), Some(address))),
        Some(tls) => {
            let name = name.or(tls.name.as_ref()).cloned();
            let name = name.unwrap_or_else(|| ServerName::IpAddress(address.ip().into()));
            secure(origin, tls, name, (socket, address), deadline).await
        }
    }
}

/// Options of a fresh socket. What refuses them is about to fail anyway; without them it would only be slower to.
fn prepare(socket: &TcpStream) {
    let socket = SockRef::from(socket);
    // Small messages must not wait for one another's acknowledgements.
    let _ = socket.set_tcp_nodelay(true);
    let _ = socket.set_tcp_keepalive(&KEEP_ALIVE);
}

/// Tries each address; what is left of the time is shared between those that are left.
async fn connect(
    origin: &Origin,
    addresses: &[SocketAddr],
    deadline: Instant,
) -> Result<(TcpStream, SocketAddr), Fault> {
    let mut fault = connect_timed_out(origin);
    for (at, address) in addresses.iter().enumerate() {
        let left = deadline.saturating_duration_since(Instant::now());
        // There are at most a few hundred addresses behind a name.
        #[allow(clippy::cast_possible_truncation)]
        let share = left / (addresses.len() - at) as u32;
        match timeout_at(Instant::now() + share, TcpStream::connect(address)).await {
            Ok(Ok(socket)) => return Ok((socket, *address)),
            Ok(Err(error)) => fault = connect_fault(origin, &error),
            Err(_) => fault = connect_timed_out(origin),
        }
    }
    Err(fault)
}

async fn secure(
    origin: &Origin,
    tls: &OriginTls,
    name: ServerName<'static>,
    (socket, address): (TcpStream, SocketAddr),
    deadline: Instant,
) -> Result<OriginConnection, Fault> {
    let handshake = tls::connect(socket, tls.config.clone(), name);
    match timeout_at(deadline, handshake).await {
        Ok(Ok(stream)) => Ok(OriginConnection::new(Stream::Tls(Box::new(stream)), Some(address))),
        Ok(Err(fault)) => Err(tls_fault(origin, &fault)),
        Err(_) => Err(Fault::new(
            FaultKind::TlsFailed,
            format!(
                "the TLS handshake with the origin {} took longer than {} s",
                origin.label,
                origin.connect_timeout.as_secs()
            ),
        )),
    }
}

fn tls_fault(origin: &Origin, fault: &TlsFault) -> Fault {
    if fault.is_certificate() {
        Fault::new(
            FaultKind::CertificateInvalid,
            format!("the certificate of the origin {} is not valid: {fault}", origin.label),
        )
    } else {
        Fault::new(
            FaultKind::TlsFailed,
            format!("the TLS handshake with the origin {} failed: {fault}", origin.label),
        )
    }
}

fn connect_timed_out(origin: &Origin) -> Fault {
    Fault::new(
        FaultKind::ConnectTimedOut,
        format!(
            "the origin {} did not accept a connection within {} s",
            origin.label,
            origin.connect_timeout.as_secs()
        ),
    )
}

fn connect_fault(origin: &Origin, error: &io::Error) -> Fault {
    use io::ErrorKind::{AddrNotAvailable, ConnectionRefused, HostUnreachable, NetworkUnreachable, NotFound, TimedOut};
    let label = &origin.label;
    // EMFILE and ENFILE have no stable `ErrorKind`.
    if let Some(24 | 23) = error.raw_os_error() {
        return Fault::new(
            FaultKind::EdgeExhausted,
            "the edge has no file descriptor left for a connection",
        );
    }
    match error.kind() {
        ConnectionRefused | NotFound => Fault::new(
            FaultKind::Refused,
            format!("the origin {label} refused the connection: {error}"),
        ),
        HostUnreachable | NetworkUnreachable => Fault::new(
            FaultKind::Unreachable,
            format!("the origin {label} cannot be reached: {error}"),
        ),
        AddrNotAvailable => Fault::new(
            FaultKind::EdgeExhausted,
            format!("the edge has no local port left towards the origin {label}"),
        ),
        TimedOut => connect_timed_out(origin),
        _ => Fault::new(
            FaultKind::Refused,
            format!("connecting to the origin {label} failed: {error}"),
        ),
    }
}

#[cfg(test)]
#[path = "dial_tests.rs"]
mod tests;
