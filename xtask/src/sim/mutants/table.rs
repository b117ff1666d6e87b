//! The table of what it took to find each bug.

use super::hunt::Found;
use super::list::Mutant;
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
    let mut took: Vec<u64> =
        all.iter().filter(|(mutant, _)| !mutant.is_of_the_simulator()).filter_map(|(_, found)| found.seeds).collect();
    took.sort_unstable();
    let right = all.iter().filter(|(mutant, found)| is_right(mutant, found)).count();
    let missed = all.iter().filter(|(_, found)| found.by.is_none()).count();
    Summary { found: right, missed, by_others: all.len() - right - missed, median: took.get(took.len() / 2).copied() }
}

/// `docs/MUTANTS.md`.
pub(super) fn document(all: &[(&Mutant, &Found)], seeds: u64) -> String {
    let Summary { found, missed, by_others, median } = summary(all);
    let (simulator, product): (Vec<_>, Vec<_>) = all.iter().partition(|(mutant, _)| mutant.is_of_the_simulator());
    let mut text = format!(
        "# Planted bugs\n\n\
         Each of these bugs is planted in a copy of the code (`sim/mutants.toml` has its text), and the simulation has to find \
         it: a bug of the\nproduct by a property, within {seeds} seeds; a bug of the simulator by one of its own controls, \
         because a harness that went blind\nfinds nothing, and says that everything holds. The last column is what was \
         measured: a 1 is the first seed.\n\n\
         `cargo xtask sim mutants --write` writes this file, in a few minutes; `--only NAME` tries one.\n\n\
         {found} of {} found as they should be, {missed} missed, {by_others} found by a property that is not named for \
         them. Median over\nthe product's: {} seed(s).\n",
        all.len(),
        median.map_or_else(|| "-".to_owned(), |median| median.to_string()),
    );
    let _ = write!(
        text,
        "\n## The product's ({})\n\n| bug | what it breaks | found by | seeds |\n| --- | --- | --- | ---: |\n",
        product.len()
    );
    for (mutant, found) in product {
        let by = found.by.as_deref().unwrap_or("**missed**");
        let seeds = found.seeds.map_or_else(|| "-".to_owned(), |seeds| seeds.to_string());
        let _ = writeln!(text, "| `{}` | {} | {by} | {seeds} |", mutant.name, mutant.about);
    }
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
