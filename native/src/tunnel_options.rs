//! What a zone asks of its tunnels, as it crosses the boundary: checked once, when the zone is compiled.

use std::num::NonZeroU64;
use std::sync::Arc;
use std::time::Duration;

use holdfast_core::messages::MessageRules;
use holdfast_core::tunnel::{Keepalive, OverRate, Rates, TunnelOptions as CoreTunnelOptions};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;

use crate::message_rules::MessageRule;

/// The longest time that a tunnel's clock is asked about: a thousand years.
const MAX_SECONDS: f64 = 1000.0 * 366.0 * 86_400.0;

/// What a zone asks of its tunnels.
#[pyclass(frozen, module = "holdfast._native")]
pub(crate) struct TunnelOptions {
    pub(crate) core: Arc<CoreTunnelOptions>,
}

#[pymethods]
impl TunnelOptions {
    #[new]
    #[pyo3(signature = (*, keepalive_interval_s = 0.0, keepalive_misses = 3, idle_timeout_s = 0.0, max_age_s = 0.0,
        max_age_jitter = 0.1, read_stall_timeout_s = 0.0, write_stall_timeout_s = 0.0, max_message_bytes = 0,
        messages_per_s_to_origin = 0.0, bytes_per_s_to_origin = 0.0, messages_per_s_to_client = 0.0,
        bytes_per_s_to_client = 0.0, over_rate = "throttle", max_zone_connections = 0, max_address_connections = 0,
        message_rules = Vec::new()),
        text_signature = "(*, keepalive_interval_s=0.0, keepalive_misses=3, idle_timeout_s=0.0, max_age_s=0.0, max_age_jitter=0.1, read_stall_timeout_s=0.0, write_stall_timeout_s=0.0, max_message_bytes=0, messages_per_s_to_origin=0.0, bytes_per_s_to_origin=0.0, messages_per_s_to_client=0.0, bytes_per_s_to_client=0.0, over_rate='throttle', max_zone_connections=0, max_address_connections=0, message_rules=())")]
    // One keyword a fact; Python's callers name them all. PyO3 takes sequences by value.
    #[allow(clippy::too_many_arguments, clippy::needless_pass_by_value)]
    fn new(
        keepalive_interval_s: f64,
        keepalive_misses: i64,
        idle_timeout_s: f64,
        max_age_s: f64,
        max_age_jitter: f64,
        read_stall_timeout_s: f64,
        write_stall_timeout_s: f64,
        max_message_bytes: i64,
        messages_per_s_to_origin: f64,
        bytes_per_s_to_origin: f64,
        messages_per_s_to_client: f64,
        bytes_per_s_to_client: f64,
        over_rate: &str,
        max_zone_connections: i64,
        max_address_connections: i64,
        message_rules: Vec<PyRef<'_, MessageRule>>,
    ) -> PyResult<Self> {
        let misses = u8::try_from(keepalive_misses)
            .ok()
            .filter(|misses| (1..=100).contains(misses))
            .ok_or_else(|| wrong("keepalive_misses", "1 to 100", keepalive_misses))?;
        if !(0.0..=1.0).contains(&max_age_jitter) {
            return Err(wrong("max_age_jitter", "a part, 0 to 1", max_age_jitter));
        }
        let over_rate = match over_rate {
            "throttle" => OverRate::Throttle,
            "close" => OverRate::Close,
            other => return Err(wrong("over_rate", "\"throttle\" or \"close\"", format!("{other:?}"))),
        };
        let max_message_bytes = count("max_message_bytes", max_message_bytes)?;
        Ok(Self {
            core: Arc::new(CoreTunnelOptions {
                keepalive: time("keepalive_interval_s", keepalive_interval_s)?
                    .map(|interval| Keepalive { interval, misses }),
                idle_timeout: time("idle_timeout_s", idle_timeout_s)?,
                max_age: time("max_age_s", max_age_s)?,
                max_age_jitter,
                read_stall_timeout: time("read_stall_timeout_s", read_stall_timeout_s)?,
                write_stall_timeout: time("write_stall_timeout_s", write_stall_timeout_s)?,
                max_message_bytes,
                to_origin: Rates {
                    messages_per_s: rate("messages_per_s_to_origin", messages_per_s_to_origin)?,
                    bytes_per_s: rate("bytes_per_s_to_origin", bytes_per_s_to_origin)?,
                },
                to_client: Rates {
                    messages_per_s: rate("messages_per_s_to_client", messages_per_s_to_client)?,
                    bytes_per_s: rate("bytes_per_s_to_client", bytes_per_s_to_client)?,
                },
                over_rate,
                max_zone_connections: count("max_zone_connections", max_zone_connections)?,
                max_address_connections: count("max_address_connections", max_address_connections)?,
                message_rules: rules(&message_rules, max_message_bytes)?,
            }),
        })
    }
}

/// None where there are none.
fn rules(rules: &[PyRef<'_, MessageRule>], limit: Option<NonZeroU64>) -> PyResult<Option<Arc<MessageRules>>> {
    if rules.is_empty() {
        return Ok(None);
    }
    let rules = rules.iter().map(|rule| Arc::clone(&rule.core)).collect();
    let rules = MessageRules::new(rules, limit.map_or(0, NonZeroU64::get)).map_err(PyValueError::new_err)?;
    Ok(Some(Arc::new(rules)))
}

fn wrong(name: &str, expected: &str, got: impl std::fmt::Display) -> PyErr {
    PyValueError::new_err(format!("{name}: expected {expected}, got {got}"))
}

/// A time of at least a millisecond; None for 0.
fn time(name: &str, seconds: f64) -> PyResult<Option<Duration>> {
    match seconds {
        0.0 => Ok(None),
        seconds if (0.001..=MAX_SECONDS).contains(&seconds) => Ok(Some(Duration::from_secs_f64(seconds))),
        other => Err(wrong(name, "0 (off) or seconds, from 0.001 on", other)),
    }
}

/// None for 0.
fn count(name: &str, count: i64) -> PyResult<Option<NonZeroU64>> {
    let count = u64::try_from(count).map_err(|_| wrong(name, "0 (off) or a positive number", count))?;
    Ok(NonZeroU64::new(count))
}

/// So many in a second; None for 0.
fn rate(name: &str, rate: f64) -> PyResult<Option<f64>> {
    match rate {
        0.0 => Ok(None),
        rate if (0.001..=1e12).contains(&rate) => Ok(Some(rate)),
        other => Err(wrong(name, "0 (off) or a rate, 0.001 to 1e12", other)),
    }
}
