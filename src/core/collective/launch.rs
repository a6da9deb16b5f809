//! Where a process is among those of its run, by the variables of the program that has started
//! them: torchrun, mpirun or SLURM's srun.

use std::fmt;
use std::net::Ipv4Addr;

/// The port of rank 0 if nothing else determines one: PyTorch's default.
const DEFAULT_PORT: u16 = 29500;

/// The first of the ports that follow from the number of a job, as in PyTorch Lightning.
const FIRST_SLURM_PORT: u16 = 15000;

/// The most processes of a run.
const MAX_WORLD_SIZE: usize = 65_536;

/// What has started the processes of a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Launcher {
    /// PyTorch's `torchrun`.
    Torchrun,
    /// Open MPI's `mpirun`.
    Mpirun,
    /// SLURM's `srun`.
    Slurm,
    /// This program, with `--nproc-per-node`.
    Own,
}

impl fmt::Display for Launcher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Torchrun => "torchrun",
            Self::Mpirun => "mpirun",
            Self::Slurm => "srun",
            Self::Own => "--nproc-per-node",
        })
    }
}

/// Where a process is among those of its run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Placement {
    /// What has started the processes.
    pub launcher: Launcher,
    /// The number of this process, from 0.
    pub rank: usize,
    /// The number of processes, at least 2.
    pub world_size: usize,
    /// Its number among those of this machine, from 0.
    pub local_rank: usize,
    /// The number of processes on this machine, at least 1.
    pub local_world_size: usize,
    /// The CPUs that the launcher has reserved for each process, if it says so.
    pub cpus: Option<usize>,
    /// The host of rank 0; `None` if the launcher does not say.
    pub address: Option<String>,
    /// The port on which rank 0 waits for the others.
    pub port: u16,
    /// The name of the run, which tells it from others on the same port.
    pub run_id: String,
}

/// Variables of a launcher that are missing or contradict each other.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct LaunchError(String);

impl Placement {
    /// The placement of a rank among processes of this machine only, whose rank 0 waits on `port`.
    pub fn on_this_machine(rank: usize, world_size: usize, port: u16, run_id: String) -> Self {
        Self {
            launcher: Launcher::Own,
            rank,
            world_size,
            local_rank: rank,
            local_world_size: world_size,
            cpus: None,
            address: Some(Ipv4Addr::LOCALHOST.to_string()),
            port,
            run_id,
        }
    }

    /// The placement by these environment variables; `None` for a run of one process. torchrun's
    /// variables have priority over mpirun's, and these over SLURM's, because each may have been
    /// started by the next.
    ///
    /// # Errors
    /// If variables are missing, not numbers, or contradict each other.
    pub fn read(variable: impl Fn(&str) -> Option<String>) -> Result<Option<Self>, LaunchError> {
        let variables = Variables(&variable);
        let found = if variables.has("RANK") && variables.has("WORLD_SIZE") {
            torchrun(&variables)?
        } else if variables.has("OMPI_COMM_WORLD_RANK") {
            mpirun(&variables)?
        } else if variables.has("SLURM_PROCID") && !is_slurm_shell(&variables) {
            slurm(&variables)?
        } else {
            return Ok(None);
        };
        found.checked()
    }

    fn checked(self) -> Result<Option<Self>, LaunchError> {
        let Self { launcher, rank, world_size, local_rank, local_world_size, .. } = self;
        if world_size == 0 || world_size > MAX_WORLD_SIZE || rank >= world_size {
            return Err(LaunchError(format!(
                "the variables of {launcher} say rank {rank} of {world_size}: ranks are numbered \
                 from 0, and there are at most {MAX_WORLD_SIZE}"
            )));
        }
        if local_rank >= local_world_size {
            return Err(LaunchError(format!(
                "the variables of {launcher} say that this is process {local_rank}, counted from 0, \
                 of {local_world_size} on this machine"
            )));
        }
        Ok((world_size > 1).then_some(self))
    }

    /// The number of threads that each process computes with on a machine with this number of CPUs.
    pub fn threads(&self, cpus: usize) -> usize {
        self.cpus.unwrap_or(cpus / self.local_world_size).max(1)
    }
}

/// The environment.
struct Variables<'a>(&'a dyn Fn(&str) -> Option<String>);

impl Variables<'_> {
    /// An empty variable counts as unset.
    fn text(&self, name: &str) -> Option<String> {
        (self.0)(name).map(|text| text.trim().to_owned()).filter(|text| !text.is_empty())
    }

    fn has(&self, name: &str) -> bool {
        self.text(name).is_some()
    }

    fn number<T: std::str::FromStr>(&self, name: &str) -> Result<Option<T>, LaunchError> {
        let Some(text) = self.text(name) else { return Ok(None) };
        match text.parse() {
            Ok(number) => Ok(Some(number)),
            Err(_) => Err(LaunchError(format!(
                "the environment variable {name} is not a number of its range"
            ))),
        }
    }

    fn required<T: std::str::FromStr>(&self, name: &str) -> Result<T, LaunchError> {
        self.number(name)?
            .ok_or_else(|| LaunchError(format!("the environment variable {name} is not set")))
    }
}

fn torchrun(variables: &Variables<'_>) -> Result<Placement, LaunchError> {
    let (rank, world_size) = (variables.required("RANK")?, variables.required("WORLD_SIZE")?);
    let local_rank = variables.number("LOCAL_RANK")?.unwrap_or(rank);
    let mut port = variables.number("MASTER_PORT")?.unwrap_or(DEFAULT_PORT);
    // Then torchrun itself has a server on this port.
    if variables.text("TORCHELASTIC_USE_AGENT_STORE").is_some_and(|text| text == "True") {
        port = port.checked_add(1).unwrap_or(port - 1);
    }
    Ok(Placement {
        launcher: Launcher::Torchrun,
        rank,
        world_size,
        local_rank,
        local_world_size: variables.number("LOCAL_WORLD_SIZE")?.unwrap_or(local_rank + 1),
        cpus: None,
        address: variables.text("MASTER_ADDR"),
        port,
        run_id: variables.text("TORCHELASTIC_RUN_ID").unwrap_or_default(),
    })
}

fn mpirun(variables: &Variables<'_>) -> Result<Placement, LaunchError> {
    let rank = variables.required("OMPI_COMM_WORLD_RANK")?;
    let world_size = variables.required("OMPI_COMM_WORLD_SIZE")?;
    let local_rank = variables.number("OMPI_COMM_WORLD_LOCAL_RANK")?.unwrap_or(0);
    let local_world_size =
        variables.number("OMPI_COMM_WORLD_LOCAL_SIZE")?.unwrap_or(local_rank + 1);
    let job = variables.text("PMIX_NAMESPACE").unwrap_or_default();
    let on_one_machine = (local_world_size == world_size).then(|| "127.0.0.1".to_owned());
    // The same on all ranks, and another one for another job.
    let hash =
        job.bytes().fold(0u32, |hash, byte| hash.wrapping_mul(31).wrapping_add(u32::from(byte)));
    let of_job = 20_000 + (hash % 10_000) as u16;
    Ok(Placement {
        launcher: Launcher::Mpirun,
        rank,
        world_size,
        local_rank,
        local_world_size,
        cpus: None,
        address: variables.text("MASTER_ADDR").or(on_one_machine),
        port: variables.number("MASTER_PORT")?.unwrap_or(of_job),
        run_id: job,
    })
}

/// Whether the variables are those of an interactive shell within a job.
fn is_slurm_shell(variables: &Variables<'_>) -> bool {
    let name = variables.text("SLURM_JOB_NAME").unwrap_or_default();
    ["bash", "interactive"].contains(&name.as_str())
}

fn slurm(variables: &Variables<'_>) -> Result<Placement, LaunchError> {
    let rank = variables.required("SLURM_PROCID")?;
    let world_size = match variables.number("SLURM_STEP_NUM_TASKS")? {
        Some(tasks) => tasks,
        None => variables.number("SLURM_NTASKS")?.unwrap_or(1),
    };
    let local_rank = variables.number("SLURM_LOCALID")?.unwrap_or(0);
    let node = variables.number("SLURM_NODEID")?.unwrap_or(0);
    let first = |names: [&str; 3]| names.into_iter().find_map(|name| variables.text(name));
    let counts =
        first(["SLURM_STEP_TASKS_PER_NODE", "SLURM_TASKS_PER_NODE", "SLURM_NTASKS_PER_NODE"]);
    let nodes = first(["SLURM_STEP_NODELIST", "SLURM_JOB_NODELIST", "SLURM_NODELIST"]);
    let job = variables.text("SLURM_JOB_ID").unwrap_or_default();
    let step = variables.text("SLURM_STEP_ID").unwrap_or_default();
    Ok(Placement {
        launcher: Launcher::Slurm,
        rank,
        world_size,
        local_rank,
        local_world_size: counts
            .and_then(|counts| tasks_of_node(&counts, node))
            .unwrap_or(local_rank + 1),
        cpus: variables.number("SLURM_CPUS_PER_TASK")?,
        address: variables.text("MASTER_ADDR").or(nodes.and_then(|nodes| first_host(&nodes))),
        port: match variables.number("MASTER_PORT")? {
            Some(port) => port,
            None => slurm_port(&job),
        },
        run_id: format!("{job}.{step}"),
    })
}

/// A port that follows from the last four digits of the number of a job.
fn slurm_port(job: &str) -> u16 {
    let digits = job.get(job.len().saturating_sub(4)..).unwrap_or_default();
    digits.parse::<u16>().map_or(DEFAULT_PORT, |digits| FIRST_SLURM_PORT + digits)
}

/// The number of tasks on the node of this index, of a list such as `2(x3),1`.
fn tasks_of_node(counts: &str, node: usize) -> Option<usize> {
    let mut before = 0;
    for part in counts.split(',') {
        let (count, nodes) = match part.split_once("(x") {
            Some((count, nodes)) => (count, nodes.strip_suffix(')')?.parse::<usize>().ok()?),
            None => (part, 1),
        };
        before += nodes;
        if node < before {
            return count.trim().parse().ok();
        }
    }
    None
}

/// The first host of a list such as `node[003-005,009],gpu1`.
fn first_host(nodes: &str) -> Option<String> {
    let mut host = String::new();
    let mut rest = nodes.trim();
    while let Some(end) = rest.find(['[', ',']).filter(|&end| rest[end..].starts_with('[')) {
        host.push_str(&rest[..end]);
        let (numbers, after) = rest[end + 1..].split_once(']')?;
        host.push_str(numbers.split(['-', ',']).next().unwrap_or_default());
        rest = after;
    }
    host.push_str(rest.split(',').next().unwrap_or_default());
    Some(host).filter(|host| !host.is_empty())
}

#[cfg(test)]
#[path = "launch_tests.rs"]
mod tests;
