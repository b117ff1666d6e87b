//! What a page has to say.

use super::*;
use crate::property::Broken;
use std::collections::BTreeSet;

fn verdict(broken: Option<Broken>) -> Verdict {
    let trace = vec![
        Entry::at(0, Lane::Daemon, "a daemon is up").until(60_000),
        Entry::at(10_000, Lane::Task, "RUNNING").of(3).until(30_000),
        Entry::at(10_000, Lane::Machine, "attempt 3-1 runs").of(3).until(20_000),
        Entry::at(20_000, Lane::Machine, "attempt 3-1 left no receipt").of(3),
        Entry::at(20_000, Lane::Fault, "power-loss, off 10s").until(30_000),
        Entry::at(30_000, Lane::Task, "FAILED").of(3),
        Entry::at(31_000, Lane::Network, "sendMessage: fault hang, without effect \"<b>\""),
        Entry::at(31_000, Lane::Wire, "12 bytes sent"),
    ];
    Verdict {
        seed: 5,
        broken,
        digest: 1,
        jobs: 1,
        faults: 1,
        ran: 1,
        looks: 0,
        simulated_ms: 600_000,
        expected: Vec::new(),
        met: BTreeSet::new(),
        trace,
    }
}

fn drawn(verdict: &Verdict) -> String {
    let scenario = Scenario::parse("about = 'x & y'\nlasts = '10m'\n").expect("a scenario");
    page(&scenario, verdict, "cargo xtask sim run x --seed 5")
}

#[test]
fn a_failure_is_said_first_and_shown_where_its_task_ended() {
    let how = "task 3 is FAILED and nobody was told".to_owned();
    let broken = Broken { property: "every end is reported", at_ms: 600_000, how };
    let page = drawn(&verdict(Some(broken)));
    assert!(page.contains("<h1>Broken: every end is reported</h1>"), "{page}");
    assert!(page.contains("10.000 s to 40.000 s: what last happened to task 3"), "{page}");
    assert!(page.contains("cargo xtask sim run x --seed 5"), "{page}");
    assert_eq!(page.matches("<svg").count(), 2);
    assert!(page.contains("tick trouble") && page.contains("machine lost"), "what went wrong stands out");
}

#[test]
fn a_program_that_should_not_have_run_is_shown_as_it_begins() {
    let how = "attempt 3-1 began although nobody can know what 3-0 did".to_owned();
    let page = drawn(&verdict(Some(Broken { property: "nothing runs beside its twin", at_ms: 600_000, how })));
    assert!(page.contains("0.000 s to 20.000 s: attempt 3-1 begins"), "{page}");
}

#[test]
fn nothing_comes_from_elsewhere_and_no_text_is_markup() {
    let page = drawn(&verdict(None));
    assert!(page.contains("Everything held") && page.matches("<svg").count() == 1);
    assert!(!page.contains("<b>") && page.contains("&lt;b&gt;") && page.contains("x &amp; y"), "{page}");
    for outside in ["http:", "https:", "<script", "@import", "url("] {
        assert!(!page.contains(outside), "{outside}");
    }
    assert!(!page.contains("bytes sent"), "what only machines compare is left out");
}
