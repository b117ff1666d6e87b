//! Whether a unit's lines are what its plan says: whole runs, of its suite, seen by whom the suite says, with its seeds in
//! their order. Asked of what a suite gives before it is written, and again of what a bundle has.

use super::suites::{Suite, Unit};
use mainstay_metric::ledger::{Line, Run};

/// What was seen so far of a unit.
pub(crate) struct Shape<'a> {
    suite: &'a Suite,
    unit: &'a Unit,
    /// Seeds whose runs are still to come.
    left: &'a [u64],
    /// The seed of the last run.
    last: Option<u64>,
    /// A run has begun and has not ended.
    open: bool,
}

impl<'a> Shape<'a> {
    /// Nothing yet.
    pub(crate) fn new(suite: &'a Suite, unit: &'a Unit, seeds: &'a [u64]) -> Shape<'a> {
        Shape { suite, unit, left: seeds, last: None, open: false }
    }

    /// Whether these lines are all that the unit should have.
    pub(crate) fn whole(suite: &Suite, unit: &Unit, seeds: &[u64], lines: &[Line]) -> Result<(), String> {
        let mut shape = Shape::new(suite, unit, seeds);
        lines.iter().try_for_each(|line| shape.see(line))?;
        shape.finish()
    }

    /// The next line.
    pub(crate) fn see(&mut self, line: &Line) -> Result<(), String> {
        match line {
            Line::Run(run) if !self.open => {
                self.open = true;
                self.begins(run)
            }
            Line::Run(_) => Err("a run begins before the one before has ended".into()),
            Line::End(_) if self.open => {
                self.open = false;
                Ok(())
            }
            Line::End(_)
            | Line::Command(_)
            | Line::Execution(_)
            | Line::Task(_)
            | Line::Fault(_)
            | Line::Property(_)
            | Line::Mutant(_)
            | Line::Slices(_)
            | Line::Act(_)
            | Line::Rerun(_)
            | Line::Figure(_)
            | Line::Step(_) => match self.open {
                true => Ok(()),
                false => Err("belongs to no run".into()),
            },
        }
    }

    fn begins(&mut self, run: &Run) -> Result<(), String> {
        if run.suite != self.suite.name {
            return Err(format!("a run of the suite {}, not of {}", run.suite, self.suite.name));
        }
        if run.origin != self.suite.origin {
            return Err(format!(
                "seen by {:?}, and {} is seen by {:?}",
                run.origin, self.suite.name, self.suite.origin
            ));
        }
        if run.kept != self.unit.kept {
            let (is, should) = if run.kept { ("kept", "counted") } else { ("counted", "kept") };
            return Err(format!("a run that is {is} and should be {should}"));
        }
        if self.unit.seeds.is_empty() && self.unit.own.is_empty() {
            return if run.seed == 0 { Ok(()) } else { Err(format!("seed {} in a unit without seeds", run.seed)) };
        }
        // A seed may have several runs, one after the other.
        if self.last == Some(run.seed) && self.left.first() != Some(&run.seed) {
            return Ok(());
        }
        match self.left.split_first() {
            Some((seed, left)) if *seed == run.seed => {
                (self.left, self.last) = (left, Some(*seed));
                Ok(())
            }
            Some((seed, _)) => Err(format!("seed {} where {seed} should be", run.seed)),
            None => Err(format!("seed {}, which is none of the unit's", run.seed)),
        }
    }

    /// After the last line.
    pub(crate) fn finish(&self) -> Result<(), String> {
        match (self.open, self.left.first()) {
            (true, _) => Err("the last run has no end".into()),
            (false, Some(seed)) => Err(format!("the run of seed {seed} is missing")),
            (false, None) => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::suites::SUITES;
    use super::*;
    use mainstay_metric::ledger::{End, Origin};

    fn head(seed: u64) -> Line {
        Line::Run(Run {
            suite: "scenarios".into(),
            origin: Origin::Sim,
            seed,
            scenario: "x".into(),
            persona: None,
            faults: true,
            kept: false,
        })
    }

    fn end() -> Line {
        Line::End(End { at_ms: 1, cut_off: None, digest: None })
    }

    fn see(seeds: &[u64], lines: &[Line]) -> Result<(), String> {
        let suite = SUITES.iter().find(|suite| suite.name == "scenarios").expect("there");
        let unit = Unit::seeded("x", 0..u64::try_from(seeds.len()).expect("few"));
        Shape::whole(suite, &unit, seeds, lines)
    }

    #[test]
    fn runs_have_the_seeds_in_their_order_each_once_or_several_times() {
        assert_eq!(see(&[7, 8], &[head(7), end(), head(8), end()]), Ok(()));
        assert_eq!(see(&[7, 8], &[head(7), end(), head(7), end(), head(8), end()]), Ok(()));
        assert_eq!(see(&[], &[head(0), end()]), Ok(()));
    }

    #[test]
    fn what_is_missing_foreign_or_open_is_named() {
        for (seeds, lines, part) in [
            (&[7, 8][..], vec![head(7), end()], "seed 8 is missing"),
            (&[7, 8], vec![head(8), end(), head(7), end()], "seed 8 where 7 should be"),
            (&[7], vec![head(7), end(), head(9), end()], "none of the unit's"),
            (&[7], vec![head(7)], "no end"),
            (&[7], vec![head(7), head(7), end()], "before the one before has ended"),
            (&[7], vec![end()], "belongs to no run"),
            (&[], vec![head(3), end()], "without seeds"),
        ] {
            assert!(see(seeds, &lines).is_err_and(|error| error.contains(part)), "{part}");
        }
    }

    #[test]
    fn suite_origin_and_whether_it_is_kept_are_stamped() {
        let stamped = |change: fn(&mut Run)| {
            let mut line = head(7);
            if let Line::Run(run) = &mut line {
                change(run);
            }
            see(&[7], &[line, end()])
        };
        assert!(stamped(|run| run.suite = "soak".into()).is_err_and(|e| e.contains("of the suite soak")));
        assert!(stamped(|run| run.origin = Origin::Lab).is_err_and(|e| e.contains("seen by Lab")));
        assert!(stamped(|run| run.kept = true).is_err_and(|e| e.contains("is kept and should be counted")));
    }
}
