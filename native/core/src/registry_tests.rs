use super::*;
use std::sync::{Arc, Mutex};
use std::time::Instant;

use crate::frames::{Counts, Walker};
use crate::tunnel::Identity;
use crate::zones::Zones;

#[derive(Clone, Default)]
struct Sink(Arc<Mutex<Vec<u8>>>);

impl Write for Sink {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn closed(path: &str) -> Line {
    let mut client = Walker::new();
    client.walk(b"\x81\x02hi\x88\x05\x03\xe8bye");
    Line::Closed(Arc::new(Closed {
        identity: Box::new(Identity {
            asked: crate::tunnel::Asked::new("0123456789abcdef-LOC", "example.com", path, "chat"),
            zone: Zones::default().named("example"),
            client: "192.0.2.1:5555".parse().unwrap(),
            origin: "http://127.0.0.1:9000".into(),
            spoken: crate::tunnel::Spoken::new(crate::http::Version::Http11, "TLSv1.3"),
            is_compressed: false,
            opened: SystemTime::UNIX_EPOCH,
            opened_at: Instant::now(),
        }),
        at: SystemTime::UNIX_EPOCH + Duration::from_millis(1500),
        duration: Duration::from_millis(1500),
        to_origin: client.counts(),
        to_client: Counts::default(),
        client: LegFacts {
            close: client.close().cloned(),
            last_active: Some(Duration::from_millis(1250)),
            rtt: Some(Duration::from_micros(1234)),
        },
        origin: LegFacts::default(),
        edge_close: Some((1001, "max_age: enough".to_owned())),
        cause: Cause::new(ClosedBy::Client, Why::CloseFrame),
    }))
}

fn logged(lines: Vec<Line>) -> Vec<serde_json::Value> {
    let sink = Sink::default();
    let (log, thread) = Log::start(sink.clone()).unwrap();
    let count = lines.len() as u64;
    for line in lines {
        log.put(line);
    }
    let statistics = Arc::clone(&log.statistics);
    drop(log);
    thread.join().unwrap();
    assert_eq!(statistics.written.load(Ordering::Relaxed), count);
    assert_eq!(statistics.waiting.load(Ordering::Relaxed), 0);
    let text = String::from_utf8(sink.0.lock().unwrap().clone()).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[test]
fn a_closed_websocket_is_one_line_that_says_who_what_and_why() {
    let lines = logged(vec![closed("/chat")]);
    let record = &lines[0];
    assert_eq!(record["event"], "websocket_closed");
    assert_eq!(record["ray_id"], "0123456789abcdef-LOC");
    assert_eq!(record["client"], "192.0.2.1:5555");
    assert_eq!(record["zone"], "example");
    assert_eq!(record["start"], "1970-01-01T00:00:00.000Z");
    assert_eq!(record["end"], "1970-01-01T00:00:01.500Z");
    assert_eq!(record["to_origin"]["text_messages"], 1);
    assert_eq!(record["to_origin"]["bytes"], 11);
    assert_eq!(
        (&record["client_close_code"], &record["client_close_reason"]),
        (&1000.into(), &"bye".into())
    );
    for absent in ["origin_close_code", "last_from_origin", "rtt_origin_ms"] {
        assert_eq!(record[absent], serde_json::Value::Null, "{absent}");
    }
    for (name, value) in [
        ("protocol", serde_json::json!("http/1.1")),
        ("tls_version", "TLSv1.3".into()),
        ("subprotocol", "chat".into()),
        ("last_from_client", "1970-01-01T00:00:01.250Z".into()),
        ("rtt_client_ms", 1.234.into()),
        ("edge_close_code", 1001.into()),
        ("edge_close_reason", "max_age: enough".into()),
        ("connection_close_reason", "none".into()),
        ("connection_close_source", "downstream".into()),
        ("transport_close_code", 0.into()),
    ] {
        assert_eq!(record[name], value, "{name}");
    }
    assert_eq!(record["to_origin"]["messages_per_s"], 0.667);
    assert_eq!(record["to_origin"]["bytes_per_s"], 7.333);
    assert_eq!(
        (&record["closed_by"], &record["why"]),
        (&"client".into(), &"close_frame".into())
    );
}

#[test]
fn what_a_client_wrote_cannot_end_the_line() {
    let lines = logged(vec![closed("/a\n{\"event\":\"forged\"}\u{2028}\"")]);
    assert_eq!(lines.len(), 1);
    assert_eq!(lines[0]["path"], "/a\n{\"event\":\"forged\"}\u{2028}\"");
}

#[test]
fn lines_keep_their_order() {
    let lines = logged(
        (0..500)
            .map(|at| Line::Notice {
                message: at.to_string(),
            })
            .collect(),
    );
    let messages: Vec<String> = lines
        .iter()
        .map(|line| line["message"].as_str().unwrap().to_owned())
        .collect();
    assert_eq!(messages, (0..500).map(|at| at.to_string()).collect::<Vec<_>>());
}

/// Takes nothing until it is let go.
struct Stuck(std::sync::mpsc::Receiver<()>);

impl Write for Stuck {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let _ = self.0.recv();
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn a_log_that_takes_nothing_costs_lines_and_never_a_wait() {
    let (release, stuck) = std::sync::mpsc::channel();
    let (log, thread) = Log::start(Stuck(stuck)).unwrap();
    let put = MAX_WAITING_LINES * 2;
    (0..put).for_each(|_| log.put(Line::Notice { message: String::new() }));
    let statistics = Arc::clone(&log.statistics);
    assert!(statistics.dropped.load(Ordering::Relaxed) > 0);
    drop((release, log));
    thread.join().unwrap();
    let (written, dropped) = (&statistics.written, &statistics.dropped);
    assert_eq!(written.load(Ordering::Relaxed) + dropped.load(Ordering::Relaxed), put);
}

#[test]
fn lines_are_written_whole_and_in_pieces_that_a_pipe_takes_as_one() {
    let lines = b"aaa\nbb\ncccccccc\nd\n";
    let pieces = |most| whole_lines(lines, most).collect::<Vec<_>>();
    assert_eq!(pieces(5), [&b"aaa\n"[..], b"bb\n", b"cccccccc\n", b"d\n"]);
    assert_eq!(pieces(8), [&b"aaa\nbb\n"[..], b"cccccccc\n", b"d\n"]);
    assert_eq!(pieces(4096), [&lines[..]]);
    assert_eq!(whole_lines(b"", 8).count(), 0);
    assert_eq!(whole_lines(b"no end", 3).collect::<Vec<_>>(), [b"no end"]);
}

#[test]
fn a_line_has_nothing_that_a_terminal_obeys_or_that_reorders_it() {
    let hostile = "\u{1b}[31m\u{7f}\u{9b}2J\u{85}\u{202e}\u{2028}\u{200b}\u{feff} grün 🌊";
    let line = Line::Notice {
        message: hostile.into(),
    };
    let json = String::from_utf8(plain(line.to_json().unwrap())).unwrap();
    assert!(
        !json.chars().any(|char| char.is_control() || is_unplain(char)),
        "{json}"
    );
    assert!(
        json.contains(r"\u009b2J\u0085\u202e\u2028\u200b\ufeff grün 🌊"),
        "{json}"
    );
    let read: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!(read["message"], hostile);
}
