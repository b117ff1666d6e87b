//! `/trace` as a story: what happened when, and why the task is in the state it is in, from the one answer.

use crate::world::*;
use mainstay::task::State;

/// A task whose first two attempts crash.
fn crashing() -> (World, i64) {
    let mut w = World::new();
    w.say(OLGA, "/newtask flaky exit:0@90000 crashes:2@20000");
    w.advance(5_000);
    w.say(AXEL, "/approve 1");
    w.advance(60_000);
    w.say(OLGA, "/resume 1");
    (w, 1)
}

#[test]
fn a_task_that_crashed_twice_was_retried_and_had_its_report_refused_three_times_tells_its_story() {
    let (mut w, id) = crashing();
    w.chats.borrow_mut().struck = Some(format!("✅ #{id}"));
    w.chats.borrow_mut().faults.extend([Fault::Flood(7_000), Fault::Ambiguous(false), Fault::NotSent]);
    w.advance(5 * 60_000);
    assert_eq!((w.state(id), w.reports(OLGA, id).len()), (State::Succeeded, 1));
    let story = w.cli("trace 1");
    assert_eq!((&story.data["complete"], &story.data["state"]), (&true.into(), &"SUCCEEDED".into()));
    insta::assert_snapshot!(story.text);
    w.check_settled();
}

#[test]
fn a_story_that_is_not_over_says_what_comes_next() {
    let (mut w, id) = crashing();
    let mut all = Vec::new();
    let mut tell = |w: &mut World, what: &str| all.push(format!("== {what}\n{}", last_two(&w.cli("trace 1").text)));
    w.advance(10_000);
    tell(&mut w, "runs");
    w.advance(10_000);
    assert_eq!(w.state(id), State::Queued);
    tell(&mut w, "waits for its second attempt");
    w.advance(30_000);
    w.chats.borrow_mut().struck = Some(format!("✅ #{id}"));
    w.chats.borrow_mut().faults.extend([Fault::Ambiguous(false); 9]);
    w.advance(95_000);
    assert_eq!(w.state(id), State::Succeeded);
    tell(&mut w, "is over, and its report waits");
    w.kill();
    w.chats.borrow_mut().faults.clear();
    w.power_loss(60_000);
    w.start();
    tell(&mut w, "the same after a boot");
    insta::assert_snapshot!(all.join("\n"));
}

#[test]
fn a_story_names_who_or_what_ended_the_task() {
    let mut w = World::new();
    let mut all = Vec::new();
    let mut tell = |w: &mut World, id: i64| {
        w.quiet();
        all.push(w.cli(&format!("trace {id}")).text.lines().last().unwrap_or_default().to_owned());
    };
    let id = w.run_task("build", "hang");
    w.say(ADA, &format!("/stop {id}"));
    tell(&mut w, id);
    let id = w.approved("build", "exit:0");
    w.say(OLGA, &format!("/stop {id}"));
    tell(&mut w, id);
    w.say(OLGA, "/newtask build");
    w.say(AXEL, "/reject 3 not today");
    tell(&mut w, 3);
    let id = w.run_task("flaky", "exit:75@10");
    tell(&mut w, id);
    let id = w.run_task("flaky", "exit:3@10");
    tell(&mut w, id);
    let id = w.run_task("build", "hang");
    w.machine.borrow_mut().kill_shim(key(id, 1));
    tell(&mut w, id);
    w.chats.borrow_mut().struck = Some("✅".into());
    w.chats.borrow_mut().faults.push_back(Fault::Refused);
    let id = w.run_task("build", "exit:0@10");
    tell(&mut w, id);
    w.say(OLGA, "/newtask build");
    w.advance(25 * 3_600_000);
    tell(&mut w, 8);
    insta::assert_snapshot!(all.join("\n"));
}

fn last_two(text: &str) -> String {
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len() - 2..].join("\n")
}
