//! The arguments of a command: how ash's caller gives them, and where each stands in a message.

use std::collections::BTreeMap;

use super::exceptions::PLAIN;
use super::registry::{Command, Field, Registry, Scalar, argument, rust_type};

/// Where a scalar stands in a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Slot {
    /// In the header.
    Inline,
    /// In the low or the high half of a word, or in all of it.
    Low(usize),
    High(usize),
    Whole(usize),
}

/// What pointers lead to.
#[derive(Clone, Debug)]
pub(super) struct Item {
    /// Its name in the registry.
    pub(super) ty: String,
    pub(super) rust: String,
    /// Whether there are pointers in it.
    pub(super) deep: bool,
}

#[derive(Clone, Debug)]
pub(super) enum Kind {
    Scalar(Scalar),
    /// The length of the arrays of that name.
    Count {
        scalar: Scalar,
        of: Vec<String>,
    },
    Slice {
        item: Item,
        optional: bool,
    },
    /// A pointer to one.
    One(Item),
    /// An array of a fixed length.
    Fixed(Item, u32),
}

/// An argument, in the order of the function.
#[derive(Clone, Debug)]
pub(super) struct Argument {
    pub(super) name: String,
    pub(super) rust: String,
    pub(super) kind: Kind,
    /// Of scalars and counts.
    pub(super) slot: Option<Slot>,
    /// Of pointers: the word that it stands in.
    pub(super) word: usize,
    /// Of arrays: the argument that says how long it is.
    length: String,
}

/// The arguments of a command, laid out.
#[derive(Clone, Debug)]
pub(super) struct Arguments {
    pub(super) all: Vec<Argument>,
    /// Words of scalars behind the header.
    pub(super) fixed: usize,
    /// Pointers behind them.
    pub(super) pointers: usize,
}

impl Argument {
    pub(super) fn is_pointer(&self) -> bool {
        matches!(
            self.kind,
            Kind::Slice { .. } | Kind::One(_) | Kind::Fixed(..)
        )
    }

    /// The argument that says how long the array is.
    pub(super) fn count(&self) -> &str {
        &self.length
    }

    /// How the caller of ash's method gives it; nothing for a count.
    pub(super) fn given(&self) -> Option<String> {
        let rust = &self.rust;
        Some(match &self.kind {
            Kind::Scalar(Scalar::Bool) => "bool".to_owned(),
            Kind::Scalar(_) => rust.clone(),
            Kind::Count { .. } => return None,
            Kind::Slice {
                item,
                optional: true,
            } => format!("Option<&[{}]>", item.rust),
            Kind::Slice { item, .. } => format!("&[{}]", item.rust),
            Kind::One(item) => format!("&{}", item.rust),
            Kind::Fixed(item, length) => format!("&[{}; {length}]", item.rust),
        })
    }

    /// How the function of the device takes it.
    pub(super) fn taken(&self) -> String {
        match &self.kind {
            Kind::Scalar(_) | Kind::Count { .. } => self.rust.clone(),
            Kind::Slice { item, .. } | Kind::One(item) if item.ty == "void" => {
                "*const c_void".to_owned()
            }
            Kind::Slice { item, .. } | Kind::One(item) => format!("*const {}", item.rust),
            Kind::Fixed(item, length) => format!("*const [{}; {length}]", item.rust),
        }
    }
}

fn item(registry: &Registry, field: &Field) -> Item {
    Item {
        ty: registry.resolved(&field.ty).to_owned(),
        rust: rust_type(registry, &field.ty),
        deep: registry.is_deep(&field.ty),
    }
}

impl Arguments {
    /// Lays out the arguments of a command that is encoded by rule.
    ///
    /// # Errors
    ///
    /// What no rule fits.
    pub(super) fn of(registry: &Registry, command: &Command) -> Result<Self, String> {
        let mut lengths: BTreeMap<&str, Vec<String>> = BTreeMap::new();
        for field in command.parameters.iter().filter(|f| f.pointers == 1) {
            if let [length] = &field.len[..] {
                lengths.entry(length).or_default().push(argument(field));
            }
        }
        let mut all = Vec::new();
        for field in &command.parameters {
            let scalar = registry.scalar(&field.ty);
            let unknown = || format!("{}: no rule for the argument {}", command.name, field.name);
            let kind = match (field.pointers, field.array) {
                (0, None) => {
                    let scalar = scalar.ok_or_else(unknown)?;
                    match lengths.get(field.name.as_str()) {
                        Some(of) => Kind::Count {
                            scalar,
                            of: of.clone(),
                        },
                        None => Kind::Scalar(scalar),
                    }
                }
                (0, Some(length)) => Kind::Fixed(item(registry, field), length),
                (1, None) => match &field.len[..] {
                    [] if field.ty != "void" && !field.optional => Kind::One(item(registry, field)),
                    [length] if command.parameters.iter().any(|p| p.name == *length) => {
                        let plain = PLAIN.contains(&(&command.name, &field.name));
                        Kind::Slice {
                            item: item(registry, field),
                            optional: field.optional && !plain,
                        }
                    }
                    _ => return Err(unknown()),
                },
                _ => return Err(unknown()),
            };
            let length = command.parameters.iter();
            let length = length.filter(|p| field.len.first() == Some(&p.name));
            all.push(Argument {
                length: length.map(argument).next().unwrap_or_default(),
                name: argument(field),
                rust: rust_type(registry, &field.ty),
                kind,
                slot: None,
                word: 0,
            });
        }
        Ok(Self::laid_out(all))
    }

    /// The first narrow scalar stands in the header, the others in pairs.
    fn laid_out(mut all: Vec<Argument>) -> Self {
        let (mut fixed, mut inline, mut half) = (0, false, None);
        for argument in &mut all {
            let (Kind::Scalar(scalar) | Kind::Count { scalar, .. }) = argument.kind else {
                continue;
            };
            argument.slot = Some(if scalar.is_wide() {
                fixed += 1;
                Slot::Whole(fixed)
            } else if !inline {
                inline = true;
                Slot::Inline
            } else if let Some(word) = half.take() {
                Slot::High(word)
            } else {
                fixed += 1;
                half = Some(fixed);
                Slot::Low(fixed)
            });
        }
        let mut pointers = 0;
        for argument in all.iter_mut().filter(|argument| argument.is_pointer()) {
            pointers += 1;
            argument.word = fixed + pointers;
        }
        Self {
            all,
            fixed,
            pointers,
        }
    }

    /// The arguments as ash's caller gives them, with their types.
    pub(super) fn given(&self) -> String {
        let given = self.all.iter();
        let given = given.filter_map(|a| Some(format!("{}: {}", a.name, a.given()?)));
        given.collect::<Vec<_>>().join(", ")
    }

    /// Their names.
    pub(super) fn names(&self) -> String {
        let given = self.all.iter().filter(|a| a.given().is_some());
        given.map(|a| a.name.clone()).collect::<Vec<_>>().join(", ")
    }
}

/// Arrays that one count is for, when the caller can give them different lengths: what is true then, and of which array.
pub(super) fn same_lengths(arguments: &Arguments) -> Vec<(String, &str)> {
    let mut checks = Vec::new();
    for argument in &arguments.all {
        let Kind::Count { of, .. } = &argument.kind else {
            continue;
        };
        let (first, others) = of.split_first().unwrap_or((&argument.name, &[]));
        for other in others {
            let optional = arguments
                .all
                .iter()
                .any(|a| a.name == *other && matches!(a.kind, Kind::Slice { optional: true, .. }));
            let wrong = if optional {
                format!("{other}.is_some_and(|{other}| {other}.len() != {first}.len())")
            } else {
                format!("{other}.len() != {first}.len()")
            };
            checks.push((wrong, other.as_str()));
        }
    }
    checks
}

/// A narrow scalar as 32 bits, or a wide one as 64.
pub(super) fn to_bits(scalar: Scalar, rust: &str, value: &str) -> String {
    match scalar {
        Scalar::U64 if rust == "usize" => format!("{value} as u64"),
        Scalar::U64 | Scalar::U32 => value.to_owned(),
        Scalar::Handle | Scalar::Flags64 | Scalar::Flags => format!("{value}.as_raw()"),
        Scalar::I32 => format!("{value} as u32"),
        Scalar::U16 => format!("u32::from({value})"),
        Scalar::F32 => format!("{value}.to_bits()"),
        Scalar::Bool => format!("u32::from({value})"),
        Scalar::Enum => format!("{value}.as_raw() as u32"),
    }
}

/// The other way.
pub(super) fn from_bits(scalar: Scalar, rust: &str, bits: &str) -> String {
    match scalar {
        Scalar::U64 | Scalar::U32 | Scalar::Bool => bits.to_owned(),
        Scalar::Handle => format!("Handle::from_raw({bits})"),
        Scalar::Flags64 | Scalar::Flags => format!("{rust}::from_raw({bits})"),
        Scalar::I32 => format!("{bits} as i32"),
        Scalar::U16 => format!("{bits} as u16"),
        Scalar::F32 => format!("f32::from_bits({bits})"),
        Scalar::Enum => format!("{rust}::from_raw({bits} as i32)"),
    }
}
