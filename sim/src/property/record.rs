//! The record as it lies on the disk.

use super::Evidence;
use mainstay::event::Fact;
use mainstay::real::store::rebuild;

pub(super) fn record_is_whole(e: &Evidence<'_>) -> Result<(), String> {
    if let Some(seq) = e.store.verify(1).map_err(|error| error.to_string())? {
        return Err(format!("the chain breaks at event {seq}"));
    }
    let violation = e.events.iter().find(|e| matches!(e.fact, Fact::Violation { .. }));
    if let Some(event) = violation {
        return Err(format!("a violation on record: {:?}", event.fact));
    }
    struct Elsewhere;
    impl mainstay::ports::Storage for Elsewhere {
        fn open(&self) -> Result<rusqlite::Connection, rusqlite::Error> {
            rusqlite::Connection::open_in_memory()
        }
        fn free_bytes(&self) -> Option<u64> {
            None
        }
        fn keep_room(&self) {}
    }
    let rebuilt = rebuild(e.store, &Elsewhere).map_err(|error| format!("it can't be replayed: {error}"))?;
    let except = ["cursors"];
    let (is, should) = (e.store.dump(&except), rebuilt.dump(&except));
    let (is, should) = (is.map_err(|e| e.to_string())?, should.map_err(|e| e.to_string())?);
    match is.lines().zip(should.lines()).find(|(is, should)| is != should) {
        Some((is, should)) => Err(format!("tables are not the sum of the record: {is:?} should be {should:?}")),
        None if is.len() != should.len() => Err("tables are not the sum of the record: rows are missing".into()),
        None => Ok(()),
    }
}
