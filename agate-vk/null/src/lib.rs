//! stub
#![allow(missing_docs)]
use ash::vk;
use std::ffi::{CStr, c_void};
#[derive(Clone, Copy)]
pub enum Cost {
    None,
    Simulated,
}
#[derive(Default)]
pub struct NullOptions;
impl NullOptions {
    pub fn cost(self, _c: Cost) -> Self {
        self
    }
}
pub struct NullDevice;
impl NullDevice {
    pub fn new(_: NullOptions) -> Self {
        NullDevice
    }
    pub fn handle(&self) -> vk::Device {
        todo!()
    }
    pub fn queue(&self) -> vk::Queue {
        todo!()
    }
    pub fn function(&self, _: &CStr) -> *const c_void {
        todo!()
    }
    pub fn table(&self) -> ash::Device {
        todo!()
    }
}
