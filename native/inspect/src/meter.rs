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

/// A number of things as steps; more than there can be are as many as there can be.
pub(crate) fn steps(count: usize) -> u32 {
    u32::try_from(count).unwrap_or(u32::MAX)
}
