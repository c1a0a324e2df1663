//! `postern presign`: signs a URL offline. The URL alone goes to standard output.

use http::Method;

use crate::types::Span;

use super::{
    Cli, Outcome, Problem,
    s3_url::S3Url,
    signing::{Asked, Signing, SigningArgs},
};

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// GET, HEAD, PUT, POST or DELETE
    #[arg(value_parser = method)]
    method: Method,
    /// s3://BUCKET/KEY
    #[arg(value_name = "S3URL")]
    object: String,
    /// How long the link lives: 90s, 15m, 12h, 7d
    #[arg(long, default_value = "15m", value_name = "SPAN")]
    expires: Span,
    #[command(flatten)]
    signing: SigningArgs,
    /// A header to sign, which whoever uses the link must then send
    #[arg(short = 'H', long = "header", value_name = "NAME: VALUE", value_parser = header)]
    headers: Vec<(String, String)>,
    /// A query parameter to sign, such as response-content-type=text/plain
    #[arg(long = "query", value_name = "NAME=VALUE", value_parser = parameter)]
    query: Vec<(String, String)>,
    /// Print a JSON object with url, expires_at and link_id
    #[arg(long)]
    json: bool,
}

fn method(text: &str) -> Result<Method, String> {
    let method = text.to_ascii_uppercase();
    let known = [
        Method::GET,
        Method::HEAD,
        Method::PUT,
        Method::POST,
        Method::DELETE,
    ];
    known
        .into_iter()
        .find(|known| known.as_str() == method)
        .ok_or_else(|| "S3 knows GET, HEAD, PUT, POST and DELETE".to_owned())
}

/// A header as curl takes it.
pub(super) fn header(text: &str) -> Result<(String, String), String> {
    let (name, value) = text.split_once(':').ok_or("a header is «Name: value»")?;
    Ok((name.trim().to_owned(), value.trim().to_owned()))
}

fn parameter(text: &str) -> Result<(String, String), String> {
    let (name, value) = text.split_once('=').unwrap_or((text, ""));
    Ok((name.to_owned(), value.to_owned()))
}

pub(super) fn run(cli: &Cli, args: &Args) -> Result<Outcome, Problem> {
    let url = S3Url::parse(&args.object).map_err(|error| format!("{:?}: {error}", args.object))?;
    let key = url.key()?;
    let signing = Signing::find(cli, &args.signing)?;
    let asked = Asked {
        method: &args.method,
        bucket: Some(&url.bucket),
        key: key.as_ref(),
        headers: &args.headers,
        query: &args.query,
    };
    let signed = signing.presign(asked, args.expires)?;
    if args.json {
        let expires_at = signed
            .expires_at()
            .format(&time::format_description::well_known::Rfc3339)?;
        let link_id = signed.link_id().to_string();
        println!(
            "{}",
            serde_json::json!({ "url": signed.into_string(), "expires_at": expires_at, "link_id": link_id })
        );
    } else {
        println!("{}", signed.into_string());
    }
    Ok(Outcome::Yes)
}
