//! A schema with each of its subschemas that may cost more than a constant put behind its price.
//!
//! Theory. `jsonschema` asks keywords of others last, but the members of `allOf` in their order. So a subschema S becomes
//! `{"allOf": [{price}, S]}`, which holds wherever S does, under the names of S. What pointed to a place in the schema is made to
//! point to where it has moved.
//!
//! Law 1: only what stands where a schema is read is wrapped; what is data (`const`, `enum`) stays as it is.
//! Law 2: a reference leads to a place of law 1, so whatever is reached by one has been paid for.

use serde_json::{Map, Value, json};

use super::cost;

/// Keywords with a schema.
pub(super) const SCHEMA: [&str; 11] = [
    "additionalItems",
    "additionalProperties",
    "contains",
    "else",
    "if",
    "items",
    "not",
    "propertyNames",
    "then",
    "unevaluatedItems",
    "unevaluatedProperties",
];
/// Keywords with a list of schemas; `items` has one in draft 7.
pub(super) const SCHEMAS: [&str; 5] = ["allOf", "anyOf", "items", "oneOf", "prefixItems"];
/// Keywords with schemas by name. In draft 7 a member of `dependencies` may be a list of names instead.
pub(super) const BY_NAME: [&str; 6] = [
    "$defs",
    "definitions",
    "dependencies",
    "dependentSchemas",
    "patternProperties",
    "properties",
];
/// Of draft 7; the crate holds them for assertions, and draft 2020-12 does not.
const ANNOTATIONS: [&str; 3] = ["contentEncoding", "contentMediaType", "contentSchema"];

/// What names a schema, for whoever refers to it or reads it: it stays outside.
const NAMES: [&str; 4] = ["$anchor", "$dynamicAnchor", "$id", "$schema"];
/// Where the schema is that has been wrapped.
const MOVED: &str = "/allOf/1";

/// The schema, wrapped.
pub(super) fn wrap(schema: &Value) -> Result<Value, String> {
    Wrapping { root: schema }.whole(schema, true)
}

struct Wrapping<'a> {
    root: &'a Value,
}

impl Wrapping<'_> {
    fn whole(&self, schema: &Value, is_root: bool) -> Result<Value, String> {
        let Value::Object(members) = schema else {
            return Ok(schema.clone());
        };
        let price = cost::price(schema)?;
        let (mut outside, mut inside) = (Map::new(), Map::new());
        for (keyword, value) in members {
            if ANNOTATIONS.contains(&keyword.as_str()) {
                continue;
            }
            let is_outside = price.is_some() && NAMES.contains(&keyword.as_str());
            let place = if is_outside { &mut outside } else { &mut inside };
            place.insert(keyword.clone(), self.keyword(keyword, value, is_root)?);
        }
        let Some(price) = price else {
            return Ok(Value::Object(inside));
        };
        outside.insert("allOf".into(), json!([{cost::KEYWORD: price}, inside]));
        Ok(Value::Object(outside))
    }

    fn keyword(&self, keyword: &str, value: &Value, is_root: bool) -> Result<Value, String> {
        match (keyword, value) {
            ("$id" | "$schema", _) if !is_root => Err(format!("expected {keyword} at the top of the schema alone")),
            ("$ref" | "$dynamicRef", Value::String(reference)) => self.reference(reference).map(Value::String),
            (_, Value::Array(items)) if SCHEMAS.contains(&keyword) => items
                .iter()
                .map(|item| self.whole(item, false))
                .collect::<Result<_, _>>()
                .map(Value::Array),
            (_, Value::Object(named)) if BY_NAME.contains(&keyword) => {
                let one = |(name, schema): (&String, &Value)| Ok((name.clone(), self.whole(schema, false)?));
                named.iter().map(one).collect::<Result<_, String>>().map(Value::Object)
            }
            _ if SCHEMA.contains(&keyword) => self.whole(value, false),
            _ => Ok(value.clone()),
        }
    }

    /// A reference to where what it refers to has moved.
    fn reference(&self, reference: &str) -> Result<String, String> {
        if reference.contains("#/") {
            target(self.root, reference).map(|(_, moved)| moved)
        } else {
            Ok(reference.to_owned())
        }
    }
}

/// The schemas that stand in a keyword of these lists.
pub(super) fn subschemas<'a>(keyword: &str, value: &'a Value) -> impl Iterator<Item = &'a Value> {
    let (mut alone, mut items, mut named) = (None, None, None);
    match value {
        Value::Array(list) if SCHEMAS.contains(&keyword) => items = Some(list.iter()),
        Value::Object(members) if BY_NAME.contains(&keyword) => named = Some(members.values()),
        other => alone = Some(other),
    }
    alone
        .into_iter()
        .chain(items.into_iter().flatten())
        .chain(named.into_iter().flatten())
}

/// What a reference with a pointer refers to, and what refers to where that has moved.
pub(super) fn target<'a>(root: &'a Value, reference: &str) -> Result<(&'a Value, String), String> {
    let elsewhere = || format!("$ref: expected a reference to a schema within the schema, got {reference:?}");
    let (base, pointer) = reference.split_once("#/").ok_or_else(elsewhere)?;
    let mut moved = format!("{base}#");
    let mut schema = root;
    if cost::price(schema)?.is_some() {
        moved.push_str(MOVED);
    }
    let mut tokens = pointer.split('/');
    while let Some(keyword) = tokens.next() {
        moved.extend(["/", keyword]);
        let value = schema.get(keyword).ok_or_else(elsewhere)?;
        let is_list = value.is_array() && SCHEMAS.contains(&keyword);
        schema = if is_list || BY_NAME.contains(&keyword) {
            let token = tokens.next().ok_or_else(elsewhere)?;
            moved.extend(["/", token]);
            member(value, token).ok_or_else(elsewhere)?
        } else if SCHEMA.contains(&keyword) {
            value
        } else {
            return Err(elsewhere());
        };
        if cost::price(schema)?.is_some() {
            moved.push_str(MOVED);
        }
    }
    Ok((schema, moved))
}

/// What a token of a pointer in a fragment means (RFC 6901 §4, §6).
fn member<'a>(value: &'a Value, token: &str) -> Option<&'a Value> {
    let decoded = percent_decoded(token)?.replace("~1", "/").replace("~0", "~");
    match value {
        Value::Array(items) => items.get(decoded.parse::<usize>().ok()?),
        Value::Object(members) => members.get(&decoded),
        _ => None,
    }
}

fn percent_decoded(token: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(token.len());
    let mut rest = token.as_bytes();
    while let [first, others @ ..] = rest {
        rest = others;
        if *first == b'%' {
            let digits = std::str::from_utf8(others.get(..2)?).ok()?;
            bytes.push(u8::from_str_radix(digits, 16).ok()?);
            rest = &others[2..];
        } else {
            bytes.push(*first);
        }
    }
    String::from_utf8(bytes).ok()
}
