//! Where to cut, and what to let survive.

use super::{Crash, Left};
use crate::world::points::{Class, Passed, Point};

/// Up to so many writes that wait, every subset of them is tried.
pub const EVERY_SUBSET: usize = 8;
/// Above that, so many by chance, beside none, all and each beginning.
const BY_CHANCE: usize = 24;
/// No more beginnings than this, then evenly spread. Only a disk that does not sync lets so many writes wait.
const BEGINNINGS: usize = 64;
/// Bits that [`Left::These`] has.
const BITS: usize = 64;

/// All that may survive a power loss when so many writes wait: `seed` decides where not every subset is tried.
pub fn lefts(waiting: usize, seed: u64) -> Vec<Left> {
    if waiting == 0 {
        return vec![Left::Nothing];
    }
    if waiting <= EVERY_SUBSET {
        return (0..1 << waiting).map(Left::These).chain([Left::Torn]).collect();
    }
    let mut rng = fastrand::Rng::with_seed(seed);
    let beginnings = (1..waiting).step_by(waiting.div_ceil(BEGINNINGS)).map(Left::First);
    let mut lefts: Vec<Left> = [Left::Nothing, Left::All, Left::Torn].into_iter().chain(beginnings).collect();
    // The last one is what makes a commit: half of the subsets have it.
    let bits = waiting.min(BITS);
    lefts.extend((0..BY_CHANCE).map(|_| Left::These(rng.u64(..) >> (BITS - bits))));
    lefts
}

/// The places in a list of points that belong to a share. With `sample` only so many of them, evenly spread over each class,
/// and of each at least an eighth of the sample, as far as there are so many.
pub fn places(points: &[Passed], sample: Option<usize>, shard: Shard) -> Vec<usize> {
    let mut all: Vec<usize> = match sample {
        None => (0..points.len()).collect(),
        Some(sample) => Class::ALL.into_iter().flat_map(|class| spread(points, class, sample)).collect(),
    };
    all.sort_unstable();
    all.into_iter().enumerate().filter(|(n, _)| n % shard.of == shard.number).map(|(_, place)| place).collect()
}

/// The share of a class in a sample.
fn spread(points: &[Passed], class: Class, sample: usize) -> Vec<usize> {
    let of_class: Vec<usize> = (0..points.len()).filter(|place| points[*place].point.class == class).collect();
    let wanted = (sample * of_class.len() / points.len().max(1)).max(sample.div_ceil(8)).min(of_class.len());
    (0..wanted).map(|n| of_class[n * of_class.len() / wanted]).collect()
}

/// One share of several, from 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shard {
    /// Which.
    pub number: usize,
    /// Of how many.
    pub of: usize,
}

impl Shard {
    /// Everything.
    pub const WHOLE: Shard = Shard { number: 0, of: 1 };

    /// A share of this share.
    pub fn part(self, number: usize, of: usize) -> Shard {
        Shard { number: self.number + self.of * number, of: self.of * of }
    }
}

/// A crash in the midst of recovering from `first`, by chance: at one of these points, of either kind.
pub fn again(first: Crash, recovery: &[Passed], nth: u64) -> Option<Crash> {
    let mut rng = fastrand::Rng::with_seed(seed_of(first.at) ^ u64::from(first.left.is_some()) ^ (nth << 32));
    let at = recovery.get(rng.usize(..recovery.len().max(1)))?;
    let lefts = lefts(at.waiting, rng.u64(..));
    let left = (rng.u32(..3) > 0).then(|| lefts[rng.usize(..lefts.len())]);
    Some(Crash { at: at.point, left })
}

/// What is decided by chance at a point follows from this.
pub fn seed_of(point: Point) -> u64 {
    point.number << 2 | point.class as u64
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn few_writes_have_every_subset_and_many_have_every_beginning() {
        assert_eq!(lefts(0, 1), [Left::Nothing]);
        for waiting in 1..=EVERY_SUBSET {
            let all: BTreeSet<Left> = lefts(waiting, 1).into_iter().collect();
            assert_eq!(all.len(), (1 << waiting) + 1);
            assert!((0..1 << waiting).all(|mask| all.contains(&Left::These(mask))));
        }
        for waiting in [9, 20, 64, 90] {
            let some = lefts(waiting, 1);
            assert_eq!(some, lefts(waiting, 1), "the same seed is the same subsets");
            let beginnings = some.iter().filter(|left| matches!(left, Left::First(_))).count();
            assert_eq!(beginnings, if waiting > BEGINNINGS { waiting / 2 } else { waiting - 1 });
            assert!(some.contains(&Left::Nothing) && some.contains(&Left::All) && some.contains(&Left::Torn));
            let masks: Vec<u64> =
                some.iter().filter_map(|l| if let Left::These(m) = l { Some(*m) } else { None }).collect();
            assert_eq!(masks.len(), BY_CHANCE);
            assert!(waiting >= 64 || masks.iter().all(|mask| mask >> waiting == 0));
            let last = waiting.min(64) - 1;
            assert!(masks.iter().any(|m| m >> last == 1) && masks.iter().any(|m| m >> last == 0));
        }
    }

    fn points(disk: u64, api: u64) -> Vec<Passed> {
        let point =
            |class, number| Passed { point: Point { class, number }, what: "".into(), at_ms: 0, waiting: 0, digest: 0 };
        (1..=disk).map(|n| point(Class::Disk, n)).chain((1..=api).map(|n| point(Class::Api, n))).collect()
    }

    #[test]
    fn shares_are_everything_and_nothing_twice() {
        let points = points(100, 10);
        for sample in [None, Some(30)] {
            let whole = places(&points, sample, Shard::WHOLE);
            let parts = (0..3).flat_map(|n| [0, 1].map(|part| Shard { number: n, of: 3 }.part(part, 2)));
            let mut together: Vec<usize> = parts.flat_map(|part| places(&points, sample, part)).collect();
            together.sort_unstable();
            assert_eq!(together, whole);
        }
    }

    #[test]
    fn a_sample_has_some_of_every_class() {
        let points = points(1_000, 10);
        let sample = places(&points, Some(40), Shard::WHOLE);
        let apis = sample.iter().filter(|place| points[**place].point.class == Class::Api).count();
        assert_eq!((sample.len(), apis), (44, 5));
        assert_eq!(places(&points, Some(100_000), Shard::WHOLE).len(), points.len());
        assert_eq!(places(&[], Some(5), Shard::WHOLE), Vec::<usize>::new());
    }
}
