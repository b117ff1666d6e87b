//! All probes. One more is a row here and a spoiled bundle in `tests`.

use super::looks;
use super::shape::Look::{By, Finds, Holds, Step, Struck};
use super::shape::Theme::{
    Approvals, Chaos, Deploy, Evidence, Idempotency, Operations, Recovery, States, Timeouts, Trace,
};
use super::shape::{Look, Probe, Theme};
use mainstay_metric::ledger::Origin::{Lab, Sim};

/// Without a yes the score is capped.
const CRITICAL: bool = true;
/// One among others.
const PLAIN: bool = false;

const fn probe(theme: Theme, id: &'static str, weight: u32, critical: bool, asks: &'static str, look: Look) -> Probe {
    Probe { id, weight, critical, theme, asks, look }
}

/// The questions, by theme.
#[rustfmt::skip] // a row is a line
pub(crate) const PROBES: &[Probe] = &[
    probe(States, "moves-are-legal", 5, CRITICAL, "Does every move follow the life cycle, with its reason in the world?", Holds("every move is legal and has its reason")),
    probe(States, "illegal-moves-are-found", 3, PLAIN, "Was a planted bug found because of an illegal move?", Finds("every move is legal and has its reason")),
    probe(States, "tasks-end", 3, PLAIN, "Does every task come to the end that its scenario says?", Holds("every task comes to its end")),
    probe(States, "ends-are-true", 5, CRITICAL, "Is a task succeeded exactly if its program said so?", Holds("a true exit is reported as such")),
    probe(States, "all-ends-seen", 2, PLAIN, "Did tasks end in every way that there is?", By(looks::all_ends)),
    probe(States, "kinds-seen", 2, PLAIN, "Did heavy tasks and light ones of at least three kinds end?", By(looks::kinds)),

    probe(Approvals, "gates-hold", 5, CRITICAL, "Did nothing run without its approvals and a resume?", Holds("nothing runs without its approvals and a resume")),
    probe(Approvals, "open-gates-are-found", 3, PLAIN, "Was a planted bug found because a gate was passed?", Finds("nothing runs without its approvals and a resume")),
    probe(Approvals, "acts-suffice", 3, CRITICAL, "Did no task run with fewer human acts than its policy wants?", By(looks::acts_suffice)),
    probe(Approvals, "gates-come-first", 3, CRITICAL, "Did no task run before its last approval and its resume?", By(looks::gates_first)),
    probe(Approvals, "gates-were-used", 2, PLAIN, "Did at least 300 tasks run that people had to let run?", By(looks::gates_used)),
    probe(Approvals, "strangers-get-nothing", 3, CRITICAL, "Are strangers told nothing, and do they do nothing?", Holds("strangers are told nothing and do nothing")),
    probe(Approvals, "strangers-are-found", 2, PLAIN, "Was a planted bug found because a stranger got something?", Finds("strangers are told nothing and do nothing")),

    probe(Idempotency, "no-attempt-twice", 5, CRITICAL, "Was no attempt's program started twice?", Holds("no attempt runs twice")),
    probe(Idempotency, "no-duplicate", 5, CRITICAL, "By the workers' own books: none of at least 1,000 attempts began or had its effect twice?", By(looks::no_duplicate)),
    probe(Idempotency, "executions-have-reasons", 5, CRITICAL, "Is every execution the first, an allowed retry, or a recovery?", By(looks::reasons)),
    probe(Idempotency, "one-wish-one-effect", 5, CRITICAL, "Is each message, press and request taken up once?", Holds("one wish has one effect")),
    probe(Idempotency, "double-effects-are-found", 3, PLAIN, "Was a planted bug found because a wish had two effects?", Finds("one wish has one effect")),
    probe(Idempotency, "no-twins", 3, PLAIN, "Does nothing run beside its twin, or after an end that nobody can know?", Holds("nothing runs beside its twin or after an unknown end")),
    probe(Idempotency, "repeats-came", 2, PLAIN, "Did updates come again at least 20 times?", Struck(Sim, "update-repeated", 20)),
    probe(Idempotency, "retries-happened", 2, PLAIN, "Were there at least 100 retries, so that their limits mean something?", By(looks::retries)),

    probe(Recovery, "nothing-lost", 5, CRITICAL, "Is nothing lost that was acknowledged?", Holds("nothing acknowledged is lost")),
    probe(Recovery, "losses-are-found", 3, PLAIN, "Was a planted bug found because something acknowledged was lost?", Finds("nothing acknowledged is lost")),
    probe(Recovery, "told-is-on-record", 5, CRITICAL, "Is what was told on record after every crash?", Holds("what was told is on record after every crash")),
    probe(Recovery, "one-writer", 3, PLAIN, "Does one daemon at a time write the record?", Holds("one daemon at a time writes the record")),
    probe(Recovery, "budgets-kept", 3, PLAIN, "Are retry budgets kept?", Holds("retry budgets are kept")),
    probe(Recovery, "slots-kept", 2, PLAIN, "Do no more run at once than there are slots?", Holds("no more runs at once than there are slots")),
    probe(Recovery, "every-cut-holds", 3, CRITICAL, "Does everything hold after every cut of a life, by a kill and by a power loss?", Holds("every-cut-holds")),
    probe(Recovery, "crash-points-lived", 3, CRITICAL, "Did all crash runs come to their end, alike when played twice, and find what was made wrong for them?", By(looks::crash_points)),
    probe(Recovery, "poll-classes", 3, PLAIN, "Did at least six classes of poll faults strike 20 times each?", By(looks::poll_classes)),
    probe(Recovery, "daemon-killed", 2, PLAIN, "Was the daemon killed at least 30 times in simulated days, with people around?", Struck(Sim, "daemon-killed", 30)),
    probe(Recovery, "power-lost", 2, PLAIN, "Was the power lost at least 30 times in simulated days, with people around?", Struck(Sim, "power-loss", 30)),
    probe(Recovery, "mostly-unaided", 2, PLAIN, "Did at most 1 in 20 faults of every class need a hand, or were not got over?", By(looks::unaided)),

    probe(Timeouts, "stops-in-time", 3, PLAIN, "Is a wish to stop fulfilled in time?", Holds("a wish to stop is fulfilled in time")),
    probe(Timeouts, "late-stops-are-found", 2, PLAIN, "Was a planted bug found because a stop came late?", Finds("a wish to stop is fulfilled in time")),
    probe(Timeouts, "polling-recovers", 3, PLAIN, "Does polling recover in time?", Holds("polling recovers in time")),
    probe(Timeouts, "limits-on-trying", 2, PLAIN, "Is what fails tried no faster than its limits say?", Holds("what fails is tried no faster than its limits say")),
    probe(Timeouts, "no-verb-fails", 2, PLAIN, "Is at most 1 in 50 commands of every verb unanswered, late or wrong?", By(looks::verbs)),
    probe(Timeouts, "nothing-cut-off", 3, CRITICAL, "Did every run come to its end?", By(looks::nothing_cut_off)),

    probe(Trace, "record-whole", 5, CRITICAL, "Is the record whole, and do its tables follow from it?", Holds("the record is whole")),
    probe(Trace, "broken-records-are-found", 3, PLAIN, "Was a planted bug found because the record was not whole?", Finds("the record is whole")),
    probe(Trace, "no-gaps", 5, CRITICAL, "Is the story of each of at least 1,000 tasks complete, and does it agree with the ledgers?", By(looks::no_gaps)),
    probe(Trace, "traces-complete", 2, PLAIN, "Is the trace of an ended task complete?", Holds("the trace of an ended task is complete")),
    probe(Trace, "errors-on-record", 2, PLAIN, "Are attempts and their errors on record?", Holds("attempts and their errors are on record")),
    probe(Trace, "ends-reported", 3, PLAIN, "Is every end reported, and every repeat marked?", Holds("every end is reported, and repeats are marked")),

    probe(Operations, "alerts-once", 3, PLAIN, "Is an alert told once, and once when it is over?", Holds("an alert is told once, and once when it is over")),
    probe(Operations, "silence-is-found", 2, PLAIN, "Was a planted bug found because of an alert?", Finds("an alert is told once, and once when it is over")),
    probe(Operations, "overdue-told", 2, PLAIN, "Is who should have ended told of within a minute?", Holds("who should have ended is told of within a minute")),
    probe(Operations, "days-probed", 3, PLAIN, "Were at least 200 simulated days probed from outside, minute by minute?", By(looks::days)),
    probe(Operations, "weeks-probed", 2, PLAIN, "Were at least ten weeks played in one piece?", By(looks::weeks)),
    probe(Operations, "personas-there", 2, PLAIN, "Did three personas or more work with it, each with at least 300 acts?", By(looks::personas)),
    probe(Operations, "no-dead-run", 2, PLAIN, "Was no probed run without an answer for half of its time?", By(looks::no_dead_run)),

    probe(Chaos, "bugs-all-found", 5, CRITICAL, "Was every planted bug found?", By(looks::mutants)),
    probe(Chaos, "bugs-enough", 2, PLAIN, "Were at least 90 bugs planted?", By(looks::mutants_enough)),
    probe(Chaos, "bugs-fail-a-gate", 5, CRITICAL, "Does a gate of each planted bug fail, by what found the bug?", By(looks::gates_fail)),
    probe(Chaos, "classes-struck", 3, PLAIN, "Did at least twelve classes of faults strike 20 times each in the simulation?", By(looks::classes)),
    probe(Chaos, "faults-meet-stages", 3, PLAIN, "Did faults of 9 in 10 classes strike while a task was approved, and while one ran?", By(looks::coverage)),
    probe(Chaos, "scenarios-played", 2, PLAIN, "Were at least 80 scenarios played?", By(looks::scenarios)),
    probe(Chaos, "calm-runs-too", 1, PLAIN, "Were there runs in which nothing goes wrong, to compare with?", By(looks::calm)),
    probe(Chaos, "daemon-killed-for-real", 3, CRITICAL, "Was the real daemon killed at least 300 times?", Struck(Lab, "kill-daemon", 300)),
    probe(Chaos, "shim-killed-for-real", 2, CRITICAL, "Was the real shim killed at least 100 times?", Struck(Lab, "kill-shim", 100)),
    probe(Chaos, "both-killed-for-real", 2, CRITICAL, "Were both killed at once at least 100 times?", Struck(Lab, "kill-both", 100)),
    probe(Chaos, "daemon-frozen-for-real", 1, CRITICAL, "Was the real daemon stopped and let go on at least 50 times?", Struck(Lab, "stop-daemon", 50)),
    probe(Chaos, "real-disk-full", 1, CRITICAL, "Was a real disk full?", Struck(Lab, "disk-full", 1)),
    probe(Chaos, "real-rounds-hold", 3, CRITICAL, "Did every property hold in every round on the real machine?", By(looks::kill_rounds)),

    probe(Deploy, "drills-held", 3, PLAIN, "Were there deploy drills, and did all of them hold?", By(looks::drills)),
    probe(Deploy, "drills-on-file", 1, PLAIN, "Does each drill have its timeline in the bundle?", By(looks::timelines)),
    probe(Deploy, "switches-hold", 3, CRITICAL, "Did every property of a switch of releases hold in every drill?", By(looks::drill_rounds)),
    probe(Deploy, "back-in-time", 3, CRITICAL, "Was every way back from a release over within a minute?", Step("deploy", "back within a minute")),
    probe(Deploy, "any-step-killed", 2, CRITICAL, "Does a switch that is killed at any step come to an end that is right?", Step("deploy", "killed holds")),
    probe(Deploy, "schemas-opened", 2, PLAIN, "Are databases of all earlier schemas gone on with, and newer ones left as they are?", Step("deploy", "old-schemas holds")),
    probe(Deploy, "crashes-left", 1, PLAIN, "Were 20 releases left that crash at their start?", Struck(Lab, "release-crash-at-start", 20)),
    probe(Deploy, "silence-left", 1, PLAIN, "Were 20 releases left that never answer?", Struck(Lab, "release-never-ready", 20)),
    probe(Deploy, "hangs-left", 1, PLAIN, "Were 20 releases left that hang once they are ready?", Struck(Lab, "release-hang-after-ready", 20)),
    probe(Deploy, "full-disks-left", 1, PLAIN, "Were 20 releases left that find no room to write?", Struck(Lab, "release-full-disk", 20)),
    probe(Deploy, "poison-left", 1, PLAIN, "Were 20 releases left that fail while they are watched?", Struck(Lab, "release-slow-poison", 20)),

    probe(Evidence, "commit-clean", 5, CRITICAL, "Is the bundle of a commit, with nothing changed beside it?", By(looks::commit_clean)),
    probe(Evidence, "policy-as-built", 5, CRITICAL, "Is the policy the one that this program has?", By(looks::policy)),
    probe(Evidence, "seeds-derived", 3, CRITICAL, "Do all seeds come from the commit, and none from a person?", By(looks::seeds)),
    probe(Evidence, "seeds-many", 2, PLAIN, "Are there at least 100 different seeds?", By(looks::seeds_many)),
    probe(Evidence, "same-again", 3, CRITICAL, "Did whatever was played twice come to the same?", By(looks::same_again)),
    probe(Evidence, "digests-there", 2, PLAIN, "Does every run of a scenario or of a simulated day end with a digest?", By(looks::digests)),
    probe(Evidence, "no-secret", 5, CRITICAL, "Is there nothing in the bundle that looks like a key or a token?", By(looks::no_secret)),
    probe(Evidence, "origins-kept-apart", 3, CRITICAL, "Does each suite have one origin, and is none of it production?", By(looks::origins)),
    probe(Evidence, "failures-kept", 2, PLAIN, "Did seeds that failed once run again, and hold?", By(looks::kept)),
    probe(Evidence, "reruns-enough", 2, PLAIN, "Were at least 100 jobs run again under five schedules?", By(looks::reruns)),
    probe(Evidence, "environment-told", 1, PLAIN, "Does the bundle say of every machine which toolchain, kernel and processor it has?", By(looks::environment)),
    probe(Evidence, "benches-measured", 2, PLAIN, "Were at least ten figures measured beside a floor of the same run?", By(looks::benches)),
    probe(Evidence, "benches-counted", 2, PLAIN, "Do all counted limits of the benchmarks hold?", By(looks::benches_counted)),
    probe(Evidence, "format", 1, PLAIN, "Is the code formatted?", Step("check", "format")),
    probe(Evidence, "lints", 2, PLAIN, "Are the lints quiet?", Step("check", "lints")),
    probe(Evidence, "tidy", 1, PLAIN, "Do the rules of the house hold?", Step("check", "tidy")),
    probe(Evidence, "dependencies", 2, PLAIN, "Does the policy on dependencies hold?", Step("check", "dependencies")),
    probe(Evidence, "documentation", 1, PLAIN, "Can the documentation be built without a warning?", Step("check", "documentation")),
    probe(Evidence, "tests", 3, CRITICAL, "Do all tests pass?", Step("check", "tests")),
];
