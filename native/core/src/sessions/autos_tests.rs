use super::*;

fn said(request: &[u8], response: &[u8]) -> Vec<u8> {
    let len = u32::try_from(request.len()).unwrap();
    [&[1], &len.to_le_bytes()[..], request, response].concat()
}

fn pair(len: usize) -> Pair {
    Pair {
        request: vec![b'?'; len],
        response: vec![b'!'; len],
    }
}

#[test]
fn a_pair_is_read_or_refused() {
    let longest = vec![b'x'; MAX_TEXT_BYTES];
    let read_pair = |payload: &[u8]| read(payload).map(|pair| pair.map(|pair| (pair.request, pair.response)));
    assert_eq!(
        read_pair(&said(b"ping", b"pong")),
        Some(Some((b"ping".to_vec(), b"pong".to_vec())))
    );
    assert_eq!(read_pair(&said(b"", b"")), Some(Some((Vec::new(), Vec::new()))));
    assert_eq!(read_pair(b"\0\0\0\0\0"), Some(None));
    assert!(read(&said(&longest, &longest)).is_some());
    for nonsense in [
        &b""[..],
        b"\x01",
        b"\x01\x02\0\0\0x",
        &said(&[&longest[..], b"x"].concat(), b""),
    ] {
        assert_eq!(read(nonsense), None);
    }
}

#[test]
fn a_group_s_sessions_see_what_changes() {
    let mut autos = Autos::default();
    let group = autos.group(7);
    assert_eq!(group.pair(), None);
    assert!(autos.set(7, Some(pair(3))));
    assert_eq!(group.pair().unwrap().request, b"???");
    assert!(autos.set(7, None));
    assert_eq!((group.pair(), autos.bytes), (None, GROUP_BYTES));
}

#[test]
fn pairs_are_bounded_and_those_of_nobody_go_first() {
    let mut autos = Autos::default();
    let held = autos.group(0);
    assert!(autos.set(0, Some(pair(MAX_TEXT_BYTES))));
    let many = u64::try_from(MAX_PAIRS_BYTES / MAX_TEXT_BYTES).unwrap();
    for number in 1..many {
        assert!(autos.set(number, Some(pair(MAX_TEXT_BYTES))));
        assert!(autos.bytes <= MAX_PAIRS_BYTES);
    }
    assert!(held.pair().is_some());
    let groups: Vec<_> = (0..many).map(|number| autos.group(number)).collect();
    let set = (0..many)
        .filter(|number| autos.set(*number, Some(pair(MAX_TEXT_BYTES))))
        .count();
    assert!(set < groups.len() && autos.bytes <= MAX_PAIRS_BYTES);
}
