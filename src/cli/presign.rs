//! `postern presign`: signs a URL offline. The URL alone goes to standard output.

use std::{env, net::SocketAddr};

use http::Method;

use crate::{
    clock::Clock,
    config::Config,
    live,
    policy::Snapshot,
    sigv4::{self, AddressingStyle, Endpoint, SignRequest},
    types::{AccessKeyId, BucketName, ObjectKey, Region, Scheme, SecretKey, Span},
};

use super::{Cli, Outcome, Problem, serve};

/// Signs with the signer named, or with AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY where they are set, or with the policy
/// file's only signer.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// GET, HEAD, PUT, POST or DELETE
    #[arg(value_parser = method)]
    method: Method,
    /// s3://BUCKET/KEY
    #[arg(value_name = "S3URL")]
    object: String,
    /// A signer of the policy file
    #[arg(long, value_name = "NAME")]
    signer: Option<String>,
    /// How long the link lives: 90s, 15m, 12h, 7d
    #[arg(long, default_value = "15m", value_name = "SPAN")]
    expires: Span,
    /// The region of the credential scope; without it the configured one
    #[arg(long)]
    region: Option<String>,
    /// Where clients reach the gateway; without it the first of server.public_urls, or server.listen
    #[arg(long, value_name = "URL")]
    endpoint: Option<String>,
    /// Put the bucket into the host: http://BUCKET.HOST/KEY
    #[arg(long)]
    virtual_host: bool,
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

fn header(text: &str) -> Result<(String, String), String> {
    let (name, value) = text.split_once(':').ok_or("a header is «Name: value»")?;
    Ok((name.trim().to_owned(), value.trim().to_owned()))
}

fn parameter(text: &str) -> Result<(String, String), String> {
    let (name, value) = text.split_once('=').unwrap_or((text, ""));
    Ok((name.to_owned(), value.to_owned()))
}

/// A pair of keys, and the token that comes with a temporary one.
struct Keys {
    access_key_id: AccessKeyId,
    secret_access_key: SecretKey,
    session_token: Option<String>,
}

pub(super) fn run(cli: &Cli, args: &Args) -> Result<Outcome, Problem> {
    let config = cli.config()?;
    let (bucket, key) = object(&args.object)?;
    let keys = keys(&config, args.signer.as_deref())?;
    let endpoint = Endpoint::parse(&endpoint(&config, args.endpoint.as_deref())?)?;
    let region = match &args.region {
        Some(region) => Region::parse(region)?,
        None => config
            .verdict
            .regions
            .first()
            .cloned()
            .unwrap_or_else(Region::us_east_1),
    };
    let request = SignRequest {
        method: &args.method,
        endpoint: &endpoint,
        style: if args.virtual_host {
            AddressingStyle::VirtualHost
        } else {
            AddressingStyle::Path
        },
        bucket: Some(&bucket),
        key: key.as_ref(),
        headers: &args.headers,
        query: &args.query,
        session_token: keys.session_token.as_deref(),
    };
    let (id, secret, now) = (
        &keys.access_key_id,
        &keys.secret_access_key,
        Clock::system().now(),
    );
    let signed = sigv4::presign(&request, id, secret, &region, now, args.expires)?;
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

fn keys(config: &Config, signer: Option<&str>) -> Result<Keys, Problem> {
    let variable = |name: &str| env::var(name).ok().filter(|value| !value.is_empty());
    if let (None, Some(id), Some(secret)) = (
        signer,
        variable("AWS_ACCESS_KEY_ID"),
        variable("AWS_SECRET_ACCESS_KEY"),
    ) {
        return Ok(Keys {
            access_key_id: AccessKeyId::parse(&id)?,
            secret_access_key: SecretKey::parse(secret)?,
            session_token: variable("AWS_SESSION_TOKEN"),
        });
    }
    let loaded = live::read(&config.policy.file)?;
    let snapshot = Snapshot::new(loaded.compiled, 0, loaded.digest);
    let names: Vec<_> = snapshot
        .signers()
        .map(|signer| signer.name().to_owned())
        .collect();
    let name = match (signer, names.as_slice()) {
        (Some(name), _) => name,
        (None, [only]) => only,
        (None, _) => return Err(format!("who signs? --signer takes one of: {}", names.join(", ")).into()),
    };
    let signer = snapshot
        .signer(name)
        .ok_or_else(|| format!("no signer {name:?}; there are: {}", names.join(", ")))?;
    let key = snapshot
        .keys_of(signer)
        .next()
        .ok_or_else(|| format!("the signer {name:?} has no key"))?;
    Ok(Keys {
        access_key_id: key.access_key_id().clone(),
        secret_access_key: key.secret_access_key().clone(),
        session_token: None,
    })
}

fn endpoint(config: &Config, given: Option<&str>) -> Result<String, Problem> {
    if let Some(given) = given {
        return Ok(given.to_owned());
    }
    if let Some(public) = config.verdict.public_urls.first() {
        let scheme = if public.scheme() == Scheme::Https {
            "https"
        } else {
            "http"
        };
        return Ok(format!(
            "{scheme}://{}{}",
            public.authority(),
            public.path_prefix()
        ));
    }
    let scheme = if config.server.tls.is_some() {
        Scheme::Https
    } else {
        Scheme::Http
    };
    match config.server.listen.parse::<SocketAddr>() {
        Ok(address) if address.port() != 0 => Ok(serve::origin(scheme, address)),
        Ok(_) => Err("server.listen has port 0, so the port is not known beforehand: give --endpoint".into()),
        Err(_) => {
            let name = &config.server.listen;
            Ok(format!(
                "{}://{name}",
                if scheme == Scheme::Https { "https" } else { "http" }
            ))
        }
    }
}

fn object(text: &str) -> Result<(BucketName, Option<ObjectKey>), Problem> {
    let rest = text
        .strip_prefix("s3://")
        .ok_or_else(|| format!("{text:?}: an object is named s3://BUCKET/KEY"))?;
    let (bucket, key) = rest.split_once('/').unwrap_or((rest, ""));
    let bucket = BucketName::parse(bucket).map_err(|error| format!("{bucket:?} is {error}"))?;
    let key = if key.is_empty() {
        None
    } else {
        Some(ObjectKey::parse(key)?)
    };
    Ok((bucket, key))
}
