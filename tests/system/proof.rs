//! Real runs, judged by what judges simulated ones: the real program, real processes and a real disk, `kill -9` all the time,
//! and at the end the same list of properties over the same kind of evidence.

use super::phone::token;
use super::place::{Chance, PATIENCE, Place, kills_wanted};
use mainstay::attempt::End;
use mainstay::id::{AttemptKey, TaskId};
use mainstay::real::config_file;
use mainstay::real::store::inspect;
use mainstay_sim::botapi::{ChatId, Limits, MessageId, Millis, Seen, Server, UserId, World};
use mainstay_sim::people::{Asked, GROUP, People, Pressed, job_of, move_in, task_of};
use mainstay_sim::property::{Evidence, Looked, Outages, Part, all_events, judge};
use mainstay_sim::scenario::{Job, Span, Via};
use mainstay_sim::world::machine::Ran;
use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::time::{Duration, Instant, SystemTime};

/// Kills when nobody asks for more.
const KILLS: u64 = 200;
/// Jobs at once: as many as leave the daemon something to do between two kills, and no burst.
const JOBS_AT_ONCE: usize = 3;
/// Who does not see a button work presses it again.
const PRESSED_AGAIN_AFTER: Duration = Duration::from_secs(5);

const ANA: UserId = UserId(11);
const BEN: UserId = UserId(12);

/// Does what the first word behind the job's number says, and keeps a ledger that the daemon has no hand in. The prompt comes
/// last on a line, as anything may be in it.
const WORKER: &str = r#"#!/bin/sh
here=${0%/*}
read -r prompt
note() { echo "$1 $MAINSTAY_TASK_ID $MAINSTAY_ATTEMPT $MAINSTAY_NONCE $(date +%s%3N) $2 $prompt" >> "$here/ledger"; }
rest=${prompt#*exit:}; code=${rest%%@*}; ms=${rest#*@}; ms=${ms%% *}
note begin -
sleep "$((ms / 1000)).$(printf %03d $((ms % 1000)))"
note end "$code"
exit "$code"
"#;

const CONFIG: &str = r#"
state_dir = "state"
[telegram]
token_file = "token"
api_url = "{url}"
poll_timeout = "30s"
chats = [{group}]
report_chat = {group}
[[operator]]
id = 11
name = "ana"
roles = ["operator", "approver"]
[[operator]]
id = 12
name = "ben"
roles = ["operator", "approver"]
[[kind]]
name = "build"
argv = ["{dir}/worker"]
[[kind]]
name = "backup"
argv = ["{dir}/worker"]
idempotent = true
max_attempts = 3
backoff = "100ms"
[[kind]]
name = "flaky"
argv = ["{dir}/worker"]
max_attempts = 3
backoff = "100ms"
transient_exit_codes = [75]
"#;

struct Real {
    server: Server,
    place: Place,
    began: Instant,
    epoch_ms: u64,
    chance: Chance,
    asked: Vec<Asked>,
    outages: Outages,
    kills: u64,
    /// The daemon is left alone until then.
    calm_until: Instant,
    /// When each button that was pressed was pressed last.
    pressed: BTreeMap<String, Instant>,
}

impl Real {
    fn begin() -> Real {
        let epoch = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        let epoch_ms = u64::try_from(epoch.as_millis()).expect("not that late");
        let mut world = World::new(7);
        world.limits = Limits::none();
        world.add_bot(&token(), "Mainstay", "mainstay_bot");
        move_in(&mut world.people(Millis(epoch_ms)));
        let server = Server::start(world).expect("a port");
        let config = CONFIG.replace("{url}", &server.url()).replace("{group}", &GROUP.0.to_string());
        let place = Place::bare(&config);
        fs::write(place.path("worker"), WORKER).expect("write the worker");
        let secret = File::options().write(true).create_new(true).mode(0o600).open(place.path("token"));
        secret.expect("make the token's file").write_all(token().as_bytes()).expect("write");
        let mut real = Real {
            server,
            place,
            began: Instant::now(),
            epoch_ms,
            chance: Chance::new("real runs"),
            asked: Vec::new(),
            outages: Outages::default(),
            kills: 0,
            calm_until: Instant::now(),
            pressed: BTreeMap::new(),
        };
        for person in [ANA, BEN] {
            real.server.people(|people| people.say(person, ChatId(person.0), "/start"));
        }
        real.place.start();
        real
    }

    fn now(&self) -> i64 {
        i64::try_from(self.began.elapsed().as_millis()).expect("not that long")
    }

    /// `kill -9` at any moment; the next daemon comes at once or a little later, and may be killed while it takes over.
    fn perhaps_kill(&mut self) {
        if Instant::now() < self.calm_until {
            return;
        }
        self.place.kill();
        self.kills += 1;
        let now = self.now();
        self.outages.note(Part::Daemon, now, true);
        if self.chance.below(4) == 0 {
            std::thread::sleep(Duration::from_millis(self.chance.below(300)));
        }
        self.place.launch();
        let now = self.now();
        self.outages.note(Part::Daemon, now, false);
        let calm = if self.chance.below(3) == 0 { self.chance.below(60) } else { 60 + self.chance.below(300) };
        self.calm_until = Instant::now() + Duration::from_millis(calm);
    }

    /// Somebody asks for one more.
    fn ask(&mut self) {
        let n = self.asked.len() + 1;
        let kind = ["build", "backup", "flaky"][usize::try_from(self.chance.below(3)).expect("small")];
        let code = [0, 0, 0, 1, 75][usize::try_from(self.chance.below(5)).expect("small")];
        let (by, user) = if self.chance.below(2) == 0 { ("ana", ANA) } else { ("ben", BEN) };
        let does = format!("exit:{code}@{}", self.chance.below(1_500));
        let text = format!("/newtask {kind} job-{n} {does}");
        let at = self.now();
        let job = Job {
            at: Span(at.unsigned_abs()),
            by: by.into(),
            kind: kind.into(),
            does,
            via: Via::Private,
            stop_after: None,
            ends: None,
            runs: None,
            left_alone: false,
            attempts: None,
            reported: None,
        };
        let mut asked = People::new(0, vec![job]).jobs.remove(0);
        asked.at = Some(at);
        let chat = ChatId(user.0);
        let message = self.server.people(|people| people.say(user, chat, &text));
        asked.messages.push((chat, message));
        self.asked.push(asked);
    }

    /// What the bot says to each of them.
    fn screens(&self) -> Vec<(UserId, Seen)> {
        let world = self.server.world();
        let seen = |person: UserId| world.screen(ChatId(person.0)).messages.into_iter().map(move |seen| (person, seen));
        [ANA, BEN].into_iter().flat_map(seen).filter(|(_, seen)| seen.is_bot).collect()
    }

    /// Both look at their chats and press what is theirs to press. How many jobs are not reported yet.
    fn look(&mut self) -> usize {
        let mut reported = vec![false; self.asked.len()];
        for (person, seen) in self.screens() {
            let job = seen.text.find("job-").and_then(|at| job_of(&seen.text[at..])).and_then(|n| n.checked_sub(1));
            let Some((n, task)) = job.zip(task_of(&seen.text)) else { continue };
            let now = self.now();
            self.asked[n].acknowledged.get_or_insert(now);
            self.asked[n].tasks.insert(task);
            reported[n] |= ["✅", "🔴", "⚪"].iter().any(|mark| seen.text.contains(&format!("{mark} #{task} ")));
            let requester = if self.asked[n].job.by == "ana" { ANA } else { BEN };
            for button in seen.buttons.iter().flatten() {
                let theirs = match button.label.as_str() {
                    "✅ Approve" => person != requester,
                    "▶ Resume" => person == requester,
                    _ => false,
                };
                if theirs {
                    self.press(seen.id, button.data.as_deref().unwrap_or_default(), person, n, task);
                }
            }
        }
        reported.iter().filter(|is| !**is).count()
    }

    fn press(&mut self, message: MessageId, data: &str, by: UserId, n: usize, task: i64) {
        match self.pressed.insert(data.to_owned(), Instant::now()) {
            Some(at) if at.elapsed() < PRESSED_AGAIN_AFTER => {
                self.pressed.insert(data.to_owned(), at);
                return;
            }
            Some(_) | None => {}
        }
        let pressed = Pressed { task: Some(task), by, at: self.now() };
        let requester = if self.asked[n].job.by == "ana" { ANA } else { BEN };
        let presses = if by == requester { &mut self.asked[n].resumed } else { &mut self.asked[n].approved };
        presses.push(pressed);
        // Somebody else may have been faster: then it is not there any more.
        let _ = self.server.people(|people| people.press(by, ChatId(by.0), message, data));
    }

    /// What really ran, by the workers' own account.
    fn ledger(&self) -> Vec<Ran> {
        let mut ledger: Vec<Ran> = Vec::new();
        for line in fs::read_to_string(self.place.path("ledger")).unwrap_or_default().lines() {
            let mut words = line.splitn(7, ' ');
            let mut word = || words.next().expect("seven words");
            let (what, task, attempt) = (word(), word(), word());
            let key = AttemptKey {
                task: TaskId(task.parse().expect("a number")),
                attempt: attempt.parse().expect("a number"),
            };
            let (nonce, at, code, prompt) = (word().to_owned(), word(), word(), word().to_owned());
            let at = at.parse::<i64>().expect("a time") - i64::try_from(self.epoch_ms).expect("a time");
            if what == "begin" {
                ledger.push(Ran { key, nonce, prompt, began_ms: at, ended_ms: None, end: None, effects: 0 });
            } else {
                let ran = ledger.iter_mut().rfind(|ran| ran.nonce == nonce).expect("it began before");
                (ran.ended_ms, ran.end) = (Some(at), Some(End::Exited(code.parse().expect("a code"))));
            }
        }
        ledger
    }
}

#[test]
fn killed_all_the_time_a_real_run_holds_what_simulated_ones_hold() {
    let mut real = Real::begin();
    let wanted = kills_wanted(KILLS);
    let mut progress = (Instant::now(), 0, 0);
    loop {
        let open = real.look();
        if real.kills < wanted {
            real.perhaps_kill();
            if open < JOBS_AT_ONCE {
                real.ask();
            }
        } else if open == 0 {
            break;
        }
        if (progress.1, progress.2) != (open, real.asked.len()) {
            progress = (Instant::now(), open, real.asked.len());
        }
        assert!(progress.0.elapsed() < PATIENCE, "{open} of {} jobs are never reported", real.asked.len());
        std::thread::sleep(Duration::from_millis(5));
    }
    // What is still to be shown of it is.
    let pending = |real: &Real| real.place.cli(&["ops"])["outbox"]["pending"].as_i64();
    super::place::until("everything is shown", || (pending(&real) == Some(0)).then_some(()));
    real.place.terminate();
    assert_eq!(real.place.processes(), Vec::<i32>::new(), "nothing is left of the tasks");

    let config =
        config_file::load(&real.place.path("mainstay.toml")).expect("it was good enough for the daemon").config;
    let store = inspect(&real.place.path("state/mainstay.db")).expect("it can be read");
    let evidence = Evidence {
        now_ms: real.now(),
        epoch_ms: i64::try_from(real.epoch_ms).expect("a time"),
        ledger: real.ledger(),
        alive: Vec::new(),
        wrongs: Vec::new(),
        // This machine and its disk keep no books of what is tried.
        tried: Vec::new(),
        opened: Vec::new(),
        telegram: real.server.shared(),
        // The clients in which this run asks see to their answers themselves.
        answers: Vec::new(),
        asked: &real.asked,
        outages: &real.outages,
        config: &config,
        store: &store,
        events: all_events(&store).expect("it can be read"),
        looked: Looked::default(),
    };
    assert!(evidence.ledger.len() >= real.asked.len() && real.asked.len() >= JOBS_AT_ONCE, "{} jobs", real.asked.len());
    assert_eq!(judge(&evidence), None, "{} kills, {} jobs", real.kills, real.asked.len());
    eprintln!("{} kills, {} jobs, {} programs started", real.kills, real.asked.len(), evidence.ledger.len());

    // And it would be seen: a program that ran once more, and a report that nobody got.
    let mut twice = Evidence { ledger: real.ledger(), ..evidence };
    let again = twice.ledger[0].clone();
    twice.ledger.push(again);
    assert!(judge(&twice).is_some_and(|broken| broken.property == "no attempt runs twice"), "{:?}", judge(&twice));
}
