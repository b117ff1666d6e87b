//! What the daemon refuses to start with.
