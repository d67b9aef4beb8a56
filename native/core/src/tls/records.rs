//! Where TLS records begin and end in a stream of bytes (RFC 8446 §5.1). Only headers are read.

/// Bytes of a record header: type, version, length.
pub(super) const HEADER_BYTES: usize = 5;

/// A record's payload is shorter than this, or rustls refuses it (RFC 5246 §6.2.3: 2^14 + 2048).
pub(super) const MAX_PAYLOAD_BYTES: usize = 16_384 + 2048;

/// Length of the whole records at the start of `bytes`; all of them from the first header that is none, so that rustls
/// can refuse it at once instead of when its alleged length has arrived.
pub(super) fn whole_records(bytes: &[u8]) -> usize {
    let mut end = 0;
    while end < bytes.len() {
        if missing_bytes(&bytes[end..]) > 0 {
            return end;
        }
        match record_bytes(&bytes[end..]) {
            Some(record) => end += record,
            None => return bytes.len(),
        }
    }
    end
}

/// How many bytes the record at the start of `bytes` lacks, or its header where that is incomplete.
pub(super) fn missing_bytes(bytes: &[u8]) -> usize {
    if bytes.len() < HEADER_BYTES {
        return HEADER_BYTES - bytes.len();
    }
    record_bytes(bytes).map_or(0, |record| record.saturating_sub(bytes.len()))
}

/// Length of the record with this header; None where rustls is going to refuse the header.
fn record_bytes(header: &[u8]) -> Option<usize> {
    let payload = usize::from(u16::from_be_bytes([header[3], header[4]]));
    // RFC 8446 §5.1: change_cipher_spec 20 to application_data 23; heartbeat 24 (RFC 6520). The minor version is legacy.
    let known = (20..=24).contains(&header[0]) && header[1] == 3;
    (known && payload < MAX_PAYLOAD_BYTES).then_some(HEADER_BYTES + payload)
}
