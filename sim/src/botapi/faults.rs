//! What goes wrong on purpose: rules as data, each says for which methods, how often, and what.
//!
//! A refused connection is not among them: there is no request then, so the mount does it ([`super::Server::down`]).

use std::collections::BTreeMap;

use super::ids::Millis;
use super::methods::Method;

/// The rules in force, in the order in which they were added: the first that matches strikes.
#[derive(Clone, Debug, Default)]
pub struct FaultPlan {
    rules: BTreeMap<RuleId, Rule>,
    added: u64,
}

/// A rule, to take it back by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct RuleId(u64);

/// For which methods, how often, and what.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rule {
    /// For which methods.
    pub methods: Methods,
    /// How often, or for how long.
    pub quota: Quota,
    /// What.
    pub fault: Fault,
}

/// Which methods a rule is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Methods {
    /// Every request, also those of unknown methods.
    All,
    /// This one.
    Only(Method),
    /// Every request but those of this one. `AllBut(Method::GetUpdates)` is an outage of sending alone.
    AllBut(Method),
}

/// When a rule is used up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Quota {
    /// After it struck so often.
    Times(u32),
    /// At this moment.
    Until(Millis),
    /// Not before it is removed.
    UntilHealed,
}

/// Whether a request that is answered wrongly took effect first: the client cannot tell, and must not guess.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effect {
    /// It did nothing.
    Missing,
    /// It did what it asked for.
    Taken,
}

/// What goes wrong with a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The connection stays open, nothing happens, nothing is answered.
    Hang,
    /// The request takes effect and its answer never arrives, nor does anything else: a half-open connection. A poll that
    /// already waits is struck too.
    HalfOpen,
    /// The connection is reset.
    Reset(Effect),
    /// A gateway's page instead of an answer, with this status.
    Html(u16, Effect),
    /// 429 with so many seconds of `retry_after`.
    RetryAfter(u32),
    /// 401.
    Unauthorized,
    /// 409, as if another poll had taken over.
    Conflict,
    /// The right answer, so much later.
    Slow(Millis),
    /// The right answer cut in the middle, with a correct length and status.
    BadJson,
}

impl Fault {
    /// Every fault with the name it has in logs and on the command line, with everyday numbers.
    pub const NAMED: [(&'static str, Self); 12] = [
        ("hang", Self::Hang),
        ("half-open", Self::HalfOpen),
        ("reset-before", Self::Reset(Effect::Missing)),
        ("reset-after", Self::Reset(Effect::Taken)),
        ("html500", Self::Html(500, Effect::Missing)),
        ("html502", Self::Html(502, Effect::Missing)),
        ("html502-after", Self::Html(502, Effect::Taken)),
        ("429", Self::RetryAfter(5)),
        ("401", Self::Unauthorized),
        ("409", Self::Conflict),
        ("slow", Self::Slow(Millis::from_secs(3))),
        ("bad-json", Self::BadJson),
    ];

    /// The name for logs.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Hang => "hang",
            Self::HalfOpen => "half-open",
            Self::Reset(Effect::Missing) => "reset-before",
            Self::Reset(Effect::Taken) => "reset-after",
            Self::Html(_, Effect::Missing) => "html",
            Self::Html(_, Effect::Taken) => "html-after",
            Self::RetryAfter(_) => "429",
            Self::Unauthorized => "401",
            Self::Conflict => "409",
            Self::Slow(_) => "slow",
            Self::BadJson => "bad-json",
        }
    }

    /// The fault of this name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::NAMED.into_iter().find(|(known, _)| *known == name).map(|(_, fault)| fault)
    }

    /// Whether it strikes before the request is looked at; the others let it take effect first.
    pub(super) const fn is_before_effect(self) -> bool {
        match self {
            Self::Hang
            | Self::Reset(Effect::Missing)
            | Self::Html(_, Effect::Missing)
            | Self::RetryAfter(_)
            | Self::Unauthorized
            | Self::Conflict => true,
            Self::HalfOpen
            | Self::Reset(Effect::Taken)
            | Self::Html(_, Effect::Taken)
            | Self::Slow(_)
            | Self::BadJson => false,
        }
    }
}

impl Methods {
    fn cover(self, method: Option<Method>) -> bool {
        match self {
            Self::All => true,
            Self::Only(only) => method == Some(only),
            Self::AllBut(spared) => method != Some(spared),
        }
    }
}

impl FaultPlan {
    /// Puts a rule into force, after those that are there.
    pub fn add(&mut self, rule: Rule) -> RuleId {
        let id = RuleId(self.added);
        self.added += 1;
        self.rules.insert(id, rule);
        id
    }

    /// Puts a fault into force for some methods until it is healed.
    pub fn always(&mut self, methods: Methods, fault: Fault) -> RuleId {
        self.add(Rule { methods, quota: Quota::UntilHealed, fault })
    }

    /// Puts a fault into force for the next request of some methods.
    pub fn once(&mut self, methods: Methods, fault: Fault) -> RuleId {
        self.add(Rule { methods, quota: Quota::Times(1), fault })
    }

    /// Takes a rule back; whether it was still there.
    pub fn remove(&mut self, id: RuleId) -> bool {
        self.rules.remove(&id).is_some()
    }

    /// Takes all rules back. Connections that already hang go on hanging, as real ones do.
    pub fn heal(&mut self) {
        self.rules.clear();
    }

    /// Whether any rule is in force at this time.
    pub fn is_struck(&self, now: Millis) -> bool {
        self.rules.values().any(|rule| match rule.quota {
            Quota::Times(left) => left > 0,
            Quota::Until(end) => now < end,
            Quota::UntilHealed => true,
        })
    }

    /// The rules in force.
    pub fn rules(&self) -> impl Iterator<Item = (RuleId, &Rule)> {
        self.rules.iter().map(|(id, rule)| (*id, rule))
    }

    /// What strikes this request, if anything; uses the rule up.
    pub(super) fn strike(&mut self, now: Millis, method: Option<Method>) -> Option<Fault> {
        self.rules.retain(|_, rule| match rule.quota {
            Quota::Times(left) => left > 0,
            Quota::Until(end) => now < end,
            Quota::UntilHealed => true,
        });
        let rule = self.rules.values_mut().find(|rule| rule.methods.cover(method))?;
        if let Quota::Times(left) = &mut rule.quota {
            *left -= 1;
        }
        Some(rule.fault)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Millis = Millis(1_000);

    fn strikes(quota: Quota, methods: Methods, requests: &[(Millis, Method)]) -> Vec<bool> {
        let mut plan = FaultPlan::default();
        plan.add(Rule { methods, quota, fault: Fault::Hang });
        requests.iter().map(|(at, method)| plan.strike(*at, Some(*method)).is_some()).collect()
    }

    #[test]
    fn rules_strike_the_methods_they_are_for_until_used_up() {
        let sends = [(NOW, Method::SendMessage); 3];
        assert_eq!(strikes(Quota::Times(2), Methods::All, &sends), [true, true, false]);
        assert_eq!(strikes(Quota::UntilHealed, Methods::Only(Method::GetMe), &sends), [false; 3]);
        let mixed = [(NOW, Method::GetUpdates), (NOW, Method::SendMessage), (Millis(2_000), Method::SendMessage)];
        assert_eq!(
            strikes(Quota::Until(Millis(2_000)), Methods::AllBut(Method::GetUpdates), &mixed),
            [false, true, false]
        );
    }

    #[test]
    fn earlier_rules_come_first_and_healing_takes_all_back() {
        let mut plan = FaultPlan::default();
        let first = plan.always(Methods::All, Fault::Conflict);
        plan.always(Methods::All, Fault::Hang);
        assert_eq!(plan.strike(NOW, None), Some(Fault::Conflict));
        assert!(plan.remove(first) && !plan.remove(first));
        assert_eq!(plan.strike(NOW, None), Some(Fault::Hang));
        plan.heal();
        assert_eq!(plan.strike(NOW, None), None);
    }

    #[test]
    fn every_named_fault_is_found_by_its_name() {
        for (name, fault) in Fault::NAMED {
            assert_eq!(Fault::named(name), Some(fault));
        }
    }
}
