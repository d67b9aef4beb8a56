use super::*;

const BURST: u32 = 100;
const PER_SECOND: u32 = 7;

fn allowed(budget: &mut Budget, at: Instant) -> usize {
    (0..10_000).take_while(|_| budget.allows(at)).count()
}

#[test]
fn a_burst_may_come_at_once_and_no_more() {
    let start = Instant::now();
    let mut budget = Budget::new(BURST, PER_SECOND, start);
    assert_eq!(allowed(&mut budget, start), BURST as usize);
    assert!(!budget.allows(start + Duration::from_millis(900)));
}

#[test]
fn time_gives_back_up_to_a_burst() {
    let start = Instant::now();
    let mut budget = Budget::new(BURST, PER_SECOND, start);
    while budget.allows(start) {}
    let later = start + Duration::from_secs(1);
    assert_eq!(allowed(&mut budget, later), PER_SECOND as usize);
    let next_day = later + Duration::from_hours(24);
    assert_eq!(allowed(&mut budget, next_day), BURST as usize);
}
