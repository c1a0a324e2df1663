//! Joining signature and policy into one verdict: not built yet.
