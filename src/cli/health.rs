//! `postern health`: asks the running gateway's admin listener. 0 when it is ready, 1 when it is not or does not answer.

use http::StatusCode;

use super::{Cli, Outcome, Problem, admin};

pub(super) fn run(cli: &Cli) -> Result<Outcome, Problem> {
    let config = cli.config()?;
    match admin::get(&config.admin.listen, "/readyz") {
        Ok((StatusCode::OK, text)) => {
            print!("{text}");
            Ok(Outcome::Yes)
        }
        Ok((status, text)) => {
            eprint!("not ready ({status}): {text}");
            Ok(Outcome::No)
        }
        Err(error) => {
            eprintln!("{error}");
            Ok(Outcome::No)
        }
    }
}
