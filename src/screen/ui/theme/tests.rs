//! Themes by flags and environment.

use super::*;

/// The theme of flags in an environment.
fn detected(flags: DisplayOptions, environment: &[(&str, &str)]) -> Theme {
    Theme::detect(&flags, |name| {
        let found = environment.iter().find(|(variable, _)| *variable == name);
        found.map(|(_, value)| (*value).to_owned())
    })
}

fn found(environment: &[(&str, &str)]) -> Theme {
    detected(DisplayOptions::default(), environment)
}

#[test]
fn the_environment_decides_the_color_depth() {
    for (environment, depth) in [
        (&[("TERM", "xterm-256color")][..], ColorDepth::Indexed),
        (&[("TERM", "xterm-256color"), ("COLORTERM", "truecolor")], ColorDepth::Truecolor),
        (&[("TERM", "xterm"), ("COLORTERM", "24bit")], ColorDepth::Truecolor),
        (&[("TERM", "xterm"), ("COLORTERM", "yes")], ColorDepth::Sixteen),
        (&[("TERM", "xterm-direct")], ColorDepth::Truecolor),
        (&[("TERM", "xterm-kitty")], ColorDepth::Truecolor),
        (&[("TERM", "alacritty")], ColorDepth::Truecolor),
        (&[("TERM", "tmux-256color")], ColorDepth::Indexed),
        (&[("TERM", "tmux-256color"), ("COLORTERM", "truecolor")], ColorDepth::Truecolor),
        (&[("TERM", "screen.xterm-256color")], ColorDepth::Indexed),
        (&[("TERM", "xterm-256color-italic")], ColorDepth::Indexed),
        (&[("TERM", "linux")], ColorDepth::Sixteen),
        (&[("TERM", "vt100")], ColorDepth::None),
        (&[], ColorDepth::Sixteen),
        (&[("TERM", "xterm-256color"), ("NO_COLOR", "1")], ColorDepth::None),
        (&[("TERM", "xterm-256color"), ("NO_COLOR", "")], ColorDepth::Indexed),
        (&[("TERM", "xterm-256color"), ("NO_COLOR", "0")], ColorDepth::None),
        (&[("TERM", "xterm"), ("CI", "true"), ("GITHUB_ACTIONS", "true")], ColorDepth::Sixteen),
        (&[("TERM", "xterm"), ("FORCE_COLOR", "truecolor")], ColorDepth::Sixteen),
        (&[("TERM", "vt100"), ("CLICOLOR_FORCE", "1")], ColorDepth::None),
    ] {
        assert_eq!(found(environment).depth, depth, "{environment:?}");
    }
}

#[test]
fn a_flag_overrides_the_environment() {
    let no_color = [("TERM", "xterm-256color"), ("NO_COLOR", "1")];
    for (color, depth) in [
        (ColorChoice::Auto, ColorDepth::None),
        (ColorChoice::Always, ColorDepth::Indexed),
        (ColorChoice::Never, ColorDepth::None),
        (ColorChoice::Sixteen, ColorDepth::Sixteen),
        (ColorChoice::Indexed, ColorDepth::Indexed),
        (ColorChoice::Truecolor, ColorDepth::Truecolor),
    ] {
        let flags = DisplayOptions { color, ..DisplayOptions::default() };
        assert_eq!(detected(flags, &no_color).depth, depth, "{color:?}");
    }
}

#[test]
fn the_background_chooses_between_dark_and_light() {
    let of = |theme, value: &str| {
        let flags = DisplayOptions { theme: Some(theme), ..DisplayOptions::default() };
        detected(flags, &[("COLORFGBG", value)]).colors
    };
    assert_eq!(of(ThemeChoice::Auto, "15;0"), &DEFAULT_DARK);
    assert_eq!(of(ThemeChoice::Auto, "0;default;15"), &DEFAULT_LIGHT);
    assert_eq!(of(ThemeChoice::Auto, "12;8"), &DEFAULT_DARK);
    assert_eq!(of(ThemeChoice::Auto, "nonsense"), &DEFAULT_DARK);
    assert_eq!(of(ThemeChoice::Auto, ""), &DEFAULT_DARK);
    assert_eq!(of(ThemeChoice::HighContrast, "0;7"), &HIGH_CONTRAST_LIGHT);
    assert_eq!(of(ThemeChoice::HighContrast, "7;0"), &HIGH_CONTRAST_DARK);
    assert_eq!(of(ThemeChoice::SolarizedDark, "0;15"), &SOLARIZED_DARK);
    assert_eq!(of(ThemeChoice::DefaultLight, "15;0"), &DEFAULT_LIGHT);
}

#[test]
fn the_locale_decides_between_utf8_and_ascii() {
    for (environment, ascii) in [
        (&[][..], false),
        (&[("LANG", "C")], false),
        (&[("LANG", "ko_KR.UTF-8")], false),
        (&[("LANG", "de_DE.utf8@euro")], false),
        (&[("LANG", "ko_KR.eucKR")], true),
        (&[("LC_ALL", "en_US.ISO-8859-1"), ("LANG", "en_US.UTF-8")], true),
        (&[("LC_ALL", ""), ("LC_CTYPE", "en_US.UTF-8"), ("LANG", "de_DE.ISO-8859-15@euro")], false),
    ] {
        let theme = found(environment);
        assert_eq!(theme.ascii, ascii, "{environment:?}");
        let marker = if ascii { Markers::Ascii } else { Markers::Braille };
        assert_eq!(theme.marker(), marker, "{environment:?}");
    }
}

#[test]
fn curve_markers_depend_on_the_terminal() {
    let of = |markers, glyphs, term: &str| {
        let flags = DisplayOptions { glyphs, markers, ..DisplayOptions::default() };
        detected(flags, &[("TERM", term)]).marker()
    };
    let auto = GlyphChoice::Auto;
    assert_eq!(of(None, auto, "xterm"), Markers::Braille);
    assert_eq!(of(None, auto, "linux"), Markers::Block);
    assert_eq!(of(Some(Markers::Braille), auto, "linux"), Markers::Braille);
    assert_eq!(of(Some(Markers::Dot), auto, "xterm"), Markers::Dot);
    assert_eq!(of(Some(Markers::Braille), GlyphChoice::Ascii, "xterm"), Markers::Ascii);
}

#[test]
fn sixteen_colors_are_the_terminals_in_every_theme() {
    for theme in [ThemeChoice::DefaultDark, ThemeChoice::SolarizedLight, ThemeChoice::HighContrast]
    {
        let flags = DisplayOptions {
            theme: Some(theme),
            color: ColorChoice::Sixteen,
            ..DisplayOptions::default()
        };
        let theme = detected(flags, &[]);
        assert_eq!(theme.train().fg, Some(Color::Cyan));
        assert_eq!(theme.error().fg, Some(Color::Red));
    }
}

#[test]
fn colors_are_encoded_by_depth() {
    let of = |color| detected(DisplayOptions { color, ..DisplayOptions::default() }, &[]).eval().fg;
    assert_eq!(of(ColorChoice::Truecolor), Some(Color::Rgb(0xe6, 0x9f, 0)));
    assert_eq!(of(ColorChoice::Indexed), Some(Color::Indexed(178)));
    assert_eq!(of(ColorChoice::Sixteen), Some(Color::Yellow));
    assert_eq!(of(ColorChoice::Never), None);
}

#[test]
fn low_bandwidth_uses_indexed_colors_unless_a_flag_requests_truecolor() {
    let of = |color| {
        let flags = DisplayOptions { low_bandwidth: true, color, ..DisplayOptions::default() };
        detected(flags, &[("COLORTERM", "truecolor")]).depth
    };
    assert_eq!(of(ColorChoice::Auto), ColorDepth::Indexed);
    assert_eq!(of(ColorChoice::Truecolor), ColorDepth::Truecolor);
}

#[test]
fn eight_curves_differ_with_and_without_color() {
    for color in
        [ColorChoice::Truecolor, ColorChoice::Indexed, ColorChoice::Sixteen, ColorChoice::Never]
    {
        for theme in
            [ThemeChoice::DefaultDark, ThemeChoice::DefaultLight, ThemeChoice::SolarizedDark]
        {
            let flags = DisplayOptions { theme: Some(theme), color, ..DisplayOptions::default() };
            let theme = detected(flags, &[]);
            let styles: Vec<Style> = (0..8).map(|index| theme.curve(index)).collect();
            for (index, style) in styles.iter().enumerate() {
                assert!(!styles[..index].contains(style), "{flags:?}: {index}");
            }
            assert_eq!(theme.curve(8), theme.curve(0));
            let metrics = [theme.train(), theme.eval(), theme.f1()].map(|style| style.fg);
            let pinned: Vec<Style> = (0..16).map(|index| theme.pinned(index)).collect();
            for (index, style) in pinned.iter().enumerate().filter(|_| theme.has_colors()) {
                assert!(!pinned[..index].contains(style), "{flags:?}: {index}");
                assert!(!metrics.contains(&style.fg), "{flags:?}: {index}");
            }
        }
    }
}

#[test]
fn without_colors_roles_have_attributes() {
    let theme = Theme::new(false);
    for style in [theme.cursor(), theme.grid(), theme.baseline(), theme.focus()] {
        assert_eq!(style.fg, None);
        assert_ne!(style.add_modifier, Modifier::empty());
    }
}
