//! A run: set up; faults and work; then nothing goes wrong any more, and everything has to come to rest; then the verdict.

use crate::acts::{Acts, due};
use crate::botapi::Millis;
use crate::disk::Profile;
use crate::expect::{Expected, Rested};
use crate::fault::{Chances, Fault, Heal};
use crate::lives::{dated, lives, state_at};
use crate::moment::Moments;
use crate::people::{self, People};
use crate::property::{Broken, EXPECTED, Evidence, GIVES_UP, Outages, Part, SPINS, judge, look_at_crash, told};
use crate::rest::Rest;
use crate::scenario::{Job, Planned, Scenario, Sectors, Span, Via};
use crate::trace::{Entry, Lane, OVER};
use crate::watch::Watch;
use crate::world::clock::EPOCH_MS;
use crate::world::{Make, World};
use mainstay::event::Recorded;
use mainstay::exit::ExitCode;
use mainstay::real::store::{LogFilter, Store};
use mainstay::task::State;
use std::collections::BTreeSet;
use std::time::Duration;

/// What a run came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verdict {
    /// The seed.
    pub seed: u64,
    /// The first property that did not hold.
    pub broken: Option<Broken>,
    /// Over all that happened: two runs with the same digest did the same.
    pub digest: u64,
    /// Jobs that were asked for.
    pub jobs: usize,
    /// Faults that struck.
    pub faults: usize,
    /// Programs that were started.
    pub ran: usize,
    /// How often what a dead daemon had left was looked at.
    pub looks: usize,
    /// Simulated ms.
    pub simulated_ms: i64,
    /// What the scenario expects, with what was seen; nothing when a property broke before the end.
    pub expected: Vec<Expected>,
    /// Which faults struck while some task was in which state.
    pub met: BTreeSet<(String, State)>,
    /// What happened: everything if somebody watched, else only what went wrong.
    pub trace: Vec<Entry>,
}

/// Runs a scenario with a seed: what chance makes of it, played.
pub fn run(scenario: &Scenario, seed: u64) -> Verdict {
    play(&resolve(scenario, seed), seed)
}

/// Seeds for the parts of a run, one each, so that what one part draws does not shift another's chance.
struct Seeds {
    plan: u64,
    people: u64,
    world: u64,
    amid: u64,
}

impl Seeds {
    fn of(seed: u64) -> Seeds {
        let mut rng = fastrand::Rng::with_seed(seed);
        Seeds { plan: rng.u64(..), people: rng.u64(..), world: rng.u64(..), amid: rng.u64(..) }
    }
}

/// What a scenario and a seed come to: a scenario in which nothing is left to chance but how people and the network behave.
/// Played with the same seed it is the same run, and it stays so when other chances are drawn one day.
pub fn resolve(scenario: &Scenario, seed: u64) -> Scenario {
    let mut rng = fastrand::Rng::with_seed(Seeds::of(seed).plan);
    let mut resolved = Scenario { seed: Some(seed), swarm: None, ..scenario.clone() };
    let sectors = if rng.bool() { Sectors::Small } else { Sectors::Large };
    resolved.sectors.get_or_insert(sectors);
    if let Some(swarm) = &scenario.swarm {
        let names = people::names();
        for _ in 0..rng.u32(swarm.jobs.0..=swarm.jobs.1) {
            resolved.jobs.push(draw_job(&mut rng, &names, scenario.lasts));
        }
        resolved.jobs.sort_by_key(|job| job.at);
        let chances = Chances::draw(&mut rng);
        for _ in 0..rng.u32(0..=swarm.faults) {
            let at = Some(Span(rng.u64(0..=scenario.lasts.0)));
            resolved.faults.push(Planned { at, when: None, fault: chances.fault(&mut rng) });
        }
    }
    resolved
}

/// Plays what [`resolve`] made.
pub fn play(resolved: &Scenario, seed: u64) -> Verdict {
    play_and_look(resolved, seed, |_| {}, |_, _, _| {}).0
}

/// The same with a whole trace of it.
pub fn watch(resolved: &Scenario, seed: u64) -> Verdict {
    play_with(Watch::new(true), resolved, seed, |_| {}, |_, _, _| {}).0
}

/// The same in a world that is changed before it begins, with a look at it when it is over.
pub fn play_and_look<T>(
    resolved: &Scenario,
    seed: u64,
    change: impl FnOnce(&mut World),
    look: impl FnOnce(&World, &People, &Outages) -> T,
) -> (Verdict, T) {
    play_with(Watch::new(false), resolved, seed, change, look)
}

fn play_with<T>(
    watch: Watch,
    resolved: &Scenario,
    seed: u64,
    change: impl FnOnce(&mut World),
    look: impl FnOnce(&World, &People, &Outages) -> T,
) -> (Verdict, T) {
    let seeds = Seeds::of(seed);
    let people = People::new(seeds.people, resolved.jobs.clone());
    let make = Make {
        seed: seeds.world,
        tick: Duration::from_millis(resolved.tick.0),
        disk: match resolved.sectors {
            Some(Sectors::Large) => Profile::LARGE_SECTORS,
            Some(Sectors::Small) | None => Profile::SMALL_SECTORS,
        },
        config: people::config(),
    };
    let mut world = World::new(make, |telegram| people::move_in(&mut telegram.people(Millis(EPOCH_MS.unsigned_abs()))));
    if resolved.small_cache {
        world.cache_little();
    }
    change(&mut world);
    let mut run = Run {
        world,
        people,
        acts: Acts::of(resolved),
        moments: Moments::default(),
        faults: resolved.faults.clone(),
        healing: Vec::new(),
        outages: Outages::default(),
        outages_over: None,
        never: Vec::new(),
        expected: Vec::new(),
        lived: false,
        looks: 0,
        amid: seeds.amid,
        armed: None,
        watch,
    };
    let broken = match run.live(resolved) {
        Life::Broke(broken) => Some(broken),
        Life::Rests => None,
        Life::OutOfTime => {
            run.world.kill();
            run.judge(resolved)
        }
    };
    let looked = look(&run.world, &run.people, &run.outages);
    (run.verdict(seed, broken), looked)
}

fn draw_job(rng: &mut fastrand::Rng, names: &[&str], lasts: Span) -> Job {
    let pick = |rng: &mut fastrand::Rng, from: &[&str]| from[rng.usize(..from.len())].to_owned();
    let via = [Via::Group, Via::Private, Via::Cli][rng.usize(..3)];
    let ms = rng.u64(10..=60_000);
    let does = match rng.u32(..10) {
        0..=4 => format!("exit:0@{ms}"),
        5 => format!("exit:75@{ms}"),
        6 => format!("exit:1@{ms}"),
        7 => format!("signal:9@{ms}"),
        8 => format!("exit:0@{ms} progress:half@{}", ms / 2),
        _ => format!("hang stubborn:{}", rng.u64(0..=20_000)),
    };
    Job {
        at: Span(rng.u64(0..=lasts.0 * 3 / 4)),
        // The command line is ana's.
        by: if via == Via::Cli { "ana".into() } else { pick(rng, names) },
        kind: pick(rng, &["build", "build", "backup", "flaky", "solo", "note"]),
        does,
        via,
        stop_after: (rng.u32(..10) == 0).then(|| Span(rng.u64(0..=30_000))),
        left_alone: false,
        ends: None,
        runs: None,
        attempts: None,
        reported: None,
    }
}

struct Run {
    world: World,
    people: People,
    acts: Acts,
    moments: Moments,
    /// Still to strike.
    faults: Vec<Planned>,
    /// To be healed, and when.
    healing: Vec<(i64, Heal)>,
    /// When the last fault of Telegram or the line was over.
    outages_over: Option<i64>,
    /// What went wrong only after something that never came about.
    never: Vec<String>,
    expected: Vec<Expected>,
    outages: Outages,
    /// A daemon has been up since the last look at what a dead one left.
    lived: bool,
    looks: usize,
    /// The seed of whether a death comes amid a write.
    amid: u64,
    /// A death that waits for a write, and until when, ms.
    armed: Option<(Planned, i64)>,
    watch: Watch,
}

/// What a life came to.
enum Life {
    /// A finding that needs no rest.
    Broke(Broken),
    /// Everything has come to rest, and everything holds.
    Rests,
    /// The time to come to rest is over.
    OutOfTime,
}

/// How long a death waits for a write, ms.
const ARMED_MS: i64 = 20_000;

/// How long a service manager waits before it starts a daemon that ended, ms.
const RESTART_MS: i64 = 1_000;

impl Run {
    /// Faults and work, then time to come to rest.
    fn live(&mut self, scenario: &Scenario) -> Life {
        while self.world.now() < scenario.lasts.ms() {
            self.strike();
            if let Some(broken) = self.tick() {
                return Life::Broke(broken);
            }
        }
        self.calm();
        let until = self.world.now() + scenario.settles.ms();
        let mut rest = Rest::default();
        while self.world.now() < until {
            if let Some(broken) = self.tick() {
                return Life::Broke(broken);
            }
            // More of the same is not worth its time. What does not hold yet may, after a slow retry: time goes on.
            if rest.has_come(&self.world, &self.people) && self.acts.are_over() && self.judge(scenario).is_none() {
                return Life::Rests;
            }
        }
        Life::OutOfTime
    }

    /// One tick of the world, and what people do in it.
    fn tick(&mut self) -> Option<Broken> {
        let now = self.world.now();
        let (due, later): (Vec<_>, Vec<_>) = self.healing.drain(..).partition(|(at, _)| *at <= now);
        self.healing = later;
        for (_, heal) in due {
            let next = heal.heal(&mut self.world);
            self.healing.extend(next.map(|(heal, after)| (now + after.ms(), heal)));
            // What goes on has been told when it began.
            if next.is_none() {
                self.watch.note(now, Lane::Fault, format!("{OVER}{}", heal.over()));
            }
        }
        for part in Part::ALL {
            self.outages.note(part, now, self.world.is_out(part));
        }
        if let Err(broken) = self.look_at_what_is_left() {
            return Some(broken);
        }
        self.people.act(&mut self.world);
        for what in self.acts.act(&mut self.world, &mut self.people, &self.moments) {
            self.watch.note(now, Lane::Person, what);
        }
        let ended = self.world.step();
        self.watch.look(&self.world);
        if self.world.clock.spins() {
            let how = "its loop turns and turns, and no time passes".to_owned();
            return Some(Broken { property: SPINS, at_ms: now, how });
        }
        let ended = ended?;
        let now = self.world.now();
        if let Err(fatal) = &ended
            && !may_end_like_this(fatal.code)
        {
            return Some(Broken { property: GIVES_UP, at_ms: now, how: fatal.to_string() });
        }
        let how = ended.map_or_else(|error| error.to_string(), |()| "as told".into());
        self.watch.note(now, Lane::Daemon, format!("the daemon ended: {how}"));
        let after = self.world.restart_after.take().map_or(RESTART_MS, Span::ms);
        self.healing.push((now + after, Heal::Start));
        None
    }

    /// Once a daemon or the machine has died: the disk must have what people were told.
    fn look_at_what_is_left(&mut self) -> Result<(), Broken> {
        let up = self.world.is_up();
        if up || !std::mem::replace(&mut self.lived, up) {
            self.lived |= up;
            return Ok(());
        }
        self.looks += 1;
        let at_ms = self.world.now();
        let broken = |how: String| Broken { property: told::NAME, at_ms, how };
        // A copy: who looks must not change what the next daemon finds.
        let (_copy, db) = self.world.left_on_disk().map_err(|error| broken(error.to_string()))?;
        let store = Store::open_to_read(db).map_err(|error| broken(error.to_string()))?;
        let config = people::config();
        let evidence =
            Evidence::simulated(&self.world, &self.people, &self.outages, &config, &store).map_err(broken)?;
        look_at_crash(&evidence)
    }

    /// What is due strikes.
    fn strike(&mut self) {
        let now = self.world.now();
        let mut n = 0;
        while n < self.faults.len() {
            let Planned { at, when, .. } = self.faults[n];
            let Some(due) = due(at, when, &self.world, &self.people, &self.moments) else {
                n += 1;
                continue;
            };
            let planned = self.faults.remove(n);
            if let Some(op) = self.amid(&planned, due) {
                self.world.disk.cut_at(Some(self.world.disk.ops() + op));
                self.armed = Some((planned, now + ARMED_MS));
            } else {
                self.bring_about(&planned);
            }
        }
        let is_due = |until: i64| until <= now || self.world.disk.is_frozen();
        if let Some((planned, _)) = self.armed.take_if(|(_, until)| is_due(*until)) {
            self.world.disk.cut_at(None);
            self.bring_about(&planned);
            // The daemon may have ended in the same moment, with its disk cut off under its hands.
            if self.world.disk.is_frozen() && !self.world.is_up() {
                self.world.disk.kill();
            }
        }
    }

    /// Where nothing is written, a death takes nothing: half of them wait for a write or sync, the how manyth by chance, and
    /// come amid it. By the fault's own time, so that others can be left out without a change of this one.
    fn amid(&self, planned: &Planned, due: i64) -> Option<u64> {
        /// Some turns of the daemon's loop.
        const OPS: u64 = 60;
        // A scenario that says what has to happen first means that moment.
        let dies =
            matches!(planned.fault, Fault::PowerLoss { .. } | Fault::DaemonKilled { .. }) && planned.when.is_none();
        let mut rng = fastrand::Rng::with_seed(self.amid ^ due.unsigned_abs());
        (dies && self.armed.is_none() && self.world.is_up() && rng.bool()).then(|| 1 + rng.u64(..OPS))
    }

    fn bring_about(&mut self, planned: &Planned) {
        let now = self.world.now();
        let heal = planned.fault.strike(&mut self.world);
        self.watch.strike(now, &planned.fault);
        self.watch.look(&self.world);
        self.outages_over = self.outages_over.max(planned.fault.outage().map(|lasts| now + lasts.ms()));
        self.healing.extend(heal.map(|(heal, after)| (now + after.ms(), heal)));
    }

    /// Nothing goes wrong any more.
    fn calm(&mut self) {
        let never = |planned: Planned| planned.when.map(|when| format!("{when} never: no {}", planned.fault.name()));
        self.never = std::mem::take(&mut self.faults).into_iter().filter_map(never).collect();
        if let Some((planned, _)) = self.armed.take() {
            self.world.disk.cut_at(None);
            self.bring_about(&planned);
        }
        let waiting = std::mem::take(&mut self.healing).into_iter().map(|(_, heal)| heal);
        for heal in waiting.chain(Heal::ALWAYS) {
            heal.heal(&mut self.world);
        }
        self.outages_over = self.outages_over.map(|over| over.min(self.world.now()));
        self.world.clock.set_skew(0);
        self.world.machine.fail_starts(0);
        self.world.telegram.change(|t| t.faults.heal());
    }

    /// Everything is at rest: the record is read from the disk, and judged with the world.
    fn judge(&mut self, scenario: &Scenario) -> Option<Broken> {
        let at_ms = self.world.now();
        let broken = |how: String| Broken { property: "the record is whole", at_ms, how };
        let store = match self.store() {
            Ok(store) => store,
            Err(error) => return Some(broken(error)),
        };
        let config = people::config();
        let found = match Evidence::simulated(&self.world, &self.people, &self.outages, &config, &store) {
            Ok(evidence) => judge(&evidence),
            Err(error) => Some(broken(error)),
        };
        found.or_else(|| self.as_expected(scenario, &store))
    }

    /// What the scenario expects besides.
    fn as_expected(&mut self, scenario: &Scenario, store: &Store) -> Option<Broken> {
        let never: Vec<String> = self.never.iter().cloned().chain(self.acts.left()).collect();
        let rested = Rested {
            scenario,
            world: &self.world,
            people: &self.people,
            store,
            outages_over: self.outages_over,
            never: &never,
        };
        let broken = |how| Broken { property: EXPECTED, at_ms: self.world.now(), how };
        match rested.expected() {
            Ok(expected) => self.expected = expected,
            Err(error) => return Some(broken(error)),
        }
        let missed = self.expected.iter().find(|one| !one.held)?;
        Some(broken(format!("{}: {} expected, {} seen", missed.what, missed.wanted, missed.seen)))
    }

    fn store(&self) -> Result<Store, String> {
        let db = self.world.database().map_err(|error| error.to_string())?;
        Store::open_to_read(db).map_err(|error| error.to_string())
    }

    /// Every row of every table, and every event.
    fn record(&self) -> Result<(String, Vec<Recorded>), String> {
        let store = self.store()?;
        let filter = LogFilter { last: u32::MAX, ..LogFilter::default() };
        let events = store.logs(&filter).map_err(|error| error.to_string())?;
        Ok((store.dump(&[]).map_err(|error| error.to_string())?, events))
    }

    fn verdict(self, seed: u64, broken: Option<Broken>) -> Verdict {
        let mut digest = self.world.digest();
        // A record that can't be read is what was found already; why not belongs to the digest all the same.
        let (rows, events) = self.record().unwrap_or_else(|error| (error, Vec::new()));
        digest.add_bytes(rows.as_bytes());
        let events = dated(events, self.watch.skews());
        Verdict {
            seed,
            broken,
            digest: digest.value(),
            jobs: self.people.jobs.iter().filter(|asked| asked.at.is_some()).count(),
            faults: self.watch.struck().len(),
            ran: self.world.machine.ledger().len(),
            looks: self.looks,
            simulated_ms: self.world.now(),
            expected: self.expected,
            met: met(&self.watch, &events),
            trace: self.watch.finish(&self.world, &self.people, &events),
        }
    }
}

/// Which faults struck while some task was in which state.
fn met(watch: &Watch, events: &[(i64, Recorded)]) -> BTreeSet<(String, State)> {
    let lives = lives(events);
    let states = |at: i64| lives.values().filter_map(move |life| state_at(life, at));
    watch.struck().iter().flat_map(|(at, fault)| states(*at).map(|state| (fault.name().to_owned(), state))).collect()
}

/// A daemon may end when it is told to, and when its disk does not let it begin.
fn may_end_like_this(code: ExitCode) -> bool {
    matches!(code, ExitCode::DiskFull | ExitCode::StateDirUnusable)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn swarm() -> Scenario {
        Scenario::parse("about = 'x'\nlasts = '10m'\n[swarm]\njobs = [3, 12]\nfaults = 10\n").expect("a scenario")
    }

    #[test]
    fn what_a_seed_comes_to_can_be_written_down_and_played_again() {
        let _alone = crate::vfs::alone();
        let resolved = resolve(&swarm(), 3);
        let text = toml::to_string(&resolved).expect("a scenario can be written");
        let again = Scenario::parse(&text).unwrap_or_else(|error| panic!("{error}\n{text}"));
        assert_eq!(again, resolved, "{text}");
        // One run a process would be needed for the same bytes of SQLite; the machine's part is the same in any.
        let (first, second) = (run(&swarm(), 3), play(&again, 3));
        assert_eq!((first.broken, second.broken), (None, None));
        assert_eq!((first.jobs, first.faults, first.ran), (second.jobs, second.faults, second.ran));
    }

    #[test]
    fn time_passes_until_everything_rests_or_to_the_bound() {
        let _alone = crate::vfs::alone();
        let one = |ends: &str| {
            let job = format!("[[job]]\nat = '1s'\nkind = 'build'\ndoes = 'exit:0@5000'\nends = '{ends}'\n");
            Scenario::parse(&format!("about = 'x'\nlasts = '3m'\nsettles = '5m'\n{job}")).expect("a scenario")
        };
        let held = run(&one("SUCCEEDED"), 1);
        assert_eq!(held.broken, None);
        assert!(held.simulated_ms < 6 * 60_000, "it rested for a minute and went on: {}", held.simulated_ms);
        // What does not hold may hold later: nobody gives up before the bound.
        let broken = run(&one("FAILED"), 1);
        assert_eq!(broken.broken.map(|b| b.property), Some("every task comes to its end"));
        assert_eq!(broken.simulated_ms, 8 * 60_000);
    }
}
