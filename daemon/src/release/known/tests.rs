//! Who may be switched to, and what has to be there for it.

use super::*;

const fn database(schema: i64, least: i64) -> Database {
    Database { schema, min_reader: least, min_writer: least }
}

fn id(text: &str) -> Id {
    Id::new(text).expect("an id")
}

fn release(name: &str, database: Database) -> Release {
    let (signed_by, preflight, activated_ms, blessed, bad) = (None, None, None, None, None);
    Release { id: id(name), staged_ms: 0, signed_by, database, preflight, activated_ms, blessed, bad }
}

fn wish() -> Wish {
    let limits = Limits { ready_ms: 1, answer_ms: 1, soak_ms: 1 };
    Wish { limits, supervisor: None, config_file: None, force: None, no_way_back: false }
}

fn forced() -> Wish {
    Wish { force: Some("there is no other".into()), ..wish() }
}

fn here(current: &str) -> Here {
    Here { current: Some(id(current)), database: Some(database(4, 4)) }
}

/// a, b and c were blessed in this order, d never was, e makes a database that only its like can go on with.
fn known() -> Known {
    let mut known = Known::default();
    for name in ["a", "b", "c", "d"] {
        known.staged(release(name, database(4, 4)));
    }
    known.staged(release("e", database(5, 5)));
    for name in ["a", "b", "c"] {
        known.bless(&id(name), 1, "it proved itself");
    }
    known
}

fn bad(known: &mut Known, name: &str) {
    known.note(&id(name), |release| release.bad = Some(Note { at_ms: 2, words: "it hung".into() }));
}

#[test]
fn the_way_back_leads_to_the_last_that_proved_itself_and_has_not_failed_since() {
    let mut known = known();
    let back = |known: &Known, left: &str| known.way_back(&id(left), Some(database(4, 4))).map(|id| id.to_string());
    assert_eq!(back(&known, "d"), Ok("c".into()));
    assert_eq!(back(&known, "c"), Ok("b".into()));
    bad(&mut known, "b");
    assert_eq!(back(&known, "c"), Ok("a".into()));
    known.removed(&id("a"));
    assert_eq!(back(&known, "c"), Err("b failed too (it hung)".into()));
    assert_eq!(back(&Known::default(), "c"), Err("no other release was ever blessed".into()));
    known.bless(&id("b"), 3, "it proved itself");
    assert_eq!(back(&known, "c"), Ok("b".into()), "what was wrong with it is over");
    let newer = known.way_back(&id("d"), Some(database(5, 5))).expect_err("none can");
    assert!(newer.contains("c can't go on with the database") && newer.contains("b can't"), "{newer}");
}

#[test]
fn what_speaks_against_an_activation_is_said_with_what_to_do() {
    let mut start = known();
    bad(&mut start, "b");
    for (name, wish, current, said) in [
        ("d", wish(), "c", ""),
        ("x", wish(), "c", "there is no release x here"),
        ("b", wish(), "c", "b failed before: it hung; --force REASON"),
        ("b", forced(), "c", ""),
        ("c", wish(), "c", "nothing to do"),
        ("d", wish(), "d", ""),
        ("e", wish(), "c", "there will be no way back to c"),
        ("e", Wish { no_way_back: true, ..wish() }, "c", ""),
        ("e", forced(), "c", "there will be no way back to c"),
    ] {
        let mut known = start.clone();
        let refused = known.activate(&id(name), &here(current), wish).err().unwrap_or_default();
        assert!(refused.contains(said) && said.is_empty() == refused.is_empty(), "{name}: {refused}");
        assert_eq!(known.switch.is_some(), said.is_empty(), "{name}");
    }
    let newer = Here { database: Some(database(5, 5)), ..here("c") };
    let refused = start.activate(&id("d"), &newer, wish()).expect_err("its program would not start");
    assert!(refused.contains("d can't go on with the database: it has schema 5"), "{refused}");
    let first = Here { current: None, database: None };
    assert!(Known::default().activate(&id("a"), &first, wish()).is_err(), "it has to be there");
    let mut fresh = Known::default();
    fresh.staged(release("e", database(5, 5)));
    assert_eq!(fresh.activate(&id("e"), &first, wish()), Ok(()), "the first one has nothing to go back to");
}

#[test]
fn what_speaks_against_a_rollback_is_said_with_what_to_do() {
    let mut start = known();
    bad(&mut start, "b");
    for (to, wish, current, said) in [
        (None, wish(), "d", ""),
        (Some("a"), wish(), "c", ""),
        (Some("x"), wish(), "c", "there is no release x here"),
        (Some("c"), wish(), "c", "c is the current release already"),
        (Some("d"), wish(), "c", "d was never blessed"),
        (Some("d"), forced(), "c", ""),
        (Some("b"), wish(), "c", "b failed before: it hung"),
        (Some("b"), forced(), "c", ""),
    ] {
        let mut known = start.clone();
        let refused = known.roll_back(to.map(id).as_ref(), &here(current), wish).err().unwrap_or_default();
        assert!(refused.contains(said) && said.is_empty() == refused.is_empty(), "{to:?}: {refused}");
        assert_eq!(known.switch.is_some(), said.is_empty(), "{to:?}");
    }
    let newer = Here { database: Some(database(5, 5)), ..here("e") };
    let refused = start.roll_back(Some(&id("c")), &newer, forced()).expect_err("no force opens a database");
    assert!(refused.contains("c can't go on with the database") && refused.contains("the way is forward"), "{refused}");
    let refused = start.roll_back(None, &newer, wish()).expect_err("nor is there another");
    assert!(refused.contains("nothing to go back to"), "{refused}");
}

#[test]
fn one_switch_at_a_time_and_a_rollback_undoes_it() {
    let mut known = known();
    known.activate(&id("d"), &here("c"), wish()).expect("nothing against it");
    let second = known.activate(&id("a"), &here("c"), wish()).expect_err("one is under way");
    assert!(second.contains("a switch to d is under way, at the step verify"), "{second}");
    let mut undone = known.clone();
    assert!(undone.give_up(5, "somebody wanted it") && undone.switch.is_none());
    while known.switch.as_ref().is_some_and(|switch| switch.step != Step::Soak) {
        known.done(5);
    }
    assert!(!known.clone().give_up(5, "somebody wanted it"), "it has flipped");
    known.roll_back(None, &here("d"), wish()).expect("undone");
    let switch = known.switch.clone().expect("under way");
    assert_eq!((switch.to, switch.from, switch.way), (id("c"), Some(id("d")), Way::Back));
    let second = known.roll_back(None, &here("d"), wish()).expect_err("one is under way");
    assert!(second.contains("the way back to c is under way"), "{second}");
    while known.switch.is_some() {
        known.done(6);
    }
    let left = known.release(&id("d")).expect("there");
    assert!(left.bad.is_some(), "nobody comes to it again without a reason");
    assert_eq!(known.way_back(&id("c"), None), Ok(id("b")));
}

#[test]
fn a_way_back_that_was_cut_off_and_blessed_by_hand_leaves_the_other_one_bad() {
    let mut known = known();
    known.bless(&id("d"), 4, "it proved itself");
    known.roll_back(None, &here("d"), wish()).expect("there is one");
    while known.switch.as_ref().is_some_and(|switch| switch.step != Step::Soak) {
        known.done(5);
    }
    known.bless(&id("c"), 6, "somebody said so");
    assert!(known.switch.is_none());
    let left = known.release(&id("d")).expect("there");
    assert_eq!(left.bad.as_ref().map(|note| note.words.as_str()), Some("somebody wanted it"));
    assert_eq!(known.way_back(&id("c"), None), Ok(id("b")));
}

#[test]
fn the_newest_stay_and_those_that_are_needed() {
    let gone = |known: &Known, current: &str, keep| {
        known.superfluous(Some(&id(current)), keep).iter().map(ToString::to_string).collect::<String>()
    };
    let mut known = known();
    assert_eq!(gone(&known, "c", 5), "");
    assert_eq!(gone(&known, "c", 1), "ad");
    assert_eq!(gone(&known, "a", 1), "d");
    bad(&mut known, "c");
    assert_eq!(gone(&known, "d", 0), "e", "the last two that are good, and the last two");
    known.activate(&id("e"), &here("d"), Wish { no_way_back: true, ..wish() }).expect("nothing against it");
    assert_eq!(gone(&known, "d", 0), "");
}

#[test]
fn what_a_newer_program_wrote_is_not_guessed_at() {
    let text = known().text();
    assert_eq!(Known::parse(text.as_bytes()), Ok(known()));
    let newer = text.replacen("\"format\": 1", "\"format\": 2", 1);
    assert!(Known::parse(newer.as_bytes()).is_err_and(|why| why.contains("format 2")));
    assert!(Known::parse(b"{").is_err());
}
