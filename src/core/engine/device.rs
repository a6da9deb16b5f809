//! The selection of a compute device.

use std::fmt;
use std::str::FromStr;

/// The requested device.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum DeviceChoice {
    /// The first GPU if the build supports GPUs and one is present, else the CPU.
    #[default]
    Auto,
    /// The CPU.
    Cpu,
    /// The GPU with this index, counted from 0.
    Cuda(usize),
}

impl FromStr for DeviceChoice {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || "expected auto, cpu, cuda or cuda:N".to_owned();
        match text.split_once(':') {
            None => match text {
                "auto" => Ok(Self::Auto),
                "cpu" => Ok(Self::Cpu),
                "cuda" => Ok(Self::Cuda(0)),
                _ => Err(wrong()),
            },
            Some(("cuda", number)) => number.parse().map(Self::Cuda).map_err(|_| wrong()),
            Some(_) => Err(wrong()),
        }
    }
}

impl fmt::Display for DeviceChoice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Auto => f.write_str("auto"),
            Self::Cpu => f.write_str("cpu"),
            Self::Cuda(number) => write!(f, "cuda:{number}"),
        }
    }
}

/// The CPU's name in the list of settings, for example `cpu, 2 threads`.
pub(super) fn cpu_name(threads: usize) -> String {
    if threads == 1 { "cpu, 1 thread".to_owned() } else { format!("cpu, {threads} threads") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn devices_are_named_as_in_pytorch() {
        let of = |text: &str| text.parse::<DeviceChoice>();
        assert_eq!(of("auto"), Ok(DeviceChoice::Auto));
        assert_eq!(of("cuda"), Ok(DeviceChoice::Cuda(0)));
        assert_eq!(of("cuda:3"), Ok(DeviceChoice::Cuda(3)));
        for device in [DeviceChoice::Auto, DeviceChoice::Cpu, DeviceChoice::Cuda(1)] {
            assert_eq!(of(&device.to_string()), Ok(device));
        }
        for wrong in ["gpu", "cuda:", "cuda:x", "cpu:0", ""] {
            assert!(of(wrong).is_err());
        }
    }
}
