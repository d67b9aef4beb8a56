//! Values that cross the boundary: checked when they are made, immutable after.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use holdfast_core::origin::{Address, Origin as CoreOrigin, OriginOptions};
use holdfast_core::tls::{Certificate as CoreCertificate, Verify};
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
    #[pyo3(signature = (*, label, scheme, host = String::new(), port = 0, unix_path = None, base_path = String::new(),
        verify = true, ca_pem = None, connect_timeout_s = 19.0, answer_timeout_s = 125.0),
        text_signature = "(*, label, scheme, host='', port=0, unix_path=None, base_path='', verify=True, ca_pem=None, connect_timeout_s=19.0, answer_timeout_s=125.0)")]
    // One keyword a fact; Python's callers name them all.
    #[allow(clippy::too_many_arguments)]
    fn new(
        label: String,
        scheme: &str,
        host: String,
        port: u16,
        unix_path: Option<PathBuf>,
        base_path: String,
        verify: bool,
        ca_pem: Option<Vec<u8>>,
        connect_timeout_s: f64,
        answer_timeout_s: f64,
    ) -> PyResult<Self> {
        let address = match (unix_path, host.is_empty()) {
            (Some(path), true) => Address::Unix(path),
            (None, false) if port > 0 => Address::Host(host, port),
            (None, false) => return Err(PyValueError::new_err("port: expected 1 to 65535, got 0")),
            _ => return Err(PyValueError::new_err("host, unix_path: expected exactly one of them")),
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

/// A positive number of seconds.
pub(crate) fn seconds(name: &str, value: f64) -> PyResult<Duration> {
    Duration::try_from_secs_f64(value)
        .ok()
        .filter(|duration| !duration.is_zero())
        .ok_or_else(|| PyValueError::new_err(format!("{name}: expected a positive number of seconds, got {value}")))
}
