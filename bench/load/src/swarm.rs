//! Many connections on one readiness loop: commands in (`connect`, `send`, `close`), occurrences out (`turn`).
//!
//! Law 1: the first thing that goes wrong on any connection ends the run. A figure is worth nothing if part of the
//! load was not there.
//! Law 2: a `turn` waits for a limited time, and a run in which nothing happens for [`Options::patience`] is given up.
//! Law 3: nothing is read ahead of the clock: an occurrence carries the time its event was seen.

use std::io::{self, ErrorKind};
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, Instant};

use holdfast_wire::transport::{Received, Scratch, Transport};
use mio::net::TcpStream;
use mio::{Events, Interest, Poll, Token, Waker};
use socket2::{Domain, Protocol, Socket, Type};

use crate::error::LoadError;
use crate::payload::{Kind, Payload};
use crate::session::{Event, Session};
use crate::target::Target;

const WAKER: Token = Token(usize::MAX);
const EVENTS: usize = 1024;
/// 127.0.0.1 to .32: each gives some 28,000 ports more.
const MAX_SOURCES: u8 = 32;

/// What a swarm needs to know besides its target.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Options {
    /// Bytes in a message.
    pub(crate) message_bytes: usize,
    /// How long nothing may happen before the run is given up.
    pub(crate) patience: Duration,
    /// Whether connections read at all once they are open.
    pub(crate) stalled: bool,
    /// What messages are.
    pub(crate) kind: Kind,
    /// The connections ask in turn for so many paths: `{}` in the URL's is a number below this.
    pub(crate) paths: u32,
    /// Whether all connections but the first are sent what the first sends, and send nothing themselves.
    pub(crate) follow_first: bool,
}

/// Something that happened to connection `id` at `at`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Occurrence {
    pub(crate) id: usize,
    pub(crate) at: Instant,
    pub(crate) what: What,
}

/// What happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum What {
    /// The 101 came, this long after the connect began.
    Opened(Duration),
    /// A message came back.
    Echoed,
    /// All that was to be sent has gone, after it did not all fit at once.
    Sent,
    /// The closing handshake and the stream are over.
    Ended,
}

/// The connections.
#[derive(Debug)]
pub(crate) struct Swarm {
    poll: Poll,
    ready: Events,
    target: Target,
    options: Options,
    payload: Payload,
    random: fastrand::Rng,
    connections: Vec<Option<Connection>>,
    vacant: Vec<usize>,
    opened: u32,
    source: u8,
    scratch: Scratch,
    out: Vec<u8>,
    events: Vec<Event>,
    last_occurrence: Instant,
    tls_facts: Option<String>,
    resumed: u64,
}

#[derive(Debug)]
struct Connection {
    transport: Transport,
    session: Session,
    /// What is to be sent and did not fit. Before the connect is through: the request.
    unsent: Vec<u8>,
    /// Something waits to be sent, here or as ciphertext.
    blocked: bool,
    began: Instant,
    connected: bool,
    open: bool,
}

impl Swarm {
    /// No connections yet.
    pub(crate) fn new(target: Target, options: Options) -> io::Result<Self> {
        let mut random = fastrand::Rng::new();
        Ok(Self {
            poll: Poll::new()?,
            ready: Events::with_capacity(EVENTS),
            target,
            options,
            payload: Payload::new(options.message_bytes, options.kind, &mut random),
            random,
            connections: Vec::new(),
            vacant: Vec::new(),
            opened: 0,
            source: 1,
            scratch: Scratch::default(),
            out: Vec::new(),
            events: Vec::new(),
            last_occurrence: Instant::now(),
            tls_facts: None,
            resumed: 0,
        })
    }

    /// Interrupts `turn` from another thread.
    pub(crate) fn waker(&self) -> io::Result<Arc<Waker>> {
        Waker::new(self.poll.registry(), WAKER).map(Arc::new)
    }

    /// TLS version and suite of the connections, if they are TLS.
    pub(crate) fn tls_facts(&self) -> Option<&str> {
        self.tls_facts.as_deref()
    }

    /// How many connections resumed a TLS session.
    pub(crate) fn resumed(&self) -> u64 {
        self.resumed
    }

    /// Begin a connection, with its upgrade; its id. An id is used again once its connection has ended.
    pub(crate) fn connect(&mut self) -> Result<usize, LoadError> {
        let socket = self
            .dial()
            .map_err(|error| LoadError::Connect(self.target.address, error))?;
        let began = Instant::now();
        let transport = self.target.transport(socket).map_err(LoadError::Setup)?;
        let path = self
            .target
            .path
            .replace("{}", &(self.opened % self.options.paths).to_string());
        let (mut session, unsent) = Session::new(self.opened, &self.target.authority, &path, &mut self.random);
        if self.options.follow_first && self.opened > 0 {
            session.follow(0);
        }
        self.opened = self.opened.wrapping_add(1);
        let id = self.vacant.pop().unwrap_or_else(|| {
            self.connections.push(None);
            self.connections.len() - 1
        });
        let connection = Connection {
            transport,
            session,
            unsent,
            blocked: true,
            began,
            connected: false,
            open: false,
        };
        let connection = self.connections[id].insert(connection);
        self.poll
            .registry()
            .register(
                connection.transport.socket(),
                Token(id),
                Interest::READABLE | Interest::WRITABLE,
            )
            .map_err(LoadError::Setup)?;
        Ok(id)
    }

    /// Send the next message on an open connection; false if it did not all fit, and `Sent` will tell when it has.
    pub(crate) fn send(&mut self, id: usize) -> Result<bool, LoadError> {
        self.send_many(id, 1)
    }

    /// Send the next `count` messages, as [`Swarm::send`] does, with one write.
    pub(crate) fn send_many(&mut self, id: usize, count: usize) -> Result<bool, LoadError> {
        let Self {
            connections,
            payload,
            random,
            out,
            ..
        } = self;
        let Some(connection) = &mut connections[id] else {
            return Ok(true);
        };
        out.clear();
        for _ in 0..count {
            connection.session.send(payload, random, out);
        }
        connection.offer(out).map_err(|error| LoadError::Socket(id, error))
    }

    /// Begin the closing handshake of an open connection.
    pub(crate) fn close(&mut self, id: usize) -> Result<(), LoadError> {
        let Self {
            connections,
            random,
            out,
            ..
        } = self;
        let Some(connection) = &mut connections[id] else {
            return Ok(());
        };
        out.clear();
        connection.session.close(random, out);
        connection.offer(out).map_err(|error| LoadError::Socket(id, error))?;
        Ok(())
    }

    /// Wait, at most until `limit`, and append what happened to `occurrences`.
    pub(crate) fn turn(&mut self, limit: Instant, occurrences: &mut Vec<Occurrence>) -> Result<(), LoadError> {
        let before = occurrences.len();
        match self
            .poll
            .poll(&mut self.ready, Some(limit.saturating_duration_since(Instant::now())))
        {
            Err(error) if error.kind() == ErrorKind::Interrupted => return Ok(()),
            other => other.map_err(LoadError::Setup)?,
        }
        let ready = std::mem::replace(&mut self.ready, Events::with_capacity(0));
        let served = ready
            .iter()
            .filter(|event| event.token() != WAKER)
            .try_for_each(|event| self.serve(event.token().0, event.is_read_closed(), occurrences));
        self.ready = ready;
        served?;
        if occurrences.len() > before {
            self.last_occurrence = Instant::now();
        }
        Ok(())
    }

    /// Fail if nothing has happened for too long though something should have.
    pub(crate) fn check_patience(&self) -> Result<(), LoadError> {
        if self.last_occurrence.elapsed() > self.options.patience {
            return Err(LoadError::Stuck(self.options.patience));
        }
        Ok(())
    }

    /// Take the waiting that is over as intended: patience begins anew.
    pub(crate) fn renew_patience(&mut self) {
        self.last_occurrence = Instant::now();
    }

    fn dial(&mut self) -> io::Result<TcpStream> {
        loop {
            match dial_from(self.target.address, self.source) {
                // The ports of this source are all taken; the next loopback address has its own.
                Err(error)
                    if matches!(error.kind(), ErrorKind::AddrNotAvailable | ErrorKind::AddrInUse)
                        && self.target.is_ipv4_loopback()
                        && self.source < MAX_SOURCES =>
                {
                    self.source += 1;
                }
                other => return other,
            }
        }
    }

    fn serve(&mut self, id: usize, read_closed: bool, occurrences: &mut Vec<Occurrence>) -> Result<(), LoadError> {
        let Some(connection) = self.connections[id].as_mut() else {
            return Ok(());
        };
        if !connection.connected
            && !connection
                .finish_connect()
                .map_err(|error| LoadError::Socket(id, error))?
        {
            return Ok(());
        }
        if connection.blocked {
            occurrences.extend(connection.relieve(id, &[])?);
        }
        loop {
            if self.options.stalled && connection.open {
                return Ok(());
            }
            let Self {
                scratch,
                payload,
                random,
                out,
                events,
                ..
            } = self;
            let Connection { transport, session, .. } = &mut *connection;
            out.clear();
            events.clear();
            let mut understood = Ok(());
            let received = transport
                .receive(scratch, |bytes| {
                    if understood.is_ok() {
                        understood = session.receive(bytes, payload, random, out, events);
                    }
                })
                // Some servers reset a connection whose closing handshake is through; nothing is lost by it.
                .or_else(|error| {
                    if session.is_closed() {
                        Ok(Received::Closed)
                    } else {
                        Err(error)
                    }
                })
                .map_err(|error| LoadError::Socket(id, error))?;
            understood.map_err(|fault| LoadError::Fault(id, fault))?;
            if connection.blocked || !out.is_empty() {
                occurrences.extend(connection.relieve(id, out)?);
            }
            let at = Instant::now();
            for event in events.drain(..) {
                let what = match event {
                    Event::Opened => {
                        connection.open = true;
                        self.tls_facts = self.tls_facts.take().or_else(|| connection.transport.tls_facts());
                        self.resumed += u64::from(connection.transport.was_resumed());
                        What::Opened(at - connection.began)
                    }
                    Event::Echoed => What::Echoed,
                    Event::Closed => continue,
                };
                occurrences.push(Occurrence { id, at, what });
            }
            match received {
                Received::More => {}
                Received::Short if read_closed => {}
                Received::Short | Received::Drained => return Ok(()),
                Received::Closed if connection.session.is_closed() => {
                    self.connections[id] = None;
                    self.vacant.push(id);
                    occurrences.push(Occurrence {
                        id,
                        at,
                        what: What::Ended,
                    });
                    return Ok(());
                }
                Received::Closed => return Err(LoadError::Ended(id)),
            }
        }
    }
}

impl Connection {
    /// Whether the connect is through.
    fn finish_connect(&mut self) -> io::Result<bool> {
        let socket = self.transport.socket();
        if let Some(error) = socket.take_error()? {
            return Err(error);
        }
        match socket.peer_addr() {
            Err(error) if error.kind() == ErrorKind::NotConnected => Ok(false),
            Err(error) => Err(error),
            Ok(_) => {
                self.connected = true;
                Ok(true)
            }
        }
    }

    /// Send what waits and then `bytes`; what does not fit waits. True if nothing does.
    fn offer(&mut self, bytes: &[u8]) -> io::Result<bool> {
        if self.unsent.is_empty() {
            let sent = self.transport.send(bytes)?;
            self.unsent.extend_from_slice(&bytes[sent..]);
        } else {
            self.unsent.extend_from_slice(bytes);
            let sent = self.transport.send(&self.unsent)?;
            self.unsent.drain(..sent);
        }
        if self.unsent.is_empty() {
            // A connection that waits owns no buffer.
            self.unsent = Vec::new();
        }
        self.blocked = !self.unsent.is_empty() || self.transport.wants_send();
        Ok(!self.blocked)
    }

    /// `offer`, and tell if it ended a blockade.
    fn relieve(&mut self, id: usize, bytes: &[u8]) -> Result<Option<Occurrence>, LoadError> {
        let was_blocked = self.blocked;
        let all = self.offer(bytes).map_err(|error| LoadError::Socket(id, error))?;
        Ok((was_blocked && all && self.open).then(|| Occurrence {
            id,
            at: Instant::now(),
            what: What::Sent,
        }))
    }
}

fn dial_from(address: SocketAddr, source: u8) -> io::Result<TcpStream> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    socket.set_nonblocking(true)?;
    socket.set_tcp_nodelay(true)?;
    if source > 1 {
        socket.bind(&SocketAddr::from((Ipv4Addr::new(127, 0, 0, source), 0)).into())?;
    }
    match socket.connect(&address.into()) {
        Err(error) if error.raw_os_error() != Some(EINPROGRESS) => Err(error),
        _ => Ok(TcpStream::from_std(socket.into())),
    }
}

/// What a non-blocking connect(2) on Linux says when it has begun.
const EINPROGRESS: i32 = 115;
