// SPDX-License-Identifier: GPL-2.0

//! Names of groups of interfaces, as `ip link set dev IF group NAME` knows them.

use std::fs;
use std::sync::OnceLock;

/// Where they stand: the first of these files that is there has all of them.
pub const FILES: [&str; 2] = ["/etc/iproute2/group", "/usr/share/iproute2/group"];

/// A group and its name.
type Named = (u32, String);

/// The number of a group.
pub fn number(name: &str) -> Option<u32> {
    let found = all().iter().find(|(_, other)| other == name);
    found.map(|(number, _)| *number)
}

/// The name of a group, or its number if it has none.
pub fn describe(group: u32) -> String {
    let found = all().iter().find(|(number, _)| *number == group);
    found.map_or_else(|| group.to_string(), |(_, name)| name.clone())
}

fn all() -> &'static [Named] {
    static ALL: OnceLock<Vec<Named>> = OnceLock::new();
    ALL.get_or_init(|| {
        let text = FILES.iter().find_map(|file| fs::read_to_string(file).ok());
        parse(&text.unwrap_or_default())
    })
}

/// Lines of a number, decimal or hexadecimal with 0x, and a name. What begins with a `#` is a
/// comment. Group 0 is `default` whatever the file says.
fn parse(text: &str) -> Vec<Named> {
    let line = |line: &str| {
        let mut words = line.split_whitespace();
        let number = words.next()?;
        let number = match number.strip_prefix("0x") {
            Some(digits) => u32::from_str_radix(digits, 16),
            None => number.parse(),
        };
        let name = words.next().filter(|name| !name.starts_with('#'))?;
        Some((number.ok()?, name.to_owned()))
    };
    let default = (0, "default".to_owned());
    let named = text.lines().filter_map(line);
    std::iter::once(default).chain(named).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_of_the_file() {
        let text = "# ids\n0\tdefault\n10 lan # here\n\n 0x20 wan\n7 # none\nx y\n30\n";
        let named = parse(text);
        let named: Vec<_> = named.iter().map(|(n, name)| (*n, name.as_str())).collect();
        assert_eq!(
            named,
            [(0, "default"), (0, "default"), (10, "lan"), (32, "wan")]
        );
        assert_eq!(parse("").len(), 1);
    }

    #[test]
    fn the_default_group_has_a_name_everywhere() {
        assert_eq!(number("default"), Some(0));
        assert_eq!(describe(0), "default");
        assert_eq!(describe(u32::MAX), u32::MAX.to_string());
        assert_eq!(number("no such group"), None);
    }
}
