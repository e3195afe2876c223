//! The accessibility tree as invisible elements of the page.

use std::collections::HashMap;
use std::time::Duration;

use egui::accesskit::{Node, NodeId, Role, SortDirection, Toggled, TreeUpdate};
use egui::{Context, FullOutput};
use wasm_bindgen::{JsCast, JsValue};
use web_sys::{Document, HtmlElement};
use web_time::Instant;

/// The element that holds the copies.
const CONTAINER: &str = "rowcast-a11y";

/// How often the page is changed at most: while the grid scrolls every cell changes in every frame.
const INTERVAL: Duration = Duration::from_millis(80);

/// Copies the accessibility tree into invisible elements of the page, with roles, names and places,
/// so that screen readers and browser tests can read every visible cell. Changes only what changed.
pub struct DomMirror {
    elements: HashMap<NodeId, Mirrored>,
    synced_at: Option<Instant>,
}

struct Mirrored {
    element: SingleThreaded,
    attributes: Vec<(&'static str, String)>,
    text: Option<String>,
    place: [i32; 4],
    children: Vec<NodeId>,
}

/// An element of the page. egui asks of its plugins that they can be sent to other threads; in the
/// page there are none.
type SingleThreaded = send_wrapper::SendWrapper<HtmlElement>;

impl DomMirror {
    /// Registers the plugin with a context, once, after [`PaintedNodes`](super::PaintedNodes).
    pub fn install(ctx: &Context) {
        ctx.enable_accesskit();
        ctx.add_plugin(Self {
            elements: HashMap::new(),
            synced_at: None,
        });
    }

    fn sync(&mut self, update: &TreeUpdate, zoom: f32) -> Result<(), JsValue> {
        let document = web_sys::window().and_then(|window| window.document());
        let document = document.ok_or("no document")?;
        let container = document
            .get_element_by_id(CONTAINER)
            .ok_or("no container")?;
        let container: HtmlElement = container.dyn_into()?;
        let nodes: HashMap<NodeId, &Node> =
            update.nodes.iter().map(|(id, node)| (*id, node)).collect();
        let Some(root) = update.tree.as_ref().map(|tree| tree.root) else {
            return Ok(());
        };
        let mut seen = HashMap::with_capacity(self.elements.len());
        let mut pass = Pass {
            document: &document,
            nodes: &nodes,
            old: &mut self.elements,
            zoom,
        };
        let children = pass.children(root, &mut seen)?;
        place_children(&container, &children, &seen)?;
        for gone in self.elements.values() {
            gone.element.remove();
        }
        self.elements = seen;
        Ok(())
    }
}

/// One comparison of the tree with the page.
struct Pass<'a> {
    document: &'a Document,
    nodes: &'a HashMap<NodeId, &'a Node>,
    /// What is on the page and has not been met in the tree yet.
    old: &'a mut HashMap<NodeId, Mirrored>,
    zoom: f32,
}

type Seen = HashMap<NodeId, Mirrored>;

impl Pass<'_> {
    /// Mirrors what is beneath a node; a node without a role of its own is replaced by its
    /// children.
    fn children(&mut self, parent: NodeId, seen: &mut Seen) -> Result<Vec<NodeId>, JsValue> {
        let Some(node) = self.nodes.get(&parent).copied() else {
            return Ok(Vec::new());
        };
        let mut mirrored = Vec::new();
        for &child in node.children() {
            let Some(node) = self.nodes.get(&child).copied() else {
                continue;
            };
            match role_name(node.role()) {
                Some(role) => {
                    self.node(child, node, role, seen)?;
                    mirrored.push(child);
                }
                None => mirrored.extend(self.children(child, seen)?),
            }
        }
        Ok(mirrored)
    }

    fn node(
        &mut self,
        id: NodeId,
        node: &Node,
        role: &'static str,
        seen: &mut Seen,
    ) -> Result<(), JsValue> {
        let mut mirrored = match self.old.remove(&id) {
            Some(mirrored) => mirrored,
            None => self.create()?,
        };
        let children = self.children(id, seen)?;
        mirrored.set_attributes(attributes(node, role))?;
        mirrored.set_place(node, self.zoom)?;
        if children.is_empty() {
            mirrored.set_text(text(node));
        }
        if mirrored.children != children {
            place_children(&mirrored.element, &children, seen)?;
            mirrored.children = children;
        }
        seen.insert(id, mirrored);
        Ok(())
    }

    fn create(&self) -> Result<Mirrored, JsValue> {
        let element: HtmlElement = self.document.create_element("div")?.dyn_into()?;
        Ok(Mirrored {
            element: SingleThreaded::new(element),
            attributes: Vec::new(),
            text: None,
            place: [i32::MIN; 4],
            children: Vec::new(),
        })
    }
}

impl Mirrored {
    fn set_attributes(&mut self, new: Vec<(&'static str, String)>) -> Result<(), JsValue> {
        if self.attributes == new {
            return Ok(());
        }
        for (name, value) in &new {
            if !self
                .attributes
                .iter()
                .any(|old| old.0 == *name && old.1 == *value)
            {
                self.element.set_attribute(name, value)?;
            }
        }
        for (name, _) in &self.attributes {
            if !new.iter().any(|(kept, _)| kept == name) {
                self.element.remove_attribute(name)?;
            }
        }
        self.attributes = new;
        Ok(())
    }

    fn set_text(&mut self, text: String) {
        if self.text.as_ref() != Some(&text) {
            self.element.set_text_content(Some(&text));
            self.text = Some(text);
        }
    }

    fn set_place(&mut self, node: &Node, zoom: f32) -> Result<(), JsValue> {
        let Some(bounds) = node.bounds() else {
            return Ok(());
        };
        let zoom = f64::from(zoom);
        let place = [bounds.x0, bounds.y0, bounds.width(), bounds.height()];
        let place = place.map(|points| (points * zoom).round() as i32);
        if self.place != place {
            let style = self.element.style();
            for (name, pixels) in ["left", "top", "width", "height"].into_iter().zip(place) {
                style.set_property(name, &format!("{pixels}px"))?;
            }
            self.place = place;
        }
        Ok(())
    }
}

/// Puts the children's elements into an element, in order. Moves only those that are not in place.
fn place_children(parent: &HtmlElement, children: &[NodeId], seen: &Seen) -> Result<(), JsValue> {
    let mut at = parent.first_element_child();
    for child in children {
        let Some(mirrored) = seen.get(child) else {
            continue;
        };
        let element: &HtmlElement = &mirrored.element;
        if at.as_ref().is_some_and(|at| at.is_same_node(Some(element))) {
            at = at.and_then(|at| at.next_element_sibling());
        } else {
            parent.insert_before(element, at.as_ref().map(AsRef::as_ref))?;
        }
    }
    Ok(())
}

/// What an element says of its node. The order is fixed, so that lists can be compared.
fn attributes(node: &Node, role: &'static str) -> Vec<(&'static str, String)> {
    let mut attributes = vec![("role", role.to_owned())];
    let mut add = |name: &'static str, value: Option<String>| {
        attributes.extend(value.map(|value| (name, value)));
    };
    add("aria-label", node.label().map(str::to_owned));
    add("aria-description", node.description().map(str::to_owned));
    add(
        "aria-rowindex",
        node.row_index().map(|row| (row + 1).to_string()),
    );
    add(
        "aria-colindex",
        node.column_index().map(|column| (column + 1).to_string()),
    );
    add(
        "aria-rowcount",
        node.row_count().map(|rows| rows.to_string()),
    );
    add(
        "aria-colcount",
        node.column_count().map(|columns| columns.to_string()),
    );
    add("data-column", node.author_id().map(str::to_owned));
    add(
        "aria-sort",
        node.sort_direction().map(|sort| sort_name(sort).to_owned()),
    );
    add(
        "aria-selected",
        node.is_selected().map(|selected| selected.to_string()),
    );
    let toggled = if matches!(role, "checkbox" | "radio") {
        "aria-checked"
    } else {
        "aria-pressed"
    };
    add(
        toggled,
        node.toggled()
            .map(|toggled| (toggled == Toggled::True).to_string()),
    );
    add(
        "aria-expanded",
        node.is_expanded().map(|expanded| expanded.to_string()),
    );
    add(
        "aria-readonly",
        node.is_read_only().then(|| "true".to_owned()),
    );
    add("aria-busy", node.is_busy().then(|| "true".to_owned()));
    add(
        "aria-disabled",
        node.is_disabled().then(|| "true".to_owned()),
    );
    attributes
}

fn text(node: &Node) -> String {
    node.value()
        .or_else(|| node.label())
        .unwrap_or_default()
        .to_owned()
}

fn sort_name(direction: SortDirection) -> &'static str {
    match direction {
        SortDirection::Ascending => "ascending",
        SortDirection::Descending => "descending",
        SortDirection::Other => "other",
    }
}

/// The ARIA role; `None` for nodes that only group others.
fn role_name(role: Role) -> Option<&'static str> {
    Some(match role {
        Role::Grid => "grid",
        Role::Row => "row",
        Role::GridCell | Role::Cell => "gridcell",
        Role::ColumnHeader => "columnheader",
        Role::Button | Role::DefaultButton => "button",
        Role::RadioButton => "radio",
        Role::CheckBox => "checkbox",
        Role::Link => "link",
        Role::TextInput | Role::SearchInput | Role::MultilineTextInput => "textbox",
        Role::ListBoxOption => "option",
        Role::Label => "note",
        Role::Status => "status",
        Role::Dialog => "dialog",
        Role::ProgressIndicator => "progressbar",
        _ => return None,
    })
}

impl egui::Plugin for DomMirror {
    fn debug_name(&self) -> &'static str {
        "mirror of the accessibility tree in the page"
    }

    fn output_hook(&mut self, ctx: &Context, output: &mut FullOutput) {
        let Some(update) = &output.platform_output.accesskit_update else {
            return;
        };
        let now = Instant::now();
        let since = self.synced_at.map(|at| now.saturating_duration_since(at));
        if let Some(left) = since.and_then(|since| INTERVAL.checked_sub(since)) {
            ctx.request_repaint_after(left);
            return;
        }
        self.synced_at = Some(now);
        if let Err(error) = self.sync(update, ctx.zoom_factor()) {
            log::warn!("the page was not updated for assistive technology: {error:?}");
        }
    }
}
