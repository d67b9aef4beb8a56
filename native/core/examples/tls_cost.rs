//! What TLS costs: time per small record, ours against rustls's buffered connection, and memory per idle session.
//!
//! `cargo run --release --example tls_cost`. One thread, no sockets: the far end's records are made beforehand, so that
//! only the edge's side is timed: decrypt one record, encrypt one of the same size.

use std::error::Error;
use std::hint::black_box;
use std::io::{Read, Write};
use std::sync::Arc;
use std::time::Instant;

use holdfast_core::tls::{Certificate, ServerTls, TlsSession, Verify, client_config};
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ServerConfig, ServerConnection};

const ROUNDS: usize = 7;
const RECORDS: usize = 40_000;
const SESSIONS: usize = 2_000;

type Outcome<T> = Result<T, Box<dyn Error>>;

fn main() -> Outcome<()> {
    let (server, client) = configs()?;
    // First, while the heap has no holes of freed buffers to put sessions in.
    for side in [Side::Server, Side::Client] {
        let (bytes, kept) = idle_bytes(&server, &client, side)?;
        println!("bytes per idle {side:?} session: {bytes}");
        // Kept to the end, so that the next measurement finds no freed sessions to reuse.
        std::mem::forget(kept);
    }
    println!("{:>9} {:>16} {:>16}", "bytes", "session ns", "buffered ns");
    for bytes in [1, 125, 1_024, 16_384] {
        let mut ours = Vec::new();
        let mut buffered = Vec::new();
        for _ in 0..ROUNDS {
            ours.push(time_session(&server, &client, bytes)?);
            buffered.push(time_buffered(&server, &client, bytes)?);
        }
        println!("{bytes:>9} {:>16.0} {:>16.0}", median(&mut ours), median(&mut buffered));
    }
    Ok(())
}

fn median(values: &mut [f64]) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

fn configs() -> Outcome<(Arc<ServerConfig>, Arc<ClientConfig>)> {
    let made = rcgen::generate_simple_self_signed(vec!["example.com".to_owned()])?;
    let key = made.signing_key.serialize_pem();
    let certificate = Certificate::parse(
        vec!["example.com".to_owned()],
        made.cert.pem().as_bytes(),
        key.as_bytes(),
    )?;
    Ok((
        ServerTls::new(vec![certificate], Vec::new()).config_for(None),
        client_config(Verify::Nothing)?,
    ))
}

fn far_end(client: &Arc<ClientConfig>) -> Outcome<TlsSession> {
    Ok(TlsSession::client(
        Arc::clone(client),
        ServerName::try_from("example.com")?,
    )?)
}

/// `count` records of `bytes` from the far end, one after the other, and the length of each.
fn records(far: &mut TlsSession, bytes: usize, count: usize) -> Outcome<(Vec<u8>, usize)> {
    let mut wire = Vec::new();
    let message = vec![b'x'; bytes];
    for _ in 0..count {
        far.send(&message, &mut wire)?;
    }
    let each = wire.len() / count;
    Ok((wire, each))
}

fn established(server: &Arc<ServerConfig>, client: &Arc<ClientConfig>) -> Outcome<(Box<TlsSession>, TlsSession)> {
    let mut near = Box::new(TlsSession::server(Arc::clone(server))?);
    let mut far = far_end(client)?;
    let (mut to_near, mut to_far, mut plaintext) = (Vec::new(), Vec::new(), Vec::new());
    far.start(&mut to_near)?;
    while !to_near.is_empty() || !to_far.is_empty() {
        near.receive(&mut to_near, &mut plaintext, &mut to_far)?;
        to_near.clear();
        far.receive(&mut to_far, &mut plaintext, &mut to_near)?;
        to_far.clear();
    }
    Ok((near, far))
}

fn count_for(bytes: usize) -> usize {
    RECORDS.min(64_000_000 / bytes)
}

fn time_session(server: &Arc<ServerConfig>, client: &Arc<ClientConfig>, bytes: usize) -> Outcome<f64> {
    let (mut near, mut far) = established(server, client)?;
    let (mut wire, each) = records(&mut far, bytes, count_for(bytes))?;
    let (mut plaintext, mut to_peer) = (Vec::new(), Vec::new());
    let start = Instant::now();
    for record in wire.chunks_mut(each) {
        plaintext.clear();
        to_peer.clear();
        near.receive(record, &mut plaintext, &mut to_peer)?;
        near.send(&plaintext, &mut to_peer)?;
        black_box(&to_peer);
    }
    Ok(nanoseconds_each(start, count_for(bytes)))
}

fn time_buffered(server: &Arc<ServerConfig>, client: &Arc<ClientConfig>, bytes: usize) -> Outcome<f64> {
    let mut near = ServerConnection::new(Arc::clone(server))?;
    let mut far = far_end(client)?;
    let mut to_near = Vec::new();
    far.start(&mut to_near)?;
    while near.is_handshaking() || near.wants_write() {
        near.read_tls(&mut to_near.as_slice())?;
        near.process_new_packets()?;
        let mut to_far = Vec::new();
        while near.wants_write() {
            near.write_tls(&mut to_far)?;
        }
        to_near.clear();
        far.receive(&mut to_far, &mut Vec::new(), &mut to_near)?;
    }
    let (wire, each) = records(&mut far, bytes, count_for(bytes))?;
    let mut plaintext = vec![0; bytes];
    let mut to_peer = Vec::new();
    let start = Instant::now();
    for mut record in wire.chunks(each) {
        to_peer.clear();
        while !record.is_empty() {
            near.read_tls(&mut record)?;
            near.process_new_packets()?;
        }
        near.reader().read_exact(&mut plaintext)?;
        near.writer().write_all(&plaintext)?;
        while near.wants_write() {
            near.write_tls(&mut to_peer)?;
        }
        black_box(&to_peer);
    }
    Ok(nanoseconds_each(start, count_for(bytes)))
}

fn nanoseconds_each(start: Instant, count: usize) -> f64 {
    #[expect(clippy::cast_precision_loss, reason = "a count of at most 40,000")]
    let count = count as f64;
    start.elapsed().as_secs_f64() * 1e9 / count
}

/// Growth of this process by `SESSIONS` established sessions of one side, each; and these sessions.
fn idle_bytes(server: &Arc<ServerConfig>, client: &Arc<ClientConfig>, side: Side) -> Outcome<(usize, Sessions)> {
    // The first hundred pay for what is made once, such as the allocator's own tables.
    let mut kept = sessions(server, client, side, 100)?;
    let before = resident_bytes()?;
    kept.extend(sessions(server, client, side, SESSIONS)?);
    let after = resident_bytes()?;
    Ok((after.saturating_sub(before) / SESSIONS, kept))
}

/// Which of the two ends is kept; the other is freed.
#[derive(Clone, Copy, Debug)]
enum Side {
    Server,
    Client,
}

/// Boxed one by one, as the edge keeps them.
type Sessions = Vec<Box<TlsSession>>;

fn sessions(server: &Arc<ServerConfig>, client: &Arc<ClientConfig>, side: Side, count: usize) -> Outcome<Sessions> {
    let kept = |(near, far)| match side {
        Side::Server => near,
        Side::Client => Box::new(far),
    };
    (0..count).map(|_| established(server, client).map(kept)).collect()
}

fn resident_bytes() -> Outcome<usize> {
    let statm = std::fs::read_to_string("/proc/self/statm")?;
    let pages: usize = statm
        .split_whitespace()
        .nth(1)
        .ok_or("statm has no second field")?
        .parse()?;
    Ok(pages * 4096)
}
