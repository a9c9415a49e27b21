//! What a plugin keeps for one channel account.

use saoma_store::{
    StoreError, channel_accounts,
    plugin_kv::{self, KEY_LEN_MAX, KEYS_MAX, VALUE_LEN_MAX},
};

use crate::{
    base::{Base, on_both},
    house::{House, NOW, account},
};

fn set(base: &Base, house: &House, key: &str, value: &[u8]) -> Result<(), StoreError> {
    base.try_write(|tx| plugin_kv::set(tx, &house.scope, house.account, key, value, NOW))
}

fn get(base: &Base, house: &House, key: &str) -> Option<Vec<u8>> {
    base.read(|tx| plugin_kv::get(tx, &house.scope, house.account, key))
}

#[test]
fn what_is_set_is_there_until_it_is_deleted() {
    on_both(|base| {
        let tea = House::build(base, b'T');
        assert_eq!(get(base, &tea, "token"), None);
        assert_eq!(set(base, &tea, "token", &[0, 255, 10]), Ok(()));
        assert_eq!(get(base, &tea, "token"), Some(vec![0, 255, 10]));
        assert_eq!(get(base, &tea, "TOKEN"), None);
        assert_eq!(set(base, &tea, "token", b""), Ok(()));
        assert_eq!(get(base, &tea, "token"), Some(Vec::new()));
        // Each account has its own.
        let second = account(b'T', 2);
        base.write(|tx| channel_accounts::create(tx, &tea.scope, &second));
        assert_eq!(base.read(|tx| plugin_kv::get(tx, &tea.scope, second.id, "token")), None);
        base.write(|tx| plugin_kv::delete(tx, &tea.scope, second.id, "token"));
        assert_eq!(get(base, &tea, "token"), Some(Vec::new()));
        for _ in 0..2 {
            base.write(|tx| plugin_kv::delete(tx, &tea.scope, tea.account, "token"));
            assert_eq!(get(base, &tea, "token"), None);
        }
        let nobody = base.try_write(|tx| plugin_kv::set(tx, &tea.scope, account(b'T', 9).id, "token", b"1", NOW));
        assert_eq!(nobody, Err(StoreError::NotFound { what: "the channel account" }));
    });
}

#[test]
fn keys_and_values_have_limits() {
    on_both(|base| {
        let tea = House::build(base, b'T');
        let (key, value) = ("k".repeat(KEY_LEN_MAX), vec![7; VALUE_LEN_MAX]);
        assert_eq!(set(base, &tea, &key, &value), Ok(()));
        assert_eq!(get(base, &tea, &key), Some(value));
        let long_key = set(base, &tea, &"k".repeat(KEY_LEN_MAX + 1), b"");
        assert_eq!(long_key, Err(StoreError::Limit { what: "a key", max: 128 }));
        let long_value = set(base, &tea, "k", &vec![7; VALUE_LEN_MAX + 1]);
        assert_eq!(long_value, Err(StoreError::Limit { what: "a value", max: 4_096 }));
        base.write(|tx| {
            (1..KEYS_MAX)
                .try_for_each(|number| plugin_kv::set(tx, &tea.scope, tea.account, &number.to_string(), b"", NOW))
        });
        assert_eq!(set(base, &tea, "one more", b""), Err(StoreError::Limit { what: "keys", max: 1_000 }));
        assert_eq!(set(base, &tea, "1", b"changed"), Ok(()), "a key that is there may change");
        base.write(|tx| plugin_kv::delete(tx, &tea.scope, tea.account, "1"));
        assert_eq!(set(base, &tea, "one more", b""), Ok(()));
    });
}

#[test]
fn many_that_set_one_new_key_at_once_all_do() {
    on_both(|base| {
        let tea = House::build(base, b'T');
        for round in 0..8 {
            let key = format!("token {round}");
            let results: Vec<Result<(), StoreError>> = std::thread::scope(|scope| {
                let starts: Vec<_> = (0..5)
                    .map(|value: u8| {
                        scope.spawn({
                            let key = &key;
                            move || set(base, &tea, key, &[value])
                        })
                    })
                    .collect();
                starts.into_iter().map(|start| start.join().expect("a set")).collect()
            });
            assert_eq!(results, vec![Ok(()); 5]);
        }
    });
}

/// What two would both take for the next number, if they both read before either writes.
#[test]
fn many_that_count_on_at_once_get_numbers_of_their_own() {
    on_both(|base| {
        let tea = House::build(base, b'T');
        let count = |_: u8| {
            base.write(|tx| {
                plugin_kv::replace(tx, &tea.scope, tea.account, "trace", NOW, |value| {
                    let next = value.map_or(0, |value| value[0]) + 1;
                    Some((next, vec![next]))
                })
            })
        };
        let mut numbers: Vec<u8> = std::thread::scope(|scope| {
            let threads: Vec<_> =
                (0..6).map(|_| scope.spawn(|| (0..5).filter_map(count).collect::<Vec<u8>>())).collect();
            threads.into_iter().flat_map(|thread| thread.join().expect("numbers")).collect()
        });
        numbers.sort_unstable();
        assert_eq!(numbers, (1..=30).collect::<Vec<u8>>());
        let milk = House::build(base, b'M');
        let foreign = base.try_write(|tx| {
            plugin_kv::replace(tx, &milk.scope, tea.account, "trace", NOW, |value| Some((value.is_some(), vec![0])))
        });
        assert_eq!(foreign, Err(StoreError::NotFound { what: "the channel account" }));
        let untouched =
            base.write(|tx| plugin_kv::replace(tx, &tea.scope, tea.account, "trace", NOW, |_| None::<((), Vec<u8>)>));
        assert_eq!((untouched, get(base, &tea, "trace")), (None, Some(vec![30])));
    });
}

#[test]
fn many_at_once_do_not_pass_the_limit() {
    on_both(|base| {
        let tea = House::build(base, b'T');
        base.write(|tx| {
            (3..=KEYS_MAX)
                .try_for_each(|number| plugin_kv::set(tx, &tea.scope, tea.account, &number.to_string(), b"", NOW))
        });
        let results: Vec<Result<(), StoreError>> = std::thread::scope(|scope| {
            let starts: Vec<_> =
                (0..6).map(|key: u8| scope.spawn(move || set(base, &tea, &format!("new {key}"), b""))).collect();
            starts.into_iter().map(|start| start.join().expect("a set")).collect()
        });
        assert_eq!(results.iter().filter(|result| result.is_ok()).count(), 2, "{results:?}");
        assert_eq!(base.count("SELECT COUNT(*) AS n FROM plugin_kv"), 1_000);
    });
}
