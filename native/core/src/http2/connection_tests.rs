use super::*;

#[test]
fn a_client_may_take_back_all_it_has_in_flight_again_and_again_but_not_for_ever() {
    let start = Instant::now();
    let mut taken_back = TakenBack::new(start);
    let allowed = (0..10_000).take_while(|_| taken_back.allows(start)).count();
    assert_eq!(allowed, TAKEN_BACK_BURST as usize);
    assert!(!taken_back.allows(start + Duration::from_millis(900)));
}

#[test]
fn time_gives_back_what_may_be_taken_back_up_to_a_burst() {
    let start = Instant::now();
    let mut taken_back = TakenBack::new(start);
    while taken_back.allows(start) {}
    let later = start + Duration::from_secs(1);
    let allowed = (0..10_000).take_while(|_| taken_back.allows(later)).count();
    assert_eq!(allowed, TAKEN_BACK_PER_SECOND as usize);
    let next_day = later + Duration::from_hours(24);
    let allowed = (0..10_000).take_while(|_| taken_back.allows(next_day)).count();
    assert_eq!(allowed, TAKEN_BACK_BURST as usize);
}
