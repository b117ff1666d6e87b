//! Whatever people, machine, network, disk and power do, in whatever order: what must hold, holds.

use crate::world::*;
use mainstay::event::Fact;
use mainstay::ports::CallErrorKind;
use mainstay::task::State;
use proptest::prelude::*;
use proptest::test_runner::FileFailurePersistence;
use serde_json::json;
use std::sync::atomic::Ordering::Relaxed;

const PEOPLE: [i64; 6] = [ADA, OLGA, AXEL, BEA, VIC, STRANGER];
const KINDS: [&str; 7] = ["build", "deploy", "audit", "backup", "flaky", "solo", "note"];
const SCRIPTS: [&str; 8] = [
    "exit:0@1000",
    "exit:75@10",
    "exit:1@5000 progress:a@10 progress:b@4000",
    "signal:9@100",
    "hang",
    "hang stubborn:30000",
    "hang immortal",
    "exit:0@3000000 stubborn:20000",
];
const BUTTONS: [&str; 7] = ["Approve", "Reject", "Resume", "Stop", "Recover", "Log", "Why"];

#[derive(Debug, Clone)]
enum Step {
    Ask {
        kind: usize,
        script: usize,
        who: usize,
    },
    AskLocally {
        kind: usize,
        script: usize,
    },
    /// Asks, approves and resumes, as people do who know what they want.
    Push {
        kind: usize,
        script: usize,
    },
    Say {
        what: usize,
        who: usize,
        task: i64,
    },
    SayLocally {
        what: usize,
        task: i64,
    },
    Press {
        who: usize,
        task: i64,
        button: usize,
    },
    Late {
        who: usize,
        task: i64,
    },
    Advance(i64),
    WallClock(i64),
    Kill,
    KillIn(u64),
    PowerLoss(i64),
    Terminate,
    SendFault(Fault),
    PollFault,
    HoldCalls(bool),
    Block(usize),
    Unblock(usize),
    Replay {
        which: usize,
        fresh_id: bool,
    },
    AskAgain,
    KillShim(usize),
    FailStarts(u32),
    HoldStarts(bool),
    LyingCommit(i64),
    BrokenStatement(i64),
}

fn commands(what: usize, task: i64) -> String {
    match what {
        0 | 1 => format!("approve {task}"),
        2 | 3 => format!("resume {task}"),
        4 => format!("stop {task}"),
        5 => format!("recover {task}"),
        6 => format!("reject {task} no"),
        7 => format!("plan {task} plan{task}"),
        8 => format!("review {task} pass"),
        9 => format!("review {task} fail other"),
        10 => format!("rerun {task}"),
        11 => "mode auto".into(),
        12 => "mode readonly".into(),
        13 => "mode supervised".into(),
        14 => format!("log {task}"),
        15 => format!("why {task}"),
        16 => format!("trace {task}"),
        17 => "ops".into(),
        18 => "board".into(),
        _ => format!("status {task}"),
    }
}

fn a_step() -> impl Strategy<Value = Step> {
    let (person, kind, script, task) = (0..PEOPLE.len(), 0..KINDS.len(), 0..SCRIPTS.len(), 0_i64..6);
    let fault = prop_oneof![
        Just(Fault::NotSent),
        any::<bool>().prop_map(Fault::Ambiguous),
        (1_000_u64..100_000).prop_map(Fault::Flood),
        Just(Fault::EditGone),
        Just(Fault::Hang),
    ];
    prop_oneof![
        4 => (kind.clone(), script.clone(), person.clone()).prop_map(|(kind, script, who)| Step::Ask { kind, script, who }),
        2 => (kind.clone(), script.clone()).prop_map(|(kind, script)| Step::AskLocally { kind, script }),
        6 => (kind, script).prop_map(|(kind, script)| Step::Push { kind, script }),
        10 => (0..20_usize, person.clone(), task.clone()).prop_map(|(what, who, task)| Step::Say { what, who, task }),
        5 => (0..20_usize, task.clone()).prop_map(|(what, task)| Step::SayLocally { what, task }),
        6 => (person.clone(), task.clone(), 0..BUTTONS.len()).prop_map(|(who, task, button)| Step::Press { who, task, button }),
        1 => (person.clone(), task).prop_map(|(who, task)| Step::Late { who, task }),
        10 => prop_oneof![1_i64..3_000, 1_000_i64..100_000, 100_000_i64..90_000_000].prop_map(Step::Advance),
        1 => (-1_000_000_000_i64..1_000_000_000).prop_map(Step::WallClock),
        2 => Just(Step::Kill),
        4 => (0_u64..60).prop_map(Step::KillIn),
        2 => (0_i64..100_000_000).prop_map(Step::PowerLoss),
        1 => Just(Step::Terminate),
        5 => fault.prop_map(Step::SendFault),
        1 => Just(Step::PollFault),
        2 => any::<bool>().prop_map(Step::HoldCalls),
        1 => person.clone().prop_map(Step::Block),
        1 => person.prop_map(Step::Unblock),
        3 => (0..10_usize, any::<bool>()).prop_map(|(which, fresh_id)| Step::Replay { which, fresh_id }),
        1 => Just(Step::AskAgain),
        2 => (0..6_usize).prop_map(Step::KillShim),
        1 => (1_u32..12).prop_map(Step::FailStarts),
        2 => any::<bool>().prop_map(Step::HoldStarts),
        2 => (0_i64..3).prop_map(Step::LyingCommit),
        2 => (0_i64..60).prop_map(Step::BrokenStatement),
    ]
}

/// The world with what was promised to people in it.
struct Story {
    w: World,
    marks: u32,
    /// Marks of chat messages by those who may ask: each has to become one task, or a question.
    said: Vec<String>,
    /// Marks of local requests, with their keys, and what they were answered.
    asked: Vec<(String, String, u64)>,
}

impl Story {
    fn mark(&mut self) -> String {
        self.marks += 1;
        format!("mark{}.", self.marks)
    }

    fn task(&self, n: i64) -> i64 {
        1 + n % self.w.tasks().max(1)
    }

    fn ask(&mut self, kind: usize, script: usize, who: i64) {
        let mark = self.mark();
        let may = [ADA, OLGA, BEA].contains(&who);
        self.w.say(who, &format!("/newtask {} {mark} {}", KINDS[kind], SCRIPTS[script]));
        if may {
            self.said.push(mark);
        }
    }

    fn take(&mut self, step: &Step) {
        if !self.w.is_up() && !matches!(step, Step::Advance(_) | Step::WallClock(_) | Step::PowerLoss(_)) {
            self.w.start();
        }
        match step {
            Step::Ask { kind, script, who } => self.ask(*kind, *script, PEOPLE[*who]),
            Step::AskLocally { kind, script } => {
                let mark = self.mark();
                let line = format!("newtask {} {mark} {}", KINDS[*kind], SCRIPTS[*script]);
                let connection = self.w.request(&mark, &line);
                self.asked.push((mark, line, connection));
                self.w.settle();
            }
            Step::Push { kind, script } => {
                self.ask(*kind, *script, OLGA);
                let id = self.w.tasks();
                for (who, what) in
                    [(OLGA, "plan"), (AXEL, "approve"), (BEA, "approve"), (AXEL, "review"), (OLGA, "resume")]
                {
                    let rest = if what == "review" { "pass" } else { "" };
                    self.w.say(who, &format!("/{what} {id} {rest}"));
                }
            }
            Step::Say { what, who, task } => {
                let text = commands(*what, self.task(*task));
                self.w.say(PEOPLE[*who], &format!("/{text}"));
            }
            Step::SayLocally { what, task } => {
                let text = commands(*what, self.task(*task));
                let key = self.mark();
                self.w.request(&key, &text);
                self.w.settle();
            }
            Step::Press { who, task, button } => {
                let task = self.task(*task);
                for chat in [OLGA, BEA, ADA, GROUP] {
                    let Some((id, card)) = self.w.card(chat, task) else { continue };
                    if let Some((_, data)) = card.buttons.iter().find(|(l, _)| l.contains(BUTTONS[*button])) {
                        self.w.press_data(PEOPLE[*who], chat, id, data);
                    }
                }
            }
            Step::Late { who, task } => {
                let text = format!("/resume {}", self.task(*task));
                self.w.write(PEOPLE[*who], PEOPLE[*who], &text, 3_600_000, json!({}));
            }
            Step::Advance(ms) => self.w.advance(*ms),
            Step::WallClock(ms) => self.w.shared.wall_ms.set(self.w.shared.wall_ms.get() + ms),
            Step::Kill => self.w.kill(),
            Step::KillIn(calls) => self.w.kill_in(*calls),
            Step::PowerLoss(off) => self.w.power_loss(*off),
            Step::Terminate => self.w.terminate(),
            Step::SendFault(fault) => self.w.chats.borrow_mut().faults.push_back(*fault),
            Step::PollFault => self.w.chats.borrow_mut().poll_faults.push_back(CallErrorKind::Ambiguous),
            Step::HoldCalls(hold) => self.w.chats.borrow_mut().hold = *hold,
            Step::Block(who) => {
                self.w.chats.borrow_mut().blocked.insert(PEOPLE[*who]);
            }
            Step::Unblock(who) => self.unblock(PEOPLE[*who]),
            Step::Replay { which, fresh_id } => {
                let updates = self.w.chats.borrow().past.len();
                if updates > 0 {
                    self.w.replay(which % updates, *fresh_id);
                }
            }
            Step::AskAgain => {
                if let Some((key, line, _)) = self.asked.last().cloned() {
                    let connection = self.w.request(&key, &line);
                    self.asked.push((key, line, connection));
                    self.w.settle();
                }
            }
            Step::KillShim(which) => {
                let running: Vec<_> = {
                    let machine = self.w.machine.borrow();
                    machine.folders.iter().filter(|(_, f)| f.shim == Shim::Running).map(|(key, _)| *key).collect()
                };
                if let Some(key) = running.get(*which) {
                    self.w.machine.borrow_mut().kill_shim(*key);
                }
            }
            Step::FailStarts(n) => self.w.machine.borrow_mut().fail_starts = *n,
            Step::HoldStarts(hold) => self.w.machine.borrow_mut().hold_starts = *hold,
            Step::LyingCommit(n) => self.w.disk.lie_in.store(*n, Relaxed),
            Step::BrokenStatement(n) => self.w.disk.break_in.store(*n, Relaxed),
        }
        self.w.settle();
        if let Some(Exit::Ended(Err(fatal))) = &self.w.exit {
            let code = fatal.code;
            assert_eq!(code, mainstay::exit::ExitCode::StateDirUnusable, "{fatal}");
        }
    }

    fn unblock(&mut self, who: i64) {
        if self.w.chats.borrow_mut().blocked.remove(&who) {
            self.w.membership(who, who, "member");
        }
    }

    /// Nothing goes wrong any more, and everything has its time.
    fn calm_down(&mut self) {
        self.w.shared.kill_in_never();
        for counter in [&self.w.disk.lie_in, &self.w.disk.break_in] {
            counter.store(-1, Relaxed);
        }
        {
            let mut chats = self.w.chats.borrow_mut();
            chats.hold = false;
            chats.faults.clear();
            chats.poll_faults.clear();
            let mut machine = self.w.machine.borrow_mut();
            (machine.fail_starts, machine.hold_starts) = (0, false);
            machine.release();
        }
        // One that was told to end may still be waiting for Telegram.
        self.w.advance(30_000);
        if !self.w.is_up() {
            self.w.start();
        }
        for who in PEOPLE {
            self.unblock(who);
        }
        self.w.advance(120_000);
        for id in 1..=self.w.tasks() {
            if matches!(self.w.state(id), State::Running | State::Queued) {
                self.w.cli(&format!("stop {id}"));
            }
        }
        // Some of them may have started only now.
        self.w.machine.borrow_mut().release();
        self.w.advance(7 * 3_600_000);
    }

    fn judge(&self) {
        let w = &self.w;
        w.check_settled();
        assert_eq!(w.count(|f| matches!(f, Fact::Violation { .. })), 0);
        let tasks: Vec<_> = (1..=w.tasks()).map(|id| w.task(id).task).collect();
        let made = |mark: &str| tasks.iter().filter(|t| t.rerun_of.is_none() && t.prompt.contains(mark)).count();
        for task in &tasks {
            assert!(!matches!(task.state, State::Running | State::Queued), "#{} is {}", task.id, task.state);
        }
        for mark in &self.said {
            let asked_back = w.count(|f| matches!(f, Fact::ConfirmAsked { text, .. } if text.contains(mark.as_str())));
            assert_eq!(made(mark) + asked_back, 1, "{mark} was said once");
        }
        for (mark, _, connection) in &self.asked {
            let yes = w.answer(*connection).is_some_and(|a| a.ok);
            let made = made(mark);
            assert!(
                if yes { made == 1 } else { made <= 1 },
                "{mark}: {made} tasks, answered {:?}",
                w.answer(*connection)
            );
        }
    }
}

fn play(steps: &[Step]) {
    let mut story = Story { w: World::new(), marks: 0, said: Vec::new(), asked: Vec::new() };
    for step in steps {
        story.take(step);
        story.w.check();
    }
    story.calm_down();
    story.judge();
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: std::env::var("MAINSTAY_MODEL_CASES").ok().and_then(|n| n.parse().ok()).unwrap_or(30),
        max_shrink_iters: 2_000,
        failure_persistence: Some(Box::new(FileFailurePersistence::Direct("core/property.regressions.txt"))),
        ..ProptestConfig::default()
    })]

    #[test]
    fn whatever_happens_nothing_is_lost_nothing_runs_twice_and_everything_is_reported(
        steps in prop::collection::vec(a_step(), 1..40)
    ) {
        play(&steps);
    }
}
