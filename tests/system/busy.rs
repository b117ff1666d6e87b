//! Another program holds the database.

use super::place::{Place, until};

#[test]
fn while_another_program_holds_the_database_changes_are_refused_and_questions_are_answered() {
    let mut place = Place::new("", "");
    place.start();
    let before = place.line().done(&["newtask", "work", "exit 0"])["task_id"].as_i64().expect("a task");
    let other = rusqlite::Connection::open(place.path("state/mainstay.db")).expect("open the database");
    other.execute_batch("BEGIN IMMEDIATE").expect("hold it");

    let refused = place.line().once("held-1", &["newtask", "work", "exit 0"]).expect("an answer");
    assert_eq!(refused["ok"], false, "{refused}");
    assert!(refused["text"].as_str().is_some_and(|text| text.contains("nothing was done")), "{refused}");
    let ops = place.line().ask(&["ops"]);
    assert_eq!(ops["data"]["status"], "broken", "{ops}");
    assert_eq!(place.line().ask(&["status", &before.to_string()])["data"]["state"], "REQUESTED");

    other.execute_batch("COMMIT").expect("let go");
    let after = until("changes are taken again", || {
        let answer = place.line().ask(&["newtask", "work", "exit 0"]);
        (answer["ok"] == true).then(|| answer["data"]["task_id"].as_i64().expect("a task"))
    });
    assert_eq!(after, before + 1, "the refused one was not done");
    until("all is well", || (place.line().ask(&["ops"])["data"]["status"] == "healthy").then_some(()));
    place.assert_sound();
}
