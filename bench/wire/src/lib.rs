//! What the load generator and the echo origin both need to speak WebSocket.
//!
//! Law 1: nothing here is shared with the edge under test. A fault in its frame parser must not be hidden
//! by the same fault in the program that checks it.
//! Law 2: [`frame`] and [`handshake`] take bytes and return values. Only [`transport`] touches a socket.

#![forbid(unsafe_code)]

pub mod frame;
pub mod handshake;
pub mod transport;
