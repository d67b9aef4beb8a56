//! What a host name demands of TLS: the versions and cipher suites that its clients may use, and whether HTTP/2 is offered.
//!
//! Law 1: a rule is proof that something is left to agree on.
//! Law 2: what demands the same is the same `Requirement`, so that configurations and ticket keys are made once for it.

use std::sync::Arc;

use rustls::crypto::CryptoProvider;
use rustls::{CipherSuite, SupportedProtocolVersion, version};

use super::PROVIDER;
use super::names::parse_name;

/// The suites of TLS 1.2 that we have, by the name that OpenSSL gives them. Those of 1.3 are all strong, and always on.
const SUITES: [(&str, CipherSuite); 6] = [
    (
        "ECDHE-ECDSA-AES128-GCM-SHA256",
        CipherSuite::TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256,
    ),
    (
        "ECDHE-ECDSA-CHACHA20-POLY1305",
        CipherSuite::TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256,
    ),
    (
        "ECDHE-RSA-AES128-GCM-SHA256",
        CipherSuite::TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,
    ),
    (
        "ECDHE-RSA-CHACHA20-POLY1305",
        CipherSuite::TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256,
    ),
    (
        "ECDHE-ECDSA-AES256-GCM-SHA384",
        CipherSuite::TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384,
    ),
    (
        "ECDHE-RSA-AES256-GCM-SHA384",
        CipherSuite::TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384,
    ),
];
static ONLY_12: &[&SupportedProtocolVersion] = &[&version::TLS12];
static ONLY_13: &[&SupportedProtocolVersion] = &[&version::TLS13];
static BOTH: &[&SupportedProtocolVersion] = &[&version::TLS13, &version::TLS12];
const ALL_SUITES: u8 = (1 << SUITES.len()) - 1;

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
enum Version {
    Tls12,
    Tls13,
}

/// What may be agreed on in a handshake.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Requirement {
    min: Version,
    max: Version,
    /// One bit for each of [`SUITES`].
    suites: u8,
    /// Whether HTTP/2 may be agreed on (RFC 9113 §3.2).
    http2: bool,
}

impl Default for Requirement {
    fn default() -> Self {
        Self {
            min: Version::Tls12,
            max: Version::Tls13,
            suites: ALL_SUITES,
            http2: true,
        }
    }
}

impl Requirement {
    pub(super) fn versions(self) -> &'static [&'static SupportedProtocolVersion] {
        match (self.min, self.max) {
            (Version::Tls12, Version::Tls12) => ONLY_12,
            (Version::Tls12, Version::Tls13) => BOTH,
            (Version::Tls13, _) => ONLY_13,
        }
    }

    pub(super) fn provider(self) -> CryptoProvider {
        let mut provider = CryptoProvider::clone(&PROVIDER);
        provider.cipher_suites.retain(|suite| self.allows(suite.suite()));
        provider
    }

    pub(super) fn has_http2(self) -> bool {
        self.http2
    }

    fn allows(self, suite: CipherSuite) -> bool {
        match SUITES.iter().position(|(_, known)| *known == suite) {
            Some(bit) => self.suites & 1 << bit != 0,
            None => true,
        }
    }
}

/// A requirement, and the host names whose clients must meet it.
#[derive(Clone, Debug)]
pub struct TlsRule {
    pub(super) names: Arc<[String]>,
    pub(super) requirement: Requirement,
}

impl TlsRule {
    /// `names` are host names, `*.example.com` for one label below `example.com`. Versions are "1.2" or "1.3". `ciphers`
    /// are TLS 1.2 suites by their OpenSSL name; none means all. The error is a sentence that names the argument.
    pub fn parse(names: Vec<String>, min_version: &str, max_version: &str, ciphers: &[String]) -> Result<Self, String> {
        if names.is_empty() {
            return Err("names: expected at least one".to_owned());
        }
        let names = names
            .into_iter()
            .map(|name| parse_name(&name).ok_or_else(|| format!("names: expected host names, got {name:?}")));
        let names = names.collect::<Result<Arc<[String]>, _>>()?;
        let min = version_of("min_version", min_version)?;
        let max = version_of("max_version", max_version)?;
        if min > max {
            return Err(format!(
                "min_version: expected at most max_version ({max_version}), got {min_version:?}"
            ));
        }
        let mut suites = 0;
        for cipher in ciphers {
            suites |= 1 << suite_of(cipher)?;
        }
        // Without TLS 1.2 its suites do not matter, so what differs in them only is the same.
        if suites == 0 || min == Version::Tls13 {
            suites = ALL_SUITES;
        }
        Ok(Self {
            names,
            requirement: Requirement {
                min,
                max,
                suites,
                http2: true,
            },
        })
    }

    /// The same, but for clients that are not offered HTTP/2.
    #[must_use]
    pub fn without_http2(mut self) -> Self {
        self.requirement.http2 = false;
        self
    }

    /// The host names, lower case.
    #[must_use]
    pub fn names(&self) -> &[String] {
        &self.names
    }
}

fn version_of(argument: &str, version: &str) -> Result<Version, String> {
    match version {
        "1.2" => Ok(Version::Tls12),
        "1.3" => Ok(Version::Tls13),
        other => Err(format!("{argument}: expected \"1.2\" or \"1.3\", got {other:?}")),
    }
}

fn suite_of(cipher: &str) -> Result<usize, String> {
    SUITES.iter().position(|(name, _)| *name == cipher).ok_or_else(|| {
        let known: Vec<&str> = SUITES.iter().map(|(name, _)| *name).collect();
        format!("ciphers: expected some of {}, got {cipher:?}", known.join(", "))
    })
}

#[cfg(test)]
#[path = "rules_tests.rs"]
mod tests;
