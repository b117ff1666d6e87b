//! People and programs that want tasks: each wish is carried a step further whenever somebody has time for it, by whatever the
//! chat or the socket says just then. Whoever gets no answer says the same again with the same key, and presses again after a
//! while, as the command line and people do.

use super::chance::{Kind, Plan, Via};
use super::evidence::{Evidence, Wish, Word};
use super::lab::{Lab, Step};
use mainstay_metric::ledger::{Command, Limited};
use serde_json::Value;
use std::io::Read;
use std::process::{Child, Stdio};

/// An answer takes no longer than this, ms, in the chat or on the socket, while what it needs is in order. (The command line
/// itself would wait a minute.)
const ANSWER_WITHIN_MS: i64 = 10_000;
/// Who sees nothing come of a press on the card presses again after this, ms: the card may be late, as a chat gets a message a
/// second and others come first, and what popped up has said that it was done.
const PRESSED_AGAIN_AFTER_MS: i64 = 10_000;

/// What the command line says of a daemon that is down.
const NOT_RUNNING: i64 = 20;

/// How far a wish has come. The order is that of time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Stage {
    /// Not said yet.
    New,
    /// Said; no number yet.
    Asking,
    /// It has a number.
    Known,
    /// Approved in the chat, which does not show it yet.
    Approving,
    /// Approved.
    Approved,
    /// Let run in the chat, which does not show it yet.
    Resuming,
    /// Let run.
    Going,
    /// Stopped in the chat, which does not show it yet.
    Stopping,
    /// Nothing more will be done for it.
    Rest,
}

/// A wish on its way.
pub(crate) struct Open {
    pub(crate) wish: Wish,
    pub(crate) stage: Stage,
    /// Since when an answer is waited for, ms.
    since: Option<i64>,
    /// When a button was pressed last.
    pressed: i64,
    /// The command line that asks.
    process: Option<Child>,
    /// Nobody does more for it than this, for now.
    pub(crate) held_at: Option<Stage>,
}

impl Open {
    /// Who wants it.
    fn by(&self) -> &'static str {
        match self.wish.plan.via {
            Via::Chat(who) => who,
            Via::Socket | Via::Process => "command line",
        }
    }

    /// The command that is under way, if one is.
    fn waits_for(&self) -> &'static str {
        match self.stage {
            Stage::New | Stage::Asking => "newtask",
            Stage::Known if !self.wish.plan.kind.is_heavy() => "resume",
            Stage::Known | Stage::Approving => "approve",
            Stage::Approved | Stage::Resuming => "resume",
            Stage::Going | Stage::Stopping | Stage::Rest => "stop",
        }
    }

    /// What it is and how far it has come, for complaints.
    pub(crate) fn shown(&self) -> String {
        let Wish { job, plan, task, .. } = &self.wish;
        format!("{job} (#{}), a {} by {:?}, {:?}", task.unwrap_or_default(), plan.kind.name(), plan.via, self.stage)
    }
}

/// All wishes of a run, and what became of the commands that they took.
pub(crate) struct Wishes {
    pub(crate) open: Vec<Open>,
    pub(crate) commands: Vec<Command>,
    /// When the daemon was down, or could not write, ms.
    pub(crate) outages: Vec<(i64, i64)>,
    /// Begins all keys of this run's requests.
    run: String,
}

/// What an order is about: its verb, where the wish is while the chat has not shown it, and where it is then.
#[derive(Clone, Copy)]
enum Order {
    Approve,
    Resume,
    Stop,
}

impl Order {
    fn verb(self) -> &'static str {
        match self {
            Order::Approve => "approve",
            Order::Resume => "resume",
            Order::Stop => "stop",
        }
    }

    fn label(self) -> &'static str {
        match self {
            Order::Approve => "Approve",
            Order::Resume => "Resume",
            Order::Stop => "Stop",
        }
    }

    fn under_way(self) -> Stage {
        match self {
            Order::Approve => Stage::Approving,
            Order::Resume => Stage::Resuming,
            Order::Stop => Stage::Stopping,
        }
    }

    /// Whether a card with this title shows that it was done.
    fn shows(self, title: &str) -> bool {
        let still: &[&str] = match self {
            Order::Approve => &["REQUESTED"],
            Order::Resume => &["REQUESTED", "APPROVED"],
            Order::Stop => &["REQUESTED", "APPROVED", "QUEUED", "RUNNING"],
        };
        !title.is_empty() && !still.iter().any(|state| title.contains(state))
    }
}

impl Wishes {
    /// Nothing yet; `suite` and `seed` begin the keys of all requests.
    pub(crate) fn new(suite: &str, seed: u64) -> Wishes {
        Wishes { open: Vec::new(), commands: Vec::new(), outages: Vec::new(), run: format!("{suite}-{seed:016x}") }
    }

    /// One more; its place.
    pub(crate) fn add(&mut self, plan: Plan) -> usize {
        let job = format!("job-{}", self.open.len() + 1);
        let wish = Wish { job, plan, task: None, approved: None, resumed: None, stopped: None, acts: 0 };
        self.open.push(Open { wish, stage: Stage::New, since: None, pressed: 0, process: None, held_at: None });
        self.open.len() - 1
    }

    /// Carries all a step further.
    pub(crate) fn tend(&mut self, lab: &mut Lab<'_>) -> Step {
        lab.chat.look();
        (0..self.open.len()).try_for_each(|n| self.advance(lab, n))
    }

    /// Carries one a step further, if there is one to be made.
    fn advance(&mut self, lab: &mut Lab<'_>, n: usize) -> Step {
        let kind = self.open[n].wish.plan.kind;
        match self.open[n].stage {
            stage if self.open[n].held_at == Some(stage) => Ok(()),
            Stage::New => self.ask(lab, n),
            Stage::Asking => self.listen(lab, n),
            Stage::Known if kind.is_heavy() => self.order(lab, n, Order::Approve),
            Stage::Approving => self.await_card(lab, n, Order::Approve),
            Stage::Known | Stage::Approved => self.order(lab, n, Order::Resume),
            Stage::Resuming => self.await_card(lab, n, Order::Resume),
            // One that never ends may have been ended by a blow before anybody stopped it.
            Stage::Going if kind != Kind::Stubborn || is_reported(lab, self.open[n].wish.task) => {
                self.open[n].stage = Stage::Rest;
                Ok(())
            }
            Stage::Going if has_begun(lab, self.open[n].wish.task) => self.order(lab, n, Order::Stop),
            Stage::Going | Stage::Rest => Ok(()),
            Stage::Stopping => self.await_card(lab, n, Order::Stop),
        }
    }

    fn ask(&mut self, lab: &mut Lab<'_>, n: usize) -> Step {
        let now = lab.now();
        let open = &mut self.open[n];
        open.since.get_or_insert(now);
        let (kind, prompt) = (open.wish.plan.kind.name(), format!("{} {}", open.wish.job, open.wish.plan.does));
        match open.wish.plan.via {
            Via::Chat(who) => {
                lab.say(who, &format!("/newtask {kind} {prompt}"))?;
                self.open[n].stage = Stage::Asking;
            }
            Via::Process => {
                let mut command = lab.command(&["newtask", kind, &prompt, "--json"]);
                let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn();
                open.process = Some(child.map_err(|e| format!("failed to start mainstay: {e}"))?);
                open.stage = Stage::Asking;
            }
            Via::Socket => {
                let key = format!("{}-{n}-ask", self.run);
                if let Ok(answer) = lab.once(&key, &["newtask", kind, &prompt]) {
                    self.asked(lab, n, &answer);
                }
            }
        }
        Ok(())
    }

    fn listen(&mut self, lab: &mut Lab<'_>, n: usize) -> Step {
        let open = &mut self.open[n];
        if let Some(child) = &mut open.process {
            let ended = child.try_wait().map_err(|e| format!("failed to look at a command: {e}"))?;
            if ended.is_some() {
                let answer = read_answer(child);
                open.process = None;
                self.asked(lab, n, &answer);
            }
        } else if let Some(task) = lab.chat.task_of(&open.wish.job) {
            open.wish.task = Some(task);
            open.stage = Stage::Known;
            self.note(lab, n, "newtask", None);
        }
        Ok(())
    }

    /// Somebody asked and was answered.
    fn asked(&mut self, lab: &Lab<'_>, n: usize, answer: &Value) {
        // Nothing was done, or it was down and nothing was said to it: whoever is told so says it again. The exit code is in the
        // answer.
        if is_full(answer) || answer["data"]["code"] == NOT_RUNNING {
            self.open[n].stage = Stage::New;
            return;
        }
        let task = answer["data"]["task_id"].as_i64().filter(|_| answer["ok"] == true);
        self.open[n].wish.task = task;
        self.open[n].stage = if task.is_some() { Stage::Known } else { Stage::Rest };
        self.note(lab, n, "newtask", task.is_none().then(|| answer.to_string()));
    }

    fn order(&mut self, lab: &mut Lab<'_>, n: usize, order: Order) -> Step {
        let now = lab.now();
        let Some(task) = self.open[n].wish.task else { return Ok(()) };
        if let Via::Chat(who) = self.open[n].wish.plan.via {
            return self.press(lab, n, order, who);
        }
        self.open[n].since.get_or_insert(now);
        let key = format!("{}-{n}-{}", self.run, order.verb());
        match lab.once(&key, &[order.verb(), &task.to_string()]) {
            Ok(answer) if is_full(&answer) => {}
            Ok(answer) if answer["ok"] == true => self.done(lab, n, order),
            Ok(answer) => {
                // Of what has ended already there is nothing to stop, and that is the right answer.
                let is_right = matches!(order, Order::Stop) && is_over(lab, task);
                self.note(lab, n, order.verb(), (!is_right).then(|| answer.to_string()));
                self.open[n].stage = Stage::Rest;
            }
            Err(_) => {}
        }
        Ok(())
    }

    /// Presses a button, once it is there.
    fn press(&mut self, lab: &mut Lab<'_>, n: usize, order: Order, who: &str) -> Step {
        let now = lab.now();
        let open = &mut self.open[n];
        let Some(task) = open.wish.task else { return Ok(()) };
        if let Some(button) = lab.chat.button(task, order.label()) {
            lab.say(who, &format!(":press {button}"))?;
            open.since.get_or_insert(now);
            open.pressed = now;
            open.stage = order.under_way();
            open.wish.acts += 1;
        }
        Ok(())
    }

    fn await_card(&mut self, lab: &mut Lab<'_>, n: usize, order: Order) -> Step {
        let now = lab.now();
        let task = self.open[n].wish.task.unwrap_or_default();
        if order.shows(lab.chat.title(task)) {
            self.done(lab, n, order);
        } else if now - self.open[n].pressed > PRESSED_AGAIN_AFTER_MS {
            self.order(lab, n, order)?;
        }
        Ok(())
    }

    fn done(&mut self, lab: &Lab<'_>, n: usize, order: Order) {
        // It counts from when it was said, not from when that was answered.
        let said = self.open[n].since.unwrap_or_else(|| lab.now());
        let Open { wish, stage, .. } = &mut self.open[n];
        // A press was counted when it was made.
        wish.acts += u32::from(!matches!(wish.plan.via, Via::Chat(_)));
        match order {
            Order::Approve => (*stage, wish.approved) = (Stage::Approved, Some(said)),
            Order::Resume => (*stage, wish.resumed) = (Stage::Going, Some(said)),
            Order::Stop => (*stage, wish.stopped) = (Stage::Rest, Some(said)),
        }
        self.note(lab, n, order.verb(), None);
    }

    /// A command was answered.
    fn note(&mut self, lab: &Lab<'_>, n: usize, verb: &str, wrong: Option<String>) {
        let now = lab.now();
        let open = &mut self.open[n];
        let at = open.since.take().unwrap_or(now);
        let by = open.by();
        self.answered(by, verb, at, Some(now), wrong);
    }

    /// A command was answered, or will not be.
    pub(crate) fn answered(&mut self, by: &str, verb: &str, at: i64, answered: Option<i64>, wrong: Option<String>) {
        let end = answered.unwrap_or(i64::MAX);
        let out: i64 = self.outages.iter().map(|(from, to)| (*to.min(&end) - *from.max(&at)).max(0)).sum();
        self.commands.push(Command {
            at_ms: at,
            by: by.to_owned(),
            verb: verb.to_owned(),
            answered_ms: answered,
            within_ms: ANSWER_WITHIN_MS + out,
            wrong,
            limited: Limited::No,
        });
    }

    /// At the end of a run: what was not answered, and everything for the evidence.
    pub(crate) fn give(mut self, evidence: &mut Evidence) {
        let unanswered: Vec<(&'static str, &'static str, i64)> =
            self.open.iter().filter_map(|open| Some((open.by(), open.waits_for(), open.since?))).collect();
        for (by, verb, at) in unanswered {
            self.answered(by, verb, at, None, Some("never answered".into()));
        }
        for open in &mut self.open {
            if let Some(mut child) = open.process.take() {
                let _ = child.kill();
                let _ = child.wait();
            }
        }
        evidence.wishes = self.open.into_iter().map(|open| open.wish).collect();
        evidence.commands = self.commands;
    }
}

fn is_reported(lab: &Lab<'_>, task: Option<i64>) -> bool {
    lab.chat.told.iter().any(|told| Some(told.task) == task)
}

fn has_begun(lab: &Lab<'_>, task: Option<i64>) -> bool {
    lab.book().iter().any(|entry| Some(entry.key.0) == task && entry.word == Word::Begin)
}

fn is_over(lab: &Lab<'_>, task: i64) -> bool {
    super::play::said(lab, task).is_some_and(|said| said.is_over())
}

/// It was refused because nothing can be written just now; said again later, it will be done.
fn is_full(answer: &Value) -> bool {
    answer["ok"] == false && answer["text"].as_str().is_some_and(|text| text.contains("nothing was done"))
}

/// What a command line that ended has said, in the shape of an answer on the socket.
fn read_answer(child: &mut Child) -> Value {
    let (mut out, mut errors) = (String::new(), String::new());
    if let Some(pipe) = &mut child.stdout {
        let _ = pipe.read_to_string(&mut out);
    }
    if let Some(pipe) = &mut child.stderr {
        let _ = pipe.read_to_string(&mut errors);
    }
    match serde_json::from_str::<Value>(&out) {
        Ok(data) => serde_json::json!({ "ok": data["task_id"].is_i64(), "data": data, "text": errors }),
        Err(_) => serde_json::json!({ "ok": false, "text": format!("{out}{errors}") }),
    }
}
