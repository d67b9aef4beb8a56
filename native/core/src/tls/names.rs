//! Host names as certificates have them, and tables by such names.

use std::collections::HashMap;

/// The name in lower case and without a final dot, where it is a host name, or `*.` and one (RFC 6125 §6.4.3).
pub(super) fn parse_name(name: &str) -> Option<String> {
    let lower = name.trim_end_matches('.').to_ascii_lowercase();
    let host = lower.strip_prefix("*.").unwrap_or(&lower);
    let is_label = |label: &str| {
        (1..=63).contains(&label.len())
            && label
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_')
    };
    (host.len() <= 253 && host.split('.').all(is_label)).then_some(lower)
}

/// Values by host name; an exact name goes before a wildcard, which stands for one label.
#[derive(Debug)]
pub(super) struct ByName<T> {
    exact: HashMap<Box<str>, T>,
    /// By what follows the `*.`.
    wildcard: HashMap<Box<str>, T>,
}

impl<T> Default for ByName<T> {
    fn default() -> Self {
        Self {
            exact: HashMap::new(),
            wildcard: HashMap::new(),
        }
    }
}

impl<T> ByName<T> {
    /// Where the value of a parsed name is kept.
    pub(super) fn at(&mut self, name: &str, first: impl FnOnce() -> T) -> &mut T {
        let (map, name) = match name.strip_prefix("*.") {
            Some(parent) => (&mut self.wildcard, parent),
            None => (&mut self.exact, name),
        };
        // Names repeat seldom, so the key is made without asking first.
        map.entry(name.into()).or_insert_with(first)
    }

    /// The value for a host, which may be in any case.
    pub(super) fn find(&self, host: &str) -> Option<&T> {
        let host = host.to_ascii_lowercase();
        self.exact
            .get(&*host)
            .or_else(|| self.wildcard.get(host.split_once('.')?.1))
    }

    pub(super) fn is_empty(&self) -> bool {
        self.exact.is_empty() && self.wildcard.is_empty()
    }
}
