//! The configuration file: profiles, and what holds for all of them.

use super::{
    failure::{Failure, plain},
    output::escaped,
    settings::{Settings, variable, warn_of_readable},
};
use std::{
    borrow::Cow,
    fs::File,
    io::{self, Read as _},
    ops::Range,
    path::{Path, PathBuf},
};
use toml::de::{DeTable, DeValue};

/// The largest configuration file in bytes.
const FILE_MAX: u64 = 1 << 20;

/// The keys of a profile, which may stand before the first one too, for all of them.
const KEYS: [&str; 10] =
    ["server", "hostname", "port", "token", "token_file", "token_command", "public_key", "timeout", "wait", "insecure"];

/// What the configuration file says.
pub(crate) struct Config {
    /// Where it is, or would be.
    path: Option<PathBuf>,
    default_profile: Option<String>,
    profiles: Vec<(String, Settings)>,
    /// What holds where a profile says nothing.
    common: Settings,
}

impl Config {
    /// Reads the file that is given; else that of REMOFILE_CONFIG; else the user's, which need not exist.
    pub(crate) fn read(given: Option<&Path>) -> Result<Self, Failure> {
        let named = match given {
            Some(path) => Some(path.to_owned()),
            None => variable("REMOFILE_CONFIG")?.map(PathBuf::from),
        };
        let must_exist = named.is_some();
        let nothing = |path| Self { path, default_profile: None, profiles: Vec::new(), common: Settings::default() };
        let Some(path) = named.or_else(default_path) else { return Ok(nothing(None)) };
        let mut text = String::new();
        let opened = File::open(&path).and_then(|file| {
            (&file).take(FILE_MAX).read_to_string(&mut text)?;
            Ok(file)
        });
        match opened {
            Ok(file) => {
                let config = Self::parse(&path, &text)?;
                let in_profile = config.profiles.iter().any(|(_, settings)| settings.token.is_some());
                if in_profile || config.common.token.is_some() {
                    warn_of_readable(&file, &path, "configuration file");
                }
                Ok(config)
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound && !must_exist => Ok(nothing(Some(path))),
            Err(error) => Err(Failure::usage(format!(
                "cannot read the configuration file '{}': {}",
                escaped(&path.to_string_lossy()),
                plain(&error)
            ))),
        }
    }

    /// The settings of the profile of this name, or of the default one; then those that hold for all.
    pub(crate) fn into_levels(self, name: Option<&str>) -> Result<Vec<Settings>, Failure> {
        let Some(name) = name.or(self.default_profile.as_deref()) else { return Ok(vec![self.common]) };
        if let Some((_, profile)) = self.profiles.iter().find(|(known, _)| known == name) {
            return Ok(vec![profile.clone(), self.common]);
        }
        let what = match &self.path {
            Some(path) => format!("no profile '{}' in '{}'", escaped(name), escaped(&path.to_string_lossy())),
            None => format!("no profile '{}': there is no configuration file", escaped(name)),
        };
        let known: Vec<&str> = self.profiles.iter().map(|(known, _)| known.as_str()).collect();
        let hint = match known.as_slice() {
            [] => format!("write one: [profiles.{name}] with server = \"HOST:PORT\" and token_file = \"FILE\""),
            known => format!("there are: {}", known.join(", ")),
        };
        Err(Failure::usage_with(what, hint))
    }

    /// The names of all profiles.
    pub(crate) fn into_names(self) -> Vec<String> {
        self.profiles.into_iter().map(|(name, _)| name).collect()
    }

    fn parse(path: &Path, text: &str) -> Result<Self, Failure> {
        let file = Source { path, text };
        // Never the parser's own picture of the error: it would show the line, and a token with it.
        let root = DeTable::parse(text).map_err(|error| {
            file.failure(error.span().unwrap_or_default(), error.message().lines().next().unwrap_or_default(), None)
        })?;
        let mut config = Self {
            path: Some(path.to_owned()),
            default_profile: None,
            profiles: Vec::new(),
            common: Settings::default(),
        };
        for (key, value) in root.get_ref() {
            match key.get_ref().as_ref() {
                "default_profile" => config.default_profile = Some(file.text("default_profile", value)?),
                "profiles" => {
                    let profiles = file.table("profiles", value)?;
                    for (name, profile) in profiles {
                        let mut settings = Settings::default();
                        for (key, value) in file.table(name.get_ref(), profile)? {
                            file.set(&mut settings, key, value, &[])?;
                        }
                        config.profiles.push((name.get_ref().to_string(), settings));
                    }
                }
                _ => file.set(&mut config.common, key, value, &["default_profile", "profiles"])?,
            }
        }
        Ok(config)
    }
}

type Key<'a> = toml::Spanned<Cow<'a, str>>;
type Value<'a> = toml::Spanned<DeValue<'a>>;

/// A file, for errors that say where.
struct Source<'a> {
    path: &'a Path,
    text: &'a str,
}

impl Source<'_> {
    fn set(&self, settings: &mut Settings, key: &Key<'_>, value: &Value<'_>, also: &[&str]) -> Result<(), Failure> {
        let name = key.get_ref().as_ref();
        match name {
            "server" => settings.server = Some(self.text(name, value)?),
            "hostname" => settings.hostname = Some(self.text(name, value)?),
            "port" => settings.port = Some(self.port(value)?),
            "token" => settings.token = Some(self.text(name, value)?),
            "token_file" => settings.token_file = Some(self.file(&self.text(name, value)?)),
            "token_command" => settings.token_command = Some(self.text(name, value)?),
            "public_key" => settings.public_key = Some(self.text(name, value)?),
            "timeout" => settings.timeout = Some(self.seconds(name, value)?),
            "wait" => settings.wait = Some(self.seconds(name, value)?),
            "insecure" => settings.insecure = Some(self.truth(name, value)?),
            unknown => {
                let known: Vec<&str> = KEYS.iter().chain(also).copied().collect();
                let hint = format!("known are: {}", known.join(", "));
                return Err(self.failure(key.span(), &format!("unknown key '{unknown}'"), Some(hint)));
            }
        }
        Ok(())
    }

    fn text(&self, key: &str, value: &Value<'_>) -> Result<String, Failure> {
        value.get_ref().as_str().map(str::to_owned).ok_or_else(|| self.wrong_type(key, "a text in quotes", value))
    }

    fn table<'v>(&self, key: &str, value: &'v Value<'_>) -> Result<&'v DeTable<'v>, Failure> {
        value.get_ref().as_table().ok_or_else(|| self.wrong_type(key, "a table, such as [profiles.home]", value))
    }

    fn port(&self, value: &Value<'_>) -> Result<u16, Failure> {
        let integer = value.get_ref().as_integer();
        integer
            .and_then(|integer| u16::from_str_radix(integer.as_str(), integer.radix()).ok())
            .ok_or_else(|| self.wrong_type("port", "a number from 0 to 65535", value))
    }

    fn seconds(&self, key: &str, value: &Value<'_>) -> Result<f64, Failure> {
        let number = match value.get_ref() {
            DeValue::Integer(integer) => integer.as_str().parse::<u32>().ok().map(f64::from),
            DeValue::Float(float) => float.as_str().parse().ok().filter(|number: &f64| *number >= 0.0),
            _ => None,
        };
        number.ok_or_else(|| self.wrong_type(key, "a number of seconds", value))
    }

    fn truth(&self, key: &str, value: &Value<'_>) -> Result<bool, Failure> {
        value.get_ref().as_bool().ok_or_else(|| self.wrong_type(key, "true or false", value))
    }

    /// A path as the user means it: `~/` is his home, and a relative one counts from the configuration file.
    fn file(&self, text: &str) -> PathBuf {
        match (text.strip_prefix("~/"), std::env::var_os("HOME")) {
            (Some(below), Some(home)) => Path::new(&home).join(below),
            _ => self.path.parent().unwrap_or(Path::new("")).join(text),
        }
    }

    fn wrong_type(&self, key: &str, wanted: &str, value: &Value<'_>) -> Failure {
        let found = value.get_ref().type_str();
        self.failure(value.span(), &format!("'{key}' must be {wanted}, and is of type {found}"), None)
    }

    fn failure(&self, at: Range<usize>, what: &str, hint: Option<String>) -> Failure {
        let before = self.text.get(..at.start).unwrap_or(self.text);
        let line = before.matches('\n').count() + 1;
        let what = format!("{}:{line}: {what}", self.path.display());
        Failure::Usage {
            what,
            hint: hint.or_else(|| Some("correct that line, or name another file by --config".to_owned())),
        }
    }
}

/// Where the user's configuration is, whether it exists or not.
fn default_path() -> Option<PathBuf> {
    let set = |name| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    // A relative one is to be ignored, as the base directory specification has it.
    let base =
        set("XDG_CONFIG_HOME").filter(|path| path.is_absolute()).or_else(|| Some(set("HOME")?.join(".config")))?;
    Some(base.join("remofile").join("config.toml"))
}
