//! The readiness loop: sockets on one side, [`Session`]s on the other.
//!
//! Law 1: a connection that waits owns no buffer; reading and answering use the loop's own.
//! Law 2: a frame is sent when it is whole, so that a proxy which cuts messages up is not made to pay twice;
//! a longer one goes out in pieces of [`FLUSH_BYTES`].
//! Law 3: a reader that is slower than its writer stops it: beyond [`HIGH_WATER_BYTES`] unsent, nothing is read.

use std::convert::Infallible;
use std::io::{self, ErrorKind};
use std::net::SocketAddr;
use std::sync::Arc;

use holdfast_wire::transport::{Received, Scratch, Transport};
use mio::net::{TcpListener, TcpStream};
use mio::{Events, Interest, Poll, Token};
use rustls::{ServerConfig, ServerConnection};
use slab::Slab;
use socket2::{Domain, Protocol, Socket, Type};

use crate::session::{Session, Step};

const LISTENER: Token = Token(usize::MAX);
const BACKLOG: i32 = 4096;
const EVENTS: usize = 1024;
const FLUSH_BYTES: usize = 64 * 1024;
const HIGH_WATER_BYTES: usize = 256 * 1024;

/// A listening socket and its connections.
#[derive(Debug)]
pub(crate) struct Server {
    poll: Poll,
    listener: TcpListener,
    tls: Option<Arc<ServerConfig>>,
    connections: Slab<Connection>,
    scratch: Scratch,
    out: Vec<u8>,
}

#[derive(Debug)]
struct Connection {
    transport: Transport,
    session: Session,
    /// What did not fit into the socket, or belongs to a frame that is not whole.
    unsent: Vec<u8>,
    /// The socket did not take all it was offered.
    blocked: bool,
    finished: bool,
}

/// What becomes of a connection after it was served.
#[derive(Debug, PartialEq, Eq)]
enum Fate {
    Stays,
    Ends,
}

impl Server {
    /// Bind and listen. The error names the address.
    pub(crate) fn bind(address: SocketAddr, tls: Option<Arc<ServerConfig>>) -> io::Result<Self> {
        let mut listener = listen(address)
            .map_err(|error| io::Error::new(error.kind(), format!("cannot listen on {address}: {error}")))?;
        let poll = Poll::new()?;
        poll.registry().register(&mut listener, LISTENER, Interest::READABLE)?;
        Ok(Self {
            poll,
            listener,
            tls,
            connections: Slab::new(),
            scratch: Scratch::default(),
            out: Vec::new(),
        })
    }

    /// Where it listens.
    pub(crate) fn address(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }

    /// Serve until the process ends.
    pub(crate) fn run(&mut self) -> io::Result<Infallible> {
        let mut events = Events::with_capacity(EVENTS);
        loop {
            match self.poll.poll(&mut events, None) {
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                other => other?,
            }
            for event in &events {
                if event.token() == LISTENER {
                    self.accept()?;
                } else {
                    self.serve(event.token().0, event.is_read_closed());
                }
            }
        }
    }

    fn accept(&mut self) -> io::Result<()> {
        loop {
            let socket = match self.listener.accept() {
                Ok((socket, _)) => socket,
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
                // The client gave up while it waited in the queue (accept(2)).
                Err(error) if matches!(error.kind(), ErrorKind::ConnectionAborted | ErrorKind::Interrupted) => continue,
                Err(error) => return Err(error),
            };
            if let Err(error) = self.admit(socket) {
                eprintln!("holdfast-echo: a connection could not be set up: {error}");
            }
        }
    }

    fn admit(&mut self, socket: TcpStream) -> io::Result<()> {
        socket.set_nodelay(true)?;
        let mut transport = match &self.tls {
            None => Transport::Plain(socket),
            Some(config) => {
                let tls = ServerConnection::new(Arc::clone(config)).map_err(io::Error::other)?;
                Transport::Tls(socket, Box::new(tls.into()))
            }
        };
        let entry = self.connections.vacant_entry();
        let interest = Interest::READABLE | Interest::WRITABLE;
        self.poll
            .registry()
            .register(transport.socket(), Token(entry.key()), interest)?;
        entry.insert(Connection {
            transport,
            session: Session::default(),
            unsent: Vec::new(),
            blocked: false,
            finished: false,
        });
        Ok(())
    }

    fn serve(&mut self, key: usize, read_closed: bool) {
        let Some(connection) = self.connections.get_mut(key) else {
            return;
        };
        let fate = connection.serve(read_closed, &mut self.scratch, &mut self.out);
        // A reset or a broken TLS stream ends a connection as an orderly close does.
        if !matches!(fate, Ok(Fate::Stays)) {
            self.connections.remove(key);
        }
    }
}

impl Connection {
    fn serve(&mut self, read_closed: bool, scratch: &mut Scratch, out: &mut Vec<u8>) -> io::Result<Fate> {
        if self.blocked {
            self.send_unsent()?;
        }
        while !self.finished && self.unsent.len() < HIGH_WATER_BYTES {
            // Take up the unsent part, so that what follows it is sent after it.
            out.clear();
            out.append(&mut self.unsent);
            let (session, mut step) = (&mut self.session, Step::Within);
            let received = self
                .transport
                .receive(scratch, |bytes| step = session.receive(bytes, out))?;
            self.finished = step == Step::Finished;
            if step == Step::Within && out.len() < FLUSH_BYTES && !self.blocked {
                self.unsent.extend_from_slice(out);
            } else {
                self.send(out)?;
            }
            match received {
                Received::More => {}
                Received::Short if read_closed => {}
                Received::Short | Received::Drained => break,
                Received::Closed => {
                    self.finished = true;
                    self.send_unsent()?;
                }
            }
        }
        if self.finished && !self.blocked {
            // The server closes first, so that the client is spared TIME_WAIT (RFC 6455 §7.1.1).
            self.transport.finish()?;
            return Ok(Fate::Ends);
        }
        Ok(Fate::Stays)
    }

    fn send_unsent(&mut self) -> io::Result<()> {
        let unsent = std::mem::take(&mut self.unsent);
        self.send(&unsent)
    }

    fn send(&mut self, bytes: &[u8]) -> io::Result<()> {
        let sent = self.transport.send(bytes)?;
        self.unsent = bytes[sent..].to_vec();
        self.blocked = !self.unsent.is_empty() || self.transport.wants_send();
        Ok(())
    }
}

fn listen(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    socket.set_reuse_address(true)?;
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    Ok(TcpListener::from_std(socket.into()))
}
