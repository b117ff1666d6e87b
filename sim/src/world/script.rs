//! What a simulated task does: words in its prompt, of which the others are for people.
//!
//! | word | the task |
//! | --- | --- |
//! | `exit:CODE@MS` | exits with this code after so long; without any such word, with 0 after a second |
//! | `signal:N@MS` | is ended by this signal |
//! | `fails:N@MS` | exits with 75 after so long in each of its first N attempts, and does the rest in those after |
//! | `hang` | never ends by itself |
//! | `stubborn:MS` | dies so long after it was asked to |
//! | `immortal` | can't be killed until the world lets go of it |
//! | `progress:TEXT@MS` | tells of its progress |
//! | `lies` | does nothing of what it is for, whatever it exits with |
//! | `did` | does what it is for also where it then exits with another code than 0 |
//!
//! What a task is for is its effect: one entry in its own book when it ends by itself, usually only if it exits with 0.

use mainstay::attempt::End;

/// How long a task takes that does not say, ms.
const USUAL_MS: i64 = 1_000;
/// The exit code that kinds of a simulation call transient.
const TRANSIENT: i32 = 75;

/// What a task will do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Script {
    /// Its end by itself: after so many ms.
    pub end: Option<(i64, End)>,
    /// Lines, each so many ms after the begin, in order.
    pub progress: Vec<(i64, String)>,
    stubborn_ms: i64,
    immortal: bool,
    effect: Effect,
}

/// When a task does what it is for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
enum Effect {
    /// When it exits with 0.
    #[default]
    WithZero,
    /// Whatever it exits with.
    Always,
    /// Never.
    Never,
}

impl Script {
    /// Reads a prompt for an attempt, of which the first is 1. What is no word of the table says nothing; numbers that are
    /// none are the usual ones.
    pub fn read(prompt: &str, attempt: u32) -> Script {
        let mut fails = None;
        let mut script = Script {
            end: Some((USUAL_MS, End::Exited(0))),
            progress: Vec::new(),
            stubborn_ms: 0,
            immortal: false,
            effect: Effect::WithZero,
        };
        for word in prompt.split_whitespace() {
            let (what, at) = word.split_once('@').unwrap_or((word, ""));
            let at = at.parse().unwrap_or(USUAL_MS);
            match what.split_once(':') {
                Some(("exit", code)) => script.end = Some((at, End::Exited(code.parse().unwrap_or(0)))),
                Some(("signal", n)) => script.end = Some((at, End::Signaled(n.parse().unwrap_or(9)))),
                Some(("fails", n)) if attempt <= n.parse().unwrap_or(1) => fails = Some((at, End::Exited(TRANSIENT))),
                Some(("stubborn", ms)) => script.stubborn_ms = ms.parse().unwrap_or(0),
                Some(("progress", line)) => script.progress.push((at, line.to_owned())),
                _ if what == "hang" => script.end = None,
                _ if what == "immortal" => script.immortal = true,
                _ if what == "lies" => script.effect = Effect::Never,
                _ if what == "did" => script.effect = Effect::Always,
                _ => {}
            }
        }
        script.end = fails.or(script.end);
        script.progress.sort();
        script
    }

    /// Whether it has done what it is for when it ends by itself like this.
    pub fn has_effect(&self, end: &End) -> bool {
        match (self.effect, end) {
            (Effect::Always, End::Exited(_)) | (Effect::WithZero, End::Exited(0)) => true,
            (Effect::Never, _) | (Effect::WithZero | Effect::Always, _) => false,
        }
    }

    /// How long after it was asked it dies, ms.
    pub fn stubborn_ms(&self) -> i64 {
        self.stubborn_ms
    }

    /// Whether nothing kills it.
    pub fn is_immortal(&self) -> bool {
        self.immortal
    }

    /// Nothing kills it from now on.
    pub fn hold(&mut self) {
        self.immortal = true;
    }

    /// It dies like others from now on.
    pub fn release(&mut self) {
        (self.immortal, self.stubborn_ms) = (false, 0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_of_the_table_are_read_and_others_are_for_people() {
        let script = Script::read("job 7: exit:3@250 please progress:half@100 stubborn:9000", 1);
        assert_eq!(script.end, Some((250, End::Exited(3))));
        assert_eq!(script.progress, [(100, "half".to_owned())]);
        assert_eq!((script.stubborn_ms(), script.is_immortal()), (9_000, false));
        assert_eq!(Script::read("whatever", 1).end, Some((USUAL_MS, End::Exited(0))));
        assert_eq!(Script::read("hang immortal", 1).end, None);
        let ends = [1, 2, 3].map(|attempt| Script::read("fails:2@100 exit:0@900", attempt).end);
        let failed = Some((100, End::Exited(75)));
        assert_eq!(ends, [failed.clone(), failed, Some((900, End::Exited(0)))]);
        let did = |prompt: &str, code: i32| Script::read(prompt, 1).has_effect(&End::Exited(code));
        assert_eq!([did("x", 0), did("x", 1), did("lies", 0), did("did", 1)], [true, false, false, true]);
        assert!(!Script::read("did", 1).has_effect(&End::Signaled(9)));
    }
}
