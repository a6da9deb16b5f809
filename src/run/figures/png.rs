//! Renders SVG as PNG with an embedded font, so that the result is the same on every computer.

use resvg::tiny_skia::{Pixmap, Transform};
use resvg::usvg::{Options, Tree, fontdb};
use std::io::Read;
use std::sync::{Arc, OnceLock};

/// Latin and Korean glyphs (license: assets/font/OFL.txt), compressed with zstd.
const FONT: &[u8] = include_bytes!("../../../assets/font/figure_gothic.ttf.zst");

/// The font's family name.
pub(super) const FONT_FAMILY: &str = "Figure Gothic";

/// Pixels per unit of the SVG.
const PIXELS_PER_UNIT: f32 = 2.0;

/// Renders an SVG document as PNG.
pub(super) fn render(svg: &str) -> Result<Vec<u8>, String> {
    let options =
        Options { font_family: FONT_FAMILY.to_owned(), fontdb: fonts()?, ..Options::default() };
    let tree = Tree::from_str(svg, &options).map_err(|error| error.to_string())?;
    let size = tree.size();
    let (width, height) = (size.width() * PIXELS_PER_UNIT, size.height() * PIXELS_PER_UNIT);
    let mut pixels = Pixmap::new(width.ceil() as u32, height.ceil() as u32)
        .ok_or_else(|| format!("{width} x {height} pixels are too many"))?;
    resvg::render(
        &tree,
        Transform::from_scale(PIXELS_PER_UNIT, PIXELS_PER_UNIT),
        &mut pixels.as_mut(),
    );
    pixels.encode_png().map_err(|error| error.to_string())
}

fn fonts() -> Result<Arc<fontdb::Database>, String> {
    static FONTS: OnceLock<Arc<fontdb::Database>> = OnceLock::new();
    if let Some(fonts) = FONTS.get() {
        return Ok(fonts.clone());
    }
    let mut font = Vec::new();
    ruzstd::decoding::StreamingDecoder::new(FONT)
        .map_err(|error| error.to_string())?
        .read_to_end(&mut font)
        .map_err(|error| error.to_string())?;
    let mut fonts = fontdb::Database::new();
    fonts.load_font_data(font);
    fonts.set_sans_serif_family(FONT_FAMILY);
    Ok(FONTS.get_or_init(|| Arc::new(fonts)).clone())
}
