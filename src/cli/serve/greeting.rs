//! What `serve` prints when it begins: where it listens, whose keys count, a link to try.

use std::net::SocketAddr;

use http::Method;

use crate::{
    clock::Clock,
    config::Config,
    live::{self, Live},
    policy::GivenContext,
    sigv4::{self, AddressingStyle, Endpoint, SignRequest},
    store::Store,
    types::{Action, BucketName, ObjectKey, Resource, Scheme, Span},
};

use super::Who;

/// What the sample link opens.
const SAMPLE_KEY: &str = "test.txt";
/// How long the printed sample link lives.
const SAMPLE_EXPIRES: Span = Span::from_seconds(15 * 60);

/// Says whose keys count, and shows those that nobody knows yet.
pub(super) fn tell(who: &Who, origin: &str, config: &Config) {
    match who {
        Who::PolicyFile => {}
        Who::Given(keys) => println!(
            "the keys of {} from the environment may do everything; the policy file is not read",
            keys.access_key_id
        ),
        Who::Generated(keys) => {
            println!("these keys may do everything until this process ends:");
            println!(
                "  export AWS_ACCESS_KEY_ID={} AWS_SECRET_ACCESS_KEY={}",
                keys.access_key_id,
                keys.expose_secret()
            );
            println!(
                "  export AWS_ENDPOINT_URL={origin} AWS_REGION={}",
                config.gateway.verdict.region()
            );
        }
    }
}

/// How clients on this machine may name a listener: without the port where it is the scheme's own.
pub(super) fn hosts((scheme, address): (Scheme, SocketAddr)) -> Vec<String> {
    let port = address.port();
    match (scheme, port) {
        (Scheme::Http, 80) | (Scheme::Https, 443) => {
            vec![
                address.ip().to_string(),
                "localhost".to_owned(),
                "127.0.0.1".to_owned(),
            ]
        }
        (Scheme::Http | Scheme::Https, _) => vec![
            address.to_string(),
            format!("localhost:{port}"),
            format!("127.0.0.1:{port}"),
        ],
    }
}

/// The address as a client on this machine writes it.
pub(in crate::cli) fn origin(scheme: Scheme, address: SocketAddr) -> String {
    let scheme = match scheme {
        Scheme::Http => "http",
        Scheme::Https => "https",
    };
    let port = address.port();
    if address.ip().is_unspecified() {
        format!("{scheme}://localhost:{port}")
    } else {
        format!("{scheme}://{address}")
    }
}

/// A link to the sample object, where there is one and somebody may read it: a start in earnest prints none.
pub(super) async fn sample_link(
    origin: &str,
    policy: &Live,
    clock: &Clock,
    config: &Config,
    store: &impl Store,
) -> Option<String> {
    let (bucket, key) = (
        BucketName::parse(live::fresh::BUCKET).ok()?,
        ObjectKey::parse(SAMPLE_KEY).ok()?,
    );
    store.open(&bucket, &key).await.ok()?;
    let snapshot = policy.snapshot();
    let resource = Resource::Object(&bucket, &key);
    let may = |signer: &&_| {
        snapshot
            .evaluate(signer, Action::GetObject, resource, &GivenContext::default())
            .is_allowed()
    };
    let signer = snapshot.signers().find(may)?;
    let access = snapshot.keys_of(signer).next()?;
    let region = config.gateway.verdict.regions.first()?;
    let request = SignRequest {
        method: &Method::GET,
        endpoint: &Endpoint::parse(origin).ok()?,
        style: AddressingStyle::Path,
        bucket: Some(&bucket),
        key: Some(&key),
        headers: &[],
        query: &[],
        session_token: None,
    };
    let expires = SAMPLE_EXPIRES.min(config.gateway.verdict.max_expires);
    let (id, secret) = (access.access_key_id(), access.secret_access_key());
    sigv4::presign(&request, id, secret, region, clock.now(), expires)
        .ok()
        .map(sigv4::SignedUrl::into_string)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clients_leave_out_the_port_that_is_the_schemes_own() {
        for (scheme, address, named) in [
            (Scheme::Http, "127.0.0.1:9000", "localhost:9000"),
            (Scheme::Https, "127.0.0.1:9443", "localhost:9443"),
            (Scheme::Https, "127.0.0.1:443", "localhost"),
            (Scheme::Http, "127.0.0.1:443", "localhost:443"),
            (Scheme::Http, "0.0.0.0:80", "127.0.0.1"),
        ] {
            let hosts = hosts((scheme, address.parse().unwrap()));
            assert!(hosts.contains(&named.to_owned()), "{address} {hosts:?}");
        }
    }
}
