//! Rebuilds every table from the record: the proof that the record is the truth.

use super::{Result, Store, StoreError};
use crate::event::{Event, Recorded};
use crate::ports::Storage;

/// Replays the record of `from` into the empty database of `into`. Afterwards both hold the same rows in every table but
/// `cursors` (updates of strangers move the offset without leaving an event each).
///
/// # Errors
/// Storage trouble, an event that does not fit, or a record whose beginning was removed: what is left of it is not enough.
pub fn rebuild(from: &Store, into: &dyn Storage) -> Result<Store> {
    if let Some(removed) = from.removed()? {
        let text = format!("a record without its beginning: events up to {} were removed", removed.through);
        return Err(StoreError::Misfit(text));
    }
    let all = super::LogFilter { last: u32::MAX, ..super::LogFilter::default() };
    replay(from.logs(&all)?, into)
}

/// The same from the events themselves, all of them: those that were removed since, too.
///
/// # Errors
/// As [`rebuild`].
pub fn replay(events: impl IntoIterator<Item = Recorded>, into: &dyn Storage) -> Result<Store> {
    let mut target = Store::open(into)?;
    if target.next_event != 1 {
        return Err(StoreError::Misfit("a record onto a database that has one".into()));
    }
    target.begin()?;
    for old in events {
        let event = Event { trace: old.trace, task: old.task, attempt: old.attempt, actor: old.actor, fact: old.fact };
        target.apply(old.at, &event)?;
    }
    target.commit()?;
    Ok(target)
}

impl Store {
    /// Every row of every table but the excepted ones, as text, in a fixed order: to compare two databases.
    ///
    /// # Errors
    /// Storage trouble.
    pub fn dump(&self, except: &[&str]) -> Result<String> {
        let tables: Vec<String> = self.many_names()?;
        let mut out = String::new();
        for table in tables.iter().filter(|t| !except.contains(&t.as_str())) {
            let mut statement = self.db.prepare(&format!("SELECT * FROM {table} ORDER BY 1, 2"))?;
            let columns = statement.column_count();
            let mut rows = statement.query([])?;
            while let Some(row) = rows.next()? {
                out += table;
                for column in 0..columns {
                    out += &format!(" {:?}", row.get::<_, rusqlite::types::Value>(column)?);
                }
                out.push('\n');
            }
        }
        Ok(out)
    }

    fn many_names(&self) -> Result<Vec<String>> {
        let mut statement = self.db.prepare("SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY name")?;
        let names = statement.query_map([], |r| r.get(0))?.collect::<std::result::Result<_, _>>()?;
        Ok(names)
    }
}
