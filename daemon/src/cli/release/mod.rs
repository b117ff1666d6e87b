//! `release`: puts a release in place, switches to it, and back. Needs nothing but this program, and what starts the daemon.
//!
//! [`grammar`] is what can be typed, [`root`] the folder of releases, [`stage`] how one gets into it, [`hand`] does the steps of
//! a switch ([`soak`] the last of them), [`show`] tells. What follows from what is decided in [`crate::release`].

mod child;
mod grammar;
mod hand;
mod interrupt;
mod local;
mod preflight;
mod root;
mod show;
mod signature;
mod soak;
mod stage;
mod supervisor;
mod tree;

pub(super) use grammar::command;
pub(super) use local::id_of;
pub(super) use stage::{From, install, is_staged};

use super::Options;
use super::client::Client;
use crate::exit::{ExitCode, Fatal};
use crate::policy;
use crate::real::clock::wall_ms;
use crate::real::config_file;
use crate::release::Id;
use crate::release::drive::{Hands as _, drive, finish, give_up};
use crate::release::known::{Here, Known, Wish};
use crate::release::switch::{Limits, Outcome, Step, Way};
use clap::ArgMatches;
use hand::Hand;
use root::Root;
use std::path::PathBuf;

/// Does what was typed.
pub(super) fn release(matches: &ArgMatches, options: &Options) -> Result<ExitCode, Fatal> {
    let root = Root::new(matches.get_one::<PathBuf>("root").expect("it has a default"))?;
    let Some((name, matches)) = matches.subcommand() else { unreachable!("clap asks for a command") };
    tell_what_was_not_told(matches, &root, options);
    match name {
        "stage" => stage::stage(matches, &root, options),
        "activate" => activate(matches, &root, options),
        "rollback" => roll_back(matches, &root, options),
        "bless" => bless(matches, &root, options),
        "finish" => finish_cut_off(matches, &root, options),
        "list" => show::list(&root, options),
        _ => show::status(&root, options),
    }
}

/// That a person has to look is told to operators by the daemon, and there was none that could: each command tries again. Who may
/// only look leaves it to others.
fn tell_what_was_not_told(matches: &ArgMatches, root: &Root, options: &Options) {
    if !root.known().is_ok_and(|known| known.untold) {
        return;
    }
    let Ok(_lock) = root.lock() else { return };
    // Another command may have told it meanwhile.
    let Ok(mut known) = root.known() else { return };
    let Ok(mut hand) = hand(&known, matches, root, options) else { return };
    hand.tell_of_the_end(&mut known);
    if !known.untold
        && let Err(why) = root.keep(&known)
    {
        options.remark(&format!("operators were told, and will be again: {why}"));
    }
}

/// Refused, with what to do.
fn refused(text: impl Into<String>) -> Fatal {
    Fatal::new(ExitCode::Refused, text)
}

/// The release that was named.
fn named(matches: &ArgMatches) -> Result<Option<Id>, Fatal> {
    let id = matches.get_one::<String>("id").map(|text| Id::new(text));
    id.transpose().map_err(|why| Fatal::new(ExitCode::Usage, why))
}

fn activate(matches: &ArgMatches, root: &Root, options: &Options) -> Result<ExitCode, Fatal> {
    let _lock = root.lock()?;
    let mut known = root.known()?;
    let mut hand = hand(&known, matches, root, options)?;
    let named = named(matches)?;
    match (&known.switch, named) {
        (Some(switch), named) if switch.way == Way::Forward && named.as_ref().is_none_or(|id| *id == switch.to) => {
            hand.say(&format!("going on with the switch to {}", switch.to));
        }
        (Some(_), None) => return Err(refused("the way back is under way: `rollback` without an id goes on with it")),
        (None, None) => {
            let text = "no switch is under way to go on with: name a release (`mainstay release list` has them; `status` tells how the last switch ended)";
            return Err(Fatal::new(ExitCode::Usage, text));
        }
        (_, Some(to)) => {
            let here = here(root, &mut hand)?;
            known.activate(&to, &here, wish(matches, &hand)).map_err(refused)?;
            if known.way_back(&to, here.database).is_err() {
                hand.say(&format!("no other release was blessed: if {to} fails, there is nothing to go back to"));
            }
        }
    }
    go(&mut known, &mut hand, root, options)
}

fn roll_back(matches: &ArgMatches, root: &Root, options: &Options) -> Result<ExitCode, Fatal> {
    let _lock = root.lock()?;
    let mut known = root.known()?;
    let mut hand = hand(&known, matches, root, options)?;
    let named = named(matches)?;
    let goes_on = known.switch.as_ref().is_some_and(|switch| switch.way != Way::Forward) && named.is_none();
    if goes_on {
        hand.say("going on with the way back");
    } else if named.is_none()
        && give_up(&mut known, &mut hand, "somebody gave it up").map_err(|why| stands_still(root, &why, options))?
    {
        leave(root, options);
        return Ok(show::ended(&known, options));
    } else {
        let here = here(root, &mut hand)?;
        known.roll_back(named.as_ref(), &here, wish(matches, &hand)).map_err(refused)?;
    }
    go(&mut known, &mut hand, root, options)
}

/// Goes through the steps, tells what came of them, and tidies up.
fn go(known: &mut Known, hand: &mut Hand<'_>, root: &Root, options: &Options) -> Result<ExitCode, Fatal> {
    enter(known, root, options);
    drive(known, hand).map_err(|why| stands_still(root, &why, options))?;
    let code = over(known, hand, root, options);
    let given_up = known.last.as_ref().is_some_and(|last| last.outcome == Outcome::GivenUp);
    // Whoever waits for the release did not get it.
    Ok(if given_up { ExitCode::Refused } else { code })
}

/// With nobody there to ask: what a command that was cut off has left is brought to its end. Waits for one that is at work: it
/// may be cut off yet.
fn finish_cut_off(matches: &ArgMatches, root: &Root, options: &Options) -> Result<ExitCode, Fatal> {
    let waits =
        || hand::say(options.quiet, "a release command is at work: waiting for its end (`mainstay release status`)");
    let _lock = root.lock_when_free(waits)?;
    let mut known = root.known()?;
    let Some(switch) = &known.switch else {
        leave(root, options);
        show::nothing_under_way(options);
        return Ok(ExitCode::Ok);
    };
    if !root.has_finisher() {
        // Who gave the command was told why it stands still, and may be about to go on with it.
        return Err(refused(format!(
            "nothing goes on by itself with the switch to {}: it stands still at the step {}, as its command said; activate or rollback without an id goes on",
            switch.to,
            switch.step.name()
        )));
    }
    // The unit that starts us does not know what was typed.
    let config = switch.config_file.clone().map_or_else(|| options.config_path(), Ok)?;
    let mut hand = hand_with(config, &known, matches, root, options)?;
    hand.say(&format!("the switch to {} was cut off at the step {}", switch.to, switch.step.name()));
    enter(&known, root, options);
    // What fails here nobody is told: the link stays, and the unit tries again.
    finish(&mut known, &mut hand).map_err(|why| root.unwritten(&why))?;
    Ok(over(&mut known, &mut hand, root, options))
}

/// Before a switch goes on: should we be cut off, it is found who brings it to its end.
fn enter(known: &Known, root: &Root, options: &Options) {
    interrupt::listen(options.quiet);
    let Some(switch) = &known.switch else { return };
    if let Err(error) = root.name_finisher(known.finisher(switch, root.own().as_ref())) {
        options.remark(&format!("if this is cut off, nothing goes on with it by itself: {error}"));
    }
}

/// Before a command ends in order: whatever it leaves, somebody is told of it, and nothing is to be done by itself.
fn leave(root: &Root, options: &Options) {
    if let Err(error) = root.unname_finisher() {
        options.remark(&format!(
            "{} can't be removed, and may have the switch gone on with: {error}",
            root.finisher_shown()
        ));
    }
}

/// What could not be gone on with, and has changed nothing yet, waits for somebody to go on with it.
fn stands_still(root: &Root, why: &str, options: &Options) -> Fatal {
    leave(root, options);
    root.unwritten(why)
}

/// A switch is over: tells of it, and tidies up.
fn over(known: &mut Known, hand: &mut Hand<'_>, root: &Root, options: &Options) -> ExitCode {
    hand.tell_of_the_end(known);
    if known.last.as_ref().is_some_and(|last| last.outcome == Outcome::Blessed) {
        tidy_up(known, root, options);
    }
    // What came of it is what counts: the switch is over, whether that can be written down or not.
    if let Err(why) = root.keep(known) {
        let text =
            "`mainstay release status` tells where the disk has it, activate or rollback without an id goes on there";
        options.remark(&format!("what came of it can't be written down: {why}; make room, then {text}"));
    }
    leave(root, options);
    show::ended(known, options)
}

fn tidy_up(known: &mut Known, root: &Root, options: &Options) {
    let (_, left) = root.remove_superfluous(known);
    for words in left {
        options.remark(&words);
    }
}

/// By somebody's word: of the release that is current, when it answers as that, or though it does not.
fn bless(matches: &ArgMatches, root: &Root, options: &Options) -> Result<ExitCode, Fatal> {
    let _lock = root.lock()?;
    let mut known = root.known()?;
    let hand = hand(&known, matches, root, options)?;
    let current = root.current().map_err(refused)?;
    let Some(current) = current else { return Err(refused("no release is current: activate one first")) };
    known.release(&current).map_err(refused)?;
    if let Some(other) = named(matches)?.filter(|id| *id != current) {
        return Err(refused(format!(
            "{other} is not the current release ({current} is): only what runs can be blessed"
        )));
    }
    if let Some(switch) = known.switch.as_ref().filter(|switch| switch.step != Step::Soak || switch.to != current) {
        let text = format!("a switch to {} is under way: see `mainstay release status`", switch.to);
        return Err(refused(text));
    }
    let force = matches.get_one::<String>("force");
    let answers = hand.answers_as(&current);
    match (answers, force) {
        (Ok(()), None) => known.bless(&current, wall_ms(), "somebody said so"),
        (_, Some(reason)) => known.bless(&current, wall_ms(), reason),
        (Err(why), None) => {
            return Err(refused(format!("{current} can't be blessed: {why}; --force REASON does it all the same")));
        }
    }
    tidy_up(&mut known, root, options);
    root.keep(&known).map_err(|why| root.unwritten(&why))?;
    leave(root, options);
    show::blessed(&current, options);
    Ok(ExitCode::Ok)
}

/// Who does it: as it was begun, where a switch is under way, unless something else is said now.
fn hand<'a>(known: &Known, matches: &ArgMatches, root: &'a Root, options: &'a Options) -> Result<Hand<'a>, Fatal> {
    hand_with(options.config_path()?, known, matches, root, options)
}

/// With this configuration.
fn hand_with<'a>(
    config: PathBuf,
    known: &Known,
    matches: &ArgMatches,
    root: &'a Root,
    options: &'a Options,
) -> Result<Hand<'a>, Fatal> {
    let state_dir = config_file::state_dir(&config)?;
    let said = matches.try_get_one::<String>("supervisor").ok().flatten().cloned();
    let begun = known.switch.as_ref().and_then(|switch| switch.supervisor.clone());
    Ok(Hand::new(root, options, config, state_dir, said.or(begun)))
}

fn here(root: &Root, hand: &mut Hand<'_>) -> Result<Here, Fatal> {
    hand.needs_a_supervisor()?;
    Ok(Here { current: root.current().map_err(refused)?, database: hand.database_there()? })
}

fn wish(matches: &ArgMatches, hand: &Hand<'_>) -> Wish {
    let ms = |name: &str, default| matches.try_get_one::<i64>(name).ok().flatten().copied().unwrap_or(default);
    Wish {
        limits: Limits {
            ready_ms: ms("ready", policy::DEPLOY_READY_MS),
            answer_ms: ms("answer", policy::DEPLOY_ANSWER_MS),
            soak_ms: ms("soak", policy::DEPLOY_SOAK_MS),
        },
        supervisor: matches.get_one::<String>("supervisor").cloned(),
        config_file: hand.config_in_full(),
        force: matches.get_one::<String>("force").cloned(),
        no_way_back: matches.try_get_one::<bool>("no-way-back").ok().flatten().copied().unwrap_or(false),
    }
}

/// A client that takes no answer for an answer.
fn passing_client(state_dir: &std::path::Path) -> Client {
    Client::impatient(state_dir, policy::DEPLOY_ASK_WITHIN)
}
