//! What Python says of Close frames, checked.

use std::time::Duration;

use holdfast_core::edge::Order;
use holdfast_core::registry::Why;
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;

/// A Close frame's payload is 125 bytes at most, its code among them (RFC 6455 §5.5).
const MAX_REASON_BYTES: usize = 123;

/// The code and the reason of a Close that the edge may send.
pub(crate) fn check_close(code: u16, reason: &str) -> PyResult<()> {
    // RFC 6455 §7.4: 1004-1006 and 1015 are never sent, 1010 is a client's; the rest is for applications (4000).
    if !matches!(code, 1000..=1003 | 1007..=1009 | 1011..=1014 | 3000..=4999) {
        return Err(PyValueError::new_err(format!(
            "code: expected a close code that a server may send (1000 to 1003, 1007 to 1009, 1011 to 1014, \
             3000 to 4999), got {code}"
        )));
    }
    if reason.len() > MAX_REASON_BYTES {
        return Err(PyValueError::new_err(format!(
            "reason: expected at most {MAX_REASON_BYTES} bytes of UTF-8, got {}",
            reason.len()
        )));
    }
    Ok(())
}

/// Why all tunnels are closed.
pub(crate) fn parting(why: &str) -> PyResult<Why> {
    match why {
        "release" => Ok(Why::Release),
        "drain" => Ok(Why::Drain),
        _ => Err(PyValueError::new_err(format!(
            "why: expected \"release\" or \"drain\", got {why:?}"
        ))),
    }
}

/// Who is closed first.
pub(crate) fn order(order: &str) -> PyResult<Order> {
    match order {
        "oldest" => Ok(Order::Oldest),
        "idlest" => Ok(Order::Idlest),
        _ => Err(PyValueError::new_err(format!(
            "order: expected \"oldest\" or \"idlest\", got {order:?}"
        ))),
    }
}

/// Over how long it takes; 0 is at once.
pub(crate) fn window(window_s: f64) -> PyResult<Duration> {
    Duration::try_from_secs_f64(window_s)
        .map_err(|_| PyValueError::new_err(format!("window_s: expected 0 or more seconds, got {window_s}")))
}

/// What the Close says: `why`, a colon, and the sentence; once, where the sentence begins so already.
pub(crate) fn worded(why: Why, sentence: &str) -> String {
    let word = why.name();
    match sentence.strip_prefix(word) {
        Some(rest) if rest.starts_with(": ") => sentence.to_owned(),
        _ => format!("{word}: {sentence}"),
    }
}
