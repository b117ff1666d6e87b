//! One short soaked run, told as it is, and told again with something forged: every judgement of a line turns bad then.

use super::replies::Replies;
use super::*;
use crate::fault::Fault;
use crate::people::{Given, How};
use crate::probe::Probe;
use crate::property::Outages;
use mainstay::attempt::End as Ended;
use mainstay::event::Fact;
use mainstay::task::State;
use mainstay_metric::ledger::{self as lines, Allowed};

/// Two hours of work, with much of everything. A tick of a second is coarse, and quick.
const SHORT: &str = "about = 'x'\nlasts = '10h'\nsettles = '6h'\ntick = '1s'\n[soak]\njobs = [60, 60]\n\
                     [soak.faults]\ntelegram = 600\nline-cut = 200\ndaemon-killed = 300\npower-loss = 200\n";
const SEED: u64 = 11;

fn told() -> Told {
    Told { suite: "soak".into(), name: "short".into(), persona: Some(Persona::ErrorProne), kept: false }
}

/// Plays it, and looks at what it was.
fn played<T>(look: impl FnOnce(&Run) -> T) -> T {
    let _alone = crate::vfs::alone();
    let resolved = resolve(&Scenario::parse(SHORT).expect("a scenario"), SEED);
    let (verdict, seen) = play_and_tell(&resolved, SEED, Some(Persona::ErrorProne), |_| {}, |run, _| look(run));
    assert_eq!(verdict.broken, None);
    seen
}

fn commands(lines: &[Line]) -> Vec<&lines::Command> {
    lines.iter().filter_map(|line| if let Line::Command(one) = line { Some(one) } else { None }).collect()
}

fn tasks(lines: &[Line]) -> Vec<&lines::Task> {
    lines.iter().filter_map(|line| if let Line::Task(one) = line { Some(one) } else { None }).collect()
}

fn is_good(command: &lines::Command) -> bool {
    let in_time = command.answered_ms.is_some_and(|at| at - command.at_ms <= command.within_ms);
    in_time && command.wrong.is_none()
}

/// The lines that follow from evidence, as it is or forged.
fn judged(e: &Evidence<'_>, run: &Run, given: &[Given], replies: &Replies, struck: &[(i64, Fault)]) -> Vec<Line> {
    let lives = oracle::Lives::of(e, given, replies, struck);
    let mut lines = command::lines(e, given, &lives);
    lines.extend(task::lines(e, &run.world, &lives));
    lines
}

#[test]
fn a_run_is_told_from_its_head_to_its_end_and_all_of_it_is_well() {
    let _alone = crate::vfs::alone();
    let lines = tell(&Scenario::parse(SHORT).expect("a scenario"), SEED, &told());
    assert!(matches!(&lines[0], Line::Run(head) if head.faults && head.persona.as_deref() == Some("error-prone")));
    assert!(matches!(lines.last(), Some(Line::End(end)) if end.cut_off.is_none() && end.digest.is_some()));
    let bad: Vec<_> = commands(&lines).into_iter().filter(|command| !is_good(command)).cloned().collect();
    assert!(commands(&lines).len() > 40, "{}", commands(&lines).len());
    assert_eq!(bad, []);
    let verbs: std::collections::BTreeSet<&str> = commands(&lines).iter().map(|c| c.verb.as_str()).collect();
    for verb in ["newtask", "approve", "resume", "status"] {
        assert!(verbs.contains(verb), "{verb} among {verbs:?}");
    }
    let off: Vec<_> = tasks(&lines).into_iter().filter(|t| t.wrong.is_some() || t.gap.is_some()).cloned().collect();
    assert!(tasks(&lines).len() >= 8);
    assert_eq!(off, []);
    for line in &lines {
        match line {
            Line::Property(property) => assert_eq!(property.broken, None, "{}", property.name),
            Line::Fault(fault) => assert!(fault.recovered_ms.is_some_and(|at| at >= fault.over_ms), "{fault:?}"),
            Line::Execution(one) => assert!(one.spawns == 1 && one.allowed != Allowed::Nothing, "{one:?}"),
            Line::Slices(slices) => assert!(slices.all >= 600 && !slices.bad.is_empty(), "{slices:?}"),
            Line::Run(_) | Line::Command(_) | Line::Task(_) | Line::Act(_) | Line::End(_) => {}
            Line::Mutant(_) | Line::Rerun(_) | Line::Figure(_) | Line::Step(_) => panic!("no line of a run: {line:?}"),
        }
    }
    assert!(lines.iter().any(|line| matches!(line, Line::Fault(_))));
    assert!(lines.iter().any(|line| matches!(line, Line::Act(act) if matches!(act.did, lines::Did::Read(_)))));
}

#[test]
fn answers_that_are_missing_late_or_not_true_are_no_successes() {
    played(|run| {
        let config = people::config();
        let store = run.store().expect("it can be read");
        let e = Evidence::simulated(&run.world, &run.people, &run.outages, &config, &store).expect("it can be read");
        let given = run.people.given();
        let as_it_was = |replies: &Replies| judged(&e, run, given, replies, run.watch.struck());
        let wrong = |replies: &Replies, verb: &str| {
            let lines = as_it_was(replies);
            commands(&lines).iter().filter(|one| one.verb == verb && !is_good(one)).count()
        };
        let forged = |from: &str, to: &str| {
            let mut replies = Replies::of(&run.world);
            replies.forge(|reply| reply.text = reply.text.replace(from, to));
            replies
        };
        for (verb, from, to) in [
            ("approve", " approved: ", " is not known: "),
            ("approve", "wants somebody else's yes", "is fine. #1 approved: "),
            ("resume", " resumed: ", " can't be resumed: "),
            ("newtask", "#", "no "),
            ("status", "SUCCEEDED", "FAILED"),
            ("list", "#", "no "),
            ("ops", " running · ", " "),
        ] {
            assert_eq!(wrong(&Replies::of(&run.world), verb), 0, "{verb}");
            if verb == "approve" && from.starts_with("wants") {
                // What was refused is told as done.
                let mut replies = Replies::of(&run.world);
                replies.forge(|reply| {
                    if reply.text.contains(from) {
                        reply.text = "#1 approved: ready".into();
                    }
                });
                assert!(wrong(&replies, verb) > 0, "{verb}: {from:?}");
                continue;
            }
            assert!(wrong(&forged(from, to), verb) > 0, "{verb}: {from:?}");
        }
        let mut late = Replies::of(&run.world);
        late.forge(|reply| reply.at += 3_600_000);
        assert!(wrong(&late, "approve") > 0);
        assert!(commands(&as_it_was(&Replies::nothing(&run.world))).iter().all(|one| one.answered_ms.is_none()));
    });
}

#[test]
fn ledgers_that_do_not_agree_with_what_was_said_show() {
    played(|run| {
        let config = people::config();
        let (store, replies) = (run.store().expect("it can be read"), Replies::of(&run.world));
        let evidence =
            || Evidence::simulated(&run.world, &run.people, &run.outages, &config, &store).expect("it can be read");
        let count = |e: &Evidence<'_>, bad: fn(&Line) -> bool| {
            let lines = judged(e, run, run.people.given(), &replies, run.watch.struck());
            lines.iter().filter(|line| bad(line)).count()
        };
        let wrong: fn(&Line) -> bool = |line| matches!(line, Line::Task(task) if task.wrong.is_some());
        let gap: fn(&Line) -> bool = |line| matches!(line, Line::Task(task) if task.gap.is_some());
        let unfollowed: fn(&Line) -> bool = |line| matches!(line, Line::Command(one) if one.wrong.is_some());

        let mut other = evidence();
        other
            .ledger
            .iter_mut()
            .filter(|ran| ran.end == Some(Ended::Exited(0)))
            .for_each(|ran| ran.end = Some(Ended::Exited(9)));
        assert!(count(&other, wrong) > 0, "what failed is called a success");

        let mut other = evidence();
        let task = other.ledger[0].key.task;
        other.ledger.retain(|ran| ran.key.task != task);
        assert!(count(&other, unfollowed) + count(&other, wrong) > 0, "what was let run and never ran");

        for (what, kept) in [
            ("wish", (|fact: &Fact| !matches!(fact, Fact::Requested { .. })) as fn(&Fact) -> bool),
            ("approval", |fact| !matches!(fact, Fact::Approved { .. })),
            ("resume", |fact| !matches!(fact, Fact::Resumed { .. })),
            ("claim", |fact| !matches!(fact, Fact::Claimed { .. })),
            ("name", |fact| !matches!(fact, Fact::Identified { .. })),
            ("end", |fact| !matches!(fact, Fact::Ended { .. })),
        ] {
            let mut other = evidence();
            other.events.retain(|event| kept(&event.fact));
            assert!(count(&other, gap) > 0, "{what}");
        }
        let mut other = evidence();
        other.ledger.clear();
        assert!(count(&other, gap) > 0, "ends of what never ran");

        let lives = oracle::Lives::of(&evidence(), run.people.given(), &replies, run.watch.struck());
        let (task, life) = lives.tasks.iter().next().expect("there are tasks");
        let e = evidence();
        let runs: Vec<_> = e.ledger.iter().filter(|ran| ran.key.task.0 == *task).collect();
        assert!(gap::of(&e, *task, life, &runs, &gap::Reports::new()).is_some(), "a report that nobody got");
    });
}

#[test]
fn a_program_that_runs_once_more_has_nothing_that_allows_it() {
    played(|run| {
        let config = people::config();
        let store = run.store().expect("it can be read");
        let mut e =
            Evidence::simulated(&run.world, &run.people, &run.outages, &config, &store).expect("it can be read");
        let done = e.ledger.iter().rev().find(|ran| ran.end == Some(Ended::Exited(0))).expect("one succeeded").clone();
        let executions = |e: &Evidence<'_>| -> Vec<lines::Execution> {
            let all = execution::lines(e).into_iter();
            all.filter_map(|line| if let Line::Execution(one) = line { Some(one) } else { None }).collect()
        };
        assert!(executions(&e).iter().all(|one| one.spawns == 1 && one.allowed != Allowed::Nothing));
        e.ledger.push(done.clone());
        let twice = executions(&e);
        assert!(twice.iter().any(|one| one.spawns == 2 && one.effects == 2 * done.effects), "the same attempt");
        e.ledger.pop();
        let mut again = done;
        again.key.attempt += 1;
        again.began_ms = again.ended_ms.expect("it ended") + 5_000;
        e.ledger.push(again);
        assert!(executions(&e).iter().any(|one| one.allowed == Allowed::Nothing), "another attempt");
    });
}

#[test]
fn a_world_without_a_sign_of_life_has_bad_slices_and_faults_that_stay() {
    played(|run| {
        let mute = Probe::new(crate::scenario::Span(60_000));
        let nobody = Replies::nothing(&run.world);
        let faults = fault::lines(run, &mute, &nobody);
        assert!(!faults.is_empty());
        assert!(faults.iter().all(|line| matches!(line, Line::Fault(fault) if fault.recovered_ms.is_none())));
        let probe = run.probe.as_ref().expect("it is soaked");
        let (all, bad) = probe.slices(&run.world);
        assert!(bad.len() < all / 20, "{} of {all}", bad.len());
        let down = crate::world::World::new(
            crate::world::Make {
                seed: 1,
                tick: std::time::Duration::from_secs(1),
                disk: crate::disk::Profile::SMALL_SECTORS,
                config: people::config(),
            },
            |_| {},
        );
        assert_eq!(probe.slices(&down).1.len(), all, "nobody answers in another world");
    });
}

#[test]
fn what_breaks_is_a_property_that_names_how() {
    played(|run| {
        let config = people::config();
        let store = run.store().expect("it can be read");
        let mut e =
            Evidence::simulated(&run.world, &run.people, &run.outages, &config, &store).expect("it can be read");
        let again = e.ledger[0].clone();
        e.ledger.push(again);
        let broken = |lines: Vec<Line>| -> Vec<String> {
            let names =
                lines.into_iter().filter_map(|line| if let Line::Property(one) = line { Some(one) } else { None });
            names.filter(|one| one.broken.is_some()).map(|one| one.name).collect()
        };
        assert!(broken(property::lines(run, Some(&e), None)).contains(&"no attempt runs twice".to_owned()));
        let found = Broken { property: crate::property::SPINS, at_ms: 1, how: "forged".into() };
        assert_eq!(broken(property::lines(run, None, Some(&found))), [crate::property::SPINS]);
        let looked = property::lines(run, Some(&e), None);
        let vacuous = looked.iter().filter(|line| matches!(line, Line::Property(one) if one.looked == 0)).count();
        assert!(vacuous <= 2, "{vacuous} properties were asked of nothing");
    });
}

#[test]
fn a_stop_that_does_not_hold_is_a_wrong_answer() {
    // By hand: somebody stopped what was approved, was answered, and it ran all the same.
    let outages = Outages::default();
    played(|run| {
        let config = people::config();
        let (store, replies) = (run.store().expect("it can be read"), Replies::of(&run.world));
        let mut e = Evidence::simulated(&run.world, &run.people, &outages, &config, &store).expect("it can be read");
        let mut ended: Vec<(i64, i64)> = run
            .people
            .given()
            .iter()
            .filter(|given| matches!(given.verb, Some("stop" | "reject")))
            .filter_map(|given| {
                Some((given.task?, replies.to(given).filter(|reply| reply.text.contains("canceled"))?.at))
            })
            .collect();
        let Some((task, at)) = ended.pop() else { panic!("nobody stopped anything: choose another seed") };
        let mut again = e.ledger[0].clone();
        again.key.task = mainstay::id::TaskId(task);
        (again.began_ms, again.ended_ms) = (at + 10_000, Some(at + 11_000));
        e.ledger.push(again);
        let lines = judged(&e, run, run.people.given(), &replies, run.watch.struck());
        let wrong =
            commands(&lines).iter().any(|one| one.wrong.as_ref().is_some_and(|why| why.contains("was ended by")));
        assert!(wrong, "task {task} ran after it was stopped");
        assert_eq!(e.state(task).expect("it is there").0, State::Canceled);
    });
}

#[test]
fn who_types_is_told_with_what_was_typed() {
    let given = people::given::said(5, people::ANA, people::GROUP, crate::botapi::MessageId(1), "/aprpove 7");
    assert_eq!((given.verb, given.task), (None, None));
    assert!(matches!(given.how, How::Said { chars: 10, .. }));
    let given = people::given::said(5, people::ANA, people::GROUP, crate::botapi::MessageId(1), "/approve 7");
    assert_eq!((given.verb, given.task), (Some("approve"), Some(7)));
}
