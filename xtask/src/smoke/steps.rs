//! The list: what is done, what should be seen, and how a machine plays it. The document's tables are made of it.

use super::play;
use crate::stage::{self, Setting, Stage};

/// A step.
#[derive(Clone, Copy)]
pub(super) struct Step {
    /// What is done. Markdown.
    pub(super) what: &'static str,
    /// What should be seen. Markdown.
    pub(super) see: &'static str,
    pub(super) by: By,
}

/// Who can play a step.
#[derive(Clone, Copy)]
pub(super) enum By {
    /// A machine too: how, and what breaks it.
    Machine(fn(&mut Stage<'_>) -> stage::Step, Sabotage),
    /// People alone: why.
    Hand(&'static str),
}

/// What makes a step fail, to show that it can.
#[derive(Clone, Copy)]
pub(super) enum Sabotage {
    /// Another configuration: this in place of that.
    Config(&'static str, &'static str),
    /// Something that happens just before the step.
    Act(fn(&mut Stage<'_>) -> stage::Step),
}

/// Steps that are gone through together.
pub(super) struct List {
    pub(super) title: &'static str,
    pub(super) steps: &'static [Step],
}

/// Who and what is there.
pub(super) const SETTING: Setting = Setting {
    name: "smoke",
    config: include_str!("mainstay.toml"),
    people: &["1001:ana", "1002:ben", "1003:eve"],
    unlimited: false,
    programs: &[
        ("now.sh", "date\n"),
        ("long.sh", "seq 3000\n"),
        // It takes as long as the play needs it, however slow the machine is, and does not end by being asked to.
        (
            "wait.sh",
            "trap '' TERM\n\
             echo '{\"step\":\"waiting\",\"percent\":50}' >> \"$MAINSTAY_PROGRESS_FILE\"\n\
             while [ ! -e \"${0%/kinds/*}/go-on\" ]; do sleep 0.1; done\n",
        ),
    ],
};

const fn machine(
    what: &'static str,
    see: &'static str,
    play: fn(&mut Stage<'_>) -> stage::Step,
    sabotage: Sabotage,
) -> Step {
    Step { what, see, by: By::Machine(play, sabotage) }
}

const fn hand(what: &'static str, see: &'static str, why: &'static str) -> Step {
    Step { what, see, by: By::Hand(why) }
}

/// Nothing that is written arrives.
const UNWRITTEN: Sabotage = Sabotage::Act(|stage| stage.say(":fault html500 sendMessage"));

/// All of it, in order.
pub(super) const LISTS: [List; 2] = [
    List {
        title: "Ten minutes",
        steps: &[
            machine(
                "Say `/start` to the bot; your colleague does too",
                "who you are, the kinds of task, what to say next",
                play::start,
                UNWRITTEN,
            ),
            machine(
                "`/whoami`, `/kinds`, `/ops`, `/help`",
                "your id and roles; the three kinds; `healthy`; the commands that you may use, and your colleague sees only theirs",
                play::questions,
                Sabotage::Config("roles = [\"operator\", \"approver\"]", "roles = [\"admin\"]"),
            ),
            machine(
                "Somebody who is not in the configuration says `/start`",
                "nothing at all",
                play::stranger,
                Sabotage::Config(
                    "[[kind]]\nname = \"now\"",
                    "[[operator]]\nid = 1003\nname = \"eve\"\nroles = [\"viewer\"]\n\n[[kind]]\nname = \"now\"",
                ),
            ),
            machine(
                "`/newtask now`, then press Resume on its card",
                "the card changes in place and says `resumed by` you; the end is a message of its own, with a sound",
                play::light_task,
                Sabotage::Act(|stage| stage.say(":fault html500 editMessageText")),
            ),
            machine(
                "`/log 1`",
                "the date, without a sound",
                play::log,
                Sabotage::Act(|stage| stage.say(":fault html500 sendMessage")),
            ),
            machine(
                "`/newtask long`, Resume, then `/log 2 1000`",
                "a file `task-2-attempt-1.txt` with the last thousand numbers, the last ones under it",
                play::long_output,
                Sabotage::Act(|stage| stage.say(":fault html500 sendDocument")),
            ),
            machine(
                "Mistype: `/aprove 1`, `/newtask nwo`, `/status 99`",
                "what you may have meant: `/approve`, `now`, and that the newest task is 2",
                play::typos,
                UNWRITTEN,
            ),
            machine(
                "`/newtask wait`, press Approve yourself",
                "refused in a box: somebody else has to approve. Your colleague has got a card of it, with a sound",
                play::own_approval,
                Sabotage::Config("self_approval = false", "self_approval = true"),
            ),
            machine(
                "Your colleague says `/approve 3`",
                "your card says APPROVED, `approved by` them; nothing runs",
                play::approval,
                Sabotage::Act(|stage| stage.say(":fault html500 editMessageText")),
            ),
            machine(
                "Press Resume twice, quickly",
                "it runs once; the second press says that it was pressed already, or finds no button; progress on the card",
                play::double_tap,
                Sabotage::Act(|stage| stage.daemon.cli(&["mode", "readonly"]).map(drop)),
            ),
            machine(
                "On the machine: `sudo systemctl kill --kill-whom=main -s KILL mainstay`",
                "the daemon is back after a second, the same process of the task lives on",
                play::killed,
                Sabotage::Act(play::kill_the_task),
            ),
            machine(
                "Let the minute of `wait` end",
                "SUCCEEDED, reported once, with a sound; `mainstay trace 3` says `complete`",
                play::reported_once,
                Sabotage::Act(|stage| stage.say(":fault reset-after sendMessage x1")),
            ),
            machine(
                "`/newtask wait`, your colleague approves, Resume, then press Stop",
                "CANCELED, `stopped by` you; `pgrep -x sleep` finds nothing of it",
                play::stopped,
                Sabotage::Config("stop_grace = \"2s\"", "stop_grace = \"1h\""),
            ),
            machine(
                "Edit a command of yours into `/newtask now`; forward one to the bot",
                "the edit is answered with what to do instead, the forwarded one not at all; no task comes of either",
                play::edited_and_forwarded,
                UNWRITTEN,
            ),
            machine(
                "`mainstay logs --last 500 --json \\| grep -cF \"$(cut -d: -f2 TOKEN_FILE)\"`, and the same with the journal",
                "0",
                play::no_token,
                Sabotage::Act(play::leak_the_token),
            ),
            machine(
                "`/ops`; `mainstay verify-log`",
                "`healthy`; the record is what was recorded",
                play::well,
                Sabotage::Act(|stage| stage.daemon.cli(&["mode", "readonly"]).map(drop)),
            ),
        ],
    },
    List {
        title: "A quarter of an hour more",
        steps: &[
            machine(
                "Make Telegram unreachable (a firewall rule that rejects) while a task ends; take it back after two minutes",
                "`mainstay ops` says `degraded`, then the report comes, and it says `healthy`",
                play::outage,
                Sabotage::Config("report_chat = 1001\n", ""),
            ),
            machine(
                "Block the bot, let a task of yours end (`mainstay newtask now`, `resume`), unblock the bot",
                "the report comes after that",
                play::blocked,
                UNWRITTEN,
            ),
            machine(
                "Stop the daemon, say `/newtask now`, wait eleven minutes, start it; press the button",
                "it asks, with a sound, whether you still mean it; the press makes the task",
                play::late,
                UNWRITTEN,
            ),
            hand("Open the menu (`/`) of the bot", "all commands with a line each", "it is part of the app"),
            hand(
                "Drop the packets to Telegram (a firewall rule that drops, or pull the cable) for two minutes",
                "as with the rule that rejects; within 75 s of taking it back an answer to `/ops`",
                "loopback drops nothing",
            ),
            hand(
                "Reboot the machine while a task runs",
                "the task's outcome is unknown, or a failure by SIGTERM after an orderly shutdown; it is reported",
                "it takes the machine",
            ),
            hand(
                "Leave the phone alone for an hour while tasks report progress",
                "it rings for what waits for a press, and for reports, and for nothing else",
                "a machine has no ears",
            ),
        ],
    },
];

/// The steps with their numbers.
pub(super) fn numbered() -> impl Iterator<Item = (usize, &'static Step)> {
    const { &LISTS }.iter().flat_map(|list| list.steps).enumerate().map(|(index, step)| (index + 1, step))
}

#[cfg(test)]
mod tests {
    use super::*;

    const DOCUMENT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/TELEGRAM_SMOKETEST.md");

    /// The document with its tables made anew: each stands between its heading and the next empty line after it.
    fn with_tables(document: &str) -> String {
        let mut made = document.to_owned();
        let mut number = 0;
        for list in &LISTS {
            let mut table = "| | do | you should see | |\n| --- | --- | --- | --- |\n".to_owned();
            for step in list.steps {
                number += 1;
                let by = match step.by {
                    By::Machine(..) => "",
                    By::Hand(_) => "by hand",
                };
                table += &format!("| {number} | {} | {} | {by} |\n", step.what, step.see);
            }
            let heading = format!("## {}\n", list.title);
            let begin = made.find(&heading).unwrap_or_else(|| panic!("the document has no {heading}")) + heading.len();
            let begin = begin + made[begin..].find("| |").expect("a table");
            let end = made[begin..].find("\n\n").map_or(made.len(), |end| begin + end + 1);
            made.replace_range(begin..end, &table);
        }
        made
    }

    #[test]
    fn the_document_has_the_steps_as_they_are_played() {
        let document = std::fs::read_to_string(DOCUMENT).expect("readable");
        let made = with_tables(&document);
        if std::env::var_os("MAINSTAY_BLESS").is_some() {
            std::fs::write(DOCUMENT, made).expect("writable");
        } else {
            assert!(document == made, "docs/TELEGRAM_SMOKETEST.md differs: MAINSTAY_BLESS=1 cargo test -p xtask");
        }
    }

    #[test]
    fn every_sabotage_of_the_configuration_changes_it() {
        for (number, step) in numbered() {
            if let By::Machine(_, Sabotage::Config(old, new)) = step.by {
                assert!(SETTING.config.contains(old) && old != new, "step {number}");
            }
        }
    }
}
