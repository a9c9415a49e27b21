//! Those that have something ready, in the order of their turns.

use std::{
    collections::{BTreeMap, HashMap},
    time::Instant,
};

/// By when it has paid, or since when it waits if that is later; and who came first.
pub(super) type Place = (Instant, u64);

/// Who that is, as long as it is in line.
pub(super) type Id = usize;

/// Finding one, and moving one, takes the logarithm of how many they are: it is done under the lock of all turns.
pub(super) struct Line<V> {
    ready: BTreeMap<Place, V>,
    places: HashMap<Id, Place>,
}

impl<V> Line<V> {
    pub(super) fn new() -> Self {
        Self { ready: BTreeMap::new(), places: HashMap::new() }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.ready.is_empty()
    }

    /// What it has; if it is not in line yet, it gets there at that place. No two may have the same.
    pub(super) fn entry(&mut self, who: Id, place: Place, fresh: impl FnOnce() -> V) -> &mut V {
        let place = *self.places.entry(who).or_insert(place);
        self.ready.entry(place).or_insert_with(fresh)
    }

    pub(super) fn get_mut(&mut self, who: Id) -> Option<&mut V> {
        self.ready.get_mut(self.places.get(&who)?)
    }

    pub(super) fn first_key_value(&self) -> Option<(&Place, &V)> {
        self.ready.first_key_value()
    }

    /// Lets those go ahead, if it is in line, that have paid before `until`.
    pub(super) fn put_off(&mut self, who: Id, until: Instant) {
        let Some(place) = self.places.get_mut(&who) else { return };
        if until > place.0
            && let Some(value) = self.ready.remove(place)
        {
            place.0 = until;
            self.ready.insert(*place, value);
        }
    }

    pub(super) fn remove(&mut self, who: Id) {
        if let Some(place) = self.places.remove(&who) {
            self.ready.remove(&place);
        }
    }

    pub(super) fn into_values(self) -> impl Iterator<Item = V> {
        self.ready.into_values()
    }
}
