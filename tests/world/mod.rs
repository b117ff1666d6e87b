//! A small world around the daemon's core: all five ports in memory (the database on a file), time that moves only when a
//! test says so, and a truth of its own (what ran, what can be read in the chats) that the daemon can't talk away.
//!
//! [`World`] is the driver: it polls `run` by hand, so a daemon can be killed at every point at which it calls a port.

mod chats;
mod check;
mod clock;
mod disk;
mod machine;

pub(crate) use chats::{BOT, Fault, Message};
pub(crate) use machine::Shim;

use chats::{Chats, FakeTelegram, chat_json, user_json};
use clock::{FakeTime, Killed, Shared};
use disk::Disk;
use machine::{FakeRunner, Machine};
use mainstay::command::{Mode, Role};
use mainstay::config::{Config, Kind, Operator, TelegramConfig};
use mainstay::event::{Fact, Recorded};
use mainstay::exit::Fatal;
use mainstay::id::{AttemptKey, TaskId};
use mainstay::ports::{Answer, Control, ControlInput, LocalFuture, LocalRequest, Notice, Ports};
use mainstay::real::store::{LogFilter, Store};
use mainstay::run::run;
use mainstay::task::State;
use mainstay::view::TaskView;
use serde_json::json;
use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, VecDeque};
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::rc::Rc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

/// Admin.
pub(crate) const ADA: i64 = 11;
/// Operator.
pub(crate) const OLGA: i64 = 12;
/// Approver.
pub(crate) const AXEL: i64 = 13;
/// Operator and approver.
pub(crate) const BEA: i64 = 14;
/// Viewer.
pub(crate) const VIC: i64 = 15;
/// Nobody we know.
pub(crate) const STRANGER: i64 = 99;
/// A group in which operators may speak.
pub(crate) const GROUP: i64 = -500;

/// The people and kinds of every test; a test changes what it needs.
pub(crate) fn config() -> Config {
    let person = |id: i64, name: &str, roles: &[Role]| {
        (id, Operator { id, name: name.to_owned(), roles: roles.to_vec(), uid: None })
    };
    let kind = |name: &str, heavy: bool, change: fn(&mut Kind)| {
        let mut kind = Kind::new(name, heavy, vec![name.to_owned()]);
        change(&mut kind);
        (name.to_owned(), kind)
    };
    Config {
        state_dir: "/nowhere".into(),
        autonomy: Mode::Supervised,
        telegram: Some(TelegramConfig {
            api_url: String::new(),
            token_file: None,
            poll_timeout_ms: 30_000,
            chats: vec![GROUP],
            report_chat: Some(GROUP),
        }),
        operators: BTreeMap::from([
            person(ADA, "Ada", &[Role::Admin]),
            person(OLGA, "Olga", &[Role::Operator]),
            person(AXEL, "Axel", &[Role::Approver]),
            person(BEA, "Bea", &[Role::Operator, Role::Approver]),
            person(VIC, "Vic", &[Role::Viewer]),
        ]),
        kinds: BTreeMap::from([
            kind("build", true, |_| {}),
            kind("deploy", true, |k| (k.approvals, k.requires_plan) = (2, true)),
            kind("audit", true, |k| k.requires_review = true),
            kind("backup", true, |k| (k.idempotent, k.max_attempts, k.backoff_ms) = (true, 3, 1_000)),
            kind("flaky", true, |k| {
                (k.max_attempts, k.backoff_ms, k.transient_exit_codes) = (3, 1_000, vec![75]);
            }),
            kind("solo", true, |k| k.concurrency = 1),
            kind("note", false, |_| {}),
        ]),
        status: None,
        running_max: 32,
        record: mainstay::config::RecordConfig::default(),
        given: std::collections::BTreeSet::new(),
        hash: String::new(),
    }
}

/// What tells configurations apart here.
fn meaning(config: &Config) -> String {
    serde_json::to_string(config).expect("plain data")
}

/// Local requests and signals.
#[derive(Default)]
struct Desk {
    queue: VecDeque<ControlInput>,
    answers: Vec<(u64, Answer)>,
    notices: Vec<Notice>,
    /// Boot clock of every sign of life.
    alive: Vec<i64>,
    /// Half of the time in which the service manager wants one.
    watchdog: Option<Duration>,
    connections: u64,
}

struct FakeControl {
    shared: Rc<Shared>,
    desk: Rc<RefCell<Desk>>,
}

impl Control for FakeControl {
    fn next(&self) -> LocalFuture<'_, ControlInput> {
        let desk = self.desk.clone();
        self.shared.wait(move || desk.borrow_mut().queue.pop_front())
    }

    fn ready(&self) -> Vec<ControlInput> {
        self.desk.borrow_mut().queue.drain(..).collect()
    }

    fn answer(&self, connection: u64, answer: Answer) {
        self.shared.tick();
        self.shared.act();
        self.desk.borrow_mut().answers.push((connection, answer));
        self.shared.tick();
    }

    fn notify(&self, notice: Notice) {
        let mut desk = self.desk.borrow_mut();
        if notice == Notice::Alive {
            desk.alive.push(self.shared.boot_ms.get());
        }
        if desk.notices.last() != Some(&notice) {
            desk.notices.push(notice);
        }
    }

    fn watchdog(&self) -> Option<Duration> {
        self.desk.borrow().watchdog
    }
}

/// How a daemon's life ended.
#[derive(Debug)]
pub(crate) enum Exit {
    /// By itself.
    Ended(Result<(), Fatal>),
    /// At the point set by [`World::kill_in`].
    Killed,
}

/// The world.
pub(crate) struct World {
    pub(crate) config: Config,
    pub(crate) shared: Rc<Shared>,
    pub(crate) disk: Rc<Disk>,
    pub(crate) machine: Rc<RefCell<Machine>>,
    pub(crate) chats: Rc<RefCell<Chats>>,
    desk: Rc<RefCell<Desk>>,
    daemon: Option<LocalFuture<'static, Result<(), Fatal>>>,
    pub(crate) exit: Option<Exit>,
    boots: u32,
    keys: Cell<u32>,
    /// Whose local requests are.
    pub(crate) uid: u32,
    /// They come from below a task.
    pub(crate) from_task: bool,
}

impl World {
    /// A world with a running daemon that has seen its first poll.
    pub(crate) fn new() -> World {
        World::with(|_| {})
    }

    /// The same, with another configuration.
    pub(crate) fn with(change: impl FnOnce(&mut Config)) -> World {
        let mut config = config();
        change(&mut config);
        let shared = Shared::new(7);
        let mut world = World {
            config,
            disk: Rc::new(Disk::new(shared.clone())),
            shared,
            machine: Rc::default(),
            chats: Rc::new(RefCell::new(Chats::new())),
            desk: Rc::default(),
            daemon: None,
            exit: None,
            boots: 1,
            keys: Cell::new(0),
            uid: 0,
            from_task: false,
        };
        world.start();
        world
    }

    // ------------------------------------------------------------------------------------------ the daemon

    /// Starts a daemon and lets it settle.
    pub(crate) fn start(&mut self) {
        assert!(self.daemon.is_none(), "one daemon at a time");
        // What was said to a dead one was heard by nobody.
        self.desk.borrow_mut().queue.clear();
        let (shared, boot) = (self.shared.clone(), self.shared.boot.borrow().clone());
        let ports = Ports {
            version: mainstay::release::VERSION.to_owned(),
            time: Rc::new(FakeTime { shared: shared.clone(), boot: boot.clone() }),
            telegram: self.config.telegram.as_ref().map(|_| {
                let chats = self.chats.clone();
                Rc::new(FakeTelegram { shared: shared.clone(), chats }) as Rc<dyn mainstay::ports::Telegram>
            }),
            storage: self.disk.clone(),
            runner: Rc::new(FakeRunner { shared: shared.clone(), machine: self.machine.clone(), boot }),
            control: Rc::new(FakeControl { shared, desk: self.desk.clone() }),
            secrets: Rc::default(),
        };
        self.exit = None;
        self.config.hash = meaning(&self.config);
        self.daemon = Some(Box::pin(run(ports, Rc::new(self.config.clone()))));
        self.settle();
    }

    pub(crate) fn is_up(&self) -> bool {
        self.daemon.is_some()
    }

    /// Lets everything happen that needs no time.
    pub(crate) fn settle(&mut self) {
        self.shared.still();
        loop {
            self.machine.borrow_mut().advance(self.shared.boot_ms.get(), self.shared.wall_ms.get());
            for waker in self.shared.wakers.take() {
                waker.wake();
            }
            self.shared.deadlines.borrow_mut().clear();
            let before = self.shared.activity.get();
            let Some(daemon) = &mut self.daemon else { return };
            let mut cx = Context::from_waker(Waker::noop());
            let exit = match catch_unwind(AssertUnwindSafe(|| daemon.as_mut().poll(&mut cx))) {
                Ok(Poll::Pending) if self.shared.activity.get() == before => return,
                Ok(Poll::Pending) => continue,
                Ok(Poll::Ready(result)) => Exit::Ended(result),
                Err(killed) if killed.is::<Killed>() => Exit::Killed,
                Err(panic) => resume_unwind(panic),
            };
            self.bury(exit);
            return;
        }
    }

    fn bury(&mut self, exit: Exit) {
        self.daemon = None;
        self.exit = Some(exit);
        self.shared.kill_in(None);
        self.machine.borrow_mut().orphan();
        self.desk.borrow_mut().queue.clear();
        self.shared.wakers.borrow_mut().clear();
        self.shared.deadlines.borrow_mut().clear();
    }

    /// `kill -9`, where it waits.
    pub(crate) fn kill(&mut self) {
        self.bury(Exit::Killed);
    }

    /// `kill -9`, so many calls of ports from here.
    pub(crate) fn kill_in(&mut self, calls: u64) {
        self.shared.kill_in(Some(calls));
    }

    pub(crate) fn restart(&mut self) {
        self.kill();
        self.start();
    }

    /// The daemon and every process are gone; the boot clock starts again after `off_ms` without power.
    pub(crate) fn power_loss(&mut self, off_ms: i64) {
        self.kill();
        self.machine.borrow_mut().power_loss();
        self.boots += 1;
        *self.shared.boot.borrow_mut() = format!("boot-{}", self.boots);
        self.shared.boot_ms.set(20_000);
        self.shared.wall_ms.set(self.shared.wall_ms.get() + off_ms);
    }

    /// The service manager wants signs of life, in twice this time.
    pub(crate) fn watch(&mut self, half: Duration) {
        self.desk.borrow_mut().watchdog = Some(half);
    }

    /// Boot clock of every sign of life since a time.
    pub(crate) fn signs_of_life(&self, since: i64) -> Vec<i64> {
        self.desk.borrow().alive.iter().copied().filter(|at| *at >= since).collect()
    }

    /// SIGTERM.
    pub(crate) fn terminate(&mut self) {
        self.desk.borrow_mut().queue.push_back(ControlInput::Terminate);
        self.settle();
    }

    // ------------------------------------------------------------------------------------------ time

    pub(crate) fn now(&self) -> i64 {
        self.shared.boot_ms.get()
    }

    /// Lets so much time pass, stopping wherever somebody waits for something.
    pub(crate) fn advance(&mut self, ms: i64) {
        let until = self.now() + ms;
        self.settle();
        while self.now() < until {
            let deadline = self.shared.deadlines.borrow().iter().copied().filter(|at| *at > self.now()).min();
            let next = self.machine.borrow().next().filter(|at| *at > self.now());
            let to = [deadline, next, Some(until)].into_iter().flatten().min().unwrap_or(until).min(until);
            let by = to - self.now();
            self.shared.boot_ms.set(to);
            self.shared.wall_ms.set(self.shared.wall_ms.get() + by);
            self.settle();
        }
    }

    /// Long enough for every message to go out and every short task to end.
    pub(crate) fn quiet(&mut self) {
        self.advance(20_000);
    }

    // ------------------------------------------------------------------------------------------ people

    fn key(&self) -> String {
        self.keys.set(self.keys.get() + 1);
        format!("key{}", self.keys.get())
    }

    /// Somebody asks on the command line, and nobody waits yet.
    pub(crate) fn request(&mut self, key: &str, line: &str) -> u64 {
        let mut desk = self.desk.borrow_mut();
        desk.connections += 1;
        let connection = desk.connections;
        let argv = line.split_whitespace().map(str::to_owned).collect();
        let request = LocalRequest { connection, uid: self.uid, from_task: self.from_task, key: key.to_owned(), argv };
        desk.queue.push_back(ControlInput::Request(request));
        connection
    }

    pub(crate) fn answer(&self, connection: u64) -> Option<Answer> {
        self.desk.borrow().answers.iter().find(|(c, _)| *c == connection).map(|(_, answer)| answer.clone())
    }

    /// The command line, with a key of its own.
    pub(crate) fn cli(&mut self, line: &str) -> Answer {
        let key = self.key();
        self.cli_again(&key, line)
    }

    /// The command line, with a given key.
    pub(crate) fn cli_again(&mut self, key: &str, line: &str) -> Answer {
        let connection = self.request(key, line);
        self.settle();
        self.answer(connection).unwrap_or_else(|| panic!("no answer to {line:?}: {:?}", self.exit))
    }

    /// Somebody writes in their private chat.
    pub(crate) fn say(&mut self, user: i64, text: &str) {
        self.say_in(user, user, text);
    }

    pub(crate) fn say_in(&mut self, chat: i64, user: i64, text: &str) {
        self.write(chat, user, text, 0, json!({}));
    }

    /// Somebody wrote so long ago; `extra` is added to the message.
    pub(crate) fn write(&mut self, chat: i64, user: i64, text: &str, ago_ms: i64, extra: serde_json::Value) -> i32 {
        let date = (self.shared.wall_ms.get() - ago_ms) / 1_000;
        let id = {
            let mut chats = self.chats.borrow_mut();
            let id = chats.message_id();
            let mut message = chats.message_json(chat, id, Some(user), text, date);
            for (name, value) in extra.as_object().into_iter().flatten() {
                message[name] = value.clone();
            }
            chats.update("message", message);
            id
        };
        self.settle();
        id
    }

    /// Any update.
    pub(crate) fn update(&mut self, kind: &str, body: serde_json::Value) {
        self.chats.borrow_mut().update(kind, body);
        self.settle();
    }

    /// Our standing in a chat changes.
    pub(crate) fn membership(&mut self, chat: i64, by: i64, status: &str) {
        let bot = json!({ "id": BOT, "is_bot": true, "first_name": "bot", "username": "our_bot" });
        let mut now = json!({ "user": bot, "status": status });
        if status == "kicked" {
            now["until_date"] = json!(0);
        }
        self.update(
            "my_chat_member",
            json!({
                "chat": chat_json(chat), "from": user_json(by), "date": self.shared.wall_ms.get() / 1_000,
                "old_chat_member": { "user": bot, "status": "left" }, "new_chat_member": now,
            }),
        );
    }

    /// Somebody presses a button of a task's card.
    pub(crate) fn press(&mut self, user: i64, chat: i64, task: i64, label: &str) {
        let (id, data) = self.button(chat, task, label);
        self.press_data(user, chat, id, &data);
    }

    /// The message and data of a button of a task's card.
    pub(crate) fn button(&self, chat: i64, task: i64, label: &str) -> (i32, String) {
        let (id, card) = self.card(chat, task).unwrap_or_else(|| panic!("no card of {task} in {chat}"));
        let button = card.buttons.iter().find(|(l, _)| l.contains(label));
        (id, button.unwrap_or_else(|| panic!("no button {label} in {card:?}")).1.clone())
    }

    pub(crate) fn press_data(&mut self, user: i64, chat: i64, message: i32, data: &str) {
        let body = {
            let mut chats = self.chats.borrow_mut();
            let id = chats.press_id();
            let shown = chats.message_json(chat, message, None, "card", self.shared.wall_ms.get() / 1_000);
            json!({ "id": id, "from": user_json(user), "message": shown, "chat_instance": "1", "data": data })
        };
        self.update("callback_query", body);
    }

    /// An update of before is delivered again; `which` counts from the newest.
    pub(crate) fn replay(&mut self, which: usize, fresh_id: bool) {
        let index = self.chats.borrow().past.len() - 1 - which;
        self.chats.borrow_mut().again(index, fresh_id);
        self.settle();
    }

    // ------------------------------------------------------------------------------------------ what is there

    /// The newest card of a task in a chat.
    pub(crate) fn card(&self, chat: i64, task: i64) -> Option<(i32, Message)> {
        let start = format!("#{task} ");
        let is_card = |m: &Message| m.text().trim_start_matches("(possible repeat) ").starts_with(&start);
        let chats = self.chats.borrow();
        chats
            .chats
            .get(&chat)?
            .iter()
            .rev()
            .find(|(_, m)| is_card(m) && !m.buttons.is_empty())
            .map(|(id, m)| (*id, m.clone()))
    }

    /// Every text that a chat shows now.
    pub(crate) fn texts(&self, chat: i64) -> Vec<String> {
        let chats = self.chats.borrow();
        chats.chats.get(&chat).into_iter().flatten().map(|(_, m)| m.text().to_owned()).collect()
    }

    /// How many messages of a chat show this.
    pub(crate) fn shows(&self, chat: i64, part: &str) -> usize {
        self.texts(chat).iter().filter(|t| t.contains(part)).count()
    }

    /// The final reports of a task in a chat.
    pub(crate) fn reports(&self, chat: i64, task: i64) -> Vec<String> {
        let part = format!(" #{task} ");
        let marks = ["✅", "🔴", "⚪"];
        let is_report = |t: &String| {
            let text = t.trim_start_matches("(possible repeat) ");
            marks.iter().any(|m| text.starts_with(m)) && text.contains(&part)
        };
        self.texts(chat).into_iter().filter(is_report).collect()
    }

    pub(crate) fn store(&self) -> Store {
        Store::open_to_read(self.disk.look()).expect("the database can be read")
    }

    pub(crate) fn task(&self, id: i64) -> TaskView {
        self.store().task(TaskId(id)).expect("readable").unwrap_or_else(|| panic!("there is no task {id}"))
    }

    pub(crate) fn state(&self, id: i64) -> State {
        self.task(id).task.state
    }

    pub(crate) fn tasks(&self) -> i64 {
        self.disk.look().query_row("SELECT count(*) FROM tasks", [], |r| r.get(0)).expect("a count")
    }

    /// The number of the task that was asked for last. After a restore that is more than there are.
    fn newest_task(&self) -> i64 {
        self.disk.look().query_row("SELECT max(id) FROM tasks", [], |r| r.get(0)).expect("a number")
    }

    /// How often this attempt really ran.
    pub(crate) fn ran(&self, task: i64, attempt: u32) -> u32 {
        self.machine.borrow().ran.get(&key(task, attempt)).copied().unwrap_or(0)
    }

    pub(crate) fn events(&self) -> Vec<Recorded> {
        self.store().logs(&LogFilter { last: u32::MAX, ..LogFilter::default() }).expect("readable")
    }

    /// How many events of a kind there are.
    pub(crate) fn count(&self, what: impl Fn(&Fact) -> bool) -> usize {
        self.events().iter().filter(|e| what(&e.fact)).count()
    }

    // ------------------------------------------------------------------------------------------ short ways

    /// A task asked for by Olga, approved by Axel and resumed by Olga; it is claimed at once if there is a slot.
    pub(crate) fn run_task(&mut self, kind: &str, prompt: &str) -> i64 {
        let id = self.approved(kind, prompt);
        self.say(OLGA, &format!("/resume {id}"));
        id
    }

    /// The same while the database may fail: nothing is looked at in between.
    pub(crate) fn run_task_unseen(&mut self, kind: &str, prompt: &str) -> i64 {
        for (who, text) in
            [(OLGA, format!("/newtask {kind} {prompt}")), (AXEL, "/approve 1".into()), (OLGA, "/resume 1".into())]
        {
            self.say(who, &text);
            self.advance(1_000);
        }
        1
    }

    /// A task asked for by Olga and approved by Axel.
    pub(crate) fn approved(&mut self, kind: &str, prompt: &str) -> i64 {
        self.say(OLGA, &format!("/newtask {kind} {prompt}"));
        let id = self.newest_task();
        self.say(AXEL, &format!("/approve {id}"));
        assert_eq!(self.state(id), State::Approved);
        id
    }
}

pub(crate) fn key(task: i64, attempt: u32) -> AttemptKey {
    AttemptKey { task: TaskId(task), attempt }
}
