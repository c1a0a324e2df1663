//! Whose keys sign, and for which endpoint: what `presign` and the client commands have in common. Arguments, environment and
//! configuration go in, a [`Signing`] comes out. AWS's own variables mean here what they mean to AWS's tools.

use std::{env, net::SocketAddr};

use http::Method;

use crate::{
    clock::Clock,
    config::Config,
    live,
    policy::Snapshot,
    sigv4::{self, AddressingStyle, Endpoint, SignError, SignRequest, SignedRequest, SignedUrl},
    types::{AccessKeyId, BucketName, ObjectKey, Region, Scheme, SecretKey, Span},
};

use super::{Cli, Problem, environment::Environment, serve};

/// The arguments; the help of each says what stands in for it.
#[derive(Debug, Default, clap::Args)]
pub(super) struct SigningArgs {
    /// A signer of the policy file; without it AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, then POSTERN_ACCESS_KEY_ID and
    /// POSTERN_SECRET_ACCESS_KEY, then the file's only signer
    #[arg(long, value_name = "NAME", help_heading = "Signing")]
    signer: Option<String>,
    /// Where the server is; without it AWS_ENDPOINT_URL, the first of server.public_urls, or server.listen
    #[arg(long, value_name = "URL", help_heading = "Signing")]
    endpoint: Option<String>,
    /// The region of the credential scope; without it the configured one (AWS_REGION, with AWS_ENDPOINT_URL)
    #[arg(long, help_heading = "Signing")]
    region: Option<String>,
    /// Put the bucket into the host: http://BUCKET.HOST/KEY
    #[arg(long, help_heading = "Signing")]
    virtual_host: bool,
}

/// A pair of keys, and the token that comes with a temporary one.
struct Keys {
    access_key_id: AccessKeyId,
    secret_access_key: SecretKey,
    session_token: Option<String>,
}

/// All that signing needs besides the request. It holds a secret, so it cannot be printed.
pub(super) struct Signing {
    keys: Keys,
    endpoint: Endpoint,
    region: Region,
    style: AddressingStyle,
    clock: Clock,
}

/// What is asked of an endpoint.
#[derive(Clone, Copy)]
pub(super) struct Asked<'a> {
    pub(super) method: &'a Method,
    pub(super) bucket: Option<&'a BucketName>,
    pub(super) key: Option<&'a ObjectKey>,
    pub(super) headers: &'a [(String, String)],
    pub(super) query: &'a [(String, String)],
}

impl Signing {
    /// Finds keys, endpoint and region.
    pub(super) fn find(cli: &Cli, args: &SigningArgs) -> Result<Self, Problem> {
        let config = cli.config()?;
        let keys = keys(&config, args.signer.as_deref())?;
        let from_environment = match args.endpoint {
            Some(_) => None,
            None => variable("AWS_ENDPOINT_URL_S3").or_else(|| variable("AWS_ENDPOINT_URL")),
        };
        // A region that is meant for AWS must not sign links for the gateway of this configuration.
        let region = from_environment
            .as_ref()
            .and_then(|_| variable("AWS_REGION").or_else(|| variable("AWS_DEFAULT_REGION")));
        let region = match args.region.as_ref().or(region.as_ref()) {
            Some(region) => Region::parse(region).map_err(|error| format!("{region:?}: {error}"))?,
            None => Region::parse(config.gateway.verdict.region())?,
        };
        let endpoint = match args.endpoint.clone().or(from_environment) {
            Some(given) => given,
            None => own_endpoint(&config)?,
        };
        Ok(Self {
            keys,
            endpoint: Endpoint::parse(&endpoint).map_err(|error| format!("{endpoint:?}: {error}"))?,
            region,
            style: if args.virtual_host {
                AddressingStyle::VirtualHost
            } else {
                AddressingStyle::Path
            },
            clock: Clock::system(),
        })
    }

    /// A link that works for a while from now on.
    pub(super) fn presign(&self, asked: Asked<'_>, expires: Span) -> Result<SignedUrl, SignError> {
        let (id, secret) = (&self.keys.access_key_id, &self.keys.secret_access_key);
        sigv4::presign(
            &self.request(asked),
            id,
            secret,
            &self.region,
            self.clock.now(),
            expires,
        )
    }

    /// A request to be sent now. `payload` is its `x-amz-content-sha256`.
    pub(super) fn sign(&self, asked: Asked<'_>, payload: &str) -> Result<SignedRequest, SignError> {
        let (id, secret) = (&self.keys.access_key_id, &self.keys.secret_access_key);
        sigv4::sign_header(
            &self.request(asked),
            id,
            secret,
            &self.region,
            self.clock.now(),
            payload,
        )
    }

    fn request<'a>(&'a self, asked: Asked<'a>) -> SignRequest<'a> {
        SignRequest {
            method: asked.method,
            endpoint: &self.endpoint,
            style: self.style,
            bucket: asked.bucket,
            key: asked.key,
            headers: asked.headers,
            query: asked.query,
            session_token: self.keys.session_token.as_deref(),
        }
    }

    /// Where requests go.
    pub(super) fn endpoint(&self) -> &Endpoint {
        &self.endpoint
    }

    /// The region of the credential scope.
    pub(super) fn region(&self) -> &Region {
        &self.region
    }
}

fn variable(name: &str) -> Option<String> {
    env::var(name).ok().filter(|value| !value.is_empty())
}

fn keys(config: &Config, signer: Option<&str>) -> Result<Keys, Problem> {
    let aws = (variable("AWS_ACCESS_KEY_ID"), variable("AWS_SECRET_ACCESS_KEY"));
    if let (None, (Some(id), Some(secret))) = (signer, aws) {
        return Ok(Keys {
            access_key_id: AccessKeyId::parse(&id).map_err(|error| format!("AWS_ACCESS_KEY_ID: {error}"))?,
            secret_access_key: SecretKey::parse(secret)
                .map_err(|error| format!("AWS_SECRET_ACCESS_KEY: {error}"))?,
            session_token: variable("AWS_SESSION_TOKEN"),
        });
    }
    if signer.is_none()
        && let Some(given) = Environment::read(variable)?.keys
    {
        return Ok(Keys {
            access_key_id: given.access_key_id,
            secret_access_key: given.secret_access_key,
            session_token: None,
        });
    }
    of_policy_file(config, signer)
}

fn of_policy_file(config: &Config, signer: Option<&str>) -> Result<Keys, Problem> {
    let file = &config.policy.file;
    if signer.is_none() && file.symlink_metadata().is_err() {
        let problem = format!(
            "whose keys sign? Set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY; there is no policy file {} either",
            file.display()
        );
        return Err(problem.into());
    }
    let loaded = live::read(file)?;
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

/// Where the gateway of this configuration is reached.
fn own_endpoint(config: &Config) -> Result<String, Problem> {
    if let Some(public) = config.gateway.verdict.public_urls.first() {
        return Ok(format!(
            "{}://{}{}",
            word(public.scheme()),
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
        Err(_) => Ok(format!("{}://{}", word(scheme), config.server.listen)),
    }
}

/// How a URL names its scheme.
fn word(scheme: Scheme) -> &'static str {
    match scheme {
        Scheme::Http => "http",
        Scheme::Https => "https",
    }
}
