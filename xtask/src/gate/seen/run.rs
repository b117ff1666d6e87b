//! A run from its first line to its last.

use super::counts::{is_bad, is_duplicate};
use super::{Place, Planted, Seen, Stage, Tried, Trouble};
use mainstay_metric::ledger::{Allowed, Command, End, Execution, Fault, Line, Origin, Run, Task};
use std::collections::BTreeSet;

/// The run that is being read.
#[derive(Debug, Clone)]
pub(super) struct Open {
    head: Run,
    place: Place,
    /// When which class struck, for the stages of tasks, which are told later.
    struck: Vec<(String, i64)>,
    tasks: Vec<Task>,
    /// It runs one seed again and again under other schedules, so that its digests differ as they should.
    reruns: bool,
}

impl Open {
    fn name(&self) -> String {
        let Run { suite, scenario, seed, persona, origin: _, faults: _, kept: _ } = &self.head;
        let persona = persona.as_ref().map_or_else(String::new, |persona| format!(", {persona}"));
        format!("{suite}: {scenario}{persona}, seed {seed}")
    }
}

impl Seen {
    pub(super) fn begin(&mut self, run: &Run, place: Place) {
        let suite = self.suites.entry(run.suite.clone()).or_default();
        suite.runs += 1;
        suite.kept += u64::from(run.kept);
        suite.calm += u64::from(!run.faults);
        suite.seeds.insert(run.seed);
        *suite.scenarios.entry(run.scenario.clone()).or_default() += 1;
        suite.personas.extend(run.persona.clone());
        suite.origins.insert(run.origin);
        self.open = Some(Open { head: run.clone(), place, struck: Vec::new(), tasks: Vec::new(), reruns: false });
    }

    /// The run is over, with its end or without one.
    pub(super) fn close(&mut self, end: Option<(&End, Place)>) {
        let Some(open) = self.open.take() else { return };
        self.cover(&open);
        let (cut_off, lasted_ms, digest, place) = match &end {
            Some((end, place)) => (end.cut_off.clone(), end.at_ms, end.digest.clone(), place.clone()),
            None => (Some("it has no end".to_owned()), 0, None, open.place.clone()),
        };
        let suite = self.suites.entry(open.head.suite.clone()).or_default();
        suite.lasted_ms += lasted_ms;
        suite.without_digest += u64::from(digest.is_none());
        let line = || end.as_ref().map_or_else(|| Line::Run(open.head.clone()), |(end, _)| Line::End((*end).clone()));
        if let Some(why) = cut_off {
            suite.cut_off += 1;
            self.failures.add(Trouble::CutOff, &place, &open.name(), &why, &line());
        }
        let Some(digest) = digest.filter(|_| !open.reruns) else { return };
        let head = &open.head;
        let key = (head.suite.clone(), head.scenario.clone(), head.persona.clone(), head.seed);
        if let Some(first) = self.digests.get(&key) {
            self.repeated += 1;
            if *first != digest {
                let why = format!("it came to {first} before");
                self.failures.add(Trouble::Differs, &place, &open.name(), &why, &line());
            }
        } else {
            self.digests.insert(key, digest);
        }
    }

    /// Where tasks were when faults struck, a run counting once a cell.
    fn cover(&mut self, open: &Open) {
        if open.head.kept || open.head.origin != Origin::Sim {
            return;
        }
        let mut cells = BTreeSet::new();
        for (class, at) in &open.struck {
            let stages = open.tasks.iter().flat_map(|task| [Stage::at(task, *at), Stage::end(task)]);
            cells.extend(stages.flatten().map(|stage| (class, stage)));
        }
        for (class, stage) in cells {
            *self.coverage.entry(class.clone()).or_default().entry(stage).or_default() += 1;
        }
    }

    /// Takes a line inside a run. One outside of any run is of nobody, and the metrics refuse it.
    pub(super) fn within(&mut self, line: &Line, place: Place) {
        let Some(mut open) = self.open.take() else { return };
        if open.head.kept {
            self.of_kept(&open, line, &place);
        } else {
            self.of_run(&mut open, line, place);
        }
        self.open = Some(open);
    }

    /// Of a run that counts in no ratio: what must hold in every run.
    fn of_kept(&mut self, open: &Open, line: &Line, place: &Place) {
        if let Line::Property(property) = line {
            self.properties.entry(property.name.clone()).or_default().add(&open.head.suite, property, place);
            if let Some(how) = &property.broken {
                self.failures.add(Trouble::Broken, place, &open.name(), &format!("{}: {how}", property.name), line);
            }
        }
    }

    fn of_run(&mut self, open: &mut Open, line: &Line, place: Place) {
        let mut trouble = |what: Trouble, why: &str| self.failures.add(what, &place, &open.name(), why, line);
        match line {
            Line::Command(command) => {
                if let Some(why) = command_off(command) {
                    trouble(Trouble::Command, &why);
                }
                self.commands.entry(command.verb.clone()).or_default().add(command);
            }
            Line::Execution(execution) => {
                if let Some(why) = execution_off(execution) {
                    trouble(Trouble::Duplicate, &why);
                }
                self.executions.add(execution);
            }
            Line::Task(task) => {
                if let Some(why) = &task.wrong {
                    trouble(Trouble::Task, why);
                }
                if let Some(why) = &task.gap {
                    trouble(Trouble::Gap, why);
                }
                self.ends.add(task, &place);
                open.tasks.push(task.clone());
            }
            Line::Fault(fault) => {
                if let Some(why) = not_got_over(fault) {
                    trouble(Trouble::Unrecovered, &format!("{}: {why}", fault.class));
                }
                self.faults.entry((open.head.origin, fault.class.clone())).or_default().add(fault);
                open.struck.push((fault.class.clone(), fault.struck_ms));
            }
            Line::Property(_) => self.of_kept(open, line, &place),
            Line::Mutant(mutant) => {
                if mutant.caught_by.is_none() {
                    trouble(Trouble::Missed, &format!("{}: not in {} seeds", mutant.name, mutant.seeds));
                }
                self.mutants.insert(mutant.name.clone(), Planted { mutant: mutant.clone(), place });
            }
            Line::Slices(slices) => self.probing.entry(open.head.scenario.clone()).or_default().add(slices),
            Line::Act(_) => {
                let persona = open.head.persona.clone().unwrap_or_else(|| "nobody in particular".to_owned());
                *self.acts.entry(persona).or_default() += 1;
            }
            Line::Rerun(rerun) => {
                if !rerun.right {
                    trouble(Trouble::Rerun, &format!("{} under {}: {}", rerun.job, rerun.schedule, rerun.state));
                }
                open.reruns = true;
                self.reruns.entry(rerun.job.clone()).or_default().add(rerun);
            }
            Line::Figure(figure) => {
                if figure.met == Some(false) {
                    let wanted = figure.wanted.as_deref().unwrap_or("something else");
                    trouble(Trouble::Figure, &format!("{}: wanted {wanted}", figure.what));
                }
                self.figures.push(figure.clone());
            }
            Line::Step(step) => {
                if step.held == Some(false) {
                    trouble(Trouble::Step, &format!("{}: {}", step.name, step.seen));
                }
                let (suite, scenario) = (open.head.suite.clone(), open.head.scenario.clone());
                self.steps.push(Tried { suite, scenario, step: step.clone(), place });
            }
            // `add` has taken these.
            Line::Run(_) | Line::End(_) => {}
        }
    }
}

fn command_off(command: &Command) -> Option<String> {
    let what = command.wrong.as_deref().unwrap_or("not answered in time");
    is_bad(command).then(|| format!("{} of {}: {what}", command.verb, command.by))
}

fn execution_off(execution: &Execution) -> Option<String> {
    if is_duplicate(execution) {
        return Some(format!("{} starts, {} effects", execution.spawns, execution.effects));
    }
    (execution.allowed == Allowed::Nothing).then(|| "nothing allows it".to_owned())
}

fn not_got_over(fault: &Fault) -> Option<&'static str> {
    match (fault.recovered_ms, fault.by_hand) {
        (None, _) => Some("nothing went through after it"),
        (Some(_), true) => Some("somebody had to help"),
        (Some(_), false) => None,
    }
}
