//! The table of what it took to find each bug.

use super::hunt::Found;
use super::list::{Mutant, SWARM};
use super::shrink::{self, Proof, Shrunk, median};
use std::fmt::Write as _;

/// What is to be known of a whole run.
pub(super) struct Summary {
    pub(super) found: usize,
    pub(super) missed: usize,
    /// Found, and not by a property that is named for it.
    pub(super) by_others: usize,
    pub(super) median: Option<u64>,
}

/// Whether it was found as it should be.
pub(super) fn is_right(mutant: &Mutant, found: &Found) -> bool {
    found.by.as_ref().is_some_and(|by| mutant.caught_by.contains(by))
}

pub(super) fn summary(all: &[(&Mutant, &Found)]) -> Summary {
    let took: Vec<u64> =
        all.iter().filter(|(mutant, _)| !mutant.is_of_the_simulator()).filter_map(|(_, found)| found.seeds).collect();
    let right = all.iter().filter(|(mutant, found)| is_right(mutant, found)).count();
    let missed = all.iter().filter(|(_, found)| found.by.is_none()).count();
    Summary { found: right, missed, by_others: all.len() - right - missed, median: median(took, u64::cmp) }
}

/// What all that were shrunk say together.
pub(super) fn proof(all: &[(&Mutant, &Found)]) -> Proof {
    shrink::proof(&shrunk(all))
}

fn shrunk<'a>(all: &[(&'a Mutant, &'a Found)]) -> Vec<(&'a Found, &'a Shrunk)> {
    all.iter().filter_map(|(_, found)| Some((*found, found.shrunk.as_ref()?))).collect()
}

/// A line for programs.
pub(super) fn json(mutant: &Mutant, found: &Found) -> String {
    serde_json::json!({ "about": mutant.about, "right": is_right(mutant, found), "found": found }).to_string()
}

/// The last line for people.
pub(super) fn in_words(summary: &Summary, proof: Option<&Proof>) -> String {
    let Summary { found, missed, by_others, median } = summary;
    let mut text = format!(
        "{found} found, {missed} missed, {by_others} found by another property than named; median seeds to find: {}",
        or(*median, "none")
    );
    match proof {
        None => {}
        Some(Proof { tried: 0, .. }) => text.push_str("\nnothing was there to shrink: nothing is proved"),
        Some(Proof { tried, right, before, faults, seconds, wrong: _ }) => {
            let _ = write!(
                text,
                "\n{tried} shrunk, {right} fail with their bug and hold without it; medians: faults left {} of {}, in {} s",
                or(*faults, "no"),
                or(*before, "no"),
                whole(*seconds),
            );
        }
    }
    text
}

/// What came of shrinking one, for people.
pub(super) fn shrunk_in_words(found: &Found, shrunk: &Shrunk) -> String {
    let Shrunk { before, seconds, left } = shrunk;
    match left {
        Err(error) => format!("NOTHING LEFT of {} faults: {error}  ({seconds:.0} s)", before.faults),
        Ok(small) => format!(
            "faults {:>2} -> {}, jobs {:>2} -> {}, {}, {}  ({seconds:.0} s)",
            before.faults,
            small.size.faults,
            before.jobs,
            small.size.jobs,
            if shrunk.fails_with_bug(found) { "fails with it" } else { "DOES NOT FAIL WITH IT" },
            if shrunk.holds_without_bug() { "holds without" } else { "DOES NOT HOLD WITHOUT" },
        ),
    }
}

fn whole(seconds: Option<f64>) -> String {
    or(seconds.map(|seconds| format!("{seconds:.0}")), "-")
}

fn or(value: Option<impl std::fmt::Display>, none: &str) -> String {
    value.map_or_else(|| none.to_owned(), |value| value.to_string())
}

/// `docs/MUTANTS.md`.
pub(super) fn document(all: &[(&Mutant, &Found)], seeds: u64) -> String {
    let Summary { found, missed, by_others, median } = summary(all);
    let (simulator, product): (Vec<_>, Vec<_>) = all.iter().partition(|(mutant, _)| mutant.is_of_the_simulator());
    let mut text = format!(
        "# Planted bugs\n\n\
         Each of these bugs is planted in a copy of the code (`sim/mutants.toml` has its text), and the simulation has to find \
         it: a bug of the\nproduct by a property, within {seeds} seeds; a bug of the simulator by one of its own controls, \
         because a harness that went blind\nfinds nothing, and says that everything holds. The seeds it took are \
         measured: a 1 is the first one.\n\n\
         `cargo xtask sim mutants --shrink --write` writes this file, in some twenty minutes, most of which is shrinking;\n`--only NAME` \
         tries one.\n\n\
         {found} of {} found as they should be, {missed} missed, {by_others} found by a property that is not named for \
         them. Median over\nthe product's: {} seed(s).\n",
        all.len(),
        or(median, "-"),
    );
    let _ = write!(
        text,
        "\n## The product's ({})\n\n| bug | what it breaks | found by | seeds |\n| --- | --- | --- | ---: |\n",
        product.len()
    );
    for (mutant, found) in product {
        let by = found.by.as_deref().unwrap_or("**missed**");
        let seeds = or(found.seeds, "-");
        let _ = writeln!(text, "| `{}` | {} | {by} | {seeds} |", mutant.name, mutant.about);
    }
    text.push_str(&shrinking(all));
    let _ = write!(
        text,
        "\n## The simulator's ({})\n\n| bug | what it breaks | noticed by |\n| --- | --- | --- |\n",
        simulator.len()
    );
    for (mutant, found) in simulator {
        let _ = writeln!(
            text,
            "| `{}` | {} | {} |",
            mutant.name,
            mutant.about,
            found.by.as_deref().unwrap_or("**missed**")
        );
    }
    text
}

/// What the product's become when they are made small.
fn shrinking(all: &[(&Mutant, &Found)]) -> String {
    let Proof { tried, right, before, faults, seconds, wrong } = proof(all);
    let mut text = format!("\n## What they broke, made small ({tried})\n\n");
    let left = all.iter().filter(|(m, found)| shrink::seed(m, found).is_some() && found.shrunk.is_none()).count();
    if left > 0 {
        let _ = writeln!(text, "**{left} were not shrunk since the code has changed: say `--shrink`.**");
    }
    if tried == 0 {
        return text;
    }
    if left > 0 {
        text.push('\n');
    }
    let shrunk = shrunk(all);
    let without_faults = shrunk.iter().filter(|(_, shrunk)| shrunk.faults() == Some(0)).count();
    let most = shrunk.iter().filter_map(|(_, shrunk)| shrunk.faults()).max();
    let longest = shrunk.iter().map(|(_, shrunk)| shrunk.seconds).max_by(f64::total_cmp);
    let _ = write!(
        text,
        "What the seed came to is shrunk by `sim shrink`, which ends by itself after 50 s with what it has by then. The file that is \
         left\nis run twice: with the bug, it has to break the property that the seed broke; without, everything has to hold. Faults \
         and jobs\nare entries of the file, before and after.\n\n\
         {right} of {tried} fail with their bug and hold without it. Medians: {} fault(s) left of {} (at most {}), in {} s (at most {}), while \
         others used\nthe machine too. {without_faults} need no fault at all.\n\n",
        or(faults, "-"),
        or(before, "-"),
        or(most, "-"),
        whole(seconds),
        whole(longest),
    );
    for wrong in &wrong {
        let _ = writeln!(text, "- **{wrong}**");
    }
    if !wrong.is_empty() {
        text.push('\n');
    }
    text.push_str(
        "| bug | faults | left | jobs | left | s | fails with it | holds without |\n\
         | --- | ---: | ---: | ---: | ---: | ---: | --- | --- |\n",
    );
    for (found, shrunk) in &shrunk {
        let small = shrunk.left.as_ref().ok();
        let yes = |is: bool| if is { "yes" } else { "**no**" };
        let _ = writeln!(
            text,
            "| `{}` | {} | {} | {} | {} | {:.0} | {} | {} |",
            found.mutant,
            shrunk.before.faults,
            or(small.map(|small| small.size.faults), "-"),
            shrunk.before.jobs,
            or(small.map(|small| small.size.jobs), "-"),
            shrunk.seconds,
            yes(shrunk.fails_with_bug(found)),
            yes(shrunk.holds_without_bug()),
        );
    }
    let skipped: Vec<String> = all
        .iter()
        .filter(|(mutant, _)| !mutant.is_of_the_simulator() && mutant.scenario != SWARM)
        .map(|(mutant, _)| format!("`{}` (`{}`)", mutant.name, mutant.scenario))
        .collect();
    if !skipped.is_empty() {
        let _ = writeln!(
            text,
            "\nNot shrunk, because a scenario file is to find them and not a seed of the swarm:\n{}.",
            skipped.join(",\n")
        );
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_not_shrunk_has_no_figures_in_the_document() {
        let mutant = Mutant {
            name: "a-bug".into(),
            about: "x".into(),
            file: "daemon/a.rs".into(),
            old: "x".into(),
            new: "PLANTED".into(),
            also: Vec::new(),
            caught_by: vec!["p".into()],
            scenario: SWARM.into(),
        };
        let mut found = Found {
            mutant: "a-bug".into(),
            seeds: Some(1),
            by: Some("p".into()),
            how: String::new(),
            seconds: 1.0,
            shrunk: None,
        };
        let text = document(&[(&mutant, &found)], 200);
        assert!(text.contains("1 were not shrunk") && !text.contains("Medians"), "{text}");
        let before = shrink::Size { faults: 9, jobs: 5 };
        found.shrunk = Some(Shrunk { before, seconds: 2.0, left: Err("the run panics".into()) });
        let text = document(&[(&mutant, &found)], 200);
        assert!(!text.contains("were not shrunk") && text.contains("0 of 1 fail with their bug"), "{text}");
        assert!(text.contains("- **a-bug: shrinking left no file: the run panics**"), "{text}");
        assert!(text.contains("| `a-bug` | 9 | - | 5 | - | 2 | **no** | **no** |"), "{text}");
    }
}
