//! How much work may still be done for one rule.
//!
//! Law: whoever works spends first or at once; beyond its last step nobody goes on, and nobody says what was not found out.

/// Work that is left. A step is about 4 ns on the machine of `docs/performance.md`.
#[derive(Debug, PartialEq, Eq)]
pub struct Meter(u32);

/// What one rule may cost: about 2 ms. So with what is spent before anybody counts, none takes 5 ms.
pub const A_RULE: u32 = 500_000;

/// Nobody knows: it would have taken too long to find out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Undecided;

impl Meter {
    /// So many steps.
    #[must_use]
    pub const fn of(steps: u32) -> Self {
        Self(steps)
    }

    /// How many are left.
    #[must_use]
    pub const fn left(&self) -> u32 {
        self.0
    }

    /// Take so many away; where there are fewer, all of them, and say so.
    pub const fn spend(&mut self, steps: u32) -> Result<(), Undecided> {
        if steps > self.0 {
            self.0 = 0;
            return Err(Undecided);
        }
        self.0 -= steps;
        Ok(())
    }
}

/// What all rules of one request may cost together, about 16 ms: of what uses that up, whoever asks is hostile.
pub const A_REQUEST: u32 = 8 * A_RULE;

/// What may be spent: by the rule that is evaluated, and by all rules of the request where one has begun.
#[derive(Debug)]
pub struct Budget {
    /// What the rule may still cost.
    pub rule: Meter,
    rule_began_with: u32,
    /// What was left for the request when the rule began.
    request: Option<u32>,
}

impl Budget {
    /// That of a rule by itself.
    #[must_use]
    pub const fn of_a_rule() -> Self {
        Self {
            rule: Meter::of(A_RULE),
            rule_began_with: A_RULE,
            request: None,
        }
    }

    /// That of a request of which no rule has begun.
    #[must_use]
    pub const fn of_a_request() -> Self {
        Self {
            rule: Meter::of(A_RULE),
            rule_began_with: A_RULE,
            request: Some(A_REQUEST),
        }
    }

    /// Another rule begins: it may cost what any may, and no more than is left for the request.
    pub fn begin_rule(&mut self) {
        let spent = self.rule_began_with - self.rule.left();
        self.request = self.request.map(|left| left.saturating_sub(spent));
        self.rule_began_with = self.request.map_or(A_RULE, |left| left.min(A_RULE));
        self.rule = Meter::of(self.rule_began_with);
    }
}

/// A number of things as steps; more than there can be are as many as there can be.
pub(crate) fn steps(count: usize) -> u32 {
    u32::try_from(count).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::{A_REQUEST, A_RULE, Budget, Undecided};

    #[test]
    fn a_rule_by_itself_has_as_much_as_any() {
        let mut budget = Budget::of_a_rule();
        for _ in 0..2 * A_REQUEST / A_RULE {
            assert_eq!(budget.rule.spend(A_RULE), Ok(()));
            assert_eq!(budget.rule.spend(1), Err(Undecided));
            budget.begin_rule();
        }
    }

    #[test]
    fn the_rules_of_a_request_have_no_more_together_than_it_has() {
        let mut budget = Budget::of_a_request();
        let mut spent = 0;
        while budget.rule.spend(A_RULE - 1).is_ok() {
            spent += A_RULE - 1;
            budget.begin_rule();
        }
        assert_eq!(spent, 8 * (A_RULE - 1));
        // What was left over, a rule that asks for more than there is takes as well.
        budget.begin_rule();
        assert_eq!(budget.rule.spend(1), Err(Undecided));
    }

    #[test]
    fn rules_that_cost_nothing_take_nothing_from_the_others() {
        let mut budget = Budget::of_a_request();
        for _ in 0..1_000 {
            budget.begin_rule();
        }
        assert_eq!(budget.rule.left(), A_RULE);
    }
}
