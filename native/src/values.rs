//! Values that cross the boundary: checked when they are made, immutable after.

use std::net::IpAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use holdfast_core::origin::{Address, Origin as CoreOrigin, OriginOptions};
use holdfast_core::policy::WorkerTarget as CoreWorkerTarget;
use holdfast_core::tls::{Certificate as CoreCertificate, TlsRule as CoreTlsRule, Verify};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::PyTuple;

/// Where to dial.
#[pyclass(frozen, module = "holdfast._native")]
pub(crate) struct Origin {
    pub(crate) core: Arc<CoreOrigin>,
}

#[pymethods]
impl Origin {
    #[new]
    #[pyo3(signature = (*, label, scheme, host = String::new(), addresses = Vec::new(), port = 0, unix_path = None,
        base_path = String::new(), server_name = String::new(), verify = true, ca_pem = None, connect_timeout_s = 19.0,
        answer_timeout_s = 125.0),
        text_signature = "(*, label, scheme, host='', addresses=(), port=0, unix_path=None, base_path='', server_name='', verify=True, ca_pem=None, connect_timeout_s=19.0, answer_timeout_s=125.0)")]
    // One keyword a fact; Python's callers name them all.
    #[allow(clippy::too_many_arguments, clippy::needless_pass_by_value)]
    fn new(
        label: String,
        scheme: &str,
        host: String,
        addresses: Vec<String>,
        port: u16,
        unix_path: Option<PathBuf>,
        base_path: String,
        server_name: String,
        verify: bool,
        ca_pem: Option<Vec<u8>>,
        connect_timeout_s: f64,
        answer_timeout_s: f64,
    ) -> PyResult<Self> {
        let address = match (unix_path, host.is_empty(), addresses.is_empty()) {
            (Some(path), true, true) => Address::Unix(path),
            (None, false, true) | (None, true, false) if port == 0 => {
                return Err(PyValueError::new_err("port: expected 1 to 65535, got 0"));
            }
            (None, false, true) => Address::Host(host, port),
            (None, true, false) => Address::Addresses(ips(&addresses)?, port),
            _ => {
                return Err(PyValueError::new_err(
                    "host, addresses, unix_path: expected exactly one of them",
                ));
            }
        };
        let tls = match scheme {
            "http" => None,
            "https" => Some(match (verify, ca_pem) {
                (false, _) => Verify::Nothing,
                (true, Some(pem)) => Verify::Ca(pem),
                (true, None) => Verify::System,
            }),
            other => {
                return Err(PyValueError::new_err(format!(
                    "scheme: expected \"http\" or \"https\", got {other:?}"
                )));
            }
        };
        let options = OriginOptions {
            label,
            address,
            base_path,
            tls,
            server_name,
            connect_timeout: seconds("connect_timeout_s", connect_timeout_s)?,
            answer_timeout: seconds("answer_timeout_s", answer_timeout_s)?,
        };
        let core = CoreOrigin::new(options).map_err(PyValueError::new_err)?;
        Ok(Self { core: Arc::new(core) })
    }

    #[getter]
    fn label(&self) -> &str {
        self.core.label()
    }
}

fn ips(addresses: &[String]) -> PyResult<Box<[IpAddr]>> {
    let ip = |address: &String| {
        address.parse().map_err(|_| {
            PyValueError::new_err(format!(
                "addresses: expected IP addresses, IPv6 without brackets, got {address:?}"
            ))
        })
    };
    addresses.iter().map(ip).collect()
}

/// The process of a Worker's script.
#[pyclass(frozen, module = "holdfast._native")]
pub(crate) struct WorkerTarget {
    pub(crate) core: Arc<CoreWorkerTarget>,
}

#[pymethods]
impl WorkerTarget {
    #[new]
    #[pyo3(signature = (*, script, channel))]
    fn new(script: &str, channel: PathBuf) -> PyResult<Self> {
        if script.is_empty() {
            return Err(PyValueError::new_err("script: expected the key of a script, got \"\""));
        }
        if !channel.is_absolute() {
            return Err(PyValueError::new_err(format!(
                "channel: expected an absolute path, got {:?}",
                channel.display().to_string()
            )));
        }
        let (script, channel) = (script.into(), channel.into());
        Ok(Self {
            core: Arc::new(CoreWorkerTarget { script, channel }),
        })
    }

    #[getter]
    fn script(&self) -> &str {
        &self.core.script
    }

    #[getter]
    fn channel(&self) -> String {
        self.core.channel.display().to_string()
    }
}

/// A chain, its key, and the names it is for.
#[pyclass(frozen, module = "holdfast._native")]
pub(crate) struct Certificate {
    pub(crate) core: CoreCertificate,
}

#[pymethods]
impl Certificate {
    #[new]
    #[pyo3(signature = (*, names, chain_pem, key_pem))]
    fn new(names: Vec<String>, chain_pem: &[u8], key_pem: &[u8]) -> PyResult<Self> {
        let core = CoreCertificate::parse(names, chain_pem, key_pem)
            .map_err(|fault| PyValueError::new_err(fault.to_string()))?;
        Ok(Self { core })
    }

    #[getter]
    fn names<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyTuple>> {
        PyTuple::new(py, self.core.names())
    }
}

/// What TLS clients of some host names may use.
#[pyclass(frozen, module = "holdfast._native")]
pub(crate) struct TlsRule {
    pub(crate) core: CoreTlsRule,
}

#[pymethods]
impl TlsRule {
    #[new]
    #[pyo3(signature = (*, names, min_version, max_version, ciphers = Vec::new(), http2 = true),
        text_signature = "(*, names, min_version, max_version, ciphers=(), http2=True)")]
    // PyO3 takes sequences by value.
    #[allow(clippy::needless_pass_by_value)]
    fn new(
        names: Vec<String>,
        min_version: &str,
        max_version: &str,
        ciphers: Vec<String>,
        http2: bool,
    ) -> PyResult<Self> {
        let core = CoreTlsRule::parse(names, min_version, max_version, &ciphers).map_err(PyValueError::new_err)?;
        Ok(Self {
            core: if http2 { core } else { core.without_http2() },
        })
    }

    #[getter]
    fn names<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyTuple>> {
        PyTuple::new(py, self.core.names())
    }
}

/// A positive number of seconds.
pub(crate) fn seconds(name: &str, value: f64) -> PyResult<Duration> {
    Duration::try_from_secs_f64(value)
        .ok()
        .filter(|duration| !duration.is_zero())
        .ok_or_else(|| PyValueError::new_err(format!("{name}: expected a positive number of seconds, got {value}")))
}
