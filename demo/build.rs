//! Placeholder: compiles two shaders given inline.
use naga::{back::spv, front::wgsl, valid};
fn main() {
    let out = std::env::var("OUT_DIR").expect("OUT_DIR");
    let stone = "struct P { a: vec4<f32>, b: array<vec4<f32>, 7> } var<immediate> p: P;
struct V { @builtin(position) pos: vec4<f32>, @location(0) n: vec3<f32> }
@vertex fn vs(@location(0) pos: vec3<f32>, @location(1) n: vec3<f32>) -> V { return V(vec4(p.a.xy + pos.xy * p.a.w, p.a.z, 1.0), n); }
@fragment fn fs(v: V) -> @location(0) vec4<f32> { return vec4(abs(v.n), 1.0); }";
    let ground = "struct P { a: vec4<f32> } var<immediate> p: P;
@vertex fn vs(@builtin(vertex_index) i: u32) -> @builtin(position) vec4<f32> { return vec4(f32(i & 1u) * 4.0 - 1.0, f32(i >> 1u) * 4.0 - 1.0, 0.999, 1.0); }
@fragment fn fs() -> @location(0) vec4<f32> { return vec4(0.1, 0.1 + 0.0 * p.a.x, 0.15, 1.0); }";
    for (name, source) in [("placeholder", stone), ("placeholder_ground", ground)] {
        let module = wgsl::parse_str(source).expect(name);
        let info = valid::Validator::new(valid::ValidationFlags::all(), valid::Capabilities::IMMEDIATES).validate(&module).expect(name);
        let words = spv::write_vec(&module, &info, &spv::Options::default(), None).expect(name);
        let bytes: Vec<u8> = words.iter().flat_map(|w| w.to_le_bytes()).collect();
        std::fs::write(format!("{out}/{name}.spv"), bytes).expect(name);
    }
}
