//! Commands through a real loader: found by their names on whatever driver is there, and each of them recorded, replayed
//! and submitted where the driver is the Khronos mock driver, which takes anything (`cargo xtask check --deep mock`).

#![allow(unsafe_code, reason = "every Vulkan call is unsafe")]
#![allow(
    clippy::multiple_unsafe_ops_per_block,
    reason = "the calls that make a device belong together"
)]

#[path = "generated/mod.rs"]
mod generated;
#[path = "support/irregular.rs"]
mod irregular;
#[path = "support/maker.rs"]
mod maker;
#[path = "support/null.rs"]
mod support;

use agate_vk::{Command, Service, ServiceOptions, StreamRecorder, SubmitOptions, ash, vk};
use maker::{Maker, Trial, Try};
use null_device::{NullDevice, NullOptions};
use std::collections::BTreeSet;
use std::ffi::CStr;
use support::{LONG, Random};

/// How many frames, each with every command in an order of its own.
const FRAMES: u64 = 40;

/// The environment variable that says that the driver must be the mock driver.
const MOCK: &str = "AGATE_MOCK_DRIVER";

/// A device with all its extensions.
struct Loaded {
    _entry: ash::Entry,
    instance: ash::Instance,
    device: ash::Device,
    name: String,
}

impl Loaded {
    /// `None`, and a line that says why, without a driver.
    fn open() -> Option<Self> {
        // SAFETY: loading the system's Vulkan loader runs its initialisers, which are sound.
        let entry = match unsafe { ash::Entry::load() } {
            Ok(entry) => entry,
            Err(error) => return skip(&format!("no Vulkan loader ({error}); Debian: libvulkan1")),
        };
        let application = vk::ApplicationInfo::default().api_version(vk::API_VERSION_1_3);
        let info = vk::InstanceCreateInfo::default().application_info(&application);
        // SAFETY: neither layers nor extensions are asked for.
        let Ok(instance) = (unsafe { entry.create_instance(&info, None) }) else {
            return skip("no Vulkan driver; Debian: mesa-vulkan-drivers");
        };
        // SAFETY: the instance lives.
        let physical = unsafe { instance.enumerate_physical_devices() }.unwrap_or_default();
        let Some(physical) = physical.first().copied() else {
            return skip("no Vulkan device");
        };
        // SAFETY: as above.
        let (properties, extensions) = unsafe {
            (
                instance.get_physical_device_properties(physical),
                instance.enumerate_device_extension_properties(physical),
            )
        };
        let name = properties.device_name_as_c_str().unwrap_or_default();
        let extensions = extensions.unwrap_or_default();
        let is_mock = name.to_bytes().starts_with(b"Vulkan Mock");
        // A driver may refuse some of its extensions together; the mock driver refuses none.
        let enabled: Vec<_> = extensions
            .iter()
            .filter(|_| is_mock)
            .map(|extension| extension.extension_name.as_ptr())
            .collect();
        let queues = [vk::DeviceQueueCreateInfo::default().queue_priorities(&[1.0])];
        let mut v12 = vk::PhysicalDeviceVulkan12Features::default().timeline_semaphore(true);
        let mut v13 = vk::PhysicalDeviceVulkan13Features::default()
            .synchronization2(true)
            .dynamic_rendering(true);
        let info = vk::DeviceCreateInfo::default()
            .queue_create_infos(&queues)
            .enabled_extension_names(&enabled)
            .push_next(&mut v12)
            .push_next(&mut v13);
        // SAFETY: the extensions are the device's, and every device has a queue family.
        let Ok(device) = (unsafe { instance.create_device(physical, &info, None) }) else {
            return skip("no device of Vulkan 1.3");
        };
        Some(Self {
            name: name.to_string_lossy().into_owned(),
            _entry: entry,
            instance,
            device,
        })
    }

    fn is_mock(&self) -> bool {
        self.name.starts_with("Vulkan Mock")
    }

    /// Whether the device has the command, by any of its names.
    fn has(&self, command: &Command) -> bool {
        let get = self.instance.fp_v1_0().get_device_proc_addr;
        let found = |name: &&CStr| {
            // SAFETY: the device lives, and the name ends.
            unsafe { get(self.device.handle(), name.as_ptr()) }.is_some()
        };
        command.names.iter().any(found)
    }
}

impl Drop for Loaded {
    fn drop(&mut self) {
        // SAFETY: the service has ended, and nothing else was made.
        unsafe {
            self.device.destroy_device(None);
            self.instance.destroy_instance(None);
        }
    }
}

fn skip<T>(reason: &str) -> Option<T> {
    println!("SKIPPED: {reason}");
    assert!(std::env::var_os("CI").is_none(), "skipped in CI: {reason}");
    None
}

#[test]
fn commands_of_the_core_are_found_by_their_names() {
    let Some(loaded) = Loaded::open() else {
        return;
    };
    let of_the_core: Vec<_> = Command::all()
        .iter()
        .filter(|command| command.from.starts_with("VK_VERSION"))
        .collect();
    assert!(of_the_core.len() > 70, "{}", of_the_core.len());
    for command in of_the_core {
        assert!(loaded.has(command), "{} has no {command:?}", loaded.name);
    }
}

#[test]
fn every_command_goes_through_the_mock_driver() {
    let asked = std::env::var_os(MOCK).is_some();
    let Some(loaded) = Loaded::open() else {
        assert!(!asked, "there is no driver");
        return;
    };
    if !loaded.is_mock() {
        assert!(!asked, "the driver is {}", loaded.name);
        return;
    }
    // SAFETY: the queue was made with the device.
    let queue = unsafe { loaded.device.get_device_queue(0, 0) };
    // SAFETY: the device was made from this instance.
    let device = unsafe { agate_vk::Device::from_ash(&loaded.instance, &loaded.device) };
    let options = ServiceOptions::new(queue, 0);
    // SAFETY: the queue is left to the service, which ends before the device.
    let service = unsafe { Service::new(device.expect("all functions are there"), options) };
    let mut service = service.expect("a service starts");

    let is_there = |trial: &Try<StreamRecorder>| {
        let command = Command::all()
            .iter()
            .find(|command| command.name == trial.0);
        command.is_some_and(|command| loaded.has(command))
    };
    let mut all: Vec<Try<StreamRecorder>> = generated::all();
    all.extend(irregular::all());
    let names = |all: &[Try<StreamRecorder>]| -> BTreeSet<&str> {
        all.iter().map(|trial| trial.0).collect()
    };
    let known = names(&all);
    all.retain(is_there);
    let there = names(&all);
    let missing: Vec<_> = known.difference(&there).collect();
    println!("{} commands; not there: {missing:?}", there.len());
    assert_eq!(known, generated::NAMES.iter().copied().collect());
    assert!(missing.len() * 10 < known.len(), "{missing:?}");

    // What is called directly goes here.
    let null = NullDevice::new(NullOptions::default());
    for seed in 0..FRAMES {
        let mut random = Random(seed);
        for i in (1..all.len()).rev() {
            all.swap(i, random.below(i as u64 + 1) as usize);
        }
        let mut frame = service.begin_frame_timeout(LONG).expect("a credit");
        let slot = frame.outside(1).expect("room").slot(0).expect("free");
        let mut maker = Maker::new(seed);
        let mut trial = Trial {
            direct: &null,
            buffer: vk::CommandBuffer::null(),
            recorder: slot.stream().expect("room"),
        };
        for (_, one) in &all {
            one(&mut maker, &mut trial);
        }
        trial.recorder.finish().expect("all arguments are good");
        let mut ticket = frame.submit(SubmitOptions::default());
        let report = ticket.wait_timeout(LONG).expect("executed");
        assert_eq!(report.commands, all.len() as u64);
        maker.spoil();
    }
    let report = service.shutdown(LONG);
    assert_eq!((report.leaked, report.panicked), (0, false));
}
