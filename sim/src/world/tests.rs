//! The thinnest whole path: a task through the simulated chat, network, disk and machine.

use super::points::{Down, Point};
use super::*;
use crate::botapi::{ChatId, UserId};
use crate::disk;
use mainstay::command::{Mode, Role};
use mainstay::config::{Kind, Operator, TelegramConfig};
use std::collections::BTreeMap;

const ANA: UserId = UserId(11);

fn config() -> Config {
    let ana = Operator { id: ANA.0, name: "ana".into(), roles: vec![Role::Admin], uid: None };
    Config {
        state_dir: "/".into(),
        autonomy: Mode::Auto,
        telegram: Some(TelegramConfig {
            api_url: String::new(),
            token_file: None,
            poll_timeout_ms: 30_000,
            chats: Vec::new(),
            report_chat: None,
        }),
        operators: BTreeMap::from([(ANA.0, ana)]),
        kinds: BTreeMap::from([("note".into(), Kind::new("note", false, vec!["note".into()]))]),
        status: None,
        running_max: 4,
        record: mainstay::config::RecordConfig::default(),
        given: std::collections::BTreeSet::new(),
        hash: "simulated".into(),
    }
}

fn world(seed: u64) -> World {
    let make = Make { seed, tick: Duration::from_millis(50), disk: Profile::SMALL_SECTORS, config: config() };
    World::new(make, |telegram| {
        telegram.people(Millis(EPOCH_MS.unsigned_abs())).acquaintance(ANA, "Ana");
    })
}

fn run_for(world: &mut World, ms: i64) {
    let until = world.now() + ms;
    while world.now() < until {
        if let Some(how) = world.step() {
            panic!("the daemon ended: {how:?}");
        }
    }
}

fn texts(world: &World) -> Vec<String> {
    world.telegram.look(|t| t.screen(ChatId(ANA.0)).messages.iter().map(|m| m.text.clone()).collect())
}

#[test]
fn a_task_goes_from_a_word_in_the_chat_to_its_report() {
    let _alone = crate::vfs::alone();
    let mut world = world(1);
    run_for(&mut world, 5_000);
    let now = world.wall();
    world.telegram.change(|t| t.people(now).say(ANA, ChatId(ANA.0), "/newtask note exit:0@2000"));
    run_for(&mut world, 20_000);
    let ledger = world.machine.ledger();
    assert_eq!(ledger.len(), 1, "{:?}", texts(&world));
    assert!(texts(&world).iter().any(|t| t.contains("SUCCEEDED")), "{:?}", texts(&world));
}

/// A commit that could not be synced is not there for the daemon that tried, and is for the next one.
#[test]
fn who_was_told_that_nothing_was_done_finds_nothing_done() {
    let _alone = crate::vfs::alone();
    let mut world = world(1);
    run_for(&mut world, 5_000);
    world.disk.set_faults(Some(Box::new(|op, _, _| (op == disk::Op::Sync).then_some(disk::Fault::Eio))));
    let first = world.desk.ask(1_000, "first", &["newtask", "note", "exit:0"]);
    run_for(&mut world, 5_000);
    let later = world.desk.ask(1_000, "later", &["newtask", "note", "exit:0"]);
    run_for(&mut world, 5_000);
    assert!(world.desk.answer(first).is_none(), "it was in a commit that failed");
    let refused = world.desk.answer(later).expect("an answer at once");
    assert!(!refused.ok && refused.text.contains("nothing was done"), "{refused:?}");
    world.kill();
    world.disk.set_faults(None);
    world.start();
    run_for(&mut world, 20_000);
    assert_eq!(world.machine.ledger().len(), 1, "the first is there after all, the later one is not");
}

/// A world in which a task is cut at a point of the machine, once it has struck.
fn cut_at(what: &str, down: Down) -> World {
    let live = |cut: Option<Point>| {
        let mut world = world(1);
        world.points.begin(cut.map(|point| (point, down)), true);
        run_for(&mut world, 5_000);
        let now = world.wall();
        world.telegram.change(|t| t.people(now).say(ANA, ChatId(ANA.0), "/newtask note exit:0@2000"));
        while world.points.struck().is_none() && world.now() < 20_000 {
            assert!(world.step().is_none());
        }
        world
    };
    let undisturbed = live(None).points.passed();
    let point = undisturbed.iter().find(|passed| passed.what == what).expect("it comes by it").point;
    let mut world = live(Some(point));
    assert_eq!(world.points.struck(), Some(down), "{what}");
    match down {
        Down::Daemon => world.kill(),
        Down::Machine => world.power_loss(Survivors::Nothing),
    }
    world
}

#[test]
fn what_is_cut_before_has_not_happened_and_what_is_cut_after_has() {
    let _alone = crate::vfs::alone();
    assert_eq!(cut_at("before go", Down::Daemon).machine.ledger(), []);
    assert_eq!(cut_at("told to go", Down::Daemon).machine.alive().len(), 1, "a task outlives its daemon");
    assert_eq!(cut_at("told to go", Down::Machine).machine.alive(), []);
    let sent = |what: &str| {
        let screen = cut_at(what, Down::Daemon).telegram.look(|t| t.screen(ChatId(ANA.0)));
        screen.messages.iter().filter(|m| m.is_bot).count()
    };
    assert_eq!((sent("before SendMessage"), sent("SendMessage answered")), (0, 1));
}

#[test]
fn power_that_fails_between_an_end_and_its_receipt_leaves_none() {
    let _alone = crate::vfs::alone();
    let end = |what: &str| {
        let ledger = cut_at(what, Down::Machine).machine.ledger();
        assert_eq!(ledger[0].ended_ms, Some(ledger[0].began_ms + 2_000), "{what}");
        ledger[0].end.clone()
    };
    assert_eq!(end("program ended"), None);
    assert_eq!(end("receipt written"), Some(mainstay::attempt::End::Exited(0)));
}
