//! Leaving out entries of lists: halves first, then quarters, then one by one.

use super::Search;
use std::ops::Range;
use toml::{Table, Value};

/// The list whose entries others name by number.
const JOBS: &str = "job";

impl Search<'_> {
    /// Leaves out of every list what is not needed.
    pub(super) fn cut_lists(&mut self) {
        let lists = |value: &Value| matches!(value, Value::Array(items) if items.iter().all(Value::is_table));
        let names: Vec<String> = self.table.iter().filter(|(_, v)| lists(v)).map(|(name, _)| name.clone()).collect();
        for name in names {
            self.cut(&name);
        }
    }

    fn len(&self, list: &str) -> usize {
        self.table.get(list).and_then(Value::as_array).map_or(0, Vec::len)
    }

    fn cut(&mut self, list: &str) {
        let mut size = self.len(list);
        while size > 0 {
            let mut at = 0;
            while at < self.len(list) {
                let len = self.len(list);
                let pieces: Vec<Range<usize>> =
                    (at..len).step_by(size).map(|from| from..(from + size).min(len)).collect();
                let candidates = pieces.iter().map(|piece| without(&self.table, list, piece)).collect();
                // What came before the piece is needed, as far as pieces of this size go.
                match self.take(candidates) {
                    Some(n) => at = pieces[n].start,
                    None => break,
                }
            }
            size /= 2;
        }
    }
}

/// The table without these entries of a list. Without a job, what speaks of it goes too, and later ones have other numbers.
fn without(table: &Table, list: &str, piece: &Range<usize>) -> Table {
    let mut table = table.clone();
    if let Some(Value::Array(items)) = table.get_mut(list) {
        items.drain(piece.clone());
        if items.is_empty() {
            table.remove(list);
        }
    }
    if list == JOBS {
        for (_, value) in table.iter_mut().filter(|(name, _)| *name != JOBS) {
            if let Value::Array(items) = value {
                items.retain_mut(|item| item.as_table_mut().is_none_or(|item| renumber(item, piece)));
            }
        }
    }
    table
}

/// Lets an entry name jobs by their new numbers; false when one of them is gone.
fn renumber(item: &mut Table, piece: &Range<usize>) -> bool {
    let new = |old: usize| match old.checked_sub(1) {
        Some(n) if piece.contains(&n) => None,
        Some(n) if n >= piece.end => Some(old - piece.len()),
        Some(_) | None => Some(old),
    };
    item.iter_mut().all(|(name, value)| match value {
        Value::Integer(n) if name == JOBS => {
            let number = usize::try_from(*n).ok().and_then(new);
            *n = number.and_then(|n| i64::try_from(n).ok()).unwrap_or(0);
            number.is_some()
        }
        Value::String(text) => match renumbered(text, &new) {
            Some(renumbered) => {
                *text = renumbered;
                true
            }
            None => false,
        },
        Value::Integer(_)
        | Value::Float(_)
        | Value::Boolean(_)
        | Value::Datetime(_)
        | Value::Array(_)
        | Value::Table(_) => true,
    })
}

/// The text with other numbers behind `job `; none when one of them is gone.
fn renumbered(text: &str, new: &impl Fn(usize) -> Option<usize>) -> Option<String> {
    const WORD: &str = "job ";
    let mut parts = text.split(WORD);
    let mut out = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let end = part.find(|c: char| !c.is_ascii_digit()).unwrap_or(part.len());
        out += WORD;
        match part[..end].parse() {
            Ok(old) => out += &new(old)?.to_string(),
            Err(_) => out += &part[..end],
        }
        out += &part[end..];
    }
    Some(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_of_jobs_follow_them() {
        let new = |old: usize| match old {
            2 => None,
            n if n > 2 => Some(n - 1),
            n => Some(n),
        };
        assert_eq!(renumbered("job 3 runs", &new).as_deref(), Some("job 2 runs"));
        assert_eq!(renumbered("/stop {job 1} or {job 12}", &new).as_deref(), Some("/stop {job 1} or {job 11}"));
        assert_eq!(renumbered("job 2 ended", &new), None);
        assert_eq!(renumbered("no job at all", &new).as_deref(), Some("no job at all"));
    }
}
