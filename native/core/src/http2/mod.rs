//! HTTP/2 towards clients (RFC 9113), and WebSockets over it (RFC 8441).
//!
//! Theory. Frames, header compression and flow control are the `h2` crate's. Whatever a stream asks is put into the terms of
//! HTTP/1.1 as soon as it is read, judged by the very parser that reads HTTP/1.1, decided about and carried out by the same
//! code; so no rule, and no origin, can be told something in one version that it would not be told in the other. A
//! WebSocket is a leg of an ordinary tunnel, whose socket is a pipe (`tunnel::pipe`).
//!
//! `connection` has the connection, a task for each of its streams; `request` and `answer` translate heads; `stream` is one
//! stream while a request is on it, `exchange` what is done with it, and `pump` what it is once it is a WebSocket. `turns`
//! sees to it that frames do not pile up before those who take them; `watched` counts, by the heads of the frames
//! (`frame_heads`), what the crate does not.
//!
//! Law 1: a stream holds back its peer by its own window only. The connection's window has room for those of all streams, so
//!        one that stalls does not stall the others.
//! Law 2: frames are taken as they come and kept as bytes: what a peer can make us hold is its windows, however small its
//!        frames are.
//! Law 3: a stream holds a place of the edge's while it lasts: it may need a descriptor for its origin.
//! Law 4: a stream that its client has reset is forgotten at once, with all that was under way for it.

use std::time::Duration;

mod answer;
mod budget;
mod connection;
mod exchange;
mod frame_heads;
mod pump;
mod request;
mod stream;
mod turns;
mod watched;

pub(crate) use connection::serve;

/// Streams of one connection at once (RFC 9113 §6.5.2 wants no less than 100). Precedents: nginx 128, Envoy 100, h2o 100.
const MAX_STREAMS: u32 = 128;
/// What a client may send on a stream that is not taken: the window that every stream begins with (RFC 9113 §6.9.2).
const STREAM_WINDOW_BYTES: u32 = 65_535;
/// The same for all streams of a connection together (law 1): 8 MiB, which only who stalls all of them can make us hold.
const CONNECTION_WINDOW_BYTES: u32 = MAX_STREAMS * STREAM_WINDOW_BYTES;
/// What we hold of an answer that the client's window or connection does not take: two frames.
const MAX_SEND_BUFFER_BYTES: usize = 32 * 1024;
/// Streams that clients have reset before we saw them; one more, and the connection ends (CVE-2023-44487). Precedent: the
/// crate's 20.
const MAX_RESET_UNSEEN: usize = 20;
/// Streams that we have reset and still know, so that frames on their way to them are no offence.
const MAX_RESET_KEPT: usize = 64;
/// Faults of a client in single streams, each answered with a reset: this many at once, and so many a second.
const FAULTY_BURST: u32 = MAX_STREAMS;
const FAULTY_PER_SECOND: u32 = 8;
/// Frames that the protocol itself answers, PING and SETTINGS (CVE-2019-9512, CVE-2019-9515). Clients that measure by them send
/// one a round trip for a while. Precedents: nghttp2 and Envoy have 1,000 answers waiting, Go 10,000.
const CONTROL_BURST: u32 = 1_000;
const CONTROL_PER_SECOND: u32 = 100;
/// Requests that a client may take back before their answer: this many at once, and so many a second. A browser that leaves
/// a page takes back all that it has in flight; who goes on so wants our work, not our answers (CVE-2023-44487).
const TAKEN_BACK_BURST: u32 = 4 * MAX_STREAMS;
const TAKEN_BACK_PER_SECOND: u32 = 32;
/// How long WebSockets have to say Close before their connection is ended for what its client did.
const LAST_WORDS: Duration = Duration::from_secs(1);
/// How long a stream may take to end whose tunnel has ended: as long as a tunnel's own rest.
const REST: Duration = Duration::from_secs(10);
