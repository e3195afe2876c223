//! The only colours, sizes and fonts: everything drawn takes them from here.

use std::sync::Arc;

use egui::style::{ScrollFadeStyle, ScrollStyle, Selection, WidgetVisuals};
use egui::{
    Color32, CornerRadius, FontData, FontDefinitions, FontFamily, FontId, Margin, Shadow, Stroke,
    TextStyle, Theme, Vec2, Visuals, vec2,
};

/// Sizes, in points.
pub mod size {
    /// A row of the grid.
    pub const ROW: f32 = 30.0;
    /// The header with the columns' names.
    pub const HEADER: f32 = 36.0;
    /// The filter fields beneath it.
    pub const FILTER_ROW: f32 = 34.0;
    /// The bar with the table's name.
    pub const TOP_BAR: f32 = 56.0;
    /// The bar with the connection's state.
    pub const STATUS_BAR: f32 = 32.0;
    /// The list of tables.
    pub const SIDE_BAR: f32 = 224.0;
    /// The panel with a column's values.
    pub const FACET_PANEL: f32 = 272.0;
    /// The row with the columns' totals.
    pub const TOTALS_ROW: f32 = 32.0;
    /// Between a cell's edge and its text.
    pub const CELL_PADDING: f32 = 12.0;
    /// The scrollbars' thickness.
    pub const SCROLLBAR: f32 = 12.0;
    /// Text in cells and panels.
    pub const TEXT: f32 = 13.0;
    /// Hints, units, row numbers.
    pub const SMALL: f32 = 11.5;
    /// The table's name.
    pub const TITLE: f32 = 18.0;
}

/// How long a changed cell stays tinted, in seconds.
pub const FLASH_SECONDS: f32 = 1.2;

/// The colours of one theme. Text colours keep at least 4.5:1 on every surface they are used on.
#[derive(Clone, Debug, PartialEq)]
pub struct Palette {
    /// Behind everything: side bar, status bar.
    pub backdrop: Color32,
    /// Behind the rows.
    pub surface: Color32,
    /// Behind the header and the row numbers.
    pub header: Color32,
    /// Under the pointer.
    pub hover: Color32,
    /// Fields and buttons.
    pub field: Color32,
    /// Between panels, around fields.
    pub border: Color32,
    /// Between rows and columns.
    pub hairline: Color32,
    /// Placeholders of rows that are loading.
    pub skeleton: Color32,
    /// Text.
    pub text: Color32,
    /// Labels and secondary text.
    pub muted: Color32,
    /// Hints, `NULL`, row numbers.
    pub faint: Color32,
    /// Selection, sort arrows, links.
    pub accent: Color32,
    /// The selected row.
    pub accent_soft: Color32,
    /// Text on the accent.
    pub on_accent: Color32,
    /// Live; a number that rose.
    pub good: Color32,
    /// Catching up, reconnecting, pending, conflicts.
    pub warning: Color32,
    /// Errors; a number that fell.
    pub bad: Color32,
    /// Behind what a search has found.
    pub mark: Color32,
    /// Drop shadow of popups.
    pub shadow: Color32,
    dark: bool,
}

const LIGHT: Palette = Palette {
    backdrop: Color32::from_rgb(246, 247, 249),
    surface: Color32::WHITE,
    header: Color32::from_rgb(250, 251, 252),
    hover: Color32::from_rgb(240, 242, 246),
    field: Color32::WHITE,
    border: Color32::from_rgb(222, 226, 232),
    hairline: Color32::from_rgb(238, 240, 244),
    skeleton: Color32::from_rgb(234, 237, 242),
    text: Color32::from_rgb(22, 27, 38),
    muted: Color32::from_rgb(75, 84, 101),
    faint: Color32::from_rgb(104, 113, 130),
    accent: Color32::from_rgb(59, 91, 219),
    accent_soft: Color32::from_rgb(238, 242, 255),
    on_accent: Color32::WHITE,
    good: Color32::from_rgb(13, 122, 77),
    warning: Color32::from_rgb(163, 88, 6),
    bad: Color32::from_rgb(196, 43, 43),
    mark: Color32::from_rgb(255, 228, 138),
    shadow: Color32::from_rgba_premultiplied(0, 0, 0, 28),
    dark: false,
};

const DARK: Palette = Palette {
    backdrop: Color32::from_rgb(13, 16, 22),
    surface: Color32::from_rgb(18, 22, 29),
    header: Color32::from_rgb(22, 27, 35),
    hover: Color32::from_rgb(28, 34, 44),
    field: Color32::from_rgb(13, 16, 22),
    border: Color32::from_rgb(42, 49, 61),
    hairline: Color32::from_rgb(29, 35, 44),
    skeleton: Color32::from_rgb(33, 39, 50),
    text: Color32::from_rgb(230, 234, 241),
    muted: Color32::from_rgb(167, 176, 191),
    faint: Color32::from_rgb(131, 141, 157),
    accent: Color32::from_rgb(130, 154, 255),
    accent_soft: Color32::from_rgb(28, 35, 58),
    on_accent: Color32::from_rgb(13, 16, 22),
    good: Color32::from_rgb(70, 201, 140),
    warning: Color32::from_rgb(240, 171, 82),
    bad: Color32::from_rgb(248, 120, 113),
    mark: Color32::from_rgb(99, 76, 14),
    shadow: Color32::from_rgba_premultiplied(0, 0, 0, 120),
    dark: true,
};

impl Palette {
    /// The colours of a theme.
    pub fn of(theme: Theme) -> &'static Self {
        match theme {
            Theme::Light => &LIGHT,
            Theme::Dark => &DARK,
        }
    }

    /// A colour as a tint behind text: `strength` from 0 (none) to 1.
    pub fn tint(&self, color: Color32, strength: f32) -> Color32 {
        color.gamma_multiply(strength * if self.dark { 0.34 } else { 0.22 })
    }
}

/// Text in cells and panels.
pub fn text_font() -> FontId {
    FontId::proportional(size::TEXT)
}

/// Column names, the table's name in the list, buttons that matter.
pub fn strong_font(points: f32) -> FontId {
    FontId::new(points, strong_family())
}

/// Hints, units, row numbers.
pub fn small_font() -> FontId {
    FontId::proportional(size::SMALL)
}

fn strong_family() -> FontFamily {
    FontFamily::Name("strong".into())
}

/// Gives a context both themes, the text sizes and the fonts.
pub fn install(ctx: &egui::Context) {
    ctx.set_fonts(fonts());
    for theme in [Theme::Light, Theme::Dark] {
        let palette = Palette::of(theme);
        ctx.style_mut_of(theme, |style| {
            style.visuals = visuals(theme, palette);
            style.text_styles = [
                (TextStyle::Heading, strong_font(size::TITLE)),
                (TextStyle::Body, text_font()),
                (TextStyle::Button, text_font()),
                (TextStyle::Small, small_font()),
                (TextStyle::Monospace, FontId::monospace(size::TEXT)),
            ]
            .into();
            style.spacing.item_spacing = vec2(8.0, 6.0);
            style.spacing.button_padding = vec2(10.0, 5.0);
            style.spacing.interact_size = vec2(32.0, 26.0);
            style.spacing.menu_margin = Margin::same(8);
            style.spacing.window_margin = Margin::same(14);
            style.spacing.scroll = scroll_style();
            style.interaction.selectable_labels = false;
        });
    }
}

/// How entries of menus look: with room around their text, for the fill beneath the one pointed at.
pub fn menu_style(style: &mut egui::Style) {
    egui::containers::menu::menu_style(style);
    style.spacing.button_padding = vec2(8.0, 5.0);
    style.spacing.item_spacing.y = 2.0;
}

/// Bars as the grid's own: as wide, always there while there is something to scroll.
fn scroll_style() -> ScrollStyle {
    ScrollStyle {
        bar_width: size::SCROLLBAR - 6.0,
        floating_width: size::SCROLLBAR - 6.0,
        bar_outer_margin: 3.0,
        handle_min_length: 36.0,
        active_background_opacity: 0.0,
        interact_background_opacity: 0.0,
        dormant_handle_opacity: 0.26,
        active_handle_opacity: 0.26,
        interact_handle_opacity: 0.5,
        fade: ScrollFadeStyle {
            strength: 0.0,
            ..ScrollFadeStyle::default()
        },
        ..ScrollStyle::floating()
    }
}

fn fonts() -> FontDefinitions {
    let mut fonts = FontDefinitions::default();
    let fallbacks = fonts
        .families
        .get(&FontFamily::Proportional)
        .cloned()
        .unwrap_or_default();
    let weights: [(FontFamily, &str, &'static [u8]); 2] = [
        (
            FontFamily::Proportional,
            "Inter",
            include_bytes!("../fonts/Inter-Regular.otf"),
        ),
        (
            strong_family(),
            "Inter SemiBold",
            include_bytes!("../fonts/Inter-SemiBold.otf"),
        ),
    ];
    for (family, name, bytes) in weights {
        fonts
            .font_data
            .insert(name.to_owned(), Arc::new(FontData::from_static(bytes)));
        let mut chain = vec![name.to_owned()];
        chain.extend(fallbacks.iter().cloned());
        fonts.families.insert(family, chain);
    }
    fonts
}

fn visuals(theme: Theme, palette: &Palette) -> Visuals {
    let mut visuals = theme.default_visuals();
    let widget = |fill: Color32, border: Color32, text: Color32| WidgetVisuals {
        bg_fill: fill,
        weak_bg_fill: fill,
        bg_stroke: Stroke::new(1.0, border),
        corner_radius: CornerRadius::same(6),
        fg_stroke: Stroke::new(1.0, text),
        expansion: 0.0,
    };
    visuals.widgets.noninteractive = widget(palette.surface, palette.border, palette.text);
    visuals.widgets.inactive = widget(palette.field, palette.border, palette.text);
    visuals.widgets.hovered = widget(palette.hover, palette.border, palette.text);
    visuals.widgets.active = widget(palette.hover, palette.accent, palette.text);
    visuals.widgets.open = widget(palette.hover, palette.accent, palette.text);
    visuals.selection = Selection {
        bg_fill: palette.accent.gamma_multiply(0.35),
        stroke: Stroke::new(1.0, palette.accent),
    };
    visuals.hyperlink_color = palette.accent;
    visuals.weak_text_color = Some(palette.faint);
    visuals.faint_bg_color = palette.header;
    visuals.extreme_bg_color = palette.field;
    visuals.text_edit_bg_color = Some(palette.field);
    visuals.code_bg_color = palette.hover;
    visuals.warn_fg_color = palette.warning;
    visuals.error_fg_color = palette.bad;
    visuals.window_fill = palette.surface;
    visuals.window_stroke = Stroke::new(1.0, palette.border);
    visuals.window_corner_radius = CornerRadius::same(10);
    visuals.menu_corner_radius = CornerRadius::same(8);
    visuals.panel_fill = palette.backdrop;
    let shadow = Shadow {
        offset: [0, 6],
        blur: 24,
        spread: 0,
        color: palette.shadow,
    };
    visuals.window_shadow = shadow;
    visuals.popup_shadow = shadow;
    visuals
}

/// The space between a panel's edge and its contents, in points.
pub const PANEL_PADDING: Vec2 = vec2(16.0, 8.0);
