//! How often a system passes that is not good enough, and how often one that is.

use crate::evidence::{Size, proofs, sample, soak, suites};
use crate::{of, score, score_with};
use fastrand::Rng;
use mainstay_metric::ledger::{Line, Origin};
use mainstay_metric::scorecard::{Outcome, Probed};
use mainstay_metric::table::{ROWS, Rule};
use proptest::prelude::*;

const GATES: u64 = 200;

/// A row, the sample that is planned for it, a rate that is just not good enough and one that is good.
struct Plan {
    id: &'static str,
    size: Size,
    poor: f64,
    good: f64,
}

const fn plan(id: &'static str, seeds: u64, each: u64, poor: f64, good: f64) -> Plan {
    Plan { id, size: Size { seeds, each }, poor, good }
}

/// Where one is too many, a poor system is one that shows it in a sample nearly always, and a good one never does it.
const PLANS: [Plan; 14] = [
    plan("steps", 10, 10, 0.05, 0.0),
    plan("mutants", 1, 98, 0.05, 0.0),
    plan("command-success", 100, 20, 0.0101, 0.002),
    plan("duplicate-executions", 100, 300, 0.0002, 0.0),
    plan("control-invariants", 100, 10, 0.005, 0.0),
    plan("poll-recovery", 100, 3, 0.051, 0.008),
    plan("recovery-time", 100, 6, 0.051, 0.001),
    plan("traceability", 100, 3, 0.015, 0.0),
    plan("heavy-success", 100, 3, 0.041, 0.005),
    plan("human-intervention", 100, 2, 0.151, 0.05),
    plan("approve-to-resume", 100, 5, 0.051, 0.01),
    plan("outcome-consistency", 100, 1, 0.101, 0.01),
    plan("uptime", 100, 10_080, 0.003_01, 0.001),
    plan("operator-time", 200, 1, 60.5, 45.0),
];

/// In how many of so many gates the row passes.
fn passes(plan: &Plan, rate: f64, gates: u64) -> u64 {
    let passed = |gate: u64| {
        let mut lines = soak(plan.id, plan.size, rate, &mut Rng::with_seed(gate));
        if plan.id == "steps" {
            lines.extend(suites());
        }
        u64::from(of(&score(&lines), plan.id, Origin::Sim).outcome == Outcome::Pass)
    };
    (0..gates).map(passed).sum()
}

#[test]
fn there_is_a_plan_for_every_row_that_lines_make() {
    let planned: Vec<&str> = PLANS.iter().map(|plan| plan.id).collect();
    let rows: Vec<&str> = ROWS.iter().filter(|row| row.rule != Rule::Score).map(|row| row.id).collect();
    assert_eq!(planned, rows);
}

#[test]
fn a_system_that_is_not_good_enough_seldom_passes() {
    for plan in &PLANS {
        let passed = passes(plan, plan.poor, GATES);
        assert!(passed <= GATES / 20, "{}: {passed} of {GATES}", plan.id);
    }
}

#[test]
fn a_good_system_nearly_always_passes() {
    for plan in &PLANS {
        let gates = 40;
        let passed = passes(plan, plan.good, gates);
        assert!(passed >= 38, "{}: {passed} of {gates}", plan.id);
    }
}

/// One bad seed in twenty, in which every fifth command fails: a share of 99 % that a bound by commands alone would let pass.
#[test]
fn failures_that_come_together_are_not_taken_for_many_witnesses() {
    let gate = |gate: u64| {
        let mut rng = Rng::with_seed(gate);
        let mut lines = Vec::new();
        for seed in 0..100 {
            let rate = if rng.f64() < 0.05 { 0.2 } else { 0.0 };
            let mut one = soak("command-success", Size { seeds: 1, each: 30 }, rate, &mut rng);
            if let Some(Line::Run(run)) = one.first_mut() {
                run.seed = seed;
            }
            lines.extend(one);
        }
        let card = score(&lines);
        let measured = of(&card, "command-success", Origin::Sim).clone();
        (measured.outcome == Outcome::Pass, measured.why.contains("by seed"))
    };
    let gates: Vec<(bool, bool)> = (0..GATES).map(gate).collect();
    let passed = gates.iter().filter(|(passed, _)| *passed).count();
    assert!(passed <= 10, "{passed}");
    assert!(gates.iter().any(|(_, by_seed)| *by_seed), "the bound by seed never decided");
}

#[test]
fn without_evidence_no_row_passes() {
    let card = score(&[]);
    assert_eq!(card.verdict, Outcome::Inconclusive);
    for row in &ROWS {
        let mut measured = card.metrics.iter().filter(|metric| metric.id == row.id).peekable();
        assert!(measured.peek().is_some(), "{} is not told", row.id);
        measured.for_each(|metric| {
            assert_eq!((metric.outcome, metric.counts), (Outcome::Inconclusive, true), "{}", row.id);
            assert_eq!((&metric.estimate, &metric.bound), (&None, &None), "{}", row.id);
        });
    }
}

/// All of them together are well below the target.
#[test]
fn one_persona_that_takes_too_much_time_passes_in_one_gate_of_twenty_at_most() {
    let passed = |gate: u64| {
        let mut rng = Rng::with_seed(gate);
        let mut lines = Vec::new();
        for (persona, minutes) in [("attentive", 30.0), ("hasty", 30.0), ("slow", 60.5)] {
            let mut days = soak("operator-time", Size { seeds: 70, each: 1 }, minutes, &mut rng);
            for line in &mut days {
                if let Line::Run(run) = line {
                    run.persona = Some(persona.into());
                }
            }
            lines.extend(days);
        }
        of(&score(&lines), "operator-time", Origin::Sim).outcome == Outcome::Pass
    };
    let passed = (0..200).filter(|gate| passed(*gate)).count();
    assert!(passed <= 10, "{passed} of 200");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    /// A perfect system that was looked at too little.
    #[test]
    fn no_row_passes_below_its_least_sample(row in 0..PLANS.len(), share in 0.0..0.999_f64, few_seeds: bool) {
        let plan = &PLANS[row];
        let least = ROWS.iter().find(|row| row.id == plan.id).expect("a row").least;
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, clippy::cast_precision_loss, reason = "a test's number")]
        let part = |whole: u64| (whole as f64 * share) as u64;
        // Either too few of them, or enough of too few seeds. Days are made of runs.
        let days = plan.id == "operator-time";
        let size = match few_seeds && least.seeds > 1 && !days {
            true => Size { seeds: part(least.seeds).max(1), each: least.sample.min(3_000) },
            false if days => Size { seeds: part(least.sample), each: 1 },
            false => Size { seeds: 1, each: part(least.sample).min(5_000) },
        };
        let good = if days { 20.0 } else { 0.0 };
        let card = score(&soak(plan.id, size, good, &mut Rng::with_seed(1)));
        let measured = card.metrics.iter().find(|metric| metric.id == plan.id && metric.origin == Origin::Sim);
        prop_assert_eq!(measured.expect("it is required").outcome, Outcome::Inconclusive, "{} {:?}", plan.id, size);
    }

    /// The order of runs is of no account.
    #[test]
    fn any_order_of_runs_gives_the_same(seed: u64) {
        let mut rng = Rng::with_seed(seed);
        let mut runs: Vec<Vec<Line>> = PLANS
            .iter()
            .filter(|plan| plan.id != "uptime")
            .flat_map(|plan| {
                (0..3).map(|_| soak(plan.id, Size { seeds: 1, each: 5 }, 0.3, &mut rng)).collect::<Vec<_>>()
            })
            .collect();
        for (n, run) in runs.iter_mut().enumerate() {
            if let Some(Line::Run(run)) = run.first_mut() {
                run.seed = n as u64 / 2;
            }
        }
        let first = score(&runs.concat());
        rng.shuffle(&mut runs);
        prop_assert_eq!(first, score(&runs.concat()));
    }
}

#[test]
fn the_audit_score_is_what_its_probes_say() {
    let probe = |n: u32, critical: bool, outcome| Probed { id: format!("probe-{n}"), weight: 1, critical, outcome };
    let twenty = |last: Probed| {
        let probes: Vec<Probed> = (0..19).map(|n| probe(n, false, Outcome::Pass)).chain([last]).collect();
        let card = score_with(&[], &probes);
        let measured = of(&card, "audit-score", Origin::Lab);
        (measured.outcome, measured.estimate.clone().expect("there are probes"))
    };
    assert_eq!(twenty(probe(19, true, Outcome::Pass)), (Outcome::Pass, "100.00".into()));
    assert_eq!(twenty(probe(19, false, Outcome::Fail)), (Outcome::Pass, "95.00".into()));
    assert_eq!(twenty(probe(19, true, Outcome::Fail)), (Outcome::Fail, "74.00".into()));
    assert_eq!(twenty(probe(19, true, Outcome::Inconclusive)), (Outcome::Inconclusive, "74.00".into()));
    let heavy = |outcome| Probed { weight: 2, ..probe(19, false, outcome) };
    assert_eq!(twenty(heavy(Outcome::Fail)), (Outcome::Fail, "90.47".into()));
    assert_eq!(twenty(heavy(Outcome::Inconclusive)), (Outcome::Inconclusive, "90.47".into()));
}

#[test]
fn everything_good_passes() {
    let mut lines = suites();
    for plan in &PLANS {
        let mut rng = Rng::with_seed(7);
        lines.extend(soak(plan.id, plan.size, if plan.id == "operator-time" { 30.0 } else { 0.0 }, &mut rng));
    }
    lines.extend(proofs());
    let probes = [Probed { id: "p".into(), weight: 1, critical: true, outcome: Outcome::Pass }];
    let card = score_with(&lines, &probes);
    assert_eq!(card.verdict, Outcome::Pass, "{}", card.why);
    // And one thing that must not be, in the middle of it all, is enough.
    lines.splice(
        0..0,
        [Line::Run(crate::evidence::run("soak", Origin::Sim, 999_999))]
            .into_iter()
            .chain(sample("duplicate-executions", 0, 0, true))
            .chain([crate::evidence::end()]),
    );
    assert_eq!(score_with(&lines, &probes).verdict, Outcome::Fail);
}
