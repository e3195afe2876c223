//! Nodes of the accessibility tree for what is painted without being a widget.

use std::collections::HashMap;

use egui::accesskit::{Node, NodeId};
use egui::{Context, FullOutput, Id, Rect, Ui};

/// Collects nodes during a pass and puts them into its accessibility tree, at any depth: egui
/// itself only makes nodes for widgets.
#[derive(Debug, Default)]
pub struct PaintedNodes {
    nodes: Vec<(NodeId, NodeId, Node)>,
}

/// The node that painted nodes are added under.
#[derive(Clone, Copy, Debug)]
pub struct NodeParent(NodeId);

impl PaintedNodes {
    /// Registers the plugin with a context, once.
    pub fn install(ctx: &Context) {
        ctx.add_plugin(Self::default());
    }

    /// A widget to add nodes under; `None` if nobody listens, so that nothing needs to be built.
    /// `describe` gives the widget's own node its role and name.
    pub fn under(
        ctx: &Context,
        widget: Id,
        describe: impl FnOnce(&mut Node),
    ) -> Option<NodeParent> {
        ctx.accesskit_node_builder(widget, describe)?;
        Some(NodeParent(widget.accesskit_id()))
    }

    /// Adds a node, which may itself be a parent of others.
    pub fn add(ctx: &Context, parent: NodeParent, id: Id, node: Node) -> NodeParent {
        let id = id.accesskit_id();
        ctx.with_plugin(|this: &mut Self| this.nodes.push((parent.0, id, node)));
        NodeParent(id)
    }

    /// A rectangle in the tree's coordinates.
    pub fn bounds(rect: Rect) -> egui::accesskit::Rect {
        egui::accesskit::Rect {
            x0: rect.min.x.into(),
            y0: rect.min.y.into(),
            x1: rect.max.x.into(),
            y1: rect.max.y.into(),
        }
    }
}

impl egui::Plugin for PaintedNodes {
    fn debug_name(&self) -> &'static str {
        "painted nodes"
    }

    fn on_begin_pass(&mut self, _ui: &mut Ui) {
        self.nodes.clear();
    }

    fn output_hook(&mut self, _ctx: &Context, output: &mut FullOutput) {
        let nodes = std::mem::take(&mut self.nodes);
        let Some(update) = &mut output.platform_output.accesskit_update else {
            return;
        };
        let first = update.nodes.len();
        let mut index: HashMap<NodeId, usize> = update
            .nodes
            .iter()
            .enumerate()
            .map(|(at, (id, _))| (*id, at))
            .collect();
        for (offset, (_, id, _)) in nodes.iter().enumerate() {
            index.insert(*id, first + offset);
        }
        let parents: Vec<NodeId> = nodes.iter().map(|(parent, _, _)| *parent).collect();
        update
            .nodes
            .extend(nodes.into_iter().map(|(_, id, node)| (id, node)));
        for (offset, parent) in parents.into_iter().enumerate() {
            let child = update.nodes[first + offset].0;
            if let Some(at) = index.get(&parent) {
                update.nodes[*at].1.push_child(child);
            }
        }
    }
}
