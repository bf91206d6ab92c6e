//! Tests of the scene.

use super::*;

fn pushes(scene: &Scene, view: &View) -> Vec<StonePush> {
    (0..scene.len())
        .map(|i| scene.stone_push(i, view))
        .collect()
}

fn transform(m: &[f32; 16], p: [f32; 3]) -> [f32; 4] {
    std::array::from_fn(|row| m[row] * p[0] + m[4 + row] * p[1] + m[8 + row] * p[2] + m[12 + row])
}

#[test]
fn same_seed_same_stones_other_seed_other_stones() {
    let view = Camera::default().view(1.6, 2.0);
    let one = Scene::new(5, 200, 0);
    let two = Scene::new(5, 200, 0);
    let other = Scene::new(6, 200, 0);
    assert_eq!(pushes(&one, &view), pushes(&two, &view));
    assert_eq!(one.ground_push(&view), two.ground_push(&view));
    let changed = pushes(&one, &view)
        .iter()
        .zip(pushes(&other, &view))
        .filter(|(a, b)| a.stone.look != b.stone.look)
        .count();
    assert_eq!(changed, 200);
}

#[test]
fn a_larger_disc_begins_with_the_stones_of_a_smaller_one() {
    let view = Camera::default().view(1.6, 0.0);
    let small = pushes(&Scene::new(1, 50, 0), &view);
    let large = pushes(&Scene::new(1, 500, 0), &view);
    assert_eq!(small, large[..50]);
}

#[test]
fn all_kinds_and_all_palettes_occur() {
    let scene = Scene::new(3, 500, 0);
    for kind in 0..4 {
        let count = scene
            .stones
            .iter()
            .filter(|s| s.look.kind() == kind)
            .count();
        assert!(count > 30, "kind {kind}: {count}");
    }
    let slots: std::collections::HashSet<u32> = (0..500)
        .map(|i| (layout::chance(scene.seed, i) >> 16) & 15)
        .collect();
    assert_eq!(slots.len(), 16);
}

/// Seen from above, rims sampled at 128 points: no point of one rim lies deeper in another stone
/// than two hundredths of a unit.
#[test]
fn stones_do_not_overlap() {
    let scene = Scene::new(9, 600, 0);
    for (i, a) in scene.stones.iter().enumerate() {
        for b in &scene.stones[..i] {
            let apart = [b.position[0] - a.position[0], b.position[2] - a.position[2]];
            if apart[0].hypot(apart[1]) > 2.2 {
                continue;
            }
            for step in 0..128 {
                let angle = std::f32::consts::TAU * step as f32 / 128.0;
                let (z, x) = angle.sin_cos();
                let reach = rim(a, [x, z]);
                let p = [x * reach - apart[0], z * reach - apart[1]];
                let from_b = p[0].hypot(p[1]).max(1e-6);
                let inside = rim(b, [p[0] / from_b, p[1] / from_b]) - from_b;
                assert!(inside < 0.02, "stone {i} is {inside} deep in another");
            }
        }
    }
}

/// Distance from the centre to the rim in a direction of the world, for a stone that does not lean.
fn rim(stone: &Stone, direction: [f32; 2]) -> f32 {
    let snorm = |word: u32, shift: u32| f32::from((word >> shift) as u16 as i16) / 32767.0;
    let [xy, zw] = stone.rotation;
    // Without the lean: the twist about y of the quaternion.
    let (y, w) = (snorm(xy, 16), snorm(zw, 16));
    let spin = 2.0 * y.atan2(w);
    let (sin, cos) = spin.sin_cos();
    let [x, z] = direction;
    stone.radius
        * stone
            .look
            .outline()
            .rim([x * cos - z * sin, x * sin + z * cos])
}

#[test]
fn stones_stay_a_sensible_size_and_above_the_ground() {
    let scene = Scene::new(2, 2_000, 0);
    let mean = scene.stones.iter().map(|s| s.radius).sum::<f32>() / 2_000.0;
    assert!(mean > 0.7, "mean radius {mean}");
    for stone in &scene.stones {
        assert!(
            (0.5..=0.95).contains(&stone.radius),
            "radius {}",
            stone.radius
        );
        assert!(stone.position[1] > 0.25 && stone.position[1] < 1.0);
        let unit = |word: u32, shift: u32| f32::from((word >> shift) as u16 as i16) / 32767.0;
        let [xy, zw] = stone.rotation;
        let q = [unit(xy, 0), unit(xy, 16), unit(zw, 0), unit(zw, 16)];
        let length: f32 = q.iter().map(|v| v * v).sum();
        assert!((length - 1.0).abs() < 1e-3, "quaternion {q:?}");
    }
}

#[test]
fn meshes_are_sound_at_every_detail() {
    let mut last = 0;
    for detail in 0..4 {
        let mesh = Mesh::geode(detail);
        assert!(mesh.indices.len().is_multiple_of(3) && mesh.indices.len() > last);
        last = mesh.indices.len();
        assert!(
            mesh.indices
                .iter()
                .all(|&i| (i as usize) < mesh.vertices.len())
        );
        for triangle in mesh.indices.chunks_exact(3) {
            let [a, b, c] = [0, 1, 2].map(|k| mesh.vertices[triangle[k] as usize]);
            let u: [f32; 3] = std::array::from_fn(|k| b.position[k] - a.position[k]);
            let v: [f32; 3] = std::array::from_fn(|k| c.position[k] - a.position[k]);
            let area = [
                u[1] * v[2] - u[2] * v[1],
                u[2] * v[0] - u[0] * v[2],
                u[0] * v[1] - u[1] * v[0],
            ];
            let outward: f32 = (0..3)
                .map(|k| area[k] * (a.normal[k] + b.normal[k] + c.normal[k]))
                .sum();
            assert!(outward > 0.0, "detail {detail}: a triangle is wound inward");
        }
    }
    assert_eq!(Mesh::geode(3).indices, Mesh::geode(99).indices);
}

#[test]
fn vertex_attributes_cover_the_vertex() {
    assert_eq!(Vertex::STRIDE, 28);
    assert_eq!(
        Vertex::ATTRIBUTES.map(|a| a.offset as usize),
        [
            std::mem::offset_of!(Vertex, position),
            std::mem::offset_of!(Vertex, normal),
            std::mem::offset_of!(Vertex, part),
        ]
    );
}

#[test]
fn pushes_fit_the_guaranteed_128_bytes() {
    assert_eq!(size_of::<StonePush>(), 128);
    assert_eq!(std::mem::offset_of!(StonePush, stone), 64);
    assert_eq!(std::mem::offset_of!(StonePush, eye), 112);
    assert!(size_of::<GroundPush>() <= 128);
    assert_eq!(std::mem::offset_of!(GroundPush, slots), 64);
}

#[test]
fn shaders_are_spirv_modules() {
    for module in [STONE_SPV, GROUND_SPV] {
        assert!(module.len().is_multiple_of(4));
        assert_eq!(module[..4], 0x0723_0203_u32.to_le_bytes());
    }
}

#[test]
fn the_target_is_in_the_middle_of_the_screen_and_y_is_up() {
    let mut camera = Camera::default();
    camera.orbit(120.0, -40.0);
    camera.zoom(2.0);
    let view = camera.view(16.0 / 9.0, 3.0);
    let [x, y, z, w] = transform(&view.view_projection, camera.target);
    assert!(x.abs() < 1e-4 && y.abs() < 1e-4 && z > 0.0 && z < w);
    assert!((w - camera.distance).abs() < 1e-3);
    let above = [camera.target[0], camera.target[1] + 1.0, camera.target[2]];
    assert!(transform(&view.view_projection, above)[1] > 0.0);
    // The corner ray and the projection agree.
    let far: [f32; 3] =
        std::array::from_fn(|i| view.eye[i] + 7.0 * (view.forward[i] + view.right[i] + view.up[i]));
    let [x, y, _, w] = transform(&view.view_projection, far);
    assert!((x / w - 1.0).abs() < 1e-4 && (y / w - 1.0).abs() < 1e-4);
}

#[test]
fn the_camera_stays_above_the_ground_and_in_range() {
    let mut camera = Camera::default();
    camera.orbit(0.0, -1e6);
    camera.zoom(1e3);
    assert!(camera.view(1.0, 0.0).eye[1] > 0.3);
    camera.orbit(0.0, 1e6);
    camera.zoom(-1e3);
    let view = camera.view(1.0, 0.0);
    assert!(view.view_projection.iter().all(|v| v.is_finite()));
    assert_eq!(view, camera.view(1.0, 0.0));
}
