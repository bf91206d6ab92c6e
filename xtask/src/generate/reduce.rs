//! From the whole registry to the part that is kept here: commands that record, and what they lead to.

use std::collections::{BTreeMap, BTreeSet};

use super::exceptions::exception;
use super::registry::{Registry, counts, type_name};
use super::xml::{Element, Node};

/// Which commands and types Vulkan has, and since when: aliases too.
fn provided(root: &Element) -> BTreeMap<String, String> {
    let mut from = BTreeMap::new();
    let extensions = root.named("extensions").flat_map(Element::elements);
    let supported = |element: &&Element| {
        let apis = element.attribute("api").or(element.attribute("supported"));
        apis.is_some_and(|apis| apis.split(',').any(|api| api == "vulkan"))
    };
    for element in root.named("feature").chain(extensions).filter(supported) {
        let name = element.attribute("name").unwrap_or_default();
        for required in element.named("require").filter(|e| counts(e)) {
            for item in required
                .elements()
                .filter(|e| matches!(e.name.as_str(), "command" | "type"))
            {
                let item = item.attribute("name").unwrap_or_default();
                from.entry(item.to_owned())
                    .or_insert_with(|| name.to_owned());
            }
        }
    }
    from
}

/// What is kept of a registry.
///
/// # Errors
///
/// What was not understood.
pub(super) fn reduced(root: &Element) -> Result<Element, String> {
    let from = provided(root);
    let mut commands = Vec::new();
    let all: Vec<_> = root.named("commands").flat_map(Element::elements).collect();
    let aliases: BTreeMap<&str, &str> = all
        .iter()
        .filter_map(|e| Some((e.attribute("name")?, e.attribute("alias")?)))
        .collect();
    for element in all.into_iter().filter(|e| counts(e)) {
        let name = element
            .named("proto")
            .next()
            .and_then(|proto| proto.text_of("name"));
        let name = name.or_else(|| element.attribute("name").map(str::to_owned));
        let name = name.ok_or("a command without a name")?;
        if !name.starts_with("vkCmd") {
            continue;
        }
        let own = from.get(&name);
        let others = aliases.iter().filter(|(_, of)| **of == name);
        let other = others.filter_map(|(alias, _)| from.get(*alias)).next();
        if let Some(from) = own.or(other) {
            let mut kept = trimmed(element);
            kept.attributes.push(("from".into(), from.clone()));
            commands.push(kept);
        }
    }
    let whole = Element {
        name: "registry".into(),
        attributes: Vec::new(),
        children: root
            .named("types")
            .cloned()
            .chain([group("commands", commands.clone())])
            .map(Node::Element)
            .collect(),
    };
    let registry = Registry::read(&whole)?;
    let encoded: Vec<_> = registry
        .commands
        .iter()
        .filter(|command| exception(command).is_none())
        .collect();
    let mut wanted: BTreeSet<String> = registry.reachable(&encoded);
    // A structure of an extension that Vulkan has not, ash has not either.
    wanted.retain(|ty| from.contains_key(ty) || registry.structures[ty].extends.is_empty());
    let members = wanted
        .iter()
        .flat_map(|ty| &registry.structures[ty].members);
    let parameters = encoded.iter().flat_map(|command| &command.parameters);
    let scalars: Vec<String> = members
        .chain(parameters)
        .flat_map(|field| [field.ty.clone(), field.ty.replace("FlagBits", "Flags")])
        .flat_map(|ty| [registry.resolved(&ty).to_owned(), ty])
        .collect();
    wanted.extend(scalars);
    let types = root.named("types").flat_map(Element::elements);
    let types =
        types.filter(|e| counts(e) && type_name(e).is_some_and(|name| wanted.contains(&name)));
    Ok(Element {
        name: "registry".into(),
        attributes: Vec::new(),
        children: [
            group("types", types.map(trimmed).collect()),
            group("commands", commands),
        ]
        .map(Node::Element)
        .to_vec(),
    })
}

fn group(name: &str, elements: Vec<Element>) -> Element {
    let lines = elements
        .into_iter()
        .flat_map(|element| [Node::Text("\n".into()), Node::Element(element)]);
    Element {
        name: name.to_owned(),
        attributes: Vec::new(),
        children: lines.chain([Node::Text("\n".into())]).collect(),
    }
}

/// Without comments, and what else nothing here reads.
fn trimmed(element: &Element) -> Element {
    const READ: [&str; 16] = [
        "name",
        "alias",
        "category",
        "api",
        "len",
        "optional",
        "selector",
        "selection",
        "values",
        "structextends",
        "queues",
        "renderpass",
        "cmdbufferlevel",
        "stride",
        "bitvalues",
        "requires",
    ];
    let children = element.children.iter().filter_map(|child| match child {
        Node::Element(child)
            if child.name == "comment" || child.name == "implicitexternsyncparams" =>
        {
            None
        }
        Node::Element(child) => Some(Node::Element(trimmed(child))),
        Node::Text(text) if text.trim().is_empty() => None,
        Node::Text(text) => Some(Node::Text(text.clone())),
    });
    Element {
        name: element.name.clone(),
        attributes: element
            .attributes
            .iter()
            .filter(|(key, _)| READ.contains(&key.as_str()))
            .cloned()
            .collect(),
        children: children.collect(),
    }
}
