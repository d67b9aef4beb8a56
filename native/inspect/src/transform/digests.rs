//! Digests of a value, as raw bytes; a rule that wants digits adds `hexEncode`.

use std::borrow::Cow;

use md5::Md5;
use sha1::{Digest, Sha1};

pub(super) fn md5(value: &[u8]) -> Cow<'_, [u8]> {
    Cow::Owned(Md5::digest(value).to_vec())
}

pub(super) fn sha1(value: &[u8]) -> Cow<'_, [u8]> {
    Cow::Owned(Sha1::digest(value).to_vec())
}
