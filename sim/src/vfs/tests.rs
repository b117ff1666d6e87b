use super::*;
use crate::disk::{Fault, Op, Profile, Survivors};
use std::collections::BTreeMap;

/// A database in production's settings but for `synchronous`, on a disk of its own.
struct Place {
    disk: Disk,
    vfs: Vfs,
    synchronous: &'static str,
    /// What was acknowledged: number of the row, length of its text.
    ledger: BTreeMap<i64, i64>,
    rng: fastrand::Rng,
    next: i64,
}

impl Place {
    fn new(seed: u64, profile: Profile, synchronous: &'static str) -> Place {
        seed_sqlite(u32::try_from(seed).expect("small"));
        let disk = Disk::new(seed, profile);
        let rng = fastrand::Rng::with_seed(seed);
        Place { vfs: Vfs::mount(&disk), disk, synchronous, ledger: BTreeMap::new(), rng, next: 1 }
    }

    fn open(&self) -> rusqlite::Result<Connection> {
        let db = self.vfs.open("mainstay.db")?;
        db.busy_timeout(std::time::Duration::ZERO)?;
        db.execute_batch(&format!(
            "PRAGMA journal_mode = WAL; PRAGMA synchronous = {}; PRAGMA wal_autocheckpoint = 20;
             PRAGMA temp_store = MEMORY; PRAGMA cache_size = -256;
             CREATE TABLE IF NOT EXISTS rows (id INTEGER PRIMARY KEY, text TEXT NOT NULL) STRICT;",
            self.synchronous
        ))?;
        Ok(db)
    }

    /// Commits until something fails, at most so often.
    fn commit(&mut self, db: &Connection, times: u32) {
        for _ in 0..times {
            let (id, len) = (self.next, self.rng.i64(1..6_000));
            self.next += 1;
            let text = "x".repeat(usize::try_from(len).expect("small"));
            if db.execute("INSERT INTO rows VALUES (?1, ?2)", (id, text)).is_err() {
                return;
            }
            self.ledger.insert(id, len);
        }
    }

    fn crash(&self, db: Option<Connection>, how: Option<Survivors>) {
        self.disk.freeze();
        drop(db);
        match how {
            Some(survivors) => self.disk.power_loss(survivors),
            None => self.disk.kill(),
        }
    }

    /// What is there, and whether all that was acknowledged is. A row that was never acknowledged may be there too.
    fn judge(&mut self) -> Result<(), String> {
        let db = self.open().map_err(|e| format!("open: {e}"))?;
        let integrity: String =
            db.query_row("PRAGMA integrity_check", [], |r| r.get(0)).map_err(|e| format!("check: {e}"))?;
        if integrity != "ok" {
            return Err(format!("integrity: {integrity}"));
        }
        let mut statement = db.prepare("SELECT id, length(text) FROM rows").map_err(|e| e.to_string())?;
        let rows = statement.query_map([], |r| Ok((r.get(0)?, r.get(1)?))).map_err(|e| e.to_string())?;
        let there: BTreeMap<i64, i64> = rows.collect::<Result<_, _>>().map_err(|e| e.to_string())?;
        match self.ledger.iter().find(|(id, len)| there.get(id) != Some(len)) {
            Some((id, _)) => Err(format!("row {id} was acknowledged and is lost")),
            None => {
                self.ledger = there;
                Ok(())
            }
        }
    }
}

/// Crashes at random operations, recovery included; the first thing that was wrong.
fn crashes(
    place: &mut Place,
    rounds: u32,
    how: impl Fn(&mut fastrand::Rng) -> Option<Survivors>,
) -> Result<(), String> {
    for round in 0..rounds {
        place.disk.cut_at(Some(place.disk.ops() + 1 + place.rng.u64(0..120)));
        let db = place.open().ok();
        if let Some(db) = &db {
            place.commit(db, 60);
        }
        let how = how(&mut place.rng);
        place.crash(db, how);
        place.judge().map_err(|what| format!("round {round}, {how:?}: {what}"))?;
    }
    Ok(())
}

const SECTORS: Survivors = Survivors::Sectors { keep: 0.5, torn: true };

#[test]
fn a_full_sync_loses_nothing_that_was_acknowledged_whatever_survives() {
    let _alone = alone();
    for profile in [Profile::SMALL_SECTORS, Profile::LARGE_SECTORS] {
        for seed in 0..6 {
            let mut place = Place::new(seed, profile, "FULL");
            let any = |rng: &mut fastrand::Rng| match rng.u8(0..5) {
                0 => None,
                1 => Some(Survivors::Nothing),
                2 => Some(Survivors::Prefix),
                3 => Some(Survivors::Exactly(rng.u64(..))),
                _ => Some(SECTORS),
            };
            crashes(&mut place, 60, any).unwrap_or_else(|what| panic!("{profile:?}, seed {seed}: {what}"));
            let counts = place.disk.counts();
            assert!(counts.lost > 30 && counts.kept > 30 && place.ledger.len() > 100, "{counts:?}");
        }
    }
}

/// The controls: a checker that does not see these sees nothing.
#[test]
fn what_is_known_to_lose_commits_is_seen_to_lose_them() {
    let _alone = alone();
    let lost = |result: Result<(), String>| result.is_err_and(|what| what.contains("lost"));
    let mut normal = Place::new(1, Profile::SMALL_SECTORS, "NORMAL");
    assert!(lost(crashes(&mut normal, 60, |_| Some(Survivors::Nothing))));
    let mut lies = Place::new(1, Profile::SMALL_SECTORS, "FULL");
    lies.disk.set_lies(true);
    assert!(crashes(&mut lies, 60, |_| Some(SECTORS)).is_err());
    let mut off = Place::new(1, Profile::SMALL_SECTORS, "OFF");
    assert!(crashes(&mut off, 60, |_| Some(SECTORS)).is_err());
    // And a process that is only killed loses nothing even so.
    let mut killed = Place::new(1, Profile::SMALL_SECTORS, "OFF");
    assert_eq!(crashes(&mut killed, 60, |_| None), Ok(()));
}

#[test]
fn a_failed_sync_that_drops_what_it_was_to_write_is_no_acknowledgement() {
    let _alone = alone();
    for (fault, at) in [
        (Fault::SyncDropsWrites, Op::Sync),
        (Fault::Eio, Op::Sync),
        (Fault::Eio, Op::Write),
        (Fault::Enospc, Op::Write),
        (Fault::ShortRead, Op::Read),
        (Fault::Eio, Op::Read),
    ] {
        let mut place = Place::new(3, Profile::SMALL_SECTORS, "FULL");
        drop(place.open().expect("a new one"));
        let mut struck = 0;
        for round in 0..40 {
            let mut chance = fastrand::Rng::with_seed(round);
            place.disk.set_faults(Some(Box::new(move |op, _, _| (op == at && chance.u8(0..20) == 0).then_some(fault))));
            // As production does: a connection on which something failed is not used again.
            if let Ok(db) = place.open() {
                place.commit(&db, 30);
            }
            place.disk.set_faults(None);
            struck = place.disk.counts().faults;
            place.judge().unwrap_or_else(|what| panic!("{fault:?} at {at:?}, round {round}: {what}"));
        }
        assert!(struck > 5, "{fault:?} at {at:?} struck {struck} times");
        place.crash(None, Some(Survivors::Nothing));
        place.judge().unwrap_or_else(|what| panic!("{fault:?} at {at:?}, after a power loss: {what}"));
    }
}

#[test]
fn a_frozen_disk_keeps_the_log_for_recovery_instead_of_a_tidy_end() {
    let _alone = alone();
    let mut place = Place::new(1, Profile::SMALL_SECTORS, "FULL");
    let db = place.open().expect("a new one");
    place.commit(&db, 5);
    place.crash(Some(db), None);
    assert_eq!(place.disk.exists("mainstay.db-wal"), Ok(true));
    place.judge().expect("recovered");
    drop(place.open().expect("open"));
    assert_eq!(place.disk.exists("mainstay.db-wal"), Ok(false), "a clean end empties it");
}

#[test]
fn readers_beside_the_writer_see_what_was_committed_and_two_writers_exclude_each_other() {
    let _alone = alone();
    let place = Place::new(1, Profile::SMALL_SECTORS, "FULL");
    let (writer, reader) = (place.open().expect("open"), place.open().expect("open"));
    let count = || reader.query_row("SELECT count(*) FROM rows", [], |r| r.get::<_, i64>(0)).expect("readable");
    writer.execute_batch("BEGIN IMMEDIATE; INSERT INTO rows VALUES (1, 'a')").expect("written");
    assert_eq!(count(), 0);
    let busy = reader.execute_batch("BEGIN IMMEDIATE").expect_err("there is a writer");
    assert_eq!(busy.sqlite_error_code(), Some(rusqlite::ErrorCode::DatabaseBusy));
    writer.execute_batch("COMMIT").expect("committed");
    assert_eq!(count(), 1);
    drop(writer);
    reader.execute_batch("BEGIN IMMEDIATE; COMMIT").expect("the writer has gone");
}

#[test]
fn the_same_seed_gives_the_same_bytes() {
    let _alone = alone();
    let run = |seed| {
        let mut place = Place::new(seed, Profile::SMALL_SECTORS, "FULL");
        crashes(&mut place, 20, |_| Some(SECTORS)).expect("nothing lost");
        let db = place.open().expect("open");
        let word: i64 = db.query_row("SELECT random()", [], |r| r.get(0)).expect("a number");
        (place.disk.digest(), place.disk.counts(), place.ledger, word)
    };
    assert_eq!(run(5), run(5));
    assert_ne!(run(5).0, run(6).0);
}
