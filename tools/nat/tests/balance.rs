// SPDX-License-Identifier: GPL-2.0

//! Servers, and who goes to which.

use fastnat_nat::nat::addr::V4;
use fastnat_nat::nat::balance::*;
use fastnat_nat::nat::hash::Key;
use fastnat_nat::nat::ports::PortRange;
use proptest::prelude::*;

mod common;
use common::v4;

fn servers(weights: &[u16]) -> Vec<Server<V4>> {
    let server = |(number, weight): (u32, &u16)| Server {
        addr: v4(0x0a00_0001 + number),
        ports: None,
        weight: *weight,
    };
    (0..).zip(weights).map(server).collect()
}

/// The same on one host, on ports that follow one another.
fn on_ports(weights: &[u16]) -> Vec<Server<V4>> {
    let on_port = |(port, server)| Server {
        addr: v4(0x0a00_0001),
        ports: PortRange::new(port, port),
        ..server
    };
    (8000..).zip(servers(weights)).map(on_port).collect()
}

fn place<'a>(servers: &'a [Server<V4>], chosen: Option<&'a Server<V4>>) -> usize {
    let chosen = chosen.expect("one of them");
    let place = servers.iter().position(|server| server.is_same(chosen));
    place.expect("one of the list")
}

/// How many of `draws` come to each server.
fn counts(servers: &[Server<V4>], draws: impl Iterator<Item = usize>) -> Vec<u64> {
    let mut counts = vec![0; servers.len()];
    for place in draws {
        counts[place] += 1;
    }
    counts
}

/// Is each count within six standard deviations of what its weight promises?
fn fair(servers: &[Server<V4>], counts: &[u64]) -> Result<(), TestCaseError> {
    let total: f64 = servers.iter().map(|server| f64::from(server.weight)).sum();
    let draws = counts.iter().sum::<u64>() as f64;
    for (server, count) in servers.iter().zip(counts) {
        let share = f64::from(server.weight) / total;
        let (mean, variance) = (draws * share, draws * share * (1.0 - share));
        let off = (*count as f64 - mean).abs();
        prop_assert!(
            off <= 6.0 * variance.sqrt() + 1.0,
            "{} came to a server of weight {} of {total}, not {mean}",
            count,
            server.weight
        );
    }
    Ok(())
}

fn clients(base: u32, step: u32, count: u32) -> impl Iterator<Item = V4> {
    (0..count).map(move |number| v4(base.wrapping_add(number.wrapping_mul(step))))
}

#[test]
fn nobody_is_chosen_of_nobody() {
    assert_eq!(of_client(&[], &Key(1, 2), v4(3)), None);
    assert_eq!(at_random::<V4>(&[], 3), None);
    let one = servers(&[7]);
    assert_eq!(of_client(&one, &Key(1, 2), v4(3)), one.first());
    assert_eq!(at_random(&one, u32::MAX), one.first());
}

#[test]
fn random_numbers_are_divided_by_weight() {
    let servers = servers(&[1, 2, 1]);
    let at = |random| place(&servers, at_random(&servers, random));
    let quarter = 1 << 30;
    let last = |parts: u32| (quarter - 1) + quarter * (parts - 1);
    assert_eq!((at(0), at(last(1))), (0, 0));
    assert_eq!((at(quarter), at(last(3))), (1, 1));
    assert_eq!((at(3 * quarter), at(u32::MAX)), (2, 2));
}

#[test]
fn a_light_server_is_found_beside_a_heavy_one() {
    let servers = servers(&[u16::MAX, 32]);
    let key = Key(0x9e37_79b9_7f4a_7c15, 0xd1b5_4a32_d192_ed03);
    let chosen =
        clients(0, 1, 1 << 20).map(|client| place(&servers, of_client(&servers, &key, client)));
    let light = counts(&servers, chosen)[1];
    // 512 on average.
    assert!((380..650).contains(&light), "{light}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(common::cases(32)))]

    /// Clients that follow one another at any distance are spread by the weights.
    #[test]
    fn clients_are_spread(
        weights in prop::collection::vec(1u16..200, 1..65), k0: u64, k1: u64, base: u32, shift in 0u32..16,
        ports: bool
    ) {
        let key = Key(k0, k1);
        let servers = if ports { on_ports(&weights) } else { servers(&weights) };
        let chosen = clients(base, 1 << shift, 1 << 12)
            .map(|client| place(&servers, of_client(&servers, &key, client)));
        fair(&servers, &counts(&servers, chosen))?;
    }

    #[test]
    fn random_choice_follows_the_weights(weights in prop::collection::vec(1u16.., 1..65)) {
        let servers = servers(&weights);
        // Evenly over all numbers: no luck is needed.
        let chosen = (0..1u32 << 12).map(|number| place(&servers, at_random(&servers, number << 20)));
        fair(&servers, &counts(&servers, chosen))?;
    }

    /// A server that goes leaves its clients to others, and all other clients stay where they are; so
    /// the other way round for one that comes. The order of the list does not matter.
    #[test]
    fn only_those_who_must_move(
        weights in prop::collection::vec(1u16..50, 2..20), gone: prop::sample::Index, k0: u64, k1: u64, base: u32
    ) {
        let (all, key) = (servers(&weights), Key(k0, k1));
        let gone = all[gone.index(all.len())];
        let rest: Vec<_> = all.iter().rev().filter(|server| !server.is_same(&gone)).copied().collect();
        for client in clients(base, 1, 500) {
            let before = *of_client(&all, &key, client).expect("one");
            let after = *of_client(&rest, &key, client).expect("one");
            prop_assert!(before == gone || before == after);
            prop_assert_eq!(of_client(&all, &key, client), Some(&before));
        }
    }

    /// Who knows nothing of the key knows nothing of the choice.
    #[test]
    fn another_key_spreads_otherwise(k0: u64, k1: u64, l0: u64, l1: u64, base: u32, ports: bool) {
        let servers = if ports { on_ports(&[1, 1]) } else { servers(&[1, 1]) };
        let at = |key, client| place(&servers, of_client(&servers, &key, client));
        let same = clients(base, 1, 2000)
            .filter(|client| at(Key(k0, k1), *client) == at(Key(l0, l1), *client))
            .count();
        prop_assert!((800..1200).contains(&same), "{}", same);
    }
}
