use proptest::prelude::*;

use super::*;

fn fields(lines: &[&str]) -> Fields {
    let mut fields = Fields::new();
    for line in lines {
        fields.push("Sec-WebSocket-Extensions", line.as_bytes());
    }
    fields
}

/// Extensions written again, in the shortest way.
fn canonical(lines: &[&str]) -> Result<Vec<String>, ExtensionsFault> {
    let fields = fields(lines);
    let parameter = |parameter: &Parameter<'_>| match &parameter.value {
        None => format!(";{}", parameter.name),
        Some(value) => format!(";{}={value}", parameter.name),
    };
    let extension = |extension: &Extension<'_>| {
        extension
            .parameters
            .iter()
            .fold(extension.name.to_owned(), |text, next| text + &parameter(next))
    };
    Ok(read(&fields)?.iter().map(extension).collect())
}

#[test]
fn a_message_without_the_field_has_no_extensions() {
    assert_eq!(canonical(&[]), Ok(vec![]));
}

#[test]
fn a_list_is_read_over_all_lines() {
    for (lines, expected) in [
        (&["a"][..], &["a"][..]),
        (&["a, b", "c"], &["a", "b", "c"]),
        (
            &["permessage-deflate; client_max_window_bits"],
            &["permessage-deflate;client_max_window_bits"],
        ),
        (&["a;b=1;c=\"2\" ,a ; b = x"], &["a;b=1;c=2", "a;b=x"]),
        (&[",a,,\tb , "], &["a", "b"]),
        (&["a", ""], &["a"]),
        (&["a;b=\"\\1\\0\""], &["a;b=10"]),
    ] {
        assert_eq!(canonical(lines).unwrap(), expected, "{lines:?}");
    }
}

#[test]
fn what_is_not_the_grammar_is_a_fault() {
    for line in [
        ";",
        "a;",
        "a;;b",
        "a;b=",
        "a;b=;c",
        "a b",
        "a;b c",
        "a=b",
        "a;b=c=d",
        "a;b=\"",
        "a;b=\"c",
        "a;b=\"c\\",
        "a;b=\"\"",
        "a;b=\"c d\"",
        "a;b=\"c\"d",
        "a;=c",
        "a/b",
        "\"a\"",
        "a;b='\"'",
        "é",
        "a;b=é",
    ] {
        let expected = Err(ExtensionsFault::Syntax(line.as_bytes().into()));
        assert_eq!(canonical(&[line]), expected, "{line}");
    }
}

#[test]
fn a_list_without_elements_is_a_fault() {
    for lines in [&[""][..], &[","], &["", " , "]] {
        assert_eq!(canonical(lines), Err(ExtensionsFault::Syntax([].into())));
    }
}

#[test]
fn extensions_and_their_parameters_are_bounded() {
    let of = |count: usize| vec!["a"; count].join(",");
    assert_eq!(canonical(&[&of(MAX_EXTENSIONS)]).unwrap().len(), MAX_EXTENSIONS);
    let fault = canonical(&[&of(MAX_EXTENSIONS), "a"]).unwrap_err();
    assert_eq!(
        fault.to_string(),
        "Sec-WebSocket-Extensions has more than 32 extensions"
    );
    let of = |count: usize| format!("a{}", ";b".repeat(count));
    assert!(canonical(&[&of(MAX_PARAMETERS)]).is_ok());
    let fault = canonical(&[&of(MAX_PARAMETERS + 1)]).unwrap_err();
    assert_eq!(
        fault.to_string(),
        "Sec-WebSocket-Extensions has more than 16 parameters"
    );
}

proptest! {
    #[test]
    fn what_is_written_is_read(
        list in proptest::collection::vec(("[a-z-]{1,9}", proptest::collection::vec(("[a-z_]{1,9}", "(=[0-9a-z]{1,4})?"), 0..5)), 1..6),
    ) {
        let written: Vec<_> = list
            .iter()
            .map(|(name, parameters)| {
                parameters.iter().fold(name.clone(), |text, (name, value)| format!("{text};{name}{value}"))
            })
            .collect();
        prop_assert_eq!(canonical(&[&written.join(", ")]), Ok(written));
    }

    #[test]
    fn no_line_panics(line in "[a;=,\"\\\\ \té]{0,20}") {
        let _ = canonical(&[&line]);
    }
}
