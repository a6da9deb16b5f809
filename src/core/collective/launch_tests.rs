//! Tests of the variables of launchers.

use super::*;
use std::collections::BTreeMap;

fn read(variables: &[(&str, &str)]) -> Result<Option<Placement>, LaunchError> {
    let variables: BTreeMap<&str, &str> = variables.iter().copied().collect();
    Placement::read(|name| variables.get(name).map(|&value| value.to_owned()))
}

fn placement(variables: &[(&str, &str)]) -> Placement {
    read(variables).ok().flatten().unwrap_or_else(|| unreachable!("{variables:?}"))
}

#[test]
fn without_variables_a_run_has_one_process() {
    assert_eq!(read(&[]), Ok(None));
    assert_eq!(read(&[("RANK", "1")]), Ok(None));
    assert_eq!(read(&[("RANK", "0"), ("WORLD_SIZE", "1")]), Ok(None));
    assert_eq!(read(&[("RANK", ""), ("WORLD_SIZE", "")]), Ok(None));
    assert_eq!(read(&[("SLURM_PROCID", "0"), ("SLURM_NTASKS", "1")]), Ok(None));
    let shell = [("SLURM_PROCID", "0"), ("SLURM_NTASKS", "4"), ("SLURM_JOB_NAME", "interactive")];
    assert_eq!(read(&shell), Ok(None));
}

#[test]
fn torchruns_variables() {
    let variables = [
        ("RANK", "5"),
        ("WORLD_SIZE", "8"),
        ("LOCAL_RANK", "1"),
        ("LOCAL_WORLD_SIZE", "4"),
        ("MASTER_ADDR", "10.0.0.1"),
        ("MASTER_PORT", "29400"),
        ("TORCHELASTIC_RUN_ID", "abc"),
    ];
    let expected = Placement {
        launcher: Launcher::Torchrun,
        rank: 5,
        world_size: 8,
        local_rank: 1,
        local_world_size: 4,
        cpus: None,
        address: Some("10.0.0.1".to_owned()),
        port: 29400,
        run_id: "abc".to_owned(),
    };
    assert_eq!(placement(&variables), expected);
    assert_eq!((expected.threads(64), expected.threads(2)), (16, 1));
    // torchrun's own server is on the port.
    let with_store = [&variables[..], &[("TORCHELASTIC_USE_AGENT_STORE", "True")]].concat();
    assert_eq!(placement(&with_store).port, 29401);
    // Also within a job of SLURM.
    let within = [&variables[..], &[("SLURM_PROCID", "0"), ("SLURM_NTASKS", "2")]].concat();
    assert_eq!(placement(&within), expected);
}

#[test]
fn mpiruns_variables() {
    let variables = [
        ("OMPI_COMM_WORLD_RANK", "1"),
        ("OMPI_COMM_WORLD_SIZE", "2"),
        ("OMPI_COMM_WORLD_LOCAL_RANK", "1"),
        ("OMPI_COMM_WORLD_LOCAL_SIZE", "2"),
        ("PMIX_NAMESPACE", "3735814145"),
    ];
    let found = placement(&variables);
    assert_eq!((found.launcher, found.rank, found.world_size), (Launcher::Mpirun, 1, 2));
    assert_eq!((found.local_rank, found.local_world_size), (1, 2));
    assert_eq!(found.address.as_deref(), Some("127.0.0.1"));
    assert!((20_000..30_000).contains(&found.port));
    // On several machines the address has to be given.
    let several = [&variables[..3], &[("OMPI_COMM_WORLD_LOCAL_SIZE", "1")]].concat();
    assert!(read(&several).is_err());
    let several = [&variables[..2], &[("OMPI_COMM_WORLD_LOCAL_SIZE", "1")]].concat();
    assert_eq!(placement(&several).address, None);
    let named = [&several[..], &[("MASTER_ADDR", "head"), ("MASTER_PORT", "4000")]].concat();
    let found = placement(&named);
    assert_eq!((found.address.as_deref(), found.port), (Some("head"), 4000));
}

#[test]
fn slurms_variables() {
    let variables = [
        ("SLURM_PROCID", "3"),
        ("SLURM_NTASKS", "5"),
        ("SLURM_LOCALID", "1"),
        ("SLURM_NODEID", "1"),
        ("SLURM_TASKS_PER_NODE", "2(x2),1"),
        ("SLURM_JOB_NODELIST", "node[003-005,009]"),
        ("SLURM_JOB_ID", "987654"),
        ("SLURM_STEP_ID", "0"),
        ("SLURM_CPUS_PER_TASK", "6"),
    ];
    let expected = Placement {
        launcher: Launcher::Slurm,
        rank: 3,
        world_size: 5,
        local_rank: 1,
        local_world_size: 2,
        cpus: Some(6),
        address: Some("node003".to_owned()),
        port: 22654,
        run_id: "987654.0".to_owned(),
    };
    assert_eq!(placement(&variables), expected);
    assert_eq!(expected.threads(64), 6);
    // A step may have fewer tasks than its job.
    let step = [&variables[..], &[("SLURM_STEP_NUM_TASKS", "4"), ("MASTER_ADDR", "10.1.1.1")]];
    let found = placement(&step.concat());
    assert_eq!((found.world_size, found.address.as_deref()), (4, Some("10.1.1.1")));
}

#[test]
fn the_first_host_of_slurms_lists() {
    for (list, first) in [
        ("node1", "node1"),
        ("node1,node2", "node1"),
        ("node[003-005,009],gpu1", "node003"),
        ("node[7,9]", "node7"),
        ("rack[1-2]-node[03-04]", "rack1-node03"),
        ("n[1-3]-ib,m1", "n1-ib"),
        ("login,node[1-2]", "login"),
    ] {
        assert_eq!(first_host(list).as_deref(), Some(first), "{list}");
    }
    assert_eq!(first_host(""), None);
    assert_eq!(first_host("node[1-2"), None);
    let tasks: Vec<_> = (0..4).map(|node| tasks_of_node("2(x2),1", node)).collect();
    assert_eq!(tasks, [Some(2), Some(2), Some(1), None]);
    assert_eq!(tasks_of_node("2(x", 0), None);
}

#[test]
fn variables_that_are_wrong_are_named() {
    let message = |variables: &[(&str, &str)]| match read(variables) {
        Err(error) => error.to_string(),
        Ok(found) => format!("{found:?}"),
    };
    assert!(message(&[("RANK", "x"), ("WORLD_SIZE", "2")]).contains("RANK"));
    assert!(message(&[("RANK", "2"), ("WORLD_SIZE", "2")]).contains("rank 2 of 2"));
    assert!(message(&[("RANK", "0"), ("WORLD_SIZE", "99999999")]).contains("at most"));
    assert!(message(&[("OMPI_COMM_WORLD_RANK", "0")]).contains("OMPI_COMM_WORLD_SIZE"));
    let local =
        [("RANK", "3"), ("WORLD_SIZE", "4"), ("LOCAL_RANK", "2"), ("LOCAL_WORLD_SIZE", "2")];
    assert!(message(&local).contains("process 2"));
    let port = [("RANK", "0"), ("WORLD_SIZE", "2"), ("MASTER_PORT", "70000")];
    assert!(message(&port).contains("MASTER_PORT"));
}
