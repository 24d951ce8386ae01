// SPDX-License-Identifier: GPL-2.0

//! Tuples that somebody has chosen so that they collide.

use crate::model::{random, World};
use crate::nat::addr::{Be16, Be32, V4};
use crate::nat::hash::{Hashed, Key};
use crate::nat::tuple::{Endpoint, Tuple, UDP};
use crate::table::hash::{Progress, Table};
use crate::table::single::{self, Single};

type Tuples = Table<Single<Tuple<V4>>>;

/// Buckets, and tuples for them.
const BUCKETS: usize = 1024;
/// With a load of 1, the chance of a longer chain in any bucket is below 10^-6.
const CHANCE: u32 = 12;

/// One after another: what somebody can choose who sends from any address and port.
fn tuples() -> impl Iterator<Item = Tuple<V4>> {
    (0u32..).map(|number| {
        let end = |addr: u32, port: u16| Endpoint {
            addr: V4(Be32::from_host(addr)),
            port: Be16::from_host(port),
        };
        let port = (number % 50000) as u16 + 1024;
        Tuple::new(
            UDP,
            end(0x0a00_0000 + number / 50000, port),
            end(0xc000_0201, 53),
        )
    })
}

/// As many as there are buckets, all for the same one.
fn colliding(hash: impl Fn(&Tuple<V4>) -> u64) -> Vec<Tuple<V4>> {
    let same = |tuple: &Tuple<V4>| hash(tuple) as usize % BUCKETS == 7;
    tuples().filter(same).take(BUCKETS).collect()
}

/// Jenkins' one-at-a-time hash of the words of a tuple: no key.
fn jenkins(tuple: &Tuple<V4>) -> u64 {
    let words = tuple.words();
    let bytes = words.iter().flat_map(|word| word.to_le_bytes());
    let hash = bytes.fold(0u32, |hash, byte| {
        let sum = hash.wrapping_add(u32::from(byte));
        let sum = sum.wrapping_add(sum << 10);
        sum ^ (sum >> 6)
    });
    let sum = hash.wrapping_add(hash << 3);
    let sum = sum ^ (sum >> 11);
    u64::from(sum.wrapping_add(sum << 15))
}

fn fill(table: &Tuples, tuples: &[Tuple<V4>]) -> u32 {
    tuples
        .iter()
        .for_each(|tuple| single::insert(table, *tuple));
    table.shape().longest
}

fn clear(table: &Tuples, tuples: &[Tuple<V4>]) {
    for tuple in tuples {
        assert!(single::remove(table, *tuple));
    }
}

/// Whoever knows the hash but not the key gains nothing.
#[test]
fn tuples_that_collide_without_the_key_do_not_collide() {
    let _world = World::begin(0);
    let guesses = [0, 1].map(|_| Key(random::next(), random::next()));
    let guessed = |key: Key| colliding(move |tuple| tuple.hash(&key));
    for tuples in guesses.map(guessed).into_iter().chain([colliding(jenkins)]) {
        let table = Tuples::new(BUCKETS, 0).expect("memory");
        let longest = fill(&table, &tuples);
        assert!(longest <= CHANCE, "a chain of {longest}");
        clear(&table, &tuples);
    }
}

/// Whoever has found out the key, by whatever means, loses it all when there is a new one.
#[test]
fn a_new_key_spreads_what_collided() {
    let _world = World::begin(0);
    random::seed(1);
    let stolen = Key(random::next(), random::next());
    random::seed(1);
    let table = Tuples::new(BUCKETS, 0).expect("memory");
    let tuples = colliding(|tuple| tuple.hash(&stolen));
    assert_eq!(fill(&table, &tuples), BUCKETS as u32);

    table.want(table.prepare(BUCKETS).expect("memory"));
    while table.resize(100) != Progress::Done {}
    let shape = table.shape();
    assert_eq!(table.len(), BUCKETS);
    assert!(shape.longest <= CHANCE, "a chain of {}", shape.longest);
    assert!(tuples.iter().all(|tuple| single::has(&table, *tuple)));
    clear(&table, &tuples);
}
