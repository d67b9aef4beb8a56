//! libinjection's table: what its 985 words and phrases are, and which 8,367 fingerprints are attacks.

use std::collections::{HashMap, HashSet};
use std::sync::LazyLock;

use libinjectionrs::sqli::sqli_data::SQL_KEYWORDS;

use super::token::MAX_TEXT;

/// What the table says of fingerprints, which it writes in upper case behind a "0".
const FINGERPRINT: u8 = b'F';

static WORDS: LazyLock<HashMap<&'static [u8], u8>> = LazyLock::new(|| {
    let words = SQL_KEYWORDS.iter().filter(|entry| entry.token_type != FINGERPRINT);
    words.map(|entry| (entry.word.as_bytes(), entry.token_type)).collect()
});

static ATTACKS: LazyLock<HashSet<&'static [u8]>> = LazyLock::new(|| {
    let attacks = SQL_KEYWORDS.iter().filter(|entry| entry.token_type == FINGERPRINT);
    attacks.map(|entry| &entry.word.as_bytes()[1..]).collect()
});

/// The longest word, so that most others are not looked for.
static LONGEST: LazyLock<usize> = LazyLock::new(|| WORDS.keys().map(|word| word.len()).max().unwrap_or(0));

/// The type of a word or phrase, in any case.
pub(super) fn kind_of(word: &[u8]) -> Option<u8> {
    if word.len() > MAX_TEXT.min(*LONGEST) {
        return None;
    }
    let mut upper = [0; MAX_TEXT];
    let upper = &mut upper[..word.len()];
    upper.copy_from_slice(word);
    upper.make_ascii_uppercase();
    WORDS.get(&*upper).copied()
}

/// Whether attacks have this fingerprint.
pub(super) fn is_attack(fingerprint: &[u8]) -> bool {
    !fingerprint.is_empty() && ATTACKS.contains(fingerprint.to_ascii_uppercase().as_slice())
}
