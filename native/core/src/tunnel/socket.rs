//! What a leg reads from and writes to: a socket, or what stands in for one.

use std::io::{self, Read, Write};
use std::net::Shutdown;

use mio::event::Source;
use mio::net::{TcpStream, UnixStream};

use super::Transport;
use super::pipe::LoopEnd;
use crate::stream::show_progress;

#[derive(Debug)]
pub(super) enum Socket {
    Tcp(TcpStream),
    Unix(UnixStream),
    Pipe(LoopEnd),
    Gone,
}

impl Socket {
    /// What the kernel watches; a pipe tells of itself.
    pub(super) fn source(&mut self) -> Option<&mut dyn Source> {
        match self {
            Self::Tcp(socket) => Some(socket),
            Self::Unix(socket) => Some(socket),
            Self::Pipe(_) | Self::Gone => None,
        }
    }

    pub(super) fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Tcp(socket) => socket.read(into),
            Self::Unix(socket) => socket.read(into),
            Self::Pipe(end) => end.read(into),
            Self::Gone => Ok(0),
        }
    }

    pub(super) fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Tcp(socket) => socket.write(bytes),
            Self::Unix(socket) => socket.write(bytes),
            Self::Pipe(end) => end.write(bytes),
            Self::Gone => Err(io::ErrorKind::BrokenPipe.into()),
        }
    }

    pub(super) fn end_writing(&self) {
        // It fails only where the peer is gone already, which the next read says.
        let _ = match self {
            Self::Tcp(socket) => socket.shutdown(Shutdown::Write),
            Self::Unix(socket) => socket.shutdown(Shutdown::Write),
            Self::Pipe(end) => {
                end.end_writing();
                Ok(())
            }
            Self::Gone => Ok(()),
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
            Transport::Gone => Self::Gone,
        }
    }
}
