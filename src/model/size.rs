//! Sizes, times and shares, with their units in the type.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

/// A number of bytes, written `512MiB`, `1GiB` or plainly `4096`. Binary units only.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ByteCount(u64);

impl ByteCount {
    /// So many bytes.
    pub const fn new(bytes: u64) -> Self {
        Self(bytes)
    }

    /// So many bytes.
    pub const fn bytes(self) -> u64 {
        self.0
    }
}

const BYTE_UNITS: [(&str, u64); 5] = [
    ("TiB", 1 << 40),
    ("GiB", 1 << 30),
    ("MiB", 1 << 20),
    ("KiB", 1 << 10),
    ("B", 1),
];

impl FromStr for ByteCount {
    type Err = SizeError;

    fn from_str(text: &str) -> Result<Self, SizeError> {
        let (number, unit) = split(text);
        let factor = match BYTE_UNITS.iter().find(|(name, _)| *name == unit) {
            Some((_, factor)) => *factor,
            None if unit.is_empty() => 1,
            None => return Err(SizeError::Bytes { text: text.to_owned() }),
        };
        let number: u64 = number.parse().map_err(|_| SizeError::Bytes { text: text.to_owned() })?;
        number
            .checked_mul(factor)
            .map(Self)
            .ok_or_else(|| SizeError::TooLarge { text: text.to_owned() })
    }
}

impl fmt::Display for ByteCount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match BYTE_UNITS
            .iter()
            .find(|(_, factor)| self.0 >= *factor && self.0.is_multiple_of(*factor))
        {
            Some((unit, factor)) if *factor > 1 => write!(f, "{}{unit}", self.0 / factor),
            _ => write!(f, "{}B", self.0),
        }
    }
}

/// A length of time, written `500ms`, `30s`, `10min` or `8h`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Span(Duration);

impl Span {
    /// So long.
    pub const fn new(duration: Duration) -> Self {
        Self(duration)
    }

    /// So long.
    pub const fn duration(self) -> Duration {
        self.0
    }
}

const TIME_UNITS: [(&str, u64); 4] = [("h", 3_600_000), ("min", 60_000), ("s", 1_000), ("ms", 1)];
/// No clock here runs longer than this: 30 days.
const MAX_SPAN_MS: u64 = 30 * 24 * 3_600_000;

impl FromStr for Span {
    type Err = SizeError;

    fn from_str(text: &str) -> Result<Self, SizeError> {
        let (number, unit) = split(text);
        let wrong = || SizeError::Time { text: text.to_owned() };
        let (_, factor) = TIME_UNITS.iter().find(|(name, _)| *name == unit).ok_or_else(wrong)?;
        let number: u64 = number.parse().map_err(|_| wrong())?;
        match number.checked_mul(*factor) {
            Some(ms) if ms <= MAX_SPAN_MS => Ok(Self(Duration::from_millis(ms))),
            _ => Err(SizeError::TooLarge { text: text.to_owned() }),
        }
    }
}

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ms = u64::try_from(self.0.as_millis()).unwrap_or(u64::MAX);
        match TIME_UNITS
            .iter()
            .find(|(_, factor)| ms >= *factor && ms.is_multiple_of(*factor))
        {
            Some((unit, factor)) => write!(f, "{}{unit}", ms / factor),
            None => write!(f, "{ms}ms"),
        }
    }
}

/// A share of the machine's processors in percent, from `1%` to `100%`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CpuShare(u8);

impl CpuShare {
    /// Thousandths of one processor: the share of a machine with `processors`, at least one whole.
    pub fn millicores(self, processors: u32) -> u32 {
        (processors * u32::from(self.0) * 10).max(1000)
    }
}

impl FromStr for CpuShare {
    type Err = SizeError;

    fn from_str(text: &str) -> Result<Self, SizeError> {
        match text.strip_suffix('%').map(u8::from_str) {
            Some(Ok(percent @ 1..=100)) => Ok(Self(percent)),
            _ => Err(SizeError::Share { text: text.to_owned() }),
        }
    }
}

impl fmt::Display for CpuShare {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}%", self.0)
    }
}

/// Why a size, a time or a share is refused.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum SizeError {
    /// Not a number of bytes.
    #[error("{text:?} is no size; hint: write a whole number and B, KiB, MiB, GiB or TiB, as in 512MiB")]
    Bytes {
        /// What was written.
        text: String,
    },
    /// Not a length of time.
    #[error("{text:?} is no time; hint: write a whole number and ms, s, min or h, as in 30s")]
    Time {
        /// What was written.
        text: String,
    },
    /// Not a share.
    #[error("{text:?} is no share of the processors; hint: write 1% to 100%")]
    Share {
        /// What was written.
        text: String,
    },
    /// Beyond what can be counted.
    #[error("{text:?} is too large")]
    TooLarge {
        /// What was written.
        text: String,
    },
}

/// The digits at the start, and the rest.
fn split(text: &str) -> (&str, &str) {
    text.split_at(text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn sizes_need_a_known_unit() {
        assert_eq!("1GiB".parse(), Ok(ByteCount::new(1 << 30)));
        assert_eq!("4096".parse(), Ok(ByteCount::new(4096)));
        for text in ["", "GiB", "1GB", "1 GiB", "-1", "1.5GiB", "+1B"] {
            assert!(text.parse::<ByteCount>().is_err(), "{text:?}");
        }
        assert!(matches!(
            "99999999TiB".parse::<ByteCount>(),
            Err(SizeError::TooLarge { .. })
        ));
    }

    #[test]
    fn a_share_is_at_least_one_processor() {
        assert_eq!("25%".parse::<CpuShare>().unwrap().millicores(2), 1000);
        assert_eq!("25%".parse::<CpuShare>().unwrap().millicores(16), 4000);
        for text in ["0%", "101%", "50", "%", "-1%"] {
            assert!(text.parse::<CpuShare>().is_err(), "{text:?}");
        }
    }

    proptest! {
        #[test]
        fn sizes_and_times_survive_being_written_and_read(bytes in any::<u64>(), ms in 0..MAX_SPAN_MS) {
            prop_assert_eq!(ByteCount::new(bytes).to_string().parse(), Ok(ByteCount::new(bytes)));
            let span = Span::new(Duration::from_millis(ms));
            prop_assert_eq!(span.to_string().parse(), Ok(span));
        }
    }
}
