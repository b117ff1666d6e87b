//! `policy`: the timeout and retry matrix with the numbers of this configuration. Needs no daemon.

use super::{Options, print};
use crate::exit::{ExitCode, Fatal};
use crate::policy::matrix::{Class, matrix};
use crate::real::config_file;
use clap::ArgMatches;

/// Prints all classes, or those whose name has the words that were given.
pub(super) fn policy(matches: &ArgMatches, options: &Options) -> Result<ExitCode, Fatal> {
    let classes = matrix(&config_file::load(&options.config_path()?)?.config);
    let words: Vec<&String> = matches.get_many("class").unwrap_or_default().collect();
    let wanted = words.iter().map(|word| word.to_lowercase()).collect::<Vec<_>>().join(" ");
    let shown: Vec<&Class> = classes.iter().filter(|class| class.class.contains(&wanted)).collect();
    if shown.is_empty() {
        let names: Vec<&str> = classes.iter().map(|class| class.class).collect();
        return Err(Fatal::new(
            ExitCode::Usage,
            format!("there is no class {wanted:?}; there are: {}", names.join(", ")),
        ));
    }
    if options.json {
        print(&serde_json::to_string(&shown).expect("names and numbers are JSON"));
    } else {
        print(&shown.into_iter().map(words_of).collect::<Vec<_>>().join("\n"));
    }
    Ok(ExitCode::Ok)
}

fn words_of(class: &Class) -> String {
    let values: String = class.values.iter().map(|value| format!("  {}\n", value.words())).collect();
    let errors: String =
        class.errors.iter().map(|(class, names)| format!("  {}: {}\n", class.words(), names.join(", "))).collect();
    format!(
        "{}: {}\n{values}{errors}  tried again: {}\n  then: {}\n  because: {}\n",
        class.class, class.covers, class.retried, class.spent, class.because
    )
}
