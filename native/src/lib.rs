//! `holdfast._native`: the pymodule, nothing else. The contract is `src/holdfast/_native.pyi`.

mod edge;
mod policy;
mod values;

use pyo3::prelude::*;

/// The Rust core of the Holdfast edge.
#[pymodule]
mod _native {
    #[pymodule_export]
    use crate::edge::Edge;
    #[pymodule_export]
    use crate::values::{Certificate, Origin, TlsRule};
}
