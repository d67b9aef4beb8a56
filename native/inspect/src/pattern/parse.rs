//! PCRE's syntax to a tree, for patterns that are bytes and not text.
//!
//! Theory. The options are those of ModSecurity 2: "." matches any byte, "$" only the very end, "^" only the start; classes
//! such as `\w` are ASCII, and `\s` has the vertical tab (PCRE since 8.34).
//!
//! Law 1: what PCRE reads, this reads in the same way, or refuses with a sentence. It reads nothing in another way.
//! Law 2: nesting is bounded by `MAX_DEPTH`, repetition by PCRE's own 65,535.

use super::bytes::ByteSet;
use super::class;
use super::tree::{Around, Greed, Node, Place};

/// Deepest nesting of groups. Precedent: PCRE2's default parentheses limit is 250.
const MAX_DEPTH: usize = 250;
/// Largest number in a repetition, as in PCRE.
const MAX_REPEAT: u32 = 65_535;

/// A pattern that was read.
#[derive(Debug)]
pub(super) struct Parsed {
    pub(super) node: Node,
    /// How many groups are remembered.
    pub(super) groups: usize,
}

/// Read `pattern`; fails with a sentence that says what and at which byte.
pub(super) fn parse(pattern: &[u8], ignore_case: bool) -> Result<Parsed, String> {
    let options = Options {
        ignore_case,
        ..Options::default()
    };
    let mut parser = Parser {
        pattern,
        at: 0,
        groups: 0,
        names: Vec::new(),
        depth: 0,
        is_quoted: false,
    };
    let node = parser.alternatives(options)?;
    if parser.at < pattern.len() {
        return Err(parser.fault("an unmatched \")\""));
    }
    Ok(Parsed {
        node,
        groups: parser.groups,
    })
}

/// The options in force at a place, as `(?imsxU)` sets them.
#[derive(Clone, Copy, Default)]
#[allow(clippy::struct_excessive_bools, reason = "PCRE has as many switches")]
struct Options {
    ignore_case: bool,
    multi_line: bool,
    /// "." does not match a newline. ModSecurity compiles with the opposite.
    dot_stops: bool,
    extended: bool,
    ungreedy: bool,
}

struct Parser<'a> {
    pattern: &'a [u8],
    at: usize,
    groups: usize,
    names: Vec<(Vec<u8>, usize)>,
    depth: usize,
    /// Between `\Q` and `\E`.
    is_quoted: bool,
}

impl Parser<'_> {
    fn fault(&self, what: &str) -> String {
        format!("the pattern has {what} at byte {}", self.at)
    }

    fn rest(&self) -> &[u8] {
        &self.pattern[self.at..]
    }

    fn peek(&self) -> Option<u8> {
        self.rest().first().copied()
    }

    fn take(&mut self, text: &[u8]) -> bool {
        let is_there = self.rest().starts_with(text);
        if is_there {
            self.at += text.len();
        }
        is_there
    }

    /// Up to the ")" that ends this group, or the end. An option set in one alternative holds in the next ones too.
    fn alternatives(&mut self, mut options: Options) -> Result<Node, String> {
        let mut alternatives = Vec::new();
        loop {
            let mut parts = Vec::new();
            while let Some(part) = self.part(&mut options)? {
                parts.push(part);
            }
            alternatives.push(Node::concat(parts));
            if !self.take(b"|") {
                return Ok(Node::either(alternatives));
            }
        }
    }

    /// The next part with its quantifier; None before "|", ")" and the end.
    fn part(&mut self, options: &mut Options) -> Result<Option<Node>, String> {
        let Some(node) = self.atom(options)? else {
            return Ok(None);
        };
        self.skip_blanks(*options);
        self.quantified(node, *options).map(Some)
    }

    fn atom(&mut self, options: &mut Options) -> Result<Option<Node>, String> {
        self.skip_blanks(*options);
        let Some(byte) = self.peek() else {
            return Ok(None);
        };
        if self.is_quoted {
            self.at += 1;
            return Ok(Some(literal(byte, *options)));
        }
        Ok(Some(match byte {
            b'|' | b')' => return Ok(None),
            b'(' => self.group(options)?,
            b'[' => {
                let read = class::bracketed(self.rest(), options.ignore_case);
                let (set, length) = read.map_err(|what| self.fault(&what))?;
                self.at += length;
                Node::Bytes(set)
            }
            b'\\' => self.escape(*options)?,
            b'*' | b'+' | b'?' => return Err(self.fault("nothing to repeat")),
            // Behind a quantifier too: PCRE would repeat the repetition, which nobody writes on purpose.
            b'{' if self.is_braces() => return Err(self.fault("nothing to repeat")),
            _ => {
                self.at += 1;
                match byte {
                    b'.' if options.dot_stops => Node::Bytes(ByteSet::of([b'\n']).not()),
                    b'.' => Node::Bytes(ByteSet::ALL),
                    b'^' if options.multi_line => Node::At(Place::LineStart),
                    b'^' => Node::At(Place::Start),
                    b'$' if options.multi_line => Node::At(Place::LineEnd),
                    b'$' => Node::At(Place::End),
                    other => literal(other, *options),
                }
            }
        }))
    }

    /// In extended patterns blanks and comments, everywhere `(?#...)`, `\Q` and `\E`.
    fn skip_blanks(&mut self, options: Options) {
        loop {
            if self.take(b"\\E") {
                self.is_quoted = false;
            } else if self.is_quoted {
                return;
            } else if self.take(b"\\Q") {
                self.is_quoted = true;
            } else if self.rest().starts_with(b"(?#") {
                self.skip_behind(b')');
            } else if options.extended && self.peek().is_some_and(|byte| class::SPACE.contains(&byte)) {
                self.at += 1;
            } else if options.extended && self.peek() == Some(b'#') {
                self.skip_behind(b'\n');
            } else {
                return;
            }
        }
    }

    fn skip_behind(&mut self, byte: u8) {
        let length = memchr::memchr(byte, self.rest()).map_or(self.rest().len(), |at| at + 1);
        self.at += length;
    }

    fn quantified(&mut self, node: Node, options: Options) -> Result<Node, String> {
        if self.is_quoted {
            return Ok(node);
        }
        let (least, most) = match self.peek() {
            Some(b'*') => (0, None),
            Some(b'+') => (1, None),
            Some(b'?') => (0, Some(1)),
            Some(b'{') => match self.braces()? {
                Some(limits) => limits,
                None => return Ok(node),
            },
            _ => return Ok(node),
        };
        self.at += 1;
        let greed = match (self.take(b"+"), self.take(b"?"), options.ungreedy) {
            (true, ..) => Greed::Possessive,
            (_, true, false) | (_, false, true) => Greed::Lazy,
            _ => Greed::Greedy,
        };
        Ok(Node::Repeat {
            node: Box::new(node),
            least,
            most,
            greed,
        })
    }

    /// `{n}`, `{n,}`, `{n,m}`, the place then on its "}"; anything else is a literal brace.
    fn braces(&mut self) -> Result<Option<(u32, Option<u32>)>, String> {
        let Some(length) = memchr::memchr(b'}', self.rest()) else {
            return Ok(None);
        };
        let inside = &self.rest()[1..length];
        let (least, most) = match inside.iter().position(|&byte| byte == b',') {
            None => (inside, Some(inside)),
            Some(comma) => (
                &inside[..comma],
                Some(&inside[comma + 1..]).filter(|most| !most.is_empty()),
            ),
        };
        let Some(least) = number(least) else {
            return Ok(None);
        };
        let most = match most.map(number) {
            Some(None) => return Ok(None),
            Some(most) => most,
            None => None,
        };
        if least > MAX_REPEAT || most.is_some_and(|most| most > MAX_REPEAT || most < least) {
            return Err(self.fault("a repetition out of order or beyond 65535"));
        }
        self.at += length;
        Ok(Some((least, most)))
    }

    fn is_braces(&mut self) -> bool {
        let at = self.at;
        let is_there = !matches!(self.braces(), Ok(None));
        self.at = at;
        is_there
    }

    fn group(&mut self, options: &mut Options) -> Result<Node, String> {
        self.at += 1;
        if self.depth == MAX_DEPTH {
            return Err(self.fault("more than 250 groups inside each other"));
        }
        let around = |is_behind, is_negative| Around { is_behind, is_negative };
        if !self.take(b"?") {
            if self.peek() == Some(b'*') {
                return Err(self.fault("a verb, which is not supported,"));
            }
            return self.remembered(*options);
        }
        if self.take(b":") {
            return self.inside(*options);
        }
        if self.take(b">") {
            return Ok(Node::Atomic(Box::new(self.inside(*options)?)));
        }
        let conditions = [
            (&b"="[..], around(false, false)),
            (b"!", around(false, true)),
            (b"<=", around(true, false)),
            (b"<!", around(true, true)),
        ];
        for (sign, around) in conditions {
            if self.take(sign) {
                let inside = self.inside(*options)?;
                return self.condition(around, inside);
            }
        }
        for (opening, closing) in [(&b"P<"[..], b'>'), (b"<", b'>'), (b"'", b'\'')] {
            if self.take(opening) {
                let name = self.name(closing)?;
                self.names.push((name, self.groups + 1));
                return self.remembered(*options);
            }
        }
        if self.take(b"P=") {
            let name = self.name(b')')?;
            return self.again_named(&name, *options);
        }
        self.switches(options)
    }

    /// Looking behind takes a known number of bytes: each alternative has its own, as in PCRE.
    fn condition(&self, around: Around, inside: Node) -> Result<Node, String> {
        let is_fixed = match &inside {
            Node::Either(parts) => parts.iter().all(|part| part.width().is_some()),
            other => other.width().is_some(),
        };
        if around.is_behind && !is_fixed {
            return Err(self.fault("a look-behind of no fixed length"));
        }
        Ok(Node::Around(around, Box::new(inside)))
    }

    fn remembered(&mut self, options: Options) -> Result<Node, String> {
        self.groups += 1;
        let group = self.groups;
        Ok(Node::Group(group, Box::new(self.inside(options)?)))
    }

    fn inside(&mut self, options: Options) -> Result<Node, String> {
        self.depth += 1;
        let node = self.alternatives(options)?;
        self.depth -= 1;
        if self.take(b")") {
            Ok(node)
        } else {
            Err(self.fault("a group without its \")\""))
        }
    }

    fn name(&mut self, closing: u8) -> Result<Vec<u8>, String> {
        let length = memchr::memchr(closing, self.rest()).unwrap_or(0);
        let name = self.rest()[..length].to_vec();
        if name.is_empty() || !name.iter().all(|byte| byte.is_ascii_alphanumeric() || *byte == b'_') {
            return Err(self.fault("a group whose name is not a word"));
        }
        self.at += length + 1;
        Ok(name)
    }

    /// `(?i-s)` to the end of the group around it, `(?i-s:...)` inside.
    fn switches(&mut self, options: &mut Options) -> Result<Node, String> {
        let (mut changed, mut value) = (*options, true);
        loop {
            let Some(letter) = self.peek() else {
                return Err(self.fault("a group without its \")\""));
            };
            match letter {
                b'-' => value = false,
                b'i' => changed.ignore_case = value,
                b'm' => changed.multi_line = value,
                b's' => changed.dot_stops = !value,
                b'x' => changed.extended = value,
                b'U' => changed.ungreedy = value,
                b':' => {
                    self.at += 1;
                    return self.inside(changed);
                }
                b')' => {
                    self.at += 1;
                    *options = changed;
                    return Ok(Node::Empty);
                }
                _ => return Err(self.fault("a kind of group that is not supported")),
            }
            self.at += 1;
        }
    }

    fn escape(&mut self, options: Options) -> Result<Node, String> {
        self.at += 1;
        let Some(letter) = self.peek() else {
            return Err(self.fault("a \"\\\" with nothing behind it"));
        };
        let place = match letter {
            b'b' => Some(Place::WordBoundary),
            b'B' => Some(Place::NoWordBoundary),
            b'A' => Some(Place::Start),
            b'z' => Some(Place::End),
            b'Z' => Some(Place::EndOrLastNewline),
            _ => None,
        };
        if let Some(place) = place {
            self.at += 1;
            return Ok(Node::At(place));
        }
        match letter {
            b'1'..=b'9' => {
                if let Some(again) = self.again_numbered(options) {
                    return Ok(again);
                }
            }
            b'g' | b'k' => return self.again_written(options),
            b'R' => {
                self.at += 1;
                let pair = Node::Concat([b'\r', b'\n'].map(|byte| Node::Bytes(ByteSet::of([byte]))).to_vec());
                let one = Node::Bytes(ByteSet::of(class::VERTICAL));
                return Ok(Node::Atomic(Box::new(Node::Either(vec![pair, one]))));
            }
            b'N' => {
                self.at += 1;
                return Ok(Node::Bytes(ByteSet::of([b'\n']).not()));
            }
            b'G' | b'K' | b'C' | b'X' => return Err(self.fault("an escape that is not supported")),
            _ => {}
        }
        let (set, length) = class::escape(self.rest()).map_err(|what| self.fault(&what))?;
        self.at += length;
        Ok(Node::Bytes(if options.ignore_case { set.in_any_case() } else { set }))
    }

    /// `\1` to `\9` always mean a group, more digits only where there are as many groups so far.
    fn again_numbered(&mut self, options: Options) -> Option<Node> {
        let length = self.rest().iter().take_while(|byte| byte.is_ascii_digit()).count();
        let group = usize::try_from(number(&self.rest()[..length])?).ok()?;
        if length > 1 && group > self.groups {
            return None;
        }
        self.at += length;
        Some(Node::Again {
            group,
            ignore_case: options.ignore_case,
        })
    }

    /// `\g1`, `\g{1}`, `\g{-1}`, `\k<name>`, `\k'name'`, `\k{name}`.
    fn again_written(&mut self, options: Options) -> Result<Node, String> {
        self.at += 1;
        let closing = match self.peek() {
            Some(b'{') => b'}',
            Some(b'<') => b'>',
            Some(b'\'') => b'\'',
            _ => {
                return self
                    .again_numbered(options)
                    .ok_or_else(|| self.fault("a reference to no group"));
            }
        };
        self.at += 1;
        if self.take(b"-") {
            let length = memchr::memchr(closing, self.rest()).unwrap_or(0);
            let back = number(&self.rest()[..length]).and_then(|back| usize::try_from(back).ok());
            let group = back
                .filter(|back| (1..=self.groups).contains(back))
                .map(|back| self.groups + 1 - back);
            self.at += length + 1;
            return match group {
                Some(group) => Ok(Node::Again {
                    group,
                    ignore_case: options.ignore_case,
                }),
                None => Err(self.fault("a reference to no group")),
            };
        }
        let name = self.name(closing)?;
        match number(&name).and_then(|group| usize::try_from(group).ok()) {
            Some(group) => Ok(Node::Again {
                group,
                ignore_case: options.ignore_case,
            }),
            None => self.again_named(&name, options),
        }
    }

    fn again_named(&self, name: &[u8], options: Options) -> Result<Node, String> {
        match self.names.iter().find(|(known, _)| known == name) {
            Some((_, group)) => Ok(Node::Again {
                group: *group,
                ignore_case: options.ignore_case,
            }),
            None => Err(self.fault("a reference to no group")),
        }
    }
}

fn literal(byte: u8, options: Options) -> Node {
    let set = ByteSet::of([byte]);
    Node::Bytes(if options.ignore_case { set.in_any_case() } else { set })
}

fn number(digits: &[u8]) -> Option<u32> {
    let is_number = !digits.is_empty() && digits.len() < 10 && digits.iter().all(u8::is_ascii_digit);
    is_number.then(|| {
        digits
            .iter()
            .fold(0, |number, digit| number * 10 + u32::from(digit - b'0'))
    })
}

#[cfg(test)]
#[path = "parse_tests.rs"]
mod tests;
