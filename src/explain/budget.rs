//! A limit on the work of one explanation, in bytes that are hashed. A forged link decides how long the texts are that are
//! tried, so a limit on their number alone would be none.

use std::cell::Cell;

/// What one try costs besides its text: two strings to sign, and the MAC over one.
const EACH_TRY: u64 = 512;
/// What an operator's question may cost: some tenths of a second.
const FOR_OPERATORS: u64 = 64 << 20;

/// The bytes that one explanation may still hash.
#[derive(Debug)]
pub struct HashBudget {
    granted: u64,
    left: Cell<u64>,
}

impl Default for HashBudget {
    /// That of an operator's question.
    fn default() -> Self {
        Self::of_bytes(FOR_OPERATORS)
    }
}

impl HashBudget {
    /// So many bytes.
    pub fn of_bytes(granted: u64) -> Self {
        Self {
            granted,
            left: Cell::new(granted),
        }
    }

    /// How many bytes were used.
    pub fn spent(&self) -> u64 {
        self.granted.saturating_sub(self.left.get())
    }

    /// Takes the cost of one try of a text; `false`: there is not enough left, and none will be.
    pub(super) fn try_one(&self, text_bytes: usize) -> bool {
        self.try_many(text_bytes, 1)
    }

    /// Takes the cost of several tries.
    pub(super) fn try_many(&self, text_bytes: usize, tries: usize) -> bool {
        let cost = cost(text_bytes).saturating_mul(u64::try_from(tries).unwrap_or(u64::MAX));
        let left = self.left.get().checked_sub(cost);
        self.left.set(left.unwrap_or(0));
        left.is_some()
    }

    /// How many tries of a text a share of what is left pays for.
    pub(super) fn tries_within(&self, text_bytes: usize, share: u64) -> usize {
        let tries = self.left.get() / share.max(1) / cost(text_bytes);
        usize::try_from(tries).unwrap_or(usize::MAX)
    }
}

fn cost(text_bytes: usize) -> u64 {
    EACH_TRY.saturating_add(u64::try_from(text_bytes).unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn budget_is_spent_once() {
        let budget = HashBudget::of_bytes(3 * (EACH_TRY + 100));
        assert_eq!((budget.tries_within(100, 1), budget.tries_within(100, 3)), (3, 1));
        assert!(budget.try_one(100) && budget.try_many(100, 2));
        assert_eq!(budget.spent(), 3 * (EACH_TRY + 100));
        assert!(!budget.try_one(0));
        let short = HashBudget::of_bytes(EACH_TRY);
        assert!(
            !short.try_one(1) && !short.try_one(0),
            "what was too little stays spent"
        );
        assert!(!HashBudget::default().try_many(usize::MAX, usize::MAX));
    }
}
