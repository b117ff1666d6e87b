//! When what is wrong is told, to whom, and in how many messages.

use super::{Watch, look, look_at_clock};
use crate::config::Config;
use crate::config::build;
use crate::decide::{Draft, Moment};
use crate::event::{Class, Fact, News, What};
use crate::outage::Outage;
use crate::plan::Plan;
use crate::policy;
use crate::ports::{CallError, CallErrorKind};
use crate::view::{AlertRow, OpsRow, OutboxRow, View};
use std::path::Path;

const CHAT: i64 = -5;

/// A daemon of which some things are wrong, as seen from one look to the next. What is told goes on record.
struct Story {
    config: Config,
    view: View,
    watch: Watch,
    boot_ms: i64,
    /// A message that waits to be sent.
    waits: Option<OutboxRow>,
    told: Vec<Vec<News>>,
}

impl Story {
    fn new(report_chat: &str) -> Story {
        let text = format!(
            "[telegram]\nchats = [{CHAT}]\n{report_chat}\n[[operator]]\nid = 1\nname = \"ana\"\nroles = [\"admin\"]\n\
             [[operator]]\nid = 2\nname = \"ben\"\nroles = [\"operator\"]\n\
             [[operator]]\nid = 3\nname = \"cleo\"\nroles = [\"admin\"]\n\
             [[kind]]\nname = \"build\"\nargv = [\"/bin/true\"]\n"
        );
        let config = build::parse(&text, Path::new("/")).expect("valid").config;
        let view = View { ops: Some(OpsRow::default()), next_message: 7, reachable: vec![1, 2], ..View::default() };
        Story { config, view, watch: Watch::default(), boot_ms: 1_000_000, waits: None, told: Vec::new() }
    }

    /// Time passes, and it is looked at.
    fn look(&mut self, after_ms: i64) -> Plan {
        self.boot_ms += after_ms;
        let now = Moment { wall_ms: 1_800_000_000_000 + self.boot_ms, boot_ms: self.boot_ms, entropy: 0 };
        let mut draft = Draft::new(&self.config, &self.view, now);
        look(&mut draft, &mut self.watch);
        let plan = draft.done();
        let ops = self.view.ops.as_mut().expect("it is there");
        for event in &plan.events {
            if let Fact::AlertRaised { anomaly, about, words } = &event.fact {
                let (anomaly, about, words) = (anomaly.clone(), about.clone(), words.clone());
                ops.alerts.push(AlertRow { anomaly, about, words, since_ms: now.wall_ms, told: false });
            } else if let Fact::AlertOver { anomaly, about, .. } = &event.fact {
                ops.alerts.retain(|row| row.anomaly != *anomaly || row.about != *about);
            } else {
                let Some((_, _, What::Alert(lines))) = queued(&event.fact) else { panic!("{event:?}") };
                let is_in = |row: &AlertRow| lines.iter().any(|l| l.anomaly == row.anomaly && l.about == row.about);
                ops.alerts.iter_mut().for_each(|row| row.told |= is_in(row));
                self.told.push(lines.clone());
            }
        }
        plan
    }

    fn uncertain(&mut self, messages: i64) {
        self.view.ops.as_mut().expect("it is there").uncertain = messages;
    }

    /// What was last told still waits to be sent, or does no more.
    fn nothing_is_sent(&mut self, plan: &Plan) {
        let row = plan.events.iter().find_map(|event| queued(&event.fact));
        self.waits = row.map(|(id, chat, what)| OutboxRow {
            id,
            class: Class::Note.rank(),
            chat,
            task: None,
            what: what.clone(),
            state: "pending".into(),
            version: 1,
            sending: 0,
            tries: 0,
            due: 0,
            marked: false,
            message: None,
            error: None,
            at: 0,
        });
        self.view.alerting = self.waits.iter().cloned().collect();
    }

    fn names(&self) -> Vec<(&str, bool)> {
        self.told.iter().flatten().map(|news| (news.anomaly.as_str(), news.over_ms.is_some())).collect()
    }
}

fn queued(fact: &Fact) -> Option<(i64, i64, &What)> {
    if let Fact::Queued { id, chat, what, .. } = fact { Some((*id, *chat, what)) } else { None }
}

const STEP: i64 = policy::HEALTH_LOOK_MS;

#[test]
fn what_lasts_is_told_once_and_once_when_it_is_over() {
    let mut story = Story::new("report_chat = -5");
    story.look(STEP);
    story.uncertain(1);
    story.look(STEP);
    assert!(story.told.is_empty(), "it may mend by itself");
    for _ in 0..20 {
        story.look(STEP);
    }
    assert_eq!(story.names(), [("outbox_uncertain", false)]);
    story.uncertain(0);
    story.look(STEP);
    assert_eq!(story.told.len(), 1, "it may come again");
    for _ in 0..20 {
        story.look(STEP);
    }
    assert_eq!(story.names(), [("outbox_uncertain", false), ("outbox_uncertain", true)]);
}

#[test]
fn a_blip_is_not_told_and_what_comes_and_goes_is_one_alert() {
    let mut story = Story::new("report_chat = -5");
    story.uncertain(1);
    story.look(STEP);
    story.uncertain(0);
    for _ in 0..10 {
        story.look(STEP);
    }
    assert!(story.told.is_empty());
    for round in 0..40 {
        story.uncertain(round % 2);
        story.look(STEP);
    }
    assert_eq!(story.names(), [("outbox_uncertain", false)]);
}

#[test]
fn a_new_daemon_repeats_nothing_and_tells_the_end() {
    let mut story = Story::new("report_chat = -5");
    story.view.free_bytes = Some(1);
    story.look(0);
    assert_eq!(story.names(), [("disk_low", false)]);
    for _ in 0..5 {
        story.watch = Watch::default();
        for _ in 0..3 {
            story.look(STEP);
        }
    }
    assert_eq!(story.told.len(), 1);
    story.watch = Watch::default();
    story.view.free_bytes = Some(1 << 40);
    for _ in 0..5 {
        story.look(STEP);
    }
    assert_eq!(story.names(), [("disk_low", false), ("disk_low", true)]);
}

#[test]
fn what_nobody_could_be_told_before_it_was_over_is_told_in_one_message() {
    let mut story = Story::new("report_chat = -5");
    story.view.free_bytes = Some(1);
    let plan = story.look(0);
    story.nothing_is_sent(&plan);
    story.view.free_bytes = Some(1 << 40);
    let mut last = Plan::default();
    for _ in 0..5 {
        let plan = story.look(STEP);
        last = if plan.events.is_empty() { last } else { plan };
    }
    let ids: Vec<i64> = last.events.iter().filter_map(|event| queued(&event.fact)).map(|(id, ..)| id).collect();
    assert_eq!(ids, [7], "the message that waits says both");
    let lines = story.told.last().expect("told");
    assert_eq!(lines.len(), 1);
    assert!(lines[0].over_ms.is_some() && lines[0].words.contains("disk almost full"), "{lines:?}");
    let said = crate::report::alert(lines);
    assert!(said.silent && said.text.starts_with("over disk_low: after "), "{said:?}");
}

#[test]
fn what_is_wrong_again_before_its_end_was_told_is_told_as_an_end_and_a_beginning() {
    let told =
        |words: &str, over_ms| News { anomaly: "disk_low".into(), about: String::new(), words: words.into(), over_ms };
    // People know of the first one already.
    let mut lines = vec![told("", Some(5))];
    super::add(&mut lines, told("full", None));
    assert_eq!(lines, [told("", Some(5)), told("full", None)]);
    super::add(&mut lines, told("full", Some(6)));
    assert_eq!(lines, [told("", Some(5)), told("full", Some(6))]);
    // Of this one nobody knows: there is nothing to end.
    let mut lines = vec![told("full", Some(5))];
    super::add(&mut lines, told("full again", None));
    assert_eq!(lines, [told("full again", None)]);
}

#[test]
fn while_nothing_gets_through_no_alert_is_written_and_afterwards_one_says_both() {
    let mut story = Story::new("report_chat = -5");
    let error = CallError { kind: CallErrorKind::NotSent, text: "no route".into() };
    for message in 0..2 {
        story.view.outage.called(message, &Err(error.clone()), (story.view.outage.until, 5), 0);
    }
    for _ in 0..10 {
        story.look(STEP);
    }
    let raised = story.view.ops.as_ref().map(|ops| ops.alerts.len());
    assert_eq!((story.told.len(), raised), (0, Some(1)), "it is on record");
    story.view.outage = Outage::default();
    for _ in 0..10 {
        story.look(STEP);
    }
    assert_eq!(story.names(), [("outbox_stuck", true)]);
    assert!(story.told[0][0].words.contains("no route"), "{:?}", story.told);
}

#[test]
fn several_at_one_look_are_one_message() {
    let mut story = Story::new("report_chat = -5");
    story.view.free_bytes = Some(1);
    let ops = story.view.ops.as_mut().expect("it is there");
    ops.unknown = (1..=9).map(crate::id::TaskId).collect();
    ops.refused_lately = 1;
    story.look(0);
    assert_eq!((story.told.len(), story.told[0].len()), (1, 11));
    let said = crate::report::alert(&story.told[0]);
    assert!(!said.silent && said.text.lines().count() <= 8, "{}", said.text);
    assert!(said.text.contains("and 5 more"), "{}", said.text);
}

#[test]
fn without_a_chat_for_reports_administrators_are_told_who_can_be_written_to() {
    let mut story = Story::new("");
    story.view.free_bytes = Some(1);
    let plan = story.look(0);
    let chats: Vec<i64> = plan.events.iter().filter_map(|event| queued(&event.fact)).map(|(_, chat, _)| chat).collect();
    assert_eq!(chats, [1]);
    // Also while nobody can be, it is on record.
    let mut story = Story::new("");
    (story.view.free_bytes, story.view.reachable) = (Some(1), Vec::new());
    let plan = story.look(0);
    assert!(matches!(plan.events[..], [ref event] if matches!(event.fact, Fact::AlertRaised { .. })), "{plan:?}");
}

#[test]
fn while_the_chat_for_reports_refuses_us_administrators_are_told_too() {
    let mut story = Story::new("report_chat = -5");
    story.view.parked = vec![CHAT];
    story.view.free_bytes = Some(1);
    let plan = story.look(0);
    let chats: Vec<i64> = plan.events.iter().filter_map(|event| queued(&event.fact)).map(|(_, chat, _)| chat).collect();
    assert_eq!(chats, [CHAT, 1], "it waits there, and who can be reached knows at once");
}

#[test]
fn what_a_daemon_before_raised_and_nobody_was_told_is_not_over_before_this_one_has_looked_around() {
    let mut story = Story::new("report_chat = -5");
    let (anomaly, words) = ("poll_broken".to_owned(), "telegram can't be read".to_owned());
    let row = AlertRow { anomaly, about: String::new(), words, since_ms: 5, told: false };
    story.view.ops.as_mut().expect("it is there").alerts.push(row);
    assert!(story.look(STEP).events.is_empty(), "it may be as it was");
    for _ in 0..policy::ALERT_OVER_MS / STEP {
        story.look(STEP);
    }
    assert_eq!(story.names(), [("poll_broken", true)], "told in one message, as it was never told");
}

#[test]
fn what_was_done_on_purpose_is_not_pushed() {
    let mut story = Story::new("report_chat = -5");
    (story.view.mode, story.view.draining) = (Some(crate::command::Mode::Readonly), true);
    for _ in 0..100 {
        assert!(story.look(STEP).events.is_empty());
    }
}

#[test]
fn a_clock_that_was_set_is_put_on_record_and_one_that_was_not_is_not() {
    let story = Story::new("");
    for (off, steps) in [(0, 0), (4_999, 0), (-4_999, 0), (5_000, 1), (-7_200_000, 1)] {
        let now = Moment { wall_ms: 1_000_000 + off, boot_ms: 400, entropy: 0 };
        let mut draft = Draft::new(&story.config, &story.view, now);
        look_at_clock(&mut draft, 999_600);
        let events = draft.done().events;
        assert_eq!(events.len(), steps, "{off}");
        assert!(events.iter().all(|event| event.fact == Fact::ClockStepped { by_ms: off }));
    }
}
