//! Figures by which an earlier system declared itself passed. They must not pass here.

use crate::evidence::{command, end, run};
use crate::{of, score};
use mainstay_metric::ledger::{Fault, Limited, Line, Origin};
use mainstay_metric::scorecard::Outcome;

fn one_run(lines: impl IntoIterator<Item = Line>) -> Vec<Line> {
    [Line::Run(run("soak", Origin::Sim, 1))].into_iter().chain(lines).chain([end()]).collect()
}

fn fault(recovered_ms: Option<i64>, polls: bool) -> Line {
    Line::Fault(Fault { class: "poll".into(), polls, struck_ms: 0, over_ms: 0, recovered_ms, by_hand: false })
}

/// 0 of 0, called 1.0.
#[test]
fn poll_recovery_of_no_poll_fault() {
    let card = score(&one_run([fault(Some(1_000), false)]));
    let measured = of(&card, "poll-recovery", Origin::Sim);
    assert_eq!(measured.outcome, Outcome::Inconclusive);
    assert_eq!(measured.estimate, None, "there is no share of nothing");
}

/// 45 of 45, picked out of 61 of 65.
#[test]
fn commands_that_were_picked() {
    let all = |bad| (0..65).map(move |n| Line::Command(command(n < bad)));
    let card = score(&one_run(all(4)));
    assert_eq!(of(&card, "command-success", Origin::Sim).outcome, Outcome::Fail);
    // The picked ones by themselves show nothing.
    let card = score(&one_run(all(0).take(45)));
    let measured = of(&card, "command-success", Origin::Sim);
    assert_eq!(measured.outcome, Outcome::Inconclusive);
    assert_eq!(measured.bound.as_deref(), Some("0.935595"));
    // Nor can the rest be excluded, even of a sample that is large enough.
    let limited = |n| {
        Line::Command(mainstay_metric::ledger::Command {
            limited: if n < 2_800 { Limited::No } else { Limited::Over },
            ..command(false)
        })
    };
    let mut lines = Vec::new();
    for seed in 0..100 {
        lines.push(Line::Run(run("soak", Origin::Sim, seed)));
        lines.extend((0..30).map(|n| limited(seed * 30 + n)));
        lines.push(end());
    }
    let card = score(&lines);
    let measured = of(&card, "command-success", Origin::Sim);
    assert_eq!(measured.excluded.iter().map(|(_, n)| n).sum::<u64>(), 200);
    assert_eq!(measured.outcome, Outcome::Inconclusive, "{}", measured.why);
}

/// The mean of the one incident of twelve that was over.
#[test]
fn recovery_of_one_of_twelve() {
    let card = score(&one_run((0..12).map(|n| fault((n == 0).then_some(64_000), true))));
    let measured = of(&card, "recovery-time", Origin::Sim);
    assert_ne!(measured.outcome, Outcome::Pass);
    assert_eq!((measured.sample, measured.failures), (12, 11));
    // 11 times the cap of an hour, and a minute.
    assert_eq!(measured.estimate.as_deref(), Some("55.089"));
    assert_eq!(of(&card, "poll-recovery", Origin::Sim).outcome, Outcome::Fail);
}
