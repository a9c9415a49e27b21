//! Stories with a plan of their own, to which a seed would rarely come.

use saoma_domain::payment::State;
use saoma_protocol::Sequence;
use saoma_store::payments;

use super::*;
use crate::sim::{
    plan::{Customer, Tendered},
    template::keep_terminals,
    wires::BEGIN,
};

/// A dead battery: the machine is in 1970, and core was heard since it was switched on. The journal comes in a minute after the sale.
#[test]
fn cash_of_a_machine_in_1970_is_booked_at_its_moment() {
    const SOLD_MS: i64 = 60_000;
    let actions = [
        (0, Action::SetClock { who: 1, by_ms: -BEGIN }),
        (40_000, Action::Cut { terminal: 0, for_ms: 80_000 }),
        (SOLD_MS, Action::Sell { sale: 0, terminal: 0, tender: Tendered::Cash, minor: 1_250, twice: false }),
    ];
    let plan = Plan {
        nodes: 1,
        terminals: 1,
        keeps_late: false,
        // Core's list tells the time.
        alone: true,
        customers: vec![Customer { says: Says::Yes, pays_after_ms: 0 }],
        actions: actions.map(|(at_ms, action)| Planned { at_ms, action }).into(),
    };
    let template = Template::make().unwrap();
    let room = template.room().unwrap();
    let wires = Wires::new(0, 2, Mishaps { over: true, ..Mishaps::default() }, false);
    let (store, journals) = template.lay(room.path(), true).unwrap();
    keep_terminals(&store, template.scope, 1).unwrap();
    let mut world = World::new(&template, wires, store, &journals, plan, None);
    world.begin().unwrap();
    world.run().unwrap();
    assert_eq!(world.broken.first().map(ToString::to_string), None);

    let terminal = &mut world.terminals[0];
    let payment = *terminal.cash.first().unwrap();
    let entries = terminal.run.as_mut().unwrap().journal.entries_after(Sequence(0)).unwrap();
    assert!(entries[0].at.0 < 2 * SOLD_MS, "the machine's own word stays in the entry: {:?}", entries[0]);
    let sale = world.store.read_blocking(|tx| payments::load_sale(tx, &template.scope, payment)).unwrap();
    let State::Captured(capture) = &sale.payment.payment.state else { panic!("{sale:?}") };
    // To the seconds in which core's answer about the time may have come.
    assert!((capture.at.0 - BEGIN - SOLD_MS).abs() <= 5_000, "{capture:?}");
}
