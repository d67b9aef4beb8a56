//! What a script passes on to its client: parked in this edge, or in another one of the installation.
//!
//! Theory. A release puts one edge beside the other, and what a script fetches comes to whichever of them accepts it first, while
//! the client that it is for may be with the other. That one then claims it. Each edge that parks has a door for claims: a
//! socket in the abstract namespace (unix(7)), whose name is in each of its tokens. It is open as long as anything can be
//! parked there, whether the edge retires or not.
//!
//! Law 1: what is claimed is joined with the connection that claimed it, as any tunnel; who has claimed it has an origin.
//! Law 2: who has no token gets nothing, and no more than [`MAX_CLAIMS`] may try at once, for [`PATIENCE`] each.

use std::io;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixListener as StdUnixListener};
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use bytes::BytesMut;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::Semaphore;
use tokio::task::spawn_local;
use tokio::time::timeout;

use crate::connection::Context;
use crate::http::response::ResponseHead;
use crate::http::{ForClient, Framing, HeadScan, RequestHead, Version, write_response};
use crate::parked::{Parked, Token};
use crate::policy::WorkerTarget;
use crate::stream::Stream;
use crate::tunnel::{Far, Half, NewTunnel};

/// The field that has the token of what is claimed, and the one with the script that it was parked for.
const CLAIM: &str = "Holdfast-Claim";
const SCRIPT: &str = "Holdfast-Script";
/// The field of the answer that names the origin.
const ORIGIN: &str = "Holdfast-Origin";
/// How long a claim may take. It is a matter of milliseconds, and a client waits.
const PATIENCE: Duration = Duration::from_secs(1);
/// Claims that a thread looks at at once.
const MAX_CLAIMS: usize = 64;
/// Longest answer to a claim: the head that an origin may have, and what we add.
const MAX_ANSWER_BYTES: usize = 256 * 1024;

/// An open WebSocket to an origin, for a client that is yet to be told.
pub(crate) struct Passed {
    pub(crate) half: Half,
    /// The origin's 101.
    pub(crate) answer: ResponseHead,
    /// How records name the origin.
    pub(crate) label: Arc<str>,
}

/// What is parked for a script under this token, wherever it is. None where it is nowhere.
pub(crate) async fn find(token: &[u8], worker: &WorkerTarget, context: &Context) -> Option<Passed> {
    let token = Token::parse(token)?;
    if let Some(upstream) = context.parked.take(token, &worker.script) {
        return Some(Passed {
            half: upstream.half,
            answer: upstream.answer,
            label: upstream.identity.origin,
        });
    }
    // Its token says whose it is.
    if token.is_of(&context.parked) {
        return None;
    }
    match timeout(PATIENCE, claim(token, &worker.script)).await {
        Ok(Ok(passed)) => passed,
        // The edge is gone, or hangs; what was parked there ends with it.
        Ok(Err(_)) | Err(_) => None,
    }
}

/// Asks the edge that has it. None where it has nothing of the kind.
async fn claim(token: Token, script: &str) -> io::Result<Option<Passed>> {
    // A path that begins so is a name of the abstract namespace (tokio's `UnixStream::connect`).
    let mut stream = UnixStream::connect(format!("\0{}", token.door())).await?;
    let request = format!("GET / HTTP/1.1\r\nHost: parked\r\n{CLAIM}: {token}\r\n{SCRIPT}: {script}\r\n\r\n");
    stream.write_all(request.as_bytes()).await?;
    let (mut scan, mut read) = (HeadScan::new(), BytesMut::new());
    let answer = loop {
        match scan.response(&read, "GET") {
            Ok(Some((answer, used))) => {
                let _ = read.split_to(used);
                break answer;
            }
            Ok(None) if read.len() < MAX_ANSWER_BYTES => {}
            Ok(None) | Err(_) => return Ok(None),
        }
        if stream.read_buf(&mut read).await? == 0 {
            return Ok(None);
        }
    };
    if answer.status() != 101 {
        return Ok(None);
    }
    let label = answer.fields().first(ORIGIN).unwrap_or_default();
    Ok(Some(Passed {
        label: String::from_utf8_lossy(label).into(),
        half: Stream::Unix(stream).into_half(&read)?,
        answer,
    }))
}

/// Opens the door of an edge.
pub(crate) fn open_door(parked: &Parked) -> io::Result<StdUnixListener> {
    let listener = StdUnixListener::bind_addr(&SocketAddr::from_abstract_name(parked.door())?)?;
    listener.set_nonblocking(true)?;
    Ok(listener)
}

/// Answers claims, for as long as its thread runs.
pub(crate) async fn answer_claims(door: StdUnixListener, context: Rc<Context>) {
    let Ok(door) = UnixListener::from_std(door) else { return };
    let places = Arc::new(Semaphore::new(MAX_CLAIMS));
    // The semaphore is never closed. A door that cannot be used any more leaves claims unanswered, which have their limit.
    while let (Ok(place), Ok((stream, _))) = (Arc::clone(&places).acquire_owned().await, door.accept().await) {
        let context = Rc::clone(&context);
        spawn_local(async move {
            let _ = timeout(PATIENCE, answer(stream, &context)).await;
            drop(place);
        });
    }
}

async fn answer(mut stream: UnixStream, context: &Context) -> io::Result<()> {
    let (mut scan, mut read) = (HeadScan::new(), BytesMut::new());
    let head = loop {
        match scan.request(&read) {
            Ok(Some((head, used))) => {
                let _ = read.split_to(used);
                break head;
            }
            Ok(None) => {}
            Err(_) => return Ok(()),
        }
        if stream.read_buf(&mut read).await? == 0 {
            return Ok(());
        }
    };
    // Where there is nothing to give, the connection ends without a word, which says it as well.
    let _ = give(stream, &read, &head, context);
    Ok(())
}

/// Joins the connection with what it claims. None where there is nothing of the kind.
fn give(stream: UnixStream, read: &BytesMut, head: &RequestHead, context: &Context) -> Option<()> {
    let script = std::str::from_utf8(head.fields().first(SCRIPT)?).ok()?;
    let upstream = context
        .parked
        .take(Token::parse(head.fields().first(CLAIM)?)?, script)?;
    let mut greeting = Vec::with_capacity(512);
    write_response(
        &mut greeting,
        &ForClient {
            head: &upstream.answer,
            client_version: Version::Http11,
            framing: Framing::None,
            keep_alive: true,
            ray: upstream.identity.ray(),
            upgrade: true,
            set: &[(ORIGIN.to_owned(), upstream.identity.origin.to_string())],
        },
    );
    context.tunnels.open(NewTunnel {
        client: Stream::Unix(stream).into_half(read).ok()?,
        far: Far::Origin(upstream.half),
        greeting,
        identity: *upstream.identity,
        options: upstream.options,
        // It covers two descriptors: those of its script's connection, which ends now, and of the origin's.
        place: upstream.place,
    });
    Some(())
}

#[cfg(test)]
#[path = "claiming_tests.rs"]
mod tests;
