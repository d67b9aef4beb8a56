//! ModSecurity's transformations by their SecLang names: bytes in, bytes out.
//!
//! Theory. A rule undoes the encodings behind which an attack hides, one after the other. They do what ModSecurity does,
//! oddities included, since the rules were written against it; where its versions 2 and 3 differ, the one that hides less.
//!
//! Law 1: every transformation takes any bytes. What is not validly encoded stays as it is.
//! Law 2: what it does not change it borrows, so that a chain over ordinary text copies nothing.
//! Law 3: time is linear in the input; the output is at most `MAX_GROWTH` times as long (and 40 bytes).

mod base64;
mod codes;
mod command_line;
mod comments;
mod digests;
mod escapes;
mod hex;
mod html;
mod parity;
mod path;
mod spaces;
mod unicode_map;
mod url;
mod utf8;

use std::borrow::Cow;

/// How much longer than its input an output may be: `urlEncode` writes three bytes for one, `utf8toUnicode` seven for two.
pub const MAX_GROWTH: usize = 4;

/// One transformation.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, PartialOrd, Ord)]
#[allow(missing_docs, reason = "each is called what SecLang calls it")]
pub enum Transformation {
    Base64Decode,
    Base64DecodeExt,
    Base64Encode,
    CmdLine,
    CompressWhitespace,
    CssDecode,
    EscapeSeqDecode,
    HexDecode,
    HexEncode,
    HtmlEntityDecode,
    JsDecode,
    Length,
    Lowercase,
    Md5,
    NormalizePath,
    NormalizePathWin,
    ParityEven7bit,
    ParityOdd7bit,
    ParityZero7bit,
    RemoveComments,
    RemoveCommentsChar,
    RemoveNulls,
    RemoveWhitespace,
    ReplaceComments,
    ReplaceNulls,
    Sha1,
    SqlHexDecode,
    Trim,
    TrimLeft,
    TrimRight,
    Uppercase,
    UrlDecode,
    UrlDecodeUni,
    UrlEncode,
    Utf8ToUnicode,
}

/// What a name stands for; ModSecurity's documentation has two spellings of some.
const NAMES: [(&str, Transformation); 37] = [
    ("base64decode", Transformation::Base64Decode),
    ("base64decodeext", Transformation::Base64DecodeExt),
    ("base64encode", Transformation::Base64Encode),
    ("cmdline", Transformation::CmdLine),
    ("compresswhitespace", Transformation::CompressWhitespace),
    ("cssdecode", Transformation::CssDecode),
    ("escapeseqdecode", Transformation::EscapeSeqDecode),
    ("hexdecode", Transformation::HexDecode),
    ("hexencode", Transformation::HexEncode),
    ("htmlentitydecode", Transformation::HtmlEntityDecode),
    ("jsdecode", Transformation::JsDecode),
    ("length", Transformation::Length),
    ("lowercase", Transformation::Lowercase),
    ("md5", Transformation::Md5),
    ("normalisepath", Transformation::NormalizePath),
    ("normalisepathwin", Transformation::NormalizePathWin),
    ("normalizepath", Transformation::NormalizePath),
    ("normalizepathwin", Transformation::NormalizePathWin),
    ("parityeven7bit", Transformation::ParityEven7bit),
    ("parityodd7bit", Transformation::ParityOdd7bit),
    ("parityzero7bit", Transformation::ParityZero7bit),
    ("removecomments", Transformation::RemoveComments),
    ("removecommentschar", Transformation::RemoveCommentsChar),
    ("removenulls", Transformation::RemoveNulls),
    ("removewhitespace", Transformation::RemoveWhitespace),
    ("replacecomments", Transformation::ReplaceComments),
    ("replacenulls", Transformation::ReplaceNulls),
    ("sha1", Transformation::Sha1),
    ("sqlhexdecode", Transformation::SqlHexDecode),
    ("trim", Transformation::Trim),
    ("trimleft", Transformation::TrimLeft),
    ("trimright", Transformation::TrimRight),
    ("uppercase", Transformation::Uppercase),
    ("urldecode", Transformation::UrlDecode),
    ("urldecodeuni", Transformation::UrlDecodeUni),
    ("urlencode", Transformation::UrlEncode),
    ("utf8tounicode", Transformation::Utf8ToUnicode),
];

impl Transformation {
    /// The transformation of this name, in any case; "none" is not one of them.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        let name = name.to_ascii_lowercase();
        let at = NAMES.binary_search_by_key(&name.as_str(), |(known, _)| known).ok()?;
        Some(NAMES[at].1)
    }

    /// `value` transformed; borrowed where nothing changed or only its ends were cut.
    #[must_use]
    pub fn apply(self, value: &[u8]) -> Cow<'_, [u8]> {
        match self {
            Self::Base64Decode => base64::decode(value),
            Self::Base64DecodeExt => base64::decode_forgiving(value),
            Self::Base64Encode => base64::encode(value),
            Self::CmdLine => command_line::command_line(value),
            Self::CompressWhitespace => spaces::compress(value),
            Self::CssDecode => escapes::css(value),
            Self::EscapeSeqDecode => escapes::ansi_c(value),
            Self::HexDecode => hex::decode(value),
            Self::HexEncode => hex::encode(value),
            Self::HtmlEntityDecode => html::decode(value),
            Self::JsDecode => escapes::javascript(value),
            Self::Length => Cow::Owned(value.len().to_string().into_bytes()),
            Self::Lowercase => spaces::mapped(value, |byte| byte.to_ascii_lowercase()),
            Self::Md5 => digests::md5(value),
            Self::NormalizePath => path::normalize(value),
            Self::NormalizePathWin => path::normalize_windows(value),
            Self::ParityEven7bit => spaces::mapped(value, parity::even),
            Self::ParityOdd7bit => spaces::mapped(value, parity::odd),
            Self::ParityZero7bit => spaces::mapped(value, |byte| byte & 0x7f),
            Self::RemoveComments => comments::remove(value),
            Self::RemoveCommentsChar => comments::remove_marks(value),
            Self::RemoveNulls => spaces::without(value, |byte| byte == 0),
            Self::RemoveWhitespace => {
                spaces::without(value, |byte| spaces::is_space(byte) || matches!(byte, 0xa0 | 0xc2))
            }
            Self::ReplaceComments => comments::replace(value),
            Self::ReplaceNulls => spaces::mapped(value, |byte| if byte == 0 { b' ' } else { byte }),
            Self::Sha1 => digests::sha1(value),
            Self::SqlHexDecode => hex::decode_sql(value),
            Self::Trim => Cow::Borrowed(spaces::trim_left(spaces::trim_right(value))),
            Self::TrimLeft => Cow::Borrowed(spaces::trim_left(value)),
            Self::TrimRight => Cow::Borrowed(spaces::trim_right(value)),
            Self::Uppercase => spaces::mapped(value, |byte| byte.to_ascii_uppercase()),
            Self::UrlDecode => url::decode(value),
            Self::UrlDecodeUni => url::decode_unicode(value),
            Self::UrlEncode => url::encode(value),
            Self::Utf8ToUnicode => utf8::to_unicode(value),
        }
    }
}

/// The transformations that SecLang's `names` stand for. "none" forgets those before it.
///
/// Fails with a sentence for a name that is none of them.
pub fn chain<Name: AsRef<str>>(names: &[Name]) -> Result<Vec<Transformation>, String> {
    let mut found = Vec::with_capacity(names.len());
    for name in names.iter().map(AsRef::as_ref) {
        if name.eq_ignore_ascii_case("none") {
            found.clear();
            continue;
        }
        let known = Transformation::named(name);
        found.push(known.ok_or_else(|| format!("names: {name:?} is not a transformation of SecLang"))?);
    }
    Ok(found)
}

/// `value` after all of them, in their order.
#[must_use]
pub fn apply<'a>(transformations: &[Transformation], value: &'a [u8]) -> Cow<'a, [u8]> {
    transformations
        .iter()
        .fold(Cow::Borrowed(value), |value, one| match value {
            Cow::Borrowed(value) => one.apply(value),
            Cow::Owned(value) => match one.apply(&value) {
                Cow::Borrowed(same) if same.len() == value.len() => Cow::Owned(value),
                other => Cow::Owned(other.into_owned()),
            },
        })
}

#[cfg(test)]
mod tests;
