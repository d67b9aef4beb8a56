use std::io::{Read, Write};
use std::thread;

use super::*;

/// What becomes of a claim to which this is answered, and the request that was made.
fn claimed(answer: &'static [u8]) -> (io::Result<Option<Passed>>, String) {
    let parked = Parked::default();
    let listener = open_door(&parked).unwrap();
    listener.set_nonblocking(false).unwrap();
    let token = format!("{}{:016x}", &parked.door()["holdfast-edge-".len()..], 7);
    let token = Token::parse(token.as_bytes()).unwrap();
    let other = thread::spawn(move || {
        let (mut connection, _) = listener.accept().unwrap();
        let mut request = Vec::new();
        while !request.ends_with(b"\r\n\r\n") {
            let mut byte = [0];
            connection.read_exact(&mut byte).unwrap();
            request.extend(byte);
        }
        connection.write_all(answer).unwrap();
        String::from_utf8(request).unwrap()
    });
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let claimed = runtime.block_on(claim(token, "chat"));
    let request = other.join().unwrap().replace(&token.to_string(), "TOKEN");
    (claimed, request)
}

#[test]
fn what_is_claimed_comes_with_its_origin_and_all_that_it_has_said() {
    let (claimed, request) = claimed(b"HTTP/1.1 101 x\r\nHoldfast-Origin: https://o.test\r\n\r\n\x81\x02hi");
    let passed = claimed.unwrap().unwrap();
    assert_eq!(
        (&*passed.label, &passed.half.early[..]),
        ("https://o.test", &b"\x81\x02hi"[..])
    );
    let asked = "GET / HTTP/1.1\r\nHost: parked\r\nHoldfast-Claim: TOKEN\r\nHoldfast-Script: chat\r\n\r\n";
    assert_eq!(request, asked);
}

#[test]
fn an_edge_that_has_nothing_says_so() {
    for answer in [
        &b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n"[..],
        b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
        b"nonsense\r\n\r\n",
        b"HTTP/1.1 101 x\r\n",
        b"",
    ] {
        let (claimed, _) = claimed(answer);
        assert!(claimed.unwrap().is_none(), "{}", answer.escape_ascii());
    }
}
