//! A bug of ours in the daemon's own work (not in an input, which is passed) stays the trouble of one task or message.
//!
//! There is no bug at hand, so rows are put into the database that no daemon writes: numbers that overflow where they are
//! used. Hence these tests only say something where overflow is checked.
#![cfg(debug_assertions)]

use crate::world::*;
use mainstay::event::Fact;
use mainstay::task::State;

/// A failed task that is tried again in half a minute or more, when all is quiet: claiming it for that panics.
fn cursed() -> (World, i64) {
    let mut w = World::with(|c| c.kinds.get_mut("backup").expect("it is there").backoff_ms = 60_000);
    let id = w.run_task("backup", "exit:1@10");
    w.quiet();
    assert_eq!(w.state(id), State::Queued, "to be tried again");
    let sql = format!("UPDATE tasks SET attempt = {} WHERE id = {id}", u32::MAX);
    w.disk.look().execute_batch(&sql).expect("it is written");
    (w, id)
}

fn violations(w: &World) -> usize {
    w.count(|f| matches!(f, Fact::Violation { .. }))
}

#[test]
fn a_task_whose_time_came_and_can_t_be_decided_is_left_alone_and_the_daemon_goes_on() {
    let (mut w, id) = cursed();
    w.advance(60_000);
    assert!(w.is_up());
    assert_eq!((w.state(id), violations(&w)), (State::Queued, 1));
    let other = w.run_task("backup", "exit:0@1000");
    w.quiet();
    assert_eq!(w.state(other), State::Succeeded, "those behind it run");
    // Nobody waits for an answer on its account: four go out as fast as ever.
    for who in [OLGA, AXEL, BEA, ADA] {
        w.say(who, "/ops");
    }
    w.advance(200);
    for who in [OLGA, AXEL, BEA, ADA] {
        assert_eq!(w.shows(who, "broken: 1 violation(s)"), 1, "{who}");
    }
    w.restart();
    w.advance(60_000);
    assert!(w.is_up());
    assert_eq!(violations(&w), 2, "a new daemon tries once");
    w.check();
}

#[test]
fn a_task_is_left_alone_only_once_that_is_on_record() {
    let (mut w, id) = cursed();
    let lock = w.disk.look();
    lock.execute_batch("BEGIN IMMEDIATE").expect("a lock");
    w.advance(60_000);
    lock.execute_batch("COMMIT").expect("unlocked");
    w.advance(60_000);
    assert_eq!((w.state(id), violations(&w)), (State::Queued, 1));
    w.check();
}

#[test]
fn a_message_that_can_t_be_put_into_words_is_told_of_and_the_others_go_out() {
    let mut w = World::new();
    w.quiet();
    w.chats.borrow_mut().faults.push_back(Fault::Flood(5_000));
    let id = w.run_task("build", "exit:3");
    w.advance(1_000);
    let sql = format!(
        "UPDATE outbox SET marked = 1, what = json_set(what, '$.report.pre', json('[[{}, 1]]'))
         WHERE json_type(what, '$.report') = 'object'",
        u64::MAX
    );
    assert_eq!(w.disk.look().execute(&sql, []).expect("it is written"), 1, "a report waits");
    w.say(BEA, "/kinds");
    w.advance(60_000);
    assert!(w.is_up());
    assert_eq!((w.shows(OLGA, &format!("There is news of #{id} that can't be shown")), violations(&w)), (1, 1));
    assert_eq!((w.reports(OLGA, id).len(), w.texts(BEA).len()), (0, 1));
    assert!(w.card(OLGA, id).is_some_and(|(_, card)| card.text().contains("FAILED")));
    assert_eq!(w.cli("ops").data["outbox"]["pending"], 0);
    w.check();
}
