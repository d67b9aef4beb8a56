//! HTTP/1.1 without I/O: bytes in, heads and body parts out; values in, bytes out.
//!
//! Theory. An edge is one of two HTTP parsers on a connection's way, and every disagreement between them about where a
//! message ends lets one client speak in another's name (request smuggling). So this layer reads one grammar only, the
//! one RFC 9112 tells senders to generate, and refuses what it merely lets recipients tolerate. What passes is written
//! again from the parsed values, never copied as a block.
//!
//! Law 1: nothing here knows a socket. The caller keeps the buffer, and shows it again from its start until it is used up.
//! Law 2: any chopping of the input gives the same heads, the same data and the same faults. A fault is the first in
//!        reading order; what stands in the buffer behind it is never looked at.
//! Law 3: reading a head costs time linear in its bytes, however small the pieces it comes in.
//! Law 4: a value of a type here is proof: a `RequestHead` has one valid target, one valid host and one framing.
//! Law 5: what a peer can make us hold is bounded by the `MAX_` constants, each beside its reason.

pub mod body;
mod date;
pub mod fields;
mod framing;
mod hops;
pub mod request;
mod request_line;
pub mod response;
mod scan;
mod syntax;
mod target;
#[cfg(test)]
pub(crate) mod testing;
pub mod write;

pub use body::{BodyDecoder, BodyFault, Decoded};
pub use fields::{FieldFault, Fields};
pub use framing::FramingFault;
pub use request::{MAX_HEAD_BYTES, MAX_TARGET_BYTES, RequestFault, RequestHead};
pub use response::{MAX_RESPONSE_HEAD_BYTES, ResponseFault, ResponseHead};
pub use scan::{HeadScan, MAX_FIELDS};
pub(crate) use syntax::Quoted;
pub use syntax::{is_field_value, is_token};
pub use target::TargetFault;
pub use write::{
    CHUNK_END, ForClient, ForOrigin, OwnAnswer, reason_phrase, write_answer, write_chunk_head, write_informational,
    write_last_chunk, write_request, write_response,
};

/// The protocol version of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Version {
    /// HTTP/1.0: no chunked coding, no upgrade, closes unless asked to stay.
    Http10,
    /// HTTP/1.1.
    Http11,
    /// HTTP/2: the head came in its frames (`http2`); it means what it would mean in HTTP/1.1 (RFC 9110 §2.5).
    Http2,
}

impl Version {
    /// As it stands in a start line.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Http10 => "HTTP/1.0",
            Self::Http11 => "HTTP/1.1",
            Self::Http2 => "HTTP/2",
        }
    }
}

/// How the end of a message's body is known (RFC 9112 §6.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Framing {
    /// There is no body.
    None,
    /// The body is this many bytes.
    Length(u64),
    /// The body is chunked and says itself where it ends.
    Chunked,
    /// The body ends where the connection does. Only a response can be framed so.
    UntilClose,
}
