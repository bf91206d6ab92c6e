//! As much of XML as the Vulkan registry uses: elements, attributes, text; comments and declarations are skipped.

use std::fmt::Write as _;

/// An element with what stands in it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Element {
    pub(super) name: String,
    pub(super) attributes: Vec<(String, String)>,
    pub(super) children: Vec<Node>,
}

/// What stands in an element.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Node {
    Element(Element),
    Text(String),
}

impl Element {
    pub(super) fn attribute(&self, name: &str) -> Option<&str> {
        let found = self.attributes.iter().find(|(key, _)| key == name);
        found.map(|(_, value)| value.as_str())
    }

    pub(super) fn elements(&self) -> impl Iterator<Item = &Self> {
        self.children.iter().filter_map(|child| match child {
            Node::Element(element) => Some(element),
            Node::Text(_) => None,
        })
    }

    /// The children of that name.
    pub(super) fn named<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a Self> {
        self.elements().filter(move |element| element.name == name)
    }

    /// The text of the first child of that name.
    pub(super) fn text_of(&self, name: &str) -> Option<String> {
        self.named(name).next().map(Self::text)
    }

    /// All text in it, without that of comments.
    pub(super) fn text(&self) -> String {
        let mut text = String::new();
        for child in &self.children {
            match child {
                Node::Text(part) => text.push_str(part),
                Node::Element(element) if element.name == "comment" => {}
                Node::Element(element) => text.push_str(&element.text()),
            }
        }
        text
    }

    /// As it stands in a file.
    pub(super) fn write(&self, out: &mut String) {
        let _ = write!(out, "<{}", self.name);
        for (key, value) in &self.attributes {
            let _ = write!(out, " {key}=\"{}\"", escaped(value));
        }
        if self.children.is_empty() {
            out.push_str("/>");
            return;
        }
        out.push('>');
        for child in &self.children {
            match child {
                Node::Element(element) => element.write(out),
                Node::Text(text) => out.push_str(&escaped(text)),
            }
        }
        let _ = write!(out, "</{}>", self.name);
    }
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
        .replace('"', "&quot;")
}

fn unescaped(text: &str) -> String {
    text.replace("&lt;", "<")
        .replace("&gt;", ">")
        .replace("&quot;", "\"")
        .replace("&apos;", "'")
        .replace("&amp;", "&")
}

/// Reads a file: its one element.
///
/// # Errors
///
/// What is wrong, and where.
pub(super) fn read(text: &str) -> Result<Element, String> {
    let mut open = vec![Element::default()];
    let mut rest = text;
    while !rest.is_empty() {
        let at = text.len() - rest.len();
        let broken = |what: &str| format!("{what} at byte {at}");
        if let Some(comment) = rest.strip_prefix("<!--") {
            let end = comment
                .find("-->")
                .ok_or(broken("a comment that does not end"))?;
            rest = &comment[end + 3..];
        } else if rest.starts_with("<?") || rest.starts_with("<!") {
            let end = rest
                .find('>')
                .ok_or(broken("a declaration that does not end"))?;
            rest = &rest[end + 1..];
        } else if let Some(closing) = rest.strip_prefix("</") {
            let end = closing.find('>').ok_or(broken("a tag that does not end"))?;
            let element = open.pop().ok_or(broken("a tag too many"))?;
            if element.name != closing[..end].trim() {
                return Err(broken("a tag that closes another"));
            }
            let parent = open.last_mut().ok_or(broken("a tag too many"))?;
            parent.children.push(Node::Element(element));
            rest = &closing[end + 1..];
        } else if let Some(opening) = rest.strip_prefix('<') {
            let end = tag_end(opening).ok_or(broken("a tag that does not end"))?;
            let tag = &opening[..end];
            let (tag, alone) = match tag.strip_suffix('/') {
                Some(tag) => (tag, true),
                None => (tag, false),
            };
            let element = tagged(tag).ok_or(broken("attributes that cannot be read"))?;
            if alone {
                let parent = open.last_mut().ok_or(broken("a tag too many"))?;
                parent.children.push(Node::Element(element));
            } else {
                open.push(element);
            }
            rest = &opening[end + 1..];
        } else {
            let end = rest.find('<').unwrap_or(rest.len());
            if let Some(parent) = open.last_mut() {
                parent.children.push(Node::Text(unescaped(&rest[..end])));
            }
            rest = &rest[end..];
        }
    }
    match <[Element; 1]>::try_from(open) {
        Ok([outside]) => outside
            .elements()
            .next()
            .cloned()
            .ok_or("no element".into()),
        Err(open) => Err(format!("{} tags that are not closed", open.len() - 1)),
    }
}

/// Where a tag ends: the first `>` outside quotes.
fn tag_end(tag: &str) -> Option<usize> {
    let mut quoted = false;
    tag.char_indices().find_map(|(at, c)| {
        quoted ^= c == '"';
        (c == '>' && !quoted).then_some(at)
    })
}

/// An element without children, from its name and attributes.
fn tagged(tag: &str) -> Option<Element> {
    let tag = tag.trim();
    let name_end = tag.find(char::is_whitespace).unwrap_or(tag.len());
    let (name, mut rest) = (&tag[..name_end], tag[name_end..].trim_start());
    let mut attributes = Vec::new();
    while !rest.is_empty() {
        let (key, after) = rest.split_once("=\"")?;
        let (value, after) = after.split_once('"')?;
        attributes.push((key.trim().to_owned(), unescaped(value)));
        rest = after.trim_start();
    }
    Some(Element {
        name: name.to_owned(),
        attributes,
        children: Vec::new(),
    })
}

#[cfg(test)]
mod tests {
    use super::read;

    #[test]
    fn what_is_written_reads_the_same() {
        let text = "<?xml version=\"1.0\"?>\n<!-- <a> -->\n<a b=\"1 &gt; 0\" c=\"\">x <d/>&lt;y<e f=\"2\">z</e></a>\n";
        let element = read(text).expect("well formed");
        assert_eq!(element.attribute("b"), Some("1 > 0"));
        assert_eq!(element.text(), "x <yz");
        let mut written = String::new();
        element.write(&mut written);
        assert_eq!(read(&written), Ok(element));
    }

    #[test]
    fn what_is_broken_is_refused() {
        for text in [
            "",
            "<a>",
            "<a></b>",
            "<a></a></a>",
            "<a b=1/>",
            "<a",
            "<!-- <a/>",
        ] {
            assert!(read(text).is_err(), "{text}");
        }
    }
}
