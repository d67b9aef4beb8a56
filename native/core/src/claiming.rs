//! What a script passes on to its client: parked in this edge, or in another one of the installation.
//!
//! Theory. A release puts one edge beside the other, and what a script fetches comes to whichever of them accepts it first, while
//! the client that it is for may be with the other. That one then claims it, over the socket where scripts ask.
//!
//! Law 1: what is claimed is joined with the connection that claimed it, as any tunnel; who has claimed it has an origin.
//! Law 2: a claim is for the edge that accepts it, and is never passed on. Those that retire accept none, so it comes to the other.

use std::io;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use bytes::BytesMut;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixStream;
use tokio::time::{sleep, timeout};

use crate::connection::{After, Connection, Context};
use crate::http::response::ResponseHead;
use crate::http::{ForClient, Framing, HeadScan, RequestHead, Version, write_response};
use crate::parked::Token;
use crate::policy::WorkerTarget;
use crate::stream::Stream;
use crate::tunnel::{Far, Half, NewTunnel};

/// The field that has the token of what is claimed, and the one with the script that it was parked for.
const CLAIM: &str = "Holdfast-Claim";
const SCRIPT: &str = "Holdfast-Script";
/// The field of the answer that names the origin.
const ORIGIN: &str = "Holdfast-Origin";
/// How often it is asked for: while both edges accept, each claim may come to the wrong one.
const TRIES: u32 = 16;
const PAUSE: Duration = Duration::from_millis(4);
/// How long one try may take. It is a matter of milliseconds, and its client waits.
const PATIENCE: Duration = Duration::from_secs(1);
/// Longest answer to a claim: the head that an origin may have.
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
    let path = context.egress.as_deref()?;
    for _ in 0..TRIES {
        // Whatever goes wrong with one try, the edge being gone that accepted it, may be right with the next.
        if let Ok(Ok(Some(passed))) = timeout(PATIENCE, claim(path, token, &worker.script)).await {
            return Some(passed);
        }
        sleep(PAUSE).await;
    }
    None
}

/// Asks the edge that accepts for it. None where it has nothing of the kind.
async fn claim(path: &Path, token: Token, script: &str) -> io::Result<Option<Passed>> {
    let mut stream = UnixStream::connect(path).await?;
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

/// Whether a request on the egress socket is another edge's, which claims something.
pub(crate) fn is_claim(head: &RequestHead) -> bool {
    head.fields().first(CLAIM).is_some()
}

/// Answers a claim.
pub(crate) async fn give(mut connection: Connection, head: &RequestHead, context: &Context) -> After {
    let text = |name| std::str::from_utf8(head.fields().first(name).unwrap_or_default()).unwrap_or_default();
    let upstream = Token::parse(text(CLAIM).as_bytes()).and_then(|token| context.parked.take(token, text(SCRIPT)));
    let Some(upstream) = upstream else {
        return match connection
            .send(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
            .await
        {
            Ok(()) => After::Close(connection),
            Err(_) => After::Cut,
        };
    };
    let mut greeting = Vec::with_capacity(512);
    write_response(
        &mut greeting,
        &ForClient {
            head: &upstream.answer,
            client_version: Version::Http11,
            framing: Framing::None,
            keep_alive: true,
            ray: &upstream.identity.ray,
            upgrade: true,
            set: &[(ORIGIN.to_owned(), upstream.identity.origin.to_string())],
        },
    );
    let (client, read, place) = connection.into_parts();
    let Ok(client) = client.into_half(&read) else {
        return After::Cut;
    };
    context.tunnels.open(NewTunnel {
        client,
        far: Far::Origin(upstream.half),
        greeting,
        identity: upstream.identity,
        options: upstream.options,
        place: Box::new((place, upstream.place)),
    });
    After::Upgraded
}

#[cfg(test)]
#[path = "claiming_tests.rs"]
mod tests;
