//! What a scenario lets people write and press, beside what they do by themselves.
//!
//! What it means for a job (an approval, a resume, a stop) is noted there in the moment in which somebody means it: the
//! daemon is judged by that.

use crate::botapi::{ChatId, Millis, Seen, UserId};
use crate::moment::Moments;
use crate::people::{ANA, Asked, GROUP, People, Pressed, STRANGER, UID, job_of, task_of, user_of};
use crate::scenario::{How, Moment, Presses, Says, Scenario, Span, Via};
use crate::world::World;
use mainstay::policy::COMMAND_MAX_AGE_MS;

/// The button under a command that was read late.
const CONFIRM: &str = "Do it now";

/// What is still to be done.
pub struct Acts {
    says: Vec<Says>,
    presses: Vec<Presses>,
    /// Written too long before it was read to count without a press: who, and what they mean.
    unconfirmed: Vec<(UserId, Wish)>,
    /// Requests on the command line so far.
    asked: usize,
}

/// What somebody wants of a job.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Wish {
    Approve(usize),
    Resume(usize),
    Stop(usize),
    Rerun(usize),
    Reject(usize),
    Recover(usize),
    Plan(usize),
}

impl Acts {
    /// All that a scenario tells.
    pub fn of(scenario: &Scenario) -> Acts {
        Acts { says: scenario.says.clone(), presses: scenario.presses.clone(), unconfirmed: Vec::new(), asked: 0 }
    }

    /// What is due is done; in words.
    pub fn act(&mut self, world: &mut World, people: &mut People, moments: &Moments) -> Vec<String> {
        let mut done = Vec::new();
        let is_due = |at, when, world: &World, people: &People| due(at, when, world, people, moments).is_some();
        for says in std::mem::take(&mut self.says) {
            let text = filled(&says.text, &people.jobs).filter(|_| is_due(says.at, says.when, world, people));
            match text {
                Some(text) => {
                    self.say(world, people, &says, &text);
                    done.push(format!("{} writes {text:?}", says.by));
                }
                None => self.says.push(says),
            }
        }
        for presses in std::mem::take(&mut self.presses) {
            if is_due(presses.at, presses.when, world, people) && self.press(world, people, &presses) {
                done.push(format!("{} presses {:?} for job {}", presses.by, presses.button, presses.job));
            } else {
                self.presses.push(presses);
            }
        }
        done
    }

    /// Nobody is to write or press anything any more.
    pub fn are_over(&self) -> bool {
        self.says.is_empty() && self.presses.is_empty()
    }

    /// What never came about, in words.
    pub fn left(&self) -> Vec<String> {
        let says = self.says.iter().map(|says| format!("{} never wrote {:?}", says.by, says.text));
        let presses = self.presses.iter().map(|p| format!("{} never saw {:?} for job {}", p.by, p.button, p.job));
        says.chain(presses).collect()
    }

    fn say(&mut self, world: &mut World, people: &mut People, says: &Says, text: &str) {
        let (now, wall, user) = (world.now(), world.wall(), user_of(&says.by));
        let chat = match says.via {
            Via::Group => GROUP,
            Via::Private => ChatId(user.0),
            Via::Cli => {
                self.asked += 1;
                let argv: Vec<&str> = text.trim_start_matches('/').split_whitespace().collect();
                world.desk.ask(UID, &format!("said-{}", self.asked), &argv);
                if let Some(wish) = wish(text, &people.jobs) {
                    note(&mut people.jobs, ANA, wish, now);
                }
                return;
            }
        };
        let late = says.late.unwrap_or(Span(0));
        let newest = world.telegram.look(|t| {
            let mine = |seen: &Seen| !seen.is_bot && seen.from == says.by;
            t.screen(chat).messages.iter().rev().find(|seen| mine(seen)).map(|seen| seen.id)
        });
        let message = world.telegram.change(|t| {
            let mut writer = t.people(wall);
            match (says.how, newest) {
                (How::Edited, Some(message)) => {
                    writer.edit(chat, message, text);
                    None
                }
                (How::Forwarded, _) => {
                    let words = writer.say(STRANGER, ChatId(STRANGER.0), text);
                    writer.forward(user, chat, ChatId(STRANGER.0), words);
                    None
                }
                (How::Plain | How::Edited, _) => Some(writer.say_at(user, chat, text, Millis(wall.0 - late.0))),
            }
        });
        // Edits and forwarded words mean nothing, and neither do strangers.
        let (Some(message), Some(wish)) = (message, wish(text, &people.jobs)) else { return };
        if user == STRANGER {
            return;
        }
        if let Wish::Rerun(n) = wish {
            people.jobs[n].messages.push((chat, message));
        }
        if late.ms() > COMMAND_MAX_AGE_MS && !matches!(wish, Wish::Stop(_)) {
            self.unconfirmed.push((user, wish));
        } else {
            note(&mut people.jobs, user, wish, now);
        }
    }

    /// False when the button is not there.
    fn press(&mut self, world: &mut World, people: &mut People, presses: &Presses) -> bool {
        let (now, wall, user) = (world.now(), world.wall(), user_of(&presses.by));
        let chat = if presses.via == Via::Private { ChatId(user.0) } else { GROUP };
        let n = presses.job - 1;
        let Some(asked) = people.jobs.get(n) else { return false };
        let is_confirm = presses.button == CONFIRM;
        let screen = world.telegram.look(|t| t.screen(chat));
        let found = screen.messages.iter().rev().filter(|seen| seen.is_bot).find_map(|seen| {
            let labels = seen.buttons.iter().flatten().find(|button| button.label.contains(&presses.button))?;
            (is_confirm || is_about(seen, n, asked)).then(|| (seen.id, labels.data.clone()))
        });
        let Some((message, Some(data))) = found else { return false };
        for _ in 0..presses.times {
            // It is there: it was just seen.
            let _ = world.telegram.change(|t| t.people(wall).press(user, chat, message, &data));
        }
        let wishes = match presses.button.as_str() {
            _ if user == STRANGER => Vec::new(),
            "Approve" => vec![Wish::Approve(n)],
            "Resume" => vec![Wish::Resume(n)],
            "Stop" => vec![Wish::Stop(n)],
            "Reject" => vec![Wish::Reject(n)],
            "Recover" => vec![Wish::Recover(n)],
            CONFIRM => self.unconfirmed.iter().filter(|(who, _)| *who == user).map(|(_, wish)| *wish).collect(),
            _ => Vec::new(),
        };
        for wish in wishes {
            note(&mut people.jobs, user, wish, now);
        }
        true
    }
}

/// Since when something is due, ms of the simulation; none before.
pub fn due(at: Option<Span>, when: Option<Moment>, world: &World, people: &People, moments: &Moments) -> Option<i64> {
    let since = match when {
        None => Some(0),
        Some(moment) => moments.happened(moment, world, people),
    };
    since.map(|since| since + at.map_or(0, Span::ms)).filter(|due| *due <= world.now())
}

/// A text with the numbers of tasks in it; none while one is not known yet.
fn filled(text: &str, jobs: &[Asked]) -> Option<String> {
    let mut filled = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("{job ") {
        let (number, after) = after.split_once('}')?;
        let task = jobs.get(number.parse::<usize>().ok()?.checked_sub(1)?)?.tasks.first()?;
        filled += &format!("{before}{task}");
        rest = after;
    }
    Some(filled + rest)
}

/// What somebody wants who writes this.
fn wish(text: &str, jobs: &[Asked]) -> Option<Wish> {
    let mut words = text.split_whitespace();
    let verb = words.next()?.trim_start_matches('/');
    let task: i64 = words.next()?.parse().ok()?;
    let job = jobs.iter().position(|asked| asked.tasks.contains(&task))?;
    match verb {
        "approve" => Some(Wish::Approve(job)),
        "resume" => Some(Wish::Resume(job)),
        "stop" => Some(Wish::Stop(job)),
        "rerun" => Some(Wish::Rerun(job)),
        "reject" => Some(Wish::Reject(job)),
        "recover" => Some(Wish::Recover(job)),
        "plan" => Some(Wish::Plan(job)),
        _ => None,
    }
}

fn note(jobs: &mut [Asked], user: UserId, wish: Wish, now: i64) {
    let tasks: Vec<Option<i64>> = jobs.iter().map(|asked| asked.tasks.first().copied()).collect();
    let pressed = |n: usize| Pressed { task: tasks[n], by: user, at: now };
    match wish {
        Wish::Approve(n) => jobs[n].approved.push(pressed(n)),
        Wish::Resume(n) => jobs[n].resumed.push(pressed(n)),
        Wish::Stop(n) => _ = jobs[n].stopped.get_or_insert(pressed(n)),
        Wish::Reject(n) => jobs[n].rejected.push(pressed(n)),
        Wish::Recover(n) => jobs[n].recovered.push(pressed(n)),
        Wish::Plan(n) => jobs[n].planned.push(pressed(n)),
        Wish::Rerun(_) => {}
    }
}

fn is_about(seen: &Seen, n: usize, asked: &Asked) -> bool {
    let by_prompt = seen.text.find("job-").and_then(|start| job_of(&seen.text[start..]));
    by_prompt == Some(n + 1) || task_of(&seen.text).is_some_and(|task| asked.tasks.contains(&task))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_of_tasks_are_filled_in_once_they_are_known() {
        let scenario = Scenario::parse("about = 'x'\nlasts = '1m'\n[[job]]\nat = '1s'\nkind = 'build'\n");
        let mut people = People::new(1, scenario.expect("a scenario").jobs);
        assert_eq!(filled("/stop {job 1} now", &people.jobs), None);
        people.jobs[0].tasks.insert(7);
        assert_eq!(filled("/stop {job 1} now", &people.jobs), Some("/stop 7 now".into()));
        assert_eq!(wish("/stop 7 now", &people.jobs), Some(Wish::Stop(0)));
        assert_eq!(wish("stop 8", &people.jobs), None);
    }
}
