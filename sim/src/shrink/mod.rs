//! From a scenario that fails to the smallest one that still does.
//!
//! It works on the file, not on what the file means: entries of lists are left out, fields are left out, times and numbers
//! become smaller. What is no scenario any more is not tried. So a new fault or field is shrunk without a word here.

mod cut;
mod fields;

use crate::scenario::Scenario;
use toml::Table;

/// Tries scenarios.
pub trait Trial {
    /// The first of these that fails as the original does; none when all hold, and when there is no time left.
    fn first_failing(&mut self, candidates: &[Scenario]) -> Option<usize>;
    /// There is no time left.
    fn is_over(&self) -> bool;
}

/// Other seeds that a candidate is tried with when it does not fail with the original's: where people act a moment later, the
/// same bug often shows again.
const MORE_SEEDS: u64 = 3;

/// The smallest scenario that is found.
///
/// # Errors
/// It can't be written down, which no scenario brings about.
pub fn shrink(scenario: &Scenario, trial: &mut dyn Trial) -> Result<Scenario, String> {
    let table = Table::try_from(scenario).map_err(|error| error.to_string())?;
    let mut search = Search { table, trial, more_seeds: 0 };
    // With one seed first: most goes quickly, and what other seeds are tried with is small then.
    for more_seeds in [0, MORE_SEEDS] {
        search.more_seeds = more_seeds;
        loop {
            let before = search.table.clone();
            search.cut_lists();
            search.leave_out_fields();
            search.make_smaller();
            if search.table == before || search.trial.is_over() {
                break;
            }
        }
    }
    parse(&search.table).ok_or_else(|| "what is left is no scenario".to_owned())
}

/// A scenario as a file, with notes at its head.
///
/// # Errors
/// It can't be written down, which no scenario brings about.
pub fn text(scenario: &Scenario, notes: &[String]) -> Result<String, String> {
    let head: String = notes.iter().flat_map(|note| note.lines()).map(|line| format!("# {line}\n")).collect();
    Ok(head + &toml::to_string(scenario).map_err(|error| error.to_string())?)
}

/// The best so far, and who tries.
struct Search<'a> {
    table: Table,
    trial: &'a mut dyn Trial,
    more_seeds: u64,
}

impl Search<'_> {
    /// Takes the first of these that still fails, and tells which it was.
    fn take(&mut self, candidates: Vec<Table>) -> Option<usize> {
        // What is left out and has a usual value comes back with it: then nothing has changed.
        let new = |scenario: &Scenario| Table::try_from(scenario).is_ok_and(|table| table != self.table);
        let (numbers, candidates): (Vec<usize>, Vec<Scenario>) =
            candidates.iter().enumerate().filter_map(|(n, table)| Some((n, parse(table).filter(new)?))).unzip();
        for more in 0..=self.more_seeds {
            if candidates.is_empty() || self.trial.is_over() {
                return None;
            }
            let seeded: Vec<Scenario> = candidates.iter().map(|candidate| reseeded(candidate, more)).collect();
            if let Some(n) = self.trial.first_failing(&seeded) {
                self.table = Table::try_from(&seeded[n]).ok()?;
                return Some(numbers[n]);
            }
        }
        None
    }
}

fn reseeded(scenario: &Scenario, more: u64) -> Scenario {
    Scenario { seed: scenario.seed.map(|seed| seed.wrapping_add(more)), ..scenario.clone() }
}

fn parse(table: &Table) -> Option<Scenario> {
    Scenario::parse(&toml::to_string(table).ok()?).ok()
}

#[cfg(test)]
mod tests;
