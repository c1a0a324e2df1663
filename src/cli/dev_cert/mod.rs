//! `postern dev-cert`: a certificate authority for this machine, and a certificate by it, to try HTTPS with. The authority is kept, so that it is trusted
//! once; it can sign for this machine's names alone, so that its key is worth little to whoever finds it.

mod authority;
mod certificate;
mod files;
mod names;

use std::{
    fs,
    path::{Path, PathBuf},
};

use serde_json::json;
use time::{OffsetDateTime, format_description::well_known::Rfc3339};

use crate::clock::Clock;

use super::{Outcome, Problem};

use authority::Authority;
use names::Name;

/// The names that every certificate is for.
const ALWAYS: [&str; 5] = ["localhost", "127.0.0.1", "::1", "s3.localhost", "*.s3.localhost"];
/// Browsers and systems take no certificate that lives for more than 398 days.
/// <https://cabforum.org/working-groups/server/baseline-requirements/requirements/>
const MOST_DAYS: u16 = 397;

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// More names and addresses that it is for, such as files.test, '*.files.test' or 192.168.1.7; without any, those of the run before
    #[arg(value_name = "NAME", value_parser = Name::parse)]
    names: Vec<Name>,
    /// Where the files are: ca.pem, ca-key.pem, cert.pem, key.pem
    #[arg(long, value_name = "FOLDER", default_value = "tls")]
    out: PathBuf,
    /// How long the certificate lives
    #[arg(long, value_name = "DAYS", default_value_t = MOST_DAYS, value_parser = clap::value_parser!(u16).range(1..=i64::from(MOST_DAYS)))]
    days: u16,
    /// Make a new authority, which clients then have to trust anew
    #[arg(long)]
    new_ca: bool,
    /// Print a JSON object
    #[arg(long)]
    json: bool,
}

/// The four files of a folder.
struct Places {
    authority: PathBuf,
    authority_key: PathBuf,
    certificate: PathBuf,
    key: PathBuf,
}

pub(super) fn run(args: &Args) -> Result<Outcome, Problem> {
    let now = Clock::system().now();
    fs::create_dir_all(&args.out)
        .map_err(|error| format!("{}: cannot be made: {error}", args.out.display()))?;
    let folder = args.out.canonicalize()?;
    let places = Places {
        authority: folder.join("ca.pem"),
        authority_key: folder.join("ca-key.pem"),
        certificate: folder.join("cert.pem"),
        key: folder.join("key.pem"),
    };
    let kept = Authority::read(&places)?;
    // Before anything is written: what lies there must be from an earlier run.
    let earlier = certificate::read(&places, kept.as_ref())?;
    let (key, earlier) = earlier.map_or((None, Vec::new()), |earlier| (Some(earlier.key), earlier.names));
    let names = names(match args.names.is_empty() {
        true => &earlier,
        false => &args.names,
    })?;
    let (authority, is_new) = match kept {
        Some(kept) if !args.new_ca => {
            kept.may_sign(&names, now)?;
            (kept, false)
        }
        kept => (Authority::make(&places, &names, kept.is_some(), now)?, true),
    };
    let until = now.saturating_add(time::Duration::days(args.days.into()));
    let until = until.min(authority.not_after());
    certificate::write(&places, &authority, key, &names, (now, until))?;
    let told = Told {
        places: &places,
        authority: &authority,
        is_new,
        names: &names,
        until,
    };
    match args.json {
        true => told.as_json(),
        false => told.as_text()?,
    }
    Ok(Outcome::Yes)
}

/// Those that every certificate is for, and these.
fn names(more: &[Name]) -> Result<Vec<Name>, Problem> {
    let always = ALWAYS.iter().map(|name| Name::parse(name));
    let mut names = always.collect::<Result<Vec<_>, _>>()?;
    for name in more {
        if !names.contains(name) {
            names.push(name.clone());
        }
    }
    Ok(names)
}

/// What was made.
struct Told<'a> {
    places: &'a Places,
    authority: &'a Authority,
    is_new: bool,
    names: &'a [Name],
    until: OffsetDateTime,
}

impl Told<'_> {
    fn as_json(&self) {
        let texts = |names: &[Name]| names.iter().map(Name::to_string).collect::<Vec<_>>();
        println!(
            "{}",
            json!({
                "authority": {
                    "certificate": self.places.authority,
                    "private_key": self.places.authority_key,
                    "is_new": self.is_new,
                    "not_after": rfc3339(self.authority.not_after()),
                    "may_sign_for": self.authority.permitted().iter().map(ToString::to_string).collect::<Vec<_>>(),
                },
                "certificate": self.places.certificate,
                "private_key": self.places.key,
                "names": texts(self.names),
                "not_after": rfc3339(self.until),
            })
        );
    }

    fn as_text(&self) -> Result<(), Problem> {
        let authority = self.places.authority.display();
        match self.is_new {
            true => println!("made an authority for this machine's names alone: {authority}"),
            false => println!("signed by the authority that there was: {authority}"),
        }
        let names: Vec<String> = self.names.iter().map(Name::to_string).collect();
        println!(
            "made a certificate until {}, for {}",
            rfc3339(self.until),
            names.join(", ")
        );
        println!("\nin config.toml (a running gateway takes a renewed certificate by itself):\n");
        println!("  [server.tls]");
        println!("  certificate = {}", toml_text(&self.places.certificate));
        println!("  private_key = {}", toml_text(&self.places.key));
        println!("  # listen = \"127.0.0.1:9443\"   # HTTPS here, and plain HTTP stays on server.listen");
        let authority = shell_text(&self.places.authority)?;
        println!("\nlet clients trust it, each by itself:\n");
        println!("  curl --cacert {authority} https://localhost:9000/");
        println!("  export AWS_CA_BUNDLE={authority}         # AWS CLI, boto3");
        println!("  export NODE_EXTRA_CA_CERTS={authority}   # Node.js");
        println!(
            "  export SSL_CERT_FILE={authority}         # postern's own commands, Go, OpenSSL: in place of the system's authorities"
        );
        println!("\nor the whole system:\n");
        println!(
            "  sudo cp {authority} /usr/local/share/ca-certificates/postern-dev.crt && sudo update-ca-certificates   # Debian, Ubuntu"
        );
        println!("  sudo trust anchor {authority}            # Fedora, Arch");
        println!(
            "  sudo security add-trusted-cert -d -r trustRoot -k /Library/Keychains/System.keychain {authority}   # macOS"
        );
        println!("\nFirefox keeps its own list: Settings, Certificates, Authorities, Import.");
        Ok(())
    }
}

fn toml_text(path: &Path) -> String {
    toml::Value::String(path.display().to_string()).to_string()
}

fn shell_text(path: &Path) -> Result<String, Problem> {
    let text = path.display().to_string();
    Ok(shlex::try_quote(&text)?.into_owned())
}

fn rfc3339(at: OffsetDateTime) -> String {
    at.replace_nanosecond(0)
        .unwrap_or(at)
        .format(&Rfc3339)
        .unwrap_or_default()
}
