//! What a power loss takes, and what it leaves.

use super::{FileId, Rename, State, Survivors, Waiting, put};

/// What waits, when the power goes.
enum Lost {
    Name(Rename),
    Content(FileId, Waiting),
}

/// What becomes of it.
#[derive(Clone, Copy, PartialEq)]
enum Fate {
    Kept,
    Lost,
    /// It was being written: the first sectors of it.
    Begun,
    BySector {
        keep: f64,
        torn: bool,
    },
}

impl State {
    pub(super) fn lose(&mut self, survivors: Survivors) {
        let waiting = self.take_waiting();
        let whole = self.rng.usize(0..=waiting.len());
        // Names are in a journal of their own: they survive in order, up to one that does not.
        let mut names_survive = true;
        for (place, what) in waiting.into_iter().enumerate() {
            let fate = match survivors {
                Survivors::Prefix if place < whole => Fate::Kept,
                Survivors::Prefix if place == whole => Fate::Begun,
                Survivors::First(n) if place < n => Fate::Kept,
                Survivors::Nothing | Survivors::Prefix | Survivors::First(_) => Fate::Lost,
                Survivors::Sectors { keep, torn } => Fate::BySector { keep, torn },
                Survivors::Exactly(mask) if place >= 64 || mask >> place & 1 == 1 => Fate::Kept,
                Survivors::Exactly(_) => Fate::Lost,
            };
            match what {
                Lost::Name(rename) => {
                    names_survive &= self.survives(fate);
                    self.count(names_survive);
                    if names_survive {
                        self.rename(rename);
                    }
                }
                Lost::Content(id, Waiting::Truncate(len)) => {
                    let kept = self.survives(fate);
                    self.count(kept);
                    if kept {
                        self.files[id.0].platter.resize(len, 0);
                    }
                }
                Lost::Content(id, Waiting::Write { at, data }) => self.lose_write(id, at, &data, fate),
            }
        }
        self.names = self.durable_names.clone();
        for file in &mut self.files {
            file.cache.clone_from(&file.platter);
        }
    }

    /// All that waits, in the order in which it was asked for, over files and names.
    fn take_waiting(&mut self) -> Vec<Lost> {
        let mut waiting: Vec<(u64, Lost)> = std::mem::take(&mut self.renames)
            .into_iter()
            .map(|(number, rename)| (number, Lost::Name(rename)))
            .collect();
        for (index, file) in self.files.iter_mut().enumerate() {
            let of_file = std::mem::take(&mut file.waiting).into_iter();
            waiting.extend(of_file.map(|(number, waiting)| (number, Lost::Content(FileId(index), waiting))));
        }
        waiting.sort_by_key(|(number, _)| *number);
        waiting.into_iter().map(|(_, lost)| lost).collect()
    }

    /// Of what can't be kept in part.
    fn survives(&mut self, fate: Fate) -> bool {
        match fate {
            Fate::Kept => true,
            Fate::Lost | Fate::Begun => false,
            Fate::BySector { keep, .. } => self.rng.f64() < keep,
        }
    }

    fn lose_write(&mut self, id: FileId, at: usize, data: &[u8], fate: Fate) {
        let sector = self.profile.sector;
        match fate {
            Fate::Kept => put(&mut self.files[id.0].platter, at, data),
            Fate::Lost => {}
            Fate::Begun => {
                let begun = self.rng.usize(0..=data.len() / sector) * sector;
                put(&mut self.files[id.0].platter, at, &data[..begun]);
            }
            Fate::BySector { keep, torn } => return self.keep_sectors(id, at, data, keep, torn),
        }
        self.count(fate == Fate::Kept);
    }

    fn rename(&mut self, rename: Rename) {
        match rename {
            Rename::Create(name, id) => self.durable_names.insert(name, id),
            Rename::Delete(name) => self.durable_names.remove(&name),
        };
    }

    fn count(&mut self, kept: bool) {
        let counts = &mut self.counts;
        *(if kept { &mut counts.kept } else { &mut counts.lost }) += 1;
    }

    fn keep_sectors(&mut self, id: FileId, at: usize, data: &[u8], keep: f64, torn: bool) {
        let (sector, end) = (self.profile.sector, at + data.len());
        let mut from = at;
        while from < end {
            let to = ((from / sector + 1) * sector).min(end);
            let kept = self.rng.f64() < keep;
            self.count(kept);
            if kept {
                let cut = if torn && self.rng.u8(0..5) == 0 { self.rng.usize(from..=to) } else { to };
                put(&mut self.files[id.0].platter, from, &data[from - at..cut - at]);
            }
            from = to;
        }
    }
}
