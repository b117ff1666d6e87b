//! What is wrong is told once, without anybody having asked, and `/ops` names it.

use crate::world::{ADA, GROUP, OLGA, World};
use mainstay::command::Became;
use mainstay::event::{Event, Fact};
use mainstay::id::Actor;
use mainstay::policy::{ALERT_HOLD_MS, ALERT_OVER_MS, HEALTH_LOOK_MS};
use mainstay::ports::CallErrorKind;
use mainstay::real::store::{FileStorage, Store};
use serde_json::json;

/// Puts a fact on record while no daemon runs, as one between them would have done.
fn record(w: &mut World, fact: Fact) {
    w.kill();
    let boot = w.events().last().expect("it has begun").boot.clone();
    let (boot_ms, wall_ms) = (w.now(), w.shared.wall_ms.get());
    let booted = Fact::Booted { version: "between".into(), config: String::new(), boot, boot_ms, wall_ms };
    let mut store = Store::open(&FileStorage::new(w.disk.path())).expect("open");
    store.begin().expect("a turn");
    for fact in [booted, fact] {
        let event = Event { trace: String::new(), task: None, attempt: None, actor: Actor::System, fact };
        store.apply(wall_ms, &event).expect("it fits");
    }
    store.commit().expect("committed");
    drop(store);
    w.start();
}

#[test]
fn a_failed_backup_is_named_told_once_and_over_with_the_next_one() {
    let mut w = World::new();
    w.quiet();
    record(&mut w, Fact::BackupFailed { error: "no room".into() });
    w.quiet();
    let ops = w.cli("ops");
    assert!(ops.text.contains("the last back-up failed") && ops.text.contains("no room"), "{ops:?}");
    assert_eq!((&ops.data["status"], &ops.data["anomalies"][0]["name"]), (&json!("degraded"), &json!("backup_failed")));
    assert_eq!(w.shows(GROUP, "alert backup_failed: "), 1);
    for _ in 0..3 {
        w.restart();
        w.advance(2 * ALERT_OVER_MS);
    }
    assert_eq!((w.shows(GROUP, "alert "), w.shows(GROUP, "over ")), (1, 0));
    record(&mut w, Fact::BackedUp { file: "b".into(), bytes: 4_096, events: 9 });
    w.advance(2 * ALERT_OVER_MS);
    assert_eq!((w.shows(GROUP, "alert "), w.shows(GROUP, "over backup_failed: ")), (1, 1));
    let ops = w.cli("ops").data;
    assert_eq!((&ops["status"], &ops["backup"]["bytes"]), (&json!("healthy"), &json!(4_096)));
    w.check_settled();
}

#[test]
fn who_should_have_ended_is_told_of_within_a_minute_and_once() {
    let mut w = World::new();
    let id = w.run_task("build", "hang immortal");
    let until = w.task(id).attempt.and_then(|attempt| attempt.stale_at).expect("it has a limit");
    w.advance(until - w.now() - 1);
    assert_eq!(w.shows(GROUP, "alert stale_running"), 0);
    w.advance(2 * HEALTH_LOOK_MS);
    assert_eq!(w.shows(GROUP, &format!("alert stale_running: #{id} ")), 1);
    w.restart();
    w.advance(10 * ALERT_OVER_MS);
    assert_eq!(w.shows(GROUP, "alert stale_running"), 1);
    w.machine.borrow_mut().release();
    w.advance(2 * ALERT_OVER_MS);
    assert_eq!(w.shows(GROUP, &format!("over stale_running of #{id}: after ")), 1);
    w.check_settled();
}

/// The next release may fail before the alert of the last one is over.
#[test]
fn every_release_that_fails_is_told_of() {
    let mut w = World::new();
    w.quiet();
    let failed = |id: &str| {
        let (release, from, why) = ("0.1.0-a".into(), Some(id.into()), "it does not answer".into());
        Fact::Released { release, became: Became::WentBack, from, why }
    };
    for (n, id) in (1..).zip(["0.1.0-b", "0.1.0-c"]) {
        record(&mut w, failed(id));
        w.advance(HEALTH_LOOK_MS);
        assert_eq!(w.shows(GROUP, "alert release_failed: release "), n);
        assert_eq!(w.shows(GROUP, &format!("release {id} failed (it does not answer)")), 1);
    }
    w.advance(2 * ALERT_OVER_MS);
    assert_eq!(w.shows(GROUP, "over release_failed of 0.1.0-b: after "), 1);
    w.check_settled();
}

#[test]
fn a_restart_in_the_middle_of_an_outage_is_not_its_end() {
    let mut w = World::new();
    w.quiet();
    w.chats.borrow_mut().poll_faults.extend(vec![CallErrorKind::NotSent; 1_000]);
    w.advance(ALERT_HOLD_MS / 2);
    assert_eq!(w.shows(GROUP, "alert "), 0, "it may mend by itself");
    w.advance(2 * ALERT_HOLD_MS);
    assert_eq!(w.shows(GROUP, "alert poll_broken: "), 1);
    for _ in 0..3 {
        w.restart();
        w.advance(2 * ALERT_OVER_MS);
    }
    assert_eq!((w.shows(GROUP, "alert "), w.shows(GROUP, "over ")), (1, 0));
    w.chats.borrow_mut().poll_faults.clear();
    w.advance(2 * ALERT_OVER_MS);
    assert_eq!((w.shows(GROUP, "alert "), w.shows(GROUP, "over poll_broken: ")), (1, 1));
    w.check_settled();
}

#[test]
fn however_much_is_wrong_ops_has_at_most_eight_lines_and_names_it() {
    let mut w = World::new();
    w.say(ADA, "/ops");
    let stuck = w.run_task("build", "hang immortal");
    let lost = w.run_task("build", "hang");
    w.machine.borrow_mut().kill_shim(crate::world::key(lost, 1));
    w.say(OLGA, "/newtask build");
    w.advance(25 * 3_600_000);
    record(&mut w, Fact::BackupFailed { error: "no room".into() });
    w.shared.wall_ms.set(w.shared.wall_ms.get() - 7_200_000);
    w.disk.free.set(Some(32 << 20));
    w.advance(HEALTH_LOOK_MS);
    w.cli("mode readonly");
    w.cli("drain");
    w.chats.borrow_mut().poll_faults.extend(vec![CallErrorKind::NotSent; 50]);
    w.advance(45_000);
    let ops = w.cli("ops");
    for words in [
        &format!("#{stuck} should have ended"),
        "expired unapproved",
        "the last back-up failed",
        "the clock was set 2 h back",
        "disk almost full",
        "mode readonly",
        "draining",
        "telegram can't be read",
    ] {
        assert!(ops.text.contains(words), "{words:?} is not in {}", ops.text);
    }
    assert!(ops.text.lines().count() <= 8, "{}", ops.text);
    assert_eq!(ops.data["anomalies"].as_array().map(Vec::len), ops.data["reasons"].as_array().map(Vec::len));
}

#[test]
fn an_unknown_outcome_is_told_of_until_it_is_taken_back() {
    let mut w = World::new();
    let id = w.run_task("build", "hang");
    w.power_loss(60_000);
    w.start();
    w.quiet();
    assert_eq!(w.shows(GROUP, &format!("alert unknown_outcome: #{id} ")), 1);
    assert_eq!(w.cli("ops").data["ended_24h"]["unknown"], 1);
    assert!(w.cli(&format!("recover {id}")).ok);
    w.advance(2 * ALERT_OVER_MS);
    assert_eq!(w.shows(GROUP, &format!("over unknown_outcome of #{id}: ")), 1);
    assert_eq!(w.cli("ops").data["ended_24h"], json!({}));
    w.check_settled();
}
