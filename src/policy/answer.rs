//! Yes, no, or not known yet: what part of a statement says of a request whose object has not been opened, or whose body has not been read.

/// What a statement or a part of one says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Answer {
    Yes,
    No,
    Unknown,
}

impl Answer {
    pub(super) fn not(self) -> Self {
        match self {
            Self::Yes => Self::No,
            Self::No => Self::Yes,
            Self::Unknown => Self::Unknown,
        }
    }

    /// Do all say yes? One no settles it.
    pub(super) fn all(answers: impl Iterator<Item = Self>) -> Self {
        let mut all = Self::Yes;
        for answer in answers {
            match answer {
                Self::No => return Self::No,
                Self::Unknown => all = Self::Unknown,
                Self::Yes => {}
            }
        }
        all
    }

    /// Does any say yes? One yes settles it.
    pub(super) fn any(answers: impl Iterator<Item = Self>) -> Self {
        Self::all(answers.map(Self::not)).not()
    }
}

impl From<bool> for Answer {
    fn from(yes: bool) -> Self {
        if yes { Self::Yes } else { Self::No }
    }
}

#[cfg(test)]
mod tests {
    use super::{Answer::*, *};

    #[test]
    fn one_no_settles_all_and_one_yes_any_and_else_the_unknown_stays() {
        for (answers, all, any) in [
            (vec![], Yes, No),
            (vec![Yes, Yes], Yes, Yes),
            (vec![Yes, No], No, Yes),
            (vec![Yes, Unknown], Unknown, Yes),
            (vec![Unknown, No], No, Unknown),
            (vec![Unknown], Unknown, Unknown),
        ] {
            assert_eq!(Answer::all(answers.iter().copied()), all, "{answers:?}");
            assert_eq!(Answer::any(answers.iter().copied()), any, "{answers:?}");
        }
    }
}
