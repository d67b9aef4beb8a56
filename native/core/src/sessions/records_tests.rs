use proptest::prelude::*;

use super::*;

type Owned = (Head, Vec<u8>);

/// All records of a stream that comes in pieces, and what is left.
fn read(stream: &[u8], sizes: &[usize]) -> Result<(Vec<Owned>, usize), TooLong> {
    let (mut reader, mut records, mut sizes, mut begin) = (Reader::default(), Vec::new(), sizes.iter().cycle(), 0);
    while begin < stream.len() {
        let end = (begin + sizes.next().unwrap()).min(stream.len());
        let bytes = &stream[begin..end];
        let whole = reader.take(bytes);
        let all = whole.as_deref().unwrap_or(bytes);
        let mut at = 0;
        while let Some((head, payload, len)) = split(&all[at..])? {
            records.push((head, payload.to_vec()));
            at += len;
        }
        reader.keep(whole, bytes, at);
        begin = end;
    }
    Ok((records, reader.kept()))
}

#[test]
fn a_header_is_as_the_other_end_reads_it() {
    let head = Head {
        kind: 4,
        flags: 3,
        sid: 0x0102_0304_0506_0708,
        seq: 9,
    };
    let mut bytes = Vec::new();
    head.write(b"hi", &mut bytes);
    assert_eq!(
        bytes,
        b"\x02\0\0\0\x04\x03\0\0\x08\x07\x06\x05\x04\x03\x02\x01\x09\0\0\0hi"
    );
}

#[test]
fn what_is_longer_than_any_record_is_refused_before_it_comes() {
    let longest = u32::try_from(MAX_PAYLOAD_BYTES).unwrap();
    let header = |length: u32| [&length.to_le_bytes()[..], &[0; 16]].concat();
    assert_eq!(split(&header(longest)), Ok(None));
    let length = MAX_PAYLOAD_BYTES + 1;
    assert_eq!(split(&header(longest + 1)), Err(TooLong { length }));
    assert!(read(&header(u32::MAX), &[1]).is_err());
}

proptest! {
    #[test]
    fn any_chopping_gives_the_same_records(
        records in prop::collection::vec(
            (any::<u8>(), any::<u8>(), any::<u64>(), any::<u32>(), prop::collection::vec(any::<u8>(), 0..60)),
            0..20,
        ),
        sizes in prop::collection::vec(1_usize..70, 1..10),
        cut in 0_usize..30,
    ) {
        let records: Vec<Owned> = records
            .into_iter()
            .map(|(kind, flags, sid, seq, payload)| (Head { kind, flags, sid, seq }, payload))
            .collect();
        let mut stream = Vec::new();
        for (head, payload) in &records {
            head.write(payload, &mut stream);
        }
        prop_assert_eq!(read(&stream, &sizes), Ok((records.clone(), 0)));
        stream.truncate(stream.len().saturating_sub(cut));
        let (found, left) = read(&stream, &sizes).unwrap();
        prop_assert_eq!(&found[..], &records[..found.len()]);
        let len = found.iter().map(|(_, payload)| HEADER_BYTES + payload.len()).sum::<usize>();
        prop_assert_eq!(len + left, stream.len());
    }

    #[test]
    fn no_input_is_more_than_refused(stream in prop::collection::vec(any::<u8>(), 0..300), size in 1_usize..50) {
        let _ = read(&stream, &[size]);
    }
}
