//! A person at the terminal: what they type goes to the chat, but for the few words that are about the daemon itself.

use crate::Verdict;
use crate::stage::{BotApi, Daemon, Place, Programs};
use std::io::BufRead;

/// Talks until the person has enough.
pub(super) fn talk(programs: &Programs, place: &Place) -> Verdict {
    let started = BotApi::start(programs, place, false).and_then(|(botapi, _)| {
        let daemon = Daemon::start(programs, place, |news| tell!("  -- {news}"))?;
        Ok((botapi, daemon))
    });
    let (mut botapi, mut daemon) = match started {
        Ok(started) => started,
        Err(error) => {
            eprintln!("demo: {error}\n{}", place.log_tail(20));
            return Verdict::Infrastructure;
        }
    };
    tell!("{}", guide(place, &daemon));
    for line in std::io::stdin().lock().lines().map_while(Result::ok) {
        match line.trim() {
            ":quit" => break,
            ":kill" => match daemon.kill() {
                Some(pid) => tell!("  -- kill -9 {pid}"),
                None => tell!("  -- the daemon is down just now"),
            },
            ":ledger" => tell!("  -- what the workers wrote:\n{}", place.ledger().join("\n")),
            ":guide" => tell!("{}", guide(place, &daemon)),
            _ if botapi.line(&line) => {}
            _ => break,
        }
    }
    tell!("  -- the demo ends: daemon, chat and whatever still runs");
    let ended = daemon.terminate();
    botapi.end();
    // Somebody may end it within the second in which the daemon is down.
    let clean = ended.is_none_or(|status| status.success() || status.code().is_none());
    if clean { Verdict::Good } else { Verdict::Off }
}

fn guide(place: &Place, daemon: &Daemon) -> String {
    let kill = daemon.pid().map_or_else(|| "kill -9 PID".to_owned(), |pid| format!("kill -9 {pid}"));
    format!(
        "
  Mainstay's daemon runs here, and this is a chat with it. You are ana. Try:

    /newtask build release 1.0   ask for a task. A card comes, with numbered buttons
    :press 1                     press [1 Approve]. Nothing starts by that
    :press 4                     press [4 Resume]; the numbers stand on the card. Now it runs, for ten seconds
    :kill                        kill the daemon with -9 meanwhile, or from another terminal: {kill}
                                 It comes back, finds the same task alive, and reports its end
    :ledger                      what the task itself wrote: it ran once

  And then: /help /kinds /ops /trace 1 · /newtask stubborn x, approve, resume, /stop it · /newtask deploy x asks for a
  plan and for somebody else's approval, \":as ben\" · \":down\" and \":up\" take Telegram away and bring it back ·
  \":repeat\" delivers what you said once more · :help lists all of it, :guide shows this again, :quit ends.

  From another terminal:  {} list
  Configuration, the daemon's log (daemon.log), state:  {}
",
        daemon.command_line(),
        place.dir().display()
    )
}
