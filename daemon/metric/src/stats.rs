//! What a sample allows to say: one-sided bounds at 95 %.
//!
//! A share gets the exact bound of Clopper and Pearson, from the binomial tail itself: with the few failures that a good
//! sample has, the sum is short, and nothing is approximated. Runs of one seed stand or fall together, so two bounds by seed stand
//! beside it, and the worst counts: one by drawing whole seeds again, whose generator is fixed, so that the same evidence
//! gives the same bound wherever it is computed; and, because that one is too kind when all failures are in a few seeds, the
//! exact one of a sample that is as much smaller as failures come together (Korn and Graubard 1998).
//!
//! No two-sided intervals, no normal approximations, no floats in what is published: see [`crate::decimal`].

/// One-sided: the truth is on the wrong side of a bound in at most so many of a hundred samples.
pub const ERROR_PERCENT: u64 = 5;
/// Resamples of a bootstrap.
pub const RESAMPLES: usize = 2_000;
/// Seed of the bootstrap's generator (SplitMix64).
pub const BOOTSTRAP_SEED: u64 = 0x6d61_696e_7374_6179;

/// Steps of a bisection: the interval is then narrower than a double can tell.
const BISECTIONS: u32 = 80;

/// The most that a share can be of which `bad` of `all` were seen: its upper bound. 1 when nothing was seen.
pub fn share_at_most(bad: u64, all: u64) -> f64 {
    if bad >= all { 1.0 } else { share_where_tail_is(bad, all, error()).1 }
}

/// The least that a share can be of which `bad` of `all` were seen: its lower bound. 0 when nothing was seen.
pub fn share_at_least(bad: u64, all: u64) -> f64 {
    if bad == 0 || all == 0 { 0.0 } else { share_where_tail_is(bad.min(all) - 1, all, 1.0 - error()).0 }
}

#[expect(clippy::cast_precision_loss, reason = "a small number")]
fn error() -> f64 {
    ERROR_PERCENT as f64 / 100.0
}

/// Between which two shares the chance to see at most `bad` of `all` falls to `level`.
fn share_where_tail_is(bad: u64, all: u64, level: f64) -> (f64, f64) {
    let ways = ln_ways(bad, all);
    let (mut low, mut high) = (0.0_f64, 1.0_f64);
    for _ in 0..BISECTIONS {
        let middle = f64::midpoint(low, high);
        if tail(&ways, all, middle) > level { low = middle } else { high = middle }
    }
    (low, high)
}

/// Logarithms of the binomial coefficients of `all` over 0 to `bad`.
#[expect(clippy::cast_precision_loss, reason = "counts are far below 2^52")]
fn ln_ways(bad: u64, all: u64) -> Vec<f64> {
    let mut ln = 0.0;
    let mut ways = vec![ln];
    for i in 0..bad {
        ln += ((all - i) as f64 / (i + 1) as f64).ln();
        ways.push(ln);
    }
    ways
}

/// The chance to see no more than `ways.len() - 1` of `all`, when each is seen with chance `share`.
#[expect(clippy::cast_precision_loss, reason = "counts are far below 2^52")]
fn tail(ways: &[f64], all: u64, share: f64) -> f64 {
    let (ln_share, ln_other) = (share.ln(), (-share).ln_1p());
    let term = |(i, ways): (usize, &f64)| (ways + i as f64 * ln_share + (all as f64 - i as f64) * ln_other).exp();
    // Of a share of 0 nothing is ever seen: 0 * ln 0 is no number.
    if share <= 0.0 { 1.0 } else { ways.iter().enumerate().map(term).sum() }
}

/// A sum over a number of things, exact: a share, or a mean.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Part {
    /// The sum: of failures, or of milliseconds.
    pub sum: u64,
    /// Of so many.
    pub of: u64,
}

impl Part {
    /// By the exact order of the two quotients; of nothing comes first.
    fn order(self, other: Self) -> std::cmp::Ordering {
        let (left, right) = (u128::from(self.sum) * u128::from(other.of), u128::from(other.sum) * u128::from(self.of));
        left.cmp(&right).then(self.of.cmp(&other.of))
    }
}

/// The sample of independent things that says as much as this one does: as much smaller as failures vary more from cluster to
/// cluster than by chance alone. Rounded against us.
pub fn effective(clusters: &[Part]) -> Part {
    let total = clusters.iter().fold(Part::default(), |sum, one| Part { sum: sum.sum + one.sum, of: sum.of + one.of });
    let (bad, all) = (i128::from(total.sum), i128::from(total.of));
    let squares: i128 = clusters.iter().map(|one| (i128::from(one.sum) * all - bad * i128::from(one.of)).pow(2)).sum();
    let count = clusters.len() as i128;
    // How failures vary, and how they would by chance; times the same.
    let (seen, by_chance) = (squares * count, all * bad * (all - bad) * (count - 1));
    if seen <= by_chance || by_chance == 0 {
        return total;
    }
    let whole = |n: i128| u64::try_from(n).unwrap_or(u64::MAX);
    Part { sum: whole((bad * by_chance + seen - 1) / seen), of: whole(all * by_chance / seen) }
}

/// The upper bound of sum over number, when whole clusters are drawn again: a percentile bootstrap. None without clusters.
pub fn clustered_at_most(clusters: &[Part]) -> Option<Part> {
    if clusters.is_empty() {
        return None;
    }
    if clusters.iter().all(|cluster| cluster.sum == 0) {
        return Some(Part { sum: 0, of: clusters.iter().map(|cluster| cluster.of).sum() });
    }
    let mut chance = SplitMix(BOOTSTRAP_SEED);
    let mut drawn: Vec<Part> = (0..RESAMPLES).map(|_| resample(clusters, &mut chance)).collect();
    drawn.sort_by(|a, b| a.order(*b));
    // Rounded up: the one above, where the percentile lies between two.
    let beyond = RESAMPLES * usize::try_from(ERROR_PERCENT).unwrap_or(0) / 100;
    drawn.get(RESAMPLES - beyond).copied()
}

fn resample(clusters: &[Part], chance: &mut SplitMix) -> Part {
    let mut total = Part::default();
    for _ in clusters {
        let cluster = clusters[chance.below(clusters.len())];
        total.sum += cluster.sum;
        total.of += cluster.of;
    }
    total
}

/// SplitMix64 (Steele, Lea, Flood 2014): a few lines that will be the same in ten years.
struct SplitMix(u64);

impl SplitMix {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn below(&mut self, n: usize) -> usize {
        let high = (u128::from(self.next()) * n as u128) >> 64;
        usize::try_from(high).unwrap_or(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The fewest that can pass with so many failures.
    fn fewest(target: f64, bad: u64) -> u64 {
        (1..10_000).find(|all| *all > bad && 1.0 - share_at_most(bad, *all) >= target).expect("some sample is enough")
    }

    #[test]
    fn the_fewest_that_can_pass_are_those_of_the_table() {
        for (target, expected) in [
            (0.90, [29, 46, 61]),
            (0.95, [59, 93, 124]),
            (0.96, [74, 117, 156]),
            (0.99, [299, 473, 628]),
            (0.997, [998, 1_580, 2_097]),
        ] {
            assert_eq!([0, 1, 2].map(|bad| fewest(target, bad)), expected, "{target}");
        }
        // And the largest failures of the planned samples.
        for (target, bad, all) in [(0.95, 16, 500), (0.95, 8, 300), (0.96, 6, 300), (0.90, 4, 100), (0.99, 12, 2_000)] {
            assert!(1.0 - share_at_most(bad, all) >= target, "{bad} of {all}");
            assert!(1.0 - share_at_most(bad + 1, all) < target, "{} of {all}", bad + 1);
        }
        assert!(share_at_most(21, 200) <= 0.15 && share_at_most(22, 200) > 0.15);
    }

    #[test]
    fn bounds_are_the_exact_ones() {
        // Without failures it is a root; the others by hand: 1 of 1, and both roots of a polynomial of the second degree.
        for all in [1_i32, 45, 59, 2_000, 300_000] {
            let exact = 1.0 - 0.05_f64.powf(1.0 / f64::from(all));
            let bound = share_at_most(0, u64::from(all.unsigned_abs()));
            assert!((bound - exact).abs() < 1e-12, "{all}: {bound} {exact}");
        }
        let close = |a: f64, b: f64| assert!((a - b).abs() < 1e-11, "{a} {b}");
        close(share_at_most(1, 2), 0.95_f64.sqrt());
        close(share_at_least(1, 2), 1.0 - 0.95_f64.sqrt());
        close(share_at_least(2, 2), 0.05_f64.sqrt());
        // By the same sum in rational numbers, elsewhere.
        close(share_at_most(4, 65), 0.135_311_971_132);
        close(share_at_least(4, 65), 0.021_291_147_307);
        close(share_at_most(8, 300), 0.047_600_074_415);
        close(share_at_most(21, 200), 0.147_675_243_982);
        close(share_at_most(12, 2_000), 0.009_703_194_530);
        assert_eq!((share_at_most(0, 0), share_at_least(0, 0), share_at_most(3, 3)), (1.0, 0.0, 1.0));
        // Three in n: the rule of three is a little more than the exact bound.
        assert!(share_at_most(0, 30_000) < 1e-4 && share_at_most(0, 30_000) > 0.99e-4);
    }

    #[test]
    fn large_samples_keep_their_precision() {
        // A million slices with a thousandth bad: the bound is 1.645 standard deviations away.
        let bound = share_at_most(1_000, 1_000_000);
        let near = 0.001 + 1.6449 * (0.001_f64 * 0.999 / 1e6).sqrt();
        assert!((bound - near).abs() < 3e-6, "{bound} {near}");
        assert!(share_at_least(1_000, 1_000_000) < 0.001);
    }

    #[test]
    fn a_cluster_is_one_witness() {
        // 100 runs of 20: five failures each in its own run, or all of them in one.
        let spread: Vec<Part> = (0..100).map(|i| Part { sum: u64::from(i < 20), of: 20 }).collect();
        let heaped: Vec<Part> = (0..100).map(|i| Part { sum: if i == 0 { 20 } else { 0 }, of: 20 }).collect();
        let bound = |clusters: &[Part]| clustered_at_most(clusters).expect("there are clusters");
        assert!(bound(&heaped).sum > bound(&spread).sum);
        assert!(bound(&spread).sum > 20 && bound(&spread).of == 2_000);
        assert_eq!(bound(&spread), bound(&spread), "the same every time");
        assert_eq!(clustered_at_most(&[]), None);
        assert_eq!(bound(&[Part { sum: 0, of: 7 }, Part { sum: 0, of: 3 }]), Part { sum: 0, of: 10 });
    }

    #[test]
    fn a_sample_is_worth_as_much_as_its_failures_are_independent() {
        let clusters = |bad: &[u64]| bad.iter().map(|bad| Part { sum: *bad, of: 20 }).collect::<Vec<_>>();
        let spread: Vec<u64> = (0..100).map(|i| u64::from(i % 5 == 0)).collect();
        assert_eq!(effective(&clusters(&spread)), Part { sum: 20, of: 2_000 });
        // Twenty failures in one run of twenty are one failure of a hundred things.
        let heaped: Vec<u64> = (0..100).map(|i| if i == 7 { 20 } else { 0 }).collect();
        assert_eq!(effective(&clusters(&heaped)), Part { sum: 1, of: 99 });
        assert_eq!(effective(&clusters(&[0, 0])), Part { sum: 0, of: 40 });
        assert_eq!(effective(&clusters(&[20, 20])), Part { sum: 40, of: 40 });
        assert_eq!(effective(&[]), Part::default());
    }

    #[test]
    fn the_generator_is_the_published_one() {
        let mut chance = SplitMix(1_234_567);
        assert_eq!([chance.next(), chance.next()], [6_457_827_717_110_365_317, 3_203_168_211_198_807_973]);
    }
}
