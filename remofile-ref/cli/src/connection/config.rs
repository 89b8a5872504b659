//! The configuration file: profiles, and settings for all of them.

use super::settings::{Settings, variable, warn_of_readable};
use crate::{
    directories::{config_home, home},
    failure::Failure,
    render::escaped,
    system_error::system_text,
    units::{parse_seconds, parse_timeout},
};
use std::{
    borrow::Cow,
    fs::File,
    io::{self, Read as _},
    ops::Range,
    path::{Path, PathBuf},
    time::Duration,
};
use toml::de::{DeTable, DeValue};

/// The largest configuration file in bytes.
const FILE_MAX: u64 = 1 << 20;

/// The keys of a profile; before the first profile they apply to all of them.
const KEYS: [&str; 10] =
    ["server", "hostname", "port", "token", "token_file", "token_command", "public_key", "timeout", "wait", "insecure"];

/// A configuration file.
pub(crate) struct Config {
    /// Its path, whether it exists or not.
    path: Option<PathBuf>,
    default_profile: Option<String>,
    profiles: Vec<(String, Settings)>,
    /// The settings that a profile does not set.
    common: Settings,
}

impl Config {
    /// Reads `given`, else the file of REMOFILE_CONFIG, else the user's file, which need not exist.
    pub(crate) fn read(given: Option<&Path>) -> Result<Self, Failure> {
        let named = match given {
            Some(path) => Some(path.to_owned()),
            None => variable("REMOFILE_CONFIG")?.map(PathBuf::from),
        };
        let must_exist = named.is_some();
        let nothing = |path| Self { path, default_profile: None, profiles: Vec::new(), common: Settings::default() };
        let Some(path) = named.or_else(|| Some(config_home()?.join("remofile").join("config.toml"))) else {
            return Ok(nothing(None));
        };
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
                "configuration file '{}': {}",
                escaped(&path.to_string_lossy()),
                system_text(&error)
            ))),
        }
    }

    /// The settings of a profile, by default the default one; then those for all profiles.
    pub(crate) fn into_levels(self, name: Option<&str>) -> Result<Vec<Settings>, Failure> {
        let Some(name) = name.or(self.default_profile.as_deref()) else { return Ok(vec![self.common]) };
        if let Some((_, profile)) = self.profiles.iter().find(|(known, _)| known == name) {
            return Ok(vec![profile.clone(), self.common]);
        }
        let what = match &self.path {
            Some(path) => format!("no profile '{}' in '{}'", escaped(name), escaped(&path.to_string_lossy())),
            None => format!("no profile '{}': no configuration file", escaped(name)),
        };
        let known: Vec<&str> = self.profiles.iter().map(|(known, _)| known.as_str()).collect();
        let hint = match known.as_slice() {
            [] => format!("add one: [profiles.{name}] with server = \"HOST:PORT\" and token_file = \"FILE\""),
            known => format!("profiles: {}", known.join(", ")),
        };
        Err(Failure::usage_with(what, hint))
    }

    /// The names of all profiles.
    pub(crate) fn into_names(self) -> Vec<String> {
        self.profiles.into_iter().map(|(name, _)| name).collect()
    }

    fn parse(path: &Path, text: &str) -> Result<Self, Failure> {
        let file = ConfigText { path, text };
        // Not the parser's rendering of the error: it shows the line, which may contain a token.
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
type SecondsParser = fn(&str) -> Result<Duration, String>;
type Value<'a> = toml::Spanned<DeValue<'a>>;

/// The text of the file, for errors with a line number.
struct ConfigText<'a> {
    path: &'a Path,
    text: &'a str,
}

impl ConfigText<'_> {
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
            "timeout" => settings.timeout = Some(self.seconds(name, value, parse_timeout)?),
            "wait" => settings.wait = Some(self.seconds(name, value, parse_seconds)?),
            "insecure" => settings.insecure = Some(self.boolean(name, value)?),
            unknown => {
                let known: Vec<&str> = KEYS.iter().chain(also).copied().collect();
                let hint = format!("known keys: {}", known.join(", "));
                return Err(self.failure(key.span(), &format!("unknown key '{unknown}'"), Some(hint)));
            }
        }
        Ok(())
    }

    fn text(&self, key: &str, value: &Value<'_>) -> Result<String, Failure> {
        value.get_ref().as_str().map(str::to_owned).ok_or_else(|| self.wrong_type(key, "a string in quotes", value))
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

    fn seconds(&self, key: &str, value: &Value<'_>, parse: SecondsParser) -> Result<Duration, Failure> {
        let text = match value.get_ref() {
            DeValue::Integer(integer) if integer.radix() == 10 => integer.as_str(),
            DeValue::Float(float) => float.as_str(),
            _ => return Err(self.wrong_type(key, "a number of seconds", value)),
        };
        parse(text).map_err(|why| self.failure(value.span(), &format!("'{key}' {text}: {why}"), None))
    }

    fn boolean(&self, key: &str, value: &Value<'_>) -> Result<bool, Failure> {
        value.get_ref().as_bool().ok_or_else(|| self.wrong_type(key, "true or false", value))
    }

    /// A path, in which `~/` is the home directory; a relative one is relative to the configuration file.
    fn file(&self, text: &str) -> PathBuf {
        match (text.strip_prefix("~/"), home()) {
            (Some(below), Some(home)) => home.join(below),
            _ => self.path.parent().unwrap_or(Path::new("")).join(text),
        }
    }

    fn wrong_type(&self, key: &str, wanted: &str, value: &Value<'_>) -> Failure {
        let found = value.get_ref().type_str();
        self.failure(value.span(), &format!("'{key}' must be {wanted}, not of type {found}"), None)
    }

    fn failure(&self, at: Range<usize>, what: &str, hint: Option<String>) -> Failure {
        let before = self.text.get(..at.start).unwrap_or(self.text);
        let line = before.matches('\n').count() + 1;
        let what = format!("{}:{line}: {what}", self.path.display());
        Failure::Usage {
            what,
            hint: hint.or_else(|| Some("correct that line, or specify another file with --config".to_owned())),
        }
    }
}
