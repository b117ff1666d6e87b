//! The classes of switching to another release.

use super::{Class, Limits, Value};
use crate::policy;
use std::collections::BTreeMap;

pub(super) fn deploy() -> Vec<Class> {
    vec![
        Class {
            class: "preflight",
            covers: "what is done before a switch to another release",
            values: vec![
                Value::fixed(Limits::Time, policy::PREFLIGHT_WITHIN_MS).of("the new program's own check"),
                Value::fixed(Limits::Time, policy::DEPLOY_BACKUP_WITHIN_MS).of("the back-up"),
                Value::fixed(Limits::Time, policy::DEPLOY_ASK_WITHIN.as_millis()).of("until the daemon drains"),
            ],
            errors: BTreeMap::new(),
            retried: "nothing",
            spent: "the switch ends, and nothing was changed; a daemon that does not answer is passed over",
            because: "a large database is copied and brought up to date on the way",
            shown_by: &[
                "what_fails_before_the_flip_changes_nothing_and_what_fails_later_leads_back",
                "a_preflight_that_says_no_changes_nothing",
            ],
        },
        Class {
            class: "deploy soak",
            covers: "a daemon of another release, from its restart on",
            values: vec![
                Value::fixed(Limits::Time, policy::DEPLOY_STOP_WITHIN_MS)
                    .of("for the old one to end, then it is killed"),
                Value::fixed(Limits::Time, policy::DEPLOY_READY_MS).of("until the first answer, --ready"),
                Value::fixed(Limits::Tries, policy::DEPLOY_CRASHES_MAX).of("of starts before it"),
                Value::fixed(Limits::Tries, policy::DEPLOY_REFUSALS_MAX).of("of polls with a token that is refused"),
                Value::fixed(Limits::Time, policy::DEPLOY_ANSWER_MS).of("each answer, --answer"),
                Value::fixed(Limits::Time, policy::DEPLOY_SOAK_MS).of("until it is blessed, --soak"),
            ],
            errors: BTreeMap::new(),
            retried: "the way back, once: to the last blessed release that has not failed since",
            spent: "it goes back by itself; where that fails too it stays there, and a person has to look",
            because: "what happens at every start and in every turn has happened by then, and back is within a minute",
            shown_by: &[
                "a_release_that_crashes_at_its_start_is_left_again",
                "a_release_that_never_answers_is_left_again",
                "a_release_that_hangs_after_it_was_ready_is_left_again",
                "one_whose_token_is_refused_again_and_again_is_left",
                "it_never_flaps_between_two_that_fail",
            ],
        },
    ]
}
