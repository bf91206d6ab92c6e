//! Recording a frame's commands in all the ways that people do it, on three devices.
//!
//! Every candidate records the same draws: bind a pipeline, bind a vertex buffer, push 64 bytes, draw. A frame ends when
//! its one primary command buffer has ended, the owner's replay included.

pub mod claims;
pub mod device;
pub mod encode;
pub mod frame;
pub mod goals;
pub mod options;
pub mod report;
pub mod run;
pub mod strategy;
pub mod work;
