//! The real adapters: each runs its port's contract, and what concerns it alone.

mod telegram;
