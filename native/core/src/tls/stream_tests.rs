//! The stream over tokio's in-memory sockets, whose capacity is chosen so that nothing fits at once.

use std::future::poll_fn;

use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};

use super::super::testing::{Authority, name};
use super::super::{Verify, client_config};
use super::*;

type Ends = (TlsStream<DuplexStream>, TlsStream<DuplexStream>);

/// A server's and a client's end over sockets that hold `capacity` bytes each way.
async fn established(capacity: usize) -> Ends {
    let authority = Authority::new();
    let verify = Verify::Ca(authority.pem().into_bytes());
    let (near, far) = duplex(capacity);
    let (server, client) = tokio::join!(
        accept(Vec::new(), near, authority.server_config(&["example.com"])),
        connect(far, client_config(verify).unwrap(), name("example.com")),
    );
    (server.unwrap(), client.unwrap())
}

fn data(count: usize) -> Vec<u8> {
    (0..count).map(|index| u8::try_from(index % 251).unwrap()).collect()
}

async fn read_all(stream: &mut TlsStream<DuplexStream>) -> Vec<u8> {
    let mut all = Vec::new();
    stream.read_to_end(&mut all).await.unwrap();
    all
}

#[tokio::test]
async fn data_goes_both_ways_through_sockets_of_any_size() {
    for capacity in [1, 7, 1_000, 100_000] {
        let (mut server, mut client) = established(capacity).await;
        assert_eq!(server.facts().version, "TLSv1.3");
        assert_eq!(server.facts().server_name.as_deref(), Some("example.com"));
        let sent = data(200_000 / 7 * capacity.min(7));
        let to_server = async {
            client.write_all(&sent).await.unwrap();
            client.shutdown().await.unwrap();
        };
        let ((), received) = tokio::join!(to_server, read_all(&mut server));
        assert!(received == sent && !server.was_truncated(), "{capacity}");
        let to_client = async {
            server.write_all(&sent).await.unwrap();
            server.shutdown().await.unwrap();
        };
        let ((), received) = tokio::join!(to_client, read_all(&mut client));
        assert!(received == sent && !client.was_truncated(), "{capacity}");
    }
}

#[tokio::test]
async fn an_idle_stream_owns_no_buffer() {
    let (mut server, mut client) = established(100_000).await;
    let sent = data(40_000);
    client.write_all(&sent).await.unwrap();
    client.flush().await.unwrap();
    let mut received = vec![0; sent.len()];
    server.read_exact(&mut received).await.unwrap();
    server.write_all(&received).await.unwrap();
    server.flush().await.unwrap();
    for buffer in [&server.plaintext, &server.to_peer, &client.plaintext, &client.to_peer] {
        assert_eq!(buffer.bytes.capacity(), 0);
    }
    assert_eq!(server.session.held_bytes(), 0);
}

#[tokio::test]
async fn a_peer_that_does_not_read_stops_its_writer() {
    let (mut server, mut client) = established(1_000).await;
    let piece = data(10_000);
    let taken = poll_fn(|cx| {
        let mut taken = 0;
        while let Poll::Ready(count) = Pin::new(&mut server).poll_write(cx, &piece) {
            taken += count.unwrap();
        }
        Poll::Ready(taken)
    })
    .await;
    assert!(
        (MAX_UNSENT_BYTES..MAX_UNSENT_BYTES + 20_000).contains(&taken),
        "{taken}"
    );
    assert!(server.to_peer.bytes.len() < MAX_UNSENT_BYTES + 20_000);
    let (received, ()) = tokio::join!(read_all(&mut client), async { server.shutdown().await.unwrap() });
    assert!(received == piece.repeat(taken / piece.len()));
}

#[tokio::test]
async fn an_end_without_close_notify_is_told_apart() {
    let (mut server, mut client) = established(100_000).await;
    client.write_all(b"cut").await.unwrap();
    client.flush().await.unwrap();
    drop(client);
    assert_eq!(read_all(&mut server).await, b"cut");
    assert!(server.was_truncated());
    assert_eq!(server.read(&mut [0; 8]).await.unwrap(), 0);
}

#[tokio::test]
async fn nothing_is_lost_when_the_stream_is_taken_apart() {
    let (mut server, mut client) = established(1_000).await;
    client.write_all(b"read, unread").await.unwrap();
    client.flush().await.unwrap();
    server.read_exact(&mut [0; 4]).await.unwrap();
    let unsent = data(30_000);
    server.write_all(&unsent).await.unwrap();

    let TlsParts {
        mut stream,
        mut session,
        plaintext,
        mut to_peer,
    } = server.into_parts();
    assert_eq!(plaintext, b", unread");
    assert!(to_peer.len() > 20_000);
    session.send(b" and later", &mut to_peer).unwrap();
    session.close_notify(&mut to_peer);
    let (received, ()) = tokio::join!(read_all(&mut client), async {
        stream.write_all(&to_peer).await.unwrap();
    });
    assert!(received == [&unsent[..], b" and later"].concat());
    assert!(!client.was_truncated());
}

#[tokio::test]
async fn data_that_comes_with_the_end_of_the_handshake_is_not_lost() {
    let authority = Authority::new();
    let verify = Verify::Ca(authority.pem().into_bytes());
    let mut session = TlsSession::client(client_config(verify).unwrap(), name("example.com")).unwrap();
    let (near, mut far) = duplex(100_000);
    let client = async {
        let (mut to_server, mut plaintext) = (Vec::new(), Vec::new());
        session.start(&mut to_server).unwrap();
        while session.is_handshaking() {
            far.write_all(&std::mem::take(&mut to_server)).await.unwrap();
            let mut piece = vec![0; 5_000];
            let count = far.read(&mut piece).await.unwrap();
            session
                .receive(&mut piece[..count], &mut plaintext, &mut to_server)
                .unwrap();
        }
        session.send(b"together with Finished", &mut to_server).unwrap();
        far.write_all(&to_server).await.unwrap();
    };
    let (server, ()) = tokio::join!(
        accept(Vec::new(), near, authority.server_config(&["example.com"])),
        client
    );
    assert_eq!(server.unwrap().into_parts().plaintext, b"together with Finished");
}

#[tokio::test]
async fn both_sides_learn_why_a_handshake_failed() {
    let authority = Authority::new();
    let stranger = Verify::Ca(Authority::new().pem().into_bytes());
    let (near, far) = duplex(300);
    let (server, client) = tokio::join!(
        accept(Vec::new(), near, authority.server_config(&["example.com"])),
        connect(far, client_config(stranger).unwrap(), name("example.com")),
    );
    let fault = client.err().unwrap();
    assert!(fault.is_certificate(), "{fault}");
    let fault = server.err().unwrap();
    assert!(
        matches!(fault, TlsFault::Refused(rustls::AlertDescription::UnknownCA)),
        "{fault}"
    );
}

#[tokio::test]
async fn a_plain_request_gets_an_alert_and_the_end() {
    let (near, mut far) = duplex(100);
    let plain = async {
        far.write_all(b"GET / HTTP/1.1\r\n\r\n").await.unwrap();
        let mut answer = Vec::new();
        far.read_to_end(&mut answer).await.unwrap();
        answer
    };
    let (server, answer) = tokio::join!(
        accept(Vec::new(), near, Authority::new().server_config(&["example.com"])),
        plain
    );
    assert!(matches!(server.err(), Some(TlsFault::Protocol(_))));
    assert_eq!(answer, [21, 3, 3, 0, 2, 2, 50]);
}

#[tokio::test]
async fn a_peer_that_leaves_during_the_handshake_is_named() {
    let (near, far) = duplex(100);
    drop(far);
    let server = accept(Vec::new(), near, Authority::new().server_config(&["example.com"])).await;
    assert!(matches!(server.err(), Some(TlsFault::HandshakeCut)));
    let (near, mut far) = duplex(10_000);
    far.write_all(&[22, 3, 1, 1, 0, 1, 0]).await.unwrap();
    drop(far);
    let server = accept(Vec::new(), near, Authority::new().server_config(&["example.com"])).await;
    assert!(matches!(server.err(), Some(TlsFault::HandshakeCut)));
}

#[tokio::test]
async fn a_fault_while_reading_comes_after_what_was_good_and_carries_its_reason() {
    let (mut server, client) = established(100_000).await;
    let mut parts = client.into_parts();
    parts.session.send(b"good", &mut parts.to_peer).unwrap();
    let damaged = parts.to_peer.len() + 8;
    parts.session.send(b"damaged", &mut parts.to_peer).unwrap();
    parts.to_peer[damaged] ^= 1;
    parts.stream.write_all(&parts.to_peer).await.unwrap();
    let mut good = [0; 4];
    let first = server.read_exact(&mut good).await;
    let error = match first {
        Ok(_) => server.read(&mut good).await.unwrap_err(),
        Err(error) => error,
    };
    assert_eq!((&good, error.kind()), (b"good", io::ErrorKind::InvalidData));
    assert!(
        error
            .get_ref()
            .is_some_and(<dyn std::error::Error + Send + Sync>::is::<TlsFault>)
    );
}

#[test]
fn the_first_bytes_tell_tls_from_plain_http() {
    for (first, expected) in [
        (&b""[..], Hello::NeedMore),
        (b"\x16", Hello::NeedMore),
        (b"\x16\x03", Hello::Tls),
        (b"\x16\x03\x01\x02\x00\x01", Hello::Tls),
        (b"\x16\x02\x01", Hello::Garbage),
        (b"G", Hello::NeedMore),
        (b"GET", Hello::NeedMore),
        (b"GET ", Hello::PlainHttp),
        (b"GET / HTTP/1.1\r\n", Hello::PlainHttp),
        (b"M-SEARCH * HTTP/1.1", Hello::PlainHttp),
        (b"UPDATEREDIRECTREF /", Hello::PlainHttp),
        (b"\r", Hello::NeedMore),
        (b"\r\n", Hello::NeedMore),
        (b"\r\nPOST /", Hello::PlainHttp),
        (b"\nPOST /", Hello::PlainHttp),
        (b"\r\r", Hello::Garbage),
        (b" GET /", Hello::Garbage),
        (b"get /", Hello::Garbage),
        (b"GET\t/", Hello::Garbage),
        (b"SSH-2.0-x", Hello::Garbage),
        (b"AAAAAAAAAAAAAAAAAAAAAAAA", Hello::Garbage),
        (b"AAAAAAAAAAAAAAAAAAAAAAAA /", Hello::Garbage),
        (b"\x80\x2e\x01\x00\x02", Hello::Garbage),
        (b"\0", Hello::Garbage),
    ] {
        assert_eq!(Hello::of(first), expected, "{:?}", String::from_utf8_lossy(first));
    }
}
