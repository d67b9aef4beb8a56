use std::borrow::Cow;
use std::time::{Duration, Instant};

use proptest::prelude::*;

use super::*;

/// Name, value, what it becomes.
type Case = (&'static str, &'static [u8], &'static [u8]);

const CASES: [Case; 92] = [
    ("base64Decode", b"VGVzdENhc2U=", b"TestCase"),
    ("base64Decode", b"VGVz!dENhc2U=", b"Tes"),
    ("base64DecodeExt", b"V.G V\0zdENhc2U=", b"TestCase"),
    ("base64Encode", b"Test Case\0", b"VGVzdCBDYXNlAA=="),
    ("cmdLine", b"C^OMMAND /C \"D'I\\R\"", b"command/c dir"),
    ("cmdLine", b"cmd,;\t/c (x", b"cmd/c(x"),
    ("cmdLine", b"ABC", b"abc"),
    ("compressWhitespace", b" a \t\x0b b\r\nc", b" a b c"),
    ("compressWhitespace", b"a\tb", b"a b"),
    ("cssDecode", b"\\1A\\1 A\\1234567\\123456 7\\1x", b"\x1a\x01AV7V7\x01x"),
    ("cssDecode", b"a\\\nb\\g\\", b"abg"),
    ("cssDecode", b"\\ff1c\\0ff1e\\00FF0fz", b"<>/z"),
    ("cssDecode", b"\\1234\\12345", b"4E"),
    (
        "escapeSeqDecode",
        b"\\a\\b\\f\\n\\r\\t\\v\\?\\'\\\"\\\\",
        b"\x07\x08\x0c\n\r\t\x0b?'\"\\",
    ),
    (
        "escapeSeqDecode",
        b"\\0\\12\\123\\x41\\X42\\xag\\666\\9\\",
        b"\0\nSABxag\xb69\\",
    ),
    ("hexDecode", b"546573740043", b"Test\0C"),
    ("hexDecode", b"414", b"A"),
    ("hexEncode", b"Te\0\xff", b"546500ff"),
    ("htmlEntityDecode", b"&lt;&GT&quot;&amp;&nbsp;x", b"<>\"&\xa0x"),
    ("htmlEntityDecode", b"&#x41;&#66&#X43;&#0;", b"ABC\0"),
    ("htmlEntityDecode", b"&foo; & &# &#x &#xg; &", b"&foo; & &# &#x &#xg; &"),
    ("htmlEntityDecode", b"&#99999999999999999999;", b"\xff"),
    ("jsDecode", b"\\u0041\\x42\\103\\n\\q\\", b"ABC\nq\\"),
    ("jsDecode", b"\\uff1c\\400\\7", b"< 0\x07"),
    ("length", b"0123456789abcdef", b"16"),
    ("lowercase", b"AbC\xc4", b"abc\xc4"),
    (
        "md5",
        b"",
        b"\xd4\x1d\x8c\xd9\x8f\x00\xb2\x04\xe9\x80\x09\x98\xec\xf8\x42\x7e",
    ),
    ("normalizePath", b"/a/./b//c/../d/", b"/a/b/d/"),
    ("normalizePath", b"/../../etc", b"/etc"),
    ("normalizePath", b"a/../../b", b"../b"),
    ("normalizePath", b"/a/..", b""),
    ("normalizePath", b"./x", b"x"),
    ("normalizePath", b"a/foo..", b"a"),
    ("normalizePath", b"a.b/c.", b"a.b/c."),
    ("normalisePathWin", b"\\a\\.\\b\\..\\c", b"/a/c"),
    ("normalizePathWin", b"a/b", b"a/b"),
    ("parityEven7bit", b"abC", b"\xe1\xe2\xc3"),
    ("parityOdd7bit", b"abC", b"abC"),
    ("parityZero7bit", b"a\xe1\xff", b"aa\x7f"),
    ("removeComments", b"a/* b */c<!-- d -->e", b"ace"),
    ("removeComments", b"a -- b", b"a "),
    ("removeComments", b"a # b", b"a "),
    ("removeComments", b"a /* b", b"a  "),
    ("removeComments", b"/**/", b"\0"),
    ("removeComments", b"a - b", b"a - b"),
    ("removeCommentsChar", b"a/*b*/c<!--d-->e--f#g", b"abcdefg"),
    ("removeCommentsChar", b"a - b", b"a - b"),
    ("removeNulls", b"a\0b\0", b"ab"),
    ("removeWhitespace", b" a\tb\x0bc\xa0d\xc2", b"abcd"),
    ("replaceComments", b"a/* b */c/**/d", b"a c d"),
    ("replaceComments", b"a/* b", b"a "),
    ("replaceComments", b"a*/b", b"a*/b"),
    ("replaceNulls", b"a\0b", b"a b"),
    (
        "sha1",
        b"",
        b"\xda\x39\xa3\xee\x5e\x6b\x4b\x0d\x32\x55\xbf\xef\x95\x60\x18\x90\xaf\xd8\x07\x09",
    ),
    ("sqlHexDecode", b"0x414243 0X4a4z 0x4 0xg", b"ABC J4z 0x4 0xg"),
    ("trim", b" \t a b \n", b"a b"),
    ("trim", b" \t ", b""),
    ("trimLeft", b" a ", b"a "),
    ("trimRight", b" a ", b" a"),
    ("uppercase", b"aBc\xe4", b"ABC\xe4"),
    ("urlDecode", b"a+b%20c%4x%", b"a b c%4x%"),
    ("urlDecode", b"%u0041%2541", b"%u0041%41"),
    ("urlDecodeUni", b"%u0041%U0042%43+", b"ABC "),
    ("urlDecodeUni", b"%uff1cscript%uFF1E", b"<script>"),
    ("urlDecodeUni", b"%u2019%u2032%u00e9", b"''e"),
    ("urlDecodeUni", b"%u1141%u00a3", b"A\xa3"),
    ("urlDecodeUni", b"%u004%uzzzz%u", b"%u004%uzzzz%u"),
    ("urlEncode", b"a b*/\0\xff", b"a+b*%2f%00%ff"),
    (
        "utf8toUnicode",
        "a\u{e9}\u{2019}\u{1f600}".as_bytes(),
        b"a%u00e9%u2019%u1f600",
    ),
    ("utf8toUnicode", b"a\0b", b"ab"),
    ("utf8toUnicode", b"\xc0\xaf", b"%u002f\xc0"),
    ("utf8toUnicode", b"\xed\xa0\x80", b"%ud800\xed"),
    ("utf8toUnicode", b"\xf5\x80\x80\x80", b"\xf5%u140000"),
    ("utf8toUnicode", b"\x80\xe2\x80x\xff", b"\x80\x80x\xff"),
    ("base64Decode", b"", b""),
    ("cmdLine", b"", b""),
    ("compressWhitespace", b"", b""),
    ("cssDecode", b"", b""),
    ("escapeSeqDecode", b"", b""),
    ("hexDecode", b"", b""),
    ("htmlEntityDecode", b"", b""),
    ("jsDecode", b"", b""),
    ("normalizePath", b"", b""),
    ("normalizePathWin", b"\\", b"/"),
    ("removeComments", b"", b""),
    ("removeWhitespace", b"", b""),
    ("replaceComments", b"", b""),
    ("sqlHexDecode", b"", b""),
    ("trimLeft", b"", b""),
    ("urlDecode", b"", b""),
    ("urlDecodeUni", b"%", b"%"),
    ("utf8toUnicode", b"", b""),
];

fn all() -> impl Iterator<Item = Transformation> {
    NAMES.iter().map(|(_, transformation)| *transformation)
}

fn shown(value: &[u8]) -> String {
    value.escape_ascii().to_string()
}

#[test]
fn each_transformation_does_what_its_name_says() {
    for (name, value, wanted) in CASES {
        let chain = chain(&[name]).unwrap();
        assert_eq!(shown(&apply(&chain, value)), shown(wanted), "{name}({})", shown(value));
    }
}

#[test]
fn every_transformation_has_a_case_and_the_names_are_in_order() {
    for transformation in all() {
        assert!(
            CASES
                .iter()
                .any(|(name, ..)| Transformation::named(name) == Some(transformation)),
            "{transformation:?}"
        );
    }
    assert!(NAMES.is_sorted_by_key(|(name, _)| *name));
}

#[test]
fn names_are_known_in_any_case_and_none_forgets_those_before_it() {
    assert_eq!(
        chain(&["urldecodeUNI", "None", "LOWERCASE", "trim"]),
        Ok(vec![Transformation::Lowercase, Transformation::Trim])
    );
    assert_eq!(
        chain(&["lowercase", "rot13"]),
        Err("names: \"rot13\" is not a transformation of SecLang".to_owned())
    );
    assert_eq!(chain::<&str>(&[]), Ok(vec![]));
}

#[test]
fn what_has_nothing_to_decode_is_borrowed() {
    let changing = [
        "base64Decode",
        "base64DecodeExt",
        "base64Encode",
        "hexDecode",
        "hexEncode",
        "length",
        "md5",
        "sha1",
    ];
    let value = b"/socket/general";
    for (name, transformation) in NAMES {
        let is_changing = changing.iter().any(|one| one.eq_ignore_ascii_case(name));
        let is_encoding = matches!(transformation, Transformation::UrlEncode | Transformation::Uppercase);
        let is_parity = name.starts_with("parity") && transformation != Transformation::ParityZero7bit;
        if !is_changing && !is_encoding && !is_parity {
            assert!(
                matches!(transformation.apply(value), Cow::Borrowed(same) if same == value),
                "{name}"
            );
        }
    }
}

#[test]
fn a_long_value_takes_time_that_is_linear_in_it() {
    let units: [&[u8]; 12] = [
        b"%",
        b"%u",
        b"\\",
        b"&#",
        b"&#x1",
        b"/*",
        b"<!--",
        b"../",
        b"a/",
        b"0x",
        b"-",
        b"\xf0\x90",
    ];
    for unit in units {
        let value = unit.repeat(100_000 / unit.len());
        for transformation in all() {
            let start = Instant::now();
            let _ = transformation.apply(&value);
            assert!(
                start.elapsed() < Duration::from_secs(1),
                "{transformation:?} of {}",
                shown(unit)
            );
        }
    }
}

/// Bytes that are rich in what decoders look for.
fn hostile() -> impl Strategy<Value = Vec<u8>> {
    let units: [&[u8]; 30] = [
        b"%", b"u", b"x", b"\\", b"&", b"#", b";", b"0", b"7", b"f", b"F", b"/", b".", b"-", b"*", b"!", b"<", b">",
        b"\0", b" ", b"\t", b"\xc3", b"\xa9", b"\xf0", b"\xff", b"lt", b"quot", b"41", b"ff0c", b"=",
    ];
    let rich = prop::collection::vec(prop::sample::select(units.to_vec()), 0..40).prop_map(|parts| parts.concat());
    prop_oneof![3 => rich, 1 => prop::collection::vec(any::<u8>(), 0..60)]
}

proptest! {
    #[test]
    fn no_value_makes_any_transformation_panic_or_grow_beyond_its_bound(value in hostile()) {
        for transformation in all() {
            prop_assert!(transformation.apply(&value).len() <= MAX_GROWTH * value.len() + 40, "{transformation:?}");
        }
    }

    #[test]
    fn a_chain_is_its_transformations_one_after_the_other(value in hostile(), picked in prop::collection::vec(0..NAMES.len(), 0..6)) {
        let chain: Vec<Transformation> = picked.iter().map(|at| NAMES[*at].1).collect();
        let mut stepwise = value.clone();
        for one in &chain {
            stepwise = one.apply(&stepwise).into_owned();
        }
        prop_assert_eq!(apply(&chain, &value).into_owned(), stepwise);
    }

    #[test]
    fn what_only_takes_away_or_normalizes_does_nothing_the_second_time(value in hostile()) {
        use Transformation as T;
        for one in [T::Trim, T::TrimLeft, T::TrimRight, T::RemoveNulls, T::ReplaceNulls, T::RemoveWhitespace,
            T::CompressWhitespace, T::Lowercase, T::Uppercase, T::ParityZero7bit] {
            let once = one.apply(&value);
            prop_assert_eq!(&one.apply(&once), &once, "{:?}", one);
        }
    }

    #[test]
    fn what_is_encoded_decodes_to_what_it_was(value in prop::collection::vec(any::<u8>(), 0..60)) {
        use Transformation as T;
        for (encode, decode) in [(T::UrlEncode, T::UrlDecode), (T::HexEncode, T::HexDecode),
            (T::Base64Encode, T::Base64Decode), (T::Base64Encode, T::Base64DecodeExt)] {
            prop_assert_eq!(decode.apply(&encode.apply(&value)).into_owned(), value.clone(), "{:?}", decode);
        }
    }
}
