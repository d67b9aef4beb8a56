//! What a value must contain for a pattern to match: a few byte strings, at least one of which is in every match.
//!
//! Theory. Most attack patterns have a word in them. Looking for all words of all patterns takes one pass that no value can
//! slow down, and a pattern whose words are not there need not be run.
//!
//! Law: every match of the pattern contains one of the needles, in some ASCII case. No needles means nothing is known.

use super::bytes::ByteSet;
use super::tree::Node;

/// Most needles of a pattern, and of any set on the way to them.
const MAX_NEEDLES: usize = 64;
/// Longest needle; what is behind it would not make it rarer.
const MAX_LENGTH: usize = 8;
/// Shortest useful needle: shorter ones are in most values.
const MIN_LENGTH: usize = 2;

/// What is known of the text that a node matches.
enum Known {
    /// It is exactly one of these, in lower case.
    Exactly(Vec<Vec<u8>>),
    /// It contains one of these; with none, nothing is known.
    Contains(Vec<Vec<u8>>),
}

/// The needles of a tree, in lower case; empty where there are no useful ones.
pub(super) fn needles(node: &Node) -> Vec<Vec<u8>> {
    useful(known(node))
}

fn useful(known: Known) -> Vec<Vec<u8>> {
    let (Known::Exactly(mut strings) | Known::Contains(mut strings)) = known;
    if worth(&strings) < MIN_LENGTH {
        strings.clear();
    }
    strings
}

/// The length of the shortest: the others are at least as rare.
fn worth(strings: &[Vec<u8>]) -> usize {
    strings.iter().map(Vec::len).min().unwrap_or(0)
}

fn known(node: &Node) -> Known {
    match node {
        Node::Empty | Node::At(_) | Node::Around(..) => Known::Exactly(vec![Vec::new()]),
        Node::Bytes(set) => of_bytes(*set),
        Node::Concat(parts) => concat(parts),
        Node::Either(parts) => either(parts),
        Node::Group(_, node)
        | Node::Atomic(node)
        | Node::Repeat {
            node,
            least: 1,
            most: Some(1),
            ..
        } => known(node),
        Node::Repeat {
            node,
            least: 0,
            most: Some(1),
            ..
        } => match known(node) {
            Known::Exactly(mut strings) if strings.len() < MAX_NEEDLES => {
                strings.push(Vec::new());
                Known::Exactly(strings)
            }
            _ => Known::Contains(Vec::new()),
        },
        Node::Repeat { least: 0, .. } | Node::Again { .. } => Known::Contains(Vec::new()),
        Node::Repeat { node, .. } => Known::Contains(useful(known(node))),
    }
}

fn of_bytes(set: ByteSet) -> Known {
    let mut lower: Vec<Vec<u8>> = set.iter().map(|byte| vec![byte.to_ascii_lowercase()]).collect();
    lower.sort_unstable();
    lower.dedup();
    if lower.len() > 4 {
        Known::Contains(Vec::new())
    } else {
        Known::Exactly(lower)
    }
}

/// The best run of parts that are known exactly, or the best that one part contains.
fn concat(parts: &[Node]) -> Known {
    let mut best: Vec<Vec<u8>> = Vec::new();
    let mut run = vec![Vec::new()];
    let mut is_exact = true;
    for part in parts {
        let (strings, is_part_exact) = match known(part) {
            Known::Exactly(strings) => (strings, true),
            Known::Contains(strings) => (strings, false),
        };
        let longer = if is_part_exact { product(&run, &strings) } else { None };
        if let Some(longer) = longer {
            run = longer;
        } else {
            is_exact = false;
            keep_better(&mut best, std::mem::replace(&mut run, vec![Vec::new()]));
            if is_part_exact {
                run = strings;
            } else {
                keep_better(&mut best, strings);
            }
        }
    }
    if is_exact {
        return Known::Exactly(run);
    }
    keep_better(&mut best, run);
    Known::Contains(best)
}

/// Each of `before` followed by each of `after`; None where they are too many or long enough.
fn product(before: &[Vec<u8>], after: &[Vec<u8>]) -> Option<Vec<Vec<u8>>> {
    let is_bounded = before.len() * after.len() <= MAX_NEEDLES && worth(before) < MAX_LENGTH;
    is_bounded.then(|| {
        let mut strings: Vec<Vec<u8>> = before
            .iter()
            .flat_map(|start| after.iter().map(move |end| [start.as_slice(), end].concat()))
            .collect();
        strings.sort_unstable();
        strings.dedup();
        strings
    })
}

fn keep_better(best: &mut Vec<Vec<u8>>, other: Vec<Vec<u8>>) {
    let value = |strings: &[Vec<u8>]| (worth(strings), std::cmp::Reverse(strings.len()));
    if value(&other) > value(best) {
        *best = other;
    }
}

fn either(parts: &[Node]) -> Known {
    let mut strings = Vec::new();
    let mut is_exact = true;
    for part in parts {
        let mut more = match known(part) {
            Known::Exactly(strings) => strings,
            Known::Contains(strings) => {
                is_exact = false;
                strings
            }
        };
        if more.is_empty() || strings.len() + more.len() > MAX_NEEDLES {
            return Known::Contains(Vec::new());
        }
        strings.append(&mut more);
    }
    strings.sort_unstable();
    strings.dedup();
    if is_exact {
        Known::Exactly(strings)
    } else {
        Known::Contains(strings)
    }
}

#[cfg(test)]
#[path = "needles_tests.rs"]
mod tests;
