use super::*;

#[test]
fn what_gets_no_shorter_is_not_compressed() {
    let mut tools = Tools::default();
    let mut number = 1_u32;
    let noise: Vec<u8> = std::iter::repeat_with(|| {
        number = number.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        number.to_be_bytes()[0]
    })
    .take(100_000)
    .collect();
    assert_eq!(tools.deflate(&noise), None);
    assert!(
        tools
            .deflate(&vec![0; 100_000])
            .is_some_and(|shorter| shorter.len() < 1_000)
    );
    assert!(tools.bytes.capacity() <= 200_000);
    assert!(tools.deflate(b"aaaaaaaaaaaaaaaaaaaaaaaaaa").is_some());
    assert!(
        tools.bytes.capacity() <= KEPT_BYTES,
        "a large message's memory is given back"
    );
}

#[test]
fn a_message_that_gets_no_shorter_leaves_nothing_in_the_next_one() {
    let mut tools = Tools::default();
    let mut number = 1_u64;
    let mut noise = |len: usize| -> Vec<u8> {
        std::iter::repeat_with(|| {
            number ^= number << 13;
            number ^= number >> 7;
            number ^= number << 17;
            number.to_be_bytes()[0]
        })
        .take(len)
        .collect()
    };
    for len in [126, 4_096, 16_384, 65_535, 65_536, 100_000, 300_000].repeat(20) {
        assert_eq!(tools.deflate(&noise(len)), None);
        let text = vec![b'x'; len];
        let shorter = tools.deflate(&text).unwrap().to_vec();
        assert_eq!(tools.inflate(&shorter, None).unwrap()[HEADER_BYTES..], text);
    }
}

#[test]
fn a_bomb_is_refused_where_a_message_may_end() {
    let mut tools = Tools::default();
    let bomb = |tools: &mut Tools, len: usize| tools.deflate(&vec![0; len]).unwrap().to_vec();
    let most = bomb(&mut tools, MAX_MESSAGE_BYTES);
    assert_eq!(
        tools.inflate(&most, None).unwrap().len(),
        HEADER_BYTES + MAX_MESSAGE_BYTES
    );
    let more = bomb(&mut tools, MAX_MESSAGE_BYTES + 1);
    assert_eq!(tools.inflate(&more, None), Err(Refusal::TooBig(MAX_MESSAGE_BYTES)));
    let refusal = tools
        .inflate(b"garbage that is no deflate", Some([1, 2, 3, 4]))
        .unwrap_err();
    assert!(matches!(refusal, Refusal::Protocol(_)));
}

#[test]
fn a_budget_counts_what_its_script_and_all_hold() {
    let all = Arc::default();
    let (one, other) = (Budget::new(&all), Budget::new(&all));
    one.change(0, MAX_HELD_OF_SCRIPT_BYTES);
    assert!(one.is_full() && !other.is_full());
    other.change(0, MAX_HELD_OF_SCRIPT_BYTES - 1);
    assert!(!other.is_full());
    one.change(MAX_HELD_OF_SCRIPT_BYTES, MAX_HELD_OF_SCRIPT_BYTES + 1);
    assert!(other.is_full());
    one.change(MAX_HELD_OF_SCRIPT_BYTES + 1, 0);
    assert!(!one.is_full() && !other.is_full());
}
