//! What the registry says: commands with their arguments, structures with their members.

use std::collections::{BTreeMap, BTreeSet};

use super::xml::Element;

/// A parameter of a command, or a member of a structure.
#[derive(Clone, Debug, Default)]
pub(super) struct Field {
    pub(super) name: String,
    /// Its C type, without pointers.
    pub(super) ty: String,
    pub(super) pointers: usize,
    /// How many it is, where it is an array of a fixed length.
    pub(super) array: Option<u32>,
    /// Per pointer: what says how many it leads to.
    pub(super) len: Vec<String>,
    pub(super) optional: bool,
    /// Which member says what a union holds.
    pub(super) selector: Option<String>,
    /// In a union: for which value of that member.
    pub(super) selection: Option<String>,
    /// The one `VkStructureType` of the structure.
    pub(super) structure_type: Option<String>,
}

/// A command that ash declares.
#[derive(Clone, Debug)]
pub(super) struct Command {
    pub(super) name: String,
    /// Other names that a device may know it by.
    pub(super) aliases: Vec<String>,
    /// The version of Vulkan or the extension that has it.
    pub(super) from: String,
    /// Without the command buffer.
    pub(super) parameters: Vec<Field>,
    pub(super) queues: Vec<String>,
    pub(super) scope: String,
    pub(super) levels: Vec<String>,
}

#[derive(Clone, Debug, Default)]
pub(super) struct Structure {
    pub(super) union: bool,
    pub(super) members: Vec<Field>,
    /// The structures whose `pNext` it may be in.
    pub(super) extends: Vec<String>,
}

/// The length of an array that a constant gives, which is not looked up: nothing that is encoded has one.
pub(super) const UNKNOWN: u32 = u32::MAX;

/// What kind of scalar a type is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Scalar {
    Handle,
    U64,
    Flags64,
    U32,
    I32,
    U16,
    F32,
    Bool,
    Flags,
    Enum,
}

impl Scalar {
    /// Whether it needs a word of its own.
    pub(super) fn is_wide(self) -> bool {
        matches!(self, Self::Handle | Self::U64 | Self::Flags64)
    }
}

#[derive(Debug, Default)]
pub(super) struct Registry {
    pub(super) commands: Vec<Command>,
    pub(super) structures: BTreeMap<String, Structure>,
    scalars: BTreeMap<String, Scalar>,
    aliases: BTreeMap<String, String>,
}

/// Whether an element counts for Vulkan, or for one of its other interfaces alone.
pub(super) fn counts(element: &Element) -> bool {
    element
        .attribute("api")
        .is_none_or(|api| api.split(',').any(|api| api == "vulkan"))
}

fn list(text: Option<&str>) -> Vec<String> {
    text.map(|text| text.split(',').map(str::to_owned).collect())
        .unwrap_or_default()
}

/// The name of a type, in either of the forms that the registry has.
pub(super) fn type_name(element: &Element) -> Option<String> {
    let attribute = element.attribute("name").map(str::to_owned);
    attribute.or_else(|| element.text_of("name"))
}

fn field(element: &Element) -> Result<Field, String> {
    let missing = || format!("a member without a name or type: {}", element.text());
    let name = element.text_of("name").ok_or_else(missing)?;
    let ty = element.text_of("type").ok_or_else(missing)?;
    let text = element.text();
    let array = match text.split_once('[') {
        Some((_, after)) => {
            let length = after.split(']').next().unwrap_or_default();
            Some(length.trim().parse().unwrap_or(UNKNOWN))
        }
        None => None,
    };
    let optional = element.attribute("optional").unwrap_or_default();
    Ok(Field {
        pointers: text.matches('*').count(),
        array,
        len: list(element.attribute("len")),
        optional: optional.split(',').next() == Some("true"),
        selector: element.attribute("selector").map(str::to_owned),
        selection: element.attribute("selection").map(str::to_owned),
        structure_type: (name == "sType")
            .then(|| element.attribute("values").map(str::to_owned))
            .flatten(),
        name,
        ty,
    })
}

impl Registry {
    /// Reads a registry, whole or reduced.
    ///
    /// # Errors
    ///
    /// What was not understood.
    pub(super) fn read(root: &Element) -> Result<Self, String> {
        let mut registry = Self::default();
        let types = root.named("types").flat_map(Element::elements);
        for element in types.filter(|element| counts(element)) {
            registry.add_type(element)?;
        }
        let commands: Vec<_> = root.named("commands").flat_map(Element::elements).collect();
        let mut aliases: BTreeMap<&str, Vec<String>> = BTreeMap::new();
        for element in &commands {
            if let (Some(name), Some(of)) = (element.attribute("name"), element.attribute("alias"))
            {
                aliases.entry(of).or_default().push(name.to_owned());
            }
        }
        for element in commands.iter().filter(|element| counts(element)) {
            let Some(proto) = element.named("proto").next() else {
                continue;
            };
            let name = proto.text_of("name").ok_or("a command without a name")?;
            let parameters = element.named("param").filter(|element| counts(element));
            registry.commands.push(Command {
                aliases: aliases.get(name.as_str()).cloned().unwrap_or_default(),
                from: element.attribute("from").unwrap_or_default().to_owned(),
                parameters: parameters.skip(1).map(field).collect::<Result<_, _>>()?,
                queues: list(element.attribute("queues")),
                scope: element.attribute("renderpass").unwrap_or("both").to_owned(),
                levels: list(element.attribute("cmdbufferlevel")),
                name,
            });
        }
        Ok(registry)
    }

    fn add_type(&mut self, element: &Element) -> Result<(), String> {
        let Some(name) = type_name(element) else {
            return Ok(());
        };
        if let Some(of) = element.attribute("alias") {
            self.aliases.insert(name, of.to_owned());
            return Ok(());
        }
        let text = element.text();
        match element.attribute("category") {
            Some(category @ ("struct" | "union")) => {
                let members = element.named("member").filter(|element| counts(element));
                let structure = Structure {
                    union: category == "union",
                    members: members.map(field).collect::<Result<_, _>>()?,
                    extends: list(element.attribute("structextends")),
                };
                self.structures.insert(name, structure);
            }
            Some("handle") => {
                self.scalars.insert(name, Scalar::Handle);
            }
            Some("bitmask") => {
                let wide = text.contains("VkFlags64");
                let scalar = if wide { Scalar::Flags64 } else { Scalar::Flags };
                self.scalars.insert(name, scalar);
            }
            Some("enum") if !name.contains("FlagBits") => {
                self.scalars.insert(name, Scalar::Enum);
            }
            _ => {}
        }
        Ok(())
    }

    /// The name of a type that is no alias.
    pub(super) fn resolved<'a>(&'a self, ty: &'a str) -> &'a str {
        self.aliases.get(ty).map_or(ty, |of| self.resolved(of))
    }

    pub(super) fn structure(&self, ty: &str) -> Option<&Structure> {
        self.structures.get(self.resolved(ty))
    }

    /// What scalar a type is.
    pub(super) fn scalar(&self, ty: &str) -> Option<Scalar> {
        Some(match ty {
            "uint64_t" | "VkDeviceSize" | "VkDeviceAddress" | "size_t" => Scalar::U64,
            "uint32_t" | "VkSampleMask" => Scalar::U32,
            "uint16_t" => Scalar::U16,
            "int32_t" => Scalar::I32,
            "float" => Scalar::F32,
            "VkBool32" => Scalar::Bool,
            _ => {
                let flags = ty.replace("FlagBits", "Flags");
                return self.scalars.get(self.resolved(&flags)).copied();
            }
        })
    }

    /// Whether a structure holds pointers, so that ash's type has a lifetime. Unions of addresses have none.
    pub(super) fn has_lifetime(&self, ty: &str) -> bool {
        self.structure(ty).is_some_and(|structure| {
            structure.members.iter().any(|member| {
                (member.pointers > 0 && !structure.union) || self.has_lifetime(&member.ty)
            })
        })
    }

    /// Whether copying a structure takes more than copying its bytes.
    pub(super) fn is_deep(&self, ty: &str) -> bool {
        self.has_lifetime(ty)
    }

    /// The structures that may stand in the `pNext` of this one.
    pub(super) fn extensions(&self, ty: &str) -> Vec<&str> {
        let structures = self.structures.iter();
        structures
            .filter(|(_, structure)| structure.extends.iter().any(|of| of == ty))
            .map(|(name, _)| name.as_str())
            .collect()
    }

    /// The structures that these commands lead to, by pointers, members and `pNext`.
    pub(super) fn reachable(&self, commands: &[&Command]) -> BTreeSet<String> {
        let mut open: Vec<String> = commands
            .iter()
            .flat_map(|command| command.parameters.iter().map(|p| p.ty.clone()))
            .collect();
        let mut found = BTreeSet::new();
        while let Some(ty) = open.pop() {
            let ty = self.resolved(&ty).to_owned();
            let Some(structure) = self.structures.get(&ty) else {
                continue;
            };
            if found.insert(ty.clone()) {
                open.extend(structure.members.iter().map(|member| member.ty.clone()));
                open.extend(self.extensions(&ty).into_iter().map(str::to_owned));
            }
        }
        found
    }
}

/// ash's name of a type.
pub(super) fn rust_type(registry: &Registry, ty: &str) -> String {
    let plain = match ty {
        "uint64_t" => "u64",
        "uint32_t" => "u32",
        "uint16_t" => "u16",
        "uint8_t" => "u8",
        "int32_t" => "i32",
        "float" => "f32",
        "size_t" => "usize",
        "void" => "u8",
        _ => "",
    };
    if !plain.is_empty() {
        return plain.to_owned();
    }
    let name = ty
        .strip_prefix("Vk")
        .unwrap_or(ty)
        .replace("FlagBits", "Flags");
    let lifetime = if registry.has_lifetime(ty) {
        "<'_>"
    } else {
        ""
    };
    format!("vk::{name}{lifetime}")
}

/// ash's name of a member or an argument.
pub(super) fn snake(name: &str) -> String {
    if name == "type" {
        return "ty".to_owned();
    }
    let mut out = String::new();
    let letters: Vec<char> = name.chars().collect();
    for (i, c) in letters.iter().enumerate() {
        let after_small = i > 0 && !letters[i - 1].is_uppercase();
        let before_small = letters.get(i + 1).is_some_and(|next| next.is_lowercase());
        if c.is_uppercase() && i > 0 && (after_small || before_small) {
            out.push('_');
        }
        out.extend(c.to_lowercase());
    }
    out
}

/// As [`snake`], for arguments: without the letters that say that it is a pointer.
pub(super) fn argument(field: &Field) -> String {
    let name = match field.pointers {
        0 => field.name.as_str(),
        _ => field.name.trim_start_matches('p'),
    };
    snake(&format!("{}{}", name[..1].to_lowercase(), &name[1..]))
}

/// The name of a static for a structure.
pub(super) fn shout(ty: &str) -> String {
    snake(ty.strip_prefix("Vk").unwrap_or(ty)).to_uppercase()
}

/// The name of a command without `vkCmd` and the ending of its author: ash's method is `cmd_` and this.
pub(super) fn method(command: &str) -> String {
    let name = command.strip_prefix("vkCmd").unwrap_or(command);
    let name = name
        .strip_suffix("KHR")
        .or_else(|| name.strip_suffix("EXT"))
        .unwrap_or(name);
    snake(name)
}

#[cfg(test)]
mod tests {
    use super::{method, snake};

    #[test]
    fn names_are_those_of_ash() {
        assert_eq!(snake("pNext"), "p_next");
        assert_eq!(snake("type"), "ty");
        assert_eq!(snake("ppUsageCounts"), "pp_usage_counts");
        assert_eq!(method("vkCmdCopyBuffer2"), "copy_buffer2");
        assert_eq!(method("vkCmdSetDepthBias2EXT"), "set_depth_bias2");
        assert_eq!(method("vkCmdPushDescriptorSetKHR"), "push_descriptor_set");
    }
}
