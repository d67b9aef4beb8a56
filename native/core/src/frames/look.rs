//! Looking at frames before letting them pass.

use super::{Header, PING_BYTES, Walker, header_bytes, own};

/// What comes next, for who looks before letting it pass.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sight {
    /// All that there was has been taken, and is held: it is no whole header yet.
    Held,
    /// A frame: [`Walker::pass_frame`] lets its header pass.
    Frame(Header),
    /// So many bytes of payload, at most: [`Walker::pass_payload`] lets them pass.
    Payload(usize),
    /// The answer to a ping of ours, with what that carried behind the nonce. It is gone.
    Answer(u64),
}

impl Walker {
    /// Says what comes next, and how many of `bytes` have been taken to find out. With a nonce, the answer to a ping that
    /// carries it is taken out, wherever it was chopped.
    pub fn look(&mut self, bytes: &[u8], nonce: Option<u64>) -> (usize, Sight) {
        if self.is_lost {
            return (0, Sight::Payload(bytes.len()));
        }
        if self.remaining > 0 {
            let here = usize::try_from(self.remaining).map_or(bytes.len(), |remaining| remaining.min(bytes.len()));
            return (0, Sight::Payload(here));
        }
        let mut taken = 0;
        loop {
            let held = &self.header[..usize::from(self.header_len)];
            let may_answer = nonce.filter(|_| self.header_passed == 0 && own::may_be_answer(held));
            let wanted = header_bytes(held).map(|len| len + if may_answer.is_some() { PING_BYTES } else { 0 });
            if let Some(header) = Header::read(held).filter(|_| wanted.is_some_and(|wanted| wanted <= held.len())) {
                if let Some(answer) = may_answer.and_then(|nonce| own::answer(held, nonce)) {
                    self.header_len = 0;
                    return (taken, Sight::Answer(answer));
                }
                return (taken, Sight::Frame(header));
            }
            let Some(byte) = bytes.get(taken) else {
                return (taken, Sight::Held);
            };
            self.header[usize::from(self.header_len)] = *byte;
            self.header_len += 1;
            taken += 1;
        }
    }

    /// Lets the frame pass that [`Walker::look`] has shown: appends what was held to `out`, and counts it.
    pub fn pass_frame(&mut self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.header[usize::from(self.header_passed)..usize::from(self.header_len)]);
        self.let_go();
    }

    /// Lets payload of the current frame pass, at most as much as [`Walker::look`] has shown. Appending it is the caller's.
    pub fn pass_payload(&mut self, bytes: &[u8]) {
        let mut at = 0;
        while at < bytes.len() {
            at += self.step(&bytes[at..]);
        }
    }

    /// Counts what was held as passed.
    pub(super) fn let_go(&mut self) {
        let (held, passed) = (self.header, usize::from(self.header_passed));
        let held = &held[..usize::from(self.header_len)];
        let Some(len) = header_bytes(held).filter(|len| *len <= held.len()) else {
            self.passed.bytes += (held.len() - passed) as u64;
            self.header_passed = self.header_len;
            return;
        };
        self.header_len = 0;
        self.header_passed = 0;
        self.passed.bytes += (len - passed) as u64;
        self.begin_frame(&held[..len]);
        self.pass_payload(&held[len..]);
    }
}

#[cfg(test)]
#[path = "look_tests.rs"]
mod tests;
