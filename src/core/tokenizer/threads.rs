//! The threads that tokenize.

use rayon::ThreadPoolBuilder;

/// Calls `work` so that what it tokenizes is divided among this many threads; 0 means one per core.
pub fn on_threads<T: Send>(threads: usize, work: impl FnOnce() -> T + Send) -> T {
    if threads == 0 {
        return work();
    }
    match ThreadPoolBuilder::new().num_threads(threads).build() {
        Ok(pool) => pool.install(work),
        // Without new threads, those of the whole program are used.
        Err(_) => work(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::tokenizer::Tokenizer;

    #[test]
    fn texts_are_encoded_on_the_threads_asked_for() -> anyhow::Result<()> {
        let tokenizer = Tokenizer::small()?;
        let texts = vec!["최고의 영화"; 500];
        let expected = tokenizer.encode_ids(&texts)?;
        for threads in [1, 2] {
            let (count, ids) = on_threads(threads, || {
                (rayon::current_num_threads(), tokenizer.encode_ids(&texts))
            });
            assert_eq!((count, ids?), (threads, expected.clone()));
        }
        Ok(())
    }
}
