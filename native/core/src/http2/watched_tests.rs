use std::task::Waker;

use super::*;

fn frames(kind: u8, payload: &[u8], count: usize) -> Vec<u8> {
    let length = u8::try_from(payload.len()).unwrap();
    let frame = [&[0, 0, length, kind, 0, 0, 0, 0, 1], payload].concat();
    frame.repeat(count)
}

fn from_client(kind: u8, payload: &[u8], count: usize) -> Vec<u8> {
    [vec![0; 24], frames(kind, payload, count)].concat()
}

/// Reads all that may be read; how many bytes that is.
fn read_all(stream: &mut Watched<impl AsyncRead + Unpin>) -> usize {
    let (mut cx, mut total) = (Context::from_waker(Waker::noop()), 0);
    let mut bytes = vec![0; 1000];
    loop {
        let mut into = ReadBuf::new(&mut bytes);
        match Pin::new(&mut *stream).poll_read(&mut cx, &mut into) {
            Poll::Ready(read) => read.unwrap(),
            Poll::Pending => return total,
        }
        if into.filled().is_empty() {
            return total;
        }
        total += into.filled().len();
    }
}

fn is_offended<S>(conduct: &Conduct<S>) -> bool {
    conduct.has_offended.get()
}

#[test]
fn who_asks_for_too_many_answers_is_read_no_more() {
    for kind in [PING, SETTINGS] {
        let bytes = from_client(kind, &[0; 8], 2 * CONTROL_BURST as usize);
        let (mut stream, conduct) = Watched::new(&bytes[..], Instant::now());
        assert!(read_all(&mut stream) < bytes.len());
        assert!(is_offended(&conduct));
    }
}

#[test]
fn as_many_as_anybody_asks_for_are_no_offence() {
    let bytes = from_client(PING, &[0; 8], CONTROL_BURST as usize);
    let (mut stream, conduct) = Watched::new(&bytes[..], Instant::now());
    assert_eq!(read_all(&mut stream), bytes.len());
    assert!(!is_offended(&conduct));
}

#[test]
fn streams_that_fail_are_counted_as_we_reset_them() {
    for (reason, is_an_offence) in [
        (Reason::PROTOCOL_ERROR, true),
        (Reason::REFUSED_STREAM, true),
        (Reason::CANCEL, false),
        (Reason::INTERNAL_ERROR, false),
        (Reason::NO_ERROR, false),
    ] {
        let (mut stream, conduct) = Watched::new(Vec::new(), Instant::now());
        let code = u32::from(reason).to_be_bytes();
        let bytes = frames(RST_STREAM, &code, FAULTY_BURST as usize + 1);
        let written = Pin::new(&mut stream).poll_write(&mut Context::from_waker(Waker::noop()), &bytes);
        assert!(matches!(written, Poll::Ready(Ok(count)) if count == bytes.len()));
        assert_eq!(is_offended(&conduct), is_an_offence, "{reason}");
    }
}

#[test]
fn who_takes_nothing_opens_no_streams_without_end() {
    let (client, edge) = tokio::io::duplex(1 << 20);
    drop(client);
    let bytes = from_client(HEADERS, b"x", 10_000);
    let (mut stream, _) = Watched::new(tokio::io::join(&bytes[..], edge), Instant::now());
    stream.is_blocked = true;
    assert!(read_all(&mut stream) < bytes.len() / 10);
    stream.is_blocked = false;
    assert!(read_all(&mut stream) > bytes.len() / 2);
}

#[test]
fn the_socket_is_left_behind_with_what_may_not_have_been_read() {
    let (mut stream, conduct) = Watched::new(Vec::new(), Instant::now());
    let _ = Pin::new(&mut stream).poll_write(&mut Context::from_waker(Waker::noop()), &[0; 500]);
    assert!(conduct.take_socket().is_none());
    drop(stream);
    assert_eq!(conduct.take_socket().map(|(_, unheard)| unheard), Some(500));
}
