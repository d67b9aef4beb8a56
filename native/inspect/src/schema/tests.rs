use std::thread;
use std::time::{Duration, Instant};

use super::*;
use crate::meter::A_RULE;

fn judged(schema: &str, text: &str) -> Result<bool, Undecided> {
    let schema = Schema::new(schema).unwrap();
    schema.is_valid(&read_json(text.as_bytes()).unwrap(), &mut Meter::of(A_RULE))
}

fn is_valid(schema: &str, text: &str) -> bool {
    judged(schema, text).unwrap()
}

fn refusal(schema: &str) -> String {
    Schema::new(schema).unwrap_err()
}

#[test]
fn a_value_is_valid_or_not() {
    let message = r##"{"type": "object", "required": ["kind"], "additionalProperties": false, "properties": {
        "kind": {"enum": ["say", "ask"]}, "text": {"type": "string", "maxLength": 5, "pattern": "^\\p{L}*$"},
        "to": {"type": "array", "uniqueItems": true, "items": {"$ref": "#/$defs/name"}}},
        "$defs": {"name": {"type": "string", "minLength": 1}}}"##;
    for (text, expected) in [
        (r#"{"kind": "say"}"#, true),
        (r#"{"kind": "say", "text": "äöüßé", "to": ["a", "b"]}"#, true),
        (r#"{"kind": "say", "text": "äöüßéx"}"#, false),
        (r#"{"kind": "say", "text": "a b"}"#, false),
        (r#"{"kind": "shout"}"#, false),
        (r#"{"kind": "say", "to": ["a", "a"]}"#, false),
        (r#"{"kind": "say", "to": [""]}"#, false),
        (r#"{"kind": "say", "more": 1}"#, false),
        ("[]", false),
    ] {
        assert_eq!(is_valid(message, text), expected, "{text}");
    }
}

#[test]
fn references_lead_to_where_their_schema_has_moved() {
    for schema in [
        r##"{"$ref": "#/$defs/a~1b/items/anyOf/1", "$defs": {"a/b": {"items": {"anyOf": [true, {"minLength": 2}]}}}}"##,
        r##"{"$ref": "#/$defs/a%20b", "$defs": {"a b": {"not": {"maxLength": 1}}}}"##,
        r##"{"$ref": "#long", "$defs": {"a": {"$anchor": "long", "minLength": 2}}}"##,
        r#"{"$id": "https://example.com/s", "$ref": "https://example.com/s#/$defs/a", "$defs": {"a": {"minLength": 2}}}"#,
        r##"{"$schema": "http://json-schema.org/draft-07/schema#", "allOf": [{"$ref": "#/definitions/a", "maxLength": 0}],
            "definitions": {"a": {"minLength": 2}}}"##,
        r##"{"$ref": "#/properties/x/properties/const", "properties": {"x": {"properties": {"const": {"minLength": 2}}}}}"##,
    ] {
        assert!(is_valid(schema, r#""ab""#), "{schema}");
        assert!(!is_valid(schema, r#""a""#), "{schema}");
    }
}

#[test]
fn what_is_no_schema_is_told_with_what_was_expected() {
    let large = format!("{{\"description\": \"{}\"}}", "x".repeat(MAX_SCHEMA_BYTES));
    for (schema, told) in [
        ("", "expected a JSON object"),
        ("true", "expected a JSON object"),
        ("{} {}", "trailing characters"),
        (r#"{"type": "strin"}"#, "at /type"),
        (r#"{"type": "string", "type": "object"}"#, "\"type\" stands twice"),
        (r#"{"minLength": -1}"#, "at /minLength"),
        (
            r#"{"$schema": "http://json-schema.org/draft-04/schema#"}"#,
            "draft/2020-12",
        ),
        (
            r#"{"$ref": "https://example.com/schema"}"#,
            "expected a reference to somewhere in the schema",
        ),
        (
            r#"{"$ref": "file:///etc/passwd"}"#,
            "expected a reference to somewhere in the schema",
        ),
        (
            r##"{"$ref": "#/const", "const": {}}"##,
            "expected a reference to a schema within the schema",
        ),
        (
            r##"{"$ref": "#/x/y", "x": {"y": {}}}"##,
            "expected a reference to a schema within the schema",
        ),
        (
            r#"{"properties": {"a": {"$id": "https://example.com/a"}}}"#,
            "$id at the top",
        ),
        (r#"{"pattern": "(?=a)b"}"#, "pattern"),
        (r#"{"pattern": "(a)\\1"}"#, "pattern"),
        (r#"{"pattern": "(a{1000}){1000}"}"#, "pattern"),
        (r#"{"pattern": "[01]{3000}"}"#, "at most 2500 places"),
        (r#"{"!price": {}}"#, "!price is no keyword"),
        (&large, "expected at most 65536 bytes"),
    ] {
        let refusal = refusal(schema);
        assert!(refusal.contains(told), "{schema:.80}: {refusal}");
    }
}

#[test]
fn formats_and_contents_refuse_nothing() {
    let draft_7 = r#"{"$schema": "http://json-schema.org/draft-07/schema#", "format": "regex", "contentEncoding": "base64",
        "contentMediaType": "application/json"}"#;
    assert!(is_valid(draft_7, r#""(""#));
    assert!(is_valid(r#"{"format": "email"}"#, r#""nobody""#));
}

#[test]
fn no_reader_sees_another_value() {
    assert!(read_json(br#"{"a": 1, "b": {"a": 2}}"#).is_ok());
    assert!(read_json(br#"{"a": 1, "\u0061": 2}"#).unwrap_err().contains("twice"));
    assert!(read_json(b"1e999").is_err());
    assert!(read_json(b"{} x").is_err());
    assert!(read_json(b"\xEF\xBB\xBF{}").is_err());
}

#[test]
fn values_are_bounded_in_number_and_in_depth() {
    let many = |count| format!("[{}]", vec!["0"; count].join(","));
    assert!(read_json(many(MAX_VALUES as usize - 1).as_bytes()).is_ok());
    assert!(
        read_json(many(MAX_VALUES as usize).as_bytes())
            .unwrap_err()
            .contains("more than")
    );
    let deep = |depth| "[".repeat(depth) + &"]".repeat(depth);
    assert!(read_json(deep(127).as_bytes()).is_ok());
    assert!(read_json(deep(128).as_bytes()).is_err());
    assert!(read_json("[".repeat(1 << 20).as_bytes()).is_err());
}

/// Schemas that take for ever, and what makes them.
fn hostile() -> Vec<(String, String)> {
    let nested = |depth: usize| r#"{"c":"#.repeat(depth) + "1" + &"}".repeat(depth);
    let twice = r##"{"$defs": {"n": {"KEY": [{"properties": {"c": {"$ref": "#/$defs/n"}}, "required": ["x"]},
        {"properties": {"c": {"$ref": "#/$defs/n"}}, "required": ["y"]}]}}, "$ref": "#/$defs/n"}"##;
    let fan = |keyword: &str| {
        let level = |at: usize| {
            format!(
                r##""d{at}": {{"{keyword}": [{{"$ref": "#/$defs/d{n}"}}, {{"$ref": "#/$defs/d{n}"}}]}}"##,
                n = at + 1
            )
        };
        let levels: Vec<String> = (0..8).map(level).collect();
        format!(
            r##"{{"$ref": "#/$defs/d0", "$defs": {{{}, "d8": {{"type": "string"}}}}}}"##,
            levels.join(",")
        )
    };
    let patterns: Vec<String> = (0..60).map(|at| format!(r#""^[a-z]*{at}$": true"#)).collect();
    let names: Vec<String> = (0..20_000).map(|at| format!(r#""abcdefghijklm{at}x": 1"#)).collect();
    let tree = "[".repeat(100) + &vec!["1"; 50_000].join(",") + &"]".repeat(100);
    vec![
        (twice.replace("KEY", "anyOf"), nested(120)),
        (twice.replace("KEY", "oneOf"), nested(120)),
        (fan("anyOf"), "1".into()),
        (fan("oneOf"), "1".into()),
        (
            r#"{"pattern": "[01]*1[01]{500}$"}"#.into(),
            format!("\"{}\"", "0110".repeat(200_000)),
        ),
        (
            format!(r#"{{"patternProperties": {{{}}}}}"#, patterns.join(",")),
            format!("{{{}}}", names.join(",")),
        ),
        (r##"{"uniqueItems": true, "items": {"$ref": "#"}}"##.into(), tree),
        (
            r#"{"items": {"multipleOf": 1e-300}}"#.into(),
            format!("[{}]", vec!["1.5e300"; 90_000].join(",")),
        ),
    ]
}

#[test]
fn what_would_take_for_ever_is_undecided_soon() {
    for (schema, text) in hostile() {
        let begun = Instant::now();
        let judged = judged(&schema, &text);
        // A debug build reads and walks twenty times as slowly as what the limits are made for.
        assert!(
            begun.elapsed() < Duration::from_secs(5),
            "{schema:.100}: {:?}",
            begun.elapsed()
        );
        assert!(judged != Ok(true), "{schema:.100}: {judged:?}");
    }
}

#[test]
fn the_deepest_value_and_the_longest_chain_leave_the_stack_whole() {
    let link = |at: usize| format!(r##""{at}": {{"$ref": "#/$defs/{}"}}"##, at + 1);
    let links: Vec<String> = (0..1_200).map(link).collect();
    let schema = format!(
        r##"{{"$ref": "#/$defs/0", "$defs": {{{}, "1200": {{"items": {{"$ref": "#/$defs/0"}}}}}}}}"##,
        links.join(",")
    );
    let text = "[".repeat(120) + &"]".repeat(120);
    let thread = thread::Builder::new().stack_size(2 << 20);
    let judged = thread.spawn(move || {
        let compiled = thread::scope(|scope| {
            let compiling = thread::Builder::new().stack_size(8 << 20);
            compiling
                .spawn_scoped(scope, || Schema::new(&schema))
                .unwrap()
                .join()
                .unwrap()
        });
        compiled
            .unwrap()
            .is_valid(&read_json(text.as_bytes()).unwrap(), &mut Meter::of(u32::MAX))
    });
    assert!(judged.unwrap().join().is_ok());
}

#[test]
fn the_meter_is_what_is_left() {
    let schema = Schema::new(r#"{"items": {"minLength": 1}}"#).unwrap();
    let value = read_json(br#"["a", "b"]"#).unwrap();
    let mut meter = Meter::of(A_RULE);
    assert_eq!(schema.is_valid(&value, &mut meter), Ok(true));
    let spent = A_RULE - meter.left();
    assert!((20..100).contains(&spent), "{spent}");
    assert_eq!(schema.is_valid(&value, &mut Meter::of(spent)), Ok(true));
    assert_eq!(schema.is_valid(&value, &mut Meter::of(spent - 1)), Err(Undecided));
}

#[test]
fn what_asks_too_much_of_one_value_is_not_compiled() {
    let fan = |levels: usize, more: &str| {
        let level = |at: usize| {
            let next = format!(r##"{{"$ref": "#/$defs/d{}"}}"##, at + 1);
            format!(r#""d{at}": {{"allOf": [{next}, {next}]}}"#)
        };
        let all: Vec<String> = (0..levels).map(level).collect();
        format!(
            r##"{{{more} "$ref": "#/$defs/d0", "$defs": {{{}, "d{levels}": {{}}}}}}"##,
            all.join(",")
        )
    };
    assert!(Schema::new(&fan(8, "")).is_ok());
    let begun = Instant::now();
    for schema in [
        fan(10, ""),
        fan(500, ""),
        fan(6, r#""unevaluatedProperties": false,"#),
        fan(6, r#""unevaluatedItems": {},"#),
    ] {
        assert!(
            refusal(&schema).contains("schemas to be asked of one value"),
            "{schema:.60}"
        );
    }
    assert!(begun.elapsed() < Duration::from_secs(5));
    let named = r##"{"$ref": "#a", "$defs": {"a": {"$anchor": "a", "anyOf": [{"$ref": "#b"}]}, "b": {"$anchor": "b", "$ref": "#a"}}}"##;
    for schema in [r##"{"$ref": "#"}"##, r##"{"not": {"$ref": "#/not"}}"##, named] {
        assert!(refusal(schema).contains("refers to itself"), "{schema}");
    }
    let patterns: Vec<String> = (0..65).map(|at| format!(r#""^{at}$": {{}}"#)).collect();
    let schema = format!(r#"{{"patternProperties": {{{}}}}}"#, patterns.join(","));
    assert!(refusal(&schema).contains("at most 64 regular expressions"));
}
