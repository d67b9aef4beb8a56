//! Whether a text is JSON of a schema (JSON Schema, draft 2020-12 or 7), for a bounded amount of work and memory.
//!
//! Theory. The `jsonschema` crate validates. It counts nothing, and a schema that is small and reasonable (a tree whose nodes
//! are `oneOf` several kinds) can be made to take for ever by a text that nests. So every subschema that may cost more than a
//! constant is wrapped (`wrap`): before it a keyword of ours takes what it can cost at most of a meter (`cost`), and is not
//! fulfilled once that is empty, so that all of it ends fast.
//!
//! Law 1: what is said is exact, or `Undecided`: too much work.
//! Law 2: nothing is fetched. A reference leads to somewhere in the schema, or it is not compiled.
//! Law 3: `format`, `contentEncoding` and `contentMediaType` are annotations, as in draft 2020-12: they refuse nothing.
//! Law 4: no other reader of a text sees another value than we: a name that stands twice in an object is no JSON here.

mod cost;
mod json;
mod unfold;
mod wrap;

use jsonschema::{Draft, PatternOptions, Retrieve, Uri, ValidationError, ValidationOptions, Validator};
use serde_json::Value;

pub use self::json::{MAX_VALUES, read as read_json};
use crate::meter::{Meter, Undecided};

/// Longest schema. That of version 3.1 of the `OpenAPI` format, a large one, has 35 KB.
pub const MAX_SCHEMA_BYTES: usize = 64 * 1024;
/// What one regular expression of a schema may take compiled, and what it may keep of what it has worked out.
const MAX_REGEX_BYTES: usize = 256 * 1024;

const DRAFT_2020_12: &str = "https://json-schema.org/draft/2020-12/schema";
const DRAFT_7: &str = "http://json-schema.org/draft-07/schema#";

/// A compiled schema.
#[derive(Debug)]
pub struct Schema {
    validator: Validator,
}

impl Schema {
    /// Compile a schema given as JSON; fails with a sentence that says what was expected.
    pub fn new(text: &str) -> Result<Self, String> {
        if text.len() > MAX_SCHEMA_BYTES {
            return Err(format!("expected at most {MAX_SCHEMA_BYTES} bytes, got {}", text.len()));
        }
        let schema = json::read(text.as_bytes()).map_err(|fault| format!("expected a JSON object: {fault}"))?;
        let draft = draft_of(&schema)?;
        unfold::check(&schema)?;
        // As it was written first: so what is wrong with it is told in its own words.
        options(draft).build(&schema).map_err(|error| describe(&error))?;
        let wrapped = wrap::wrap(&schema)?;
        let validator = options(draft).build(&wrapped).map_err(|error| describe(&error))?;
        Ok(Self { validator })
    }

    /// Whether a value, one of [`read_json`], is valid.
    pub fn is_valid(&self, value: &Value, meter: &mut Meter) -> Result<bool, Undecided> {
        cost::metered(meter, || self.validator.is_valid(value))
    }
}

fn options<'a>(draft: Draft) -> ValidationOptions<'a> {
    let patterns = PatternOptions::regex()
        .size_limit(MAX_REGEX_BYTES)
        .dfa_size_limit(MAX_REGEX_BYTES);
    jsonschema::options()
        .with_draft(draft)
        .with_retriever(Nowhere)
        .with_pattern_options(patterns)
        .should_validate_formats(false)
        .with_keyword(cost::KEYWORD, |_, value, _| cost::keyword(value))
}

/// The draft that a schema is of; the newer one where it does not say.
fn draft_of(schema: &Value) -> Result<Draft, String> {
    let Value::Object(members) = schema else {
        return Err("expected a JSON object".into());
    };
    match members.get("$schema") {
        None => Ok(Draft::Draft202012),
        Some(Value::String(name)) if name.trim_end_matches('#') == DRAFT_2020_12 => Ok(Draft::Draft202012),
        Some(Value::String(name)) if name.trim_end_matches('#') == DRAFT_7.trim_end_matches('#') => Ok(Draft::Draft7),
        Some(other) => Err(format!(
            "$schema: expected \"{DRAFT_2020_12}\" or \"{DRAFT_7}\", got {other}"
        )),
    }
}

/// Where nothing is found.
struct Nowhere;

impl Retrieve for Nowhere {
    fn retrieve(&self, uri: &Uri<String>) -> Result<Value, Box<dyn std::error::Error + Send + Sync>> {
        Err(format!("expected a reference to somewhere in the schema, got {uri}").into())
    }
}

fn describe(error: &ValidationError<'_>) -> String {
    match error.instance_path().as_str() {
        "" => error.to_string(),
        place => format!("at {place}: {error}"),
    }
}

#[cfg(test)]
mod tests;
