//! A part of a run: `2/7` is the second of seven. Also taken from what Slurm and Kubernetes tell a process of an array.

use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;

/// One of several parts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub(crate) struct Shard {
    /// Of so many.
    pub(crate) of: usize,
    /// Which, from 1.
    pub(crate) number: usize,
}

impl Shard {
    /// Whether the unit at this place of the plan is its own.
    pub(crate) fn has(self, place: usize) -> bool {
        place % self.of == self.number - 1
    }

    /// As an environment says it. None: it says nothing of parts. `of`: how many there are, where only the index is told.
    pub(crate) fn of_environment(get: &dyn Fn(&str) -> Option<String>) -> Result<Option<Shard>, String> {
        let number = |name: &str| -> Result<Option<usize>, String> {
            let text = get(name);
            text.map(|text| text.parse().map_err(|_| format!("{name}={text:?} is no number"))).transpose()
        };
        if let Some(id) = number("SLURM_ARRAY_TASK_ID")? {
            let (Some(min), Some(count)) = (number("SLURM_ARRAY_TASK_MIN")?, number("SLURM_ARRAY_TASK_COUNT")?) else {
                return Err("SLURM_ARRAY_TASK_ID without SLURM_ARRAY_TASK_MIN and _COUNT: say --shard m/n".into());
            };
            return made((id + 1).saturating_sub(min), count).map(Some);
        }
        if let Some(index) = number("JOB_COMPLETION_INDEX")? {
            let Some(count) = number("JOB_COMPLETIONS")? else {
                return Err(
                    "JOB_COMPLETION_INDEX without JOB_COMPLETIONS: set it in the job, or say --shard m/n".into()
                );
            };
            return made(index + 1, count).map(Some);
        }
        Ok(None)
    }
}

fn made(number: usize, of: usize) -> Result<Shard, String> {
    if (1..=of).contains(&number) {
        Ok(Shard { number, of })
    } else {
        Err(format!("{number}/{of} is no part: the first of seven is 1/7"))
    }
}

impl FromStr for Shard {
    type Err = String;

    fn from_str(text: &str) -> Result<Shard, String> {
        let numbers = text.split_once('/').and_then(|(m, n)| Some((m.parse().ok()?, n.parse().ok()?)));
        let (number, of) = numbers.ok_or_else(|| format!("{text:?} is no part: the first of seven is 1/7"))?;
        made(number, of)
    }
}

impl fmt::Display for Shard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.number, self.of)
    }
}

impl TryFrom<String> for Shard {
    type Error = String;

    fn try_from(text: String) -> Result<Shard, String> {
        text.parse()
    }
}

impl From<Shard> for String {
    fn from(shard: Shard) -> String {
        shard.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_are_everything_and_nothing_twice() {
        for of in [1, 2, 7] {
            for place in 0..50 {
                let owners = (1..=of).filter(|number| Shard { number: *number, of }.has(place)).count();
                assert_eq!(owners, 1, "{place} of {of}");
            }
        }
    }

    #[test]
    fn what_is_no_part_is_refused() {
        assert_eq!("2/7".parse(), Ok(Shard { number: 2, of: 7 }));
        for text in ["0/7", "8/7", "1", "1/0", "a/b", ""] {
            assert!(text.parse::<Shard>().is_err_and(|error| error.contains("is no part")), "{text}");
        }
    }

    #[test]
    fn slurm_counts_from_its_least_index_and_kubernetes_from_zero() {
        let of = |pairs: &'static [(&'static str, &'static str)]| {
            let get = |name: &str| pairs.iter().find(|(n, _)| *n == name).map(|(_, value)| (*value).to_owned());
            Shard::of_environment(&get)
        };
        assert_eq!(of(&[]), Ok(None));
        let slurm =
            of(&[("SLURM_ARRAY_TASK_ID", "12"), ("SLURM_ARRAY_TASK_MIN", "10"), ("SLURM_ARRAY_TASK_COUNT", "4")]);
        assert_eq!(slurm, Ok(Some(Shard { number: 3, of: 4 })));
        let kubernetes = of(&[("JOB_COMPLETION_INDEX", "0"), ("JOB_COMPLETIONS", "4")]);
        assert_eq!(kubernetes, Ok(Some(Shard { number: 1, of: 4 })));
        assert!(of(&[("JOB_COMPLETION_INDEX", "0")]).is_err());
        assert!(of(&[("JOB_COMPLETION_INDEX", "4"), ("JOB_COMPLETIONS", "4")]).is_err());
        assert!(of(&[("SLURM_ARRAY_TASK_ID", "x")]).is_err());
    }
}
