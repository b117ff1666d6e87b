//! Evidence that is forged, one way for each property: a check that does not see it sees nothing.

use crate::botapi::http::Shared;
use crate::botapi::{self, Effect, Fault, Methods, Millis, Request, World as Telegram};
use crate::people::{Asked, GROUP, MEDDLING, People, Pressed, STRANGER, chats};
use crate::property::{Evidence, Looked, Outages, PROPERTIES, all_events, judge, look_at_crash, told};
use crate::world::clock::EPOCH_MS;
use crate::world::machine::{Ran, Tried};
use crate::world::{TOKEN, World};
use mainstay::attempt::End;
use mainstay::config::Config;
use mainstay::event::{Fact, Recorded};
use mainstay::id::{AttemptKey, TaskId};
use mainstay::ports::Answer;
use mainstay::real::store::Store;
use std::collections::BTreeMap;

/// What evidence is made of, to be changed.
struct Parts {
    now_ms: i64,
    ledger: Vec<Ran>,
    alive: Vec<AttemptKey>,
    wrongs: Vec<String>,
    tried: Vec<Tried>,
    opened: Vec<i64>,
    telegram: Telegram,
    answers: Vec<Answer>,
    asked: Vec<Asked>,
    config: Config,
    events: Vec<Recorded>,
    db: rusqlite::Connection,
}

type Forge = fn(&mut Parts);

const TRIES: &str = "what fails is tried no faster than its limits say";

/// For each property, how evidence is forged so that it does not hold; each way for itself.
const FORGED: [(&str, Forge); 31] = [
    ("the record is whole", |p| sql(p, "UPDATE events SET at = at + 1 WHERE seq = 2")),
    ("one daemon at a time writes the record", |p| p.events[1].epoch = 99),
    ("the machine is asked nothing impossible", |p| p.wrongs.push("forged".into())),
    ("no attempt runs twice", |p| p.ledger.push(p.ledger[0].clone())),
    ("nothing runs beside its twin or after an unknown end", |p| {
        let first = p.ledger[0].clone();
        p.ledger.push(Ran { key: AttemptKey { attempt: 99, ..first.key }, began_ms: first.began_ms + 1, ..first });
    }),
    ("nothing runs without its approvals and a resume", |p| p.asked.iter_mut().for_each(|asked| asked.resumed.clear())),
    ("retry budgets are kept", |p| {
        let first = p.ledger[0].clone();
        p.ledger.extend((50..70).map(|attempt| Ran { key: AttemptKey { attempt, ..first.key }, ..first.clone() }));
    }),
    ("no more runs at once than there are slots", |p| {
        let first = p.ledger[0].clone();
        let key = |n: i64| AttemptKey { task: TaskId(1_000 + n), attempt: 1 };
        p.ledger.extend((0..50_i64).map(|n| Ran { key: key(n), ..first.clone() }));
    }),
    ("nothing is stopped that nobody wants stopped", |p| {
        let first = &mut p.ledger[0];
        (first.end, first.ended_ms) = (Some(End::Signaled(15)), Some(first.began_ms + 1));
        // Too late to be why.
        let wish = Pressed { task: Some(first.key.task.0), by: STRANGER, at: first.began_ms + 2 };
        p.asked.iter_mut().for_each(|asked| asked.stopped = Some(wish));
    }),
    ("a wish to stop is fulfilled in time", |p| {
        let (task, at) = (p.ledger[0].key.task.0, p.ledger[0].began_ms);
        p.ledger[0].ended_ms = Some(at + 10_000_000);
        let by = STRANGER;
        p.asked.iter_mut().for_each(|asked| asked.stopped = Some(Pressed { task: Some(task), by, at }));
    }),
    ("nothing acknowledged is lost", |p| p.asked[0].tasks.extend([9_999])),
    ("one wish has one effect", |p| {
        let received = p.events.iter().find(|event| matches!(event.fact, Fact::Received { .. })).cloned();
        p.events.extend(received);
    }),
    ("every task comes to its end", |p| p.asked.iter_mut().for_each(|asked| asked.job.ends = Some("NOWHERE".into()))),
    ("every move is legal and has its reason", |p| {
        let first = p.events.iter().position(|event| event.fact.step().is_some());
        first.map(|first| p.events.remove(first));
    }),
    ("a true exit is reported as such", |p| {
        let flip = |end: &Option<End>| if *end == Some(End::Exited(0)) { End::Exited(9) } else { End::Exited(0) };
        p.ledger.iter_mut().for_each(|ran| ran.end = Some(flip(&ran.end)));
    }),
    ("every end is reported, and repeats are marked", |p| {
        for chat in chats() {
            for message in p.telegram.screen(chat).messages.iter().filter(|message| message.is_bot) {
                p.telegram.people(Millis(0)).delete(chat, message.id);
            }
        }
    }),
    ("cards show where tasks stand", |p| sql(p, "UPDATE tasks SET state = 'EXPIRED'")),
    ("attempts and their errors are on record", |p| {
        p.events.retain(|event| !matches!(event.fact, Fact::Identified { .. }));
    }),
    ("the trace of an ended task is complete", |p| p.events.retain(|event| !matches!(event.fact, Fact::Sent { .. }))),
    ("why explains what is not finished", |p| {
        p.config.kinds.clear();
        sql(p, "UPDATE tasks SET state = 'REQUESTED'");
    }),
    ("nothing is left running", |p| p.alive.push(p.ledger[0].key)),
    ("strangers are told nothing and do nothing", |p| p.ledger[0].prompt = MEDDLING.into()),
    ("nothing is asked of Telegram in a tight loop", |p| {
        for _ in 0..1_000 {
            request(p, "getMe");
        }
    }),
    (TRIES, |p| {
        p.telegram.faults.always(Methods::All, Fault::Conflict);
        every(p, 1_500, "getUpdates");
    }),
    (TRIES, |p| {
        p.telegram.faults.always(Methods::All, Fault::Html(502, Effect::Missing));
        every(p, 400, "sendMessage");
    }),
    (TRIES, |p| {
        let first = p.ledger[0].key;
        let tried = |n: i64| Tried { at_ms: n * 2_000, key: AttemptKey { task: TaskId(n), ..first }, failed: true };
        p.tried = (0..100).map(tried).collect();
    }),
    (TRIES, |p| p.opened = (0..1_000).map(|n| n * 100).collect()),
    ("flood waits are kept", |p| {
        p.telegram.faults.always(Methods::All, Fault::RetryAfter(5));
        request(p, "sendMessage");
        request(p, "sendMessage");
    }),
    ("an alert is told once, and once when it is over", |p| {
        let text = "alert disk_low: forged. What to do: nothing";
        say(p, text);
        say(p, text);
    }),
    ("who should have ended is told of within a minute", |p| {
        let first = p.ledger[0].clone();
        p.ledger[0] = Ran { ended_ms: Some(first.began_ms + 10_000_000), ..first };
        p.now_ms = p.now_ms.max(p.ledger[0].began_ms + 10_000_000);
    }),
    ("polling recovers in time", |p| p.now_ms += 100_000_000),
];

/// The same for what is judged when a daemon has died: a record that knows nothing, and an answer of which it does not.
const FORGED_AT_DEATHS: [Forge; 2] = [
    |p| p.events.clear(),
    |p| {
        let (text, data) = ("#9999 approved: it can be resumed".into(), serde_json::Value::Null);
        p.answers.push(Answer { ok: true, text, data });
    },
];

/// Changes the tables as no daemon can.
fn sql(parts: &mut Parts, sql: &str) {
    let triggers = parts.db.prepare("SELECT name FROM sqlite_master WHERE type = 'trigger'");
    let names =
        triggers.and_then(|mut all| all.query_map([], |r| r.get::<_, String>(0))?.collect::<Result<Vec<_>, _>>());
    let drop_all = names.expect("it is read").iter().map(|name| format!("DROP TRIGGER {name}; ")).collect::<String>();
    parts.db.execute_batch(&format!("{drop_all}{sql}")).expect("a statement of this file");
}

/// For two minutes, a request every so many ms.
fn every(parts: &mut Parts, pause_ms: i64, method: &str) {
    let until = parts.now_ms + 120_000;
    while parts.now_ms < until {
        request(parts, method);
        parts.now_ms += pause_ms;
    }
}

fn request(parts: &mut Parts, method: &str) {
    ask(parts, method, "forged");
}

fn say(parts: &mut Parts, text: &str) {
    ask(parts, "sendMessage", text);
}

fn ask(parts: &mut Parts, method: &str, text: &str) {
    let at = Millis(u64::try_from(EPOCH_MS + parts.now_ms).unwrap_or(0));
    let body = serde_json::json!({ "chat_id": GROUP.0, "text": text });
    let (token, files) = (TOKEN.to_owned(), BTreeMap::new());
    botapi::handle(&mut parts.telegram, at, Request { token, method: method.into(), body, files, connection: 0 });
}

/// Of a run that is over and held: which properties do not see what is forged for them.
///
/// # Errors
/// The run can't be read, or does not hold as it is.
pub fn unseen(world: &World, people: &People, config: &Config) -> Result<Vec<&'static str>, String> {
    let mut unseen = Vec::new();
    for property in &PROPERTIES {
        let ways: Vec<Forge> =
            FORGED.iter().filter(|(name, _)| *name == property.name).map(|(_, forge)| *forge).collect();
        if ways.is_empty() {
            return Err(format!("nothing is forged for {:?}: add it in control/forge.rs", property.name));
        }
        for forge in ways {
            if !is_seen(world, people, config, forge, |e| (property.check)(e).is_err() && judge(e).is_some())? {
                unseen.push(property.name);
            }
            // Of those that count when a daemon has died, also by who judges then.
            let at_deaths = |e: &Evidence<'_>| look_at_crash(e).is_err();
            if property.at_deaths && !is_seen(world, people, config, forge, at_deaths)? {
                unseen.push(property.name);
            }
        }
    }
    for forge in FORGED_AT_DEATHS {
        if !is_seen(world, people, config, forge, |e| look_at_crash(e).is_err_and(|it| it.property == told::NAME))? {
            unseen.push(told::NAME);
        }
    }
    Ok(unseen)
}

/// Whether it is seen that evidence of this run was forged.
fn is_seen(
    world: &World,
    people: &People,
    config: &Config,
    forge: Forge,
    sees: impl FnOnce(&Evidence<'_>) -> bool,
) -> Result<bool, String> {
    let (_copy, db) = world.left_on_disk().map_err(|error| error.to_string())?;
    let store = Store::open_to_read(db).map_err(|error| error.to_string())?;
    let events = all_events(&store)?;
    drop(store);
    let (_copy, db) = world.left_on_disk().map_err(|error| error.to_string())?;
    let mut parts = Parts {
        now_ms: world.now(),
        ledger: world.machine.ledger(),
        alive: world.machine.alive(),
        wrongs: world.machine.wrongs(),
        tried: world.machine.tried(),
        opened: world.opened(),
        telegram: world.telegram.look(Clone::clone),
        answers: world.desk.answers(),
        asked: people.jobs.clone(),
        config: config.clone(),
        events,
        db,
    };
    if parts.ledger.is_empty() {
        return Err("nothing ran in this run: there is nothing to forge".into());
    }
    forge(&mut parts);
    let store = Store::open_to_read(parts.db).map_err(|error| error.to_string())?;
    let (telegram, outages) = (Shared::new(parts.telegram), Outages::default());
    Ok(sees(&Evidence {
        now_ms: parts.now_ms,
        epoch_ms: EPOCH_MS,
        ledger: parts.ledger,
        alive: parts.alive,
        wrongs: parts.wrongs,
        tried: parts.tried,
        opened: parts.opened,
        telegram: &telegram,
        answers: parts.answers,
        asked: &parts.asked,
        outages: &outages,
        config: &parts.config,
        store: &store,
        events: parts.events,
        looked: Looked::default(),
    }))
}
