//! A rule on messages, as it crosses the boundary: compiled once, when its zone is.

use std::sync::Arc;

use holdfast_core::messages::MessageRule as CoreMessageRule;
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;

/// A rule on messages.
#[pyclass(frozen, module = "holdfast._native")]
pub(crate) struct MessageRule {
    pub(crate) core: Arc<CoreMessageRule>,
}

#[pymethods]
impl MessageRule {
    #[new]
    #[pyo3(signature = (*, id, direction, action, pattern = None, schema = None))]
    fn new(
        py: Python<'_>,
        id: &str,
        direction: &str,
        action: &str,
        pattern: Option<&str>,
        schema: Option<&str>,
    ) -> PyResult<Self> {
        let core = py.detach(|| CoreMessageRule::new(id, direction, action, pattern, schema));
        Ok(Self {
            core: Arc::new(core.map_err(PyValueError::new_err)?),
        })
    }

    #[getter]
    fn id(&self) -> &str {
        self.core.id()
    }

    #[getter]
    fn action(&self) -> &str {
        self.core.action().name()
    }
}
