//! Who calls Vulkan, by strategy, from the counting device table.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::support::{Folder, PASSES, device, only_strategy, small};

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

    /// 60 stones in each of 4 frames, each an indexed draw; and one ground, which is not.
    fn assert_all_draws_counted(&self) {
        let sum = |function| {
            self.calls(function)
                .iter()
                .map(|(_, calls)| calls)
                .sum::<u64>()
        };
        assert_eq!(sum("vkCmdDrawIndexed"), 240);
        assert_eq!(sum("vkCmdDraw"), 4);
        // An owner sends submissions that wait for it in one call.
        assert!((1..=4).contains(&sum("vkQueueSubmit2")));
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
    }
}

#[test]
fn mutex_draws_on_job_threads_from_one_shared_pool() {
    if !device() {
        return;
    }
    for pass in PASSES {
        let run = Run::new("mutex", pass);
        assert!(
            run.calls("vkCmdDrawIndexed")
                .iter()
                .all(|(id, _)| run.is_job(*id))
        );
        assert_eq!(run.ids("queue"), BTreeSet::from([run.main_thread()]));
        // One pool for the jobs and one for the main thread, for each frame in flight.
        assert_eq!(run.calls("vkCreateCommandPool"), [(run.main_thread(), 4)]);
        run.assert_all_draws_counted();
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
    }
}
