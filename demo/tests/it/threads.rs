//! Who calls Vulkan, by strategy, from the counting device table.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::support::{Folder, PASSES, STRATEGIES, device, only_strategy, small};

/// The numbers of a short run.
struct Run {
    numbers: Value,
}

impl Run {
    fn new(strategy: &str, pass: &[&str]) -> Self {
        let folder = Folder::new();
        folder.run_well(&small(
            &[&["--strategy", strategy, "--json", "run.json"], pass].concat(),
        ));
        Self {
            numbers: folder.json("run.json"),
        }
    }

    fn main_thread(&self) -> u64 {
        self.numbers["main_thread_id"].as_u64().expect("an id")
    }

    fn callers(&self, group: &str) -> &Vec<Value> {
        only_strategy(&self.numbers)["threads"][group]
            .as_array()
            .expect("a list of threads")
    }

    /// Ids of the threads that called functions of `group`.
    fn ids(&self, group: &str) -> BTreeSet<u64> {
        self.callers(group)
            .iter()
            .map(|caller| caller["id"].as_u64().expect("an id"))
            .collect()
    }

    /// Ids and calls of the threads that called `function`.
    fn calls(&self, function: &str) -> Vec<(u64, u64)> {
        let groups = ["command", "pool", "queue", "swapchain"];
        let all = groups.into_iter().flat_map(|group| self.callers(group));
        all.filter_map(|caller| {
            Some((
                caller["id"].as_u64()?,
                caller["functions"][function].as_u64()?,
            ))
        })
        .collect()
    }

    fn is_job(&self, id: u64) -> bool {
        let mut commands = self.callers("command").iter().chain(self.callers("pool"));
        commands.any(|caller| {
            caller["id"] == id
                && caller["name"]
                    .as_str()
                    .is_some_and(|name| name.starts_with("job-"))
        })
    }

    /// How often all threads together called `function`.
    fn sum(&self, function: &str) -> u64 {
        self.calls(function).iter().map(|(_, calls)| calls).sum()
    }

    /// 60 stones in each of 4 frames, each an indexed draw; and one ground, which is not.
    fn assert_all_draws_counted(&self) {
        assert_eq!(self.sum("vkCmdDrawIndexed"), 240);
        assert_eq!(self.sum("vkCmdDraw"), 4);
        assert_eq!(
            self.sum("vkEndCommandBuffer"),
            self.sum("vkBeginCommandBuffer")
        );
    }

    /// An owner sends submissions that wait for it in one call.
    fn assert_submitted(&self) {
        assert!((1..=4).contains(&self.sum("vkQueueSubmit2")));
        assert_eq!(self.numbers["executed"], true);
    }
}

#[test]
fn single_is_the_main_thread_alone() {
    if !device() {
        return;
    }
    for pass in PASSES {
        let run = Run::new("single", pass);
        let main = BTreeSet::from([run.main_thread()]);
        assert_eq!(run.ids("command"), main);
        assert_eq!(run.ids("pool"), main);
        assert_eq!(run.ids("queue"), main);
        run.assert_all_draws_counted();
        run.assert_submitted();
    }
}

#[test]
fn per_thread_draws_on_job_threads_each_with_buffers_of_its_own() {
    if !device() {
        return;
    }
    for pass in PASSES {
        let run = Run::new("per-thread", pass);
        let drew: BTreeSet<u64> = run
            .calls("vkCmdDrawIndexed")
            .iter()
            .map(|(id, _)| *id)
            .collect();
        let allocated: BTreeSet<u64> = run
            .calls("vkAllocateCommandBuffers")
            .iter()
            .map(|(id, _)| *id)
            .collect();
        assert!(!drew.is_empty());
        assert!(drew.iter().all(|id| run.is_job(*id)));
        assert!(drew.is_subset(&allocated), "{drew:?} {allocated:?}");
        assert_eq!(run.ids("queue"), BTreeSet::from([run.main_thread()]));
        run.assert_all_draws_counted();
        run.assert_submitted();
    }
}

#[test]
fn both_mutexes_draw_on_job_threads_from_one_shared_pool() {
    if !device() {
        return;
    }
    let kinds = ["mutex", "mutex-per-command"];
    for (kind, pass) in kinds
        .iter()
        .flat_map(|kind| PASSES.map(|pass| (kind, pass)))
    {
        let run = Run::new(kind, pass);
        // 7 secondaries and a primary in each of the two frames in flight, whatever thread a job falls to.
        assert_eq!(only_strategy(&run.numbers)["command_buffers"], 16);
        assert!(
            run.calls("vkCmdDrawIndexed")
                .iter()
                .all(|(id, _)| run.is_job(*id))
        );
        assert_eq!(run.ids("queue"), BTreeSet::from([run.main_thread()]));
        // One pool for the jobs and one for the main thread, for each frame in flight.
        assert_eq!(run.calls("vkCreateCommandPool"), [(run.main_thread(), 4)]);
        run.assert_all_draws_counted();
        run.assert_submitted();
    }
}

#[test]
fn without_execution_frames_are_recorded_and_recycled_and_no_queue_hears_of_them() {
    if !device() {
        return;
    }
    for strategy in STRATEGIES {
        for pass in PASSES {
            let run = Run::new(strategy, &[&["--no-execute"], pass].concat());
            for group in ["queue", "swapchain"] {
                assert_eq!(run.callers(group), &[] as &[Value], "{strategy} {pass:?}");
            }
            run.assert_all_draws_counted();
            assert_eq!(run.numbers["executed"], false);
            // Once for each frame and pool that was used, be it before the frame or after it.
            let resets = run.sum("vkResetCommandPool");
            let pools = run.sum("vkCreateCommandPool");
            assert!(
                (4..=4 * pools).contains(&resets),
                "{strategy}: {resets} resets of {pools} pools"
            );
            let executed = Run::new(strategy, pass);
            assert_eq!(
                only_strategy(&run.numbers)["pools"],
                only_strategy(&executed.numbers)["pools"]
            );
            assert_eq!(
                run.sum("vkCmdPushConstants"),
                executed.sum("vkCmdPushConstants")
            );
        }
    }
}

#[test]
fn agate_shards_draws_on_job_threads_with_a_pool_for_each_shard() {
    if !device() {
        return;
    }
    for pass in PASSES {
        let run = Run::new("agate-shards", pass);
        let drew = run.calls("vkCmdDrawIndexed");
        assert!(drew.iter().any(|(id, _)| run.is_job(*id)), "{drew:?}");
        let queue = run.ids("queue");
        assert_eq!(queue.len(), 1, "{queue:?}");
        assert!(!run.is_job(*queue.first().expect("one")));
        // For each of the two frames in flight: one of the owner with a thread, and one of each shard.
        let pools = run.sum("vkCreateCommandPool");
        assert!(pools >= 4 && pools.is_multiple_of(2), "{pools}");
        assert_eq!(only_strategy(&run.numbers)["pools"], pools);
        run.assert_all_draws_counted();
        run.assert_submitted();
    }
}

#[test]
fn agate_has_one_thread_for_commands_and_pools_and_it_is_not_a_jobs() {
    if !device() {
        return;
    }
    for pass in PASSES {
        let run = Run::new("agate", pass);
        let owner = run.ids("command");
        assert_eq!(owner.len(), 1, "{owner:?}");
        assert_eq!(run.ids("pool"), owner);
        let queue = run.ids("queue");
        assert_eq!(queue.len(), 1, "{queue:?}");
        for id in owner.union(&queue) {
            assert_ne!(*id, run.main_thread());
            assert!(!run.is_job(*id));
        }
        assert_eq!(
            run.calls("vkCreateCommandPool")
                .iter()
                .map(|(_, calls)| calls)
                .sum::<u64>(),
            2
        );
        assert_eq!(only_strategy(&run.numbers)["jobs_blocked"], 0);
        run.assert_all_draws_counted();
        run.assert_submitted();
    }
}
