//! The first moments of a connection to a TLS port: what is it that comes, and the handshake.
//!
//! Law: whatever comes, it is over in [`HANDSHAKE_TIMEOUT`]; a plain request is told what is wrong, garbage nothing.

use std::io;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use rustls::ServerConfig;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout, timeout_at};

use crate::connection::{CLIENT_STALL, Context, FIRST_READ_BYTES, linger, ray_id};
use crate::refusal::{Refusal, write_refusal};
use crate::tls::{self, Hello, ServerTls, TlsFault, TlsStream};

/// The TLS handshake, from the first moment of the connection.
const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(10);

/// The TLS handshake; None when there will be no connection.
pub(crate) async fn secure(mut socket: TcpStream, context: &Context) -> Option<TlsStream<TcpStream>> {
    let deadline = Instant::now() + HANDSHAKE_TIMEOUT;
    let mut first = Vec::with_capacity(FIRST_READ_BYTES);
    match timeout_at(deadline, hello(&mut socket, &mut first)).await {
        Ok(Ok(Hello::Tls)) => {}
        Ok(Ok(Hello::PlainHttp)) => {
            answer_plain_http(&mut socket, &first, context).await;
            return None;
        }
        _ => return None,
    }
    let secured = timeout_at(deadline, shake_hands(first, socket, &context.tls)).await;
    if !matches!(secured, Ok(Ok(_))) {
        context.statistics.handshakes_failed.fetch_add(1, Ordering::Relaxed);
    }
    secured.ok()?.ok()
}

/// Reads until it is clear what the client speaks.
async fn hello(socket: &mut TcpStream, first: &mut Vec<u8>) -> io::Result<Hello> {
    loop {
        let has_ended = socket.read_buf(first).await? == 0;
        match Hello::of(first) {
            Hello::NeedMore if has_ended => return Ok(Hello::Garbage),
            Hello::NeedMore => {}
            hello => return Ok(hello),
        }
    }
}

async fn shake_hands(
    mut first: Vec<u8>,
    mut socket: TcpStream,
    tls: &ServerTls,
) -> Result<TlsStream<TcpStream>, TlsFault> {
    let config = choose(&mut first, &mut socket, tls).await?;
    tls::accept(first, socket, config).await
}

/// Reads as much of the client's hello as the choice of a configuration takes.
async fn choose(first: &mut Vec<u8>, socket: &mut TcpStream, tls: &ServerTls) -> Result<Arc<ServerConfig>, TlsFault> {
    let mut choice = tls.choose();
    loop {
        if let Some(config) = choice.of(first) {
            return Ok(config);
        }
        if socket.read_buf(first).await? == 0 {
            return Err(TlsFault::HandshakeCut);
        }
    }
}

/// `first` is what was read of the request.
async fn answer_plain_http(socket: &mut TcpStream, first: &[u8], context: &Context) {
    let mut out = Vec::new();
    let ray = ray_id(&context.colo);
    let reason = "a plain HTTP request was sent to a port that speaks TLS: use https:// or wss://";
    write_refusal(&mut out, Refusal::new(400, reason).suited_to(first), &ray);
    if timeout(CLIENT_STALL, socket.write_all(&out))
        .await
        .is_ok_and(|sent| sent.is_ok())
    {
        linger(socket).await;
    }
}
