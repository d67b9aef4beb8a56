//! A pattern as a tree, after all of PCRE's spelling is out of it: options, escapes, classes and names are resolved.

use super::bytes::ByteSet;

/// One part of a pattern.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Node {
    /// Matches everywhere, without a byte.
    Empty,
    /// One byte of the set.
    Bytes(ByteSet),
    At(Place),
    Concat(Vec<Node>),
    /// The first that leads to a match.
    Either(Vec<Node>),
    Repeat {
        node: Box<Node>,
        least: u32,
        most: Option<u32>,
        greed: Greed,
    },
    /// A group that is remembered; the first is number 1.
    Group(usize, Box<Node>),
    /// What has matched inside stays as it is.
    Atomic(Box<Node>),
    Around(Around, Box<Node>),
    /// What the group of this number matched, once more.
    Again {
        group: usize,
        ignore_case: bool,
    },
}

/// A condition on where in the value a match stands.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Place {
    Start,
    End,
    /// At the end, or before the newline that ends the value.
    EndOrLastNewline,
    LineStart,
    LineEnd,
    WordBoundary,
    NoWordBoundary,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Greed {
    Greedy,
    Lazy,
    Possessive,
}

/// A condition on what stands around a place.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Around {
    pub(super) is_behind: bool,
    pub(super) is_negative: bool,
}

impl Node {
    /// The parts in a row; one alone is itself.
    pub(super) fn concat(mut parts: Vec<Self>) -> Self {
        match parts.len() {
            0 => Self::Empty,
            1 => parts.remove(0),
            _ => Self::Concat(parts),
        }
    }

    /// One of the parts; one alone is itself.
    pub(super) fn either(mut parts: Vec<Self>) -> Self {
        if parts.len() == 1 {
            parts.remove(0)
        } else {
            Self::Either(parts)
        }
    }

    /// Whether an automaton can do it: no look-around, no back-reference, nothing atomic or possessive.
    pub(super) fn is_linear(&self) -> bool {
        match self {
            Self::Empty | Self::Bytes(_) => true,
            Self::At(place) => *place != Place::EndOrLastNewline,
            Self::Concat(parts) | Self::Either(parts) => parts.iter().all(Self::is_linear),
            Self::Repeat { node, greed, .. } => *greed != Greed::Possessive && node.is_linear(),
            Self::Group(_, node) => node.is_linear(),
            Self::Atomic(_) | Self::Around(..) | Self::Again { .. } => false,
        }
    }

    /// Without what no automaton can do, and so a little wider: a condition on what stands around holds everywhere, a
    /// back-reference is anything, and nothing is atomic.
    pub(super) fn widened(&self) -> Self {
        let all = |parts: &[Self]| parts.iter().map(Self::widened).collect();
        match self {
            Self::Empty | Self::Around(..) => Self::Empty,
            Self::Bytes(set) => Self::Bytes(*set),
            Self::At(Place::EndOrLastNewline) => Self::At(Place::LineEnd),
            Self::At(place) => Self::At(*place),
            Self::Concat(parts) => Self::Concat(all(parts)),
            Self::Either(parts) => Self::Either(all(parts)),
            Self::Repeat { node, least, most, .. } => Self::Repeat {
                node: Box::new(node.widened()),
                least: *least,
                most: *most,
                greed: Greed::Greedy,
            },
            Self::Group(_, node) | Self::Atomic(node) => node.widened(),
            Self::Again { .. } => Self::Repeat {
                node: Box::new(Self::Bytes(ByteSet::ALL)),
                least: 0,
                most: None,
                greed: Greed::Greedy,
            },
        }
    }

    /// How many bytes every match of it has, if they all have as many.
    pub(super) fn width(&self) -> Option<usize> {
        match self {
            Self::Empty | Self::At(_) | Self::Around(..) => Some(0),
            Self::Bytes(_) => Some(1),
            Self::Concat(parts) => parts.iter().map(Self::width).sum(),
            Self::Either(parts) => {
                let first = parts.first()?.width()?;
                parts.iter().all(|part| part.width() == Some(first)).then_some(first)
            }
            Self::Repeat { node, least, most, .. } => {
                let count = most.filter(|most| most == least)?;
                node.width()?.checked_mul(usize::try_from(count).ok()?)
            }
            Self::Group(_, node) | Self::Atomic(node) => node.width(),
            Self::Again { .. } => None,
        }
    }

    /// Every byte that a match may begin with; None where a match may be empty.
    pub(super) fn first(&self) -> Option<ByteSet> {
        match self {
            Self::Bytes(set) => Some(*set),
            Self::Empty | Self::At(_) | Self::Around(..) | Self::Again { .. } => None,
            Self::Concat(parts) => {
                let mut parts = parts.iter().skip_while(|part| part.width() == Some(0));
                parts.next()?.first()
            }
            Self::Either(parts) => parts
                .iter()
                .try_fold(ByteSet::default(), |set, part| Some(set.or(part.first()?))),
            Self::Repeat { node, least, .. } => (*least > 0).then(|| node.first())?,
            Self::Group(_, node) | Self::Atomic(node) => node.first(),
        }
    }
}
