//! The people of a simulation: they ask for jobs, look at what the bot shows, and press what it offers. What they asked for
//! and pressed is the truth that the daemon is judged by; what it says is only what they see.

mod moods;

pub use moods::{MEDDLING, Moods, Pressed};

use crate::botapi::{ChatId, MessageId, Seen, UserId};
use crate::property::told::told;
use crate::scenario::{Job, Via};
use crate::world::World;
use mainstay::command::{Mode, Role};
use mainstay::config::{Config, Kind, Operator, TelegramConfig};
use mainstay::task::State;
use std::collections::{BTreeMap, BTreeSet};

/// The group in which operators talk.
pub const GROUP: ChatId = ChatId(-1_000_000_000_700);

/// The careful one, to whom the machine belongs.
pub const ANA: UserId = UserId(11);

/// How somebody behaves.
struct Habits {
    name: &'static str,
    user: UserId,
    roles: &'static [Role],
    /// Between seeing and pressing, ms.
    reacts_ms: (u64, u64),
    /// Of a hundred presses, so many are double taps.
    double_taps: u32,
    /// Presses again when nothing has changed for so long, ms.
    patience_ms: i64,
    /// Of a hundred requests, so many are made again because no answer came within ten seconds.
    repeats: u32,
    /// Tries what is not theirs to do: approves their own, and says `/resume` before anybody approved.
    pushes: bool,
}

/// The careful one looks first; the hasty one taps twice and asks again; the absent-minded one takes minutes.
const EVERYBODY: [Habits; 3] = [
    Habits {
        name: "ana",
        user: ANA,
        roles: &[Role::Operator, Role::Approver],
        reacts_ms: (2_000, 8_000),
        double_taps: 0,
        patience_ms: 180_000,
        repeats: 0,
        pushes: false,
    },
    Habits {
        name: "ben",
        user: UserId(12),
        roles: &[Role::Operator, Role::Approver],
        reacts_ms: (300, 2_000),
        double_taps: 50,
        patience_ms: 20_000,
        repeats: 30,
        pushes: true,
    },
    Habits {
        name: "cleo",
        user: UserId(13),
        roles: &[Role::Admin],
        reacts_ms: (10_000, 120_000),
        double_taps: 5,
        patience_ms: 240_000,
        repeats: 0,
        pushes: false,
    },
];

/// Whose word means nothing.
pub const STRANGER: UserId = UserId(66);
/// How a scenario calls that one.
pub const STRANGER_NAME: &str = "stranger";
/// The uid of the one user of the machine: ana's.
pub const UID: u32 = 1_000;

/// The configuration of every simulation.
pub fn config() -> Config {
    let kind = |name: &str, heavy: bool, change: fn(&mut Kind)| {
        let mut kind = Kind::new(name, heavy, vec![name.to_owned()]);
        kind.timeout_ms = 90_000;
        change(&mut kind);
        (name.to_owned(), kind)
    };
    let operator = |h: &Habits| {
        let uid = (h.name == "ana").then_some(UID);
        (h.user.0, Operator { id: h.user.0, name: h.name.to_owned(), roles: h.roles.to_vec(), uid })
    };
    Config {
        state_dir: "/".into(),
        autonomy: Mode::Supervised,
        telegram: Some(TelegramConfig {
            api_url: String::new(),
            token_file: None,
            poll_timeout_ms: 30_000,
            chats: vec![GROUP.0],
            report_chat: Some(GROUP.0),
        }),
        operators: EVERYBODY.iter().map(operator).collect(),
        kinds: BTreeMap::from([
            kind("build", true, |_| {}),
            kind("backup", true, |k| (k.idempotent, k.max_attempts, k.backoff_ms) = (true, 3, 1_000)),
            kind("flaky", true, |k| {
                (k.max_attempts, k.backoff_ms, k.transient_exit_codes) = (3, 1_000, vec![75]);
            }),
            kind("solo", true, |k| k.concurrency = 1),
            kind("note", false, |_| {}),
            kind("brief", true, |k| (k.approval_ttl_ms, k.queue_ttl_ms, k.concurrency) = (60_000, 30_000, 1)),
            kind("pair", true, |k| k.approvals = 2),
            kind("plan", true, |k| (k.requires_plan, k.requires_review) = (true, true)),
        ]),
        running_max: 8,
        hash: "simulated".into(),
    }
}

/// Opens the chats.
pub fn move_in(people: &mut crate::botapi::People<'_>) {
    for somebody in &EVERYBODY {
        people.acquaintance(somebody.user, somebody.name);
    }
    people.group_with_id(GROUP, "Operators");
    people.acquaintance(STRANGER, "Mallory");
}

/// The number of the job that a prompt belongs to: its first word is `job-N`.
pub fn job_of(prompt: &str) -> Option<usize> {
    prompt.split_whitespace().next()?.strip_prefix("job-")?.parse().ok()
}

/// A job as people know it.
#[derive(Debug, Clone)]
pub struct Asked {
    /// As in the scenario.
    pub job: Job,
    /// When it was asked for, ms of the simulation; none before.
    pub at: Option<i64>,
    /// The messages that asked for it. More than one: its person lost patience, and each may be a task.
    pub messages: Vec<(ChatId, MessageId)>,
    /// The request on the command line, as [`crate::world::desk::Desk::ask`] numbered it.
    pub connection: Option<u64>,
    /// Somebody acknowledged it: a card, or an answer. From here on it must not be lost.
    pub acknowledged: Option<i64>,
    /// Numbers under which it is known.
    pub tasks: BTreeSet<i64>,
    /// Who said yes.
    pub approved: Vec<Pressed>,
    /// Who refused it.
    pub rejected: Vec<Pressed>,
    /// Who let it run.
    pub resumed: Vec<Pressed>,
    /// Who wanted it stopped.
    pub stopped: Option<Pressed>,
    /// Who took it back from its end.
    pub recovered: Vec<Pressed>,
    /// Who planned it anew.
    pub planned: Vec<Pressed>,
    /// A stranger tried what is not theirs to do.
    pub meddled: bool,
    /// What people will do with it beyond its usual way.
    pub moods: Moods,
    /// Somebody has said `/resume` before it was approved.
    pub pushed: bool,
}

/// The button under a command that was read late.
const CONFIRM: &str = "Do it now";

/// Everybody, and what they know.
pub struct People {
    rng: fastrand::Rng,
    /// Jobs, in the order of the scenario.
    pub jobs: Vec<Asked>,
    /// What somebody is about to press: when, who, where, which button.
    intents: Vec<(i64, usize, ChatId, MessageId, String)>,
    /// What somebody has pressed already, and when last.
    pressed: BTreeMap<(usize, ChatId, MessageId, String), i64>,
    /// What the bot showed at the last look: to look closer only at what changed.
    looked_at: u64,
    introduced: bool,
    /// How often somebody pressed the same button twice in a moment.
    pub double_taps: u64,
    /// Kinds of which who asked may approve their own.
    own_yes: BTreeSet<String>,
    /// What somebody is about to say in the group about a job.
    says: Vec<(usize, usize, String)>,
    /// Habits do not count: everybody does what is theirs to do, once and at once.
    at_once: bool,
    /// Requests that were refused for now, by the answer that says so, and when they are made again.
    refused: BTreeMap<(ChatId, MessageId), (usize, i64)>,
}

impl People {
    /// People who will ask for these jobs.
    pub fn new(seed: u64, jobs: Vec<Job>) -> People {
        let mut rng = fastrand::Rng::with_seed(seed);
        let mut asked = |job: Job| Asked {
            moods: Moods::draw(&mut rng, &job),
            job,
            at: None,
            messages: Vec::new(),
            connection: None,
            acknowledged: None,
            tasks: BTreeSet::new(),
            approved: Vec::new(),
            rejected: Vec::new(),
            resumed: Vec::new(),
            stopped: None,
            recovered: Vec::new(),
            planned: Vec::new(),
            meddled: false,
            pushed: false,
        };
        let jobs = jobs.into_iter().map(&mut asked).collect();
        People {
            rng,
            jobs,
            intents: Vec::new(),
            pressed: BTreeMap::new(),
            looked_at: 0,
            introduced: false,
            double_taps: 0,
            own_yes: config().kinds.into_values().filter(|kind| kind.self_approval).map(|kind| kind.name).collect(),
            says: Vec::new(),
            at_once: false,
            refused: BTreeMap::new(),
        }
    }

    /// The same without their habits: they do what is theirs to do, once and at once. This job is taken back from its end.
    pub fn at_once(mut self, taken_back: usize) -> People {
        self.at_once = true;
        for (n, asked) in self.jobs.iter_mut().enumerate() {
            asked.moods = Moods { recovers: n + 1 == taken_back, ..Moods::default() };
        }
        self
    }

    /// Nobody is about to do anything, unless something happens.
    pub fn are_idle(&self) -> bool {
        self.intents.is_empty() && self.says.is_empty() && self.jobs.iter().all(|asked| asked.at.is_some())
    }

    /// Everybody does what they are about to, by now.
    pub fn act(&mut self, world: &mut World) {
        let now = world.now();
        if !self.introduced {
            self.introduced = true;
            // A bot can't write to whom it does not know.
            let wall = world.wall();
            for somebody in &EVERYBODY {
                world.telegram.change(|t| t.people(wall).say(somebody.user, ChatId(somebody.user.0), "/start"));
            }
        }
        self.ask(world, now);
        self.look(world, now);
        self.press(world, now);
        self.stop(world, now);
    }

    fn ask(&mut self, world: &mut World, now: i64) {
        for n in 0..self.jobs.len() {
            let asked = &mut self.jobs[n];
            let habits = habits_of(&asked.job.by);
            let first = asked.at.is_none() && asked.job.at.ms() <= now;
            // Impatience: asked again, once, because nothing came back. A client of the command line goes on until it is answered,
            // under the same key.
            let waited = asked.at.map_or(0, |at| now - at);
            let unanswered = asked.acknowledged.is_none() && !first;
            let again = match asked.job.via {
                Via::Cli => unanswered && waited > 0 && waited % 10_000 == 0,
                Via::Group | Via::Private => {
                    let impatient = unanswered && asked.messages.len() == 1 && waited == 10_000;
                    impatient && !self.at_once && self.rng.u32(..100) < habits.repeats
                }
            };
            let asked_to = self.refused.values().any(|refused| *refused == (n, now));
            if !first && !again && !asked_to {
                continue;
            }
            asked.at.get_or_insert(now);
            let prompt = format!("job-{} {}", n + 1, asked.job.does);
            let wall = world.wall();
            let chat = match asked.job.via {
                Via::Group => GROUP,
                Via::Private => ChatId(habits.user.0),
                Via::Cli => {
                    let argv = ["newtask", &asked.job.kind, &prompt];
                    asked.connection = Some(world.desk.ask(UID, &format!("key-{n}"), &argv));
                    continue;
                }
            };
            let text = format!("/newtask {} {prompt}", asked.job.kind);
            let message = world.telegram.change(|t| t.people(wall).say(habits.user, chat, &text));
            asked.messages.push((chat, message));
        }
    }

    /// Everybody looks at the chats they are in, and makes up their mind about new buttons.
    fn look(&mut self, world: &mut World, now: i64) {
        self.hear_the_command_line(world, now);
        let changes = world.telegram.look(|t| t.changes().end());
        let changed = changes != self.looked_at;
        // Without news there is only impatience, and that does not look every tick.
        if !changed && now % 5_000 != 0 {
            return;
        }
        self.looked_at = changes;
        for chat in chats() {
            let screen = world.telegram.look(|t| t.screen(chat));
            for seen in screen.messages.iter().filter(|m| m.is_bot) {
                self.hear_refusal(chat, seen, now);
                let Some(n) = self.job_shown(seen) else { continue };
                self.meddle(world, chat, seen, n);
                self.consider(chat, seen, n, now);
            }
        }
    }

    /// Told that something can't be done for now, people ask again: how long that takes them is theirs.
    fn hear_refusal(&mut self, chat: ChatId, seen: &Seen, now: i64) {
        const PATIENCE_MS: i64 = 60_000;
        let answers = |asked: &Asked| seen.reply_to.is_some_and(|to| asked.messages.contains(&(chat, to)));
        if seen.text.contains("ask again")
            && let Some(n) = self.jobs.iter().position(answers)
        {
            self.refused.entry((chat, seen.id)).or_insert((n, now + PATIENCE_MS));
        }
    }

    fn hear_the_command_line(&mut self, world: &World, now: i64) {
        for asked in self.jobs.iter_mut().filter(|a| a.acknowledged.is_none()) {
            let answer = asked.connection.and_then(|connection| world.desk.answer(connection));
            if let Some(id) = answer.filter(|a| a.ok).and_then(|a| a.data["task_id"].as_i64()) {
                asked.acknowledged = Some(now);
                asked.tasks.insert(id);
            }
        }
    }

    /// Which job a message of the bot is about: people know it by their own words in it.
    fn job_shown(&mut self, seen: &Seen) -> Option<usize> {
        let start = seen.text.find("job-")?;
        let n = job_of(&seen.text[start..])?.checked_sub(1).filter(|n| *n < self.jobs.len())?;
        // Asked back, there is no number yet.
        self.jobs[n].tasks.extend(task_of(&seen.text));
        Some(n)
    }

    fn meddle(&mut self, world: &mut World, chat: ChatId, seen: &Seen, n: usize) {
        let asked = &mut self.jobs[n];
        if let Some(task) = task_of(&seen.text).filter(|_| chat == GROUP && asked.moods.meddles && !asked.meddled) {
            asked.meddled = true;
            moods::meddle(world, seen, task);
        }
    }

    fn consider(&mut self, chat: ChatId, seen: &Seen, n: usize, now: i64) {
        let asked = &mut self.jobs[n];
        asked.acknowledged.get_or_insert(now);
        if asked.job.left_alone {
            return;
        }
        let requester = habits_of(&asked.job.by).user;
        let planner = EVERYBODY.len() - 1;
        if let Some(task) = task_of(&seen.text).filter(|_| asked.moods.plans && seen.text.contains("APPROVED")) {
            asked.moods.plans = false;
            self.says.push((planner, n, format!("/plan {task} in two steps")));
        }
        let withdraws = |(_, state): &(i64, State)| asked.stopped.is_none() && asked.moods.withdraws == Some(*state);
        if let Some((task, _)) = told(&seen.text).filter(withdraws) {
            asked.moods.withdraws = None;
            let who = EVERYBODY.iter().position(|h| h.user == requester).unwrap_or(planner);
            self.says.push((who, n, format!("/stop {task}")));
        }
        for button in seen.buttons.iter().flatten() {
            let Some(data) = &button.data else { continue };
            for (who, habits) in EVERYBODY.iter().enumerate() {
                let here = chat == GROUP || chat == ChatId(habits.user.0);
                let pushes = habits.pushes && !self.at_once;
                let wants = match button.label.as_str() {
                    "✅ Approve" => {
                        habits.user != requester || pushes || self.own_yes.contains(&self.jobs[n].job.kind)
                    }
                    "▶ Resume" | CONFIRM => habits.user == requester,
                    "❌ Reject" => self.jobs[n].moods.rejects && habits.user == Moods::refuser(requester),
                    "↩ Recover" => {
                        let asked = &self.jobs[n];
                        asked.moods.recovers && asked.recovered.is_empty() && habits.user == requester
                    }
                    _ => false,
                };
                if !here || !wants {
                    continue;
                }
                let key = (who, chat, seen.id, data.clone());
                if pushes && habits.user == requester && button.label.contains("Approve") {
                    // Once a job: nobody writes the same at every look.
                    let task = self.jobs[n].tasks.last().filter(|_| !self.jobs[n].pushed);
                    if let Some(task) = task {
                        self.says.push((who, n, format!("/resume {task}")));
                        self.jobs[n].pushed = true;
                    }
                }
                let waits = self.intents.iter().any(|(_, w, c, m, d)| (*w, *c, *m, d) == (who, chat, seen.id, data));
                let lately = self.pressed.get(&key).is_some_and(|at| self.at_once || now - at < habits.patience_ms);
                if waits || lately {
                    continue;
                }
                if self.at_once {
                    self.intents.push((now, who, chat, seen.id, data.clone()));
                    continue;
                }
                let (least, most) = habits.reacts_ms;
                let after = i64::try_from(self.rng.u64(least..=most)).unwrap_or(0);
                self.intents.push((now + after, who, chat, seen.id, data.clone()));
                if self.rng.u32(..100) < habits.double_taps {
                    self.intents.push((now + after + 150, who, chat, seen.id, data.clone()));
                }
            }
        }
    }

    fn press(&mut self, world: &mut World, now: i64) {
        for (who, n, text) in std::mem::take(&mut self.says) {
            let wall = world.wall();
            let user = EVERYBODY[who].user;
            let pressed = Pressed { task: text.split(' ').nth(1).and_then(|id| id.parse().ok()), by: user, at: now };
            match text.split(' ').next() {
                Some("/stop") => self.jobs[n].stopped = Some(pressed),
                // Read late, it may be what lets the job run.
                Some("/resume") => self.jobs[n].resumed.push(pressed),
                Some(_) | None => self.jobs[n].planned.push(pressed),
            }
            world.telegram.change(|t| t.people(wall).say(user, GROUP, &text));
        }
        let (due, later): (Vec<_>, Vec<_>) = self.intents.drain(..).partition(|(at, ..)| *at <= now);
        self.intents = later;
        for (_, who, chat, message, data) in due {
            let wall = world.wall();
            let user = EVERYBODY[who].user;
            let Some(seen) = world.telegram.look(|t| t.seen(chat, message)) else { continue };
            let label = seen.buttons.iter().flatten().find(|b| b.data.as_ref() == Some(&data)).map(|b| b.label.clone());
            // What is not there any more can't be pressed: somebody else was faster.
            let Some(label) = label else { continue };
            let pressed = world.telegram.change(|t| t.people(wall).press(user, chat, message, &data));
            if pressed.is_err() {
                continue;
            }
            let before = self.pressed.insert((who, chat, message, data), now);
            self.double_taps += u64::from(before.is_some_and(|at| now - at < 1_000));
            let Some(n) = self.job_shown(&seen) else { continue };
            let (asked, pressed) = (&mut self.jobs[n], Pressed { task: task_of(&seen.text), by: user, at: now });
            match label.as_str() {
                "✅ Approve" => asked.approved.push(pressed),
                "❌ Reject" => asked.rejected.push(pressed),
                "▶ Resume" => asked.resumed.push(pressed),
                "↩ Recover" => asked.recovered.push(pressed),
                _ => {}
            }
        }
    }

    fn stop(&mut self, world: &mut World, now: i64) {
        for (n, asked) in self.jobs.iter_mut().enumerate() {
            let Some(after) = asked.job.stop_after.filter(|_| asked.stopped.is_none()) else { continue };
            let ledger = world.machine.ledger();
            let runs = ledger.iter().find(|ran| job_of(&ran.prompt) == Some(n + 1) && ran.ended_ms.is_none());
            if let Some(ran) = runs.filter(|ran| ran.began_ms + after.ms() <= now) {
                let user = habits_of(&asked.job.by).user;
                asked.stopped = Some(Pressed { task: Some(ran.key.task.0), by: user, at: now });
                let wall = world.wall();
                let text = format!("/stop {}", ran.key.task);
                world.telegram.change(|t| t.people(wall).say(user, GROUP, &text));
            }
        }
    }
}

fn habits_of(name: &str) -> &'static Habits {
    EVERYBODY.iter().find(|h| h.name == name).unwrap_or(&EVERYBODY[0])
}

/// Who has this name, strangers included.
pub fn user_of(name: &str) -> UserId {
    if name == STRANGER_NAME { STRANGER } else { habits_of(name).user }
}

/// The chats in which the bot tells them something.
pub fn chats() -> Vec<ChatId> {
    std::iter::once(GROUP).chain(EVERYBODY.iter().map(|h| ChatId(h.user.0))).collect()
}

/// The names that a scenario can use.
pub fn names() -> Vec<&'static str> {
    EVERYBODY.iter().map(|h| h.name).collect()
}

/// What stands before a message that may have arrived before.
pub const REPEAT_MARK: &str = "(possible repeat) ";

/// What the bot says in the chats of operators, as it can be read now.
pub fn said(world: &World) -> Vec<String> {
    let chats = std::iter::once(GROUP).chain(EVERYBODY.iter().map(|h| ChatId(h.user.0)));
    let screens = chats.map(|chat| world.telegram.look(|t| t.screen(chat)));
    screens.flat_map(|screen| screen.messages).filter(|seen| seen.is_bot).map(|seen| seen.text).collect()
}

/// Reports of a task's end that can be read, repeats included.
pub fn reports_of(world: &World, task: i64) -> Vec<String> {
    let is_report = |text: &String| {
        let plain = text.strip_prefix(REPEAT_MARK).unwrap_or(text);
        ["✅", "🔴", "⚪"].iter().any(|mark| plain.starts_with(mark)) && task_of(plain) == Some(task)
    };
    said(world).into_iter().filter(is_report).collect()
}

/// The number of the task that a message of the bot is about: `#7`.
pub fn task_of(text: &str) -> Option<i64> {
    let after = &text[text.find('#')? + 1..];
    let end = after.find(|c: char| !c.is_ascii_digit()).unwrap_or(after.len());
    after[..end].parse().ok()
}
