//! The rules of a zone about text messages: patterns and schemas, compiled once and shared by its tunnels.
//!
//! Law: what could cost more than a message may is refused when it is compiled, with the rule's id and what was expected.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use holdfast_inspect::pattern::Pattern;
use holdfast_inspect::schema::Schema;

use super::MAX_MESSAGE_BYTES;
use crate::tunnel::Side;

/// Most rules of a zone. All are asked of each message.
pub const MAX_MESSAGE_RULES: usize = 20;
/// Longest pattern. The longest of the Core Rule Set that is an automaton has 5 KB.
pub const MAX_PATTERN_BYTES: usize = 8 * 1024;

/// What happens where a message breaks a rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// The WebSocket is closed.
    Close,
    /// The message does not pass.
    Drop,
    /// It passes, and that is logged.
    Log,
}

impl Action {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Close, Self::Drop, Self::Log];

    /// As rules and records name it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Close => "close",
            Self::Drop => "drop",
            Self::Log => "log",
        }
    }
}

impl FromStr for Action {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, String> {
        Self::ALL
            .into_iter()
            .find(|action| action.name() == name)
            .ok_or_else(|| format!("expected \"close\", \"drop\" or \"log\", got {name:?}"))
    }
}

/// What is asked of a text.
pub enum Test {
    /// It breaks the rule where the pattern matches anywhere in it.
    Text(Box<Pattern>),
    /// It breaks the rule where it is not JSON of the schema.
    Schema(Schema),
}

/// One rule.
pub struct MessageRule {
    pub(super) id: Arc<str>,
    /// Whether it is asked of messages towards the client, and towards the origin.
    towards: [bool; 2],
    pub(super) action: Action,
    pub(super) test: Test,
}

impl MessageRule {
    /// A rule; fails with a sentence that names the rule and the argument. Of `pattern` and `schema` it takes one.
    pub fn new(
        id: &str,
        direction: &str,
        action: &str,
        pattern: Option<&str>,
        schema: Option<&str>,
    ) -> Result<Self, String> {
        let of = |argument: &str, fault: &str| format!("message rule {id:?}: {argument}: {fault}");
        if id.is_empty() || id.len() > 64 || !id.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(of("id", "expected 1 to 64 visible ASCII characters"));
        }
        let towards = match direction {
            "to_client" => [true, false],
            "to_origin" => [false, true],
            "both" => [true, true],
            other => {
                let fault = format!("expected \"to_origin\", \"to_client\" or \"both\", got {other:?}");
                return Err(of("direction", &fault));
            }
        };
        let test = match (pattern, schema) {
            (Some(pattern), None) => Test::Text(linear(pattern).map(Box::new).map_err(|fault| of("pattern", &fault))?),
            (None, Some(schema)) => Test::Schema(Schema::new(schema).map_err(|fault| of("schema", &fault))?),
            _ => return Err(of("pattern, schema", "expected exactly one of them")),
        };
        Ok(Self {
            id: id.into(),
            towards,
            action: action.parse().map_err(|fault: String| of("action", &fault))?,
            test,
        })
    }

    /// What names it.
    #[must_use]
    pub fn id(&self) -> &Arc<str> {
        &self.id
    }

    /// What happens where a message breaks it.
    #[must_use]
    pub fn action(&self) -> Action {
        self.action
    }
}

impl fmt::Debug for MessageRule {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("MessageRule")
            .field("id", &self.id)
            .field("towards", &self.towards)
            .field("action", &self.action)
            .finish_non_exhaustive()
    }
}

fn linear(pattern: &str) -> Result<Pattern, String> {
    if pattern.len() > MAX_PATTERN_BYTES {
        return Err(format!(
            "expected at most {MAX_PATTERN_BYTES} bytes, got {}",
            pattern.len()
        ));
    }
    let compiled = Pattern::new(pattern.as_bytes(), false)?;
    if !compiled.is_linear() {
        return Err("expected a pattern without look-around, back-references and atomic groups".into());
    }
    Ok(compiled)
}

/// The rules of a zone, and the longest message that they are asked of.
#[derive(Debug)]
pub struct MessageRules {
    rules: Box<[Arc<MessageRule>]>,
    limit: usize,
}

impl MessageRules {
    /// So many rules. `max_message_bytes` is the zone's own limit, 0 for none: the smaller of it and [`MAX_MESSAGE_BYTES`] counts.
    pub fn new(rules: Vec<Arc<MessageRule>>, max_message_bytes: u64) -> Result<Self, String> {
        if rules.len() > MAX_MESSAGE_RULES {
            return Err(format!(
                "message_rules: expected at most {MAX_MESSAGE_RULES}, got {}",
                rules.len()
            ));
        }
        let limit = usize::try_from(max_message_bytes).unwrap_or(usize::MAX);
        Ok(Self {
            rules: rules.into(),
            limit: if limit == 0 {
                MAX_MESSAGE_BYTES
            } else {
                limit.min(MAX_MESSAGE_BYTES)
            },
        })
    }

    /// Whether any is asked of messages towards this side.
    #[must_use]
    pub fn watch(&self, to: Side) -> bool {
        self.towards(to).next().is_some()
    }

    /// The longest message towards a side that is watched, in bytes.
    #[must_use]
    pub fn limit(&self) -> usize {
        self.limit
    }

    pub(super) fn towards(&self, to: Side) -> impl Iterator<Item = &Arc<MessageRule>> {
        self.rules.iter().filter(move |rule| rule.towards[to as usize])
    }
}

/// The same rules, not only equal ones: a rule is compiled once for all tunnels that it is asked for.
impl PartialEq for MessageRules {
    fn eq(&self, other: &Self) -> bool {
        let are_same = |(one, two): (&Arc<MessageRule>, &Arc<MessageRule>)| Arc::ptr_eq(one, two);
        self.limit == other.limit
            && self.rules.len() == other.rules.len()
            && self.rules.iter().zip(&other.rules).all(are_same)
    }
}
