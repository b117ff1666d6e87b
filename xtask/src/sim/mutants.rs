//! Planted bugs: a simulation that does not find them would not find others either.

mod hunt;
mod list;
mod plant;
mod planted;
mod shrink;
mod table;

use super::build;
use crate::Verdict;
use clap::{Arg, ArgAction, ArgMatches, Command, value_parser};
use hunt::Found;
use list::{LIST, Mutant};
pub(crate) use planted::{Hunted, Planted};
use shrink::{Proof, Shrinker};
use std::collections::BTreeMap;
use std::io::{IsTerminal, Write};
use std::path::Path;
use std::sync::Mutex;
use table::Summary;

/// What was found so far, one JSON line a mutant, so that an interrupted run can go on.
const NOTES: &str = "target/mutants/found.jsonl";
/// The table for people.
const DOCUMENT: &str = "docs/MUTANTS.md";

pub(super) fn command() -> Command {
    let flag = |name: &'static str, help: &'static str| Arg::new(name).long(name).action(ArgAction::SetTrue).help(help);
    Command::new("mutants")
        .about("Plants each known bug, and tells how many seeds it takes to find it, and how small what it broke becomes")
        .arg(
            Arg::new("seeds")
                .long("seeds")
                .value_name("N")
                .value_parser(value_parser!(u64).range(1..))
                .default_value("200")
                .help("Seeds after which a mutant counts as missed"),
        )
        .arg(Arg::new("only").long("only").value_name("NAME").action(ArgAction::Append).help("Only these"))
        .arg(
            Arg::new("jobs")
                .long("jobs")
                .value_name("N")
                .value_parser(value_parser!(usize))
                .help("Mutants tried at once; as many as there are cores when not given"),
        )
        .arg(flag("shrink", "Then makes what each bug of the product broke small, and runs the files that are left"))
        .arg(flag("again", "Also those that an earlier run of the same code has tried already"))
        .arg(flag("json", "One JSON line a mutant instead of words"))
        .arg(flag("write", "Write docs/MUTANTS.md when all were tried"))
        .after_help(
            "Examples:\n  cargo xtask sim mutants\n  cargo xtask sim mutants --only sync-normal --again\n  \
             cargo xtask sim mutants --shrink --write\n\n\
             --shrink wants of each bug that a seed of the swarm found a file that fails with the bug, by the same \
             property, and holds without it; of all of them a median of at most 4 faults, and of at most 60 s. A single one \
             may take longer, since machines are shared: what each took is in the table. The files are left in \
             target/mutants/shrunk.\n\n\
             Exit codes: 0 all found by a property named for them, and small, 1 not all, 5 it could not be tried, 6 nothing \
             was there to shrink, so that nothing is proved",
        )
}

pub(super) fn run(root: &Path, matches: &ArgMatches) -> Verdict {
    try_all(root, matches).unwrap_or_else(|error| {
        eprintln!("{error}");
        Verdict::Infrastructure
    })
}

/// Whether all were found as they should be, and small.
fn try_all(root: &Path, matches: &ArgMatches) -> Result<Verdict, String> {
    let seeds = *matches.get_one::<u64>("seeds").expect("has a default");
    let only: Vec<&String> = matches.get_many("only").into_iter().flatten().collect();
    let mutants = list::list(root)?;
    if let Some(unknown) = only.iter().find(|name| mutants.iter().all(|m| m.name != ***name)) {
        return Err(format!("there is no mutant {unknown:?} in {LIST}"));
    }
    let simulator = build(root).map_err(|()| "the simulator does not build")?;
    let (program, made_of) = plant::build(root, &mutants)?;
    hunt::compare(&program, &simulator, root)?;
    let wanted: Vec<&Mutant> = mutants.iter().filter(|m| only.is_empty() || only.contains(&&m.name)).collect();
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let jobs = matches.get_one::<usize>("jobs").copied().unwrap_or(cores).max(1);
    let hunters = Hunters {
        program: &program,
        root,
        made_of,
        seeds,
        json: matches.get_flag("json"),
        shrinks: matches.get_flag("shrink"),
    };
    let known = if matches.get_flag("again") { BTreeMap::new() } else { hunters.known(&wanted) };
    let mut found = hunters.all(&wanted, known, jobs)?;
    if hunters.shrinks {
        hunters.shrink_all(&wanted, &mut found, &Shrinker { root, program: &program, simulator: &simulator })?;
    }
    let all: Vec<(&Mutant, &Found)> = wanted.iter().filter_map(|m| Some((*m, found.get(&m.name)?))).collect();
    let summary = table::summary(&all);
    let proof = hunters.shrinks.then(|| table::proof(&all));
    if !hunters.json {
        crate::say(format_args!("{}", table::in_words(&summary, proof.as_ref())));
    }
    for wrong in proof.iter().flat_map(|proof| &proof.wrong) {
        eprintln!("{wrong}");
    }
    if matches.get_flag("write") && only.is_empty() {
        let text = table::document(&all, seeds);
        std::fs::write(root.join(DOCUMENT), text).map_err(|error| format!("{DOCUMENT}: {error}"))?;
    }
    Ok(verdict(&summary, proof.as_ref()))
}

/// How it ends. Where there was nothing to shrink, nothing is wrong, and nothing is proved either.
fn verdict(summary: &Summary, proof: Option<&Proof>) -> Verdict {
    if summary.missed + summary.by_others > 0 || proof.is_some_and(|proof| !proof.wrong.is_empty()) {
        Verdict::Off
    } else if proof.is_some_and(|proof| proof.tried == 0) {
        Verdict::TooLittle
    } else {
        Verdict::Good
    }
}

struct Hunters<'a> {
    program: &'a Path,
    root: &'a Path,
    made_of: u64,
    seeds: u64,
    json: bool,
    /// What they find is shrunk afterwards.
    shrinks: bool,
}

impl Hunters<'_> {
    /// A number for all that a mutant's result depends on: the program, its scenario, the seeds.
    fn depends_on(&self, mutant: &Mutant) -> u64 {
        let mut hash = plant::Fnv(self.made_of);
        hash.add(&self.seeds.to_le_bytes());
        hash.add(&std::fs::read(self.root.join(&mutant.scenario)).unwrap_or_default());
        hash.0
    }

    /// What an earlier run has found of the same.
    fn known(&self, wanted: &[&Mutant]) -> BTreeMap<String, Found> {
        let text = std::fs::read_to_string(self.root.join(NOTES)).unwrap_or_default();
        let notes = text.lines().filter_map(|line| serde_json::from_str::<(u64, Found)>(line).ok());
        let mut known = BTreeMap::new();
        for (of, found) in notes {
            if wanted.iter().any(|mutant| mutant.name == found.mutant && self.depends_on(mutant) == of) {
                known.insert(found.mutant.clone(), found);
            }
        }
        known
    }

    /// Tries all that are not known yet, several at once.
    fn all(
        &self,
        wanted: &[&Mutant],
        known: BTreeMap<String, Found>,
        jobs: usize,
    ) -> Result<BTreeMap<String, Found>, String> {
        for mutant in wanted {
            if let Some(found) = known.get(&mutant.name) {
                self.tell(mutant, found);
            }
        }
        let left: Vec<&Mutant> = wanted.iter().copied().filter(|m| !known.contains_key(&m.name)).rev().collect();
        let (left, found) = (Mutex::new(left), Mutex::new(Ok(known)));
        std::thread::scope(|scope| {
            for _ in 0..jobs {
                scope.spawn(|| {
                    while let Some(mutant) = left.lock().expect("nobody panics with it").pop() {
                        let one = self.one(mutant);
                        let mut found = found.lock().expect("nobody panics with it");
                        match (one, &mut *found) {
                            (Ok(one), Ok(found)) => drop(found.insert(one.mutant.clone(), one)),
                            (Err(error), found) => {
                                *found = Err(format!("mutant {}: {error}", mutant.name));
                                return;
                            }
                            (Ok(_), Err(_)) => return,
                        }
                    }
                });
            }
        });
        found.into_inner().expect("nobody panics with it")
    }

    fn one(&self, mutant: &Mutant) -> Result<Found, String> {
        if std::io::stderr().is_terminal() {
            eprint!("{} ...\r", mutant.name);
        }
        let (found, _) = hunt::hunt(self.program, self.root, mutant, self.seeds)?;
        self.note(mutant, &found)?;
        self.tell(mutant, &found);
        Ok(found)
    }

    /// Notes what is known of it by now; of several notes the last one counts.
    fn note(&self, mutant: &Mutant, found: &Found) -> Result<(), String> {
        let line = serde_json::to_string(&(self.depends_on(mutant), found)).map_err(|error| error.to_string())?;
        let notes = std::fs::OpenOptions::new().create(true).append(true).open(self.root.join(NOTES));
        notes.and_then(|mut notes| writeln!(notes, "{line}")).map_err(|error| format!("{NOTES}: {error}"))
    }

    /// Shrinks what was found and is not shrunk yet: one after the other, so that each has the machine to itself.
    fn shrink_all(
        &self,
        wanted: &[&Mutant],
        found: &mut BTreeMap<String, Found>,
        shrinker: &Shrinker<'_>,
    ) -> Result<(), String> {
        for (n, mutant) in wanted.iter().enumerate() {
            let Some(found) = found.get_mut(&mutant.name) else { continue };
            let Some(seed) = shrink::seed(mutant, found) else {
                if !self.json && !mutant.is_of_the_simulator() {
                    crate::say(format_args!("{:<32} not shrunk: no seed of the swarm has found it", mutant.name));
                }
                continue;
            };
            if found.shrunk.is_none() {
                if std::io::stderr().is_terminal() {
                    eprint!("shrinking, {} of {}: {} ...\r", n + 1, wanted.len(), mutant.name);
                }
                let shrunk =
                    shrinker.shrink(mutant, seed).map_err(|error| format!("mutant {}: {error}", mutant.name))?;
                found.shrunk = Some(shrunk);
                self.note(mutant, found)?;
            }
            self.tell_shrunk(mutant, found);
        }
        Ok(())
    }

    fn tell_shrunk(&self, mutant: &Mutant, found: &Found) {
        if self.json {
            crate::say(format_args!("{}", table::json(mutant, found)));
        } else if let Some(shrunk) = &found.shrunk {
            crate::say(format_args!("{:<32} {}", mutant.name, table::shrunk_in_words(found, shrunk)));
        }
    }

    fn tell(&self, mutant: &Mutant, found: &Found) {
        if self.json {
            // One line for each: that of what is to be shrunk comes when it is.
            if !self.shrinks || shrink::seed(mutant, found).is_none() {
                crate::say(format_args!("{}", table::json(mutant, found)));
            }
            return;
        }
        let Found { mutant: name, seeds, by, seconds, how, shrunk: _ } = found;
        let after = seeds.map_or_else(|| "control ".to_owned(), |seeds| format!("seed {seeds:>3}"));
        match by {
            Some(by) if table::is_right(mutant, found) => {
                crate::say(format_args!("{name:<32} {after}  {by}  ({seconds:.0} s)"))
            }
            Some(by) => crate::say(format_args!("{name:<32} {after}  ANOTHER PROPERTY: {by}: {how}  ({seconds:.0} s)")),
            None => crate::say(format_args!("{name:<32} MISSED: {}  ({seconds:.0} s)", mutant.about)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_missed_or_wrong_is_off_and_what_was_not_tried_is_not_good() {
        let summary = |missed| Summary { found: 1, missed, by_others: 0, median: Some(1) };
        let proof = |tried, wrong: &[&str]| Proof {
            tried,
            right: 0,
            before: None,
            faults: None,
            seconds: None,
            wrong: wrong.iter().map(|&wrong| wrong.to_owned()).collect(),
        };
        assert_eq!(verdict(&summary(0), None), Verdict::Good);
        assert_eq!(verdict(&summary(1), None), Verdict::Off);
        assert_eq!(verdict(&summary(0), Some(&proof(1, &[]))), Verdict::Good);
        assert_eq!(verdict(&summary(0), Some(&proof(1, &["x"]))), Verdict::Off);
        assert_eq!(verdict(&summary(0), Some(&proof(0, &[]))), Verdict::TooLittle);
        assert_eq!(verdict(&summary(1), Some(&proof(0, &[]))), Verdict::Off);
    }

    #[test]
    fn of_several_notes_the_last_one_of_the_same_program_counts() {
        let folder = tempfile::tempdir().expect("a folder");
        std::fs::create_dir_all(folder.path().join("target/mutants")).expect("made");
        let hunters = |made_of| Hunters {
            program: Path::new("none"),
            root: folder.path(),
            made_of,
            seeds: 1,
            json: false,
            shrinks: true,
        };
        let mutant = mutant("a", "PLANTED");
        let found = |seeds, shrunk| Found {
            mutant: "a".into(),
            seeds: Some(seeds),
            by: Some("y".into()),
            how: String::new(),
            seconds: 1.0,
            shrunk,
        };
        let shrunk = shrink::Shrunk {
            before: shrink::Size { faults: 3, jobs: 2 },
            seconds: 2.0,
            left: Err("nothing was left".into()),
        };
        hunters(1).note(&mutant, &found(7, None)).expect("noted");
        hunters(1).note(&mutant, &found(7, Some(shrunk))).expect("noted");
        hunters(2).note(&mutant, &found(9, None)).expect("noted");
        let known = |made_of| hunters(made_of).known(&[&mutant]).remove("a");
        let first = known(1).expect("known");
        assert!(first.seeds == Some(7) && first.shrunk.is_some_and(|shrunk| shrunk.before.faults == 3));
        let other = known(2).expect("known");
        assert!(other.seeds == Some(9) && other.shrunk.is_none());
        assert!(known(3).is_none());
    }

    fn mutant(old: &str, new: &str) -> Mutant {
        Mutant {
            name: old.replace(' ', "-"),
            about: "x".into(),
            file: "a.rs".into(),
            old: old.into(),
            new: new.into(),
            also: Vec::new(),
            caught_by: vec!["y".into()],
            scenario: "z".into(),
        }
    }

    #[test]
    fn every_mutant_can_be_planted() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
        let mutants = list::list(&root).expect("the list");
        plant::planted(&root, &mutants).unwrap_or_else(|error| panic!("{error}"));
        for mutant in &mutants {
            assert!(!mutant.about.is_empty() && !mutant.caught_by.is_empty(), "{}", mutant.name);
            assert!(root.join(&mutant.scenario).is_file(), "{}", mutant.name);
        }
        let names: std::collections::BTreeSet<&str> = mutants.iter().map(|m| m.name.as_str()).collect();
        assert_eq!(names.len(), mutants.len(), "names are unique");
    }

    #[test]
    fn what_occurs_twice_or_overlaps_or_never_asks_its_turn_can_not_be_planted() {
        let folder = tempfile::tempdir().expect("a folder");
        std::fs::write(folder.path().join("a.rs"), "one two three two").expect("written");
        let plant = |mutants: &[Mutant]| plant::planted(folder.path(), mutants);
        let good = plant(&[mutant("one", "PLANTED"), mutant("three", "(PLANTED)")]).expect("planted");
        assert_eq!(good["a.rs"], "mainstay::planted::is(\"one\") two (mainstay::planted::is(\"three\")) two");
        for (mutants, part) in [
            (vec![mutant("two", "PLANTED")], "occurs 2 times"),
            (vec![mutant("four", "PLANTED")], "occurs 0 times"),
            (vec![mutant("one", "1")], "say `PLANTED`"),
            (vec![mutant("one two", "PLANTED"), mutant("two three", "PLANTED")], "the same text"),
        ] {
            let error = plant(&mutants).expect_err(part);
            assert!(error.contains(part), "{error}");
        }
    }
}
