//! The first of several ways that leads somewhere.

use std::future::Future;
use std::time::Duration;

use tokio::task::JoinSet;
use tokio::time::sleep;

/// Tries the ways in their order: the next one when `stagger` has passed or the one before has
/// failed, and the earlier ones go on meanwhile (RFC 8305). Returns the first result, and drops
/// what is still under way; or what each failed with, in the order in which they did.
///
/// Dropping the future drops them all.
pub async fn race<T, E, F>(
    ways: impl IntoIterator<Item = F>,
    stagger: Duration,
) -> Result<T, Vec<E>>
where
    T: Send + 'static,
    E: Send + 'static,
    F: Future<Output = Result<T, E>> + Send + 'static,
{
    let (mut ways, mut racing, mut errors) = (ways.into_iter(), JoinSet::new(), Vec::new());
    let mut waiting = ways.next();
    loop {
        if let Some(way) = waiting.take() {
            racing.spawn(way);
            waiting = ways.next();
        }
        // Until the next one may start, or for ever where there is none.
        while let Some(ended) = tokio::select! {
            ended = racing.join_next() => ended,
            () = sleep(stagger), if waiting.is_some() => None,
        } {
            match ended {
                Ok(Ok(first)) => return Ok(first),
                Ok(Err(error)) => errors.push(error),
                // It panicked; the others may do better.
                Err(_) => {}
            }
            if waiting.is_some() {
                break;
            }
        }
        if racing.is_empty() && waiting.is_none() {
            return Err(errors);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::future::pending;
    use std::pin::Pin;
    use std::time::Duration;

    use tokio::time::{Instant, sleep};

    use super::race;

    type Way = Pin<Box<dyn Future<Output = Result<u32, u32>> + Send>>;

    const STAGGER: Duration = Duration::from_millis(250);

    fn after(wait: u64, result: Result<u32, u32>) -> Way {
        Box::pin(async move {
            sleep(Duration::from_millis(wait)).await;
            result
        })
    }

    #[tokio::test(start_paused = true)]
    async fn the_first_to_succeed_wins_and_not_the_first_to_start() {
        let start = Instant::now();
        let ways = [Box::pin(pending()) as Way, after(100, Ok(2)), after(0, Ok(3))];
        assert_eq!(race(ways, STAGGER).await, Ok(2));
        assert_eq!(start.elapsed(), STAGGER + Duration::from_millis(100));
    }

    #[tokio::test(start_paused = true)]
    async fn a_failure_starts_the_next_at_once() {
        let start = Instant::now();
        let ways = [after(10, Err(1)), after(10, Err(2)), after(10, Ok(3))];
        assert_eq!(race(ways, STAGGER).await, Ok(3));
        assert_eq!(start.elapsed(), Duration::from_millis(30));
    }

    #[tokio::test(start_paused = true)]
    async fn where_all_fail_each_says_why() {
        assert_eq!(race([after(400, Err(1)), after(0, Err(2))], STAGGER).await, Err(vec![2, 1]));
        assert_eq!(race(Vec::<Way>::new(), STAGGER).await, Err(vec![]));
    }

    #[tokio::test(start_paused = true)]
    async fn an_early_one_may_still_win_after_the_next_has_started() {
        let ways = [after(300, Ok(1)), after(10_000, Ok(2))];
        assert_eq!(race(ways, STAGGER).await, Ok(1));
    }
}
