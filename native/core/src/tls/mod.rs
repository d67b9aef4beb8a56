//! TLS on both legs: towards clients (we are the server) and towards origins (we are the client).
//!
//! `session` is the protocol: bytes in, bytes out, no socket. `stream` puts it on a tokio socket, for the time before
//! the 101 and for ordinary HTTP; `TlsStream::into_parts` hands socket and session on to a tunnel loop.
//! `server` is how we meet clients: with which of the `certificates`, under which of the `rules`; `to_origin` is whom we
//! believe at origins.
//!
//! Law 1: an idle session owns no buffer. Ciphertext is decrypted in the caller's buffer, which a thread shares between
//! all its connections; only an incomplete record is kept, and its buffer is freed with the record.
//! Law 2: what a peer can make us keep is bounded: one record after the handshake, one handshake message during it.
//! Law 3: after a fault a session says nothing more and believes nothing more.

use std::sync::{Arc, LazyLock};

use rustls::crypto::{CryptoProvider, aws_lc_rs};

pub mod certificates;
mod fault;
mod names;
mod records;
pub mod rules;
pub mod server;
pub mod session;
pub mod stream;
pub mod to_origin;
mod unbuffered;

pub use certificates::{Certificate, CertificateFault};
pub use fault::TlsFault;
pub use rules::TlsRule;
pub use server::{Choice, ServerTls};
pub use session::{TlsFacts, TlsSession};
pub use stream::{Hello, TlsParts, TlsStream, accept, connect};
pub use to_origin::{Verify, client_config, server_name, shared_client_config};

/// The one provider of this process, named in each configuration: rustls would otherwise look for a process-wide
/// default, and panic where a dependency brings a second one.
static PROVIDER: LazyLock<Arc<CryptoProvider>> = LazyLock::new(|| Arc::new(aws_lc_rs::default_provider()));

/// ALPN identifiers we speak (RFC 7301 §6).
const ALPN_HTTP_1_1: &[u8] = b"http/1.1";
const ALPN_HTTP_2: &[u8] = b"h2";

#[cfg(test)]
pub(crate) mod testing;

#[cfg(test)]
mod interop_tests;
