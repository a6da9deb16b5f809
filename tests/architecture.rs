//! Checks that the sources have the structure that `src/README.md` describes: the order of the
//! wings (top-level modules), no import cycles between rooms (their submodules), and what each wing
//! must not use.
//!
//! The sources are parsed; code that is compiled only for tests is skipped.

#![expect(clippy::expect_used, clippy::panic, reason = "a failed test stops with a message")]

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use syn::visit::Visit;

/// The wings, each of which may import only itself and those before it.
const WINGS: [&str; 4] = ["core", "run", "screen", "cli"];

/// A source file of the program, without code that is compiled only for tests.
struct Source {
    /// The path below `src`.
    file: String,
    /// The module's path: `["core", "data", "csv"]`.
    module: Vec<String>,
    parsed: syn::File,
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("src")
}

/// Whether an item is compiled only for tests.
fn is_for_tests(attributes: &[syn::Attribute]) -> bool {
    attributes.iter().any(|attribute| {
        attribute.path().is_ident("cfg")
            && attribute.parse_args::<syn::Ident>().is_ok_and(|condition| condition == "test")
    })
}

fn attributes(item: &syn::Item) -> &[syn::Attribute] {
    match item {
        syn::Item::Const(item) => &item.attrs,
        syn::Item::Enum(item) => &item.attrs,
        syn::Item::Fn(item) => &item.attrs,
        syn::Item::Impl(item) => &item.attrs,
        syn::Item::Macro(item) => &item.attrs,
        syn::Item::Mod(item) => &item.attrs,
        syn::Item::Static(item) => &item.attrs,
        syn::Item::Struct(item) => &item.attrs,
        syn::Item::Trait(item) => &item.attrs,
        syn::Item::Type(item) => &item.attrs,
        syn::Item::Use(item) => &item.attrs,
        _ => &[],
    }
}

fn impl_attributes(item: &syn::ImplItem) -> &[syn::Attribute] {
    match item {
        syn::ImplItem::Const(item) => &item.attrs,
        syn::ImplItem::Fn(item) => &item.attrs,
        syn::ImplItem::Type(item) => &item.attrs,
        _ => &[],
    }
}

fn without_tests(items: Vec<syn::Item>) -> Vec<syn::Item> {
    let kept = items.into_iter().filter(|item| !is_for_tests(attributes(item)));
    kept.map(|mut item| {
        match &mut item {
            syn::Item::Mod(module) => {
                if let Some((_, items)) = &mut module.content {
                    *items = without_tests(std::mem::take(items));
                }
            }
            syn::Item::Impl(item) => {
                item.items.retain(|item| !is_for_tests(impl_attributes(item)));
            }
            _ => {}
        }
        item
    })
    .collect()
}

/// Reads a file and, through its `mod` declarations, all files below it.
fn read(file: &Path, module: &[String], found: &mut Vec<Source>) {
    let text =
        std::fs::read_to_string(file).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
    let mut parsed =
        syn::parse_file(&text).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
    parsed.items = without_tests(parsed.items);
    let stem = file.file_stem().expect("a name").to_str().expect("UTF-8");
    let folder = file.parent().expect("a folder");
    let folder = match stem {
        "mod" | "lib" => folder.to_path_buf(),
        stem => folder.join(stem),
    };
    for item in &parsed.items {
        if let syn::Item::Mod(declared) = item
            && declared.content.is_none()
        {
            let name = declared.ident.to_string();
            let path = [folder.join(format!("{name}.rs")), folder.join(&name).join("mod.rs")];
            let path = path.into_iter().find(|path| path.is_file());
            let path = path
                .unwrap_or_else(|| panic!("{} declares {name}, which has no file", file.display()));
            read(&path, &[module, &[name]].concat(), found);
        }
    }
    let file = file.strip_prefix(root()).expect("below src").display().to_string();
    found.push(Source { file, module: module.to_vec(), parsed });
}

fn sources() -> Vec<Source> {
    let mut found = Vec::new();
    read(&root().join("lib.rs"), &[], &mut found);
    assert!(found.len() > 100, "the sources were not found");
    found
}

/// All paths that a file names: those it imports, and those in its code.
#[derive(Default)]
struct Paths(Vec<Vec<String>>);

impl Paths {
    fn of(file: &syn::File) -> Vec<Vec<String>> {
        let mut paths = Self::default();
        paths.visit_file(file);
        paths.0
    }

    fn import(&mut self, before: &[String], tree: &syn::UseTree) {
        match tree {
            syn::UseTree::Path(path) => {
                self.import(&[before, &[path.ident.to_string()]].concat(), &path.tree);
            }
            syn::UseTree::Name(name) => {
                self.0.push([before, &[name.ident.to_string()]].concat());
            }
            syn::UseTree::Rename(name) => {
                self.0.push([before, &[name.ident.to_string()]].concat());
            }
            syn::UseTree::Glob(_) => self.0.push(before.to_vec()),
            syn::UseTree::Group(group) => {
                group.items.iter().for_each(|tree| self.import(before, tree));
            }
        }
    }
}

impl<'ast> Visit<'ast> for Paths {
    fn visit_item_use(&mut self, item: &'ast syn::ItemUse) {
        self.import(&[], &item.tree);
    }

    fn visit_path(&mut self, path: &'ast syn::Path) {
        self.0.push(path.segments.iter().map(|segment| segment.ident.to_string()).collect());
        syn::visit::visit_path(self, path);
    }

    // The input of macros is not parsed, but searched for paths.
    fn visit_macro(&mut self, item: &'ast syn::Macro) {
        let mut path: Vec<String> = Vec::new();
        tokens(item.tokens.clone(), &mut path, &mut self.0);
        syn::visit::visit_macro(self, item);
    }
}

fn tokens(stream: proc_macro2::TokenStream, path: &mut Vec<String>, found: &mut Vec<Vec<String>>) {
    let mut colons = 0;
    for token in stream {
        match token {
            proc_macro2::TokenTree::Ident(name) => {
                if colons != 2 {
                    found.push(std::mem::take(path));
                }
                path.push(name.to_string());
                colons = 0;
            }
            proc_macro2::TokenTree::Punct(mark) if mark.as_char() == ':' => colons += 1,
            proc_macro2::TokenTree::Group(group) => {
                found.push(std::mem::take(path));
                tokens(group.stream(), path, found);
                colons = 0;
            }
            _ => {
                found.push(std::mem::take(path));
                colons = 0;
            }
        }
    }
    found.push(std::mem::take(path));
}

/// The imports between modules.
struct Imports {
    edges: BTreeMap<Vec<String>, BTreeSet<Vec<String>>>,
}

impl Imports {
    fn of(sources: &[Source]) -> Self {
        let modules: BTreeSet<&[String]> = sources.iter().map(|s| &s.module[..]).collect();
        // The names that each module re-exports, with their original paths.
        let mut exports: BTreeMap<(Vec<String>, String), Vec<String>> = BTreeMap::new();
        for source in sources {
            for item in &source.parsed.items {
                if let syn::Item::Use(item) = item
                    && !matches!(item.vis, syn::Visibility::Inherited)
                {
                    let mut paths = Paths::default();
                    paths.import(&[], &item.tree);
                    for path in paths.0 {
                        let name = path.last().cloned().unwrap_or_default();
                        let path = absolute(&modules, &source.module, &path);
                        exports.insert((source.module.clone(), name), path.unwrap_or_default());
                    }
                }
            }
        }
        let mut edges: BTreeMap<Vec<String>, BTreeSet<Vec<String>>> = BTreeMap::new();
        for source in sources {
            for path in Paths::of(&source.parsed) {
                let Some(mut path) = absolute(&modules, &source.module, &path) else { continue };
                let target = loop {
                    let module = (0..=path.len()).rev().map(|n| &path[..n]);
                    let module = module.into_iter().find(|path| modules.contains(path));
                    let module = module.expect("the root is a module").to_vec();
                    let next = path.get(module.len()).cloned().unwrap_or_default();
                    match exports.get(&(module.clone(), next)) {
                        Some(export) if !export.is_empty() && *export != path => {
                            path.clone_from(export);
                        }
                        _ => break module,
                    }
                };
                if target != source.module {
                    edges.entry(source.module.clone()).or_default().insert(target);
                }
            }
        }
        Self { edges }
    }

    /// The cycles between the names that `name` maps modules to. Modules that are mapped to `None`,
    /// and imports for which `counts` returns false, are ignored.
    fn cycles(
        &self,
        name: impl Fn(&[String]) -> Option<String>,
        counts: impl Fn(&[String], &[String]) -> bool,
    ) -> Vec<Vec<String>> {
        let mut edges: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
        for (from, targets) in &self.edges {
            for to in targets.iter().filter(|to| counts(from, to)) {
                if let (Some(from), Some(to)) = (name(from), name(to))
                    && from != to
                {
                    edges.entry(from).or_default().insert(to);
                }
            }
        }
        let reached = |from: &String| {
            let (mut seen, mut open) = (BTreeSet::new(), vec![from]);
            while let Some(at) = open.pop() {
                for to in edges.get(at).into_iter().flatten() {
                    if seen.insert(to) {
                        open.push(to);
                    }
                }
            }
            seen
        };
        let all: BTreeMap<&String, BTreeSet<&String>> =
            edges.keys().map(|from| (from, reached(from))).collect();
        let mut cycles: BTreeSet<Vec<String>> = BTreeSet::new();
        for (from, reached) in &all {
            let back = |to: &&&String| all.get(**to).is_some_and(|reached| reached.contains(from));
            let cycle: Vec<String> = reached.iter().filter(back).map(|to| (*to).clone()).collect();
            if !cycle.is_empty() {
                cycles.insert(cycle);
            }
        }
        cycles.into_iter().collect()
    }
}

/// A path of this crate from its root; `None` for a path of another crate or a local name.
fn absolute(
    modules: &BTreeSet<&[String]>,
    module: &[String],
    path: &[String],
) -> Option<Vec<String>> {
    let first = path.first()?.as_str();
    let ups = path.iter().take_while(|segment| *segment == "super").count();
    match first {
        "crate" => Some(path[1..].to_vec()),
        "self" => Some([module, &path[1..]].concat()),
        "super" => Some([&module[..module.len().saturating_sub(ups)], &path[ups..]].concat()),
        _ => {
            let path = [module, path].concat();
            let child = &path[..=module.len()];
            modules.contains(child).then_some(path)
        }
    }
}

/// Appends tokens, each followed by a space, without documentation.
fn write_code(stream: proc_macro2::TokenStream, code: &mut String) {
    use proc_macro2::{Delimiter, TokenTree};
    for token in stream {
        match token {
            TokenTree::Group(group) => {
                let content = group.stream();
                let documents = content.to_string().starts_with("doc =");
                if group.delimiter() == Delimiter::Bracket && documents {
                    continue;
                }
                let [open, close] = match group.delimiter() {
                    Delimiter::Parenthesis => ["( ", ") "],
                    Delimiter::Brace => ["{ ", "} "],
                    Delimiter::Bracket => ["[ ", "] "],
                    Delimiter::None => ["", ""],
                };
                code.push_str(open);
                write_code(content, code);
                code.push_str(close);
            }
            TokenTree::Punct(mark) => {
                code.push(mark.as_char());
                if mark.spacing() == proc_macro2::Spacing::Alone {
                    code.push(' ');
                }
            }
            other => {
                code.push_str(&other.to_string());
                code.push(' ');
            }
        }
    }
}

/// The files in `folders` whose code, without comments and tests, contains one of the words.
fn offenders(folders: &[&str], words: &[&str]) -> Vec<String> {
    let mut found = Vec::new();
    for source in sources() {
        if !folders.iter().any(|folder| source.file.starts_with(folder)) {
            continue;
        }
        let mut code = String::new();
        write_code(quote::ToTokens::to_token_stream(&source.parsed), &mut code);
        for word in words.iter().filter(|word| contains_word(&code, word)) {
            found.push(format!("{}: {word}", source.file));
        }
    }
    found
}

/// Whether the code contains these tokens, not as the end of a longer identifier.
fn contains_word(code: &str, word: &str) -> bool {
    let is_identifier = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    code.match_indices(word).any(|(at, _)| {
        let before = code[..at].bytes().next_back();
        !(before.is_some_and(is_identifier) && word.bytes().next().is_some_and(is_identifier))
    })
}

#[test]
fn wings_import_only_those_before_them() {
    let rank = |module: &[String]| {
        WINGS.iter().position(|wing| Some(*wing) == module.first().map(String::as_str))
    };
    let mut upward = Vec::new();
    for (from, targets) in &Imports::of(&sources()).edges {
        for to in targets {
            if let (Some(low), Some(high)) = (rank(from), rank(to))
                && low < high
            {
                upward.push(format!("{} imports {}", from.join("::"), to.join("::")));
            }
        }
    }
    assert_eq!(upward, [""; 0]);
}

#[test]
fn rooms_have_no_import_cycles() {
    let room = |module: &[String]| module.get(..2).map(|room| room.join("::"));
    assert_eq!(Imports::of(&sources()).cycles(room, |_, _| true), [[""; 0]; 0]);
}

#[test]
fn import_cycles_within_a_room_are_between_parent_and_child_only() {
    let related =
        |one: &[String], other: &[String]| one.starts_with(other) || other.starts_with(one);
    let cycles = Imports::of(&sources())
        .cycles(|module| Some(module.join("::")), |from, to| !related(from, to));
    assert_eq!(cycles, [[""; 0]; 0]);
}

#[test]
fn only_the_command_line_uses_clap() {
    assert_eq!(offenders(&["core/", "run/", "screen/"], &["clap"]), [""; 0]);
}

#[test]
fn core_and_run_use_no_terminal_crates() {
    assert_eq!(offenders(&["core/", "run/"], &["ratatui", "crossterm"]), [""; 0]);
}

#[test]
fn the_state_does_no_input_or_output_and_reads_no_clock() {
    // A grouped import would hide what it imports.
    let words = [
        "std :: {",
        "std :: fs",
        "std :: io",
        "Instant ::",
        "SystemTime",
        "std :: env",
        "crossterm",
    ];
    assert_eq!(offenders(&["screen/app/"], &words), [""; 0]);
}

#[test]
fn the_state_has_no_interior_mutability() {
    let cells = ["Cell", "RefCell", "OnceCell", "LazyCell", "UnsafeCell"];
    let cells = cells.iter().flat_map(|cell| [format!("{cell} <"), format!("{cell} ::")]);
    let words: Vec<String> = cells.collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    assert_eq!(offenders(&["screen/app/"], &words), [""; 0]);
    let locks = ["Mutex", "RwLock", "OnceLock", "LazyLock", "Atomic"];
    assert_eq!(offenders(&["screen/app/"], &locks), [""; 0]);
}

#[test]
fn the_state_depends_on_messages_and_not_on_threads() {
    let upward: Vec<String> = Imports::of(&sources())
        .edges
        .iter()
        .filter(|(from, _)| from.starts_with(&["screen".into(), "app".into()]))
        .flat_map(|(_, targets)| targets.iter().map(|to| to.join("::")))
        .filter(|to| to.starts_with("run::worker") || to.starts_with("screen::terminal"))
        .collect();
    assert_eq!(upward, [""; 0]);
}

#[test]
fn core_has_error_types_of_its_own() {
    assert_eq!(offenders(&["core/"], &["anyhow"]), [""; 0]);
}

#[test]
fn only_the_command_line_prints() {
    let words = ["println !", "print !", "eprintln !", "eprint !"];
    assert_eq!(offenders(&["core/", "run/", "screen/"], &words), [""; 0]);
}

#[test]
fn nothing_prints_with_a_macro_that_panics_where_it_cannot() {
    let words = ["println !", "print !", "eprintln !", "eprint !"];
    assert_eq!(offenders(&["cli/"], &words), [""; 0]);
}

#[test]
fn production_code_does_not_panic_exit_or_depend_on_tests() {
    let words = [
        ". unwrap ( )",
        "panic ! (",
        "unreachable !",
        ". expect ( ",
        "process :: exit",
        "todo !",
        "unimplemented !",
        "dbg !",
        "cfg ! ( test )",
    ];
    assert_eq!(offenders(&[""], &words), [""; 0]);
}

#[test]
fn unsafe_code_is_in_core_ops_only() {
    let outside: Vec<String> = offenders(
        &[""],
        &["unsafe { ", "unsafe fn", "unsafe impl", "unsafe trait", "unsafe extern"],
    )
    .into_iter()
    .filter(|found| !found.starts_with("core/ops/"))
    .collect();
    assert_eq!(outside, [""; 0]);
}

#[test]
fn system_metrics_depend_on_text_and_numbers_only() {
    let foreign: Vec<String> = Imports::of(&sources())
        .edges
        .iter()
        .filter(|(from, _)| from.starts_with(&["run".into(), "system_metrics".into()]))
        .flat_map(|(_, targets)| targets.iter().map(|to| to.join("::")))
        .filter(|to| !["core::number", "core::text"].contains(&to.as_str()))
        .filter(|to| !to.starts_with("run::system_metrics"))
        .collect();
    assert_eq!(foreign, [""; 0]);
}

#[test]
fn files_have_at_most_400_lines() {
    fn long(folder: &Path, found: &mut Vec<String>) {
        for entry in std::fs::read_dir(folder).expect("a folder") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                long(&path, found);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let lines = std::fs::read_to_string(&path).expect("text").lines().count();
                if lines > 400 {
                    found.push(format!("{}: {lines} lines", path.display()));
                }
            }
        }
    }
    let mut found = Vec::new();
    long(&root(), &mut found);
    assert_eq!(found, [""; 0]);
}

#[test]
fn the_readme_names_every_room() {
    let map = std::fs::read_to_string(root().join("README.md")).expect("src/README.md");
    let rooms: BTreeSet<String> = sources()
        .iter()
        .filter_map(|source| source.module.get(..2).map(|room| room.join("/")))
        .collect();
    let named: BTreeSet<String> = map
        .lines()
        .filter_map(|line| Some(line.strip_prefix("| `")?.split_once('`')?.0.to_owned()))
        .collect();
    assert_eq!(named, rooms, "the tables of src/README.md name each room once");
}
