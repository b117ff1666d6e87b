//! One gate from the beginning to its bundle, or as far as it gets; and from where it was interrupted.

use super::ended::Ended;
use super::execute::{Execution, execute};
use super::head::{Head, Wanted};
use super::judge::Derived;
use super::layout;
use super::policy::{self, Policy};
use super::sign::Secret;
use super::site::Stop;
use super::{Gate, attempts, finish, plan};
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

/// How it is to run.
pub(crate) struct How<'a> {
    /// Where folders of runs are.
    pub(crate) out: PathBuf,
    /// Units at once.
    pub(crate) jobs: usize,
    /// Signs the bundle.
    pub(crate) key: Option<Secret>,
    /// Ends it.
    pub(crate) stop: &'a Stop,
}

/// What came of it.
pub(crate) struct Ran {
    /// The bundle.
    pub(crate) bundle: PathBuf,
    /// What was derived; none: it is a part.
    pub(crate) derived: Option<Derived>,
}

/// Begins one.
pub(crate) fn begin(gate: &Gate, wanted: Wanted, how: &How<'_>) -> Result<Ran, Ended> {
    let text = policy::text(gate.suites);
    let mut head = Head::here(&gate.checkout, text.as_bytes(), wanted).map_err(Ended::Infrastructure)?;
    let committed = policy::text_of(&gate.checkout, &head.commit).map_err(Ended::Infrastructure)?;
    if !head.dirty && committed.as_deref() != Some(text.as_str()) {
        return Err(Ended::Usage(
            "the policy files of this commit are not what the program says: run `MAINSTAY_BLESS=1 cargo test -p \
             mainstay-metric -p xtask policy` and commit them"
                .into(),
        ));
    }
    let part = head.part.map(|part| format!("-part-{}-of-{}", part.number, part.of)).unwrap_or_default();
    let name = format!("{}-{}{part}", utc(SystemTime::now()), &head.commit[..12]);
    let policy = Policy::of(&gate.checkout, &head.commit, head.quick).map_err(Ended::Infrastructure)?;
    if let Some(unknown) = head.planted.as_ref().filter(|bug| !policy.mutants.contains(bug)) {
        return Err(Ended::Usage(format!(
            "--planted {unknown}: there is no such bug in {} of this commit: name one of those that it lists",
            policy::MUTANTS
        )));
    }
    head.attempt = attempts::begin(&gate.checkout, &head, &name).map_err(Ended::Infrastructure)?;
    let run = how.out.join(&name);
    finish::begin(gate, &run, &head, &policy)?;
    go_on(gate, &run, &head, &policy, how)
}

/// Goes on with one that was interrupted: only on the commit, with the policy and the compiler with which it began.
pub(crate) fn resume(gate: &Gate, run: &Path, how: &How<'_>) -> Result<Ran, Ended> {
    let head = Head::read(run).map_err(|error| Ended::Usage(format!("{}: {error}", run.display())))?;
    if run.join(layout::MANIFEST).exists() {
        return Err(Ended::Usage(format!("{}: is finished already", run.display())));
    }
    let wanted = Wanted {
        quick: head.quick,
        suites: head.suites.clone(),
        seeds_from: head.seeds_from,
        planted: head.planted.clone(),
        part: head.part,
    };
    let text = policy::text(gate.suites);
    let here = Head::here(&gate.checkout, text.as_bytes(), wanted).map_err(Ended::Infrastructure)?;
    if let Some(what) = head.differs(&here) {
        return Err(Ended::Usage(format!("{}: began with another {what} than there is here", run.display())));
    }
    let policy = Policy::of(&gate.checkout, &head.commit, head.quick).map_err(Ended::Infrastructure)?;
    layout::sweep(run).map_err(Ended::Infrastructure)?;
    finish::also_here(run)?;
    go_on(gate, run, &head, &policy, how)
}

fn go_on(gate: &Gate, run: &Path, head: &Head, policy: &Policy, how: &How<'_>) -> Result<Ran, Ended> {
    let planned = plan::of(gate.suites, head, policy);
    let on = Execution { root: &gate.checkout.root, run, head, policy, stop: how.stop, jobs: how.jobs };
    let resumable = |ended: Ended| {
        let again = format!("go on with: cargo xtask gate --resume {}", run.display());
        match ended {
            Ended::Interrupted(what) => Ended::Interrupted(format!("{what}\n{again}")),
            Ended::Infrastructure(what) => Ended::Infrastructure(format!("{what}\n{again}")),
            ended @ (Ended::Usage(_) | Ended::Refused(_)) => ended,
        }
    };
    execute(&on, &planned).map_err(resumable)?;
    let derived = finish::finish(gate.suites, run, head, policy, how.key.as_ref())?;
    Ok(Ran { bundle: run.to_owned(), derived })
}

/// `20261129T172300Z`
fn utc(now: SystemTime) -> String {
    let seconds = now.duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
    let (days, of_day) = (seconds / 86_400, seconds % 86_400);
    // Howard Hinnant's `civil_from_days`, for days from 1970 on: years begin in March, eras have 400 years.
    let shifted = days + 719_468;
    let (era, day_of_era) = (shifted / 146_097, shifted % 146_097);
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * from_march + 2) / 5 + 1;
    let month = if from_march < 10 { from_march + 3 } else { from_march - 9 };
    let year = era * 400 + year_of_era + u64::from(month <= 2);
    let (hour, minute, second) = (of_day / 3_600, of_day / 60 % 60, of_day % 60);
    format!("{year:04}{month:02}{day:02}T{hour:02}{minute:02}{second:02}Z")
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn names_of_runs_begin_with_the_time() {
        for (seconds, text) in [
            (0, "19700101T000000Z"),
            (951_782_399, "20000228T235959Z"),
            (951_782_400, "20000229T000000Z"),
            (1_795_973_000, "20261129T172320Z"),
            (4_107_542_400, "21000301T000000Z"),
        ] {
            assert_eq!(utc(UNIX_EPOCH + Duration::from_secs(seconds)), text);
        }
    }
}
