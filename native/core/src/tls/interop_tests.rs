//! Sessions with OpenSSL's command at the other end, over real sockets.

use std::env;
use std::fs;
use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::timeout;

use super::testing::{Authority, Issued, name};
use super::{TlsStream, Verify, accept, client_config, connect};

const LIMIT: Duration = Duration::from_secs(20);

/// A directory with the files OpenSSL wants, removed at the end.
struct Files {
    path: PathBuf,
}

impl Files {
    fn new(authority: &Authority, issued: &Issued) -> Self {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let path = env::temp_dir().join(format!("holdfast-tls-{}-{number}", std::process::id()));
        fs::create_dir_all(&path).unwrap();
        fs::write(path.join("ca.pem"), authority.pem()).unwrap();
        fs::write(path.join("chain.pem"), &issued.chain_pem).unwrap();
        fs::write(path.join("key.pem"), &issued.key_pem).unwrap();
        Self { path }
    }

    fn openssl(&self, arguments: &[&str]) -> Openssl {
        let child = Command::new("openssl")
            .args(arguments)
            .current_dir(&self.path)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("these tests need the openssl command (Debian's package openssl)");
        Openssl { child }
    }
}

impl Drop for Files {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.path);
    }
}

/// A running openssl, ended with the test.
struct Openssl {
    child: Child,
}

impl Openssl {
    fn type_line(&mut self, line: &str) {
        let stdin = self.child.stdin.as_mut().unwrap();
        // In one write: of a command, openssl drops the rest of what it read with it.
        stdin.write_all(format!("{line}\n").as_bytes()).unwrap();
        stdin.flush().unwrap();
    }

    /// Closes its input and waits for its end; what it printed to stdout and to stderr.
    async fn output(mut self) -> (String, String) {
        let child = &mut self.child;
        drop(child.stdin.take());
        let (mut stdout, mut stderr) = (child.stdout.take().unwrap(), child.stderr.take().unwrap());
        let reading = tokio::task::spawn_blocking(move || {
            let (mut printed, mut complained) = (Vec::new(), Vec::new());
            stdout.read_to_end(&mut printed).unwrap();
            stderr.read_to_end(&mut complained).unwrap();
            let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
            (text(printed), text(complained))
        });
        timeout(LIMIT, reading).await.expect("openssl ends in time").unwrap()
    }

    /// Waits until it has printed `text`; returns all that it printed before, and `text`.
    async fn printed<P: Read + Send + 'static>(pipe: &mut Option<P>, text: &'static str) -> String {
        let mut taken = pipe.take().expect("a pipe is read by one at a time");
        let reading = tokio::task::spawn_blocking(move || {
            let mut seen = Vec::new();
            let mut byte = [0];
            while !seen.ends_with(text.as_bytes()) {
                taken.read_exact(&mut byte).expect("openssl prints more");
                seen.push(byte[0]);
            }
            (taken, String::from_utf8_lossy(&seen).into_owned())
        });
        let (taken, seen) = timeout(LIMIT, reading)
            .await
            .expect("openssl prints it in time")
            .unwrap();
        *pipe = Some(taken);
        seen
    }

    async fn has_updated_its_keys(&mut self) {
        Self::printed(&mut self.child.stderr, "KEYUPDATE\n").await;
    }

    /// The port of `-accept 127.0.0.1:0`, from the line "ACCEPT 127.0.0.1:port".
    async fn port(&mut self) -> u16 {
        let stdout = &mut self.child.stdout;
        Self::printed(stdout, "ACCEPT ").await;
        let line = Self::printed(stdout, "\n").await;
        line.trim().rsplit(':').next().unwrap().parse().unwrap()
    }
}

impl Drop for Openssl {
    fn drop(&mut self) {
        // Already ended, where the test did not fail.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Our server's stream with `openssl s_client`, which has these further options.
async fn with_s_client(options: &[&str]) -> (Files, Openssl, TlsStream<TcpStream>) {
    let authority = Authority::new();
    let issued = authority.issue(&["example.com"]);
    let files = Files::new(&authority, &issued);
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let common = [
        "s_client",
        "-connect",
        &address,
        "-servername",
        "example.com",
        "-CAfile",
        "ca.pem",
    ];
    let child = files.openssl(&[&common[..], &["-verify_return_error"], options].concat());
    let (socket, _) = timeout(LIMIT, listener.accept()).await.unwrap().unwrap();
    let certificate = issued.certificate(&["example.com"]);
    let config = super::ServerTls::new(vec![certificate], Vec::new()).config_for(None);
    let stream = timeout(LIMIT, accept(Vec::new(), socket, config))
        .await
        .unwrap()
        .unwrap();
    (files, child, stream)
}

async fn read_line(stream: &mut TlsStream<TcpStream>) -> String {
    let mut line = Vec::new();
    while line.last() != Some(&b'\n') {
        let byte = timeout(LIMIT, stream.read_u8()).await.unwrap().unwrap();
        line.push(byte);
    }
    String::from_utf8(line).unwrap()
}

/// Closes our side and waits for the client's close: it has printed then what we sent before, and may lose its input.
async fn close(stream: &mut TlsStream<TcpStream>) {
    stream.shutdown().await.unwrap();
    let ended = timeout(LIMIT, stream.read(&mut [0; 9])).await.unwrap();
    assert_eq!(ended.unwrap(), 0);
}

#[tokio::test]
async fn openssl_as_a_client_talks_to_us_in_both_versions() {
    for (option, version, cipher) in [
        ("-tls1_2", "TLSv1.2", "TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384"),
        ("-tls1_3", "TLSv1.3", "TLS_AES_256_GCM_SHA384"),
    ] {
        let (_files, mut client, mut stream) = with_s_client(&[option, "-alpn", "http/1.1"]).await;
        let facts = stream.facts();
        assert_eq!((facts.version, facts.cipher), (version, cipher));
        assert_eq!(facts.server_name.as_deref(), Some("example.com"));
        client.type_line("to the edge");
        assert_eq!(read_line(&mut stream).await, "to the edge\n");
        stream.write_all(b"to the client\n").await.unwrap();
        close(&mut stream).await;
        let (text, _) = client.output().await;
        assert!(
            text.contains("to the client\n") && text.contains("ALPN protocol: http/1.1"),
            "{text}"
        );
    }
}

#[tokio::test]
async fn openssl_gets_its_key_update_answered() {
    let (_files, mut client, mut stream) = with_s_client(&["-tls1_3"]).await;
    for round in ["first", "second"] {
        client.type_line("K");
        // It takes a command only from a read of its own.
        client.has_updated_its_keys().await;
        client.type_line(round);
        let line = read_line(&mut stream).await;
        assert_eq!(line.trim(), round);
        stream.write_all(format!("answer to {line}").as_bytes()).await.unwrap();
        stream.flush().await.unwrap();
    }
    stream.shutdown().await.unwrap();
    let (text, _) = client.output().await;
    assert!(
        text.contains("answer to first\n") && text.contains("answer to second\n"),
        "{text}"
    );
}

#[tokio::test]
async fn renegotiation_is_refused() {
    let (_files, mut client, mut stream) = with_s_client(&["-tls1_2"]).await;
    client.type_line("before");
    assert_eq!(read_line(&mut stream).await, "before\n");
    client.type_line("R");
    // RFC 5246 §7.2.2: our answer is the warning no_renegotiation; OpenSSL then gives up.
    let _ = timeout(LIMIT, stream.read_to_end(&mut Vec::new())).await.unwrap();
    let (_, text) = client.output().await;
    assert!(text.contains("no renegotiation"), "{text}");
}

#[tokio::test]
async fn openssl_as_an_origin_talks_to_us_in_both_versions() {
    let authority = Authority::new();
    let issued = authority.issue(&["example.com"]);
    let files = Files::new(&authority, &issued);
    for (option, version) in [("-tls1_2", "TLSv1.2"), ("-tls1_3", "TLSv1.3")] {
        let common = [
            "s_server",
            "-accept",
            "127.0.0.1:0",
            "-cert",
            "chain.pem",
            "-key",
            "key.pem",
            "-naccept",
            "1",
        ];
        let mut server = files.openssl(&[&common[..], &["-rev", option]].concat());
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, server.port().await));
        let socket = TcpStream::connect(address).await.unwrap();
        let config = client_config(Verify::Ca(authority.pem().into_bytes())).unwrap();
        let handshake = connect(socket, config, name("example.com"));
        let mut stream = timeout(LIMIT, handshake).await.unwrap().unwrap();
        assert_eq!(stream.facts().version, version);
        stream.write_all(b"to the origin\n").await.unwrap();
        stream.flush().await.unwrap();
        assert_eq!(read_line(&mut stream).await, "nigiro eht ot\n");
        stream.shutdown().await.unwrap();
        drop(stream);
        server.output().await;
    }
}
