//! The ledger of attempts: a line each time that a gate begins, in the repository itself, where neither `cargo clean` nor
//! another worktree loses it. Who tries a commit until it passes is seen to have done so.
//!
//! Not covered: other clones, and whoever edits the file. Parts of one run that are made in several places count once.

use super::checkout::Checkout;
use super::head::Head;
use super::shard::Shard;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::io::Write;

/// The file, in git's folder.
const LEDGER: &str = "mainstay-gate-attempts.jsonl";

/// A begun run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Attempt {
    run: String,
    commit: String,
    dirty: bool,
    quick: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    planted: Option<String>,
    suites: Vec<String>,
    part: Option<Shard>,
}

/// Counts this attempt, notes it, and gives its number. Looks, and runs with a planted bug, are noted and not
/// counted: they can't pass.
pub(crate) fn begin(checkout: &Checkout, head: &Head, run: &str) -> Result<u32, String> {
    let path = checkout.common()?.join(LEDGER);
    let failed = |error: std::io::Error| format!("{}: {error}", path.display());
    let text = match std::fs::read_to_string(&path) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => String::new(),
        read => read.map_err(failed)?,
    };
    let known: Vec<Attempt> = text.lines().filter_map(|line| serde_json::from_str(line).ok()).collect();
    let this = Attempt {
        run: run.to_owned(),
        commit: head.commit.clone(),
        dirty: head.dirty,
        quick: head.quick,
        planted: head.planted.clone(),
        suites: head.suites.clone(),
        part: head.part,
    };
    let line = serde_json::to_string(&this).map_err(|error| error.to_string())?;
    let mut file = std::fs::OpenOptions::new().create(true).append(true).open(&path).map_err(failed)?;
    writeln!(file, "{line}").map_err(failed)?;
    Ok(1 + before(&known, &this))
}

/// How often the commit was tried before. Of runs in parts, the part that was made most often says how many runs there were;
/// of runs in as many parts as this one, the same part does.
fn before(known: &[Attempt], this: &Attempt) -> u32 {
    let mut counts: BTreeMap<usize, BTreeMap<usize, u32>> = BTreeMap::new();
    let counts_for = |known: &&Attempt| known.commit == this.commit && !known.quick && known.planted.is_none();
    for attempt in known.iter().filter(counts_for) {
        let part = attempt.part.unwrap_or(Shard { number: 1, of: 1 });
        *counts.entry(part.of).or_default().entry(part.number).or_default() += 1;
    }
    let own = this.part.unwrap_or(Shard { number: 1, of: 1 });
    let of = |(of, parts): (&usize, &BTreeMap<usize, u32>)| match *of == own.of {
        true => parts.get(&own.number).copied().unwrap_or(0),
        false => parts.values().copied().max().unwrap_or(0),
    };
    counts.iter().map(of).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn attempt(commit: &str, part: Option<&str>, quick: bool) -> Attempt {
        let part = part.map(|part| part.parse().expect("a part"));
        let (run, commit) = ("r".into(), commit.into());
        Attempt { run, commit, dirty: false, quick, planted: None, suites: Vec::new(), part }
    }

    #[test]
    fn whole_runs_count_and_the_parts_of_one_run_count_once() {
        let none = attempt("a", None, false);
        let mut known = Vec::new();
        assert_eq!(before(&known, &none), 0);
        known.extend([attempt("a", None, false), attempt("a", None, true), attempt("b", None, false)]);
        known.push(Attempt { planted: Some("x".into()), ..attempt("a", None, false) });
        assert_eq!(before(&known, &none), 1);
        for part in ["1/2", "2/2"] {
            let this = attempt("a", Some(part), false);
            assert_eq!(before(&known, &this), 1, "{part}");
            known.push(this);
        }
        assert_eq!(before(&known, &none), 2);
        assert_eq!(before(&known, &attempt("a", Some("1/2"), false)), 2, "the same part again is another run");
    }
}
