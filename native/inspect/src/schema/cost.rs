//! What a subschema can cost at most for a value, and the meter that it is taken from.
//!
//! Theory. While a value is validated, its thread holds a meter. A subschema with a price takes, before it is asked, what its
//! own keywords can cost for this value; what subschemas with a price of their own cost, they take themselves.
//!
//! Law 1: a subschema without a price costs no more than a constant, whatever the value.
//! Law 2: an empty meter, or a stack that has grown too large, ends everything: no price can be paid any more.

use std::cell::Cell;

use jsonschema::{Keyword, ValidationError};
use serde_json::{Map, Value, json};

use crate::meter::{Meter, Undecided, steps};

/// The keyword that stands for a price. No schema has it: where a person wrote it, it is no price and refused.
pub(super) const KEYWORD: &str = "!price";

/// What each subschema costs beside all else, and what a member of a value or of a keyword does: 30 ns, 15 ns.
const EACH_SCHEMA: u32 = 8;
const EACH_MEMBER: u32 = 4;
/// A member that must be known to have been asked about by one of a hundred subschemas: 4 µs.
const EACH_EVALUATED: u32 = 1_000;
/// A number that must be a multiple of a fraction is worked out exactly, in numbers of any length: 2 µs.
const EACH_FRACTION: u32 = 500;
/// How many characters are counted in a step.
const CHARS_A_STEP: usize = 16;
/// What a position of a pattern costs at most for a byte, in steps: it may be alive at each.
const POSITION_STEPS: u32 = 2;
/// Largest pattern, in positions (`[a-z]{1,64}` has 64).
const MAX_POSITIONS: u32 = 2_500;
/// The same keywords and lists up to here are as good as a constant.
const MAX_FREE_MEMBERS: usize = 8;
/// What the stack may grow by; a tunnel loop's has 2 MiB. The deepest value that ordinary schemas are asked takes 100 KB.
const MAX_STACK_BYTES: usize = 768 * 1024;

/// Keywords that cost no more than a constant; lists only while they are short.
const FREE: [&str; 22] = [
    "$anchor",
    "$comment",
    "const",
    "default",
    "deprecated",
    "description",
    "enum",
    "examples",
    "exclusiveMaximum",
    "exclusiveMinimum",
    "format",
    "maxItems",
    "maxProperties",
    "maximum",
    "minItems",
    "minProperties",
    "minimum",
    "readOnly",
    "required",
    "title",
    "type",
    "writeOnly",
];

thread_local! {
    static LEFT: Cell<u32> = const { Cell::new(0) };
    static IS_EMPTY: Cell<bool> = const { Cell::new(false) };
    static STACK: Cell<usize> = const { Cell::new(0) };
}

/// Let `work` take of a meter; it calls nothing that lets another do so.
pub(super) fn metered(meter: &mut Meter, work: impl FnOnce() -> bool) -> Result<bool, Undecided> {
    LEFT.set(meter.left());
    IS_EMPTY.set(false);
    STACK.set(stack());
    let is_valid = work();
    meter.spend(meter.left() - LEFT.get())?;
    if IS_EMPTY.get() { Err(Undecided) } else { Ok(is_valid) }
}

/// About where the stack stands.
#[inline(never)]
fn stack() -> usize {
    let here = 0_u8;
    std::ptr::from_ref(&here).addr()
}

fn pay(price: u32) -> bool {
    let is_deep = STACK.get().abs_diff(stack()) > MAX_STACK_BYTES;
    match LEFT.get().checked_sub(price) {
        Some(left) if !is_deep && !IS_EMPTY.get() => {
            LEFT.set(left);
            true
        }
        _ => {
            IS_EMPTY.set(true);
            false
        }
    }
}

/// The price of a subschema, as the value of [`KEYWORD`]; None where it has none.
pub(super) fn price(schema: &Value) -> Result<Option<Value>, String> {
    let Value::Object(members) = schema else {
        return Ok(None);
    };
    if members.iter().all(|(keyword, value)| is_free(keyword, value)) {
        return Ok(None);
    }
    let positions = |pattern: &str| positions(pattern).map(|count| count.saturating_mul(POSITION_STEPS));
    let strings = match members.get("pattern") {
        Some(Value::String(pattern)) => positions(pattern)?,
        _ => 0,
    };
    let mut names = 0_u32;
    for (pattern, _) in object(members, "patternProperties") {
        names = names.saturating_add(positions(pattern)?);
    }
    let counts = |keyword| members.contains_key(keyword);
    let is_fraction = members.get("multipleOf").is_some_and(|number| !number.is_u64());
    Ok(Some(json!({
        "always": EACH_SCHEMA.saturating_add(EACH_MEMBER.saturating_mul(size_of_members(members))),
        "string_byte": strings,
        "string_chars": counts("minLength") || counts("maxLength"),
        "name_byte": names,
        "number": if is_fraction { EACH_FRACTION } else { 0 },
        "float": if counts("multipleOf") { EACH_FRACTION } else { 0 },
        "member": if counts("unevaluatedProperties") || counts("unevaluatedItems") { EACH_EVALUATED } else { EACH_MEMBER },
        "unique": members.get("uniqueItems") == Some(&Value::Bool(true)),
    })))
}

fn is_free(keyword: &str, value: &Value) -> bool {
    FREE.contains(&keyword)
        && match (keyword, value) {
            ("default" | "examples", _) => true,
            (_, Value::Array(items)) => {
                items.len() <= MAX_FREE_MEMBERS && items.iter().all(|item| !item.is_array() && !item.is_object())
            }
            _ => !value.is_object(),
        }
}

fn object<'a>(members: &'a Map<String, Value>, keyword: &str) -> impl Iterator<Item = (&'a String, &'a Value)> {
    members.get(keyword).and_then(Value::as_object).into_iter().flatten()
}

/// How many members the keywords of a subschema have themselves; those of subschemas are theirs.
fn size_of_members(members: &Map<String, Value>) -> u32 {
    let of = |(keyword, value): (&String, &Value)| match (keyword.as_str(), value) {
        ("const" | "enum", value) => deep_size(value),
        (_, Value::Array(items)) => steps(items.len()),
        ("dependentRequired" | "dependencies", Value::Object(named)) => {
            named.values().map(deep_size).fold(0, u32::saturating_add)
        }
        (_, Value::Object(named)) => steps(named.len()),
        _ => 1,
    };
    members.iter().map(of).fold(0, u32::saturating_add)
}

fn deep_size(value: &Value) -> u32 {
    let inside = match value {
        Value::Array(items) => items.iter().map(deep_size).fold(0, u32::saturating_add),
        Value::Object(members) => members.values().map(deep_size).fold(0, u32::saturating_add),
        Value::String(text) => steps(text.len() / CHARS_A_STEP),
        _ => 0,
    };
    inside.saturating_add(1)
}

/// How many places of a pattern may be alive at once, at most.
fn positions(pattern: &str) -> Result<u32, String> {
    let fault = |what: String| format!("pattern {pattern:?}: {what}");
    let translated = jsonschema_regex::to_rust_regex(pattern)
        .map_err(|()| fault("expected a regular expression without look-around and back-references".into()))?;
    let tree = regex_syntax::Parser::new()
        .parse(&translated)
        .map_err(|error| fault(error.to_string()))?;
    let count = positions_of(&tree);
    if count > MAX_POSITIONS {
        return Err(fault(format!(
            "expected at most {MAX_POSITIONS} places with counts written out, got {count}"
        )));
    }
    Ok(count)
}

fn positions_of(tree: &regex_syntax::hir::Hir) -> u32 {
    use regex_syntax::hir::HirKind;
    match tree.kind() {
        HirKind::Empty | HirKind::Look(_) => 0,
        HirKind::Literal(literal) => steps(literal.0.len()),
        HirKind::Class(_) => 1,
        HirKind::Capture(capture) => positions_of(&capture.sub),
        HirKind::Repetition(repetition) => {
            let times = repetition.max.unwrap_or(repetition.min.saturating_add(1)).max(1);
            positions_of(&repetition.sub).saturating_mul(times)
        }
        HirKind::Concat(parts) | HirKind::Alternation(parts) => {
            parts.iter().map(positions_of).fold(0, u32::saturating_add)
        }
    }
}

/// A price, read.
#[allow(clippy::struct_field_names)]
struct Price {
    always: u32,
    string_byte: u32,
    string_chars: bool,
    name_byte: u32,
    number: u32,
    float: u32,
    member: u32,
    unique: bool,
}

/// The keyword of a price that [`price`] wrote.
pub(super) fn keyword<'a>(value: &'a Value) -> Result<Box<dyn for<'i> Keyword<'i>>, ValidationError<'a>> {
    let number = |name| value.get(name)?.as_u64().and_then(|number| u32::try_from(number).ok());
    let is = |name| value.get(name).and_then(Value::as_bool);
    let read = || {
        Some(Price {
            always: number("always")?,
            string_byte: number("string_byte")?,
            string_chars: is("string_chars")?,
            name_byte: number("name_byte")?,
            number: number("number")?,
            float: number("float")?,
            member: number("member")?,
            unique: is("unique")?,
        })
    };
    match read() {
        Some(price) => Ok(Box::new(price)),
        None => Err(ValidationError::custom(format!("{KEYWORD} is no keyword"))),
    }
}

impl Price {
    fn of(&self, value: &Value) -> u32 {
        let own = match value {
            Value::Null | Value::Bool(_) => 0,
            Value::Number(number) if number.is_f64() => self.float,
            Value::Number(_) => self.number,
            Value::String(text) => {
                let counted = if self.string_chars {
                    text.len() / CHARS_A_STEP
                } else {
                    0
                };
                steps(text.len())
                    .saturating_mul(self.string_byte)
                    .saturating_add(steps(counted))
            }
            Value::Array(items) if self.unique => steps(items.len())
                .saturating_mul(self.member)
                .saturating_add(deep_price(value)),
            Value::Array(items) => steps(items.len()).saturating_mul(self.member),
            Value::Object(members) => {
                let names = if self.name_byte == 0 {
                    0
                } else {
                    members.keys().map(|name| name.len() + 1).sum()
                };
                let names = steps(names).saturating_mul(self.name_byte);
                steps(members.len()).saturating_mul(self.member).saturating_add(names)
            }
        };
        self.always.saturating_add(own)
    }
}

/// What it costs to compare a value with others of its kind; to find that out costs no more.
fn deep_price(value: &Value) -> u32 {
    deep_size(value).saturating_mul(EACH_MEMBER)
}

impl<'i> Keyword<'i> for Price {
    fn validate(&self, value: &'i Value) -> Result<(), ValidationError<'i>> {
        if self.is_valid(value) {
            Ok(())
        } else {
            Err(ValidationError::custom("it would have taken too long to find out"))
        }
    }

    fn is_valid(&self, value: &'i Value) -> bool {
        pay(self.of(value))
    }
}
