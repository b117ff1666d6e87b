//! Each of them is found where it is, and nothing is found where all is well.

use super::{ANOMALIES, Pushed, Severity, Sight};
use crate::command::{Became, Mode};
use crate::config::{Config, build};
use crate::decide::Moment;
use crate::event::Fact;
use crate::id::TaskId;
use crate::outage::Outage;
use crate::policy;
use crate::ports::{CallError, CallErrorKind};
use crate::view::{Noted, OpsRow, Polling, View};
use std::path::Path;

const NOW: Moment = Moment { wall_ms: 1_800_000_000_000, boot_ms: 10_000_000, entropy: 1 };
const HOUR_MS: i64 = 3_600_000;

fn config() -> Config {
    let text = "[telegram]\n[[operator]]\nid = 1\nname = \"ana\"\nroles = [\"admin\"]\n[[kind]]\nname = \"build\"\nargv = [\"/bin/true\"]\n";
    build::parse(text, Path::new("/")).expect("valid").config
}

fn event(seq: i64, ago_ms: i64, fact: Fact) -> Option<Noted> {
    Some(Noted { seq, at: NOW.wall_ms - ago_ms, fact })
}

fn backed_up() -> Fact {
    Fact::BackedUp { file: "b".into(), bytes: 1, events: 1 }
}

fn released(became: Became) -> Fact {
    let (release, from) = ("0.1.0-aaaaaaaaaaaa".to_owned(), Some("0.1.0-bbbbbbbbbbbb".to_owned()));
    Fact::Released { release, became, from, why: "soak: it does not answer since 10000 ms (nobody listens)".to_owned() }
}

fn restored() -> Fact {
    Fact::Restored { file: "b".into(), through: 1, replaced: Some(2), epoch: 3, newest_task: 4 }
}

fn outage() -> Outage {
    let mut outage = Outage::default();
    let error = CallError { kind: CallErrorKind::NotSent, text: "no route".into() };
    for message in 0..2 {
        outage.called(message, &Err(error.clone()), (outage.until, NOW.wall_ms - 60_000), 0);
    }
    outage
}

type Change = fn(&mut View, &mut OpsRow);

/// What is the case, and which anomaly that is.
const CASES: [(&str, Change); 27] = [
    ("", |_, _| {}),
    ("", |view, _| view.polling = Some(Polling { silent_ms: 44_000, failures: 0, refusals: 0 })),
    ("", |_, ops| ops.unsent = Some((1, NOW.wall_ms - 60_000))),
    ("daemon_offline", |view, _| view.offline = true),
    ("storage_refuses", |view, _| view.refuses = Some("write".into())),
    ("violation", |_, ops| (ops.violations, ops.violated_ms) = (2, Some(NOW.wall_ms - HOUR_MS))),
    ("release_stuck", |_, ops| ops.released = event(1, 99 * HOUR_MS, released(Became::Stuck))),
    ("release_failed", |_, ops| ops.released = event(1, HOUR_MS, released(Became::WentBack))),
    ("disk_low", |view, _| view.free_bytes = Some(policy::DISK_RESERVE_BYTES - 1)),
    ("draining", |view, _| view.draining = true),
    ("poll_broken", |_, ops| ops.poll = event(1, 5, Fact::PollBroke { error: "x".into() })),
    ("starts_fail", |view, _| view.shortage = Some("no more processes".into())),
    // Half-open: nothing failed, and nothing came.
    ("poll_broken", |view, _| view.polling = Some(Polling { silent_ms: 46_000, failures: 0, refusals: 0 })),
    ("second_poller", |_, ops| ops.poll = event(1, 5, Fact::PollContested { times: 3 })),
    ("outbox_stuck", |view, _| view.outage = outage()),
    ("outbox_stuck", |_, ops| (ops.failing, ops.worst) = (1, Some((1, 3, "x".into())))),
    ("outbox_stuck", |_, ops| ops.unsent = Some((1, NOW.wall_ms - policy::MESSAGE_STUCK_MS))),
    ("outbox_uncertain", |_, ops| ops.uncertain = 1),
    ("outbox_refused", |_, ops| ops.refused_lately = 1),
    ("chats_parked", |_, ops| ops.parked_chats = 1),
    ("readonly", |view, _| view.mode = Some(Mode::Readonly)),
    ("unknown_outcome", |_, ops| ops.unknown = vec![TaskId(4)]),
    ("expired_approvals", |_, ops| ops.expired_waiting = 1),
    ("database_large", |_, ops| ops.database_bytes = i64::MAX),
    ("clock_stepped", |_, ops| ops.clock = event(1, HOUR_MS, Fact::ClockStepped { by_ms: -60_000 })),
    ("restored", |_, ops| ops.restored = event(1, HOUR_MS, restored())),
    ("backup_failed", |_, ops| {
        let failed = Fact::BackupFailed { error: "no room".into() };
        ops.backups = (event(1, HOUR_MS, backed_up()), event(2, 5, failed));
    }),
];

/// The same where it was once, and is no more.
const PAST: [(&str, Change); 7] = [
    ("restored", |_, ops| ops.restored = event(1, 25 * HOUR_MS, restored())),
    ("violation", |_, ops| (ops.violations, ops.violated_ms) = (2, Some(NOW.wall_ms - 25 * HOUR_MS))),
    ("clock_stepped", |_, ops| ops.clock = event(1, 25 * HOUR_MS, Fact::ClockStepped { by_ms: -60_000 })),
    ("backup_failed", |_, ops| {
        let failed = Fact::BackupFailed { error: "no room".into() };
        ops.backups = (event(2, 5, backed_up()), event(1, HOUR_MS, failed));
    }),
    ("release_failed", |_, ops| ops.released = event(1, 25 * HOUR_MS, released(Became::WentBack))),
    ("release_stuck", |_, ops| ops.released = event(1, 5, released(Became::RolledBack))),
    ("poll_broken", |_, ops| ops.poll = event(1, 5, Fact::PollRecovered { after_ms: 5, failures: 1 })),
];

fn found(change: Change) -> Vec<(&'static str, String)> {
    let (mut view, mut ops) = (View::default(), OpsRow::default());
    change(&mut view, &mut ops);
    let config = config();
    let findings = Sight { config: &config, view: &view, ops: &ops, now: NOW }.findings();
    findings.into_iter().map(|finding| (finding.anomaly, finding.words)).collect()
}

#[test]
fn each_anomaly_is_found_by_itself_and_says_what_it_is() {
    for (name, change) in CASES {
        let found = found(change);
        let names: Vec<&str> = found.iter().map(|(name, _)| *name).collect();
        assert_eq!(names, if name.is_empty() { vec![] } else { vec![name] });
        assert!(found.iter().all(|(_, words)| words.len() > 10 && words.len() < 160), "{found:?}");
    }
    for (name, change) in PAST {
        assert!(found(change).is_empty(), "{name}: {:?}", found(change));
    }
    let old: Change = |_, ops| ops.backups.0 = event(1, 49 * HOUR_MS, backed_up());
    assert_eq!(found(old), [("backup_overdue", "the last back-up is 2 d 1 h old".to_owned())]);
    // That of a task needs one: `tests/core` has it.
    let seen: Vec<&str> = CASES.iter().map(|(name, _)| *name).chain(["stale_running", "backup_overdue"]).collect();
    assert!(ANOMALIES.iter().all(|anomaly| seen.contains(&anomaly.name)));
}

#[test]
fn the_worst_come_first_and_each_has_its_own_name() {
    let worst = ANOMALIES.iter().rposition(|anomaly| anomaly.severity == Severity::Broken).expect("some are");
    assert!(ANOMALIES[..worst].iter().all(|anomaly| anomaly.severity == Severity::Broken));
    for (n, anomaly) in ANOMALIES.iter().enumerate() {
        assert!(anomaly.name.chars().all(|c| c.is_ascii_lowercase() || c == '_'), "{}", anomaly.name);
        assert!(ANOMALIES[..n].iter().all(|other| other.name != anomaly.name), "{}", anomaly.name);
        assert!(anomaly.pushed == Pushed::Never || anomaly.todo.len() > 10, "{}", anomaly.name);
    }
}
