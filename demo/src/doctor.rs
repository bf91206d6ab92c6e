//! `--doctor` and `--list-gpus`: what this machine has, and the command that installs what it lacks.
#![allow(unsafe_code, reason = "asks Vulkan")]

use ash::vk;

use crate::app;
use crate::error::{Doing, Error, INSTALL_DRIVER};
use crate::gpu::device::{self, Found};
use crate::gpu::instance::{Instance, VALIDATION_LAYER, has_layer};
use crate::libraries::{self, Display, LIBRARIES, Library};
use crate::say::say;

/// Prints everything; an error says that the demo cannot run even headless.
pub(crate) fn run() -> Result<(), Error> {
    print_libraries();
    let instance = Instance::new(&[], false)?;
    print_loader(&instance)?;
    let devices = device::list(&instance)?;
    for (index, found) in devices.iter().enumerate() {
        say!("{}", line(index, found));
        print_queue_families(&instance, found);
    }
    print_display();
    let choice = device::choose(&instance, None, None)?;
    say!("the demo would use: {}", choice.found.name);
    Ok(())
}

/// Prints a line for each device.
pub(crate) fn list_gpus() -> Result<(), Error> {
    let instance = Instance::new(&[], false)?;
    let devices = device::list(&instance)?;
    if devices.is_empty() {
        return Err(Error::NoDriver);
    }
    for (index, found) in devices.iter().enumerate() {
        say!("{}", line(index, found));
    }
    Ok(())
}

/// The table of libraries, and the command for those that are missing.
fn print_libraries() {
    say!(
        "{:<24}{:<9}{:<20}{:<20}{:<20}",
        "library",
        "found",
        "Debian",
        "Fedora",
        "Arch"
    );
    let mut missing: Vec<&Library> = Vec::new();
    for library in &LIBRARIES {
        let found = library.found();
        let word = if found { "yes" } else { "NO" };
        say!(
            "{:<24}{:<9}{:<20}{:<20}{:<20}",
            library.file,
            word,
            library.debian,
            library.fedora,
            library.arch
        );
        if !found {
            missing.push(library);
        }
    }
    if missing.is_empty() {
        say!("all libraries are there");
    } else {
        say!(
            "to install what is missing: {}",
            libraries::install_line(&missing)
        );
    }
}

fn print_loader(instance: &Instance) -> Result<(), Error> {
    // SAFETY: asks the loader, without preconditions.
    let version = unsafe { instance.entry.try_enumerate_instance_version() }
        .doing("asking for the loader's version")?;
    say!(
        "Vulkan loader: {}",
        device::version(version.unwrap_or(vk::API_VERSION_1_0))
    );
    // SAFETY: as above.
    let layers = unsafe { instance.entry.enumerate_instance_layer_properties() }
        .doing("listing the layers")?;
    for layer in &layers {
        let name = layer
            .layer_name_as_c_str()
            .unwrap_or(c"?")
            .to_string_lossy();
        say!("layer: {name} {}", device::version(layer.spec_version));
    }
    if !has_layer(&instance.entry, VALIDATION_LAYER)? {
        say!("no validation layer; for --validation: apt install vulkan-validationlayers");
    }
    Ok(())
}

fn line(index: usize, found: &Found) -> String {
    let version = device::version(found.api_version);
    format!(
        "{index}: {} ({}, Vulkan {version}, {})",
        found.name,
        found.kind_name(),
        found.driver
    )
}

fn print_queue_families(instance: &Instance, found: &Found) {
    // SAFETY: the device came from this instance.
    let families = unsafe {
        instance
            .raw
            .get_physical_device_queue_family_properties(found.handle)
    };
    for (index, family) in families.iter().enumerate() {
        say!(
            "   queue family {index}: {} queue(s), {:?}",
            family.queue_count,
            family.queue_flags
        );
    }
}

fn print_display() {
    let Some(display) = libraries::display() else {
        say!("no display: the demo draws headless; a driver that needs none: {INSTALL_DRIVER}");
        return;
    };
    let name = if display == Display::X11 {
        "X11"
    } else {
        "Wayland"
    };
    if !libraries::missing_for(display).is_empty() {
        say!("display: {name}, but libraries are missing for it");
        return;
    }
    match app::present_modes(display) {
        Ok(modes) => say!("display: {name}, present modes {modes:?}"),
        Err(error) => say!("display: {name}, but {error}"),
    }
}
