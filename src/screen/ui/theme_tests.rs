//! What is found out about a terminal, and what comes of it.

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
fn the_environment_says_how_many_colours() {
    for (environment, depth) in [
        (&[("TERM", "xterm-256color")][..], Depth::Indexed),
        (&[("TERM", "xterm-256color"), ("COLORTERM", "truecolor")], Depth::Truecolor),
        (&[("TERM", "xterm"), ("COLORTERM", "24bit")], Depth::Truecolor),
        (&[("TERM", "xterm"), ("COLORTERM", "yes")], Depth::Sixteen),
        (&[("TERM", "xterm-direct")], Depth::Truecolor),
        (&[("TERM", "linux")], Depth::Sixteen),
        (&[("TERM", "vt100")], Depth::None),
        (&[], Depth::Sixteen),
        (&[("TERM", "xterm-256color"), ("NO_COLOR", "1")], Depth::None),
        (&[("TERM", "xterm-256color"), ("NO_COLOR", "")], Depth::Indexed),
    ] {
        assert_eq!(found(environment).depth, depth, "{environment:?}");
    }
}

#[test]
fn a_flag_wins_over_the_environment() {
    let refused = [("TERM", "xterm-256color"), ("NO_COLOR", "1")];
    for (color, depth) in [
        (ColorChoice::Auto, Depth::None),
        (ColorChoice::Always, Depth::Indexed),
        (ColorChoice::Never, Depth::None),
        (ColorChoice::Sixteen, Depth::Sixteen),
        (ColorChoice::Indexed, Depth::Indexed),
        (ColorChoice::Truecolor, Depth::Truecolor),
    ] {
        let flags = DisplayOptions { color, ..DisplayOptions::default() };
        assert_eq!(detected(flags, &refused).depth, depth, "{color:?}");
    }
}

#[test]
fn the_background_chooses_between_dark_and_light() {
    let of = |theme, said: &str| {
        let flags = DisplayOptions { theme, ..DisplayOptions::default() };
        detected(flags, &[("COLORFGBG", said)]).palette
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
fn the_locale_says_whether_there_is_utf8() {
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
fn curves_are_made_of_what_the_terminal_has() {
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
fn sixteen_colours_are_the_terminals_whatever_the_theme() {
    for theme in [ThemeChoice::DefaultDark, ThemeChoice::SolarizedLight, ThemeChoice::HighContrast]
    {
        let flags =
            DisplayOptions { theme, color: ColorChoice::Sixteen, ..DisplayOptions::default() };
        let theme = detected(flags, &[]);
        assert_eq!(theme.train().fg, Some(Color::Cyan));
        assert_eq!(theme.error().fg, Some(Color::Red));
    }
}

#[test]
fn each_depth_names_colours_its_own_way() {
    let of = |color| detected(DisplayOptions { color, ..DisplayOptions::default() }, &[]).eval().fg;
    assert_eq!(of(ColorChoice::Truecolor), Some(Color::Rgb(0xe6, 0x9f, 0)));
    assert_eq!(of(ColorChoice::Indexed), Some(Color::Indexed(178)));
    assert_eq!(of(ColorChoice::Sixteen), Some(Color::Yellow));
    assert_eq!(of(ColorChoice::Never), None);
}

#[test]
fn a_slow_link_carries_colours_of_fewer_bytes_unless_they_are_asked_for() {
    let of = |color| {
        let flags = DisplayOptions { low_bandwidth: true, color, ..DisplayOptions::default() };
        detected(flags, &[("COLORTERM", "truecolor")]).depth
    };
    assert_eq!(of(ColorChoice::Auto), Depth::Indexed);
    assert_eq!(of(ColorChoice::Truecolor), Depth::Truecolor);
}

#[test]
fn eight_curves_differ_with_and_without_colour() {
    for color in
        [ColorChoice::Truecolor, ColorChoice::Indexed, ColorChoice::Sixteen, ColorChoice::Never]
    {
        for theme in
            [ThemeChoice::DefaultDark, ThemeChoice::DefaultLight, ThemeChoice::SolarizedDark]
        {
            let flags = DisplayOptions { theme, color, ..DisplayOptions::default() };
            let theme = detected(flags, &[]);
            let styles: Vec<Style> = (0..8).map(|index| theme.curve(index)).collect();
            for (index, style) in styles.iter().enumerate() {
                assert!(!styles[..index].contains(style), "{flags:?}: {index}");
            }
            assert_eq!(theme.curve(8), theme.curve(0));
        }
    }
}

#[test]
fn without_colour_what_matters_has_weight() {
    let theme = Theme::new(false);
    for style in [theme.cursor(), theme.grid(), theme.reference(), theme.focus(), theme.mark()] {
        assert_eq!(style.fg, None);
        assert_ne!(style.add_modifier, Modifier::empty());
    }
}
