//! The policy thread: takes questions from the core, asks Python, gives its answers back.
//!
//! Law 1: this thread alone takes the GIL for requests, once a batch, and gives it up while it waits.
//! Law 2: fail closed. Whatever Python raises, or returns that is no decision, refuses the request.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Instant;

use holdfast_core::http::{Version, is_field_value, is_token};
use holdfast_core::policy::{
    Asked, Forward, Pending, PolicyQueue, PolicyStatistics, Question, Report, Respond, Verdict,
    WorkerTarget as CoreWorkerTarget,
};
use holdfast_core::registry::{Line, Log};
use holdfast_core::tls::server_name;
use holdfast_core::zones::{Zone, Zones};
use pyo3::exceptions::PyValueError;
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::{PyBool, PyString, PyTuple};

use crate::tunnel_options::TunnelOptions;
use crate::values::{Origin, WorkerTarget};

/// What the thread asks, and the classes it builds its questions from.
pub(crate) struct Policy {
    decide: Py<PyAny>,
    answer: Py<PyAny>,
    request: Py<PyAny>,
    tls_facts: Py<PyAny>,
    fault: Py<PyAny>,
    zones: Arc<Zones>,
}

impl Policy {
    pub(crate) fn new(py: Python<'_>, decide: Py<PyAny>, answer: Py<PyAny>, zones: Arc<Zones>) -> PyResult<Self> {
        let request = py.import("holdfast.model.request")?;
        Ok(Self {
            decide,
            answer,
            request: request.getattr("Request")?.unbind(),
            tls_facts: request.getattr("TlsFacts")?.unbind(),
            fault: py.import("holdfast.model.fault")?.getattr("Fault")?.unbind(),
            zones,
        })
    }

    /// Answers until nobody can ask any more.
    pub(crate) fn run(&self, questions: &mut PolicyQueue, log: &Log) {
        Python::attach(|py| {
            let mut batch = Vec::new();
            while py.detach(|| questions.next_batch(&mut batch)) {
                for pending in batch.drain(..) {
                    self.consider(py, pending, questions.statistics(), log);
                }
            }
        });
    }

    fn consider(&self, py: Python<'_>, pending: Pending, statistics: &PolicyStatistics, log: &Log) {
        let verdict = match &pending.question {
            Question::Decide(asked) => {
                let begun = Instant::now();
                let verdict = self.decide(py, asked);
                statistics.latency.add(begun.elapsed());
                verdict
            }
            Question::Explain(asked, report) => self.explain(py, asked, report),
        };
        let verdict = verdict.unwrap_or_else(|error| {
            statistics.failed.fetch_add(1, Ordering::Relaxed);
            let traceback = error
                .traceback(py)
                .and_then(|traceback| traceback.format().ok())
                .unwrap_or_default();
            log.put(Line::Notice {
                message: format!("the policy failed, the request is refused: {error}\n{traceback}"),
            });
            Verdict::Failed
        });
        pending.answer(verdict);
    }

    fn decide(&self, py: Python<'_>, asked: &Asked) -> PyResult<Verdict> {
        let request = self.request(py, asked)?;
        let decision = self.decide.bind(py).call1((request,))?;
        match decision.getattr_opt(intern!(py, "origin"))? {
            Some(origin) => self.forward(py, &decision, &origin),
            None => self.respond(py, &decision),
        }
    }

    fn explain(&self, py: Python<'_>, asked: &Asked, report: &Report) -> PyResult<Verdict> {
        let request = self.request(py, asked)?;
        let fault = self.fault.bind(py).call1((
            report.status,
            report.code,
            &report.reason,
            &*report.origin,
            request,
            report.kind,
        ))?;
        self.respond(py, &self.answer.bind(py).call1((fault,))?)
    }

    fn request<'py>(&self, py: Python<'py>, asked: &Asked) -> PyResult<Bound<'py, PyAny>> {
        let head = &asked.head;
        let tls = match &asked.tls {
            None => None,
            Some(facts) => {
                let name = facts.server_name.as_deref().unwrap_or_default();
                Some(self.tls_facts.bind(py).call1((facts.version, facts.cipher, name))?)
            }
        };
        let headers: Vec<(Bound<'py, PyString>, Bound<'py, PyString>)> = asked
            .fields()
            .map(|(name, value)| (PyString::new(py, name), latin_1(py, value)))
            .collect();
        let arguments = [
            text(py, &asked.ray),
            text(py, head.method()),
            if asked.tls.is_some() {
                intern!(py, "https")
            } else {
                intern!(py, "http")
            }
            .clone()
            .into_any(),
            text(py, head.host()),
            text(py, head.path()),
            text(py, head.query()),
            match head.version() {
                Version::Http10 => intern!(py, "HTTP/1.0"),
                Version::Http11 => intern!(py, "HTTP/1.1"),
                Version::Http2 => intern!(py, "HTTP/2"),
            }
            .clone()
            .into_any(),
            PyTuple::new(py, headers)?.into_any(),
            text(py, &asked.client.ip().to_canonical().to_string()),
            asked.client.port().into_pyobject(py)?.into_any(),
            asked.edge_port.into_pyobject(py)?.into_any(),
            tls.unwrap_or_else(|| py.None().into_bound(py)),
            PyBool::new(py, asked.is_upgrade).to_owned().into_any(),
            PyBool::new(py, asked.is_egress).to_owned().into_any(),
        ];
        self.request.bind(py).call1(PyTuple::new(py, arguments)?)
    }

    fn forward(&self, py: Python<'_>, decision: &Bound<'_, PyAny>, origin: &Bound<'_, PyAny>) -> PyResult<Verdict> {
        let origin = origin.cast::<Origin>()?;
        let given = |name| given(decision, name);
        Ok(Verdict::Forward(Forward {
            origin: origin.get().core.clone(),
            zone: self.zone(py, decision)?,
            server_name: match given(intern!(py, "server_name"))? {
                None => None,
                Some(name) => Some(server_name(&name.extract::<String>()?).map_err(PyValueError::new_err)?),
            },
            strip_upgrade: given(intern!(py, "strip_upgrade"))?.is_some(),
            set_headers: fields(&decision.getattr(intern!(py, "set_headers"))?)?,
            remove_headers: decision.getattr(intern!(py, "remove_headers"))?.extract()?,
            set_response_headers: match given(intern!(py, "set_response_headers"))? {
                None => Vec::new(),
                Some(pairs) => fields(&pairs)?,
            },
            explain_statuses: match given(intern!(py, "explain_statuses"))? {
                None => Vec::new(),
                Some(statuses) => statuses.extract()?,
            },
            tunnel: match given(intern!(py, "tunnel"))? {
                None => None,
                Some(options) => Some(Arc::clone(&options.cast::<TunnelOptions>()?.get().core)),
            },
            worker: target(given(intern!(py, "worker"))?)?,
            park: target(given(intern!(py, "park"))?)?,
        }))
    }

    fn respond(&self, py: Python<'_>, decision: &Bound<'_, PyAny>) -> PyResult<Verdict> {
        let status: u16 = decision.getattr(intern!(py, "status"))?.extract()?;
        if !(200..=599).contains(&status) {
            return Err(PyValueError::new_err(format!(
                "status: expected 200 to 599, got {status}"
            )));
        }
        Ok(Verdict::Respond(Respond {
            status,
            zone: Some(self.zone(py, decision)?),
            headers: fields(&decision.getattr(intern!(py, "headers"))?)?,
            body: decision.getattr(intern!(py, "body"))?.extract()?,
        }))
    }

    fn zone(&self, py: Python<'_>, decision: &Bound<'_, PyAny>) -> PyResult<Arc<Zone>> {
        Ok(match given(decision, intern!(py, "zone"))? {
            None => Arc::clone(self.zones.nameless()),
            Some(name) => self.zones.named(name.cast::<PyString>()?.to_str()?),
        })
    }
}

/// The attribute, unless it is missing or empty: most requests use few of what a decision may say.
fn given<'py>(decision: &Bound<'py, PyAny>, name: &Bound<'py, PyString>) -> PyResult<Option<Bound<'py, PyAny>>> {
    Ok(match decision.getattr_opt(name)? {
        Some(value) if value.is_truthy()? => Some(value),
        _ => None,
    })
}

fn target(given: Option<Bound<'_, PyAny>>) -> PyResult<Option<Arc<CoreWorkerTarget>>> {
    Ok(match given {
        None => None,
        Some(target) => Some(Arc::clone(&target.cast::<WorkerTarget>()?.get().core)),
    })
}

fn text<'py>(py: Python<'py>, text: &str) -> Bound<'py, PyAny> {
    PyString::new(py, text).into_any()
}

/// Field values are bytes; as Latin-1 each byte is one character and nothing is lost (RFC 9110 §5.5).
fn latin_1<'py>(py: Python<'py>, bytes: &[u8]) -> Bound<'py, PyString> {
    match std::str::from_utf8(bytes) {
        Ok(text) if bytes.is_ascii() => PyString::new(py, text),
        _ => PyString::new(py, &bytes.iter().map(|byte| char::from(*byte)).collect::<String>()),
    }
}

/// Header fields of a decision. A name or a value that would break the message is a fault of the policy.
fn fields(pairs: &Bound<'_, PyAny>) -> PyResult<Vec<(String, String)>> {
    let fields: Vec<(String, String)> = pairs.extract()?;
    for (name, value) in &fields {
        if !is_token(name.as_bytes()) || !is_field_value(value.as_bytes()) {
            return Err(PyValueError::new_err(format!(
                "headers: {name:?}: {value:?} is not a header field"
            )));
        }
    }
    Ok(fields)
}
