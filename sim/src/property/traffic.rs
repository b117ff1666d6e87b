//! What was asked of Telegram, by its own books.

use super::Evidence;
use crate::botapi::Millis;
use std::collections::BTreeMap;

/// Polls that ask without a pause, as the books of Telegram have them.
pub(super) fn no_tight_loop(e: &Evidence<'_>) -> Result<(), String> {
    /// More requests in ten seconds than any burst of cards needs.
    const MOST: usize = 200;
    let mut windows: BTreeMap<u64, usize> = BTreeMap::new();
    e.telegram.look(|t| {
        for record in t.log().iter() {
            let Millis(at) = record.at;
            *windows.entry(at / 10_000).or_default() += 1;
        }
    });
    match windows.into_iter().find(|(_, n)| *n > MOST) {
        Some((window, n)) => Err(format!("{n} requests in the ten seconds from {window}0 s")),
        None => Ok(()),
    }
}
