// SPDX-License-Identifier: GPL-2.0

//! Counts, durations and bytes, as people write and read them.

use std::time::Duration;

/// Suffixes of counts and units of bytes; each is 1024 times the one before.
const PREFIXES: [char; 4] = ['k', 'M', 'G', 'T'];

/// A number, with a suffix or without.
pub fn count(text: &str) -> Result<u32, String> {
    let prefix = PREFIXES
        .iter()
        .position(|prefix| text.ends_with([*prefix, prefix.to_ascii_uppercase()]));
    let (digits, power) = match prefix {
        Some(position) => (&text[..text.len() - 1], position + 1),
        None => (text, 0),
    };
    let number = digits
        .parse::<u32>()
        .map_err(|_| format!("`{text}` is not a number such as 65536, 64k or 4M"))?;
    let value = u64::from(number) << (10 * power);
    u32::try_from(value).map_err(|_| format!("`{text}` is more than {}", u32::MAX))
}

/// A number of buckets, 0 when it is left to the kernel.
pub fn buckets(text: &str) -> Result<u32, String> {
    if text == "auto" { Ok(0) } else { count(text) }
}

/// A duration in seconds; a number without a unit is seconds, too.
pub fn seconds(text: &str) -> Result<u32, String> {
    let wrong = || format!("`{text}` is not a duration such as 30, 30s, 5m, 2h or 1d");
    if let Ok(seconds) = text.parse() {
        return Ok(seconds);
    }
    let duration = humantime::parse_duration(text).map_err(|_| wrong())?;
    match u32::try_from(duration.as_secs()) {
        Ok(seconds) if duration.subsec_nanos() == 0 => Ok(seconds),
        Ok(_) => Err(format!("`{text}` is not a whole number of seconds")),
        Err(_) => Err(wrong()),
    }
}

/// The same as a span of time.
pub fn duration(text: &str) -> Result<Duration, String> {
    seconds(text).map(|seconds| Duration::from_secs(seconds.into()))
}

/// Bytes in the largest unit of which there is at least one, with three digits.
pub fn bytes(bytes: u64) -> String {
    let mut value = bytes as f64;
    let mut unit = String::from("B");
    for prefix in PREFIXES.map(|prefix| prefix.to_ascii_uppercase()) {
        if value < 1024.0 {
            break;
        }
        value /= 1024.0;
        unit = format!("{prefix}iB");
    }
    let digits = match value {
        _ if bytes < 1024 => 0,
        ..10.0 => 2,
        ..100.0 => 1,
        _ => 0,
    };
    format!("{value:.digits$} {unit}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_go_by_1024() {
        assert_eq!(count("65536"), Ok(65536));
        assert_eq!((count("64k"), count("64K")), (Ok(65536), Ok(65536)));
        assert_eq!((count("4M"), count("1G")), (Ok(4 << 20), Ok(1 << 30)));
        assert_eq!((buckets("auto"), buckets("1k")), (Ok(0), Ok(1024)));
        for wrong in ["", "k", "4MM", "-1", "1.5M", "4 M", "1µ"] {
            assert!(count(wrong).unwrap_err().contains("64k or 4M"), "{wrong}");
        }
        for large in ["4G", "1T", "4194304k"] {
            assert!(count(large).unwrap_err().contains("more than"), "{large}");
        }
    }

    #[test]
    fn durations_are_whole_seconds() {
        for (text, expected) in [("30", 30), ("30s", 30), ("5m", 300), ("2h", 7200)] {
            assert_eq!(seconds(text), Ok(expected));
        }
        assert_eq!(seconds("1d"), Ok(86400));
        assert_eq!(seconds("2h 4m"), Ok(7440));
        assert_eq!(duration("1m"), Ok(Duration::from_secs(60)));
        assert!(seconds("1500ms").unwrap_err().contains("whole"));
        for wrong in ["", "s", "5 parsecs", "-3", "9999999999", "200000000m"] {
            assert!(seconds(wrong).unwrap_err().contains("5m, 2h"), "{wrong}");
        }
    }

    #[test]
    fn bytes_have_three_digits() {
        assert_eq!((bytes(0), bytes(1023)), ("0 B".into(), "1023 B".into()));
        assert_eq!(
            (bytes(1024), bytes(1536)),
            ("1.00 KiB".into(), "1.50 KiB".into())
        );
        assert_eq!(bytes(50 << 20), "50.0 MiB");
        assert_eq!(
            (bytes(512 << 20), bytes(3 << 40)),
            ("512 MiB".into(), "3.00 TiB".into())
        );
    }
}
