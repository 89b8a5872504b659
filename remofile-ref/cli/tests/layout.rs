//! The structure of the sources: no cycle of files, and one meaning per type name.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

fn sources() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("src")
}

/// Every module with its source, by its path: `crate` is empty, `render/text` is `crate::render::text`.
fn modules() -> BTreeMap<String, String> {
    fn collect(directory: &Path, prefix: &str, modules: &mut BTreeMap<String, String>) {
        for entry in fs::read_dir(directory).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_stem().unwrap().to_str().unwrap().to_owned();
            let module = if prefix.is_empty() { name.clone() } else { format!("{prefix}/{name}") };
            if path.is_dir() {
                collect(&path, &module, modules);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let module = match name.as_str() {
                    "mod" => prefix.to_owned(),
                    "lib" => String::new(),
                    "main" => continue,
                    _ => module,
                };
                modules.insert(module, without_tests(&fs::read_to_string(&path).unwrap()));
            }
        }
    }
    let mut modules = BTreeMap::new();
    collect(&sources(), "", &mut modules);
    modules.retain(|name, _| !name.ends_with("tests"));
    modules
}

/// A source up to its tests.
fn without_tests(source: &str) -> String {
    let end = source.find("#[cfg(test)]\nmod tests {").unwrap_or(source.len());
    source[..end].to_owned()
}

/// The paths of a `use` tree: `a::{b, c::d}` has `a::b` and `a::c::d`.
fn expand(tree: &str) -> Vec<String> {
    let Some((prefix, rest)) = tree.split_once('{') else { return vec![tree.trim().to_owned()] };
    let inner = rest.trim_end().strip_suffix('}').unwrap();
    let (mut paths, mut depth, mut item) = (Vec::new(), 0, String::new());
    for character in inner.chars().chain([',']) {
        match character {
            '{' => depth += 1,
            '}' => depth -= 1,
            ',' if depth == 0 => {
                if !item.trim().is_empty() {
                    paths.extend(expand(item.trim()).iter().map(|path| format!("{}{path}", prefix.trim())));
                }
                item.clear();
                continue;
            }
            _ => {}
        }
        item.push(character);
    }
    paths
}

/// Every path of this crate that a source names: in `use` items, and with `crate::` or `super::` elsewhere.
fn named_paths(source: &str) -> Vec<String> {
    let code: Vec<&str> = source.lines().filter(|line| !line.trim_start().starts_with("//")).collect();
    let code = code.join("\n");
    let mut paths = Vec::new();
    let mut rest = code.as_str();
    while !rest.is_empty() {
        let line = rest.trim_start();
        let item = ["use ", "pub(crate) use ", "pub(super) use "].iter().find_map(|start| line.strip_prefix(start));
        rest = match item.and_then(|item| item.split_once(';')) {
            Some((item, after)) => {
                paths.extend(expand(&item.split_whitespace().collect::<Vec<_>>().join(" ")));
                after
            }
            None => line.split_once('\n').map_or("", |(_, after)| after),
        };
    }
    for keyword in ["crate::", "super::"] {
        for (at, _) in code.match_indices(keyword) {
            let is_start = !code[..at].ends_with(|c: char| c.is_alphanumeric() || c == '_' || c == ':');
            let path = code[at..].split(|c: char| !c.is_alphanumeric() && c != '_' && c != ':').next().unwrap();
            if is_start {
                paths.push(path.trim_end_matches(':').to_owned());
            }
        }
    }
    paths
}

/// The module that a path names from within `module`, if it is one of this crate.
fn resolve(module: &str, path: &str, modules: &BTreeMap<String, String>) -> Option<String> {
    let mut at: Vec<&str> = module.split('/').filter(|part| !part.is_empty()).collect();
    let mut parts = path.split("::").map(str::trim).peekable();
    let mut is_own = false;
    while let Some(part) = parts.peek() {
        match *part {
            "crate" => at.clear(),
            "super" => drop(at.pop()),
            "self" => {}
            _ => break,
        }
        is_own = true;
        parts.next();
    }
    let first = parts.peek()?;
    let child = if at.is_empty() { (*first).to_owned() } else { format!("{}/{first}", at.join("/")) };
    if !is_own && !modules.contains_key(&child) {
        return None;
    }
    for part in parts {
        let below = if at.is_empty() { part.to_owned() } else { format!("{}/{part}", at.join("/")) };
        if !modules.contains_key(&below) {
            break;
        }
        at.push(part);
    }
    Some(at.join("/")).filter(|target| target != module)
}

/// A path of modules that ends where it starts, if there is one.
fn cycle(graph: &BTreeMap<String, BTreeSet<String>>) -> Option<Vec<String>> {
    fn visit(
        module: &str,
        graph: &BTreeMap<String, BTreeSet<String>>,
        path: &mut Vec<String>,
        done: &mut BTreeSet<String>,
    ) -> Option<Vec<String>> {
        if let Some(at) = path.iter().position(|above| above == module) {
            return Some(path[at..].to_vec());
        }
        if !done.insert(module.to_owned()) {
            return None;
        }
        path.push(module.to_owned());
        let found = graph.get(module).into_iter().flatten().find_map(|next| visit(next, graph, path, done));
        path.pop();
        found
    }
    let mut done = BTreeSet::new();
    graph.keys().find_map(|module| visit(module, graph, &mut Vec::new(), &mut done))
}

#[test]
fn no_files_form_a_cycle() {
    let modules = modules();
    assert!(modules.len() > 50, "{:?}", modules.keys());
    let graph: BTreeMap<_, _> = modules
        .iter()
        .map(|(module, source)| {
            let paths = named_paths(source);
            (module.clone(), paths.iter().filter_map(|path| resolve(module, path, &modules)).collect::<BTreeSet<_>>())
        })
        .collect();
    let edges: usize = graph.values().map(BTreeSet::len).sum();
    assert!(edges > 150, "{edges} imports found");
    assert_eq!(cycle(&graph), None);
}

#[test]
fn only_the_command_line_knows_all_commands() {
    let users: Vec<_> = modules()
        .into_iter()
        .filter(|(_, source)| named_paths(source).iter().any(|path| path.contains("args::Cli")))
        .map(|(module, _)| module)
        .collect();
    assert_eq!(users, [""]);
}

#[test]
fn a_cycle_is_found() {
    let graph = |edges: &[(&str, &str)]| {
        let mut graph = BTreeMap::<String, BTreeSet<String>>::new();
        for (from, to) in edges {
            graph.entry((*from).to_owned()).or_default().insert((*to).to_owned());
        }
        graph
    };
    assert_eq!(cycle(&graph(&[("a", "b"), ("b", "c"), ("a", "c")])), None);
    assert_eq!(cycle(&graph(&[("a", "b"), ("b", "c"), ("c", "b")])), Some(vec!["b".to_owned(), "c".to_owned()]));
}

#[test]
fn imports_are_resolved_to_modules() {
    let modules: BTreeMap<_, _> =
        ["", "render", "render/text", "serve", "serve/log"].map(|name| (name.to_owned(), String::new())).into();
    let resolved = |module: &str, source: &str| -> Vec<String> {
        named_paths(source).iter().filter_map(|path| resolve(module, path, &modules)).collect()
    };
    assert_eq!(resolved("serve/log", "use crate::{render::text, a};"), ["render/text", ""]);
    assert_eq!(resolved("serve", "pub(crate) use self::log::{A, b};"), ["serve/log", "serve/log"]);
    assert_eq!(resolved("render/text", "fn a() { super::b(); }"), ["render"]);
    assert_eq!(resolved("serve/log", "use std::render;"), [""; 0]);
}

#[test]
fn a_type_name_has_one_meaning() {
    let mut places = BTreeMap::<String, Vec<String>>::new();
    for (module, source) in modules() {
        for line in source.lines() {
            let line = line.strip_prefix("pub(crate) ").or_else(|| line.strip_prefix("pub(super) ")).unwrap_or(line);
            let kinds = ["struct ", "enum ", "trait ", "type "];
            let Some(rest) = kinds.iter().find_map(|kind| line.strip_prefix(kind)) else { continue };
            let name: String = rest.chars().take_while(|character| character.is_alphanumeric()).collect();
            places.entry(name).or_default().push(module.clone());
        }
    }
    assert!(places.len() > 80, "{:?}", places.keys());
    places.retain(|_, modules| modules.len() > 1);
    assert_eq!(places, BTreeMap::new());
}
