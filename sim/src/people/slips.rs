//! What people with slips do: they type what a button would do, mistype it, name the wrong task, press what is dead; and
//! they look around. What they got wrong they put right once they have read what the bot says to it.

use super::given::{self, Given};
use super::persona::{Slips, typo};
use super::{GROUP, People, Pressed};
use crate::botapi::{ChatId, MessageId, Seen};
use crate::world::World;
use std::collections::BTreeSet;

/// A day, ms.
const DAY_MS: i64 = 24 * 3_600_000;
/// When somebody looks around, ms of a day.
const ROUNDS_MS: std::ops::Range<i64> = 8 * 3_600_000..20 * 3_600_000;
/// So many buttons are remembered.
const REMEMBERED: usize = 40;

/// What somebody got wrong: they put it right once they have read the answer, or lost patience with it.
struct Wrong {
    who: usize,
    chat: ChatId,
    message: MessageId,
    /// What was meant.
    meant: String,
    job: usize,
    /// Nobody waits for an answer for ever.
    patience: i64,
}

/// What people have under their hands.
#[derive(Default)]
pub(super) struct Hands {
    pub(super) slips: Slips,
    wrong: Vec<Wrong>,
    /// Buttons that did something once: who, where, on which message, what it sends, its label, its task.
    remembered: Vec<(usize, ChatId, MessageId, String, String, Option<i64>)>,
    /// When somebody looks around next.
    rounds: Vec<(i64, usize)>,
    /// The last day for which that was drawn.
    day: Option<i64>,
    /// Tasks of which it was read that they succeeded.
    succeeded: BTreeSet<i64>,
    /// Tasks that somebody has asked for again.
    again: BTreeSet<i64>,
    /// What was said of a number that nobody had seen yet: it may be a task's by the time that it is heard.
    unplaced: Vec<(&'static str, Pressed)>,
}

impl People {
    /// Typed instead of pressed: the command that a button stands for, where that can be typed.
    pub(super) fn types(&mut self, world: &mut World, who: usize, chat: ChatId, label: &str, seen: &Seen) -> bool {
        let slips = self.hands.slips;
        let (Some(task), Some(n)) = (super::task_of(&seen.text), self.job_shown(seen)) else { return false };
        if slips.types == 0 || self.rng.u32(..100) >= slips.types {
            return false;
        }
        let meant = match given::verb_of(label) {
            Some("reject") => format!("/reject {task} not now"),
            Some(verb @ ("approve" | "resume" | "recover")) => format!("/{verb} {task}"),
            Some(_) | None => return false,
        };
        let chance = self.rng.u32(..100);
        let text = if chance < slips.typos {
            typo(&meant)
        } else if chance < slips.typos + slips.wrong_ids {
            let beside = if task > 1 && self.rng.bool() { task - 1 } else { task + 1 };
            meant.replacen(&task.to_string(), &beside.to_string(), 1)
        } else {
            meant.clone()
        };
        let message = self.speak(world, who, chat, &text);
        if text != meant {
            let patience = world.now() + self.cast[who].patience_ms;
            self.hands.wrong.push(Wrong { who, chat, message, meant, job: n, patience });
        }
        true
    }

    /// Says something, and notes what it means for the job of the task that it names.
    pub(super) fn speak(&mut self, world: &mut World, who: usize, chat: ChatId, text: &str) -> MessageId {
        let (now, wall, user) = (world.now(), world.wall(), self.cast[who].user);
        let message = world.telegram.change(|t| t.people(wall).say(user, chat, text));
        let given = given::said(now, user, chat, message, text);
        let pressed = Pressed { task: given.task, by: user, at: now };
        match (given.verb, given.task) {
            (Some("rerun"), Some(task)) => {
                let asked = self.jobs.iter_mut().find(|asked| asked.tasks.contains(&task));
                asked.into_iter().for_each(|asked| asked.messages.push((chat, message)));
            }
            (Some(verb), Some(_)) => self.hands.unplaced.push((verb, pressed)),
            (Some(_) | None, _) => {}
        }
        self.place();
        self.given.push(given);
        message
    }

    /// Notes what was said where it belongs, as soon as it is known whose task it is about.
    fn place(&mut self) {
        for (verb, pressed) in std::mem::take(&mut self.hands.unplaced) {
            let of = pressed.task;
            let about = self.jobs.iter_mut().find(|asked| of.is_some_and(|task| asked.tasks.contains(&task)));
            let Some(asked) = about else {
                self.hands.unplaced.push((verb, pressed));
                continue;
            };
            match verb {
                "approve" => asked.approved.push(pressed),
                "reject" => asked.rejected.push(pressed),
                "resume" => asked.resumed.push(pressed),
                "recover" => asked.recovered.push(pressed),
                "plan" => asked.planned.push(pressed),
                // The first wish is the one that counts.
                "stop" => _ = asked.stopped.get_or_insert(pressed),
                _ => {}
            }
        }
    }

    /// Remembers a button that was pressed, and now and then presses one that did its work long ago.
    pub(super) fn remember(
        &mut self,
        world: &mut World,
        now: i64,
        button: (usize, ChatId, MessageId, String),
        label: &str,
        task: Option<i64>,
    ) {
        if self.hands.slips.stale == 0 {
            return;
        }
        let (who, chat, message, data) = button;
        if self.rng.u32(..100) < self.hands.slips.stale {
            let old = self.hands.remembered.iter().find(|old| old.0 == who && old.1 == chat).cloned();
            if let Some((_, chat, message, data, label, task)) = old {
                let (wall, user) = (world.wall(), self.cast[who].user);
                let press = world.telegram.change(|t| t.people(wall).forge_press(user, chat, message, &data));
                self.given.push(given::pressed(now, user, press, (chat, &data), &label, task));
                // Its first press may have been lost, and then this one is what they want, as late as it comes.
                let asked = self.jobs.iter_mut().find(|asked| task.is_some_and(|task| asked.tasks.contains(&task)));
                asked.into_iter().for_each(|asked| asked.note(&label, Pressed { task, by: user, at: now }));
            }
        }
        self.hands.remembered.push((who, chat, message, data, label.to_owned(), task));
        if self.hands.remembered.len() > REMEMBERED {
            self.hands.remembered.remove(0);
        }
    }

    /// What the bot said to what was wrong, and what it reports.
    pub(super) fn read(&mut self, chat: ChatId, seen: &Seen) {
        if self.hands.slips == Slips::default() {
            return;
        }
        let reply_to = seen.reply_to;
        let (read, left): (Vec<Wrong>, Vec<Wrong>) = std::mem::take(&mut self.hands.wrong)
            .into_iter()
            .partition(|w| w.chat == chat && Some(w.message) == reply_to);
        self.hands.wrong = left;
        for wrong in read {
            self.put_right(wrong);
        }
        if seen.text.starts_with('✅') {
            self.hands.succeeded.extend(super::task_of(&seen.text));
        }
    }

    fn put_right(&mut self, wrong: Wrong) {
        self.says.push((wrong.who, wrong.job, wrong.meant));
    }

    /// Patience that is over, and the rounds of the day.
    pub(super) fn look_around(&mut self, world: &mut World, now: i64) {
        self.place();
        let (over, left): (Vec<Wrong>, Vec<Wrong>) =
            std::mem::take(&mut self.hands.wrong).into_iter().partition(|w| w.patience <= now);
        self.hands.wrong = left;
        for wrong in over {
            self.put_right(wrong);
        }
        if self.hands.day != Some(now / DAY_MS) && !self.woken {
            self.hands.day = Some(now / DAY_MS);
            for who in 0..self.cast.len() {
                for _ in 0..self.hands.slips.rounds {
                    let at = now / DAY_MS * DAY_MS + self.rng.i64(ROUNDS_MS);
                    self.hands.rounds.push((at, who));
                }
            }
        }
        let (due, later): (Vec<_>, Vec<_>) = self.hands.rounds.drain(..).partition(|(at, _)| *at <= now);
        self.hands.rounds = later;
        for (_, who) in due {
            let text = self.round(who);
            let chat = if self.rng.bool() { GROUP } else { ChatId(self.cast[who].user.0) };
            self.speak(world, who, chat, &text);
        }
    }

    /// What somebody looks at who comes by. Tasks are known from what was shown, and people ask again for their own: then who
    /// may approve is the same.
    fn round(&mut self, who: usize) -> String {
        let known: Vec<i64> = self.jobs.iter().flat_map(|asked| asked.tasks.iter().copied()).collect();
        let newest = known.iter().max().copied();
        let name = self.cast[who].name;
        let own = |task: &&i64| self.jobs.iter().any(|asked| asked.job.by == name && asked.tasks.contains(*task));
        let again = self.hands.succeeded.difference(&self.hands.again).filter(own).last().copied();
        match (self.rng.u32(..10), newest, again) {
            (0, _, Some(task)) => {
                self.hands.again.insert(task);
                format!("/rerun {task}")
            }
            (1..=3, Some(task), _) => format!("/status {task}"),
            (4..=5, Some(task), _) => format!("/why {task}"),
            (6..=7, _, _) => "/list".to_owned(),
            _ => "/ops".to_owned(),
        }
    }

    /// Nobody is in the middle of putting something right.
    pub(super) fn hands_are_idle(&self) -> bool {
        self.hands.wrong.is_empty()
    }

    /// The run is to come to its end: everybody is there to see to it, and nobody begins anything new.
    pub fn wake(&mut self) {
        self.woken = true;
        self.hands.rounds.clear();
    }

    /// Everything that somebody typed or pressed, in order.
    pub fn given(&self) -> &[Given] {
        &self.given
    }
}
