//! The people of a simulation: they ask for jobs, look at what the bot shows, and press what it offers. What they asked for
//! and pressed is the truth that the daemon is judged by; what it says is only what they see.

mod cast;
pub mod given;
mod moods;
mod persona;
mod reading;
mod slips;

pub use cast::{ANA, GROUP, STRANGER, STRANGER_NAME, UID, chats, config, move_in, names, user_of};
pub use given::{Given, How};
pub use moods::{MEDDLING, Moods, Pressed};
pub use persona::Persona;
pub use reading::{REPEAT_MARK, job_of, reports_of, said, task_of};

pub(crate) use cast::name_of;
use cast::{EVERYBODY, Habits, habits_of};
pub(crate) use reading::is_card;
use reading::task_of_card;
use slips::Hands;

use crate::botapi::{ChatId, MessageId, PressId, Seen};
use crate::property::told::told;
use crate::scenario::{Job, Via};
use crate::world::World;
use mainstay::config::Kind;
use mainstay::task::State;
use std::collections::{BTreeMap, BTreeSet};

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

impl Asked {
    /// Notes what a press means.
    fn note(&mut self, label: &str, pressed: Pressed) {
        match label {
            "✅ Approve" => self.approved.push(pressed),
            "❌ Reject" => self.rejected.push(pressed),
            "▶ Resume" => self.resumed.push(pressed),
            "↩ Recover" => self.recovered.push(pressed),
            _ => {}
        }
    }
}

/// Somebody's button: who, where, on which message, what it sends.
type Button = (usize, ChatId, MessageId, String);

/// What is answered to a press that need not be repeated: the button does nothing any more, or not for who pressed it.
const IN_VAIN: [&str; 6] = [
    "Already pressed by",
    "no longer valid",
    "has expired",
    "This button is somebody else's",
    "you approved #",
    "wants somebody else's yes",
];

/// So long people wait for an answer to a request before they may ask again, ms.
const UNANSWERED_MS: i64 = 10_000;
/// How often they look at a chat in which nothing is new, ms.
const GLANCE_MS: i64 = 5_000;

/// The same over days.
const DAILY_GLANCE_MS: i64 = 60_000;
/// So far up a chat people look over days: some days of messages are above.
const LOOKS_AT: usize = 150;

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
    pressed: BTreeMap<Button, i64>,
    /// Presses that nobody has answered yet.
    unanswered: Vec<(PressId, Button)>,
    /// Buttons of which somebody was told that their press does nothing, now or ever.
    dead: BTreeSet<Button>,
    /// What the bot showed at the last look: to look closer only at what changed.
    looked_at: u64,
    introduced: bool,
    /// How often somebody pressed the same button twice in a moment.
    pub double_taps: u64,
    /// Kinds of which who asked may approve their own.
    own_yes: BTreeSet<String>,
    /// Kinds that want more than one approval.
    pairs: BTreeSet<String>,
    /// Kinds that want a plan: who asked says one.
    planned: BTreeSet<String>,
    /// What somebody is about to say in the group about a job.
    says: Vec<(usize, usize, String)>,
    /// When somebody last gave what a task waited for besides approvals.
    supplied: BTreeMap<(i64, &'static str), i64>,
    /// Habits do not count: everybody does what is theirs to do, once and at once.
    at_once: bool,
    /// Requests that were refused for now, by the answer that says so, and when they are made again.
    refused: BTreeMap<(ChatId, MessageId), (usize, Option<i64>)>,
    /// When each job was last asked for.
    asked_last: BTreeMap<usize, i64>,
    /// Jobs of which it was decided whether their person asks again because no answer came.
    has_waited: BTreeSet<usize>,
    /// When everybody last acted.
    acted: i64,
    /// Everybody, with their habits.
    cast: [Habits; 3],
    /// What goes wrong under their hands; nothing unless they are of some kind.
    hands: Hands,
    /// They are of one kind, and sleep at night.
    persona: Option<Persona>,
    /// They do not go to bed any more.
    woken: bool,
    /// Everything that somebody typed or pressed.
    given: Vec<Given>,
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
        let kinds = |are: fn(&Kind) -> bool| config().kinds.into_values().filter(are).map(|kind| kind.name).collect();
        People {
            rng,
            jobs,
            intents: Vec::new(),
            pressed: BTreeMap::new(),
            unanswered: Vec::new(),
            dead: BTreeSet::new(),
            looked_at: 0,
            introduced: false,
            double_taps: 0,
            own_yes: kinds(|kind| kind.self_approval),
            pairs: kinds(|kind| kind.approvals > 1),
            planned: kinds(|kind| kind.requires_plan),
            says: Vec::new(),
            supplied: BTreeMap::new(),
            at_once: false,
            refused: BTreeMap::new(),
            asked_last: BTreeMap::new(),
            has_waited: BTreeSet::new(),
            acted: 0,
            cast: EVERYBODY,
            hands: Hands::default(),
            persona: None,
            woken: false,
            given: Vec::new(),
        }
    }

    /// The same people, all of one kind, if one is said.
    pub fn with(mut self, persona: Option<Persona>) -> People {
        self.persona = persona;
        if let Some(persona) = persona {
            self.cast = persona.cast();
            self.hands.slips = persona.slips();
        }
        self
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
        self.intents.is_empty()
            && self.says.is_empty()
            && self.hands_are_idle()
            && self.jobs.iter().all(|asked| asked.at.is_some())
    }

    /// Everybody does what they are about to, by now.
    pub fn act(&mut self, world: &mut World) {
        let now = world.now();
        if !self.introduced {
            self.introduced = true;
            // A bot can't write to whom it does not know.
            let wall = world.wall();
            for somebody in &EVERYBODY {
                let chat = ChatId(somebody.user.0);
                let message = world.telegram.change(|t| t.people(wall).say(somebody.user, chat, "/start"));
                self.given.push(given::said(now, somebody.user, chat, message, "/start"));
            }
        }
        // Days are long, and people no quicker than a second.
        if self.persona.is_some() && (now - self.acted < 1_000 || !self.are_awake(now)) {
            return;
        }
        self.ask(world, now);
        self.look(world, now);
        self.press(world, now);
        self.stop(world, now);
        if self.persona.is_some() {
            self.look_around(world, now);
        }
        self.acted = now;
    }

    fn are_awake(&self, now: i64) -> bool {
        self.woken || persona::awake(now)
    }

    fn habits(&self, name: &str) -> Habits {
        self.cast.iter().find(|habits| habits.name == name).copied().unwrap_or(self.cast[0])
    }

    fn ask(&mut self, world: &mut World, now: i64) {
        for n in 0..self.jobs.len() {
            let habits = self.habits(&self.jobs[n].job.by);
            let asked = &mut self.jobs[n];
            let first = asked.at.is_none() && asked.job.at.ms() <= now;
            // Impatience: asked again, once, because nothing came back. A client of the command line goes on until it is answered,
            // under the same key.
            let since = self.asked_last.get(&n).copied().or(asked.at);
            let waited = since.map_or(0, |since| now - since);
            let unanswered = asked.acknowledged.is_none() && !first;
            let again = match asked.job.via {
                Via::Cli => unanswered && waited >= UNANSWERED_MS,
                Via::Group | Via::Private => {
                    let has_waited = unanswered && asked.messages.len() == 1 && waited >= UNANSWERED_MS;
                    let impatient = has_waited && self.has_waited.insert(n);
                    impatient && !self.at_once && self.rng.u32(..100) < habits.repeats
                }
            };
            let is_due = |at: &Option<i64>| at.is_some_and(|at| at <= now);
            let mut refusals = self.refused.values_mut().filter(|(job, at)| *job == n && is_due(at));
            let asked_to = refusals.next().is_some_and(|(_, at)| at.take().is_some());
            if !first && !again && !asked_to {
                continue;
            }
            asked.at.get_or_insert(now);
            self.asked_last.insert(n, now);
            let prompt = format!("job-{} {}", n + 1, asked.job.does);
            let wall = world.wall();
            let chat = match asked.job.via {
                Via::Group => GROUP,
                Via::Private => ChatId(habits.user.0),
                Via::Cli => {
                    let argv = ["newtask", &asked.job.kind, &prompt];
                    let chars = argv.iter().map(|word| given::chars(word) + 1).sum();
                    let connection = world.desk.ask(UID, &format!("key-{n}"), &argv);
                    asked.connection = Some(connection);
                    self.note_request(n, now, connection, chars);
                    continue;
                }
            };
            let text = format!("/newtask {} {prompt}", asked.job.kind);
            let message = world.telegram.change(|t| t.people(wall).say(habits.user, chat, &text));
            asked.messages.push((chat, message));
            let given = given::said(now, habits.user, chat, message, &text);
            self.given.push(Given { job: Some(n), ..given });
        }
    }

    /// A request on the command line: the same one as long as nobody has answered it.
    fn note_request(&mut self, n: usize, now: i64, connection: u64, chars: u32) {
        let before = self.given.iter_mut().rev().find(|given| given.job == Some(n));
        if let Some(Given { how: How::Asked { connections, .. }, .. }) = before {
            connections.push(connection);
            return;
        }
        let how = How::Asked { connections: vec![connection], chars };
        let (verb, by) = (Some("newtask"), ANA);
        self.given.push(Given { at: now, by, verb, task: None, job: Some(n), fails: false, how });
    }

    /// Everybody looks at the chats they are in, and makes up their mind about new buttons.
    fn look(&mut self, world: &mut World, now: i64) {
        self.hear_the_command_line(world, now);
        let changes = world.telegram.look(|t| t.changes().end());
        let changed = changes != self.looked_at;
        // Without news there is only impatience, and that does not look every tick.
        let glance_ms = if self.persona.is_some() { DAILY_GLANCE_MS } else { GLANCE_MS };
        if !changed && now / glance_ms == self.acted / glance_ms {
            return;
        }
        self.looked_at = changes;
        self.hear_answers(world);
        for chat in chats() {
            let all = self.persona.is_none();
            let screen = world.telegram.look(|t| if all { t.screen(chat) } else { t.recent(chat, LOOKS_AT) });
            let bots = || screen.messages.iter().filter(|m| m.is_bot);
            let newest: BTreeMap<i64, MessageId> =
                bots().filter_map(|seen| task_of_card(&seen.text).map(|task| (task, seen.id))).collect();
            for seen in bots() {
                self.hear_refusal(chat, seen, now);
                self.read(chat, seen);
                let Some(n) = self.job_shown(seen) else { continue };
                self.meddle(world, chat, seen, n);
                if newest.values().any(|id| *id == seen.id) {
                    self.give_what_is_missing(seen, n, now);
                }
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
            self.refused.entry((chat, seen.id)).or_insert((n, Some(now + PATIENCE_MS)));
        }
    }

    /// Nobody goes on pressing what they were told is in vain.
    fn hear_answers(&mut self, world: &World) {
        let dead = &mut self.dead;
        self.unanswered.retain(|(press, button)| {
            let Some(answer) = world.telegram.look(|t| t.toast(press)) else { return true };
            let text = answer.text.unwrap_or_default();
            if IN_VAIN.iter().any(|words| text.contains(words)) {
                dead.insert(button.clone());
            }
            false
        });
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
        // Who plans may not approve: where two others have to, only who asked is left.
        let planner =
            if self.pairs.contains(&asked.job.kind) { requester } else { EVERYBODY[EVERYBODY.len() - 1].user };
        let planner = EVERYBODY.iter().position(|habits| habits.user == planner).unwrap_or(0);
        let replans = asked.moods.plans && !self.planned.contains(&asked.job.kind);
        if let Some(task) = task_of(&seen.text).filter(|_| replans && seen.text.contains("APPROVED")) {
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
            for (who, habits) in self.cast.into_iter().enumerate() {
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
                let key = (who, chat, seen.id, data.clone());
                if !here || !wants || self.dead.contains(&key) {
                    continue;
                }
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

    /// Who asked says how it is to be done where a kind wants a plan, and somebody else passes it where it wants a review: once
    /// more when a minute later it is still missing.
    fn give_what_is_missing(&mut self, seen: &Seen, n: usize, now: i64) {
        const PATIENCE_MS: i64 = 60_000;
        if self.jobs[n].job.left_alone {
            return;
        }
        let Some(task) = task_of(&seen.text) else { return };
        let requester = EVERYBODY.iter().position(|habits| habits.name == self.jobs[n].job.by).unwrap_or(0);
        let reviewer = usize::from(requester == 0);
        for (missing, who, text) in [
            ("waits for a plan", requester, format!("/plan {task} with care")),
            ("waits for a passed review", reviewer, format!("/review {task} pass")),
        ] {
            let lately = self.supplied.get(&(task, missing)).is_some_and(|at| now - at < PATIENCE_MS);
            if seen.text.contains(missing) && !lately {
                self.supplied.insert((task, missing), now);
                self.says.push((who, n, text));
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
                Some("/approve") => self.jobs[n].approved.push(pressed),
                Some("/reject") => self.jobs[n].rejected.push(pressed),
                // Read late, it may be what lets the job run.
                Some("/resume") => self.jobs[n].resumed.push(pressed),
                Some("/recover") => self.jobs[n].recovered.push(pressed),
                Some("/plan") => self.jobs[n].planned.push(pressed),
                Some(_) | None => {}
            }
            let message = world.telegram.change(|t| t.people(wall).say(user, GROUP, &text));
            self.given.push(given::said(now, user, GROUP, message, &text));
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
            if self.types(world, who, chat, &label, &seen) {
                self.pressed.insert((who, chat, message, data), now);
                continue;
            }
            let task = task_of(&seen.text);
            self.remember(world, now, (who, chat, message, data.clone()), &label, task);
            let pressed = world.telegram.change(|t| t.people(wall).press(user, chat, message, &data));
            let Ok(press) = pressed else { continue };
            self.given.push(given::pressed(now, user, press.clone(), (chat, &data), &label, task));
            let button = (who, chat, message, data);
            self.unanswered.push((press, button.clone()));
            let before = self.pressed.insert(button, now);
            self.double_taps += u64::from(before.is_some_and(|at| now - at < 1_000));
            let Some(n) = self.job_shown(&seen) else { continue };
            self.jobs[n].note(&label, Pressed { task: task_of(&seen.text), by: user, at: now });
        }
    }

    fn stop(&mut self, world: &mut World, now: i64) {
        for (n, asked) in self.jobs.iter_mut().enumerate() {
            let Some(after) = asked.job.stop_after.filter(|_| asked.stopped.is_none()) else { continue };
            let runs = world.machine.look(|ledger| {
                let runs = ledger.iter().find(|ran| ran.ended_ms.is_none() && job_of(&ran.prompt) == Some(n + 1));
                runs.filter(|ran| ran.began_ms + after.ms() <= now).map(|ran| ran.key.task)
            });
            if let Some(task) = runs {
                let user = habits_of(&asked.job.by).user;
                asked.stopped = Some(Pressed { task: Some(task.0), by: user, at: now });
                let wall = world.wall();
                let text = format!("/stop {task}");
                let message = world.telegram.change(|t| t.people(wall).say(user, GROUP, &text));
                self.given.push(given::said(now, user, GROUP, message, &text));
            }
        }
    }
}
