//! Each pattern by itself, compiled once however many sources ask it.
//!
//! Law: what the patterns keep of values is bounded by their number, not by how often they are asked for.

use std::collections::HashMap;
use std::sync::Arc;

use crate::pattern::{PatternSet, Readable};

/// A pattern, to be put into sets and to be run alone.
#[derive(Debug)]
pub(super) struct Single {
    pub(super) readable: Readable,
    pub(super) set: PatternSet,
}

/// The patterns so far, by their text.
#[derive(Debug, Default)]
pub(super) struct Singles(HashMap<Vec<u8>, Arc<Single>>);

impl Singles {
    /// Fails with a sentence where it cannot be compiled.
    pub(super) fn of(&mut self, pattern: &[u8]) -> Result<Arc<Single>, String> {
        if let Some(known) = self.0.get(pattern) {
            return Ok(Arc::clone(known));
        }
        let readable = Readable::read(pattern)?;
        let set = PatternSet::new([&readable])?;
        let single = Arc::new(Single { readable, set });
        self.0.insert(pattern.to_vec(), Arc::clone(&single));
        Ok(single)
    }

    pub(super) fn memory(&self) -> usize {
        self.0.values().map(|single| single.set.memory()).sum()
    }
}
