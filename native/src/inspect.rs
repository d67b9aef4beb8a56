//! `holdfast-inspect` as Python calls it: bytes and numbers over the boundary, nothing kept but what was compiled.

use std::cell::RefCell;
use std::ops::Range;

use holdfast_inspect::meter::{self, Budget, Meter};
use holdfast_inspect::pattern::Pattern as CorePattern;
use holdfast_inspect::phrases::PhraseSet as CorePhrases;
use holdfast_inspect::screen::{Group, Screen as CoreScreen, Test};
use holdfast_inspect::{injection, transform as transformations};
use pyo3::exceptions::{PyException, PyValueError};
use pyo3::prelude::*;
use pyo3::pybacked::PyBackedBytes;
use pyo3::types::{PyBytes, PyDict, PyTuple};

pyo3::create_exception!(
    _native,
    Undecided,
    PyException,
    "Nobody knows: it would have taken too long to find out."
);

thread_local! {
    /// What the rules that this thread evaluates may still cost.
    static BUDGET: RefCell<Budget> = const { RefCell::new(Budget::of_a_rule()) };
}

/// Let `work` spend of what this thread's rule may still cost.
fn metered<T>(work: impl FnOnce(&mut Meter) -> Result<T, meter::Undecided>) -> PyResult<T> {
    BUDGET
        .with_borrow_mut(|budget| work(&mut budget.rule))
        .map_err(undecided)
}

fn undecided(_: meter::Undecided) -> PyErr {
    Undecided::new_err("it took too many steps")
}

/// A request begins: its rules may cost so much together.
#[pyfunction]
pub(crate) fn begin_request() {
    BUDGET.set(Budget::of_a_request());
}

/// What follows on this thread is of no request: a rule is by itself.
#[pyfunction]
pub(crate) fn end_request() {
    BUDGET.set(Budget::of_a_rule());
}

/// A rule begins: it may cost what any may, and what is left of its request's.
#[pyfunction]
pub(crate) fn begin_rule() {
    BUDGET.with_borrow_mut(Budget::begin_rule);
}

/// Take steps from what the rule may still cost.
#[pyfunction]
pub(crate) fn spend(steps: u64) -> PyResult<()> {
    metered(|meter| meter.spend(u32::try_from(steps).unwrap_or(u32::MAX)))
}

/// `value` after ModSecurity's transformations of these names.
#[pyfunction]
// PyO3 takes sequences by value.
#[allow(clippy::needless_pass_by_value)]
pub(crate) fn transform<'py>(py: Python<'py>, names: Vec<String>, value: &[u8]) -> PyResult<Bound<'py, PyBytes>> {
    let chain = transformations::chain(&names).map_err(PyValueError::new_err)?;
    Ok(PyBytes::new(py, &transformations::apply(&chain, value)))
}

/// The fingerprint of an SQL injection.
#[pyfunction]
pub(crate) fn sqli_fingerprint<'py>(py: Python<'py>, value: &[u8]) -> Option<Bound<'py, PyBytes>> {
    injection::sqli_fingerprint(value).map(|fingerprint| PyBytes::new(py, &fingerprint))
}

/// Whether a browser could run a script of it.
#[pyfunction]
pub(crate) fn is_xss(value: &[u8]) -> bool {
    injection::is_xss(value)
}

/// One regular expression.
#[pyclass(frozen, module = "holdfast._native")]
pub(crate) struct Pattern {
    core: CorePattern,
    /// Whether it spends of what the thread's rule may cost, or of as much each time.
    is_metered: bool,
}

impl Pattern {
    fn metered<T>(&self, work: impl FnOnce(&mut Meter) -> Result<T, meter::Undecided>) -> PyResult<T> {
        if self.is_metered {
            metered(work)
        } else {
            work(&mut Meter::of(meter::A_RULE)).map_err(undecided)
        }
    }
}

#[pymethods]
impl Pattern {
    #[new]
    #[pyo3(signature = (pattern, *, ignore_case = false, is_metered = false))]
    fn new(py: Python<'_>, pattern: &str, ignore_case: bool, is_metered: bool) -> PyResult<Self> {
        let core = py.detach(|| CorePattern::new(pattern.as_bytes(), ignore_case));
        Ok(Self {
            core: core.map_err(PyValueError::new_err)?,
            is_metered,
        })
    }

    #[getter]
    fn is_linear(&self) -> bool {
        self.core.is_linear()
    }

    fn search<'py>(&self, py: Python<'py>, value: &[u8]) -> PyResult<Option<Bound<'py, PyTuple>>> {
        let Some(groups) = self.metered(|meter| self.core.search(value, meter))? else {
            return Ok(None);
        };
        let text = |group: Option<Range<usize>>| PyBytes::new(py, group.map_or(&[], |group| &value[group]));
        PyTuple::new(py, groups.into_iter().map(text)).map(Some)
    }

    fn is_match(&self, value: &[u8]) -> PyResult<bool> {
        self.metered(|meter| self.core.is_match(value, meter))
    }
}

/// Phrases, any of which may be found.
#[pyclass(frozen, module = "holdfast._native")]
pub(crate) struct PhraseSet {
    core: CorePhrases,
}

#[pymethods]
impl PhraseSet {
    #[new]
    // PyO3 takes sequences by value.
    #[allow(clippy::needless_pass_by_value)]
    fn new(phrases: Vec<PyBackedBytes>) -> PyResult<Self> {
        let core = CorePhrases::new(&phrases).map_err(PyValueError::new_err)?;
        Ok(Self { core })
    }

    fn first<'py>(&self, py: Python<'py>, value: &[u8]) -> Option<Bound<'py, PyBytes>> {
        self.core.first(value).map(|found| PyBytes::new(py, &value[found]))
    }
}

/// Many tests over one request in one call.
#[pyclass(frozen, module = "holdfast._native")]
pub(crate) struct Screen {
    core: CoreScreen,
}

/// A test as Python writes it: what it does, and the pattern or the phrases.
type Written<'py> = (String, Bound<'py, PyAny>);

#[pymethods]
impl Screen {
    #[new]
    fn new(py: Python<'_>, groups: Vec<(usize, Vec<String>, Vec<Written<'_>>)>) -> PyResult<Self> {
        let mut number = 0;
        let mut read = Vec::with_capacity(groups.len());
        for (source, names, written) in groups {
            let chain = transformations::chain(&names).map_err(PyValueError::new_err)?;
            let mut tests = Vec::with_capacity(written.len());
            for one in written {
                tests.push(test(&one).map_err(|what| PyValueError::new_err(format!("test {number}: {what}")))?);
                number += 1;
            }
            read.push(Group { source, chain, tests });
        }
        let core = py.detach(|| CoreScreen::new(&read)).map_err(PyValueError::new_err)?;
        Ok(Self { core })
    }

    /// With the GIL: a scan takes a tenth of a millisecond, and the thread that decides has nothing else to do.
    // PyO3 takes sequences by value.
    #[allow(clippy::needless_pass_by_value)]
    fn scan(&self, sources: Vec<Vec<PyBackedBytes>>) -> Vec<usize> {
        self.core.scan(&sources)
    }

    fn statistics<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        let figures = PyDict::new(py);
        for (name, figure) in self.core.statistics() {
            figures.set_item(name, figure)?;
        }
        Ok(figures)
    }
}

fn test((what, of): &Written<'_>) -> Result<Test, String> {
    let wrong = |expected: &str| format!("{what:?} takes {expected}");
    match what.as_str() {
        "rx" => match of.extract::<String>() {
            Ok(pattern) => Ok(Test::Pattern(pattern.into_bytes())),
            Err(_) => Err(wrong("a pattern (str)")),
        },
        "pm" => match of.extract::<Vec<Vec<u8>>>() {
            Ok(phrases) => Ok(Test::Phrases(phrases)),
            Err(_) => Err(wrong("phrases (a sequence of bytes)")),
        },
        "sqli" => Ok(Test::Sqli),
        "xss" => Ok(Test::Xss),
        _ => Err(format!("expected \"rx\", \"pm\", \"sqli\" or \"xss\", got {what:?}")),
    }
}
