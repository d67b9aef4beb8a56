//! A tree as steps for the backtracker.

use super::bytes::ByteSet;
use super::tree::{Around, Greed, Node, Place};

/// Most steps that a pattern may have. Precedent: 64 KiB of compiled code, PCRE's limit with its default link size.
const MAX_STEPS: usize = 65_536;

/// One step. Numbers are those of steps, of memory cells or of groups.
#[derive(Clone, Debug)]
pub(super) enum Step {
    Match,
    Bytes(ByteSet),
    At(Place),
    /// Try the first; come back for the second.
    Fork(usize, usize),
    Jump(usize),
    /// Remember the place.
    Keep(usize),
    /// Fail where nothing was consumed since the place in the cell was kept: a loop that stands still ends.
    Moved(usize),
    /// Run the steps from the next one to a `Match`, then go on at `next` as the condition says.
    Around {
        around: Around,
        back: usize,
        next: usize,
    },
    /// The same, and stand where they ended; no way back into them.
    Atomic {
        next: usize,
    },
    Again {
        group: usize,
        ignore_case: bool,
    },
    Fail,
}

/// The steps, and how many cells they remember places in: two for each group (0 is the whole), then those of loops.
#[derive(Clone, Debug)]
pub(super) struct Program {
    pub(super) steps: Vec<Step>,
    pub(super) cells: usize,
}

/// Fails with a sentence where there would be too many steps.
pub(super) fn compile(node: &Node, groups: usize) -> Result<Program, String> {
    let mut program = Program {
        steps: Vec::new(),
        cells: 2 * (groups + 1),
    };
    program.add(node)?;
    program.put(Step::Match)?;
    Ok(program)
}

impl Program {
    fn put(&mut self, step: Step) -> Result<usize, String> {
        if self.steps.len() == MAX_STEPS {
            return Err(format!(
                "the pattern cannot be compiled: it needs more than {MAX_STEPS} steps"
            ));
        }
        self.steps.push(step);
        Ok(self.steps.len() - 1)
    }

    fn add(&mut self, node: &Node) -> Result<(), String> {
        match node {
            Node::Empty => {}
            Node::Bytes(set) => {
                self.put(Step::Bytes(*set))?;
            }
            Node::At(place) => {
                self.put(Step::At(*place))?;
            }
            Node::Concat(parts) => {
                for part in parts {
                    self.add(part)?;
                }
            }
            Node::Either(parts) => self.either(parts)?,
            Node::Repeat {
                node,
                least,
                most,
                greed: Greed::Possessive,
            } => {
                let greed = Greed::Greedy;
                let greedy = Node::Repeat {
                    node: node.clone(),
                    least: *least,
                    most: *most,
                    greed,
                };
                self.atomic(&greedy)?;
            }
            Node::Repeat {
                node,
                least,
                most,
                greed,
            } => self.repeat(node, *least, *most, *greed)?,
            Node::Group(group, node) => {
                self.put(Step::Keep(2 * group))?;
                self.add(node)?;
                self.put(Step::Keep(2 * group + 1))?;
            }
            Node::Atomic(node) => self.atomic(node)?,
            Node::Around(around, node) => self.around(*around, node)?,
            Node::Again { group, ignore_case } => {
                self.put(Step::Again {
                    group: *group,
                    ignore_case: *ignore_case,
                })?;
            }
        }
        Ok(())
    }

    fn either(&mut self, parts: &[Node]) -> Result<(), String> {
        let mut ends = Vec::new();
        for (at, part) in parts.iter().enumerate() {
            let fork = if at + 1 < parts.len() {
                Some(self.put(Step::Fail)?)
            } else {
                None
            };
            self.add(part)?;
            if let Some(fork) = fork {
                ends.push(self.put(Step::Fail)?);
                self.steps[fork] = Step::Fork(fork + 1, self.steps.len());
            }
        }
        for end in ends {
            self.steps[end] = Step::Jump(self.steps.len());
        }
        Ok(())
    }

    fn repeat(&mut self, node: &Node, least: u32, most: Option<u32>, greed: Greed) -> Result<(), String> {
        for _ in 0..least {
            let before = self.steps.len();
            self.add(node)?;
            if self.steps.len() == before {
                // Nothing, many times.
                break;
            }
        }
        let Some(most) = most else {
            let cell = self.cells;
            self.cells += 1;
            let fork = self.put(Step::Fail)?;
            self.put(Step::Keep(cell))?;
            self.add(node)?;
            self.put(Step::Moved(cell))?;
            self.put(Step::Jump(fork))?;
            self.steps[fork] = self.fork(fork, greed);
            return Ok(());
        };
        let mut forks = Vec::new();
        for _ in least..most {
            forks.push(self.put(Step::Fail)?);
            self.add(node)?;
        }
        for fork in forks {
            self.steps[fork] = self.fork(fork, greed);
        }
        Ok(())
    }

    /// Into the steps behind `fork`, or past all there are so far; the other way round where that is to be tried first.
    fn fork(&self, fork: usize, greed: Greed) -> Step {
        let (inside, past) = (fork + 1, self.steps.len());
        if greed == Greed::Lazy {
            Step::Fork(past, inside)
        } else {
            Step::Fork(inside, past)
        }
    }

    fn atomic(&mut self, node: &Node) -> Result<(), String> {
        let start = self.put(Step::Fail)?;
        self.add(node)?;
        self.put(Step::Match)?;
        self.steps[start] = Step::Atomic { next: self.steps.len() };
        Ok(())
    }

    /// Looking behind, each alternative starts its own number of bytes before the place.
    fn around(&mut self, around: Around, node: &Node) -> Result<(), String> {
        let alternatives = match node {
            Node::Either(parts) if around.is_behind => parts.as_slice(),
            other => std::slice::from_ref(other),
        };
        if alternatives.len() == 1 || around.is_negative {
            for part in alternatives {
                self.look(around, part)?;
            }
            return Ok(());
        }
        let looks: Vec<Node> = alternatives
            .iter()
            .map(|part| Node::Around(around, Box::new(part.clone())))
            .collect();
        self.either(&looks)
    }

    fn look(&mut self, around: Around, node: &Node) -> Result<(), String> {
        let back = if around.is_behind { node.width().unwrap_or(0) } else { 0 };
        let start = self.put(Step::Fail)?;
        self.add(node)?;
        self.put(Step::Match)?;
        self.steps[start] = Step::Around {
            around,
            back,
            next: self.steps.len(),
        };
        Ok(())
    }
}
