//! How large a schema is, unfolded: what each of its subschemas asks of one and the same value.
//!
//! Theory. `allOf`, `$ref` and their like ask another subschema of the same value, and that one others. A short schema can ask
//! more than anybody can wait for so (each of thirty definitions the next one twice), already when it is compiled where
//! `unevaluatedProperties` must know all that is asked.
//!
//! Law: what is too large is refused before anything is compiled.

use std::collections::HashMap;

use serde_json::Value;

use super::wrap::{BY_NAME, SCHEMA, SCHEMAS, subschemas, target};

/// Most subschemas that one asks of its value, itself included. Hundreds of kinds of messages fit, each of some parts.
const MAX_UNFOLDED: u32 = 2_000;
/// The same where `unevaluatedProperties` or `unevaluatedItems` must know what they ask.
const MAX_EVALUATED: u32 = 100;
/// Most regular expressions of a schema: each may take half a megabyte, with what is worked out for it.
const MAX_PATTERNS: usize = 64;

/// Keywords whose subschemas are asked of the value itself.
const IN_PLACE: [&str; 9] = [
    "allOf",
    "anyOf",
    "dependencies",
    "dependentSchemas",
    "else",
    "if",
    "not",
    "oneOf",
    "then",
];

/// Whether each subschema is small enough; fails with a sentence.
pub(super) fn check(root: &Value) -> Result<(), String> {
    let mut all = Vec::new();
    gather(root, &mut all);
    let patterns: usize = all.iter().map(|schema| patterns(schema)).sum();
    if patterns > MAX_PATTERNS {
        return Err(format!(
            "expected at most {MAX_PATTERNS} regular expressions, got {patterns}"
        ));
    }
    let mut unfolding = Unfolding {
        root,
        all: &all,
        known: HashMap::new(),
    };
    all.iter().try_for_each(|schema| unfolding.size(schema).map(drop))
}

fn gather<'a>(schema: &'a Value, all: &mut Vec<&'a Value>) {
    all.push(schema);
    for (keyword, value) in schema.as_object().into_iter().flatten() {
        let is_read = [&SCHEMA[..], &SCHEMAS, &BY_NAME]
            .iter()
            .any(|some| some.contains(&keyword.as_str()));
        if is_read {
            subschemas(keyword, value).for_each(|inner| gather(inner, all));
        }
    }
}

fn patterns(schema: &Value) -> usize {
    let named = schema
        .get("patternProperties")
        .and_then(Value::as_object)
        .map_or(0, serde_json::Map::len);
    usize::from(schema.get("pattern").is_some()) + named
}

struct Unfolding<'a> {
    root: &'a Value,
    all: &'a [&'a Value],
    /// By the address of a subschema; None while it is being worked out.
    known: HashMap<usize, Option<u32>>,
}

impl<'a> Unfolding<'a> {
    fn size(&mut self, schema: &'a Value) -> Result<u32, String> {
        let Value::Object(members) = schema else {
            return Ok(1);
        };
        let address = std::ptr::from_ref(schema).addr();
        match self.known.insert(address, None) {
            None => {}
            Some(Some(size)) => {
                self.known.insert(address, Some(size));
                return Ok(size);
            }
            Some(None) => return Err("expected no schema that refers to itself without going into the value".into()),
        }
        let mut size = 1_u32;
        for (keyword, value) in members {
            if IN_PLACE.contains(&keyword.as_str()) {
                for inner in subschemas(keyword, value) {
                    size = size.saturating_add(self.size(inner)?);
                }
            } else if let ("$ref" | "$dynamicRef", Value::String(reference)) = (keyword.as_str(), value)
                && let Some(inner) = self.referred(reference)?
            {
                size = size.saturating_add(self.size(inner)?);
            }
        }
        let must_know = members.contains_key("unevaluatedProperties") || members.contains_key("unevaluatedItems");
        let limit = if must_know { MAX_EVALUATED } else { MAX_UNFOLDED };
        if size > limit {
            return Err(format!(
                "expected at most {limit} schemas to be asked of one value by a schema, got {size}"
            ));
        }
        self.known.insert(address, Some(size));
        Ok(size)
    }

    /// What a reference refers to; None where it refers to nothing, which compiling tells.
    fn referred(&self, reference: &str) -> Result<Option<&'a Value>, String> {
        let (base, fragment) = reference.split_once('#').unwrap_or((reference, ""));
        let is_ours = |name: &Value| name.as_str().is_some_and(|name| name.trim_end_matches('#') == base);
        if !base.is_empty() && !self.root.get("$id").is_some_and(is_ours) {
            return Err(format!(
                "$ref: expected a reference to somewhere in the schema, got {reference:?}"
            ));
        }
        if fragment.is_empty() {
            return Ok(Some(self.root));
        }
        if fragment.starts_with('/') {
            return target(self.root, reference).map(|(schema, _)| Some(schema));
        }
        let is_named = |schema: &&&Value| {
            ["$anchor", "$dynamicAnchor"]
                .iter()
                .any(|name| schema.get(*name).and_then(Value::as_str) == Some(fragment))
        };
        Ok(self.all.iter().find(is_named).copied())
    }
}
