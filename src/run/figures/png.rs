//! SVG made into dots, with a font of our own, so that a picture is the same on every machine.

use resvg::tiny_skia::{Pixmap, Transform};
use resvg::usvg::{Options, Tree, fontdb};
use std::io::Read;
use std::sync::{Arc, OnceLock};

/// Latin and Korean letters (assets/font/OFL.txt), compressed.
const FONT: &[u8] = include_bytes!("../../../assets/font/figure_gothic.ttf.zst");

/// The name of the font in it.
pub(super) const FONT_FAMILY: &str = "Figure Gothic";

/// Dots for each unit of the SVG.
const SCALE: f32 = 2.0;

/// The picture as PNG.
pub(super) fn render(svg: &str) -> Result<Vec<u8>, String> {
    let options =
        Options { font_family: FONT_FAMILY.to_owned(), fontdb: fonts()?, ..Options::default() };
    let tree = Tree::from_str(svg, &options).map_err(|error| error.to_string())?;
    let size = tree.size();
    let (width, height) = (size.width() * SCALE, size.height() * SCALE);
    let mut dots = Pixmap::new(width.ceil() as u32, height.ceil() as u32)
        .ok_or_else(|| format!("{width} x {height} dots are too many"))?;
    resvg::render(&tree, Transform::from_scale(SCALE, SCALE), &mut dots.as_mut());
    dots.encode_png().map_err(|error| error.to_string())
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
