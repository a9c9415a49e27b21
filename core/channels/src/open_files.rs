//! How many connections this process may hold: a waiting call holds one to its scheme, and whoever waits for the call another.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Connections and files beside those of calls: the database's, terminals', webhooks', logs.
const OTHERS: u64 = 1_024;

/// Raises the process's limit on open files as far as it may. Most systems start programs with 1,024 and let them have many more, for the sake of old ones that could not count further.
///
/// # Errors
/// There are fewer than so many calls want.
pub fn make_room_for_connections(calls_max: u32) -> Result<(), TooFewFiles> {
    let limit = getrlimit(Resource::Nofile);
    // Where even that is refused, there is what there was.
    let _ = setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, maximum: limit.maximum });
    let wanted = u64::from(calls_max) * 2 + OTHERS;
    match getrlimit(Resource::Nofile).current {
        Some(current) if current < wanted => Err(TooFewFiles { current, wanted }),
        _ => Ok(()),
    }
}

/// Calls that find no connection fail as not sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "the process may open {current} files, and so many calls at once want {wanted}: raise the limit (`LimitNOFILE=` of its systemd unit, \
     `ulimit -Hn` in a shell)"
)]
pub struct TooFewFiles {
    pub current: u64,
    pub wanted: u64,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn room_is_made_as_far_as_there_is_any() {
        let most = getrlimit(Resource::Nofile).maximum;
        assert_eq!(make_room_for_connections(0).is_ok(), most.is_none_or(|most| most >= OTHERS));
        assert_eq!(getrlimit(Resource::Nofile).current, most);
        let told = make_room_for_connections(u32::MAX);
        assert_eq!(told.is_err(), most.is_some_and(|most| most < 2 * u64::from(u32::MAX)), "{told:?}");
    }
}
