//! What people and programs are told of releases.

use super::super::{Options, print};
use super::hand::asked;
use super::root::Root;
use super::{passing_client, refused};
use crate::exit::{ExitCode, Fatal};
use crate::real::config_file;
use crate::release::Id;
use crate::release::known::{Known, Release};
use crate::release::switch::{Ended, Outcome, Switch, Way};
use crate::report::utc;
use serde_json::{Value, json};

/// How a switch ended, and how the command ends by it.
pub(super) fn ended(known: &Known, options: &Options) -> ExitCode {
    let Some(last) = &known.last else { return ExitCode::Internal };
    if options.json {
        print(&serde_json::to_string(last).expect("plain data"));
    } else {
        print(&words(last));
    }
    match last.outcome {
        Outcome::Blessed | Outcome::GivenUp | Outcome::RolledBack => ExitCode::Ok,
        Outcome::Refused => ExitCode::Refused,
        Outcome::WentBack => ExitCode::WentBack,
        Outcome::Stuck => ExitCode::Stuck,
    }
}

fn words(last: &Ended) -> String {
    let Ended { to, from, why, outcome, .. } = last;
    let from = from.as_ref().map_or_else(|| "no release".to_owned(), ToString::to_string);
    match outcome {
        Outcome::Blessed => format!("{to} is blessed: it runs, and has proven itself"),
        Outcome::Refused => format!("{to} was not switched to: {why}\nnothing was changed: {from} is current"),
        Outcome::GivenUp => format!("the switch to {to} was given up: {why}\nnothing was changed: {from} is current"),
        Outcome::WentBack => format!("{from} failed, and {to} runs again: {why}"),
        Outcome::RolledBack => format!("{to} runs again"),
        Outcome::Stuck => format!(
            "{to} failed, and nothing was gone back to: {why}\nnothing more is tried by itself: see docs/ROLLBACK.md"
        ),
    }
}

/// There is nothing to finish.
pub(super) fn nothing_under_way(options: &Options) {
    print(if options.json { "null" } else { "no switch is under way: nothing to do" });
}

/// Somebody's word is on record.
pub(super) fn blessed(id: &Id, options: &Options) {
    print(&if options.json { json!({ "blessed": id }).to_string() } else { format!("{id} is blessed") });
}

/// The releases that are here, the newest first.
pub(super) fn list(root: &Root, options: &Options) -> Result<ExitCode, Fatal> {
    let known = root.known()?;
    let current = root.current().map_err(refused)?;
    let newest_first = known.releases.iter().rev();
    if options.json {
        let all: Vec<Value> = newest_first.map(|release| data(release, current.as_ref())).collect();
        print(&Value::Array(all).to_string());
    } else if known.releases.is_empty() {
        print("there are no releases here: `mainstay release stage ARCHIVE` brings one");
    } else {
        let lines: Vec<String> = newest_first.map(|release| line(release, current.as_ref())).collect();
        print(&lines.join("\n"));
    }
    Ok(ExitCode::Ok)
}

fn data(release: &Release, current: Option<&Id>) -> Value {
    let mut data = serde_json::to_value(release).expect("plain data");
    data["current"] = json!(current == Some(&release.id));
    data
}

fn line(release: &Release, current: Option<&Id>) -> String {
    let mut words = vec![format!("staged {}", utc(release.staged_ms))];
    words.extend(release.blessed.as_ref().map(|note| format!("blessed {}", utc(note.at_ms))));
    words.extend(release.bad.as_ref().map(|note| format!("bad since {} ({})", utc(note.at_ms), note.words)));
    let checked = release.preflight.as_ref().filter(|note| !note.words.is_empty());
    words.extend(checked.map(|note| format!("its preflight said no {}", utc(note.at_ms))));
    let mark = if current == Some(&release.id) { "*" } else { " " };
    format!("{mark} {}  {}", release.id, words.join(", "))
}

/// Where it all stands. Changes nothing, and waits for nobody.
pub(super) fn status(root: &Root, options: &Options) -> Result<ExitCode, Fatal> {
    let known = root.known()?;
    let current = root.current();
    let runs = running(options);
    if options.json {
        let current = current.map_err(refused)?;
        let (switch, last) = (&known.switch, &known.last);
        print(&json!({ "current": current, "running": runs.ok(), "switch": switch, "last": last }).to_string());
        return Ok(ExitCode::Ok);
    }
    let mut lines = vec![match &current {
        Ok(Some(id)) => format!("current: {id}{}", standing(&known, id)),
        Ok(None) => "current: no release".to_owned(),
        Err(why) => format!("current: {why}"),
    }];
    lines.push(match runs {
        Ok(version) => format!("running: {version}"),
        Err(why) => format!("running: {why}"),
    });
    lines.extend(known.last.as_ref().map(|last| format!("last switch, {}: {}", utc(last.at_ms), words(last))));
    lines.extend(known.switch.as_ref().map(under_way));
    print(&lines.join("\n"));
    Ok(ExitCode::Ok)
}

fn standing(known: &Known, id: &Id) -> &'static str {
    match known.release(id) {
        Ok(Release { bad: Some(_), .. }) => ", which failed",
        Ok(Release { blessed: Some(_), .. }) => ", blessed",
        Ok(_) => ", not blessed yet",
        Err(_) => ", of which nothing is known here",
    }
}

/// What the daemon calls itself.
fn running(options: &Options) -> Result<String, String> {
    let state_dir = options.config_path().and_then(|path| config_file::state_dir(&path)).map_err(|fatal| fatal.text)?;
    let ops = asked(&mut passing_client(&state_dir), &["ops"])?.data;
    ops["version"].as_str().map(str::to_owned).ok_or_else(|| "it does not say yet what it is".to_owned())
}

fn under_way(switch: &Switch) -> String {
    let Switch { to, step, .. } = switch;
    let (at, of) = switch.place();
    let (what, next) = match switch.way {
        Way::Forward if step.may_have_flipped() => {
            ("the switch", "`activate` without an id goes on with it, `rollback` without an id goes back")
        }
        Way::Forward => {
            ("the switch", "`activate` without an id goes on with it, `rollback` without an id gives it up")
        }
        Way::Back | Way::BackByItself => ("the way back", "`rollback` without an id goes on with it"),
    };
    format!(
        "{what} to {to} is at step {at} of {of}, {}; if no command is at work on it, it stands still: {next}",
        step.name()
    )
}
