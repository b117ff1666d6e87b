//! What the ancestor of this daemon got wrong, each as a behaviour that must not come back (A1 to A13 in its review).

use crate::world::*;
use mainstay::event::Fact;
use mainstay::task::{Cause, Outcome, Refused, State, step};

/// A1: a command that was being processed when the daemon died counted as done.
#[test]
fn a_command_under_way_when_the_daemon_dies_is_carried_out_after_it_or_was_before() {
    for calls in 0..60 {
        let mut w = World::new();
        w.kill_in(calls);
        w.say(OLGA, "/newtask build");
        if !w.is_up() {
            w.start();
        }
        w.advance(5_000);
        if !w.is_up() {
            w.start();
        }
        w.advance(60_000);
        assert_eq!(w.tasks(), 1, "killed at {calls}");
        assert!(w.card(OLGA, 1).is_some(), "killed at {calls}");
        w.check_settled();
    }
}

/// A2: nothing was read while a task was being dispatched.
#[test]
fn commands_are_heard_while_tasks_start_and_run() {
    let mut w = World::new();
    w.run_task("build", "hang");
    w.machine.borrow_mut().hold_starts = true;
    w.run_task("build", "exit:0");
    w.say(VIC, "/ops");
    w.advance(100);
    assert_eq!(w.shows(VIC, "healthy"), 1);
    assert!(w.cli("stop 1").ok);
}

/// A3: stopping changed a row and no process.
#[test]
fn stopping_ends_the_processes_and_the_task_says_canceled() {
    let mut w = World::new();
    let id = w.run_task("build", "hang");
    w.say(OLGA, &format!("/stop {id}"));
    w.quiet();
    assert_eq!(w.machine.borrow().folders[&key(id, 1)].alive, 0);
    assert_eq!((w.state(id), w.task(id).task.outcome), (State::Canceled, Some(Outcome::Stopped)));
    w.check_settled();
}

/// A4: an outer time limit was shorter than an inner one and left the task running without an owner.
#[test]
fn a_task_ends_by_its_own_limit_also_while_no_daemon_is_there() {
    let mut w = World::new();
    let id = w.run_task("build", "hang");
    w.kill();
    w.advance(31 * 60_000);
    assert_eq!(w.machine.borrow().folders[&key(id, 1)].alive, 0);
    w.start();
    w.quiet();
    assert_eq!(w.task(id).task.outcome, Some(Outcome::Timeout));
    w.check_settled();
}

/// A5: a lease without a heartbeat ran out beside a living task, and resuming any task took it away.
#[test]
fn nothing_takes_a_living_task_for_dead_however_long_it_is_silent() {
    let mut w = World::with(|c| c.kinds.get_mut("build").expect("it is there").timeout_ms = 7 * 24 * 3_600_000);
    let id = w.run_task("build", "exit:0@100000000");
    for _ in 0..5 {
        w.advance(4 * 3_600_000);
        w.run_task("build", "exit:0");
        w.restart();
        assert_eq!((w.state(id), w.task(id).task.attempt), (State::Running, 1));
    }
    w.advance(40 * 3_600_000);
    assert_eq!((w.state(id), w.ran(id, 1)), (State::Succeeded, 1));
    w.check_settled();
}

/// A6: a time limit looked like a transient failure and the task was run again beside its living children.
#[test]
fn a_timeout_is_not_run_again_without_budget_and_leaves_nothing_alive() {
    let mut w = World::new();
    let id = w.run_task("build", "hang stubborn:5000");
    w.advance(2 * 3_600_000);
    assert_eq!((w.state(id), w.ran(id, 1), w.ran(id, 2)), (State::Failed, 1, 0));
    w.check_settled();
}

/// A7: the key against double dispatch held the number of the attempt, so a reclaimed attempt had a fresh one.
#[test]
fn a_restarted_attempt_keeps_its_number_and_its_name() {
    let mut w = World::new();
    w.machine.borrow_mut().hold_starts = true;
    let id = w.run_task("build", "exit:0");
    let nonce = w.task(id).attempt.expect("an attempt").nonce;
    for _ in 0..3 {
        w.restart();
    }
    w.kill();
    w.machine.borrow_mut().hold_starts = false;
    w.start();
    w.quiet();
    let attempt = w.task(id).attempt.expect("an attempt");
    assert_eq!((attempt.key.attempt, attempt.nonce), (1, nonce));
    assert_eq!(w.count(|f| matches!(f, Fact::Claimed { .. })), 1);
    w.check_settled();
}

/// A8: after a restart a task stayed running for ever.
#[test]
fn no_task_stays_running_after_a_restart_when_nothing_of_it_is_there() {
    let mut w = World::new();
    let ids: Vec<i64> = ["build", "backup", "flaky"].iter().map(|kind| w.run_task(kind, "hang")).collect();
    w.power_loss(1_000);
    w.start();
    w.advance(6 * 3_600_000);
    for id in ids {
        assert!(w.state(id).is_terminal(), "{id} is {}", w.state(id));
    }
    w.check_settled();
}

/// A9: the answer was sent after the command counted as done, without an outbox.
#[test]
fn an_answer_whose_sending_fails_is_sent_later() {
    let mut w = World::new();
    w.chats.borrow_mut().faults.extend([Fault::NotSent; 3]);
    w.say(OLGA, "/kinds");
    w.kill();
    w.start();
    w.quiet();
    assert_eq!(w.shows(OLGA, "deploy"), 1);
    w.check_settled();
}

/// A10: the poll offset was a file of its own, written without care.
#[test]
fn offset_and_effect_are_one_commit() {
    for calls in 0..60 {
        let mut w = World::new();
        w.kill_in(calls);
        w.say(OLGA, "/newtask build");
        w.kill();
        let next: Option<i64> =
            w.disk.look().query_row("SELECT max(next) FROM cursors", [], |r| r.get(0)).unwrap_or(None);
        assert_eq!(w.tasks() == 1, next == Some(1_001), "killed at {calls}");
    }
}

/// A11: a blocked task could become succeeded.
#[test]
fn success_is_reached_from_running_alone() {
    for state in State::ALL {
        let expected = match state {
            State::Running => Ok(State::Succeeded),
            State::Succeeded => Err(Refused::Already),
            State::Requested | State::Approved | State::Queued | State::Failed | State::Canceled | State::Expired => {
                Err(Refused::Illegal)
            }
        };
        assert_eq!(step(state, Cause::ExitedZero).map(|s| s.to()), expected, "{state}");
    }
}

/// A12: the second of two equal commands at once failed with an error of the database.
#[test]
fn the_same_request_twice_at_once_is_taken_up_once_and_both_are_answered() {
    let mut w = World::new();
    let first = w.request("k", "newtask build");
    let second = w.request("k", "newtask build");
    w.settle();
    let (first, second) = (w.answer(first).expect("an answer"), w.answer(second).expect("an answer"));
    assert!(first.ok && second.ok);
    assert_eq!((w.tasks(), second.data["replayed"].clone()), (1, true.into()));
}

/// A13: approvals named no content, no end and no person; whoever was in the chat could approve.
#[test]
fn an_approval_names_who_what_and_until_when() {
    let mut w = World::new();
    w.say_in(GROUP, OLGA, "/newtask build");
    w.say_in(GROUP, VIC, "/approve 1");
    w.say_in(GROUP, STRANGER, "/approve 1");
    assert_eq!(w.state(1), State::Requested);
    w.say_in(GROUP, AXEL, "/approve 1");
    let approval = w.task(1).approvals.remove(0);
    assert_eq!(approval.approver, mainstay::id::Actor::User(AXEL));
    assert_eq!(approval.hash.len(), 64);
    assert_eq!(approval.until, w.now() + 24 * 3_600_000);
}
