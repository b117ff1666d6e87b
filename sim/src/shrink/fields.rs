//! Leaving out fields, and making what is left smaller: times, numbers, words.

use super::Search;
use crate::scenario::Span;
use toml::{Table, Value};

/// Fields of the scenario itself that say what a run is, not what happens in it. The time to come to rest is one: with less of
/// it a sound daemon would fail too.
const KEPT: [&str; 4] = ["about", "lasts", "settles", "seed"];
/// A round time, ms: smaller ones tell a reader no more.
const ROUND_MS: u64 = 1_000;
/// So often a value is halved at most.
const HALVINGS: usize = 12;

/// Where a value stands: in the scenario itself, or in an entry of a list.
#[derive(Clone)]
struct Place {
    list: Option<(String, usize)>,
    key: String,
}

impl Place {
    fn table<'a>(&self, root: &'a mut Table) -> Option<&'a mut Table> {
        match &self.list {
            None => Some(root),
            Some((list, n)) => root.get_mut(list)?.as_array_mut()?.get_mut(*n)?.as_table_mut(),
        }
    }

    fn value(&self, root: &Table) -> Option<Value> {
        match &self.list {
            None => root.get(&self.key).cloned(),
            Some((list, n)) => root.get(list)?.as_array()?.get(*n)?.as_table()?.get(&self.key).cloned(),
        }
    }

    /// The scenario with another value here, or none.
    fn with(&self, root: &Table, value: Option<Value>) -> Option<Table> {
        let mut root = root.clone();
        let table = self.table(&mut root)?;
        match value {
            Some(value) => table.insert(self.key.clone(), value),
            None => table.remove(&self.key),
        };
        Some(root)
    }
}

/// All fields of the scenario and of the entries of its lists.
fn places(root: &Table) -> Vec<Place> {
    let mut places = Vec::new();
    for (name, value) in root {
        let Value::Array(items) = value else {
            places.push(Place { list: None, key: name.clone() });
            continue;
        };
        for (n, item) in items.iter().enumerate() {
            let keys = item.as_table().into_iter().flat_map(Table::keys);
            places.extend(keys.map(|key| Place { list: Some((name.clone(), n)), key: key.clone() }));
        }
    }
    places
}

impl Search<'_> {
    /// Leaves out every field without which it fails all the same.
    pub(super) fn leave_out_fields(&mut self) {
        let can_go = |place: &Place| place.list.is_some() || !KEPT.contains(&place.key.as_str());
        loop {
            let candidates: Vec<Table> =
                places(&self.table).iter().filter(|p| can_go(p)).filter_map(|p| p.with(&self.table, None)).collect();
            if self.take(candidates).is_none() {
                return;
            }
        }
    }

    /// Makes times, numbers and words smaller.
    pub(super) fn make_smaller(&mut self) {
        self.begin_sooner();
        for place in places(&self.table) {
            // The seed is a name; how finely time passes and how long may be settled is no size of the scenario.
            if place.list.is_none() && place.key != "lasts" {
                continue;
            }
            for _ in 0..HALVINGS {
                let Some(value) = place.value(&self.table) else { break };
                let smaller = smaller(&place.key, &value);
                let candidates = smaller.into_iter().filter_map(|value| place.with(&self.table, Some(value))).collect();
                if self.take(candidates).is_none() {
                    break;
                }
            }
        }
    }

    /// Moves everything that has a time of its own towards the beginning.
    fn begin_sooner(&mut self) {
        let mut moved = self.table.clone();
        let timed: Vec<(Place, u64)> = places(&moved)
            .into_iter()
            .filter(|place| place.key == "at" && place.list.is_some())
            .filter(|place| Place { key: "when".into(), ..place.clone() }.value(&moved).is_none())
            .filter_map(|place| Some((place.clone(), span(&place.value(&moved)?)?)))
            .collect();
        let first = timed.iter().map(|(_, at)| *at).min().unwrap_or(0);
        let Some(by) = first.checked_sub(ROUND_MS).filter(|by| *by > 0) else { return };
        for (place, at) in timed {
            if let Some(next) = place.with(&moved, Some(Value::String(Span(at - by).to_string()))) {
                moved = next;
            }
        }
        self.take(vec![moved]);
    }
}

fn span(value: &Value) -> Option<u64> {
    value.as_str()?.parse::<Span>().ok().map(|span| span.0)
}

/// Smaller values, the smallest first.
fn smaller(key: &str, value: &Value) -> Vec<Value> {
    if let Some(ms) = span(value) {
        return smaller_times(ms).into_iter().map(|ms| Value::String(Span(ms).to_string())).collect();
    }
    match value {
        Value::Integer(n) if key != "job" => {
            let mut numbers = vec![n.signum(), n / 2];
            numbers.retain(|smaller| smaller.abs() < n.abs() && *smaller != 0);
            numbers.dedup();
            numbers.into_iter().map(Value::Integer).collect()
        }
        Value::String(text) if key == "does" => smaller_words(text).into_iter().map(Value::String).collect(),
        Value::String(_)
        | Value::Integer(_)
        | Value::Float(_)
        | Value::Boolean(_)
        | Value::Datetime(_)
        | Value::Array(_)
        | Value::Table(_) => Vec::new(),
    }
}

/// A second, half of it in whole seconds, or the same in whole seconds.
fn smaller_times(ms: u64) -> Vec<u64> {
    let whole = |ms: u64| ms / ROUND_MS * ROUND_MS;
    let mut times = vec![ROUND_MS, whole(ms / 2).max(ROUND_MS), whole(ms * 3 / 4).max(ROUND_MS), whole(ms)];
    times.retain(|smaller| *smaller < ms && *smaller > 0);
    times.dedup();
    times
}

/// A task's words without one of them, and with smaller times in them.
fn smaller_words(text: &str) -> Vec<String> {
    let words: Vec<&str> = text.split_whitespace().collect();
    let without = |n: usize| words.iter().enumerate().filter(|(m, _)| *m != n).map(|(_, w)| *w).collect::<Vec<_>>();
    let mut all: Vec<String> = (0..words.len()).filter(|_| words.len() > 1).map(|n| without(n).join(" ")).collect();
    for (n, word) in words.iter().enumerate() {
        let Some((what, ms)) = word.rsplit_once(['@', ':']) else { continue };
        let separator = &word[what.len()..=what.len()];
        for ms in ms.parse().map(smaller_times).unwrap_or_default() {
            let mut words: Vec<String> = words.iter().map(|word| (*word).to_owned()).collect();
            words[n] = format!("{what}{separator}{ms}");
            all.push(words.join(" "));
        }
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_become_smaller_and_rounder_until_they_are_a_second() {
        assert_eq!(smaller_times(61_234), [1_000, 30_000, 45_000, 61_000]);
        assert_eq!(smaller_times(1_500), [1_000]);
        assert!(smaller_times(1_000).is_empty() && smaller_times(20).is_empty());
        assert_eq!(
            smaller_words("hang stubborn:4500"),
            [
                "stubborn:4500",
                "hang",
                "hang stubborn:1000",
                "hang stubborn:2000",
                "hang stubborn:3000",
                "hang stubborn:4000"
            ]
        );
        assert_eq!(smaller("by_seconds", &Value::Integer(-7)), [Value::Integer(-1), Value::Integer(-3)]);
        assert!(smaller("job", &Value::Integer(7)).is_empty());
    }
}
