//! Open WebSockets as Python sees them, and what it asks about them.

use std::collections::HashSet;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use holdfast_core::edge::Found;
use holdfast_core::frames::{Close, Counts};
use holdfast_core::live::{Event, Filter, Happened, LiveConnection, Network, Query, Sort};
use holdfast_core::registry::{Closed, LegFacts};
use pyo3::IntoPyObjectExt;
use pyo3::exceptions::PyValueError;
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::PyTuple;

/// The most that one page may hold (`holdfast.model.connection.MAX_PAGE`).
const MAX_PAGE: usize = 1_000;
/// The most ids that a filter may name (`MAX_FILTER_IDS`).
const MAX_IDS: usize = 1_000;

/// The classes that connections are made of.
pub(crate) struct Classes {
    carried: Py<PyAny>,
    connection: Py<PyAny>,
    closed: Py<PyAny>,
    event: Py<PyAny>,
}

impl Classes {
    pub(crate) fn new(py: Python<'_>) -> PyResult<Self> {
        let module = py.import("holdfast.model.connection")?;
        let class = |name| module.getattr(name).map(Bound::unbind);
        Ok(Self {
            carried: class("Carried")?,
            connection: class("Connection")?,
            closed: class("ClosedConnection")?,
            event: class("ConnectionEvent")?,
        })
    }

    pub(crate) fn open<'py>(&self, py: Python<'py>, live: &LiveConnection) -> PyResult<Bound<'py, PyAny>> {
        let state = if live.is_closing { "closing" } else { "open" };
        let facts = self.facts(py, live, state)?;
        self.connection.bind(py).call1(PyTuple::new(py, facts)?)
    }

    pub(crate) fn found<'py>(&self, py: Python<'py>, found: &Found) -> PyResult<Bound<'py, PyAny>> {
        match found {
            Found::Open(live) => self.open(py, live),
            Found::Closed(closed) => self.closed(py, closed),
        }
    }

    pub(crate) fn event<'py>(&self, py: Python<'py>, event: &Event) -> PyResult<Bound<'py, PyAny>> {
        let connection = match &event.happened {
            Happened::Opened(live) => self.open(py, live)?,
            Happened::Closed(closed) => self.closed(py, closed)?,
        };
        self.event.bind(py).call1((microseconds(event.at), connection))
    }

    fn facts<'py>(&self, py: Python<'py>, live: &LiveConnection, state: &str) -> PyResult<Vec<Bound<'py, PyAny>>> {
        let [client_at, origin_at] = live.last_from.map(microseconds);
        let [client_rtt, origin_rtt] = live.rtt_us;
        let [to_origin, to_client] = &live.counts;
        Ok(vec![
            given(py, live.ray.as_str())?,
            given(py, live.zone.name())?,
            given(py, live.client.ip().to_canonical().to_string())?,
            given(py, live.client.port())?,
            given(py, live.host.as_str())?,
            given(py, live.path.as_str())?,
            given(py, &*live.origin)?,
            given(py, live.protocol)?,
            given(py, live.tls_version)?,
            given(py, &*live.subprotocol)?,
            given(py, microseconds(live.opened))?,
            given(py, client_at)?,
            given(py, origin_at)?,
            given(py, client_rtt)?,
            given(py, origin_rtt)?,
            self.carried(py, to_origin)?,
            self.carried(py, to_client)?,
            given(py, state)?,
        ])
    }

    fn carried<'py>(&self, py: Python<'py>, counts: &Counts) -> PyResult<Bound<'py, PyAny>> {
        self.carried.bind(py).call1((
            counts.bytes,
            counts.text_messages,
            counts.binary_messages,
            counts.pings,
            counts.pongs,
        ))
    }

    fn closed<'py>(&self, py: Python<'py>, closed: &Closed) -> PyResult<Bound<'py, PyAny>> {
        let mut facts = self.facts(py, &as_it_was(closed), "closed")?;
        let (code, reason) = (
            |leg: &LegFacts| leg.close.as_ref().and_then(Close::code),
            |leg: &LegFacts| leg.close.as_ref().map(Close::reason).unwrap_or_default(),
        );
        let cause = &closed.cause;
        let (edge_code, edge_reason) = match &closed.edge_close {
            None => (None, ""),
            Some((code, reason)) => (Some(*code), reason.as_str()),
        };
        facts.extend([
            given(py, microseconds(closed.at))?,
            given(py, u64::try_from(closed.duration.as_millis()).unwrap_or(u64::MAX))?,
            given(py, cause.by.name())?,
            given(py, cause.why.name())?,
            given(py, cause.detail.as_deref().unwrap_or_default())?,
            given(py, code(&closed.client))?,
            given(py, reason(&closed.client))?,
            given(py, code(&closed.origin))?,
            given(py, reason(&closed.origin))?,
            given(py, edge_code)?,
            given(py, edge_reason)?,
            given(py, cause.close_reason().name())?,
            given(py, cause.close_source().name())?,
            given(py, cause.alert)?,
        ]);
        self.closed.bind(py).call1(PyTuple::new(py, facts)?)
    }
}

/// What has closed, as it stood at its end.
fn as_it_was(closed: &Closed) -> LiveConnection {
    let identity = &closed.identity;
    let legs = [&closed.client, &closed.origin];
    LiveConnection {
        ray: identity.ray().to_owned(),
        zone: identity.zone.clone(),
        client: identity.client,
        host: identity.host().to_owned(),
        path: identity.path().to_owned(),
        origin: identity.origin.clone(),
        protocol: identity.spoken.protocol(),
        tls_version: identity.spoken.tls_version(),
        subprotocol: identity.subprotocol().into(),
        opened: identity.opened,
        last_from: legs.map(|leg| identity.opened + leg.last_active.unwrap_or_default()),
        rtt_us: legs.map(|leg| leg.rtt.and_then(|rtt| u64::try_from(rtt.as_micros()).ok())),
        counts: [closed.to_origin, closed.to_client],
        is_closing: true,
    }
}

fn given<'py>(py: Python<'py>, value: impl IntoPyObjectExt<'py>) -> PyResult<Bound<'py, PyAny>> {
    value.into_bound_py_any(py)
}

fn microseconds(at: SystemTime) -> u64 {
    let since = at.duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_micros()).unwrap_or(u64::MAX)
}

/// Reads a `ConnectionQuery`. `ValueError` names the field.
pub(crate) fn query(query: &Bound<'_, PyAny>) -> PyResult<Query> {
    let py = query.py();
    let limit: usize = query.getattr(intern!(py, "limit"))?.extract()?;
    if !(1..=MAX_PAGE).contains(&limit) {
        return Err(wrong(&format!("limit: expected 1 to {MAX_PAGE}, got {limit}")));
    }
    let sort: String = query.getattr(intern!(py, "sort"))?.extract()?;
    let offset = query.getattr(intern!(py, "offset"))?;
    Ok(Query {
        filter: filter(&query.getattr(intern!(py, "filter"))?)?,
        sort: match sort.as_str() {
            "opened_at" => Sort::OpenedAt,
            "idle" => Sort::Idle,
            "bytes" => Sort::Bytes,
            "messages" => Sort::Messages,
            "rtt" => Sort::Rtt,
            _ => {
                return Err(wrong(&format!(
                    "sort: expected opened_at, idle, bytes, messages or rtt, got {sort:?}"
                )));
            }
        },
        descending: query.getattr(intern!(py, "descending"))?.extract()?,
        offset: offset
            .extract()
            .map_err(|_| wrong(&format!("offset: expected 0 or more, got {offset}")))?,
        limit,
    })
}

/// Reads a `ConnectionFilter`. `ValueError` names the field.
pub(crate) fn filter(filter: &Bound<'_, PyAny>) -> PyResult<Filter> {
    let py = filter.py();
    let ids: HashSet<String> = (filter.getattr(intern!(py, "ids"))?.try_iter()?)
        .map(|id| id?.extract())
        .collect::<PyResult<_>>()?;
    if ids.len() > MAX_IDS {
        return Err(wrong(&format!("ids: expected at most {MAX_IDS}, got {}", ids.len())));
    }
    let client: String = filter.getattr(intern!(py, "client"))?.extract()?;
    Ok(Filter {
        zone: filter.getattr(intern!(py, "zone_id"))?.extract()?,
        host: filter.getattr(intern!(py, "host"))?.extract()?,
        path_prefix: filter.getattr(intern!(py, "path_prefix"))?.extract()?,
        client: match client.as_str() {
            "" => None,
            text => Some(Network::parse(text).map_err(|error| wrong(&format!("client: {error}")))?),
        },
        ids,
        min_age: at_least("min_age_s", &filter.getattr(intern!(py, "min_age_s"))?)?,
        min_idle: at_least("min_idle_s", &filter.getattr(intern!(py, "min_idle_s"))?)?,
        subprotocol: filter.getattr(intern!(py, "subprotocol"))?.extract()?,
    })
}

fn at_least(name: &str, seconds: &Bound<'_, PyAny>) -> PyResult<Duration> {
    Duration::try_from_secs_f64(seconds.extract()?)
        .map_err(|_| wrong(&format!("{name}: expected 0 or more seconds, got {seconds}")))
}

fn wrong(sentence: &str) -> PyErr {
    PyValueError::new_err(sentence.to_owned())
}
