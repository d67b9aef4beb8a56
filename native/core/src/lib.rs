//! The byte-moving core of the Holdfast edge. Knows no Python.
//!
//! Law 1: protocol modules (`http`, `handshake`, `frames`, `tls::session`) take bytes and return values; they know no socket.
//! Law 2: no module blocks a runtime or a tunnel loop; every wait has a limit and its error has a name.
//! Law 3: memory a peer can cause is bounded by a constant that stands next to its reason.

#![forbid(unsafe_code)]

pub mod edge;
pub mod frames;
pub mod handshake;
pub mod http;
pub mod latency;
pub mod messages;
pub mod origin;
pub mod parked;
pub mod policy;
pub mod registry;
pub mod sessions;
pub mod tls;
pub mod tunnel;
pub mod zones;

mod agreement;
mod caps;
mod chance;
mod claiming;
mod connection;
mod download;
mod exchange;
mod fault;
mod http2;
mod leaving;
mod listener;
pub mod live;
mod parking;
mod refusal;
mod secure;
mod stream;
mod upgrade;
mod upload;
