//! What becomes of calls that fail, and what may have come of them all the same.

use super::{ANN, BOT, CHAT, IMPATIENT, PATIENT, Site, kind, long_poll, text};
use mainstay::ports::{Call, CallErrorKind, Outgoing};
use mainstay_sim::botapi::{Effect, Fault, Method, Methods, Millis, UserId, Window};
use std::time::Duration;

pub(crate) async fn every_refusal_has_its_class(site: &Site<'_>) {
    let document = Call::Document { content: text("x"), name: "x".into(), bytes: vec![0] };
    let Ok(mainstay::ports::Called::Message(document)) = site.call(document).await else { panic!("it is well") };
    let (theirs, forum, closed, kicked, blocked, strange) = site.people(|people| {
        let theirs = people.say(ANN, CHAT, "mine");
        let forum = people.supergroup("Forum");
        let closed = people.open_topic(forum);
        people.delete_topic(forum, closed);
        let kicked = people.group("Kicked");
        people.kick(ANN, kicked);
        let blocked = people.acquaintance(UserId(8), "Bob");
        people.block(UserId(8));
        (theirs, forum, closed, kicked, blocked, people.user(UserId(9), "Cy"))
    });
    let small = |id: i64| i32::try_from(id).expect("ids are small here");
    let to = |chat: i64| Call::Send(Outgoing { chat, ..text("x") });
    let edit = |message: i32, content| Call::Edit { message, content };
    let press = |id: &str| Call::AnswerPress { id: id.into(), text: String::new(), alert: false };
    let long = "x".repeat(4_097);
    let mine = site.send(text("mine")).await;
    let cases = [
        (edit(4_000, text("x")), CallErrorKind::EditTargetGone),
        (edit(small(theirs.0), text("x")), CallErrorKind::EditTargetGone),
        (edit(document, text("x")), CallErrorKind::EditTargetGone),
        (edit(mine, text("mine")), CallErrorKind::NotModified),
        (edit(mine, text(&long)), CallErrorKind::TooLong),
        (Call::Send(text(&long)), CallErrorKind::TooLong),
        (Call::Send(text("")), CallErrorKind::Refused),
        (Call::Send(Outgoing { pre: vec![(0, 9)], ..text("x") }), CallErrorKind::Refused),
        (Call::Send(Outgoing { chat: forum.0, thread: Some(small(closed)), ..text("x") }), CallErrorKind::ThreadGone),
        (to(kicked.0), CallErrorKind::Forbidden),
        (to(blocked.0), CallErrorKind::Forbidden),
        (to(strange.0), CallErrorKind::Forbidden),
        (to(-987_654), CallErrorKind::Forbidden),
        (press("123"), CallErrorKind::PressTooOld),
        (Call::SetCommands(vec![("No Such".into(), "x".into())]), CallErrorKind::Refused),
    ];
    for (call, expected) in cases {
        assert_eq!(site.refused(call.clone()).await, expected, "{call:?}");
    }

    let late = site.people(|people| people.forge_press(ANN, CHAT, theirs, "n1"));
    site.world(|world, _| world.limits.press_answer = Millis(0));
    assert_eq!(site.refused(press(&late.0)).await, CallErrorKind::PressTooOld);
}

pub(crate) async fn a_flood_wait_comes_with_its_length_and_nothing_was_sent(site: &Site<'_>) {
    site.world(|world, _| world.faults.once(Methods::All, Fault::RetryAfter(18_053)));
    assert_eq!(site.refused(Call::Send(text("x"))).await, CallErrorKind::Flood(Duration::from_secs(18_053)));
    assert_eq!(site.screen().len(), 0);

    site.world(|world, _| world.limits.chat = Some(Window { at_most: 1, within: Millis::from_secs(1_000) }));
    site.send(text("within the limit")).await;
    let CallErrorKind::Flood(wait) = site.refused(Call::Send(text("x"))).await else { panic!("over the limit") };
    assert!(wait > Duration::from_secs(900) && wait <= Duration::from_secs(1_000), "{wait:?}");
    assert_eq!(site.screen().len(), 1);

    site.world(|world, _| world.faults.once(Methods::Only(Method::GetUpdates), Fault::RetryAfter(3)));
    let poll = long_poll(1, Duration::ZERO, PATIENT);
    assert_eq!(kind(site.telegram.poll(poll).await), CallErrorKind::Flood(Duration::from_secs(3)));
}

pub(crate) async fn a_migrated_group_comes_with_its_new_id(site: &Site<'_>) {
    let (old, new) = site.people(|people| {
        let old = people.group("Builds");
        (old, people.migrate(old))
    });
    let content = Outgoing { chat: old.0, ..text("x") };
    let document = Call::Document { content: content.clone(), name: "x".into(), bytes: vec![0] };
    let edit = Call::Edit { message: 1, content: content.clone() };
    for call in [Call::Send(content.clone()), document, edit] {
        assert_eq!(site.refused(call).await, CallErrorKind::Migrated(new.0));
    }
    site.send(Outgoing { chat: new.0, ..content }).await;
}

pub(crate) async fn an_outage_is_certainly_not_sent_and_ends(site: &Site<'_>) {
    for round in 0..2 {
        site.backstage.reachable(false);
        assert_eq!(site.refused(Call::Send(text("lost"))).await, CallErrorKind::NotSent);
        let document = Call::Document { content: text("lost"), name: "x".into(), bytes: vec![0; 100_000] };
        assert_eq!(site.refused(document).await, CallErrorKind::NotSent);
        let poll = long_poll(1 + round, Duration::ZERO, PATIENT);
        assert_eq!(kind(site.telegram.poll(poll).await), CallErrorKind::NotSent);
        site.backstage.reachable(true);
        site.send(text("arrives")).await;
    }
    assert_eq!(site.screen().len(), 2);
}

pub(crate) async fn what_may_have_been_sent_is_ambiguous_and_tried_once(site: &Site<'_>) {
    let cases = [
        (Fault::Reset(Effect::Missing), 0),
        (Fault::Reset(Effect::Taken), 1),
        (Fault::Html(502, Effect::Missing), 0),
        (Fault::Html(502, Effect::Taken), 1),
        (Fault::Html(500, Effect::Missing), 0),
        (Fault::BadJson, 1),
        (Fault::Hang, 0),
        (Fault::HalfOpen, 1),
        (Fault::Slow(Millis::from_secs(60)), 1),
    ];
    for (fault, effects) in cases {
        let document = Call::Document { content: text("x"), name: "x".into(), bytes: vec![0; 1_000] };
        for (method, call) in [(Method::SendMessage, Call::Send(text("x"))), (Method::SendDocument, document)] {
            let (requests, messages) = (site.requests(method), site.screen().len());
            site.world(|world, _| world.faults.once(Methods::Only(method), fault));
            let hangs = matches!(fault, Fault::Hang | Fault::HalfOpen | Fault::Slow(_));
            let give_up = if hangs { IMPATIENT } else { PATIENT };
            assert_eq!(kind(site.telegram.call(call, give_up).await), CallErrorKind::Ambiguous, "{fault:?}");
            assert_eq!(site.requests(method), requests + 1, "{fault:?}: no call is repeated inside");
            assert_eq!(site.screen().len(), messages + effects, "{fault:?}");
        }
    }
    site.send(text("and then all is well")).await;
}

pub(crate) async fn a_wrong_token_is_told_by_calls_and_polls(site: &Site<'_>) {
    site.world(|world, _| world.faults.once(Methods::All, Fault::Unauthorized));
    assert_eq!(site.refused(Call::GetMe).await, CallErrorKind::Unauthorized);
    site.call(Call::GetMe).await.expect("that was only once");
    site.world(|world, _| world.replace_token(BOT, "42:another"));
    assert_eq!(site.refused(Call::Send(text("x"))).await, CallErrorKind::Unauthorized);
    let poll = long_poll(1, Duration::ZERO, PATIENT);
    assert_eq!(kind(site.telegram.poll(poll).await), CallErrorKind::Unauthorized);
    assert_eq!(site.screen().len(), 0);
}
