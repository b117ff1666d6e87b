//! What `mainstay metrics` makes of a record: of tasks, commands and troubles whose truth is known here.

use crate::world::*;
use mainstay::measured::{Measuring, Open, Window};
use mainstay::task::State;
use mainstay_metric::ledger::{Act, Command, Did, Execution, Fault, Line, Task};
use mainstay_metric::limits::DAY_MS;
use mainstay_metric::properties;
use mainstay_metric::scorecard::{Outcome, Scorecard};
use mainstay_metric::scorer::{Scope, Scorer};
use mainstay_metric::table::ROWS;

/// A gate asks for every property of the simulation, and for none that is not there.
#[test]
fn the_control_invariants_are_the_properties_of_the_simulation() {
    let names: Vec<&str> = mainstay_sim::property::PROPERTIES.iter().map(|property| property.name).collect();
    assert_eq!(names, properties::PROPERTIES);
}

/// The record of the last seven days, and how many tasks are open.
fn measured(w: &World) -> (Vec<Line>, Open) {
    let events = w.events();
    let to_ms = events.last().expect("there are events").at + 1;
    let mut measuring = Measuring::new(&w.config, Window { from_ms: to_ms - 7 * DAY_MS, to_ms });
    events.iter().for_each(|event| measuring.see(event));
    measuring.lines()
}

fn scored(lines: &[Line]) -> Scorecard {
    let mut scorer = Scorer::new(Scope::Production);
    lines.iter().for_each(|line| scorer.add(line));
    scorer.finish(&[])
}

fn tasks(lines: &[Line]) -> Vec<&Task> {
    lines.iter().filter_map(|line| if let Line::Task(task) = line { Some(task) } else { None }).collect()
}

fn commands(lines: &[Line]) -> Vec<&Command> {
    lines.iter().filter_map(|line| if let Line::Command(command) = line { Some(command) } else { None }).collect()
}

fn faults(lines: &[Line]) -> Vec<&Fault> {
    lines.iter().filter_map(|line| if let Line::Fault(fault) = line { Some(fault) } else { None }).collect()
}

fn executions(lines: &[Line]) -> Vec<&Execution> {
    lines.iter().filter_map(|line| if let Line::Execution(execution) = line { Some(execution) } else { None }).collect()
}

fn acts(lines: &[Line]) -> Vec<&Act> {
    lines.iter().filter_map(|line| if let Line::Act(act) = line { Some(act) } else { None }).collect()
}

#[test]
fn a_task_that_went_as_it_should_took_its_two_acts_and_leaves_no_gap() {
    let mut w = World::new();
    w.say_in(GROUP, OLGA, "/newtask build exit:0@90000");
    w.advance(5_000);
    w.press(AXEL, GROUP, 1, "Approve");
    w.advance(60_000);
    w.say_in(GROUP, OLGA, "/resume 1");
    w.advance(100_000);
    w.quiet();
    assert_eq!(w.state(1), State::Succeeded);
    let (lines, open) = measured(&w);
    let [task] = tasks(&lines)[..] else { panic!("one task") };
    assert_eq!((task.acts, task.least_acts, open), (2, 2, Open::default()), "{task:?}");
    assert_eq!((task.gap.as_deref(), task.state.as_str(), task.admitted), (None, "SUCCEEDED", true), "{task:?}");
    let (approved, running) = (task.approved_ms.expect("approved"), task.running_ms.expect("it ran"));
    assert!((60_000..90_000).contains(&(running - approved)), "{task:?}");
    let verbs: Vec<(&str, bool)> =
        commands(&lines).iter().map(|command| (command.verb.as_str(), command.answered_ms.is_some())).collect();
    assert_eq!(verbs, [("newtask", true), ("approve", true), ("resume", true)]);
    let spawns: Vec<u32> = executions(&lines).iter().map(|execution| execution.spawns).collect();
    assert_eq!(spawns, [1]);
    let did: Vec<Did> = acts(&lines).iter().map(|act| act.did).filter(|did| !matches!(did, Did::Read(_))).collect();
    // `/newtask build exit:0@90000` has 27 characters and the kind is not kept by itself: near enough is good enough.
    assert_eq!(did, [Did::Typed(25), Did::Pressed, Did::Typed(12)]);
    assert!(
        acts(&lines).iter().any(|act| act.by == format!("tg:{GROUP}") && matches!(act.did, Did::Read(n) if n > 10))
    );
}

#[test]
fn what_was_stopped_taken_back_or_approved_again_took_more_than_it_had_to() {
    let mut w = World::new();
    // Fails, is taken back from its end, approved and resumed again.
    let id = w.run_task("build", "exit:3@10");
    w.quiet();
    assert_eq!(w.state(id), State::Failed);
    w.say(OLGA, &format!("/recover {id}"));
    w.say(AXEL, &format!("/approve {id}"));
    w.say(OLGA, &format!("/resume {id}"));
    w.quiet();
    // Refused: that is what gates are for.
    w.say(OLGA, "/newtask build exit:0");
    w.say(AXEL, "/reject 2 not today");
    // Stopped while it ran.
    let third = w.run_task("build", "hang");
    w.say(OLGA, &format!("/stop {third}"));
    w.quiet();
    // Not over yet.
    w.say(OLGA, "/newtask build exit:0");
    w.quiet();
    let (lines, open) = measured(&w);
    let told: Vec<(i64, u32, u32, bool)> =
        tasks(&lines).iter().map(|task| (task.task, task.acts, task.least_acts, task.could_succeed)).collect();
    assert_eq!(told, [(1, 5, 2, true), (2, 1, 1, false), (3, 3, 2, false)]);
    assert_eq!(open, Open { all: 1, late: 0 });
    assert_eq!(tasks(&lines).iter().filter_map(|task| task.gap.as_ref()).collect::<Vec<_>>(), Vec::<&String>::new());
    let card = scored(&lines);
    let of = |id: &str| card.metrics.iter().find(|metric| metric.id == id).expect("it is told");
    assert_eq!((of("human-intervention").sample, of("human-intervention").failures), (3, 2));
    assert_eq!((of("heavy-success").sample, of("heavy-success").failures), (1, 1));
    assert_eq!((of("duplicate-executions").sample, of("duplicate-executions").failures), (3, 0));
}

#[test]
fn a_task_that_nothing_comes_of_is_late_even_if_somebody_gives_it_up() {
    let mut w = World::new();
    let ask = |w: &mut World, id: i64| {
        w.say(OLGA, "/newtask build exit:0");
        w.say(AXEL, &format!("/approve {id}"));
    };
    ask(&mut w, 1);
    ask(&mut w, 2);
    w.advance(91_000);
    // Not late yet when the window ends.
    ask(&mut w, 3);
    w.say(OLGA, "/stop 2");
    // Given up at once: nobody waited for it.
    ask(&mut w, 4);
    w.say(OLGA, "/stop 4");
    w.quiet();
    let (lines, open) = measured(&w);
    assert_eq!(open, Open { all: 2, late: 1 });
    let told: Vec<(i64, &str)> = tasks(&lines).iter().map(|task| (task.task, task.state.as_str())).collect();
    assert_eq!(told, [(1, "APPROVED"), (2, "CANCELED"), (4, "CANCELED")]);
    let card = scored(&lines);
    let of = |id: &str| card.metrics.iter().find(|metric| metric.id == id).expect("it is told");
    assert_eq!((of("approve-to-resume").sample, of("approve-to-resume").failures), (2, 2));
    // Its story goes on: what it lacks is no gap, and what it took nobody knows yet.
    assert_eq!((of("traceability").sample, of("human-intervention").sample), (2, 2));
}

#[test]
fn a_heavy_task_that_waits_for_its_slot_is_late_and_has_not_failed() {
    let mut w = World::new();
    w.run_task("solo", "hang");
    w.say(OLGA, "/newtask solo exit:0");
    w.say(AXEL, "/approve 2");
    w.say(OLGA, "/resume 2");
    w.advance(91_000);
    // The window ends with the newest event.
    w.say(OLGA, "/newtask solo exit:0");
    let (lines, open) = measured(&w);
    assert_eq!((w.state(2), open), (State::Queued, Open { all: 3, late: 1 }));
    let card = scored(&lines);
    let of = |id: &str| card.metrics.iter().find(|metric| metric.id == id).expect("it is told");
    assert_eq!((of("approve-to-resume").sample, of("approve-to-resume").failures), (1, 1));
    assert_eq!(of("heavy-success").sample, 0, "what it comes to nobody knows yet");
}

#[test]
fn a_daemon_that_died_and_polls_that_broke_are_incidents() {
    let mut w = World::new();
    w.say(OLGA, "/newtask build exit:0");
    w.advance(60_000);
    w.kill();
    w.advance(45_000);
    w.start();
    w.advance(60_000);
    // One that ends cleanly is none.
    w.terminate();
    w.advance(60_000);
    w.start();
    w.quiet();
    let (lines, _) = measured(&w);
    let [died] = faults(&lines)[..] else { panic!("one incident: {:?}", faults(&lines)) };
    assert_eq!((died.class.as_str(), died.polls), ("daemon-died", false));
    let took = died.recovered_ms.expect("it came back") - died.struck_ms;
    assert!((45_000..=110_000).contains(&took), "{took}");
}

#[test]
fn nothing_passes_by_the_record_for_want_of_evidence_or_of_witnesses() {
    let w = World::new();
    let (lines, _) = measured(&w);
    let card = scored(&lines);
    assert_eq!(card.metrics.len(), ROWS.len(), "each row is told once");
    assert!(card.metrics.iter().all(|metric| metric.outcome == Outcome::Inconclusive && metric.counts));
    for row in ROWS.iter() {
        let why = &card.metrics.iter().find(|metric| metric.id == row.id).expect("it is told").why;
        if let Some(lacks) = row.production.lacks {
            assert!(why.contains(lacks), "{}: {why}", row.id);
        }
    }
}
