//! Bench: what the released program costs, beside floors of the same run. A target that is missed is shown, and decides nothing,
//! unless it is about something that is counted: commits, wake-ups, memory, bytes. Those are steps.

use super::{Load, Suite, Unit};
use crate::bench::{Bench, change, figures};
use crate::gate::policy::Policy;
use crate::gate::site::Site;
use mainstay_metric::ledger::{End, Line, Origin, Run};
use std::time::{Duration, Instant};

pub(super) const SUITE: Suite = Suite {
    name: "bench",
    about: "what the released program costs, beside floors of the same run, the last verdict, and others that queue commands",
    origin: Origin::Lab,
    load: Load::Alone,
    replays: false,
    prepare,
    units,
    run,
};

/// So long a build of a bench, or a part of it, may take.
const HANGS: Duration = Duration::from_secs(1_800);

/// Parts of a bench, each a unit; and whether a look has it.
const PARTS: [(&str, Bench, bool); 12] = [
    ("floors", Bench::Outside, false),
    ("answer", Bench::Outside, true),
    ("throughput", Bench::Outside, false),
    ("command", Bench::Outside, false),
    ("lives", Bench::Outside, true),
    ("latency", Bench::Outside, false),
    ("restart", Bench::Outside, false),
    ("history", Bench::Outside, false),
    ("loaded", Bench::Outside, false),
    ("record", Bench::Outside, false),
    ("peers", Bench::Outside, false),
    ("simulation", Bench::Day, false),
];
/// With less time than this, minutes, parts are measured in fewer rounds and on a smaller history.
const UNHURRIED: u64 = 8;

fn prepare(site: &Site<'_>) -> Result<(), String> {
    let benches = if site.policy.quick { &[Bench::Outside][..] } else { &[Bench::Outside, Bench::Day] };
    for bench in benches {
        let built = site.call(bench.process(true).current_dir(site.root), HANGS)?;
        if !built.good() {
            return Err(format!("the bench {bench:?} does not build: {}", built.last_words()));
        }
    }
    Ok(())
}

fn units(policy: &Policy) -> Vec<Unit> {
    PARTS.iter().filter(|(_, _, look)| *look || !policy.quick).map(|(name, _, _)| Unit::new(*name)).collect()
}

fn run(site: &Site<'_>, unit: &Unit) -> Result<Vec<Line>, String> {
    let (name, bench, _) = PARTS.iter().find(|(name, _, _)| *name == unit.name).ok_or("a unit of another suite")?;
    let mut process = bench.process(false);
    process.arg("--json").current_dir(site.root);
    process.args((site.policy.amounts.bench_minutes < UNHURRIED).then_some("--quick"));
    process.args((*bench == Bench::Outside).then_some(*name));
    let start = Instant::now();
    let called = site.call(&mut process, HANGS)?;
    let at_ms = i64::try_from(start.elapsed().as_millis()).unwrap_or(i64::MAX);
    let file = format!("{name}.json");
    site.attach(&format!("bench/{file}"), &called.stdout)?;
    let (told, cut_off) = match figures::read(&String::from_utf8_lossy(&called.stdout)) {
        Ok(told) if called.good() && !told.is_empty() => (told, None),
        Ok(told) => (told, Some(format!("the bench {}: {}", called.ended(), called.last_words()))),
        Err(error) => (Vec::new(), Some(error)),
    };
    let since = change::last(&site.root.join("audits"), &file);
    let changed = since.map(|(name, then)| change::changes(&then, &figures::figures(&told), &name)).unwrap_or_default();
    let head = Run {
        suite: SUITE.name.to_owned(),
        origin: SUITE.origin,
        seed: 0,
        scenario: (*name).to_owned(),
        persona: None,
        faults: false,
        kept: false,
    };
    let lines = std::iter::once(Line::Run(head)).chain(told).chain(changed.into_iter().map(Line::Figure));
    Ok(lines.chain([Line::End(End { at_ms, cut_off, digest: None })]).collect())
}
