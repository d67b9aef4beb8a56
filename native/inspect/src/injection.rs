//! libinjection.
use std::panic::{AssertUnwindSafe, catch_unwind};

/// The fingerprint.
#[must_use]
pub fn sqli_fingerprint(value: &[u8]) -> Option<Vec<u8>> {
    let found = catch_unwind(AssertUnwindSafe(|| libinjectionrs::detect_sqli(value)));
    match found {
        Ok(found) if found.is_injection() => Some(
            found
                .fingerprint
                .map(|f| f.as_str().as_bytes().to_vec())
                .unwrap_or_default(),
        ),
        Ok(_) => None,
        Err(_) => Some(b"X".to_vec()),
    }
}

/// Whether.
#[must_use]
pub fn is_xss(value: &[u8]) -> bool {
    catch_unwind(AssertUnwindSafe(|| libinjectionrs::detect_xss(value).is_injection())).unwrap_or(true)
}
