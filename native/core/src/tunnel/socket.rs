//! What a leg reads from and writes to: a socket, or what stands in for one.

use std::io::{self, Read, Write};
use std::net::Shutdown;

use mio::event::Source;
use mio::net::{TcpStream, UnixStream};

use super::Transport;
use super::pipe::LoopEnd;
use crate::sessions::Session;
use crate::stream::show_progress;

#[derive(Debug)]
pub(super) enum Socket {
    Tcp(TcpStream),
    Unix(UnixStream),
    Pipe(LoopEnd),
    Session(Box<Session>),
}

impl Socket {
    /// What the kernel watches; a pipe tells of itself.
    pub(super) fn source(&mut self) -> Option<&mut dyn Source> {
        match self {
            Self::Tcp(socket) => Some(socket),
            Self::Unix(socket) => Some(socket),
            Self::Pipe(_) | Self::Session(_) => None,
        }
    }

    pub(super) fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Tcp(socket) => socket.read(into),
            Self::Unix(socket) => socket.read(into),
            Self::Pipe(end) => end.read(into),
            Self::Session(session) => session.read(into).ok_or_else(|| io::ErrorKind::WouldBlock.into()),
        }
    }

    pub(super) fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Tcp(socket) => socket.write(bytes),
            Self::Unix(socket) => socket.write(bytes),
            Self::Pipe(end) => end.write(bytes),
            Self::Session(session) => match session.receive(bytes) {
                0 => Err(io::ErrorKind::WouldBlock.into()),
                taken => Ok(taken),
            },
        }
    }

    pub(super) fn end_writing(&mut self) {
        // It fails only where the peer is gone already, which the next read says.
        let _ = match self {
            Self::Tcp(socket) => socket.shutdown(Shutdown::Write),
            Self::Unix(socket) => socket.shutdown(Shutdown::Write),
            Self::Pipe(end) => {
                end.end_writing();
                Ok(())
            }
            Self::Session(session) => {
                session.end_input();
                Ok(())
            }
        };
    }
}

impl From<Transport> for Socket {
    fn from(transport: Transport) -> Self {
        match transport {
            Transport::Tcp(socket) => {
                show_progress(&socket);
                Self::Tcp(TcpStream::from_std(socket))
            }
            Transport::Unix(socket) => Self::Unix(UnixStream::from_std(socket)),
            Transport::Pipe(end) => Self::Pipe(end),
            Transport::Session(session) => Self::Session(session),
        }
    }
}
