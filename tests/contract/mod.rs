//! One suite of cases for each port, over the port's trait: the same for every implementation.

#[macro_use]
pub(crate) mod telegram;
