//! How chance draws faults.

use super::{Draw, Fault, KINDS, pick};

/// Chance over faults: which kinds a seed has at all, and how often each.
pub struct Chances(Vec<(Draw, u32)>);

impl Chances {
    /// A seed has about a third of the kinds: rare ones would else never meet undisturbed. Each has a rate of its own.
    pub fn draw(rng: &mut fastrand::Rng) -> Chances {
        let drawn: Vec<_> = KINDS.iter().filter_map(|kind| kind.draw).collect();
        let mut among: Vec<_> = drawn.iter().map(|draw| (*draw, rng.u32(1..=4))).collect();
        among.retain(|_| rng.u32(..3) == 0);
        if among.is_empty() {
            among.push((*pick(rng, &drawn), 1));
        }
        Chances(among)
    }

    /// A fault.
    pub fn fault(&self, rng: &mut fastrand::Rng) -> Fault {
        let mut left = rng.u32(..self.0.iter().map(|(_, rate)| rate).sum::<u32>());
        let chosen = self.0.iter().find(|(_, rate)| {
            let found = left < *rate;
            left = left.saturating_sub(*rate);
            found
        });
        chosen.map_or(self.0[0].0, |(draw, _)| *draw)(rng)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chance_draws_every_kind_that_it_may() {
        let mut seen = std::collections::BTreeSet::new();
        for seed in 0..300 {
            let mut rng = fastrand::Rng::with_seed(seed);
            let chances = Chances::draw(&mut rng);
            seen.extend((0..10).map(|_| chances.fault(&mut rng).name()));
        }
        let may: std::collections::BTreeSet<_> = KINDS.iter().filter(|k| k.draw.is_some()).map(|k| k.name).collect();
        assert_eq!(seen, may);
    }
}
