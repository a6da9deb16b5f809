//! Ranks on threads of this process, for tests.

use super::{Limits, Placement, Rendezvous, TcpCollective};
use std::thread::scope;

/// The results of `work` on each of `world_size` ranks, which are connected over this machine's loopback.
///
/// # Errors
/// If the ranks do not find each other, or `work` fails on one.
pub fn on_ranks<R: Send>(
    world_size: usize,
    work: impl Fn(TcpCollective) -> anyhow::Result<R> + Sync,
) -> anyhow::Result<Vec<R>> {
    let (rendezvous, limits) = (Rendezvous::local()?, Limits::default());
    let port = rendezvous.port()?;
    let placement = |rank| Placement::on_this_machine(rank, world_size, port, "test".to_owned());
    let (work, placement) = (&work, &placement);
    scope(|scope| {
        let connect = move |rank| TcpCollective::connect(&placement(rank), limits, |_| Ok(()));
        let others: Vec<_> =
            (1..world_size).map(|rank| scope.spawn(move || work(connect(rank)?))).collect();
        let first = rendezvous.accept(&placement(0), limits, |_| Ok(()))?;
        let mut results = vec![work(first)?];
        for other in others {
            results.push(other.join().map_err(|_| anyhow::anyhow!("a rank panicked"))??);
        }
        Ok(results)
    })
}
