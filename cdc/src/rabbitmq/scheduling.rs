//! How the operating system schedules the client library's thread.
//!
//! That thread is woken with the first of a burst of frames, and again with every few confirms. By default it then
//! pushes a busy server off its processor at once, writes the little that there is, and waits for the same lock as the
//! thread that still hands it frames. Under Linux's `SCHED_BATCH` it waits for its turn instead, and finds more: half
//! the system calls on two processors that broker and engine keep busy. Where a processor is idle, nothing changes,
//! so that a message that comes alone is as fast as before. See sched(7).

#[cfg(target_os = "linux")]
pub(super) use self::linux::in_batch;

/// Polls `future` as it is: only Linux knows this policy.
#[cfg(not(target_os = "linux"))]
pub(super) async fn in_batch<F: Future>(future: F) -> F::Output {
    future.await
}

#[cfg(target_os = "linux")]
mod linux {
    use std::{future::poll_fn, pin::pin};

    use rustix::process::getpriority_process;
    use thread_priority::{
        NormalThreadSchedulePolicy as Normal, ThreadPriority, ThreadPriorityValue,
        ThreadSchedulePolicy as Policy, set_thread_priority_and_policy, thread_native_id,
        thread_schedule_policy,
    };
    use tracing::debug;

    /// In the units of the library that sets it, where 0 is the lowest priority and 99 the highest: niceness 0.
    const NEUTRAL: u8 = 48;

    /// Polls `future` under `SCHED_BATCH`, which the threads that it starts inherit.
    ///
    /// A niceness or a policy that somebody chose for the process is left alone.
    ///
    /// # Cancel safety
    /// As cancel safe as `future`.
    pub(in crate::rabbitmq) async fn in_batch<F: Future>(future: F) -> F::Output {
        let mut future = pin!(future);
        // Between two polls the thread does other work.
        poll_fn(|context| {
            let _batch = Batch::begin();
            future.as_mut().poll(context)
        })
        .await
    }

    /// The calling thread is scheduled as a batch until this is dropped.
    struct Batch;

    impl Batch {
        fn begin() -> Option<Self> {
            let is_neutral = getpriority_process(None) == Ok(0)
                && thread_schedule_policy() == Ok(Policy::Normal(Normal::Other));
            is_neutral.then(|| {
                set(Normal::Batch);
                Self
            })
        }
    }

    impl Drop for Batch {
        fn drop(&mut self) {
            set(Normal::Other);
        }
    }

    /// Gives the calling thread `policy`; a sandbox that refuses it costs speed and nothing else.
    fn set(policy: Normal) {
        let set = ThreadPriorityValue::try_from(NEUTRAL).map(|neutral| {
            let priority = ThreadPriority::Crossplatform(neutral);
            set_thread_priority_and_policy(thread_native_id(), priority, Policy::Normal(policy))
        });
        if !matches!(set, Ok(Ok(()))) {
            debug!(?policy, "cannot choose how threads are scheduled");
        }
    }

    #[cfg(test)]
    mod tests {
        use std::{
            task::{Context, Poll, Waker},
            thread,
        };

        use super::*;

        fn here() -> (Policy, i32) {
            let niceness = getpriority_process(None).unwrap();
            (thread_schedule_policy().unwrap(), niceness)
        }

        /// What a thread sees that `in_batch` starts, and what the thread sees that polled it.
        fn started() -> [(Policy, i32); 2] {
            let mut started = pin!(in_batch(async { thread::spawn(here).join().unwrap() }));
            let polled = started
                .as_mut()
                .poll(&mut Context::from_waker(Waker::noop()));
            let Poll::Ready(inside) = polled else {
                unreachable!("nothing to wait for")
            };
            [inside, here()]
        }

        /// In a thread of its own, which may change its own policy.
        fn aside<T: Send>(test: impl FnOnce() -> T + Send) -> T {
            thread::scope(|scope| scope.spawn(test).join().unwrap())
        }

        #[test]
        fn threads_that_are_started_are_batches_and_their_starter_is_not() {
            let (policy, niceness) = here();
            let [inside, after] = aside(started);
            let expected = match niceness {
                0 => Policy::Normal(Normal::Batch),
                _ => policy,
            };
            assert_eq!(inside, (expected, niceness));
            assert_eq!(after, (policy, niceness));
        }

        #[test]
        fn a_policy_that_somebody_chose_stays() {
            let seen = aside(|| {
                set(Normal::Idle);
                started()
            });
            assert_eq!(
                seen.map(|(policy, _)| policy),
                [Policy::Normal(Normal::Idle); 2]
            );
        }
    }
}
