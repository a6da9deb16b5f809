//! Tests of ranks on threads, connected over this machine's loopback.

use super::*;
use crate::core::collective::{Placement, check_equal};
use std::io::Write as _;
use std::thread::scope;
use std::time::Instant;

const LIMITS: Limits = Limits { join: Duration::from_secs(20), silence: Duration::from_secs(20) };

/// The placement of a rank; rank 0 waits on `port`.
fn placement(rank: usize, world_size: usize, port: u16) -> Placement {
    Placement::on_this_machine(rank, world_size, port, "test".to_owned())
}

/// The result of `work` on each rank.
fn on_ranks<R: Send>(
    world_size: usize,
    limits: Limits,
    work: impl Fn(TcpCollective) -> R + Sync,
) -> anyhow::Result<Vec<R>> {
    let rendezvous = Rendezvous::local()?;
    let port = rendezvous.port()?;
    let work = &work;
    scope(|scope| {
        let others: Vec<_> = (1..world_size)
            .map(|rank| {
                let placement = placement(rank, world_size, port);
                scope
                    .spawn(move || TcpCollective::connect(&placement, limits, |_| Ok(())).map(work))
            })
            .collect();
        let first = rendezvous.accept(&placement(0, world_size, port), limits, |_| Ok(()))?;
        let mut results = vec![work(first)];
        for other in others {
            results.push(joined(other)?);
        }
        Ok(results)
    })
}

fn joined<R>(
    thread: std::thread::ScopedJoinHandle<'_, Result<R, CollectiveError>>,
) -> anyhow::Result<R> {
    Ok(thread.join().map_err(|_| anyhow::anyhow!("a rank panicked"))??)
}

#[test]
fn values_are_added_and_bytes_distributed_on_all_ranks() -> anyhow::Result<()> {
    // More than one frame.
    let len = FRAME_VALUES * 2 + 5;
    let results = on_ranks(3, LIMITS, |ranks| -> Result<_, CollectiveError> {
        let rank = ranks.rank();
        let mut values: Vec<f32> = (0..len).map(|i| (i % 97) as f32 + rank as f32 * 0.25).collect();
        ranks.all_reduce_sum(&mut values)?;
        let word = ranks.broadcast_bytes(format!("from {rank}").as_bytes())?;
        let all = ranks.all_gather_bytes(&vec![rank as u8; rank * MAX_FRAME_BYTES])?;
        ranks.all_reduce_sum(&mut [])?;
        ranks.barrier()?;
        Ok((values, word, all.iter().map(Vec::len).collect::<Vec<_>>(), all[2].last().copied()))
    })?;
    for result in results {
        let (values, word, lengths, last) = result?;
        assert!(values.iter().enumerate().all(|(i, &sum)| sum == (i % 97) as f32 * 3.0 + 0.75));
        assert_eq!(word, b"from 0");
        assert_eq!((lengths, last), (vec![0, MAX_FRAME_BYTES, 2 * MAX_FRAME_BYTES], Some(2)));
    }
    Ok(())
}

#[test]
fn all_ranks_learn_which_rank_is_lost_or_has_failed() -> anyhow::Result<()> {
    let results = on_ranks(3, LIMITS, |ranks| {
        if ranks.rank() == 1 {
            // As if its process was killed.
            let _ = ranks.peers[0].writer().stream.shutdown(std::net::Shutdown::Both);
            return "gone".to_owned();
        }
        let error = ranks.all_reduce_sum(&mut [1.0; 3]).err();
        assert_eq!(error, ranks.failure());
        error.map(|error| error.to_string()).unwrap_or_default()
    })?;
    assert!(results[0].starts_with("rank 1"), "{results:?}");
    assert!(results[2].starts_with("rank 0 failed: rank 1"), "{results:?}");

    let results = on_ranks(3, LIMITS, |ranks| {
        if ranks.rank() == 2 {
            ranks.fail("its data is \u{1b}[31mmissing");
            return String::new();
        }
        ranks.barrier().err().map(|error| error.to_string()).unwrap_or_default()
    })?;
    assert_eq!(results[0], "rank 2 failed: its data is \u{fffd}[31mmissing");
    assert_eq!(results[1], format!("rank 0 failed: {}", results[0]));
    Ok(())
}

#[test]
fn a_rank_that_is_silent_is_lost_but_not_one_that_is_busy() -> anyhow::Result<()> {
    let limits = Limits { silence: Duration::from_millis(400), ..LIMITS };
    let results = on_ranks(2, limits, |ranks| {
        if ranks.rank() == 0 {
            std::thread::sleep(Duration::from_millis(1500));
        }
        // More than the system keeps for a rank that does not read.
        ranks.all_reduce_sum(&mut vec![1.0; 8 << 20])?;
        ranks.barrier()
    })?;
    assert_eq!(results, [Ok(()), Ok(())]);

    let results = on_ranks(2, limits, |ranks| {
        if ranks.rank() == 1 {
            // As if its process was stopped.
            let _silent = ranks.peers[0].writer();
            std::thread::sleep(Duration::from_millis(1500));
            return None;
        }
        let began = Instant::now();
        let error = ranks.barrier().err().map(|error| error.to_string());
        assert!(began.elapsed() < Duration::from_millis(1400));
        error
    })?;
    assert_eq!(results[0].as_deref(), Some("rank 1 was lost: it was silent for 0.4 s"));
    Ok(())
}

#[test]
fn settings_that_differ_are_named_on_all_ranks() -> anyhow::Result<()> {
    let results = on_ranks(2, LIMITS, |ranks| {
        let seed = if ranks.rank() == 1 { "7" } else { "42" };
        let facts = vec![("seed".to_owned(), seed.to_owned())];
        check_equal(&ranks, &facts).err().map(|error| error.to_string()).unwrap_or_default()
    })?;
    for message in results {
        assert!(message.contains("rank 1 has another seed than rank 0: 7 instead of 42"));
    }
    Ok(())
}

#[test]
fn operations_in_another_order_are_an_error() -> anyhow::Result<()> {
    let results = on_ranks(2, LIMITS, |ranks| match ranks.rank() {
        0 => ranks.all_reduce_sum(&mut [1.0]),
        _ => ranks.barrier(),
    })?;
    assert!(matches!(&results[0], Err(CollectiveError::OutOfStep(_))), "{results:?}");
    assert!(results[1].is_err());
    Ok(())
}

#[test]
fn ranks_that_are_missing_or_of_another_run_are_named() -> anyhow::Result<()> {
    let limits = Limits { join: Duration::from_millis(300), ..LIMITS };
    let rendezvous = Rendezvous::local()?;
    let port = rendezvous.port()?;
    let message = scope(|scope| -> anyhow::Result<String> {
        let spawn = |placement: Placement| {
            scope.spawn(move || TcpCollective::connect(&placement, LIMITS, |_| Ok(())).err())
        };
        // One that says nothing that a rank says, and one of another run.
        std::net::TcpStream::connect(("127.0.0.1", port))?.write_all(b"GET / HTTP/1.1\r\n\r\n")?;
        let other = Placement { run_id: "other".to_owned(), ..placement(1, 3, port) };
        let other = spawn(other);
        let second = spawn(placement(2, 3, port));
        let error = rendezvous.accept(&placement(0, 3, port), limits, |_| Ok(())).err();
        let refused = other.join().ok().flatten().map(|error| error.to_string());
        assert!(refused.is_some_and(|text| text.contains("of another run")));
        let _ = second.join();
        Ok(error.map(|error| error.to_string()).unwrap_or_default())
    })?;
    assert!(message.starts_with("1 of 3 ranks did not connect within 0.3 s: 1."), "{message}");

    let rendezvous = Rendezvous::local()?;
    let port = rendezvous.port()?;
    let other = std::thread::spawn(move || {
        TcpCollective::connect(&placement(1, 3, port), LIMITS, |_| Ok(())).err()
    });
    let error = rendezvous.accept(&placement(0, 2, port), LIMITS, |_| Ok(())).err();
    let message = error.map(|error| error.to_string()).unwrap_or_default();
    assert!(message.contains("rank 1 was started as one of 3 processes"), "{message}");
    assert!(other.join().ok().flatten().is_some());

    // A rank whose rank 0 is nowhere, and rank 0 alone: each says what it waits for.
    let elsewhere =
        Placement { address: Some("no-such-machine.invalid".to_owned()), ..placement(1, 3, port) };
    let give_up = |waiting: &Waiting| Err(CollectiveError::Join(waiting.reason.clone()));
    let error = TcpCollective::connect(&elsewhere, LIMITS, give_up).err();
    let message = error.map(|error| error.to_string()).unwrap_or_default();
    assert!(message.starts_with("rank 0 at no-such-machine.invalid:"), "{message}");
    assert!(
        message.contains("MASTER_ADDR and MASTER_PORT have to be those of rank 0"),
        "{message}"
    );
    let error = Rendezvous::local()?.accept(&placement(0, 3, 0), LIMITS, give_up).err();
    let expected = "these ranks have not connected: 1, 2".to_owned();
    assert_eq!(error, Some(CollectiveError::Join(expected)));
    let error = Rendezvous::local()?.accept(&placement(0, 40, 0), LIMITS, give_up).err();
    let message = error.map(|error| error.to_string()).unwrap_or_default();
    assert!(message.ends_with("15, 16 and 23 others"), "{message}");

    let stopped = CollectiveError::Join("the process of rank 1 has ended".to_owned());
    let check = |_: &Waiting| Err(stopped.clone());
    let error = Rendezvous::local()?.accept(&placement(0, 2, 0), LIMITS, check).err();
    assert_eq!(error, Some(stopped.clone()));
    Ok(())
}
