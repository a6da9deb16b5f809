//! NVIDIA cards, from NVML, the driver's own library. It is looked for once at run time: where
//! there is no driver, there are no cards.

use super::GpuSample;
use crate::core::text::sanitize_for_terminal;
use nvml_wrapper::Nvml;
use nvml_wrapper::enum_wrappers::device::TemperatureSensor;

/// What a driver tells of its cards, by their numbers from 0. A figure that a card does not tell
/// is missing.
pub trait Cards {
    /// How many there are.
    fn count(&self) -> u32;
    /// A card's name, as it comes.
    fn name(&self, index: u32) -> Option<String>;
    /// Percent of the time in which it computed.
    fn load(&self, index: u32) -> Option<u32>;
    /// Bytes used, and there in all.
    fn memory(&self, index: u32) -> Option<(u64, u64)>;
    /// Degrees Celsius.
    fn temperature(&self, index: u32) -> Option<u32>;
    /// Milliwatts drawn.
    fn power(&self, index: u32) -> Option<u32>;
    /// Milliwatts that may be drawn.
    fn power_limit(&self, index: u32) -> Option<u32>;
}

/// The most cards that are looked at.
const MOST: u32 = 64;

/// The longest name that is kept, in characters.
const LONGEST_NAME: usize = 80;

/// All cards as they are now.
pub fn sample(cards: &(impl Cards + ?Sized)) -> Vec<GpuSample> {
    let watts = |milliwatts: u32| f64::from(milliwatts) / 1e3;
    let one = |index| {
        let name = cards.name(index).unwrap_or_else(|| "unnamed".to_owned());
        let name: String = sanitize_for_terminal(&name).chars().take(LONGEST_NAME).collect();
        let (used, total) = cards.memory(index).unwrap_or_default();
        GpuSample {
            index,
            name,
            load: cards.load(index).map(|percent| f64::from(percent.min(100)) / 100.0),
            memory_used: used.min(total),
            memory_total: total,
            temperature_celsius: cards.temperature(index).map(f64::from),
            power_watts: cards.power(index).map(watts),
            power_limit_watts: cards.power_limit(index).map(watts),
        }
    };
    (0..cards.count().min(MOST)).map(one).collect()
}

/// The cards of NVIDIA's driver, if it is there and has any.
pub fn nvidia() -> Option<Box<dyn Cards>> {
    let cards = Nvml::init().ok()?;
    if cards.device_count().ok()? == 0 {
        return None;
    }
    Some(Box::new(cards))
}

// A card that is lost while the program runs has no more to say.
impl Cards for Nvml {
    fn count(&self) -> u32 {
        self.device_count().unwrap_or(0)
    }

    fn name(&self, index: u32) -> Option<String> {
        self.device_by_index(index).ok()?.name().ok()
    }

    fn load(&self, index: u32) -> Option<u32> {
        self.device_by_index(index).ok()?.utilization_rates().ok().map(|rates| rates.gpu)
    }

    fn memory(&self, index: u32) -> Option<(u64, u64)> {
        self.device_by_index(index)
            .ok()?
            .memory_info()
            .ok()
            .map(|memory| (memory.used, memory.total))
    }

    fn temperature(&self, index: u32) -> Option<u32> {
        self.device_by_index(index).ok()?.temperature(TemperatureSensor::Gpu).ok()
    }

    fn power(&self, index: u32) -> Option<u32> {
        self.device_by_index(index).ok()?.power_usage().ok()
    }

    fn power_limit(&self, index: u32) -> Option<u32> {
        self.device_by_index(index).ok()?.enforced_power_limit().ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Cards that tell all, and every second one nothing.
    struct Fake(u32);

    impl Fake {
        fn tell<T>(index: u32, figure: T) -> Option<T> {
            index.is_multiple_of(2).then_some(figure)
        }
    }

    impl Cards for Fake {
        fn count(&self) -> u32 {
            self.0
        }
        fn name(&self, index: u32) -> Option<String> {
            Self::tell(index, format!("NVIDIA \u{1b}[31mH200{}", "\u{202e}x".repeat(200)))
        }
        fn load(&self, index: u32) -> Option<u32> {
            Self::tell(index, 87 + 20 * index)
        }
        fn memory(&self, index: u32) -> Option<(u64, u64)> {
            Self::tell(index, (12 << 30, 140 << 30))
        }
        fn temperature(&self, index: u32) -> Option<u32> {
            Self::tell(index, 61)
        }
        fn power(&self, index: u32) -> Option<u32> {
            Self::tell(index, 240_500)
        }
        fn power_limit(&self, index: u32) -> Option<u32> {
            Self::tell(index, 700_000)
        }
    }

    #[test]
    fn cards_are_told_in_units_and_what_they_do_not_tell_is_missing() {
        let [first, second, third] = &sample(&Fake(3))[..] else {
            panic!("three cards");
        };
        assert!(first.name.starts_with("NVIDIA �[31mH200�x"), "{}", first.name);
        assert_eq!(first.name.chars().count(), LONGEST_NAME);
        let expected = GpuSample {
            index: 0,
            name: first.name.clone(),
            load: Some(0.87),
            memory_used: 12 << 30,
            memory_total: 140 << 30,
            temperature_celsius: Some(61.0),
            power_watts: Some(240.5),
            power_limit_watts: Some(700.0),
        };
        assert_eq!(*first, expected);
        let nothing = GpuSample { index: 1, name: "unnamed".to_owned(), ..GpuSample::default() };
        assert_eq!(*second, nothing);
        assert_eq!((third.index, third.load), (2, Some(1.0)), "never above the whole");
    }

    #[test]
    fn no_more_cards_are_looked_at_than_there_can_be() {
        assert!(sample(&Fake(0)).is_empty());
        assert_eq!(sample(&Fake(u32::MAX)).len(), MOST as usize);
    }
}
