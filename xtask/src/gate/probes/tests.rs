//! Each probe turns on a bundle that was spoiled for it, and none on the clean one.

use super::*;
use crate::gate::fixture::Fixture;
use mainstay_metric::ledger::{Allowed, Line, Origin};

/// Spoils a bundle for a probe that looks in a way of its own; for the others see [`Spoiled`].
type Spoil = (&'static str, fn(&mut Fixture));

/// One entry for each of those.
const SPOILS: &[Spoil] = &[
    ("all-ends-seen", |f| {
        each(f, |line| {
            if let Line::Task(task) = line
                && task.state == "EXPIRED"
            {
                task.state = "FAILED".into();
            }
        })
    }),
    ("kinds-seen", |f| {
        each(f, |line| {
            if let Line::Task(task) = line {
                task.heavy = true;
            }
        })
    }),
    ("acts-suffice", |f| {
        once(f, |line| {
            let Line::Task(task) = line else { return false };
            task.acts = 1;
            true
        })
    }),
    ("gates-come-first", |f| {
        once(f, |line| {
            let Line::Task(task) = line else { return false };
            task.resumed_ms = task.running_ms.map(|at| at + 1);
            true
        })
    }),
    ("gates-were-used", |f| {
        each(f, |line| {
            if let Line::Task(task) = line {
                task.least_acts = 0;
            }
        })
    }),
    ("no-duplicate", |f| {
        once(f, |line| {
            let Line::Execution(execution) = line else { return false };
            execution.effects = 2;
            true
        })
    }),
    ("executions-have-reasons", |f| {
        once(f, |line| {
            let Line::Execution(execution) = line else { return false };
            execution.allowed = Allowed::Nothing;
            true
        })
    }),
    ("retries-happened", |f| {
        each(f, |line| {
            if let Line::Execution(execution) = line {
                execution.allowed = Allowed::First;
            }
        })
    }),
    ("crash-points-lived", |f| {
        f.lines(|run, line| {
            if let Line::Property(property) = line
                && run.suite == "crash"
            {
                property.broken = Some("lost".into());
            }
            true
        })
    }),
    ("poll-classes", |f| {
        each(f, |line| {
            if let Line::Fault(fault) = line {
                fault.polls &= fault.class == "line-cut";
            }
        })
    }),
    ("mostly-unaided", |f| {
        each(f, |line| {
            if let Line::Fault(fault) = line
                && fault.class == "line-cut"
            {
                fault.by_hand = true;
            }
        })
    }),
    ("no-verb-fails", |f| {
        each(f, |line| {
            if let Line::Command(command) = line
                && command.verb == "approve"
            {
                command.answered_ms = Some(command.at_ms + command.within_ms + 1);
            }
        })
    }),
    // A run whose last line is missing, as a process that was killed leaves it.
    ("nothing-cut-off", |f| f.lines(|run, line| !matches!(line, Line::End(_) if run.seed == 77))),
    ("no-gaps", |f| {
        once(f, |line| {
            let Line::Task(task) = line else { return false };
            task.gap = Some("no report".into());
            true
        })
    }),
    ("days-probed", |f| f.lines(|run, _| run.scenario != "soak-day")),
    ("weeks-probed", |f| f.lines(|run, _| run.scenario != "soak-week")),
    ("personas-there", |f| f.lines(|run, _| run.persona.as_deref() != Some("slow"))),
    ("no-dead-run", |f| {
        once(f, |line| {
            let Line::Slices(slices) = line else { return false };
            slices.bad = (0..slices.all / 2 + 1).collect();
            true
        })
    }),
    ("bugs-all-found", |f| {
        once(f, |line| {
            let Line::Mutant(mutant) = line else { return false };
            mutant.caught_by = None;
            true
        })
    }),
    ("bugs-fail-a-gate", |f| {
        once(f, |line| {
            let Line::Step(step) = line else { return false };
            let is_one = step.name.starts_with("a gate of ");
            if is_one {
                step.held = Some(false);
            }
            is_one
        })
    }),
    ("bugs-enough", |f| f.lines(|_, line| !matches!(line, Line::Mutant(mutant) if mutant.name.ends_with('1')))),
    ("classes-struck", |f| f.lines(|_, line| !matches!(line, Line::Fault(fault) if fault.class < "p".into()))),
    ("faults-meet-stages", |f| {
        each(f, |line| {
            if let Line::Task(task) = line {
                task.running_ms = None;
            }
        })
    }),
    ("scenarios-played", |f| f.lines(|run, _| !run.scenario.ends_with('3'))),
    ("calm-runs-too", |f| {
        each(f, |line| {
            if let Line::Run(run) = line {
                run.faults = true;
            }
        })
    }),
    ("real-rounds-hold", |f| {
        f.lines(|run, line| {
            if let Line::Property(property) = line
                && run.suite == "kill"
            {
                property.broken = Some("two starts".into());
            }
            true
        })
    }),
    ("switches-hold", |f| {
        f.lines(|run, line| {
            if let Line::Property(property) = line
                && run.suite == "deploy"
            {
                property.broken = Some("the old one runs".into());
            }
            true
        })
    }),
    ("drills-held", |f| {
        f.lines(|run, line| {
            if let Line::Step(step) = line
                && run.suite == "deploy"
            {
                step.held = Some(false);
            }
            true
        })
    }),
    ("drills-on-file", |f| {
        f.files.remove("drills/crash-at-start.json");
    }),
    ("commit-clean", |f| f.edit("bundle.json", |text| text.replace("\"dirty\": false", "\"dirty\": true"))),
    ("policy-as-built", |f| f.edit("policy.toml", |text| text.replacen("weight = 5", "weight = 9", 1))),
    ("seeds-derived", |f| f.edit("seeds.json", |text| text.replace("null", "42"))),
    ("seeds-many", |f| {
        each(f, |line| {
            if let Line::Run(run) = line {
                run.seed = 1;
            }
        })
    }),
    ("same-again", |f| {
        let mut times = 0;
        f.lines(|run, line| {
            if let Line::End(end) = line
                && run.suite == "scenarios"
                && run.seed == 1
            {
                times += 1;
                end.digest = Some(times.to_string());
            }
            true
        });
    }),
    ("digests-there", |f| {
        once(f, |line| {
            let Line::End(end) = line else { return false };
            end.digest.take().is_some()
        })
    }),
    ("no-secret", |f| {
        once(f, |line| {
            let Line::Step(step) = line else { return false };
            step.seen = format!("GET /bot123456789:{}/getMe", "A".repeat(35));
            true
        })
    }),
    ("origins-kept-apart", |f| {
        once(f, |line| {
            let Line::Run(run) = line else { return false };
            run.origin = Origin::Production;
            true
        })
    }),
    ("failures-kept", |f| {
        each(f, |line| {
            if let Line::Run(run) = line {
                run.kept = false;
            }
        })
    }),
    ("reruns-enough", |f| {
        f.lines(|_, line| !matches!(line, Line::Rerun(rerun) if rerun.job == "job-041" && rerun.schedule == 3))
    }),
    ("environment-told", |f| f.edit("env.json", |text| text.replace("\"kernel\"", "\"colonel\""))),
    ("benches-measured", |f| {
        each(f, |line| {
            if let Line::Figure(figure) = line {
                figure.floor = None;
            }
        })
    }),
    ("benches-counted", |f| {
        f.lines(|run, line| {
            if let Line::Step(step) = line
                && run.suite == "bench"
            {
                step.held = Some(false);
            }
            true
        })
    }),
];

fn each(fixture: &mut Fixture, change: impl Fn(&mut Line)) {
    fixture.lines(|_, line| {
        change(line);
        true
    });
}

/// Changes the first line for which the function says that it did.
fn once(fixture: &mut Fixture, change: impl Fn(&mut Line) -> bool) {
    let mut done = false;
    fixture.lines(|run, line| {
        done = done || (!run.kept && change(line));
        true
    });
    assert!(done, "the clean bundle has no such line");
}

/// Bundles that are spoiled for all probes that look in the same way: each property is broken, no planted bug is found by
/// what is asked for, no step holds, hardly anything strikes.
struct Spoiled {
    clean: Fixture,
    holds: Evidence,
    finds: Evidence,
    steps: Evidence,
    struck: Evidence,
}

impl Spoiled {
    fn new() -> Spoiled {
        let clean = Fixture::clean();
        let spoil = |change: fn(&mut Line)| {
            let mut fixture = clean.clone();
            each(&mut fixture, change);
            fixture.evidence()
        };
        let holds = spoil(|line| {
            if let Line::Property(property) = line {
                property.broken = Some("spoiled".into());
            }
        });
        let finds = spoil(|line| {
            if let Line::Mutant(mutant) = line {
                mutant.caught_by = Some("another property".into());
            }
        });
        let steps = spoil(|line| {
            if let Line::Step(step) = line {
                step.held = Some(false);
            }
        });
        let mut fixture = clean.clone();
        let mut kept = std::collections::BTreeMap::new();
        fixture.lines(|run, line| {
            let Line::Fault(fault) = line else { return true };
            let n: &mut u32 = kept.entry((run.origin, fault.class.clone())).or_default();
            *n += 1;
            // Once is enough where once is asked for.
            *n == 1 && fault.class != "disk-full"
        });
        Spoiled { holds, finds, steps, struck: fixture.evidence(), clean }
    }

    fn ask(&self, probe: &Probe) -> Probed {
        match probe.look {
            Look::Holds(_) => probe.ask(&self.holds),
            Look::Finds(_) => probe.ask(&self.finds),
            Look::Step(..) => probe.ask(&self.steps),
            Look::Struck(..) => probe.ask(&self.struck),
            Look::By(_) => {
                let spoil = SPOILS.iter().find(|(id, _)| *id == probe.id);
                let (_, spoil) = spoil.unwrap_or_else(|| panic!("nothing spoils {}", probe.id));
                let mut fixture = self.clean.clone();
                spoil(&mut fixture);
                probe.ask(&fixture.evidence())
            }
        }
    }
}

#[test]
fn a_clean_bundle_is_answered_yes_throughout() {
    let probed = ask(&Fixture::clean().evidence());
    let off: Vec<_> = probed.iter().filter(|probe| probe.outcome != Found::Yes).collect();
    assert!(off.is_empty(), "{off:#?}");
}

/// Without this a probe could be a question that nothing answers with no.
#[test]
fn every_probe_turns_on_the_bundle_that_is_spoiled_for_it() {
    let spoiled = Spoiled::new();
    for probe in PROBES {
        let answer = spoiled.ask(probe);
        assert_ne!(answer.outcome, Found::Yes, "{}: {}", probe.id, answer.seen);
        assert!(!answer.seen.is_empty() && !answer.at.is_empty(), "{} says neither what nor where", probe.id);
    }
}

#[test]
fn nothing_at_all_is_answered_yes_by_no_probe() {
    let probed = ask(&Evidence::default());
    let yes: Vec<_> =
        probed.iter().filter(|probe| probe.outcome == Found::Yes).map(|probe| probe.id.as_str()).collect();
    // No file, no secret in it: the one question that an empty folder answers well.
    assert_eq!(yes, ["no-secret"]);
}

#[test]
fn probes_have_names_of_their_own_and_every_theme_has_some() {
    let mut ids: Vec<_> = PROBES.iter().map(|probe| probe.id).collect();
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), PROBES.len());
    for theme in Theme::ALL {
        assert!(PROBES.iter().any(|probe| probe.theme == theme), "{}", theme.name());
    }
    let unused: Vec<_> = SPOILS.iter().filter(|(id, _)| !ids.contains(id)).map(|(id, _)| *id).collect();
    assert!(unused.is_empty(), "these spoil nothing: {unused:?}");
}
