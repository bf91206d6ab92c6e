// The table the stones lie on and the dark room behind it: one triangle over the whole screen. The
// shadow under each stone needs no list of stones: a sunflower disc can be asked which of its
// seeds are near a point.

struct Ground {
    // xyz: eye; w: seconds.
    eye: vec4<f32>,
    // Ray through a pixel: forward + x * right + y * up. w of right: number of stones, of up: the seed.
    right: vec4<f32>,
    up: vec4<f32>,
    forward: vec4<f32>,
    // Colours of the slots of the palette, two to a word, 5-6-5 bits in gamma 2.
    slots: array<vec4<u32>, 2>,
}

var<immediate> ground: Ground;

struct Varying {
    @builtin(position) clip: vec4<f32>,
    @location(0) screen: vec2<f32>,
}

@vertex
fn vs(@builtin(vertex_index) i: u32) -> Varying {
    let p = vec2<f32>(f32((i & 1u) << 2u) - 1.0, f32((i & 2u) << 1u) - 1.0);
    var v: Varying;
    // At the far plane: stones in front of it win.
    v.clip = vec4<f32>(p, 1.0, 1.0);
    v.screen = p;
    return v;
}

const TURN: f32 = 6.2831853072;
const AIR: vec3<f32> = vec3<f32>(0.012, 0.014, 0.020);

fn film(c: vec3<f32>) -> vec3<f32> {
    let x = c * 0.9;
    return clamp((x * (2.51 * x + 0.03)) / (x * (2.43 * x + 0.59) + 0.14), vec3<f32>(0.0), vec3<f32>(1.0));
}

// Angle of seed `n` in turns, 0 to 1. In whole numbers, as a float would lose the fraction of large
// products: the factor is the golden angle in units of 2^-32 turns.
fn turn_of(n: f32) -> f32 {
    return f32(u32(max(n, 0.0)) * 1640531527u) * 2.3283064e-10;
}

// What the numbers of seed `n` are made from; its slot in the palette is bits 16 to 19.
fn chance(n: f32) -> u32 {
    var h = (u32(n) + u32(ground.up.w)) * 0x9e3779b9u;
    h = (h ^ (h >> 15u)) * 0x85ebca6bu;
    return h ^ (h >> 13u);
}

fn slot_colour(slot: u32) -> vec3<f32> {
    let four = ground.slots[slot >> 3u];
    let two = select(select(four.x, four.y, (slot & 2u) != 0u), select(four.z, four.w, (slot & 2u) != 0u), (slot & 4u) != 0u);
    let one = two >> ((slot & 1u) * 16u);
    let c = vec3<f32>(f32(one & 31u) / 31.0, f32((one >> 5u) & 63u) / 63.0, f32((one >> 11u) & 31u) / 31.0);
    return c * c;
}

// What seed `n` does to the ground at `p`: w is the light it leaves, xyz what shines through it.
fn spill(p: vec2<f32>, n: f32) -> vec4<f32> {
    if n < 0.0 || n >= ground.right.w {
        return vec4<f32>(0.0, 0.0, 0.0, 1.0);
    }
    let a = TURN * turn_of(n);
    let r = sqrt(n + 0.5);
    let q = p - r * vec2<f32>(cos(a), sin(a));
    let h = chance(n);
    let size = 0.72 + 0.22 * f32(h & 0xffffu) / 65535.0;
    let near = length(q) / size;
    let thrown = length(q - vec2<f32>(0.24, 0.22)) / size;
    let left = (0.04 + 0.96 * smoothstep(0.35, 1.25, near)) * (0.35 + 0.65 * smoothstep(0.5, 1.35, thrown));
    // The stone is translucent: on the side away from the key light its colour lies on the ground.
    let lens = length(q - vec2<f32>(0.42, 0.38)) / size;
    let glow = 1.0 - smoothstep(0.35, 1.25, lens);
    let back = 1.0 - smoothstep(0.6, 1.5, near);
    return vec4<f32>(slot_colour((h >> 16u) & 15u) * (glow * glow * smoothstep(0.45, 0.85, near) + 0.12 * back), left);
}

// The four seeds around `p` together.
fn spills(p: vec2<f32>) -> vec4<f32> {
    let rr = dot(p, p);
    let r = sqrt(rr);
    if rr > ground.right.w + 3.0 * r + 4.0 {
        return vec4<f32>(0.0, 0.0, 0.0, 1.0);
    }
    // Consecutive Fibonacci numbers F and G with F <= 2.37 r < G: at this radius a step of F or G
    // seeds leads to a neighbour in the plane.
    var f = 1.0;
    var g = 2.0;
    for (var i = 0; i < 16; i = i + 1) {
        if g * g < 5.62 * rr {
            let t = f + g;
            f = g;
            g = t;
        }
    }
    // Steps of F and G seeds: along the circle (in turns), and outward (in seeds).
    let tf = fract(f * 0.3819660113 + 0.5) - 0.5;
    let tg = fract(g * 0.3819660113 + 0.5) - 0.5;
    // The seed `base` lies at the right distance; go along the lattice to the right angle:
    // i * (f, tf) + j * (g, tg) = (dn, dt).
    let n = rr - 0.5;
    let base = floor(n + 0.5);
    let dn = n - base;
    let turns = atan2(p.y, p.x) / TURN - turn_of(base);
    let dt = turns - floor(turns + 0.5);
    let det = f * tg - g * tf;
    let i = floor((dn * tg - g * dt) / det);
    let j = floor((f * dt - tf * dn) / det);
    let s = base + i * f + j * g;
    let a = spill(p, s);
    let b = spill(p, s + f);
    let c = spill(p, s + g);
    let d = spill(p, s + f + g);
    return vec4<f32>(a.xyz + b.xyz + c.xyz + d.xyz, a.w * b.w * c.w * d.w);
}

@fragment
fn fs(v: Varying) -> @location(0) vec4<f32> {
    let ray = normalize(ground.forward.xyz + v.screen.x * ground.right.xyz + v.screen.y * ground.up.xyz);
    var c = AIR;
    let grain = fract(sin(dot(v.clip.xy, vec2<f32>(12.9898, 78.233))) * 43758.547) - 0.5;
    if ray.y < -0.002 {
        let far = ground.eye.y / -ray.y;
        let p = ground.eye.xz + far * ray.xz;
        let near = spills(p);
        // Slate with a sheen of the soft-box in it.
        let mirror = vec2<f32>(ray.x, ray.z) / -ray.y - vec2<f32>(-0.55, -0.75);
        let sheen = exp2(-dot(mirror, mirror) * 0.55);
        let f = 1.0 + ray.y;
        var floor_colour = vec3<f32>(0.010, 0.011, 0.015) + sheen * vec3<f32>(0.040, 0.039, 0.038);
        floor_colour = floor_colour + f * f * f * vec3<f32>(0.02, 0.025, 0.035);
        // The lamps light the disc and little else.
        let reach = dot(p, p) / (2.0 * ground.right.w + 60.0);
        floor_colour = floor_colour / (1.0 + reach * reach);
        c = floor_colour * near.w + near.xyz * (0.075 + 0.05 * sheen);
        let mist = 1.0 - exp2(-far * far * 0.00035);
        c = mix(c, AIR, mist);
    }
    let rise = smoothstep(-0.12, 0.5, ray.y);
    c = c + rise * vec3<f32>(0.010, 0.014, 0.024);
    return vec4<f32>(film(c) + grain * 0.002, 1.0);
}
