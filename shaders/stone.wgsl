// A half-geode: a cut and polished face, a bevel, a rough rind. One draw call each; everything that
// makes a stone its own arrives as push constants (128 bytes), every band is computed here.

struct Stone {
    view_proj: mat4x4<f32>,
    // xyz: centre of the cut face in the world; w: radius.
    place: vec4<f32>,
    // Quaternion, four snorm16.
    rotation: vec2<u32>,
    // Palette, unorm8 in gamma 2.
    dark: u32,
    middle: u32,
    light: u32,
    heart: u32,
    // Bytes: kind, number of bands, warp, size of the heart.
    style: u32,
    // Four snorm8: two harmonics of the outline; also the seed.
    shape: u32,
    // xyz: eye in the world; w: seconds.
    eye: vec4<f32>,
}

var<immediate> stone: Stone;

struct Varying {
    @builtin(position) clip: vec4<f32>,
    // xyz: place in the stone (the face lies in y = 0); w: which part of the mesh.
    @location(0) local: vec4<f32>,
    @location(1) world: vec3<f32>,
    @location(2) normal: vec3<f32>,
}

const KIND_BANDED: u32 = 0u;
const KIND_DRUZY: u32 = 1u;
const KIND_WATERLINE: u32 = 2u;
const KIND_MOSS: u32 = 3u;

const BEVEL: f32 = 0.035;
const BELLY: f32 = 0.62;

// ---- numbers ---------------------------------------------------------------------------------

fn hash1(x: f32) -> f32 {
    var p = fract(x * 0.1031);
    p = p * (p + 33.33);
    return fract(p * (p + p));
}

fn hash2(p: vec2<f32>) -> vec2<f32> {
    var q = fract(p.xyx * vec3<f32>(0.1031, 0.1030, 0.0973));
    q = q + dot(q, q.yzx + 33.33);
    return fract((q.xx + q.yz) * q.zy);
}

fn hash_cell(p: vec2<f32>) -> f32 {
    var q = fract(p.xyx * 0.1031);
    q = q + dot(q, q.yzx + 33.33);
    return fract((q.x + q.y) * q.z);
}

fn noise(p: vec2<f32>) -> f32 {
    let i = floor(p);
    let f = p - i;
    let u = f * f * (3.0 - 2.0 * f);
    let a = hash_cell(i);
    let b = hash_cell(i + vec2<f32>(1.0, 0.0));
    let c = hash_cell(i + vec2<f32>(0.0, 1.0));
    let d = hash_cell(i + vec2<f32>(1.0, 1.0));
    return mix(mix(a, b, u.x), mix(c, d, u.x), u.y) * 2.0 - 1.0;
}

fn ink(packed: u32) -> vec3<f32> {
    let c = unpack4x8unorm(packed).xyz;
    return c * c;
}

fn turn(q: vec4<f32>, v: vec3<f32>) -> vec3<f32> {
    return v + 2.0 * cross(q.xyz, cross(q.xyz, v) + q.w * v);
}

fn rotation() -> vec4<f32> {
    return vec4<f32>(unpack2x16snorm(stone.rotation.x), unpack2x16snorm(stone.rotation.y));
}

// ---- shape, shared by both stages --------------------------------------------------------------

// Distance of the rim from the centre in direction `d` (unit length): at most 1.
fn outline(d: vec2<f32>) -> f32 {
    let a = unpack4x8snorm(stone.shape);
    let d2 = vec2<f32>(d.x * d.x - d.y * d.y, 2.0 * d.x * d.y);
    let d3 = vec2<f32>(d2.x * d.x - d2.y * d.y, d2.x * d.y + d2.y * d.x);
    let d5 = vec2<f32>(d3.x * d2.x - d3.y * d2.y, d3.x * d2.y + d3.y * d2.x);
    return 0.86 + 0.12 * dot(a.xy, d2) + 0.065 * dot(a.zw, d3) + 0.03 * dot(a.wx, d5);
}

// Edge of the heart as a share of the way from the centre to the rim.
fn heart_edge(d: vec2<f32>) -> f32 {
    let a = unpack4x8snorm(stone.shape);
    let d2 = vec2<f32>(d.x * d.x - d.y * d.y, 2.0 * d.x * d.y);
    let d4 = vec2<f32>(d2.x * d2.x - d2.y * d2.y, 2.0 * d2.x * d2.y);
    let size = unpack4x8unorm(stone.style).w;
    return size * (1.0 + 0.2 * dot(a.zy, d2) + 0.14 * dot(a.xw, d4));
}

// Depth of the hollow of a druzy stone.
fn hollow_depth() -> f32 {
    return 0.34 * min(1.0, 1.4 * unpack4x8unorm(stone.style).w + 0.35);
}

@vertex
fn vs(
    @location(0) position: vec3<f32>,
    @location(1) normal: vec3<f32>,
    @location(2) part: f32,
) -> Varying {
    let kind = stone.style & 0xffu;
    let t = length(position.xz);
    let d = select(vec2<f32>(1.0, 0.0), position.xz / max(t, 1e-6), t > 1e-5);
    let rim = outline(d);
    var p = vec3<f32>(0.0);
    var n = normal;
    if part < 0.5 {
        // The face: rings up to t = 0.5 belong to the heart, the others to the bands.
        let edge = heart_edge(d);
        let inner = 2.0 * t;
        let u = select(mix(edge, 1.0 - BEVEL, inner - 1.0), edge * inner, t < 0.5);
        let sink = select(0.0, hollow_depth(), kind == KIND_DRUZY);
        let hollow = max(0.0, 1.0 - inner * inner);
        p = vec3<f32>(d.x * u * rim, -sink * sqrt(hollow), d.y * u * rim);
        n = vec3<f32>(d.x * u * u * 0.16, 1.0, d.y * u * u * 0.16);
    } else if part < 1.5 {
        p = vec3<f32>(d.x * t * rim, position.y, d.y * t * rim);
    } else {
        let a = unpack4x8snorm(stone.shape);
        let lump = 1.0 + 0.06 * position.y * (sin(d.x * 5.0 + a.x * 9.0 + position.y * 4.0) + sin(d.y * 6.0 + a.z * 9.0));
        p = vec3<f32>(position.x * rim * lump, position.y * BELLY * lump - BEVEL, position.z * rim * lump);
        n = vec3<f32>(normal.x, normal.y / BELLY, normal.z);
    }

    let q = rotation();
    var offset = turn(q, p);
    var facing = turn(q, normalize(n));
    // A slow wave runs through the disc and tilts each stone a little.
    let out = normalize(vec3<f32>(stone.place.z + 1e-3, 0.0, -stone.place.x));
    let sway = out * (0.055 * sin(stone.eye.w * 0.8 - length(stone.place.xz) * 0.55));
    offset = offset + cross(sway, offset);
    facing = facing + cross(sway, facing);

    var world = stone.place.xyz + offset * stone.place.w;
    world.y = max(world.y, 0.0);

    var v: Varying;
    v.clip = stone.view_proj * vec4<f32>(world, 1.0);
    v.local = vec4<f32>(p, part);
    v.world = world;
    v.normal = facing;
    return v;
}

// ---- light -------------------------------------------------------------------------------------

const KEY: vec3<f32> = vec3<f32>(-0.47, 0.76, -0.45);
const FILL: vec3<f32> = vec3<f32>(0.62, 0.30, 0.72);
const AIR: vec3<f32> = vec3<f32>(0.012, 0.014, 0.020);

// The studio as a mirror sees it: one big soft-box, one strip, a dim room.
fn studio(r: vec3<f32>, rough: f32) -> vec3<f32> {
    let up = max(r.y, 0.03);
    let p = r.xz / up;
    let s = 0.06 + rough * 1.2;
    let a = abs(p - vec2<f32>(-0.55, -0.75)) - vec2<f32>(0.46, 0.24);
    let box = (1.0 - smoothstep(-s, s, a.x)) * (1.0 - smoothstep(-s, s, a.y));
    let b = abs(p - vec2<f32>(1.5, 0.2)) - vec2<f32>(0.16, 1.5);
    let strip = (1.0 - smoothstep(-s, s, b.x)) * (1.0 - smoothstep(-s, s, b.y));
    let room = mix(vec3<f32>(0.020, 0.020, 0.024), vec3<f32>(0.16, 0.18, 0.22), smoothstep(-0.2, 1.0, r.y));
    let lit = box * vec3<f32>(5.2, 4.9, 4.5) + strip * vec3<f32>(2.2, 2.7, 3.4);
    return room + lit * smoothstep(0.02, 0.12, r.y) / (1.0 + rough * 2.0);
}

fn film(c: vec3<f32>) -> vec3<f32> {
    let x = c * 0.9;
    return clamp((x * (2.51 * x + 0.03)) / (x * (2.43 * x + 0.59) + 0.14), vec3<f32>(0.0), vec3<f32>(1.0));
}

// ---- bands -------------------------------------------------------------------------------------

fn palette(x: f32) -> vec3<f32> {
    let lower = mix(ink(stone.dark), ink(stone.middle), clamp(2.0 * x, 0.0, 1.0));
    return mix(lower, ink(stone.light), clamp(2.0 * x - 1.0, 0.0, 1.0));
}

fn band_colour(i: f32, seed: f32) -> vec3<f32> {
    let h = hash2(vec2<f32>(i + 0.5, seed));
    let odd = fract(i * 0.5) * 2.0;
    var x = mix(h.x * 0.52, 0.92 - h.x * h.x * 0.55, odd);
    x = mix(x, h.y, 0.22);
    let chalk = smoothstep(0.86, 0.90, h.y) * odd;
    return mix(palette(x), mix(ink(stone.light), vec3<f32>(0.84, 0.82, 0.78), 0.7), chalk);
}

// Colour at band coordinate `s`; `w` is how much `s` changes over a pixel.
fn bands(s: f32, w: f32, seed: f32) -> vec3<f32> {
    let x = s + 0.34 * sin(s * 1.9 + seed) + 0.16 * sin(s * 4.3 + seed * 1.7);
    let j = floor(x + 0.5);
    let soft = hash1(j + seed * 3.1);
    let t = clamp((x - j) / max(1.6 * w, 0.06 + 0.75 * soft * soft * soft) + 0.5, 0.0, 1.0);
    var c = mix(band_colour(j - 1.0, seed), band_colour(j, seed), t);
    // Some bands end in a thin line of iron.
    let iron = smoothstep(0.62, 0.66, hash1(j * 2.3 + seed)) * (1.0 - smoothstep(0.25, 0.6, w));
    let rim_line = 1.0 - smoothstep(0.0, 0.07 + w, abs(x - j - 0.04));
    c = c * mix(vec3<f32>(1.0), ink(stone.dark) * 0.6 + 0.12, iron * rim_line * 0.75);
    // Fine lines inside a band; they fade before they alias.
    let k = mix(4.0, 9.0, hash1(floor(x) + seed));
    let deep = hash1(floor(x) * 1.7 + seed * 2.3);
    let fine = 1.0 - smoothstep(0.15, 0.5, w * k);
    let line = abs(fract(x * k) * 2.0 - 1.0);
    c = c * (1.0 + (line - 0.5) * 0.55 * deep * fine);
    return mix(c, palette(0.5), smoothstep(0.6, 1.6, w));
}

struct Surface {
    albedo: vec3<f32>,
    normal: vec3<f32>,
    rough: f32,
    // Strength of the clear reflection at right angles.
    gloss: f32,
    // How much light comes through from behind.
    glow: f32,
    shade: f32,
    // Glitter of the key light.
    spark: f32,
    // Light that wanders inside crystals.
    inner: f32,
}

// Crystals: one six-sided pyramid per cell. xyz: facet normal in the stone, w: a number per facet.
fn crystals(p: vec2<f32>, tilt: f32) -> vec4<f32> {
    let cell = floor(p - 0.5);
    var best = 9.0;
    var to = vec2<f32>(0.0);
    var id = vec2<f32>(0.0);
    for (var y = 0; y <= 1; y = y + 1) {
        for (var x = 0; x <= 1; x = x + 1) {
            let c = cell + vec2<f32>(f32(x), f32(y));
            let h = hash2(c);
            let r = c + 0.2 + 0.6 * h - p;
            let e = dot(r, r);
            if e < best {
                best = e;
                to = r;
                id = h;
            }
        }
    }
    // The nearest of three axes through the cell decides the facet.
    let g = id * 6.2831853;
    let a = vec2<f32>(cos(g.x), sin(g.x));
    let b = vec2<f32>(-0.5 * a.x - 0.8660254 * a.y, 0.8660254 * a.x - 0.5 * a.y);
    let c = -(a + b);
    let side = -to + (id - 0.5) * 0.35;
    let m = vec3<f32>(dot(side, a), dot(side, b), dot(side, c));
    var way = c;
    var facet = 0.7;
    if m.x >= m.y && m.x >= m.z {
        way = a;
        facet = 0.1;
    } else if m.y >= m.z {
        way = b;
        facet = 0.4;
    }
    let lean = way * tilt + (id.yx - 0.5) * 0.9 * tilt;
    return vec4<f32>(normalize(vec3<f32>(lean.x, 1.0, lean.y)), fract(facet + id.x * 3.7));
}

fn face(p: vec2<f32>, depth: f32, n: vec3<f32>, px: vec2<f32>, py: vec2<f32>) -> Surface {
    let kind = stone.style & 0xffu;
    let style = unpack4x8unorm(stone.style);
    let seed = f32(stone.shape & 0xffffu) * 0.011 + f32(stone.shape >> 16u) * 0.0037;
    let count = style.y * 255.0;
    let warp = style.z;
    let r = length(p);
    let d = p / max(r, 1e-4);
    let rim = outline(d);
    let u = r / rim;
    let edge = heart_edge(d);
    let pixel = max(length(px), length(py));

    // Warp the plane: big lazy folds, then small ones that die out toward the rim.
    let o = vec2<f32>(seed * 7.0, seed * 3.0);
    let big = noise(p * 2.3 + o);
    let small = noise(p * 6.1 + o + big * 0.7);
    let tiny = noise(p * 15.0 - o);
    let calm = smoothstep(1.0, 0.55, u);
    let bend = warp * (0.16 * big * calm + 0.06 * small * (0.35 + 0.65 * calm) + 0.016 * tiny);

    var out: Surface;
    out.normal = n;
    out.rough = 0.0;
    out.gloss = 0.055;
    out.glow = 0.35;
    out.shade = 1.0;
    out.spark = 0.0;
    out.inner = 0.0;

    // 0 at the rim, 1 at the heart.
    let way = (1.0 - u) / max(1.0 - edge, 0.1);
    let across = max(abs(dot(d, px)), abs(dot(d, py)));
    let w = count * max(across, 0.3 * pixel) / rim;
    let s = count * (way + bend);
    if depth < -0.004 {
        // The heart is hollow and lined with crystals.
        let low = clamp(-depth * 3.4, 0.0, 1.0);
        // Along the wall, not as seen from above, or crystals would be drawn out.
        let along = d * (r + 0.9 * (depth + hollow_depth()));
        let scale = mix(14.0, 8.5, style.w);
        var k = crystals(along * scale + seed, 0.95);
        // Crystals smaller than a few pixels melt together.
        let plain = smoothstep(0.18, 0.75, pixel * scale);
        k = mix(k, vec4<f32>(0.0, 1.0, 0.0, 0.55), 0.8 * plain);
        let inward = vec3<f32>(-p.x, 0.55, -p.y);
        out.normal = turn(rotation(), normalize(k.xyz * vec3<f32>(1.0, 0.7, 1.0) + inward * 0.8));
        let tint = mix(ink(stone.heart), ink(stone.middle), 0.30 * low);
        let clear = mix(tint, vec3<f32>(0.90, 0.89, 0.92), 0.5 * k.w * k.w);
        out.albedo = clear * (0.34 + 0.8 * k.w);
        // A facet that happens to catch the key light.
        out.spark = smoothstep(0.72, 0.98, k.w);
        // The last band shows through at the lip.
        out.albedo = mix(ink(stone.light) * 0.9, out.albedo, smoothstep(0.0, 0.25, low));
        out.gloss = 0.16;
        out.rough = 0.03;
        out.glow = 0.35;
        out.inner = 0.20;
        out.shade = mix(1.0, 0.7, low);
        return out;
    }
    if kind == KIND_WATERLINE {
        // Level layers in the middle, a banded shell around them.
        let g = hash2(vec2<f32>(seed, 3.0)) - 0.5;
        let level = normalize(g + vec2<f32>(0.001, 0.0));
        let h = dot(p, level) + 0.012 * small;
        let lw = count * 1.5 * max(abs(dot(level, px)), abs(dot(level, py)));
        let flat_bands = bands(h * count * 1.5 + 40.0, lw, seed + 5.0);
        let shell = bands(s, w, seed);
        let inside = way + bend * 0.6 - 0.55;
        let line = clamp(inside / max(1.2 * across, 0.004) + 0.5, 0.0, 1.0);
        out.albedo = mix(shell, flat_bands, line);
        let wall = 1.0 - smoothstep(0.0, 0.02 + across, abs(inside));
        out.albedo = mix(out.albedo, ink(stone.light), wall * 0.8);
    } else if kind == KIND_MOSS {
        // Milky chalcedony with plumes.
        let m1 = noise(p * 4.0 + o + vec2<f32>(big, small) * 1.3);
        let m2 = noise(p * 11.0 - o + vec2<f32>(small, m1) * 1.6);
        let m3 = noise(p * 27.0 + vec2<f32>(m2, m1) * 2.2);
        let plume = m1 * 0.6 + m2 * 0.42 + m3 * 0.26 * (1.0 - smoothstep(0.02, 0.05, pixel)) + (u - 0.55) * 0.35;
        let thick = smoothstep(-0.22, 0.26, plume);
        let core = smoothstep(0.16, 0.5, plume);
        let milk = mix(ink(stone.light), ink(stone.heart), 0.5 + 0.4 * big) * (0.72 + 0.16 * m2);
        out.albedo = mix(mix(milk, ink(stone.middle), thick * 0.85), ink(stone.dark), core * 0.9);
        let shell = bands(s, w, seed);
        out.albedo = mix(out.albedo, shell, smoothstep(0.80, 0.86, u + bend * 0.3));
        out.glow = 0.6;
    } else {
        out.albedo = bands(s, w, seed);
        if kind == KIND_BANDED {
            // A heart of clear quartz, polished flat.
            let inside = way + bend - 1.0;
            let t = clamp(inside / max(1.2 * across, 0.01) + 0.5, 0.0, 1.0);
            if t > 0.0 {
                let k = crystals(p * 10.0 + seed, 0.3);
                let quartz = mix(ink(stone.heart), vec3<f32>(0.85, 0.84, 0.86), 0.3 * k.w) * (0.55 + 0.6 * k.w);
                out.albedo = mix(out.albedo, quartz, t);
                out.normal = normalize(n + 0.12 * t * turn(rotation(), k.xyz));
                out.glow = mix(out.glow, 0.7, t);
            }
        }
    }
    // Clouds in the stone, and the skin at the rim.
    out.albedo = out.albedo * (1.0 + 0.10 * small + 0.05 * tiny);
    let skin = smoothstep(0.93 - pixel, 0.955, u + 0.012 * small);
    out.albedo = mix(out.albedo, ink(stone.dark) * 0.35 + vec3<f32>(0.02, 0.014, 0.010), skin);
    out.gloss = mix(out.gloss, 0.03, skin);
    return out;
}

fn rind(p: vec3<f32>, n: vec3<f32>) -> Surface {
    let seed = f32(stone.shape & 0xffffu) * 0.011;
    let q = p.xz + p.y * vec2<f32>(1.3, -0.9) + seed;
    let a = noise(q * 4.0);
    let b = noise(q * 13.0);
    let c = noise(q.yx * 13.0 + 9.0);
    var out: Surface;
    let clay = mix(vec3<f32>(0.17, 0.13, 0.10), vec3<f32>(0.36, 0.31, 0.26), 0.5 + 0.5 * a);
    out.albedo = mix(clay, ink(stone.middle), 0.18) * (0.75 + 0.35 * b);
    out.normal = normalize(n + 0.5 * vec3<f32>(b, 0.5 * a, c));
    out.rough = 0.8;
    out.gloss = 0.02;
    out.glow = 0.0;
    out.shade = 1.0;
    out.spark = 0.0;
    out.inner = 0.0;
    return out;
}

@fragment
fn fs(v: Varying) -> @location(0) vec4<f32> {
    let px = dpdx(v.local.xz);
    let py = dpdy(v.local.xz);
    let eye = stone.eye.xyz - v.world;
    let far = length(eye);
    let view = eye / far;
    var m: Surface;
    let n = normalize(v.normal);
    if v.local.w < 0.5 {
        m = face(v.local.xz, v.local.y, n, px, py);
    } else {
        m = rind(v.local.xyz, n);
        if v.local.w < 1.5 {
            m.normal = n;
            m.gloss = 0.05;
            m.rough = 0.25;
            m.albedo = mix(m.albedo, ink(stone.dark), 0.4) * 0.6;
        }
    }

    let facing = max(dot(m.normal, view), 0.02);
    let key = max(dot(m.normal, KEY) * 0.82 + 0.18, 0.0);
    let sky = 0.5 + 0.5 * m.normal.y;
    let rest = smoothstep(-0.35, 0.65, v.world.y) * m.shade;
    var c = m.albedo * (key * vec3<f32>(1.22, 1.15, 1.05) * (0.3 + 0.7 * rest) + sky * rest * vec3<f32>(0.20, 0.23, 0.29));
    let fill = max(dot(m.normal, FILL), 0.0) * (0.35 + 0.65 * rest);
    c = c + m.albedo * fill * vec3<f32>(0.24, 0.28, 0.36);
    // Light from behind, stronger toward the thin edge.
    let thin = dot(v.local.xz, v.local.xz);
    c = c + m.albedo * m.albedo * (m.glow * (0.25 + 0.75 * thin)) + m.albedo * m.inner;
    let mirror = reflect(-view, m.normal);
    let f = 1.0 - facing;
    let f2 = f * f;
    let fresnel = m.gloss + (1.0 - m.gloss) * f2 * f2 * f * (1.0 - m.rough) * (1.0 - m.rough);
    c = mix(c, studio(mirror, m.rough) * rest, min(fresnel, 1.0));
    if m.spark > 0.0 {
        let glint = max(dot(mirror, KEY), 0.0);
        let g4 = glint * glint * glint * glint;
        c = c + m.spark * (g4 * g4 * g4) * vec3<f32>(3.2, 3.1, 2.9);
    }
    let mist = 1.0 - exp2(-far * far * 0.00035);
    c = mix(c, AIR, mist);
    return vec4<f32>(film(c), 1.0);
}
