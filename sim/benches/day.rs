//! How much faster than life a simulation is: an idle day of the whole world, beside an empty run of turmoil with as many hosts
//! and ticks, which is what any simulation on it has to pay.
//!
//! `cargo bench --profile sim -p mainstay-sim --bench day [-- --json] [--quick]`: the profile is the one in which simulations are
//! run. Nothing is judged here: it is a measurement.

use mainstay_sim::run::run;
use mainstay_sim::scenario::Scenario;
use std::time::{Duration, Instant};

const IDLE_DAY: &str = include_str!("../../scenarios/idle-day.toml");

fn main() {
    let has = |flag: &str| std::env::args().any(|argument| argument == flag);
    let rounds = if has("--quick") { 3 } else { 7 };
    let scenario = Scenario::parse(IDLE_DAY).expect("it is one of the scenarios");
    let tick = Duration::from_millis(scenario.tick.0);
    let (mut ours, mut floor) = (Vec::new(), Vec::new());
    for seed in 1..=rounds {
        let start = Instant::now();
        let verdict = run(&scenario, seed);
        assert!(verdict.broken.is_none(), "{:?}", verdict.broken);
        let simulated = Duration::from_millis(verdict.simulated_ms.unsigned_abs());
        ours.push(simulated.as_secs_f64() / start.elapsed().as_secs_f64());
        let start = Instant::now();
        empty(simulated, tick);
        floor.push(simulated.as_secs_f64() / start.elapsed().as_secs_f64());
    }
    let mut ratios: Vec<f64> = ours.iter().zip(&floor).map(|(ours, floor)| ours / floor).collect();
    ratios.sort_by(f64::total_cmp);
    let what = "simulated seconds a second, an idle day (floor: empty hosts)";
    if has("--json") {
        let figure = serde_json::json!({
            "target": "sim", "what": what, "unit": "s/s", "ours": ours, "floor": floor, "ratio": ratios,
            "wanted": null, "met": null, "counted": false,
        });
        println!("{figure}");
    } else {
        println!("{what}: {ours:.0?}, floor {floor:.0?}, ratio {ratios:.3?}");
    }
}

/// Two hosts that only wait, as the machine and Telegram do on an idle day.
fn empty(simulated: Duration, tick: Duration) {
    let mut sim = turmoil::Builder::new().simulation_duration(simulated * 2).tick_duration(tick).build();
    for host in ["machine", "telegram"] {
        sim.host(host, || async { std::future::pending().await });
    }
    let ticks = simulated.as_millis() / tick.as_millis();
    for _ in 0..ticks {
        sim.step().expect("nothing happens");
    }
}
