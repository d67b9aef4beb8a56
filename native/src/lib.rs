//! `holdfast._native`: the pymodule, nothing else. The contract is `src/holdfast/_native.pyi`.

mod closing;
mod connections;
mod edge;
mod inspect;
mod message_rules;
mod policy;
mod tunnel_options;
mod values;

use pyo3::prelude::*;

/// The Rust parts of Holdfast: the edge's core, and what rules ask of bytes.
#[pymodule]
mod _native {
    #[pymodule_export]
    use crate::edge::Edge;
    #[pymodule_export]
    use crate::inspect::{
        Pattern, PhraseSet, Screen, Undecided, begin_request, begin_rule, end_request, is_xss, spend, sqli_fingerprint,
        transform,
    };
    #[pymodule_export]
    use crate::message_rules::MessageRule;
    #[pymodule_export]
    use crate::tunnel_options::TunnelOptions;
    #[pymodule_export]
    use crate::values::{Certificate, Origin, TlsRule, WorkerTarget};
}
