//! The running edge as Python sees it.

use std::fs::File;
use std::net::{SocketAddr, TcpListener};
use std::os::fd::{BorrowedFd, FromRawFd, OwnedFd, RawFd};
use std::os::unix::net::UnixListener;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};

use holdfast_core::edge::{Edge as CoreEdge, EdgeOptions, end_soon};
use holdfast_core::origin::parse_name_server;
use holdfast_core::tls::ServerTls;
use holdfast_core::zones::{ZoneStatistics, Zones};
use pyo3::exceptions::{PyRuntimeError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::PyDict;

use crate::closing::{check_close, parting, window, worded};
use crate::connections::{self, Classes};
use crate::policy::Policy;
use crate::values::{Certificate, TlsRule, seconds};

/// What `start` needs, and consumes.
struct Prepared {
    options: EdgeOptions,
    log: File,
    policy: Policy,
}

enum State {
    Prepared(Box<Prepared>),
    Running(CoreEdge, JoinHandle<()>),
    Ended,
}

/// The running edge.
#[pyclass(frozen, module = "holdfast._native")]
pub(crate) struct Edge {
    tls: Arc<ServerTls>,
    zone_statistics: Py<PyAny>,
    classes: Classes,
    state: Mutex<State>,
}

#[pymethods]
impl Edge {
    #[new]
    #[pyo3(signature = (*, listeners, threads, decide, answer, certificates = Vec::new(), log_fd = 2,
        colo = "LOC".to_owned(), max_connections = 9_900, tls_rules = Vec::new(), resolvers = Vec::new(),
        max_pending_connects = 256, egress_fd = None),
        text_signature = "(*, listeners, threads, decide, answer, certificates=(), log_fd=2, colo='LOC', max_connections=9900, tls_rules=(), resolvers=(), max_pending_connects=256, egress_fd=None)")]
    // One keyword a fact; Python's callers name them all. PyO3 takes sequences by value.
    #[allow(clippy::too_many_arguments, clippy::needless_pass_by_value)]
    fn new(
        py: Python<'_>,
        listeners: Vec<(RawFd, bool)>,
        threads: usize,
        decide: Py<PyAny>,
        answer: Py<PyAny>,
        certificates: Vec<PyRef<'_, Certificate>>,
        log_fd: RawFd,
        colo: String,
        max_connections: usize,
        tls_rules: Vec<PyRef<'_, TlsRule>>,
        resolvers: Vec<String>,
        max_pending_connects: usize,
        egress_fd: Option<RawFd>,
    ) -> PyResult<Self> {
        // First of all, so that whatever is wrong below, the descriptors are closed.
        let (listeners, egress) = (take_over(listeners), egress_fd.map(owned));
        if threads == 0 {
            return Err(PyValueError::new_err("threads: expected at least 1, got 0"));
        }
        if max_connections < listeners.len() * 2 {
            return Err(PyValueError::new_err(format!(
                "max_connections: expected at least two for each listener ({}), got {max_connections}",
                listeners.len() * 2
            )));
        }
        if colo.len() != 3 || !colo.bytes().all(|letter| letter.is_ascii_uppercase()) {
            return Err(PyValueError::new_err(format!(
                "colo: expected three upper-case letters, got {colo:?}"
            )));
        }
        let tls = ServerTls::new(values(&certificates), rules(&tls_rules));
        let listeners = listeners
            .into_iter()
            .map(|(fd, is_tls)| Ok((listener(fd)?, is_tls)))
            .collect::<PyResult<_>>()?;
        let zones = Arc::<Zones>::default();
        let policy = Policy::new(py, decide, answer, Arc::clone(&zones))?;
        let options = EdgeOptions {
            listeners,
            threads,
            tls: Arc::clone(&tls),
            colo,
            max_connections,
            max_pending_connects,
            egress: egress.map(egress_listener).transpose()?,
            name_servers: name_servers(&resolvers)?,
            zones: Arc::clone(&zones),
        };
        let prepared = Prepared {
            options,
            log: duplicate(log_fd)?,
            policy,
        };
        Ok(Self {
            tls,
            classes: Classes::new(py)?,
            zone_statistics: py
                .import("holdfast.model.zone_statistics")?
                .getattr("ZoneStatistics")?
                .unbind(),
            state: Mutex::new(State::Prepared(Box::new(prepared))),
        })
    }

    fn start(&self, py: Python<'_>) -> PyResult<()> {
        py.detach(|| {
            let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
            // Looked at first: a running edge must stay where it is.
            if !matches!(*state, State::Prepared(_)) {
                return Err(PyRuntimeError::new_err("the edge has been started already"));
            }
            let State::Prepared(prepared) = std::mem::replace(&mut *state, State::Ended) else {
                return Ok(());
            };
            let Prepared { options, log, policy } = *prepared;
            let (edge, mut questions) = CoreEdge::start(options, log)?;
            let log = edge.log().clone();
            let thread = thread::Builder::new()
                .name("policy".into())
                .spawn(move || policy.run(&mut questions, &log))?;
            *state = State::Running(edge, thread);
            Ok(())
        })
    }

    // PyO3 takes sequences by value.
    #[allow(clippy::needless_pass_by_value)]
    fn set_certificates(&self, py: Python<'_>, certificates: Vec<PyRef<'_, Certificate>>) {
        let certificates = values(&certificates);
        py.detach(|| self.tls.replace_certificates(certificates));
    }

    // PyO3 takes sequences by value.
    #[pyo3(signature = (*, certificates, rules))]
    #[allow(clippy::needless_pass_by_value)]
    fn set_tls(&self, py: Python<'_>, certificates: Vec<PyRef<'_, Certificate>>, rules: Vec<PyRef<'_, TlsRule>>) {
        let (certificates, rules) = (values(&certificates), self::rules(&rules));
        py.detach(|| self.tls.replace(certificates, rules));
    }

    #[pyo3(signature = (*, grace_s))]
    fn stop(&self, py: Python<'_>, grace_s: f64) -> PyResult<()> {
        let grace = seconds("grace_s", grace_s)?;
        py.detach(|| {
            let state = std::mem::replace(
                &mut *self.state.lock().unwrap_or_else(PoisonError::into_inner),
                State::Ended,
            );
            if let State::Running(edge, policy) = state {
                edge.stop(grace);
                // It ends with the last that could ask, unless a decision hangs.
                end_soon(policy);
            }
        });
        Ok(())
    }

    fn statistics<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        let statistics = PyDict::new(py);
        for (name, value) in self.while_running(py, CoreEdge::statistics).unwrap_or_default() {
            statistics.set_item(name, value)?;
        }
        Ok(statistics)
    }

    fn connections<'py>(
        &self,
        py: Python<'py>,
        query: &Bound<'py, PyAny>,
    ) -> PyResult<(usize, Vec<Bound<'py, PyAny>>)> {
        let query = connections::query(query)?;
        let (total, page) = self
            .while_running(py, |edge| edge.connections(query))
            .unwrap_or_default();
        let page = page.iter().map(|live| self.classes.open(py, live));
        Ok((total, page.collect::<PyResult<_>>()?))
    }

    fn connection<'py>(&self, py: Python<'py>, id: &str) -> PyResult<Option<Bound<'py, PyAny>>> {
        let found = self.while_running(py, |edge| edge.connection(id)).flatten();
        found.map(|found| self.classes.found(py, &found)).transpose()
    }

    fn close_connections(&self, py: Python<'_>, filter: &Bound<'_, PyAny>, code: u16, reason: &str) -> PyResult<usize> {
        let filter = connections::filter(filter)?;
        check_close(code, reason)?;
        let told = self.while_running(py, |edge| edge.close_connections(filter, code, reason));
        Ok(told.unwrap_or_default())
    }

    fn watch_connections(&self, py: Python<'_>, on: bool) {
        self.while_running(py, |edge| edge.watch_connections(on));
    }

    fn take_connection_events<'py>(&self, py: Python<'py>, limit: usize) -> PyResult<(u64, Vec<Bound<'py, PyAny>>)> {
        let taken = self.while_running(py, |edge| edge.take_connection_events(limit));
        let (lost, events) = taken.unwrap_or_default();
        let events = events.iter().map(|event| self.classes.event(py, event));
        Ok((lost, events.collect::<PyResult<_>>()?))
    }

    #[pyo3(signature = (*, accept_waiting = false))]
    fn retire(&self, py: Python<'_>, accept_waiting: bool) {
        self.while_running(py, |edge| edge.retire(accept_waiting));
    }

    #[pyo3(signature = (*, why, reason, window_s, order = "oldest", code = 1012),
        text_signature = "($self, *, why, reason, window_s, order='oldest', code=1012)")]
    fn close_evenly(
        &self,
        py: Python<'_>,
        why: &str,
        reason: &str,
        window_s: f64,
        order: &str,
        code: u16,
    ) -> PyResult<u64> {
        let (why, order, within) = (parting(why)?, crate::closing::order(order)?, window(window_s)?);
        let reason = worded(why, reason);
        check_close(code, &reason)?;
        let open = self.while_running(py, |edge| edge.close_evenly(why, code, &reason, within, order));
        Ok(open.unwrap_or_default())
    }

    #[pyo3(signature = (*, zone, code, reason))]
    fn close_tunnels(&self, py: Python<'_>, zone: &str, code: u16, reason: &str) -> PyResult<usize> {
        check_close(code, reason)?;
        let told = self.while_running(py, |edge| edge.close_tunnels(zone, code, reason));
        Ok(told.unwrap_or_default())
    }

    fn zone_statistics<'py>(&self, py: Python<'py>) -> PyResult<Vec<Bound<'py, PyAny>>> {
        let class = self.zone_statistics.bind(py);
        let zones = self.while_running(py, CoreEdge::zone_statistics).unwrap_or_default();
        zones
            .into_iter()
            .map(|(name, figures)| zone_figures(class, &name, figures))
            .collect()
    }

    // PyO3 takes sequences by value.
    #[allow(clippy::needless_pass_by_value)]
    fn forget_zones(&self, py: Python<'_>, keep: Vec<String>) {
        let keep = keep.into_iter().collect();
        self.while_running(py, |edge| edge.forget_zones(keep));
    }

    fn decide_latency(&self, py: Python<'_>) -> (Vec<(f64, u64)>, f64, u64) {
        let figures = self.while_running(py, CoreEdge::decide_latency).unwrap_or_default();
        (figures.buckets, figures.sum_s, figures.count)
    }
}

impl Edge {
    /// What the running edge says to this, asked without the GIL; None where it is not running.
    fn while_running<T: Send>(&self, py: Python<'_>, ask: impl FnOnce(&CoreEdge) -> T + Send) -> Option<T> {
        py.detach(|| match &*self.state.lock().unwrap_or_else(PoisonError::into_inner) {
            State::Running(edge, _) => Some(ask(edge)),
            State::Prepared(_) | State::Ended => None,
        })
    }
}

fn zone_figures<'py>(class: &Bound<'py, PyAny>, name: &str, figures: ZoneStatistics) -> PyResult<Bound<'py, PyAny>> {
    let closes = figures.closes();
    let traffic = figures.traffic;
    class.call1((
        name,
        figures.open,
        figures.opened,
        traffic.messages_to_origin,
        traffic.messages_to_client,
        traffic.bytes_to_origin,
        traffic.bytes_to_client,
        figures.upgrades,
        figures.requests,
        closes,
        figures.messages_found,
    ))
}

fn values(certificates: &[PyRef<'_, Certificate>]) -> Vec<holdfast_core::tls::Certificate> {
    certificates
        .iter()
        .map(|certificate| certificate.core.clone())
        .collect()
}

fn rules(rules: &[PyRef<'_, TlsRule>]) -> Vec<holdfast_core::tls::TlsRule> {
    rules.iter().map(|rule| rule.core.clone()).collect()
}

fn name_servers(resolvers: &[String]) -> PyResult<Vec<SocketAddr>> {
    let server = |text: &String| {
        parse_name_server(text).ok_or_else(|| {
            PyValueError::new_err(format!(
                "resolvers: expected IP addresses, with a port or without, got {text:?}"
            ))
        })
    };
    resolvers.iter().map(server).collect()
}

/// Descriptors that are ours from here on; None for a number that cannot be one.
fn take_over(listeners: Vec<(RawFd, bool)>) -> Vec<(Option<OwnedFd>, bool)> {
    listeners.into_iter().map(|(fd, is_tls)| (owned(fd), is_tls)).collect()
}

fn owned(fd: RawFd) -> Option<OwnedFd> {
    // SAFETY: the caller hands the descriptor over (`_native.pyi`: "the edge takes each descriptor over"), so nobody else
    // closes it; that it is open and a socket shows in the next call, which fails where it is not.
    (fd >= 0).then(|| unsafe { OwnedFd::from_raw_fd(fd) })
}

fn egress_listener(fd: Option<OwnedFd>) -> PyResult<UnixListener> {
    let fd = fd.ok_or_else(|| PyValueError::new_err("egress_fd: expected a file descriptor, got a negative number"))?;
    let listener = UnixListener::from(fd);
    // Other edges share its mode, and leave it so.
    listener.set_nonblocking(true)?;
    Ok(listener)
}

fn listener(fd: Option<OwnedFd>) -> PyResult<TcpListener> {
    let fd = fd.ok_or_else(|| PyValueError::new_err("listeners: expected file descriptors, got a negative number"))?;
    let listener = TcpListener::from(fd);
    listener.set_nonblocking(true)?;
    Ok(listener)
}

/// A descriptor of our own for the caller's.
fn duplicate(fd: RawFd) -> PyResult<File> {
    if fd < 0 {
        return Err(PyValueError::new_err(format!(
            "log_fd: expected a file descriptor, got {fd}"
        )));
    }
    // SAFETY: borrowed only for this call, during which the caller keeps it open; a closed one makes `dup` fail.
    let borrowed = unsafe { BorrowedFd::borrow_raw(fd) };
    Ok(File::from(borrowed.try_clone_to_owned()?))
}
