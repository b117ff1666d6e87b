//! The demo without a person: a whole story, every step of it checked, told as it happens.

use crate::Verdict;
use crate::stage::{Place, Programs, Stage, Step, alive, bot_text, check};
use std::time::{Duration, Instant};

/// Any single thing that is waited for: generous, because a machine that compiles meanwhile is slow. Nothing takes this long
/// when all is well.
const STEP_LIMIT: Duration = Duration::from_secs(60);

/// Plays it.
pub(super) fn play(programs: &Programs, place: &Place) -> Verdict {
    let start = Instant::now();
    let mut stage = match Stage::set(programs, place, STEP_LIMIT, true) {
        Ok(stage) => stage,
        Err(error) => {
            eprintln!("demo: {error}\n{}", place.log_tail(20));
            return Verdict::Infrastructure;
        }
    };
    let played = stage.story();
    stage.clear();
    match played {
        Ok(()) => {
            tell!("\nAll of it went as it should, in {} s.", start.elapsed().as_secs());
            Verdict::Good
        }
        Err(off) => {
            tell!("\nOFF: {off}");
            tell!("The workers' ledger:\n{}", place.ledger().join("\n"));
            tell!("The end of the daemon's log:\n{}", place.log_tail(30));
            tell!("(--keep keeps the folder with all of it)");
            Verdict::Off
        }
    }
}

impl Stage<'_> {
    fn story(&mut self) -> Step {
        self.a_task_is_asked_for_and_approved()?;
        self.resumed_it_runs_and_survives_the_daemon()?;
        self.what_was_said_twice_is_done_once()?;
        self.a_failure_that_may_pass_is_tried_again()?;
        self.four_eyes_and_a_plan()?;
        self.what_ignores_sigterm_is_stopped_all_the_same()?;
        self.telegram_goes_away_and_the_report_arrives()?;
        self.the_command_line_tells_the_same()?;
        self.the_end_is_clean()
    }

    fn a_task_is_asked_for_and_approved(&mut self) -> Step {
        self.title("ana asks for a task and approves it: nothing starts by that");
        self.say("/newtask build release 1.0")?;
        let card = self.card("#1 build · REQUESTED")?;
        self.press(&card, "Approve", 1)?;
        self.card("#1 build · APPROVED")?;
        let status = self.status(1)?;
        check(status["attempt"] == 0, || format!("an approval alone started an attempt: {status}"))?;
        let ledger = self.place.ledger();
        check(ledger.is_empty(), || format!("an approval alone started a process: {ledger:?}"))
    }

    fn resumed_it_runs_and_survives_the_daemon(&mut self) -> Step {
        self.title("ana resumes it, with a double tap; it runs once");
        let card = self.card("#1 build · APPROVED")?;
        let from = self.heard.so_far();
        self.press(&card, "Resume", 2)?;
        self.card("#1 build · RUNNING")?;
        self.until("a line of progress on the card", 0, |e| {
            bot_text(e).is_some_and(|t| t.starts_with("#1 build · RUNNING") && t.contains("step "))
        })?;
        self.until("what came of the second tap", from, |e| {
            // The button may be gone before the second tap; else the daemon says that it was used.
            let text = e["text"].as_str().unwrap_or_default();
            text.contains("Already pressed") || text.contains("is gone")
        })?;
        let worker = self.worker(1)?;

        self.title("kill -9 of the daemon, while the task runs");
        let life = self.daemon.lives();
        let killed = self.daemon.kill().ok_or("the daemon was down already")?;
        tell!("  -- kill -9 {killed}");
        self.daemon.wait_until_up(life)?;
        check(alive(&worker), || format!("the task's process {worker} did not survive"))?;
        tell!("  -- the task's own process {worker} is untouched");
        self.event("found", 1, "adopted")?;

        self.title("the same attempt ends, and the report arrives");
        self.until("the report of #1", 0, |e| bot_text(e).is_some_and(|t| t.starts_with("✅ #1 build SUCCEEDED")))?;
        let status = self.status(1)?;
        check(status["state"] == "SUCCEEDED" && status["attempt"] == 1 && status["exit_code"] == 0, || {
            format!("#1 should have succeeded at its first attempt: {status}")
        })?;
        self.ran(1, &[1])
    }

    fn what_was_said_twice_is_done_once(&mut self) -> Step {
        self.title("the same message comes once more, under a new update number");
        let replays = self.ops()?["replays"].as_i64().unwrap_or_default();
        self.say(":repeat")?;
        self.eventually("the replay on record", || {
            let now = self.ops().ok()?["replays"].as_i64()?;
            (now > replays).then_some(())
        })?;
        let list = self.daemon.cli_json(&["list"])?;
        let tasks = list.as_array().map_or(0, Vec::len);
        check(tasks == 1, || format!("a replay made a task: {list}"))?;
        tell!("  -- on record as a replay; no second task, no second start");
        self.ran(1, &[1])
    }

    fn a_failure_that_may_pass_is_tried_again(&mut self) -> Step {
        self.title("a task that fails the first time is tried again");
        self.say("/newtask flaky download")?;
        let card = self.card("#2 flaky · REQUESTED")?;
        self.press(&card, "Approve", 1)?;
        self.card("#2 flaky · APPROVED")?;
        self.say("/resume 2")?;
        self.until("the report of #2", 0, |e| bot_text(e).is_some_and(|t| t.starts_with("✅ #2 flaky SUCCEEDED")))?;
        self.ran(2, &[1, 2])
    }

    fn four_eyes_and_a_plan(&mut self) -> Step {
        self.title("a deploy needs a plan, and the approval of somebody else");
        self.say("/newtask deploy release 1.0")?;
        self.card("#3 deploy · REQUESTED")?;
        self.say("/plan 3 1. back up 2. deploy 3. verify")?;
        self.until("the card with its plan", 0, |e| {
            bot_text(e).is_some_and(|t| t.starts_with("#3 deploy · REQUESTED") && t.contains("3. verify"))
        })?;
        let card = self.card("#3 deploy · REQUESTED")?;
        self.press(&card, "Approve", 1)?;
        // Ana's own approval is not enough, and somebody else's is.
        self.say(":as ben")?;
        self.say("/approve 3 read the plan")?;
        self.say(":as ana")?;
        let card = self.card("#3 deploy · APPROVED")?;
        let approvals = self.status(3)?["approvals"].clone();
        check(approvals.to_string().contains("tg:1002"), || format!("ben's approval is missing: {approvals}"))?;
        self.press(&card, "Resume", 1)?;
        self.until("the report of #3", 0, |e| bot_text(e).is_some_and(|t| t.starts_with("✅ #3 deploy SUCCEEDED")))?;
        self.ran(3, &[1])
    }

    fn what_ignores_sigterm_is_stopped_all_the_same(&mut self) -> Step {
        self.title("a task that ignores SIGTERM, asked for on the command line, is stopped in the chat");
        for args in [&["newtask", "stubborn", "never", "ends"][..], &["approve", "4"], &["resume", "4"]] {
            tell!("  $ mainstay {}", args.join(" "));
            tell!("  {}", self.daemon.cli(args)?.replace('\n', "\n    "));
        }
        let worker = self.worker(4)?;
        self.eventually("the worker's runaway helper", || (self.of_tasks().len() > 2).then_some(()))?;
        self.say("/stop 4")?;
        self.until("the report of #4", 0, |e| bot_text(e).is_some_and(|t| t.contains("#4 stubborn CANCELED")))?;
        let left = self.of_tasks();
        check(left.is_empty() && !alive(&worker), || format!("processes of #4 are left: {left:?}"))?;
        tell!("  -- nothing of it is alive");
        Ok(())
    }

    fn telegram_goes_away_and_the_report_arrives(&mut self) -> Step {
        self.title("Telegram can't be reached while a task ends; its report arrives afterwards");
        self.say(":down")?;
        for args in [&["newtask", "hello", "from", "the", "dark"][..], &["resume", "5"]] {
            tell!("  $ mainstay {}", args.join(" "));
            tell!("  {}", self.daemon.cli(args)?.replace('\n', "\n    "));
        }
        self.eventually("the end of #5", || (self.status(5).ok()?["state"] == "SUCCEEDED").then_some(()))?;
        let degraded = self.eventually("word that Telegram is away", || self.health("degraded"))?;
        tell!("  -- mainstay ops: {degraded}");
        self.say(":up")?;
        self.until("the report of #5", 0, |e| bot_text(e).is_some_and(|t| t.contains("✅ #5 hello SUCCEEDED")))?;
        self.ran(5, &[1])?;
        // A question also ends the long poll that shows that the way is free again.
        self.say("/ops")?;
        self.until("word in the chat that all is well", 0, |e| bot_text(e).is_some_and(|t| t.starts_with("healthy")))
    }

    fn the_command_line_tells_the_same(&mut self) -> Step {
        self.title("the command line tells the same");
        tell!("  $ mainstay list\n    {}", self.daemon.cli(&["list"])?.replace('\n', "\n    "));
        tell!("  $ mainstay trace 1\n    {}", self.daemon.cli(&["trace", "1"])?.replace('\n', "\n    "));
        for task in ["1", "2", "3", "4", "5"] {
            self.eventually(&format!("a complete trace of #{task}"), || {
                (self.daemon.cli_json(&["trace", task]).ok()?["complete"] == true).then_some(())
            })?;
        }
        let ops = self.ops()?;
        tell!("  $ mainstay ops --json\n    {ops}");
        check(ops["violations"] == 0, || format!("something that must not happen is on record: {ops}"))?;
        check(ops["running"].as_array().is_some_and(Vec::is_empty), || format!("something still runs: {ops}"))
    }

    fn the_end_is_clean(&mut self) -> Step {
        self.title("SIGTERM ends the daemon cleanly; what was recorded can still be read");
        let ended = self.daemon.terminate();
        check(ended.is_some_and(|status| status.success()), || format!("the daemon ended with {ended:?}"))?;
        let status = self.status(1)?;
        check(status["state"] == "SUCCEEDED", || format!("#1 is no longer what it was: {status}"))?;
        let left = self.of_daemon();
        check(left.is_empty(), || format!("processes are left: {left:?}"))?;
        tell!("  -- exit code 0; `mainstay status 1` answers from the database; no process is left");
        Ok(())
    }
}
