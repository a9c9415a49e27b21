//! Webhooks: each event once to each endpoint that wants it, one sender at a time, in order where that was asked for, and
//! none forgotten.

use std::collections::BTreeMap;

use saoma_protocol::{Millis, Sequence, WebhookDeliveryId, WebhookEndpointId, WebhookEventId};
use saoma_store::{
    Opaque, StoreError,
    webhooks::{self, Announcement, Attempt, Delivery, Disabled, Endpoint, Filter, Job, Next, State, Wanted, announce},
};

use crate::{
    base::{Base, on_both},
    house::{House, NOW, PLATFORM, at, bytes},
};

const PAID: &str = "payment.succeeded";
const REFUNDED: &str = "refund.succeeded";

pub fn endpoint(house: &House, number: u8) -> Endpoint {
    Endpoint {
        id: WebhookEndpointId::from_bytes(bytes(house.letter, number)),
        url: format!("https://shop{number}.example/hooks"),
        description: String::new(),
        event_types: Vec::new(),
        ordered: false,
        previous_until: None,
        disabled: None,
        last_success_at: None,
        created_at: at(number.into()),
        updated_at: at(number.into()),
    }
}

/// An endpoint of the house, with what is special about it.
fn listen(base: &Base, house: &House, number: u8, with: impl Fn(&mut Endpoint)) -> WebhookEndpointId {
    let mut endpoint = endpoint(house, number);
    with(&mut endpoint);
    base.write(|tx| webhooks::create(tx, &house.scope, &endpoint, &Opaque(vec![number]), 16));
    endpoint.id
}

pub fn event(of: &str) -> Announcement {
    Announcement { event_type: of.to_owned(), only: None, payload: format!(r#"{{"type":"{of}"}}"#) }
}

/// The event happens at this moment and is told to the endpoints.
fn happens(base: &Base, house: &House, of: &str, ms: i64) -> WebhookEventId {
    let id = base.write(|tx| announce(tx, &house.scope, &event(of), at(ms)));
    assert_eq!(base.write(|tx| webhooks::fan_out(tx, &PLATFORM, at(ms), 10)), (1, vec![]));
    id
}

/// So many payments, a millisecond apart.
fn paid(base: &Base, house: &House, count: i64) -> Vec<WebhookEventId> {
    (0..count).map(|ms| happens(base, house, PAID, ms)).collect()
}

fn claim(base: &Base, now: i64, limit: u32) -> Vec<Job> {
    base.write(|tx| {
        let wanted = Wanted { in_hand: &BTreeMap::new(), per_endpoint_max: 100, limit };
        webhooks::claim_due(tx, &PLATFORM, at(now), at(now + 60), wanted)
    })
}

fn attempt(delivery: &Delivery, status: u16) -> Attempt {
    let body = Some("thanks".to_owned());
    Attempt { number: delivery.attempts, at: NOW, duration_ms: 7, status: Some(status), error: None, body }
}

fn finish(base: &Base, house: &House, job: &Job, next: Next, now: i64) -> Option<Disabled> {
    let attempt = attempt(&job.delivery, 200);
    base.write(|tx| webhooks::finish(tx, &house.scope, &job.delivery, &attempt, next, at(now)))
}

fn stored(base: &Base, house: &House, id: WebhookDeliveryId) -> Delivery {
    base.read(|tx| webhooks::load_delivery(tx, &house.scope, id))
}

fn events(jobs: &[Job]) -> Vec<WebhookEventId> {
    jobs.iter().map(|job| job.delivery.event).collect()
}

#[test]
fn an_event_goes_once_to_each_endpoint_that_wants_it() {
    on_both(|base| {
        let (tea, milk) = (House::build(base, b'T'), House::build(base, b'M'));
        let all = listen(base, &tea, 1, |_| {});
        let refunds = listen(base, &tea, 2, |endpoint| endpoint.event_types = vec![REFUNDED.to_owned()]);
        listen(base, &tea, 3, |endpoint| endpoint.disabled = Some((Disabled::ByPerson, NOW)));
        listen(base, &milk, 4, |_| {});
        let paid = happens(base, &tea, PAID, 5);
        let jobs = claim(base, 5, 10);
        let [Job { scope, delivery, url }] = jobs.as_slice() else { panic!("{jobs:?}") };
        assert_eq!((scope, url.as_str()), (&tea.scope, "https://shop1.example/hooks"));
        assert_eq!((delivery.endpoint, delivery.event, delivery.attempts), (all, paid, 1));
        assert_eq!((delivery.payload.as_str(), delivery.began_at), (r#"{"type":"payment.succeeded"}"#, Some(at(5))));
        assert_eq!(delivery.id, WebhookDeliveryId::of(all, paid));
        assert_eq!(base.write(|tx| webhooks::fan_out(tx, &PLATFORM, at(6), 10)), (0, vec![]), "it is told once");
        let refunded = happens(base, &tea, REFUNDED, 7);
        assert_ne!(refunded, paid);
        let mut heard: Vec<_> = claim(base, 7, 10).iter().map(|job| job.delivery.endpoint).collect();
        heard.sort();
        assert_eq!(heard, [all, refunds]);
        // A trial goes where it was asked for, whatever that endpoint hears of.
        let trial = Announcement { only: Some(refunds), ..event("webhook.test") };
        base.write(|tx| announce(tx, &tea.scope, &trial, at(8)));
        base.write(|tx| webhooks::fan_out(tx, &PLATFORM, at(8), 10));
        assert_eq!(claim(base, 8, 10).iter().map(|job| job.delivery.endpoint).collect::<Vec<_>>(), [refunds]);
    });
}

#[test]
fn what_cannot_be_read_stops_nothing() {
    on_both(|base| {
        let tea = House::build(base, b'T');
        listen(base, &tea, 1, |_| {});
        let bad = base.write(|tx| {
            use saoma_store::outbox::{self, Kind, NewMessage};
            let payload = "from another time".to_owned();
            outbox::append(
                tx,
                &tea.scope,
                &NewMessage { kind: Kind::Webhook, terminal: None, payload, created_at: NOW },
            )
        });
        let good = base.write(|tx| announce(tx, &tea.scope, &event(PAID), NOW));
        assert_eq!(base.write(|tx| webhooks::fan_out(tx, &PLATFORM, NOW, 10)), (2, vec![bad]));
        assert_eq!(events(&claim(base, 0, 10)), [good]);
    });
}

#[test]
fn what_was_claimed_and_lost_is_due_again_when_its_lease_ends() {
    on_both(|base| {
        let tea = House::build(base, b'T');
        listen(base, &tea, 1, |_| {});
        happens(base, &tea, PAID, 0);
        let due = || base.read(|tx| webhooks::next_due_at(tx, &PLATFORM, NOW));
        assert_eq!(due(), Some(NOW));
        let lost = claim(base, 0, 10).remove(0);
        assert_eq!((claim(base, 59, 10).len(), due()), (0, Some(at(60))));
        let taken_up = claim(base, 60, 10).remove(0);
        assert_eq!((taken_up.delivery.id, taken_up.delivery.attempts), (lost.delivery.id, 2));
        assert_eq!(taken_up.delivery.began_at, Some(NOW), "its three days go on");
        // Who lost it was only slow: another has it now, and what the slow one has to say is too late.
        assert_eq!(finish(base, &tea, &lost, Next::GiveUp, 61), None);
        assert_eq!(stored(base, &tea, lost.delivery.id).state, State::Pending);
        assert_eq!(finish(base, &tea, &taken_up, Next::Succeeded, 62), None);
        let done = stored(base, &tea, lost.delivery.id);
        assert_eq!((done.state, done.next_at, done.done_at), (State::Succeeded, None, Some(at(62))));
        let attempts = base.read(|tx| webhooks::attempts(tx, &tea.scope, done.id));
        assert_eq!(attempts, [attempt(&taken_up.delivery, 200)]);
        // A second word about what is done changes nothing either.
        assert_eq!(finish(base, &tea, &taken_up, Next::GiveUp, 63), None);
        assert_eq!(stored(base, &tea, done.id), done);
        assert_eq!((claim(base, 10_000, 10).len(), due()), (0, None));
    });
}

#[test]
fn no_two_claimers_get_the_same_delivery() {
    on_both(|base| {
        let tea = House::build(base, b'T');
        listen(base, &tea, 1, |_| {});
        let mut written: Vec<WebhookEventId> =
            base.write(|tx| (0..80).map(|_| announce(tx, &tea.scope, &event(PAID), NOW)).collect());
        assert_eq!(base.write(|tx| webhooks::fan_out(tx, &PLATFORM, NOW, 100)).0, 80);
        let mut claimed: Vec<WebhookEventId> = std::thread::scope(|scope| {
            let work = || {
                let mut mine = Vec::new();
                loop {
                    match claim(base, 1, 7) {
                        some if some.is_empty() => return mine,
                        some => mine.extend(events(&some)),
                    }
                }
            };
            let claimers: Vec<_> = (0..4).map(|_| scope.spawn(work)).collect();
            claimers.into_iter().flat_map(|claimer| claimer.join().expect("a claimer")).collect()
        });
        claimed.extend(events(&claim(base, 1, 100)));
        claimed.sort();
        written.sort();
        assert_eq!(claimed, written);
        assert_eq!(base.count("SELECT COUNT(*) AS n FROM webhook_deliveries WHERE attempts <> 1"), 0);
    });
}

#[test]
fn several_that_tell_at_once_tell_each_event_once_and_in_order() {
    on_both(|base| {
        let tea = House::build(base, b'T');
        listen(base, &tea, 1, |endpoint| endpoint.ordered = true);
        // The second begins before the first is committed, and yet comes after it.
        let tell = |tx: &mut saoma_store::Tx<'_>| announce(tx, &tea.scope, &event(PAID), NOW);
        let (first, second) = base.overlap(tell, || base.write(|tx| announce(tx, &tea.scope, &event(REFUNDED), NOW)));
        let fan_out = || base.write(|tx| webhooks::fan_out(tx, &PLATFORM, NOW, 1)).0;
        let told: u32 = std::thread::scope(|scope| {
            let tellers: Vec<_> = (0..3).map(|_| scope.spawn(fan_out)).collect();
            tellers.into_iter().map(|teller| teller.join().expect("a teller")).sum()
        });
        assert_eq!(told, 2);
        let job = claim(base, 0, 10).remove(0);
        assert_eq!(job.delivery.event, first.expect("the first"));
        finish(base, &tea, &job, Next::Succeeded, 1);
        assert_eq!(events(&claim(base, 1, 10)), [second]);
    });
}

#[test]
fn an_ordered_endpoint_hears_of_one_thing_at_a_time() {
    on_both(|base| {
        let tea = House::build(base, b'T');
        let ordered = listen(base, &tea, 1, |endpoint| endpoint.ordered = true);
        let written = paid(base, &tea, 3);
        let first = claim(base, 3, 10);
        assert_eq!(events(&first), written[..1], "the others wait, however many are wanted");
        finish(base, &tea, &first[0], Next::Again(at(50)), 4);
        happens(base, &tea, PAID, 49);
        assert_eq!(claim(base, 49, 10), [], "another event does not hurry it");
        let again = claim(base, 50, 10);
        assert_eq!(events(&again), written[..1]);
        finish(base, &tea, &again[0], Next::Succeeded, 51);
        let second = claim(base, 51, 10);
        assert_eq!(events(&second), written[1..2]);
        // Replayed, the first has its place before the third; the second is on its way already.
        base.write(|tx| webhooks::replay(tx, &tea.scope, first[0].delivery.id, at(52)));
        assert_eq!(claim(base, 53, 10).len(), 0);
        finish(base, &tea, &second[0], Next::Succeeded, 54);
        assert_eq!(events(&claim(base, 54, 10)), written[..1]);
        // A process that ended with one in its hands holds the others up for its lease and no longer.
        assert_eq!((claim(base, 113, 10).len(), events(&claim(base, 114, 10))), (0, vec![written[0]]));
        assert_eq!(base.read(|tx| webhooks::load(tx, &tea.scope, ordered)).last_success_at, Some(at(54)));
    });
}

#[test]
fn a_busy_endpoint_leaves_the_others_room() {
    on_both(|base| {
        let tea = House::build(base, b'T');
        let busy = listen(base, &tea, 1, |endpoint| endpoint.event_types = vec![PAID.to_owned()]);
        let idle = listen(base, &tea, 2, |endpoint| endpoint.event_types = vec![REFUNDED.to_owned()]);
        paid(base, &tea, 5);
        happens(base, &tea, REFUNDED, 5);
        let claim = |in_hand: &[(WebhookEndpointId, u32)], limit| {
            let in_hand: BTreeMap<_, _> = in_hand.iter().copied().collect();
            let jobs = base.write(|tx| {
                let wanted = Wanted { in_hand: &in_hand, per_endpoint_max: 2, limit };
                webhooks::claim_due(tx, &PLATFORM, at(6), at(66), wanted)
            });
            jobs.iter().map(|job| job.delivery.endpoint).collect::<Vec<_>>()
        };
        assert_eq!(claim(&[(busy, 1)], 4), [busy, idle], "of the oldest four it gets its share, and others are seen");
        assert_eq!(claim(&[(busy, 2), (idle, 2)], 4), []);
        assert_eq!(claim(&[(busy, 1)], 1), [busy], "the oldest first");
        assert_eq!(claim(&[], 0), []);
    });
}

#[test]
fn what_a_clock_planned_that_was_ahead_is_due() {
    on_both(|base| {
        let tea = House::build(base, b'T');
        listen(base, &tea, 1, |_| {});
        let ahead = 86_400_000;
        happens(base, &tea, PAID, ahead);
        let job = claim(base, ahead, 10).remove(0);
        assert_eq!(finish(base, &tea, &job, Next::Again(at(ahead + 5)), ahead), None);
        assert_eq!(base.read(|tx| webhooks::next_due_at(tx, &PLATFORM, NOW)), Some(NOW));
        let taken_up = claim(base, 0, 10).remove(0);
        assert_eq!((taken_up.delivery.id, taken_up.delivery.began_at), (job.delivery.id, Some(NOW)));
    });
}

#[test]
fn three_days_without_a_success_disable_an_endpoint() {
    on_both(|base| {
        let tea = House::build(base, b'T');
        let shop = listen(base, &tea, 1, |_| {});
        paid(base, &tea, 2);
        let jobs = claim(base, 2, 10);
        finish(base, &tea, &jobs[1], Next::Again(at(40)), 3);
        assert_eq!(finish(base, &tea, &jobs[0], Next::GiveUp, 4), Some(Disabled::Failing));
        let load = || base.read(|tx| webhooks::load(tx, &tea.scope, shop));
        assert_eq!(load().disabled, Some((Disabled::Failing, at(4))));
        // Nothing is sent and nothing queued, and what waits does so without being looked at.
        assert_eq!(base.read(|tx| webhooks::next_due_at(tx, &PLATFORM, NOW)), None);
        assert!(!base.read(|tx| webhooks::has_listeners(tx, &tea.scope)));
        happens(base, &tea, PAID, 5);
        assert_eq!((claim(base, 1_000, 10), base.count("SELECT COUNT(*) AS n FROM webhook_deliveries")), (vec![], 2));
        base.write(|tx| webhooks::replay(tx, &tea.scope, jobs[0].delivery.id, at(1_001)));
        assert_eq!(claim(base, 1_002, 10), [], "a replay waits too");
        base.write(|tx| webhooks::enable(tx, &tea.scope, shop, at(2_000)));
        let mut both = claim(base, 2_000, 10);
        both.sort_by_key(|job| job.delivery.sequence);
        assert_eq!(events(&both), events(&jobs));
        assert_eq!(both[1].delivery.began_at, Some(at(2_000)), "with three days before it");
        assert_eq!(load().disabled, None);
        // One success since the other's first attempt, and it is that delivery's own trouble.
        finish(base, &tea, &both[0], Next::Succeeded, 2_001);
        assert_eq!(finish(base, &tea, &both[1], Next::GiveUp, 2_002), None);
        assert_eq!((load().disabled, stored(base, &tea, both[1].delivery.id).state), (None, State::Failed));
    });
}

#[test]
fn an_ordered_endpoint_never_goes_past_what_it_could_not_be_told() {
    on_both(|base| {
        let tea = House::build(base, b'T');
        let shop = listen(base, &tea, 1, |endpoint| endpoint.ordered = true);
        let written = [happens(base, &tea, PAID, 0), happens(base, &tea, PAID, 1)];
        let first = claim(base, 1, 10).remove(0);
        assert_eq!(finish(base, &tea, &first, Next::GiveUp, 2), Some(Disabled::Failing));
        assert_eq!(claim(base, 1_000, 10), []);
        // Whoever enables it decides: told again first, or left out.
        base.write(|tx| {
            webhooks::replay(tx, &tea.scope, first.delivery.id, at(1_000))?;
            webhooks::enable(tx, &tea.scope, shop, at(1_000))
        });
        assert_eq!(events(&claim(base, 1_000, 10)), written[..1]);
    });
}

#[test]
fn a_receiver_that_is_gone_gets_nothing_more() {
    on_both(|base| {
        let tea = House::build(base, b'T');
        let shop = listen(base, &tea, 1, |_| {});
        paid(base, &tea, 2);
        let jobs = claim(base, 2, 10);
        finish(base, &tea, &jobs[0], Next::Succeeded, 2);
        assert_eq!(finish(base, &tea, &jobs[1], Next::Gone, 3), Some(Disabled::Gone), "whatever succeeded before");
        // What was in somebody's hands meanwhile is written down, and disables nothing twice.
        base.write(|tx| webhooks::disable(tx, &tea.scope, shop, Disabled::ByPerson, at(4)));
        assert_eq!(base.read(|tx| webhooks::load(tx, &tea.scope, shop)).disabled, Some((Disabled::Gone, at(3))));
    });
}

#[test]
fn a_time_range_is_replayed() {
    on_both(|base| {
        let (tea, milk) = (House::build(base, b'T'), House::build(base, b'M'));
        let (shop, theirs) = (listen(base, &tea, 1, |_| {}), listen(base, &milk, 2, |_| {}));
        let written: Vec<_> = (0..5).map(|ms| happens(base, &tea, PAID, ms * 10)).collect();
        happens(base, &milk, PAID, 20);
        for job in claim(base, 50, 10) {
            let (house, fails) =
                if job.scope == tea.scope { (&tea, job.delivery.event == written[2]) } else { (&milk, true) };
            finish(base, house, &job, if fails { Next::GiveUp } else { Next::Succeeded }, 51);
        }
        let replay = |from: i64, to: i64, failed_only, max| {
            base.try_write(|tx| {
                webhooks::replay_range(tx, &tea.scope, shop, (at(from), at(to)), failed_only, max, at(60))
            })
        };
        assert!(matches!(replay(0, 100, false, 4), Err(StoreError::Limit { max: 4, .. })));
        assert_eq!(claim(base, 60, 10), [], "too many is none");
        assert!(matches!(replay(0, 20, true, 10), Ok(0)));
        assert!(matches!(replay(10, 30, true, 10), Ok(1)));
        assert_eq!(events(&claim(base, 60, 10)), written[2..3]);
        assert!(matches!(replay(10, 30, false, 10), Ok(1)), "the one under way is not begun twice");
        let again = claim(base, 60, 10);
        assert_eq!(events(&again), written[1..2]);
        assert_eq!((again[0].delivery.attempts, again[0].delivery.began_at), (2, Some(at(60))));
        let foreign =
            base.try_write(|tx| webhooks::replay_range(tx, &tea.scope, theirs, (NOW, at(100)), false, 10, at(60)));
        assert!(matches!(foreign, Err(StoreError::NotFound { .. })), "{foreign:?}");
    });
}

#[test]
fn a_list_goes_back_page_by_page() {
    on_both(|base| {
        let tea = House::build(base, b'T');
        let shop = listen(base, &tea, 1, |_| {});
        let written = paid(base, &tea, 4);
        finish(base, &tea, &claim(base, 4, 1)[0], Next::Succeeded, 5);
        let list = |state, before: Option<Sequence>, limit| {
            base.read(|tx| webhooks::list_deliveries(tx, &tea.scope, shop, Filter { state, before }, limit))
        };
        let of = |page: &[Delivery]| page.iter().map(|delivery| delivery.event).collect::<Vec<_>>();
        let page = list(None, None, 2);
        assert_eq!(of(&page), [written[3], written[2]]);
        assert_eq!(of(&list(None, Some(page[1].sequence), 10)), [written[1], written[0]]);
        assert_eq!(of(&list(Some(State::Succeeded), None, 10)), written[..1]);
        assert_eq!(of(&list(Some(State::Pending), None, 10)).len(), 3);
    });
}

#[test]
fn a_new_secret_keeps_the_old_one_for_a_while() {
    on_both(|base| {
        let tea = House::build(base, b'T');
        let shop = listen(base, &tea, 1, |_| {});
        let secrets = || base.read(|tx| webhooks::secrets(tx, &tea.scope, shop));
        assert_eq!((secrets().current, secrets().previous), (Opaque(vec![1]), None));
        base.write(|tx| webhooks::add_secret(tx, &tea.scope, shop, &Opaque(vec![2]), at(100), at(1)));
        assert_eq!((secrets().current, secrets().previous), (Opaque(vec![2]), Some((Opaque(vec![1]), at(100)))));
        assert_eq!(base.read(|tx| webhooks::load(tx, &tea.scope, shop)).previous_until, Some(at(100)));
    });
}

#[test]
fn there_are_at_most_so_many_endpoints() {
    on_both(|base| {
        let (tea, milk) = (House::build(base, b'T'), House::build(base, b'M'));
        let create = |house: &House, number| {
            base.try_write(|tx| webhooks::create(tx, &house.scope, &endpoint(house, number), &Opaque(vec![1]), 1))
        };
        create(&tea, 1).expect("the first");
        assert!(matches!(create(&tea, 2), Err(StoreError::Limit { max: 1, .. })));
        create(&milk, 1).expect("each merchant its own");
    });
}

#[test]
fn with_an_endpoint_all_of_it_ends() {
    on_both(|base| {
        let tea = House::build(base, b'T');
        let (shop, other) = (listen(base, &tea, 1, |_| {}), listen(base, &tea, 2, |_| {}));
        paid(base, &tea, 2);
        let jobs = claim(base, 2, 10);
        for job in &jobs[1..] {
            finish(base, &tea, job, Next::Succeeded, 3);
        }
        base.write(|tx| webhooks::delete(tx, &tea.scope, shop));
        let slow = jobs.iter().find(|job| job.delivery.endpoint == shop).expect("one of them");
        assert_eq!(finish(base, &tea, slow, Next::GiveUp, 4), None, "who is still sending is told nothing went wrong");
        let left = base.read(|tx| webhooks::list(tx, &tea.scope));
        assert_eq!(left.iter().map(|endpoint| endpoint.id).collect::<Vec<_>>(), [other]);
        let of = format!("SELECT COUNT(*) AS n FROM webhook_deliveries WHERE endpoint_id <> '{other}'");
        assert_eq!(base.count(&of), 0);
        let orphans = "SELECT COUNT(*) AS n FROM webhook_attempts WHERE delivery_id NOT IN \
                       (SELECT id FROM webhook_deliveries)";
        assert_eq!(base.count(orphans), 0);
        let again = base.try_write(|tx| webhooks::delete(tx, &tea.scope, shop));
        assert!(matches!(again, Err(StoreError::NotFound { .. })), "{again:?}");
    });
}

#[test]
fn only_what_was_done_long_ago_is_forgotten() {
    on_both(|base| {
        let tea = House::build(base, b'T');
        listen(base, &tea, 1, |_| {});
        paid(base, &tea, 3);
        for (job, done_at) in claim(base, 3, 10).iter().zip([10, 20]) {
            finish(base, &tea, job, Next::Succeeded, done_at);
        }
        assert_eq!(base.write(|tx| webhooks::prune(tx, &PLATFORM, at(10))), 0);
        assert_eq!(base.write(|tx| webhooks::prune(tx, &PLATFORM, at(20))), 1);
        assert_eq!(base.count("SELECT COUNT(*) AS n FROM webhook_attempts"), 1);
        assert_eq!(base.write(|tx| webhooks::prune(tx, &PLATFORM, Millis(i64::MAX))), 1);
        assert_eq!(base.count("SELECT COUNT(*) AS n FROM webhook_deliveries"), 1, "what is open stays");
    });
}
