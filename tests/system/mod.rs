//! The real program on a real machine: real processes, a real disk, real HTTP to the Bot API server of our own.
//!
//! [`place::Place`] owns everything a test makes: folders, configuration, daemon, and whatever that left running;
//! [`phone::Phone`] is a person's, with the server behind it. Workers keep a ledger of their own, so that what ran is never
//! taken from the daemon's word. Nothing sleeps to be in time: tests wait for what they need, up to [`place::PATIENCE`].

mod backup;
mod busy;
mod canary;
mod chat;
mod cut_off;
mod disk;
mod host;
mod inside;
mod install;
mod keeper;
mod kills;
mod life;
mod notify;
mod outages;
mod page;
mod phone;
mod place;
mod preflight;
mod proof;
mod record;
mod refusals;
mod releases;
mod restore;
mod socket;
mod stopping;
mod strangers;
mod syncs;
mod units;
