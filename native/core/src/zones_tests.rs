use super::*;

fn keep(names: &[&str]) -> HashSet<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

fn counts(messages: u64, bytes: u64) -> Counts {
    Counts {
        text_messages: messages,
        binary_messages: 1,
        bytes,
        ..Counts::default()
    }
}

#[test]
fn a_name_is_one_zone_for_all_who_ask() {
    let zones = Zones::default();
    let zone = zones.named("one");
    assert_eq!(zone.name(), "one");
    assert!(Arc::ptr_eq(&zone, &zones.named("one")));
    assert!(!Arc::ptr_eq(&zone, &zones.named("other")));
    assert!(Arc::ptr_eq(&zones.named(""), zones.nameless()));
}

#[test]
fn answers_are_counted_by_kind_and_status() {
    let zones = Zones::default();
    let zone = zones.named("one");
    for (is_upgrade, status) in [(true, 101), (true, 403), (true, 101), (false, 200), (false, 403)] {
        zone.answered(is_upgrade, status);
    }
    let figures = &zones.statistics(Vec::new)["one"];
    assert_eq!(figures.upgrades, BTreeMap::from([(101, 2), (403, 1)]));
    assert_eq!(figures.requests, BTreeMap::from([(200, 1), (403, 1)]));
}

#[test]
fn what_loops_say_of_a_zone_is_added_up() {
    let zones = Zones::default();
    let zone = zones.named("one");
    (0..3).for_each(|_| zone.tunnel_opened());
    zone.tunnel_ended();
    let loops = [(1, 10), (2, 20)].map(|(messages, bytes)| {
        let mut ledger = Ledger::default();
        ledger
            .of(&zone)
            .add_counts(&counts(messages, bytes), &counts(0, bytes + 1));
        ledger.of(&zone).add_close(ClosedBy::Client, Why::CloseFrame);
        ledger.into_figures()
    });
    let figures = &zones.statistics(|| loops.into_iter().flatten().collect())["one"];
    assert_eq!((figures.open, figures.opened), (2, 3));
    let traffic = &figures.traffic;
    assert_eq!((traffic.messages_to_origin, traffic.messages_to_client), (5, 2));
    assert_eq!((traffic.bytes_to_origin, traffic.bytes_to_client), (30, 32));
    assert_eq!(figures.closes(), BTreeMap::from([("client/close_frame".to_owned(), 2)]));
}

#[test]
fn a_copy_of_a_ledger_leaves_the_ledger_as_it_is() {
    let zone = Zones::default().named("one");
    let mut ledger = Ledger::default();
    ledger.of(&zone).add_counts(&counts(1, 1), &counts(1, 1));
    ledger.copy().of(&zone).add_counts(&counts(5, 5), &counts(5, 5));
    assert_eq!(ledger.of(&zone).bytes_to_origin, 1);
}

#[test]
fn nothing_is_said_of_no_zone_until_something_happens_without_one() {
    let zones = Zones::default();
    assert!(zones.statistics(Vec::new).is_empty());
    zones.nameless().answered(false, 530);
    assert_eq!(zones.statistics(Vec::new)[""].requests, BTreeMap::from([(530, 1)]));
}

#[test]
fn a_zone_is_forgotten_when_it_is_not_kept_and_has_no_tunnel() {
    let zones = Zones::default();
    let mut ledger = Ledger::default();
    for name in ["kept", "gone", "open"] {
        zones.named(name).answered(false, 200);
        ledger.of(&zones.named(name)).add_counts(&counts(1, 1), &counts(1, 1));
    }
    zones.named("open").tunnel_opened();
    zones.nameless().answered(false, 200);
    zones.forget(&keep(&["kept"]));
    ledger.forget(&keep(&["kept"]));
    let names: Vec<String> = zones.statistics(|| ledger.into_figures()).into_keys().collect();
    assert_eq!(names, ["", "kept", "open"]);
}
