//! What a statement's `Action` names. (The whole list follows.)

/// An action.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Action {
    /// Read an object.
    GetObject,
}
