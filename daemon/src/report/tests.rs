//! What a task looks like in every state, reviewed as a whole.

use super::{card, final_report, why};
use crate::attempt::Identity;
use crate::command::{Mode, Role};
use crate::config::{Config, Kind, Operator};
use crate::decide::Moment;
use crate::decide::gate::{actions, content_hash};
use crate::id::{Actor, AttemptKey, TaskId};
use crate::task::{Outcome, State};
use crate::view::{ApprovalRow, AttemptRow, TaskRow, TaskView};
use std::collections::BTreeMap;

const NOW: Moment = Moment { wall_ms: 1_800_000_000_000, boot_ms: 10_000_000, entropy: 1 };

fn config() -> Config {
    let operator = |id, name: &str| Operator { id, name: name.into(), roles: vec![Role::Admin], uid: None };
    Config {
        state_dir: "/nowhere".into(),
        autonomy: Mode::Supervised,
        telegram: None,
        operators: BTreeMap::from([(7, operator(7, "ana")), (8, operator(8, "ben"))]),
        kinds: BTreeMap::from([("build".into(), Kind::new("build", true, vec!["/bin/true".into()]))]),
        status: None,
        running_max: 2,
        record: crate::config::RecordConfig::default(),
        given: std::collections::BTreeSet::new(),
        hash: String::new(),
    }
}

fn task(state: State) -> TaskView {
    TaskView {
        task: TaskRow {
            id: TaskId(42),
            kind: "build".into(),
            prompt: "build main,\nrelease profile".into(),
            state,
            heavy: true,
            group: "build".into(),
            requester: Actor::User(7),
            chat: Some(7),
            thread: None,
            message: Some(5),
            trace: "tg-7-5".into(),
            created_ms: NOW.wall_ms - 90_000,
            ended_ms: None,
            attempt: 0,
            attempt_base: 0,
            outcome: None,
            exit_code: None,
            signal: None,
            evidence: String::new(),
            plan: None,
            plan_by: None,
            review: None,
            until: NOW.boot_ms + 3_600_000,
            not_before: 0,
            rerun_of: None,
            card: Some(1),
            resumed_by: None,
            recovered_by: None,
            ended_by: None,
        },
        approvals: Vec::new(),
        attempt: None,
        buttons: Vec::new(),
        copies: Vec::new(),
    }
}

fn approved(mut view: TaskView) -> TaskView {
    let hash = content_hash(&config(), &view.task);
    let until = NOW.boot_ms + 1;
    view.approvals = vec![ApprovalRow { approver: Actor::User(8), hash, note: String::new(), until }];
    view
}

fn attempted(view: TaskView, ran_ms: Option<i64>) -> TaskView {
    let mut view = approved(view);
    view.task.attempt = 1;
    view.task.resumed_by = Some(Actor::User(7));
    view.attempt = Some(AttemptRow {
        key: AttemptKey { task: TaskId(42), attempt: 1 },
        nonce: "n".into(),
        hash: String::new(),
        claimed_ms: NOW.wall_ms - 61_000,
        identity: Some(Identity { boot: "b".into(), pid: 4711, start: 1 }),
        start_tries: 0,
        start_due: None,
        stop_by: None,
        stop_alarm: None,
        stop_overdue: false,
        stale_at: None,
        restored: false,
        progress: None,
        ended_ms: ran_ms.map(|_| NOW.wall_ms),
        ran_ms,
    });
    view
}

fn ended(state: State, outcome: Outcome, evidence: &str) -> TaskView {
    let mut view = attempted(task(state), Some(61_000));
    view.task.outcome = Some(outcome);
    view.task.evidence = evidence.into();
    view
}

fn running(change: impl FnOnce(&mut AttemptRow)) -> TaskView {
    let mut view = attempted(task(State::Running), None);
    change(view.attempt.as_mut().expect("just made"));
    view
}

#[test]
fn every_state_of_a_task_reads_as_reviewed() {
    let mut failed = ended(State::Failed, Outcome::Failure, "exit code 3");
    failed.task.exit_code = Some(3);
    let mut again = attempted(task(State::Queued), Some(1_000));
    again.task.evidence = "exit code 75".into();
    again.task.not_before = NOW.boot_ms + 5_000;
    let cases = [
        ("asked for", task(State::Requested)),
        ("approved", approved(task(State::Approved))),
        ("approved, then changed", task(State::Approved)),
        ("queued", approved(task(State::Queued))),
        ("queued for another try", again),
        ("starting", running(|a| a.identity = None)),
        ("running", running(|a| a.progress = Some(r#"{"step":"linking","percent":40}"#.into()))),
        ("stopping", running(|a| a.stop_by = Some(Actor::User(7)))),
        ("past its limit", running(|a| a.stop_by = Some(Actor::System))),
        (
            "stopped while its start hangs",
            running(|a| (a.stop_by, a.stop_overdue, a.identity) = (Some(Actor::User(7)), true, None)),
        ),
        ("can't be stopped", running(|a| (a.stop_by, a.stop_overdue) = (Some(Actor::User(7)), true))),
        ("succeeded", ended(State::Succeeded, Outcome::Success, "")),
        ("failed", failed),
        ("timed out", ended(State::Failed, Outcome::Timeout, "its time was up")),
        ("unknown", ended(State::Failed, Outcome::Unknown, "its shim is gone without a receipt")),
        ("canceled", ended(State::Canceled, Outcome::Stopped, "")),
        ("stopped while it ran", {
            let mut view = ended(State::Canceled, Outcome::Stopped, "");
            view.attempt.as_mut().expect("just made").stop_by = Some(Actor::User(8));
            view
        }),
        ("stopped too late", {
            let mut view = ended(State::Succeeded, Outcome::Success, "");
            view.attempt.as_mut().expect("just made").stop_by = Some(Actor::User(8));
            view
        }),
        ("rejected", {
            let mut view = task(State::Canceled);
            view.task.outcome = Some(Outcome::Rejected);
            (view.task.ended_by, view.task.evidence) = (Some(Actor::User(8)), "not during the release".into());
            view
        }),
        ("asked for again after a stop", {
            let mut view = ended(State::Requested, Outcome::Stopped, "");
            view.attempt.as_mut().expect("just made").stop_by = Some(Actor::User(8));
            (view.task.attempt_base, view.task.resumed_by) = (1, None);
            view.task.recovered_by = Some(Actor::User(8));
            view.approvals.clear();
            view
        }),
        ("expired", {
            let mut view = task(State::Expired);
            view.task.outcome = Some(Outcome::Expired);
            view
        }),
    ];
    let mut all = String::new();
    for (name, view) in cases {
        let names = actions(&config(), Mode::Supervised, &view, NOW);
        let buttons: Vec<(String, String)> = names.iter().map(|a| ((*a).to_owned(), format!("nonce-{a}"))).collect();
        let shown = card(&config(), Mode::Supervised, &view, &buttons, NOW);
        let labels: Vec<String> = shown.buttons.concat().into_iter().map(|(label, _)| label).collect();
        all += &format!(
            "== {name}{}\n{}\n{}\n",
            if shown.silent { "" } else { " (aloud)" },
            shown.text,
            labels.join(" | ")
        );
        all += &format!("why: {}\n", why(&config(), Mode::Supervised, &view, NOW, false));
        if view.task.state.is_terminal() {
            all += &format!("report: {}\n", final_report(&config(), &view).text);
        }
        assert!(shown.text.lines().count() <= 8, "{name} is too long for a phone");
    }
    insta::assert_snapshot!(all);
}
