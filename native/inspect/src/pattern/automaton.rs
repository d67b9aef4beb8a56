//! A tree as regular-expression syntax that a linear-time engine compiles, exactly or a little too wide.

use regex_automata::nfa::thompson::{self, NFA};
use regex_syntax::hir::{Capture, Class, ClassBytes, ClassBytesRange, Hir, Look, Repetition};

use super::tree::{Greed, Node, Place};

/// Largest compiled automaton. The largest pattern of the Core Rule Set 4 (8 KB of text) needs 240 KB, all of them together 5 MB.
const MAX_NFA_BYTES: usize = 8 * 1024 * 1024;

/// How a tree is to be translated.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Use {
    /// To find a match and its groups.
    Search,
    /// To learn whether there is one: groups are not remembered.
    Test,
}

/// The tree as the engine's own. What no automaton can do becomes something wider: a condition on what stands around
/// holds everywhere, a back-reference is anything, and nothing is atomic.
pub(super) fn translate(node: &Node, purpose: Use) -> Hir {
    match node {
        Node::Empty | Node::Around(..) => Hir::empty(),
        Node::Bytes(set) => match set.single() {
            Some(byte) => Hir::literal([byte]),
            None => Hir::class(Class::Bytes(ClassBytes::new(
                set.ranges()
                    .into_iter()
                    .map(|(first, last)| ClassBytesRange::new(first, last)),
            ))),
        },
        Node::At(place) => match place {
            Place::Start => Hir::look(Look::Start),
            Place::End => Hir::look(Look::End),
            Place::LineStart => Hir::look(Look::StartLF),
            // A superset of what it stands for.
            Place::LineEnd | Place::EndOrLastNewline => Hir::look(Look::EndLF),
            Place::WordBoundary => Hir::look(Look::WordAscii),
            Place::NoWordBoundary => Hir::look(Look::WordAsciiNegate),
        },
        Node::Concat(parts) => Hir::concat(parts.iter().map(|part| translate(part, purpose)).collect()),
        Node::Either(parts) => Hir::alternation(parts.iter().map(|part| translate(part, purpose)).collect()),
        Node::Repeat {
            node,
            least,
            most,
            greed,
        } => Hir::repetition(Repetition {
            min: *least,
            max: *most,
            greedy: *greed != Greed::Lazy,
            sub: Box::new(translate(node, purpose)),
        }),
        Node::Group(group, node) if purpose == Use::Search => Hir::capture(Capture {
            // There are fewer groups than bytes in a pattern, and a pattern is shorter than 4 GiB.
            index: u32::try_from(*group).unwrap_or(u32::MAX),
            name: None,
            sub: Box::new(translate(node, purpose)),
        }),
        Node::Group(_, node) | Node::Atomic(node) => translate(node, purpose),
        Node::Again { .. } => Hir::repetition(Repetition {
            min: 0,
            max: None,
            greedy: true,
            sub: Box::new(Hir::class(Class::Bytes(ClassBytes::new([ClassBytesRange::new(
                0, 255,
            )])))),
        }),
    }
}

/// The automaton of several patterns at once. Fails with a sentence where it would be too large.
pub(super) fn compile(patterns: &[Hir], purpose: Use) -> Result<NFA, String> {
    let config = thompson::Config::new().utf8(false).nfa_size_limit(Some(MAX_NFA_BYTES));
    let config = match purpose {
        Use::Search => config,
        Use::Test => config.which_captures(thompson::WhichCaptures::None),
    };
    thompson::Compiler::new()
        .configure(config)
        .build_many_from_hir(patterns)
        .map_err(|error| format!("the pattern cannot be compiled: {error}"))
}
