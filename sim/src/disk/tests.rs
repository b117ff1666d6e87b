use super::*;

fn disk() -> (Disk, FileId) {
    let disk = Disk::new(7, Profile::SMALL_SECTORS);
    let id = disk.open("db", true, true).expect("a new file");
    disk.write(id, 0, &[1; 2_048]).expect("written");
    disk.sync(id).expect("synced");
    (disk, id)
}

fn content(disk: &Disk, name: &str) -> Option<Vec<u8>> {
    let id = disk.open(name, false, false).ok()?;
    let mut buffer = vec![0; disk.len(id).expect("alive")];
    assert_eq!(disk.read(id, 0, &mut buffer), Ok(buffer.len()));
    Some(buffer)
}

#[test]
fn what_was_synced_survives_every_power_loss_and_what_was_not_survives_as_told() {
    for (survivors, expected) in [
        (Survivors::Nothing, [1, 1]),
        (Survivors::Exactly(0b01), [2, 1]),
        (Survivors::Exactly(0b10), [1, 3]),
        (Survivors::Exactly(0b11), [2, 3]),
        (Survivors::Sectors { keep: 1.0, torn: false }, [2, 3]),
        (Survivors::Sectors { keep: 0.0, torn: true }, [1, 1]),
    ] {
        let (disk, id) = disk();
        disk.write(id, 0, &[2; 512]).expect("written");
        disk.write(id, 512, &[3; 512]).expect("written");
        assert_eq!(disk.waiting(), 2);
        disk.freeze();
        assert_eq!(disk.write(id, 0, &[9]), Err(Failure::Dead), "the dying can't write");
        disk.power_loss(survivors);
        let bytes = content(&disk, "db").expect("its name was synced");
        assert_eq!([bytes[0], bytes[512]], expected, "{survivors:?}");
        assert_eq!((bytes.len(), bytes[1_024]), (2_048, 1));
    }
}

#[test]
fn a_killed_process_loses_nothing_that_it_wrote() {
    let (disk, id) = disk();
    disk.write(id, 0, &[2; 10]).expect("written");
    let before = disk.life();
    disk.freeze();
    disk.kill();
    assert!(disk.life() > before);
    assert_eq!(content(&disk, "db").expect("there")[..10], [2; 10]);
    // It still waits: the machine may lose power later.
    disk.power_loss(Survivors::Nothing);
    assert_eq!(content(&disk, "db").expect("there")[..10], [1; 10]);
}

#[test]
fn every_prefix_of_the_waiting_writes_can_survive_and_nothing_else() {
    let mut seen = std::collections::BTreeSet::new();
    for seed in 0..400 {
        let disk = Disk::new(seed, Profile::SMALL_SECTORS);
        let id = disk.open("log", true, true).expect("a new file");
        disk.sync(id).expect("synced");
        for n in 1..=3_u8 {
            disk.write(id, (usize::from(n) - 1) * 1_024, &[n; 1_024]).expect("written");
        }
        disk.power_loss(Survivors::Prefix);
        let bytes = content(&disk, "log").expect("its name was synced");
        assert_eq!(bytes.len() % 512, 0);
        let expected: Vec<u8> = (0..bytes.len()).map(|at| u8::try_from(at / 1_024 + 1).expect("small")).collect();
        assert_eq!(bytes, expected);
        seen.insert(bytes.len());
    }
    assert_eq!(seen.into_iter().collect::<Vec<_>>(), (0..=6).map(|n| n * 512).collect::<Vec<_>>());
}

#[test]
fn sectors_survive_in_any_order_and_torn_ones_in_part() {
    let (mut later_without_earlier, mut torn) = (0, 0);
    for seed in 0..200 {
        let disk = Disk::new(seed, Profile::SMALL_SECTORS);
        let id = disk.open("db", true, true).expect("a new file");
        disk.write(id, 0, &[1; 1_024]).expect("written");
        disk.sync(id).expect("synced");
        disk.write(id, 0, &[2; 512]).expect("written");
        disk.write(id, 512, &[3; 512]).expect("written");
        disk.power_loss(Survivors::Sectors { keep: 0.5, torn: true });
        let bytes = content(&disk, "db").expect("there");
        later_without_earlier += u32::from(bytes[511] == 1 && bytes[512] == 3);
        torn += u32::from(bytes[0] == 2 && bytes[511] == 1);
    }
    assert!(later_without_earlier > 10 && torn > 2, "{later_without_earlier} {torn}");
}

#[test]
fn names_are_durable_only_once_the_folder_was_synced() {
    let disk = Disk::new(1, Profile::SMALL_SECTORS);
    let plain = disk.open("db", true, false).expect("a new file");
    disk.write(plain, 0, &[1]).expect("written");
    disk.sync(plain).expect("synced");
    disk.power_loss(Survivors::Nothing);
    assert_eq!(content(&disk, "db"), None, "its content was synced, its name was not");
    let log = disk.open("log", true, true).expect("a new file");
    disk.sync(log).expect("synced");
    disk.power_loss(Survivors::Nothing);
    assert_eq!(content(&disk, "log"), Some(Vec::new()));
    disk.delete("log", false).expect("deleted");
    assert_eq!(disk.exists("log"), Ok(false));
    disk.power_loss(Survivors::Nothing);
    assert_eq!(content(&disk, "log"), Some(Vec::new()), "it is back");
    disk.delete("log", true).expect("deleted");
    disk.power_loss(Survivors::Nothing);
    assert_eq!(content(&disk, "log"), None);
}

#[test]
fn a_cut_strikes_once_at_its_operation_and_a_cut_sync_may_or_may_not_have_happened() {
    let mut synced = 0;
    for seed in 0..40 {
        let disk = Disk::new(seed, Profile::LARGE_SECTORS);
        let id = disk.open("db", true, true).expect("a new file");
        disk.sync(id).expect("synced");
        disk.write(id, 0, &[1]).expect("written");
        disk.cut_at(Some(disk.ops() + 1));
        assert_eq!(disk.sync(id), Err(Failure::Dead));
        assert!(disk.is_frozen());
        assert_eq!(disk.read(id, 0, &mut [0]), Err(Failure::Dead));
        disk.power_loss(Survivors::Nothing);
        synced += disk.len(id).expect("alive");
        disk.sync(id).expect("the next life is whole");
    }
    assert!((5..35).contains(&synced), "{synced} of 40");
}

#[test]
fn faults_do_what_they_say() {
    let (disk, id) = disk();
    let strike = |fault| disk.set_faults(Some(Box::new(move |_, name, _| (name == "db").then_some(fault))));
    strike(Fault::Eio);
    assert_eq!(disk.write(id, 0, &[2]), Err(Failure::Eio));
    strike(Fault::ShortRead);
    assert_eq!(disk.read(id, 0, &mut [0; 100]), Ok(50));
    disk.set_faults(None);
    disk.write(id, 0, &[2]).expect("written");
    strike(Fault::SyncDropsWrites);
    assert_eq!(disk.sync(id), Err(Failure::Eio));
    disk.set_faults(None);
    disk.sync(id).expect("there is nothing left to sync");
    disk.power_loss(Survivors::Nothing);
    assert_eq!(content(&disk, "db").expect("there")[0], 1, "it was dropped though the second sync succeeded");
    disk.set_capacity(Some(2_048));
    assert_eq!(disk.free(), Some(0));
    assert_eq!(disk.write(id, 2_048, &[1]), Err(Failure::Enospc));
    disk.write(id, 0, &[1]).expect("no growth");
    disk.set_lies(true);
    disk.write(id, 0, &[5]).expect("written");
    disk.sync(id).expect("so it says");
    disk.power_loss(Survivors::Nothing);
    assert_eq!(content(&disk, "db").expect("there")[0], 1);
}

#[test]
fn the_same_seed_and_operations_give_the_same_bytes_and_digest() {
    let run = |seed| {
        let disk = Disk::new(seed, Profile::SMALL_SECTORS);
        let id = disk.open("db", true, true).expect("a new file");
        for n in 0..50_u8 {
            disk.write(id, usize::from(n) * 100, &[n; 700]).expect("written");
        }
        disk.power_loss(Survivors::Sectors { keep: 0.5, torn: true });
        (content(&disk, "db"), disk.digest(), disk.counts())
    };
    assert_eq!(run(3), run(3));
    assert_ne!(run(3).0, run(4).0);
}
