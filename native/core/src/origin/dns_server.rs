//! A name server for tests: answers over UDP from a zone that the test changes while it runs.

use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

use hickory_resolver::proto::op::{Message, MessageType, ResponseCode};
use hickory_resolver::proto::rr::rdata::{CNAME, SOA};
use hickory_resolver::proto::rr::{Name, RData, Record, RecordType};
use hickory_resolver::proto::serialize::binary::{BinDecodable, BinEncodable};

/// What it says of a name.
#[derive(Clone, Debug)]
pub(super) enum Says {
    /// These addresses, with this lifetime in seconds.
    Addresses(Vec<IpAddr>, u32),
    /// Another name, with this lifetime; what that one has is in the same answer.
    Alias(&'static str, u32),
    /// No such name, and a SOA whose lifetime this is.
    NoSuchName(u32),
    /// A failure of its own.
    Failure,
    /// Nothing at all.
    Silence,
}

pub(super) struct DnsServer {
    pub(super) address: SocketAddr,
    zone: Arc<Mutex<HashMap<String, Says>>>,
    asked: Arc<Mutex<Vec<(String, RecordType)>>>,
    thread: Option<JoinHandle<()>>,
}

impl DnsServer {
    pub(super) fn start() -> Self {
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        let address = socket.local_addr().unwrap();
        let zone: Arc<Mutex<HashMap<String, Says>>> = Arc::default();
        let asked: Arc<Mutex<Vec<(String, RecordType)>>> = Arc::default();
        let (serving, counting) = (Arc::clone(&zone), Arc::clone(&asked));
        let thread = std::thread::spawn(move || {
            let mut buffer = [0; 4096];
            while let Ok((len @ 1.., client)) = socket.recv_from(&mut buffer) {
                let query = Message::from_bytes(&buffer[..len]).unwrap();
                let question = query.queries[0].clone();
                let host = question.name().to_lowercase().to_ascii();
                let host = host.trim_end_matches('.').to_owned();
                counting.lock().unwrap().push((host.clone(), question.query_type()));
                if let Some(answer) = answer(&query, &host, question.query_type(), &serving.lock().unwrap()) {
                    socket.send_to(&answer.to_bytes().unwrap(), client).unwrap();
                }
            }
        });
        Self {
            address,
            zone,
            asked,
            thread: Some(thread),
        }
    }

    pub(super) fn say(&self, host: &str, says: Says) {
        self.zone.lock().unwrap().insert(host.to_owned(), says);
    }

    /// How often it was asked for the IPv4 addresses of a name.
    pub(super) fn asked(&self, host: &str) -> usize {
        let asked = self.asked.lock().unwrap();
        asked
            .iter()
            .filter(|(name, kind)| name == host && *kind == RecordType::A)
            .count()
    }
}

impl Drop for DnsServer {
    fn drop(&mut self) {
        // An empty datagram ends it.
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        socket.send_to(b"", self.address).unwrap();
        if let Some(thread) = self.thread.take() {
            thread.join().unwrap();
        }
    }
}

fn answer(query: &Message, host: &str, kind: RecordType, zone: &HashMap<String, Says>) -> Option<Message> {
    let mut answer = Message::response(query.metadata.id, query.metadata.op_code);
    answer.metadata.message_type = MessageType::Response;
    answer.metadata.recursion_available = true;
    answer.add_queries(query.queries.iter().cloned());
    let mut host = host.to_owned();
    for _ in 0..MAX_ALIASES {
        let owner = Name::from_ascii(format!("{host}.")).unwrap();
        match zone.get(&host).cloned().unwrap_or(Says::NoSuchName(60)) {
            Says::Silence => return None,
            Says::Failure => answer.metadata.response_code = ResponseCode::ServFail,
            Says::NoSuchName(ttl) => {
                answer.metadata.response_code = ResponseCode::NXDomain;
                let soa = SOA::new(owner.clone(), owner.clone(), 1, 1, 1, 1, ttl);
                answer.add_authority(Record::from_rdata(owner, ttl, RData::SOA(soa)));
            }
            Says::Alias(target, ttl) => {
                let target_name = Name::from_ascii(format!("{target}.")).unwrap();
                answer.add_answer(Record::from_rdata(owner, ttl, RData::CNAME(CNAME(target_name))));
                target.clone_into(&mut host);
                continue;
            }
            Says::Addresses(ips, ttl) => {
                let wanted = ips
                    .into_iter()
                    .map(RData::from)
                    .filter(|data| data.record_type() == kind);
                answer.add_answers(wanted.map(|data| Record::from_rdata(owner.clone(), ttl, data)));
            }
        }
        return Some(answer);
    }
    Some(answer)
}

/// Aliases in one answer, so that a circle has an end.
const MAX_ALIASES: usize = 20;

/// How long a test waits for what a look-up of another thread's server takes.
pub(super) const LIMIT: Duration = Duration::from_secs(10);
