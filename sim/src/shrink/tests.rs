//! Shrinking with a trial that knows what fails.

use super::*;
use crate::fault::Fault;

struct Known<F>(F, usize);

impl<F: Fn(&Scenario) -> bool> Trial for Known<F> {
    fn first_failing(&mut self, candidates: &[Scenario]) -> Option<usize> {
        self.1 += candidates.len();
        candidates.iter().position(&self.0)
    }

    fn is_over(&self) -> bool {
        false
    }
}

fn big() -> Scenario {
    let mut text = "about = 'x'\nlasts = '10m'\nseed = 7\nsectors = 'small'\n".to_owned();
    for n in 1..=9 {
        let kind = if n == 6 { "flaky" } else { "build" };
        text += &format!(
            "[[job]]\nat = '{n}0321ms'\nby = 'ben'\nkind = '{kind}'\ndoes = 'exit:75@40000 progress:half@20000'\n"
        );
        text += &format!("[[fault]]\nfault = 'daemon-killed'\nwhen = 'job {n} runs'\nat = '4500ms'\ndown = '9s'\n");
        text += &format!("[[fault]]\nfault = 'line-cut'\nat = '{n}5s'\nlasts = '30s'\n");
    }
    Scenario::parse(&text).expect("a scenario")
}

/// As if a bug showed where a daemon is killed for more than five seconds while a flaky job runs.
fn fails(scenario: &Scenario) -> bool {
    scenario.faults.iter().any(|planned| {
        let Some(crate::scenario::Moment::Runs(job)) = planned.when else { return false };
        let flaky = scenario.jobs.get(job - 1).is_some_and(|job| job.kind == "flaky" && job.does.contains("exit:75"));
        matches!(planned.fault, Fault::DaemonKilled { down } if down.0 > 5_000) && flaky
    })
}

#[test]
fn only_what_a_failure_needs_is_left() {
    let mut trial = Known(fails, 0);
    let small = shrink(&big(), &mut trial).expect("a scenario");
    assert!(fails(&small));
    let text = text(&small, &["Broken: x.\nBadly.".to_owned()]).expect("a file");
    let wanted = r#"# Broken: x.
# Badly.
about = "x"
lasts = "1s"
settles = "10m"
tick = "50ms"
seed = 7

[[job]]
at = "1s"
by = "ana"
kind = "flaky"
does = "exit:75@1000"
via = "group"

[[fault]]
when = "job 1 runs"
fault = "daemon-killed"
down = "6s"
"#;
    assert_eq!(text, wanted);
    assert_eq!(Scenario::parse(&text).as_ref(), Ok(&small), "what is written can be read");
    assert!(trial.1 < 400, "{} candidates", trial.1);
}

#[test]
fn another_seed_is_taken_where_only_it_fails() {
    // With the first seed nothing may be left out; with the next one everything may.
    let mut trial = Known(|s: &Scenario| fails(s) && (s.seed == Some(8) || s.faults.len() == 18), 0);
    let small = shrink(&big(), &mut trial).expect("a scenario");
    assert_eq!((small.faults.len(), small.seed), (1, Some(8)));
}
