//! Records of the session channel, version 1: bytes in, records out, and the other way.
//!
//! A record is a header of [`HEADER_BYTES`], little-endian (`u32 length of the payload · u8 kind · u8 flags · u16 0 · u64 sid ·
//! u32 seq`), and its payload. `sid` is a session, `seq` the number of an event of it.
//!
//! Law 1: no socket and no clock.
//! Law 2: any chopping of the same bytes gives the same records.
//! Law 3: nothing announced takes memory: what is kept is what has come.

/// How long a header is.
pub const HEADER_BYTES: usize = 20;
/// The longest message, either way (durable-objects.md §2.4).
pub const MAX_MESSAGE_BYTES: usize = 32 * 1024 * 1024;
/// The longest payload: the longest message, and what goes with it.
pub const MAX_PAYLOAD_BYTES: usize = MAX_MESSAGE_BYTES + 64 * 1024;
/// What both ends say of themselves in their HELLO.
pub const VERSION: u8 = 1;

/// What the edge says.
pub mod from_edge {
    /// Who connects: the first record.
    pub const HELLO: u8 = 1;
    /// A client waits for its 101 until the process has bound the session; or an upstream is there that it asked for.
    pub const OPENED: u8 = 2;
    /// A session that another connection, or another process, had before.
    pub const RESUMED: u8 = 3;
    /// A text message.
    pub const TEXT: u8 = 4;
    /// A binary message.
    pub const BINARY: u8 = 5;
    /// The last event of a session: its peer has closed it, or is gone.
    pub const CLOSED: u8 = 6;
    /// An error that is no disconnect.
    pub const FAILED: u8 = 7;
    /// How much of what was sent has not been written yet.
    pub const BACKLOG: u8 = 8;
    /// When the last auto-response was.
    pub const AUTO_ANSWERED: u8 = 9;
    /// There are no more sessions that were there before.
    pub const READY: u8 = 10;
    /// No upstream waits under this token.
    pub const ADOPT_FAILED: u8 = 11;
}

/// What a script's process says.
pub mod to_edge {
    /// Who answers: the first record.
    pub const HELLO: u8 = 32;
    /// Send this text.
    pub const TEXT: u8 = 33;
    /// Send these bytes.
    pub const BINARY: u8 = 34;
    /// Send this to many.
    pub const MANY: u8 = 35;
    /// Send a Close.
    pub const CLOSE: u8 = 36;
    /// Keep this beside the session.
    pub const STATE: u8 = 37;
    /// Events up to this one are done with.
    pub const ACK: u8 = 38;
    /// Answer this with that.
    pub const AUTO: u8 = 39;
    /// A session has an owner now.
    pub const BIND: u8 = 40;
    /// Its object was reset.
    pub const ABORT: u8 = 41;
    /// The process goes.
    pub const BYE: u8 = 42;
    /// Nobody wants this session.
    pub const UNKNOWN: u8 = 43;
    /// Make a session of an upstream that waits.
    pub const ADOPT: u8 = 44;
}

/// A header.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Head {
    /// What the record is.
    pub kind: u8,
    /// What it says beside.
    pub flags: u8,
    /// The session.
    pub sid: u64,
    /// The event of it; of what a process sends, the number under which its object has written it down; 0 where it has none.
    pub seq: u32,
}

impl Head {
    /// A record without flags about a session.
    #[must_use]
    pub fn of(kind: u8, sid: u64) -> Self {
        Self {
            kind,
            sid,
            ..Self::default()
        }
    }

    /// As it goes over the channel. A payload is never longer than [`MAX_PAYLOAD_BYTES`].
    #[must_use]
    pub fn to_bytes(self, payload_len: usize) -> [u8; HEADER_BYTES] {
        let length = u32::try_from(payload_len).unwrap_or(u32::MAX);
        let mut bytes = [0; HEADER_BYTES];
        bytes[..4].copy_from_slice(&length.to_le_bytes());
        bytes[4] = self.kind;
        bytes[5] = self.flags;
        bytes[8..16].copy_from_slice(&self.sid.to_le_bytes());
        bytes[16..].copy_from_slice(&self.seq.to_le_bytes());
        bytes
    }

    /// The header that starts `bytes`, and how long its payload is; None while not all of it is there.
    #[must_use]
    pub fn read(bytes: &[u8]) -> Option<(Self, usize)> {
        let header: &[u8; HEADER_BYTES] = bytes.first_chunk()?;
        let head = Self {
            kind: header[4],
            flags: header[5],
            sid: number(&header[8..16]),
            seq: u32::from_le_bytes([header[16], header[17], header[18], header[19]]),
        };
        let length = u32::from_le_bytes([header[0], header[1], header[2], header[3]]);
        Some((head, usize::try_from(length).unwrap_or(usize::MAX)))
    }

    /// Appends the record to `out`.
    pub fn write(self, payload: &[u8], out: &mut Vec<u8>) {
        out.extend_from_slice(&self.to_bytes(payload.len()));
        out.extend_from_slice(payload);
    }
}

/// Up to eight bytes, little-endian.
#[must_use]
pub fn number(bytes: &[u8]) -> u64 {
    bytes.iter().rev().fold(0, |sum, byte| sum << 8 | u64::from(*byte))
}

/// A record that is longer than any may be: what says so cannot be followed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TooLong {
    /// What it said.
    pub length: usize,
}

/// Takes bytes as they come.
#[derive(Debug, Default)]
pub struct Reader {
    /// The beginning of a record.
    begun: Vec<u8>,
}

impl Reader {
    /// What has come and not been read, `bytes` last; in whichever of the two it can be read. Give what is left to [`Reader::keep`].
    #[must_use]
    pub fn take(&mut self, bytes: &[u8]) -> Option<Vec<u8>> {
        if self.begun.is_empty() {
            return None;
        }
        let mut all = std::mem::take(&mut self.begun);
        all.extend_from_slice(bytes);
        Some(all)
    }

    /// Keeps the beginning of a record, in the buffer it came in where that is `whole`.
    pub fn keep(&mut self, whole: Option<Vec<u8>>, bytes: &[u8], read: usize) {
        self.begun = match whole {
            Some(whole) if read == 0 => whole,
            Some(whole) => whole[read..].to_vec(),
            None => bytes[read..].to_vec(),
        };
    }

    /// How many bytes of a record are kept that is not whole.
    #[must_use]
    pub fn kept(&self) -> usize {
        self.begun.len()
    }
}

/// A record: its header, its payload, and how long all of it is.
pub type Record<'a> = (Head, &'a [u8], usize);

/// The record that starts `bytes`; None while not all of it is there.
pub fn split(bytes: &[u8]) -> Result<Option<Record<'_>>, TooLong> {
    let Some((head, length)) = Head::read(bytes) else {
        return Ok(None);
    };
    if length > MAX_PAYLOAD_BYTES {
        return Err(TooLong { length });
    }
    let end = HEADER_BYTES + length;
    Ok(bytes.get(HEADER_BYTES..end).map(|payload| (head, payload, end)))
}

#[cfg(test)]
#[path = "records_tests.rs"]
mod tests;
