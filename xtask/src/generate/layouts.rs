//! Writes what the structures look like: for the copies of agate-vk, and for the captures of the null device.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use super::GENERATED;
use super::exceptions::{CHOSEN, PASSED_ON};
use super::registry::{Field, Registry, Structure, UNKNOWN, rust_type, shout, snake};

/// For whom.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reader {
    /// Copies structures: what is no pointer goes with the rest.
    Copier,
    /// Captures and makes them: every member counts.
    Capture,
}

/// The Rust name of a registry's constant of an enumeration.
fn constant(ty: &str, name: &str) -> String {
    let vendor = ["KHR", "EXT"].iter().find(|vendor| ty.ends_with(*vendor));
    let bare = vendor.map_or(ty, |vendor| ty.trim_end_matches(vendor));
    let prefix = format!("{}_", snake(bare).to_uppercase());
    let name = name.strip_prefix(&prefix).unwrap_or(name);
    let name = match vendor {
        Some(vendor) => name.strip_suffix(&format!("_{vendor}")).unwrap_or(name),
        None => name,
    };
    format!("vk::{}::{name}.as_raw()", ty.trim_start_matches("Vk"))
}

struct Writer<'a> {
    registry: &'a Registry,
    reader: Reader,
    ty: &'a str,
    structure: &'a Structure,
}

impl Writer<'_> {
    fn at(&self, member: &str) -> String {
        format!(
            "offset_of!({}, {})",
            rust_type(self.registry, self.ty),
            snake(member)
        )
    }

    /// What a pointer leads to.
    fn item(&self, field: &Field) -> String {
        let ty = self.registry.resolved(&field.ty);
        let plain = match self.reader {
            Reader::Copier => !self.registry.is_deep(ty),
            Reader::Capture => !self.is_struct(ty),
        };
        if plain {
            format!("Item::Plain(size_of::<{}>())", rust_type(self.registry, ty))
        } else {
            format!("Item::Deep(&{})", shout(ty))
        }
    }

    fn is_struct(&self, ty: &str) -> bool {
        self.registry
            .structure(ty)
            .is_some_and(|structure| !structure.union)
    }

    fn count(&self, field: &Field) -> Result<String, String> {
        let Some(length) = field.len.first().filter(|length| *length != "1") else {
            return Ok("Count::One".into());
        };
        let known = self
            .structure
            .members
            .iter()
            .find(|member| member.name == *length);
        let known = known.ok_or(format!(
            "{}: the length of {} is {length}",
            self.ty, field.name
        ))?;
        let kind = match known.ty.as_str() {
            "uint32_t" => "U32",
            "size_t" => "Size",
            other => return Err(format!("{}: a length of type {other}", self.ty)),
        };
        Ok(format!("Count::{kind}({})", self.at(length)))
    }

    fn bytes(&self, field: &Field) -> Option<String> {
        let size = format!("size_of::<{}>()", rust_type(self.registry, &field.ty));
        let size = match (field.pointers, field.array) {
            (0, None) => size,
            (0, Some(length)) => format!("{length} * {size}"),
            _ => "size_of::<*const u8>()".to_owned(),
        };
        (self.reader == Reader::Capture).then(|| {
            format!(
                "Member::Bytes {{ at: {}, size: {size} }}",
                self.at(&field.name)
            )
        })
    }

    fn pointer(&self, field: &Field) -> Result<String, String> {
        let at = self.at(&field.name);
        let optional = match self.reader {
            Reader::Capture => format!(", optional: {}", field.optional),
            Reader::Copier => String::new(),
        };
        match (field.pointers, &field.len[..]) {
            (1, [length]) if length == "null-terminated" => Ok(format!("Member::Text({at})")),
            (1, [] | [_]) => Ok(format!(
                "Member::Array {{ at: {at}, count: {}, of: {}{optional} }}",
                self.count(field)?,
                self.item(field)
            )),
            (2, [_, one]) if one == "1" => Ok(format!(
                "Member::Pointers {{ at: {at}, count: {}, of: {}{optional} }}",
                self.count(field)?,
                self.item(field)
            )),
            _ => Err(format!(
                "{}: no rule for the member {}",
                self.ty, field.name
            )),
        }
    }

    fn choice(&self, field: &Field, selector: &str) -> Result<String, String> {
        let union = self
            .registry
            .structure(&field.ty)
            .ok_or(format!("no union {}", field.ty))?;
        let by = self
            .structure
            .members
            .iter()
            .find(|member| member.name == selector);
        let by_type = &by.ok_or(format!("{}: no {selector}", self.ty))?.ty;
        let mut cases = String::new();
        for case in &union.members {
            let selection = case.selection.as_deref().unwrap_or_default();
            let _ = write!(
                cases,
                "({}, &{}),",
                constant(by_type, selection),
                shout(&case.ty)
            );
        }
        Ok(format!(
            "Member::Choice {{ at: {}, by: {}, cases: &[{cases}] }}",
            self.at(&field.name),
            self.at(selector)
        ))
    }

    fn member(&self, field: &Field) -> Result<Option<String>, String> {
        if field.array == Some(UNKNOWN) {
            return Err(format!(
                "{}: the length of {} is no number",
                self.ty, field.name
            ));
        }
        let at = self.at(&field.name);
        if field.structure_type.is_some() {
            return Ok((self.reader == Reader::Capture).then(|| format!("Member::Type({at})")));
        }
        if field.name == "pNext" {
            return Ok(Some(format!("Member::Next({at})")));
        }
        if PASSED_ON.contains(&(self.ty, &field.name)) {
            return Ok(self.bytes(field));
        }
        let chosen = CHOSEN
            .iter()
            .find(|(ty, name, ..)| *ty == self.ty && *name == field.name);
        if let Some((_, _, by, values)) = chosen {
            let values = values
                .iter()
                .map(|value| format!("vk::DescriptorType::{value}.as_raw()"));
            return Ok(Some(format!(
                "Member::When {{ at: {at}, by: {}, values: &[{}], then: &{} }}",
                self.at(by),
                values.collect::<Vec<_>>().join(", "),
                self.pointer(field)?
            )));
        }
        if field.pointers > 0 {
            return self.pointer(field).map(Some);
        }
        if let Some(selector) = &field.selector {
            return self.choice(field, selector).map(Some);
        }
        let inline = match self.reader {
            Reader::Copier => self.registry.is_deep(&field.ty),
            Reader::Capture => self.is_struct(&field.ty),
        };
        if !inline {
            return Ok(self.bytes(field));
        }
        let ty = self.registry.resolved(&field.ty);
        let rust = rust_type(self.registry, ty);
        let one = |i: u32| match i {
            0 => format!("Member::Inline {{ at: {at}, of: &{} }}", shout(ty)),
            _ => format!(
                "Member::Inline {{ at: {at} + size_of::<[{rust}; {i}]>(), of: &{} }}",
                shout(ty)
            ),
        };
        let all: Vec<_> = (0..field.array.unwrap_or(1)).map(one).collect();
        Ok(Some(all.join(", ")))
    }
}

/// The file of the layouts.
///
/// # Errors
///
/// What no rule fits.
pub(super) fn layouts(
    registry: &Registry,
    reachable: &BTreeSet<String>,
    reader: Reader,
) -> Result<String, String> {
    let mut out = match reader {
        Reader::Copier => format!(
            "//! Where the pointers are in Vulkan's structures.\n{GENERATED}\n\
             use crate::commands::layout::{{Count, Item, Layout, Member}};\nuse ash::vk;\nuse std::mem::offset_of;\n\n"
        ),
        Reader::Capture => format!(
            "//! The members of Vulkan's structures, as far as commands lead to them.\n{GENERATED}\n\
             use crate::layout::{{Count, Item, Layout, Member}};\nuse ash::vk;\nuse std::mem::offset_of;\n\n"
        ),
    };
    let visible = match reader {
        Reader::Copier => "pub(crate)",
        Reader::Capture => "pub",
    };
    let mut tagged = String::new();
    for ty in reachable {
        let structure = &registry.structures[ty];
        let wanted = match reader {
            Reader::Copier => registry.is_deep(ty) && !structure.union,
            Reader::Capture => !structure.union,
        };
        if !wanted {
            continue;
        }
        let writer = Writer {
            registry,
            reader,
            ty,
            structure,
        };
        let mut members = Vec::new();
        for field in &structure.members {
            members.extend(writer.member(field)?);
        }
        let (name, rust) = (shout(ty), rust_type(registry, ty));
        let s_type = structure
            .members
            .iter()
            .find_map(|member| member.structure_type.as_deref());
        let s_type = s_type.map(|s_type| s_type.trim_start_matches("VK_STRUCTURE_TYPE_"));
        let more = if reader == Reader::Capture {
            let s_type = match s_type {
                Some(s_type) => format!("Some(vk::StructureType::{s_type}.as_raw())"),
                None => "None".into(),
            };
            let extensions = registry.extensions(ty);
            let next = extensions
                .iter()
                .filter(|ty| reachable.contains(**ty))
                .map(|ty| format!("&{}", shout(ty)));
            format!(
                ", s_type: {s_type}, next: &[{}]",
                next.collect::<Vec<_>>().join(", ")
            )
        } else {
            String::new()
        };
        let doc = match reader {
            Reader::Copier => String::new(),
            Reader::Capture => format!("/// `{ty}`.\n"),
        };
        let _ = writeln!(
            out,
            "{doc}{visible} static {name}: Layout = Layout {{ size: size_of::<{rust}>(), members: &[{}]{more} }};\n",
            members.join(", ")
        );
        if let (Some(s_type), false) = (s_type, structure.extends.is_empty()) {
            let _ = writeln!(tagged, "vk::StructureType::{s_type} => &{name},");
        }
    }
    let _ = writeln!(
        out,
        "/// The structure of that type, if it may stand in a chain.\n\
         {visible} fn chained(s_type: vk::StructureType) -> Option<&'static Layout> {{\n\
         Some(match s_type {{\n{tagged}_ => return None,\n}})\n}}"
    );
    Ok(out)
}
