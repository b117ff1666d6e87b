//! The whole way: lines in, one after the other, a scorecard out. Whoever has the same lines gets the same bytes.
//!
//! What it keeps is sums, so that a bundle of millions of lines needs no more memory than a small one. The order of runs is
//! of no account; the lines of a run come together.

use crate::fold::{Counted, Ending, Folding};
use crate::ledger::{Line, Origin, Run};
use crate::properties::PROPERTIES;
use crate::rule::{Judged, judge};
use crate::scorecard::{Measured, Outcome, Probed, Scorecard};
use crate::table::{ROWS, Role, Row, Rule, STEPS, SUITES};
use std::collections::{BTreeMap, BTreeSet};

/// What the scorecard is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scope {
    /// To ship or not: what the table says decides.
    Gate,
    /// To see how production does: its record decides, and nothing else is asked for.
    Production,
}

/// A step of this name with a property's after it shows that the property can fail.
pub const FORGED: &str = "forged ";

/// Takes lines.
pub struct Scorer {
    scope: Scope,
    run: Option<Run>,
    origins: BTreeMap<Origin, Vec<Folding>>,
    /// Properties of which it was shown that they can fail.
    proven: BTreeSet<String>,
    suites: BTreeSet<String>,
    stray: u64,
}

/// Why a run counts as cut off that has no end.
const NO_END: &str = "no end on record";

impl Scorer {
    /// Nothing seen yet.
    pub fn new(scope: Scope) -> Self {
        Self { scope, run: None, origins: BTreeMap::new(), proven: BTreeSet::new(), suites: BTreeSet::new(), stray: 0 }
    }

    /// Takes the next line.
    pub fn add(&mut self, line: &Line) {
        match line {
            Line::Run(run) => {
                self.close(&Ending::CutOff(NO_END));
                self.suites.insert(run.suite.clone());
                self.run = Some(run.clone());
            }
            Line::End(_) if self.run.is_none() => self.stray += 1,
            Line::End(end) => match &end.cut_off {
                None => self.close(&Ending::Whole(end)),
                Some(why) => self.close(&Ending::CutOff(why)),
            },
            Line::Command(_)
            | Line::Execution(_)
            | Line::Task(_)
            | Line::Fault(_)
            | Line::Property(_)
            | Line::Mutant(_)
            | Line::Slices(_)
            | Line::Act(_)
            | Line::Rerun(_)
            | Line::Figure(_)
            | Line::Step(_) => self.inner(line),
        }
    }

    fn inner(&mut self, line: &Line) {
        let Some(run) = &self.run else {
            self.stray += 1;
            return;
        };
        self.proven.extend(proof(line).map(str::to_owned));
        for folding in self.origins.entry(run.origin).or_insert_with(foldings) {
            folding.line(run, line);
        }
    }

    /// The run that is open, if one is, ended like this.
    fn close(&mut self, ending: &Ending<'_>) {
        let Some(run) = self.run.take() else { return };
        for folding in self.origins.entry(run.origin).or_insert_with(foldings) {
            folding.close(&run, ending);
        }
    }

    /// The scorecard of all lines that came, and of the probes of the audit.
    pub fn finish(mut self, probes: &[Probed]) -> Scorecard {
        self.close(&Ending::CutOff(NO_END));
        let mut counted: BTreeMap<(&str, Origin), Counted> = BTreeMap::new();
        for (origin, foldings) in std::mem::take(&mut self.origins) {
            for (row, folding) in ROWS.iter().zip(foldings) {
                counted.insert((row.id, origin), folding.counted(&self.proven));
            }
        }
        self.say_what_is_missing(&mut counted);
        let mut metrics = Vec::new();
        for row in &ROWS {
            for origin in [Origin::Sim, Origin::Lab, Origin::Production] {
                let nothing = Counted::default();
                let counted = counted.get(&(row.id, origin)).unwrap_or(&nothing);
                if self.is_told(row, origin, counted) {
                    metrics.push(self.measured(row, origin, counted, probes));
                }
            }
        }
        let (verdict, why) = verdict(&metrics);
        Scorecard { verdict, why, metrics }
    }

    /// What no line tells, because it is not there.
    fn say_what_is_missing(&self, counted: &mut BTreeMap<(&str, Origin), Counted>) {
        if self.scope == Scope::Production {
            return;
        }
        for (suite, origin) in SUITES.iter().filter(|(suite, _)| !self.suites.contains(*suite)) {
            let steps = counted.entry((STEPS, *origin)).or_default();
            steps.open.insert(format!("nothing of suite {suite}"));
        }
        if self.stray > 0 {
            counted.entry((STEPS, Origin::Lab)).or_default().stray(self.stray);
        }
        for row in ROWS.iter().filter(|row| row.rule == Rule::Properties) {
            let properties = counted.entry((row.id, Origin::Sim)).or_default();
            for name in PROPERTIES.iter().filter(|name| !properties.parts.contains_key(**name)).collect::<Vec<_>>() {
                properties.open.insert(format!("{name}: never asked"));
            }
        }
    }

    fn is_told(&self, row: &Row, origin: Origin, counted: &Counted) -> bool {
        let required = match self.scope {
            Scope::Gate => row.role(origin) == Role::Required,
            Scope::Production => origin == Origin::Production,
        };
        // Probes are of no origin: they are told where they are asked for.
        required || (row.rule != Rule::Score && !counted.is_empty())
    }

    fn measured(&self, row: &Row, origin: Origin, counted: &Counted, probes: &[Probed]) -> Measured {
        let probes = if origin == Origin::Production { &[] } else { probes };
        let judged = judge(row, origin, counted, probes);
        let counts = match (self.scope, row.role(origin)) {
            (Scope::Production, _) => origin == Origin::Production,
            (Scope::Gate, Role::Required) => true,
            (Scope::Gate, Role::Watched) => judged.outcome == Outcome::Fail,
            (Scope::Gate, Role::Shown) => false,
        };
        written(row, origin, counted, judged, counts)
    }
}

fn foldings() -> Vec<Folding> {
    ROWS.iter().map(|row| Folding::new(row.fold, row.is_strict())).collect()
}

/// The property that this line shows to be able to fail.
fn proof(line: &Line) -> Option<&str> {
    match line {
        Line::Mutant(mutant) => mutant.caught_by.as_deref(),
        Line::Step(step) if step.held == Some(true) => step.name.strip_prefix(FORGED),
        Line::Step(_)
        | Line::Run(_)
        | Line::Command(_)
        | Line::Execution(_)
        | Line::Task(_)
        | Line::Fault(_)
        | Line::Property(_)
        | Line::Slices(_)
        | Line::Act(_)
        | Line::Rerun(_)
        | Line::Figure(_)
        | Line::End(_) => None,
    }
}

fn written(row: &Row, origin: Origin, counted: &Counted, judged: Judged, counts: bool) -> Measured {
    let text = |units: Option<u64>| units.map(|units| row.unit.text(units));
    Measured {
        id: row.id.to_owned(),
        title: row.title.to_owned(),
        group: row.group,
        origin,
        counts,
        comparison: row.comparison,
        target: row.unit.text(row.target),
        unit: row.unit.name().to_owned(),
        estimate: text(judged.estimate),
        bound: text(judged.bound),
        sample: judged.sample,
        failures: judged.failures,
        least: row.least(origin).sample,
        excluded: counted.excluded.clone().into_iter().collect(),
        seeds: u64::try_from(counted.seeds.len()).unwrap_or(u64::MAX),
        outcome: judged.outcome,
        why: judged.why,
        parts: judged.parts,
    }
}

/// The worst of what counts. Nothing that counts is nothing shown.
fn verdict(metrics: &[Measured]) -> (Outcome, String) {
    let counting: Vec<&Measured> = metrics.iter().filter(|metric| metric.counts).collect();
    let Some(worst) = counting.iter().map(|metric| metric.outcome).max() else {
        return (Outcome::Inconclusive, "nothing that counts was measured".to_owned());
    };
    let of = |outcome| {
        let names: Vec<&str> =
            counting.iter().filter(|metric| metric.outcome == outcome).map(|metric| metric.id.as_str()).collect();
        names.join(", ")
    };
    let why = match worst {
        Outcome::Pass => format!("all {} are shown", counting.len()),
        Outcome::Inconclusive => format!("not looked at enough: {}", of(worst)),
        Outcome::Fail => format!("not so: {}", of(worst)),
    };
    (worst, why)
}
