//! How a process takes part in a run of several processes: those that a launcher has started, or that
//! rank 0 starts itself.

mod children;

pub use children::Children;

#[cfg(feature = "mpi")]
use crate::core::collective::mpi::MpiCollective;
use crate::core::collective::{
    Collective, CollectiveError, LaunchError, Launcher, Limits, Placement, Rendezvous,
    TcpCollective, Waiting,
};
use std::hash::{BuildHasher, Hasher, RandomState};
use std::process::Command;
use std::sync::Arc;

/// A process that is about to join the others of its run.
pub struct Membership {
    placement: Placement,
    /// Where rank 0 waits for the others.
    rendezvous: Option<Rendezvous>,
    children: Children,
}

impl Membership {
    /// Takes part as the launcher of this process says. Rank 0 waits on its port from now on.
    ///
    /// # Errors
    /// If rank 0 cannot use its port.
    pub fn launched(placement: Placement) -> Result<Self, CollectiveError> {
        // With MPI, the address may still be unknown.
        let is_known = !has_mpi(&placement) || placement.address.is_some();
        let waits = placement.rank == 0 && is_known;
        let rendezvous = waits.then(|| Rendezvous::bind(&placement)).transpose()?;
        Ok(Self { placement, rendezvous, children: Children::default() })
    }

    /// Becomes rank 0 of `processes` on this machine, and starts the others with `command`.
    ///
    /// # Errors
    /// If a process cannot be started, or there is no free port.
    pub fn starting(
        processes: usize,
        command: impl Fn() -> std::io::Result<Command>,
    ) -> std::io::Result<Self> {
        let rendezvous = Rendezvous::local()?;
        let port = rendezvous.port()?;
        let placement = Placement::on_this_machine(0, processes, port, secret());
        let mut children = Children::default();
        for rank in 1..processes {
            let mut command = command()?;
            command.envs(environment(&placement, rank));
            children.start(rank, command)?;
        }
        Ok(Self { placement, rendezvous: Some(rendezvous), children })
    }

    /// Where this process is among the others.
    pub fn placement(&self) -> &Placement {
        &self.placement
    }

    /// Joins the other processes. `check` is called while they wait for each other; its error ends
    /// the waiting.
    ///
    /// # Errors
    /// If they do not find each other in time, or one that was started here has ended.
    pub fn join(
        self,
        mut check: impl FnMut(&Waiting) -> Result<(), CollectiveError>,
    ) -> Result<(Arc<dyn Collective>, Children), CollectiveError> {
        let Self { placement, rendezvous, mut children } = self;
        let limits = Limits::default();
        #[cfg(feature = "mpi")]
        if has_mpi(&placement) {
            let collective = MpiCollective::join(placement, rendezvous, limits, check)?;
            return Ok((Arc::new(collective), children));
        }
        let collective = match rendezvous {
            Some(rendezvous) => rendezvous.accept(&placement, limits, |waiting| {
                children.check()?;
                check(waiting)
            })?,
            None => TcpCollective::connect(&placement, limits, check)?,
        };
        Ok((Arc::new(collective), children))
    }
}

/// A name of a run that nobody guesses, so that no other user of this machine can take part in it.
fn secret() -> String {
    // The keys of the hasher are random numbers of the system.
    let random = || RandomState::new().build_hasher().finish();
    format!("{:016x}{:016x}", random(), random())
}

/// Whether gradients are added up by MPI.
fn has_mpi(placement: &Placement) -> bool {
    cfg!(feature = "mpi") && placement.launcher == Launcher::Mpirun
}

/// The variables of a process that rank 0 starts: those of torchrun.
fn environment(first: &Placement, rank: usize) -> Vec<(&'static str, String)> {
    let mut variables = vec![
        ("RANK", rank.to_string()),
        ("WORLD_SIZE", first.world_size.to_string()),
        ("LOCAL_RANK", rank.to_string()),
        ("LOCAL_WORLD_SIZE", first.local_world_size.to_string()),
        ("MASTER_PORT", first.port.to_string()),
        ("TORCHELASTIC_RUN_ID", first.run_id.clone()),
        // There is no server of torchrun.
        ("TORCHELASTIC_USE_AGENT_STORE", "False".to_owned()),
    ];
    variables.extend(first.address.clone().map(|address| ("MASTER_ADDR", address)));
    variables
}

/// The placement of this process by the variables of a launcher; `None` for a run of one process.
/// With `processes`, the number that rank 0 is to start on this machine, a launcher must not have
/// started several.
///
/// # Errors
/// If variables are missing or contradict each other or `processes`.
pub fn placement(
    variable: impl Fn(&str) -> Option<String>,
    processes: Option<usize>,
) -> Result<Option<Placement>, RanksError> {
    let Some(placement) = Placement::read(&variable)? else { return Ok(None) };
    let Some(processes) = processes.filter(|&processes| processes != placement.local_world_size)
    else {
        return Ok(Some(placement));
    };
    // A job of SLURM has variables of its tasks also where no srun has started them.
    if placement.launcher == Launcher::Slurm && variable("SLURM_STEP_ID").is_none() {
        return Ok(None);
    }
    Err(RanksError::TwoLaunchers(placement.launcher, placement.local_world_size, processes))
}

/// Why it is not known which processes a run has.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RanksError {
    /// The variables of a launcher are not valid.
    #[error(transparent)]
    Launch(#[from] LaunchError),
    /// Both a launcher and this program are to start processes.
    #[error(
        "{0} has started {1} processes on this machine, and --nproc-per-node asks for {2}: leave it \
         out, or start the program without {0}"
    )]
    TwoLaunchers(Launcher, usize, usize),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_started_process_finds_itself_by_its_variables() -> anyhow::Result<()> {
        let first = Placement::on_this_machine(0, 4, 4321, secret());
        let variables = environment(&first, 3);
        let variable = |name: &str| {
            let found = variables.iter().find(|(own, _)| *own == name);
            found.map(|(_, value)| value.clone())
        };
        let own = placement(variable, Some(4))?;
        let expected =
            Placement { launcher: Launcher::Torchrun, rank: 3, local_rank: 3, ..first.clone() };
        assert_eq!(own, Some(expected));
        let error = placement(variable, Some(2)).err().map(|error| error.to_string());
        assert!(error.is_some_and(|text| text.contains("asks for 2")));
        assert_ne!(secret(), secret());
        let job = |name: &str| match name {
            "SLURM_PROCID" => Some("0".to_owned()),
            "SLURM_NTASKS" => Some("4".to_owned()),
            _ => None,
        };
        assert_eq!(placement(job, Some(2))?, None);
        assert!(placement(job, None)?.is_some());
        Ok(())
    }
}
