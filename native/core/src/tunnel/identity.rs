//! Who a tunnel is for, fixed when it opens.
//!
//! Law: what a thread's tunnels keep lies in the heap of that thread. A heap gives back what is free at its end alone, so a few bytes
//!      that are kept for ten thousand tunnels in the heap of a thread that makes handshakes would keep megabytes of those taken.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Instant, SystemTime};

use crate::http::Version;
use crate::zones::Zone;

/// As long as a text that another thread is handed is, at the least. A thread keeps what it frees for what it next needs of the same
/// length: so this must be longer than what a tunnel keeps, or that would lie there after all.
pub(crate) const HANDED_BYTES: usize = 480;

/// Who a tunnel is for.
#[derive(Clone, Debug)]
pub struct Identity {
    /// Its names, what was asked for, and the subprotocol.
    pub asked: Asked,
    /// The zone it is of.
    pub zone: Arc<Zone>,
    /// The client's address.
    pub client: SocketAddr,
    /// The origin's label.
    pub origin: Arc<str>,
    /// What the client speaks.
    pub spoken: Spoken,
    /// Whether the two ends have agreed on permessage-deflate.
    pub is_compressed: bool,
    /// When the 101 was sent.
    pub opened: SystemTime,
    /// The same on the monotonic clock.
    pub opened_at: Instant,
}

impl Identity {
    /// The ray id of the upgrade request.
    #[must_use]
    pub fn ray(&self) -> &str {
        self.asked.part(0, self.asked.host_at)
    }

    /// The host asked for.
    #[must_use]
    pub fn host(&self) -> &str {
        self.asked.part(self.asked.host_at, self.asked.path_at)
    }

    /// The path asked for, without the query (which often carries a token).
    #[must_use]
    pub fn path(&self) -> &str {
        self.asked.part(self.asked.path_at, self.asked.subprotocol_at)
    }

    /// The subprotocol that the origin chose; "" for none.
    #[must_use]
    pub fn subprotocol(&self) -> &str {
        self.asked.part(self.asked.subprotocol_at, self.asked.end)
    }
}

/// The texts of an identity, in one piece: each of its own would cost an idle tunnel half as much again.
#[derive(Clone, Debug)]
pub struct Asked {
    /// One behind the other, and room behind them until they are kept.
    all: Box<str>,
    host_at: u32,
    path_at: u32,
    subprotocol_at: u32,
    end: u32,
}

impl Asked {
    /// The ray id of an upgrade request, its host, its path, and the subprotocol of its answer. Of heads of bounded length: far
    /// below 4 GiB.
    #[must_use]
    pub fn new(ray: &str, host: &str, path: &str, subprotocol: &str) -> Self {
        let mut all = String::with_capacity(HANDED_BYTES);
        let mut end = |text: &str| {
            all.push_str(text);
            u32::try_from(all.len()).unwrap_or(u32::MAX)
        };
        let [host_at, path_at, subprotocol_at, end] = [ray, host, path, subprotocol].map(&mut end);
        let room = HANDED_BYTES.saturating_sub(all.len());
        all.extend(std::iter::repeat_n(' ', room));
        Self {
            all: all.into(),
            host_at,
            path_at,
            subprotocol_at,
            end,
        }
    }

    /// The same request under another ray id.
    #[must_use]
    pub(crate) fn under(&self, ray: &str) -> Self {
        let host = self.part(self.host_at, self.path_at);
        let path = self.part(self.path_at, self.subprotocol_at);
        Self::new(ray, host, path, self.part(self.subprotocol_at, self.end))
    }

    /// The same in the heap of the thread that keeps it, and no longer than it is.
    pub(super) fn kept(mut self) -> Self {
        self.all = self.part(0, self.end).into();
        self
    }

    fn part(&self, from: u32, to: u32) -> &str {
        self.all.get(from as usize..to as usize).unwrap_or_default()
    }
}

/// What a client speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Spoken {
    is_http_2: bool,
    tls: Option<Tls>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Tls {
    V12,
    V13,
}

impl Spoken {
    /// `tls` is "TLSv1.3", "TLSv1.2", or "" for none.
    #[must_use]
    pub fn new(version: Version, tls: &str) -> Self {
        Self {
            is_http_2: version == Version::Http2,
            tls: match tls {
                "TLSv1.3" => Some(Tls::V13),
                "TLSv1.2" => Some(Tls::V12),
                _ => None,
            },
        }
    }

    /// "http/1.1" or "h2".
    #[must_use]
    pub fn protocol(self) -> &'static str {
        if self.is_http_2 { "h2" } else { "http/1.1" }
    }

    /// "TLSv1.3", "TLSv1.2", or "" for none.
    #[must_use]
    pub fn tls_version(self) -> &'static str {
        match self.tls {
            Some(Tls::V13) => "TLSv1.3",
            Some(Tls::V12) => "TLSv1.2",
            None => "",
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn texts(asked: &Asked) -> [String; 4] {
        let ends = [0, asked.host_at, asked.path_at, asked.subprotocol_at, asked.end];
        [0, 1, 2, 3].map(|at| asked.part(ends[at], ends[at + 1]).to_owned())
    }

    proptest! {
        #[test]
        fn the_texts_are_told_apart_again(given: [String; 4], other: String) {
            let [ray, host, path, subprotocol] = given.clone();
            let asked = Asked::new(&ray, &host, &path, &subprotocol);
            prop_assert_eq!(texts(&asked), given.clone());
            let kept = asked.under(&other).kept();
            prop_assert_eq!(texts(&kept), [other, host, path, subprotocol]);
            prop_assert_eq!(kept.all.len(), kept.end as usize);
        }
    }

    #[test]
    fn what_a_client_speaks_is_named_as_it_was() {
        for (version, protocol) in [
            (Version::Http10, "http/1.1"),
            (Version::Http11, "http/1.1"),
            (Version::Http2, "h2"),
        ] {
            for tls in ["", "TLSv1.2", "TLSv1.3"] {
                let spoken = Spoken::new(version, tls);
                assert_eq!((spoken.protocol(), spoken.tls_version()), (protocol, tls));
            }
        }
    }
}
