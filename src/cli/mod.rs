//! The command line: one file per command, each an `Args` and a function that gives an exit code: 0 yes, 1 no, 2 could not run.
#![allow(clippy::print_stdout, clippy::print_stderr)] // a command's answer goes to standard output, its complaints to standard error

/// Prints to standard output. All that a command prints passes here, so no text of strangers steers the terminal.
macro_rules! print {
    ($($text:tt)*) => { std::print!("{}", $crate::types::printable_output(&format!($($text)*))) };
}
/// The same with a line end.
macro_rules! println {
    () => { std::println!() };
    ($($text:tt)*) => { std::println!("{}", $crate::types::printable_output(&format!($($text)*))) };
}
/// Prints to standard error, with the same care.
macro_rules! eprint {
    ($($text:tt)*) => { std::eprint!("{}", $crate::types::printable_output(&format!($($text)*))) };
}
/// The same with a line end.
macro_rules! eprintln {
    ($($text:tt)*) => { std::eprintln!("{}", $crate::types::printable_output(&format!($($text)*))) };
}

mod admin;
mod audit;
mod check;
mod client;
mod dev_cert;
mod environment;
mod explain;
mod get;
mod health;
mod init;
mod logging;
mod ls;
mod mb;
mod presign;
mod put;
mod revoke;
mod rm;
mod s3_url;
mod seed;
mod selector;
mod separate;
mod serve;
mod signing;
mod simulate;

use std::{
    path::{Path, PathBuf},
    process::ExitCode,
};

use clap::{Parser, Subcommand};

use crate::config::{Config, ConfigError};

/// Where the configuration is looked for when nobody says.
const DEFAULT_CONFIG: &str = "config.toml";

/// A gateway that verifies presigned S3 requests against the policy as it stands now.
#[derive(Debug, Parser)]
#[command(name = "postern", version, about)]
pub struct Cli {
    /// The configuration file; without it config.toml, and where there is none, every default
    #[arg(long, global = true, value_name = "FILE")]
    config: Option<PathBuf>,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Write a first config.toml and policy.toml with fresh keys, and make the folder for the objects
    Init(init::Args),
    /// Run the gateway
    Serve(serve::Args),
    /// Print a presigned URL and nothing else; needs no server
    Presign(presign::Args),
    /// Why does a link not work, and what would make it? For a URL, a curl command or the id of a refused request
    Explain(explain::Args),
    /// Are configuration and policy valid, and what may each signer do?
    Check(check::Args),
    /// Would the policy allow it, and by which statement?
    Simulate(simulate::Args),
    /// Take links back: a rule more in the policy file
    Revoke(revoke::Args),
    /// Give them back: the rule out of the policy file
    Restore(revoke::Args),
    /// Who downloaded what, which links are alive, what was stopped: from the audit trail
    Audit(audit::Args),
    /// Make a local authority and a certificate, to try HTTPS with
    DevCert(dev_cert::Args),
    /// Does the running gateway answer?
    Health,
    /// Make a bucket, on any S3 server
    Mb(mb::Args),
    /// List buckets, or the objects of one
    Ls(ls::Args),
    /// Upload a file or standard input
    Put(put::Args),
    /// Download an object
    Get(get::Args),
    /// Remove an object, all below a prefix, or a bucket
    Rm(rm::Args),
}

/// How a command ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// 0
    Yes,
    /// 1: denied, invalid, not healthy.
    No,
}

/// A command that could not run: exit code 2, and this on standard error.
type Problem = Box<dyn std::error::Error + Send + Sync>;

/// Runs what the arguments of this process say.
pub fn run() -> ExitCode {
    let cli = Cli::parse();
    let outcome = match &cli.command {
        Command::Init(args) => init::run(args),
        Command::Serve(args) => serve::run(&cli, args),
        Command::Presign(args) => presign::run(&cli, args),
        Command::Explain(args) => explain::run(&cli, args),
        Command::Check(args) => check::run(&cli, args),
        Command::Simulate(args) => simulate::run(&cli, args),
        Command::Revoke(args) => revoke::run(&cli, args, revoke::Direction::Revoke),
        Command::Restore(args) => revoke::run(&cli, args, revoke::Direction::Restore),
        Command::Audit(args) => audit::run(&cli, args),
        Command::DevCert(args) => dev_cert::run(args),
        Command::Health => health::run(&cli),
        Command::Mb(args) => mb::run(&cli, args),
        Command::Ls(args) => ls::run(&cli, args),
        Command::Put(args) => put::run(&cli, args),
        Command::Get(args) => get::run(&cli, args),
        Command::Rm(args) => rm::run(&cli, args),
    };
    match outcome {
        Ok(Outcome::Yes) => ExitCode::SUCCESS,
        Ok(Outcome::No) => ExitCode::from(1),
        Err(problem) => {
            eprintln!("postern: {problem}");
            ExitCode::from(2)
        }
    }
}

impl Cli {
    fn config(&self) -> Result<Config, ConfigError> {
        self.config_from(self.config_file())
    }

    /// The configuration file, if there is one.
    fn config_file(&self) -> Option<&Path> {
        let default = Path::new(DEFAULT_CONFIG);
        self.config
            .as_deref()
            .or_else(|| default.exists().then_some(default))
    }

    /// The configuration without the file that is looked for when nobody says.
    fn explicit_config(&self) -> Result<Config, ConfigError> {
        self.config_from(self.config.as_deref())
    }

    fn config_from(&self, file: Option<&Path>) -> Result<Config, ConfigError> {
        // A variable that is no UTF-8 is none of ours.
        let variables = std::env::vars_os()
            .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)));
        Config::load(file, variables)
    }
}
