//! Parsing of pages and charts.

#![allow(dead_code, reason = "each test program uses a part")]

use quick_xml::Reader;
use quick_xml::events::Event;

/// The contents of a page or chart, parsed as XML; it is an error if it is not well-formed.
#[derive(Debug, Default)]
pub(crate) struct Parsed {
    /// Names of the elements, in order.
    pub(crate) elements: Vec<String>,
    /// (element, attribute, value).
    pub(crate) attributes: Vec<(String, String, String)>,
    /// All text.
    pub(crate) text: String,
}

impl Parsed {
    pub(crate) fn of(text: &str) -> anyhow::Result<Self> {
        let mut reader = Reader::from_str(text);
        reader.config_mut().check_end_names = true;
        let mut parsed = Self::default();
        let mut depth = 0i64;
        loop {
            match reader.read_event()? {
                Event::Start(start) => {
                    depth += 1;
                    parsed.element(&start)?;
                }
                Event::Empty(empty) => parsed.element(&empty)?,
                Event::End(_) => depth -= 1,
                Event::Text(content) => parsed.text.push_str(&content.decode()?),
                Event::GeneralRef(reference) => {
                    let name = reference.decode()?;
                    match reference.resolve_char_ref()? {
                        Some(c) => parsed.text.push(c),
                        None => parsed.text.push_str(
                            quick_xml::escape::resolve_predefined_entity(&name)
                                .ok_or_else(|| anyhow::anyhow!("unknown entity {name}"))?,
                        ),
                    }
                }
                Event::Eof => break,
                _ => {}
            }
        }
        anyhow::ensure!(depth == 0, "{depth} elements are not closed");
        Ok(parsed)
    }

    fn element(&mut self, start: &quick_xml::events::BytesStart) -> anyhow::Result<()> {
        let element = String::from_utf8(start.name().as_ref().to_vec())?;
        for attribute in start.attributes() {
            let attribute = attribute?;
            let key = String::from_utf8(attribute.key.as_ref().to_vec())?;
            let value = quick_xml::escape::unescape(std::str::from_utf8(&attribute.value)?)?.into_owned();
            self.attributes.push((element.clone(), key, value));
        }
        self.elements.push(element);
        Ok(())
    }

    /// The values of an attribute, in any element.
    pub(crate) fn values(&self, key: &str) -> Vec<&str> {
        self.attributes.iter().filter(|(_, k, _)| k == key).map(|(_, _, value)| value.as_str()).collect()
    }

    /// Whether it needs scripts or external resources.
    pub(crate) fn stands_alone(&self) -> bool {
        let refers = |(_, key, value): &(String, String, String)| match key.as_str() {
            "href" | "xlink:href" => !value.starts_with('#'),
            "src" | "srcset" | "data" | "action" => true,
            key => key.starts_with("on") || value.contains("url("),
        };
        let active = ["script", "iframe", "object", "embed", "link", "image", "img", "use", "foreignObject"];
        !self.attributes.iter().any(refers)
            && !self.elements.iter().any(|element| active.contains(&element.as_str()))
            && !self.text.contains("@import")
    }
}
