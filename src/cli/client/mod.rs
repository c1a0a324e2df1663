//! A small S3 client for people: requests are signed by our own signer and sent with hyper, streaming both ways. A request goes in, an
//! answer or a [`ClientError`] comes out. A signed request is a credential for 15 minutes, so no error and no log holds its headers.

mod error;
pub(super) mod listing;
pub(super) mod progress;
pub(super) mod transfer;
mod tree;

use std::{error::Error, io, sync::Arc, time::Duration};

use bytes::Bytes;
use http::{HeaderValue, Method, Request, Response, StatusCode, Uri, header};
use http_body_util::{BodyExt, Either, Full, Limited, channel::Channel};
use hyper::body::Incoming;
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::TokioExecutor,
};
use sha2::{Digest, Sha256};
use tokio::{sync::Notify, time::timeout};

use crate::types::{BucketName, ObjectKey, Region, Scheme, Span};

use super::{
    Cli, Outcome, Problem,
    signing::{Asked, Signing, SigningArgs},
};
pub(super) use error::{ClientError, Refusal};

/// What a body is signed as that is sent while it is read.
const UNSIGNED_PAYLOAD: &str = "UNSIGNED-PAYLOAD";
/// How long connecting may take.
const CONNECTING: Duration = Duration::from_secs(10);
/// How long a server may be silent, unless `--timeout` says otherwise.
const SILENCE: Duration = Duration::from_secs(60);
/// How much longer than that a server may take to answer an upload that it has whole: it hashes and syncs.
const STORING: u32 = 5;
/// The most of an answer that is read into memory: a page of a listing has under 4 MiB.
const MOST_TEXT: usize = 16 << 20;

/// The pieces of a body that is read while it is sent.
type Pieces = Channel<Bytes, io::Error>;

/// A request's body.
pub(super) enum Sent {
    /// A few bytes, or none.
    Small(Bytes),
    /// Pieces, as many bytes as the call's `content-length` says.
    Stream(Pieces),
    /// The same, of which none will come before the server has said that it wants them, which wakes the waiting.
    /// <https://www.rfc-editor.org/rfc/rfc9110#section-10.1.1>
    Expected(Pieces, Arc<Notify>),
}

/// The arguments of every client command.
#[derive(Debug, Default, clap::Args)]
pub(super) struct ClientArgs {
    #[command(flatten)]
    signing: SigningArgs,
    /// Give up on a server that is silent for so long; without it 60s
    #[arg(long, value_name = "TIME")]
    timeout: Option<Span>,
}

/// Sends requests to one endpoint.
#[derive(Clone)]
pub(super) struct S3Client {
    silence: Duration,
    http: Client<HttpsConnector<HttpConnector>, Either<Full<Bytes>, Pieces>>,
    signing: Arc<Signing>,
}

/// Something to be asked of a bucket, or of the service.
#[derive(Clone, Copy, Default)]
pub(super) struct Call<'a> {
    pub(super) bucket: Option<&'a BucketName>,
    pub(super) key: Option<&'a ObjectKey>,
    /// Headers, which are signed.
    pub(super) headers: &'a [(String, String)],
    pub(super) query: &'a [(String, String)],
}

impl S3Client {
    /// A client for the endpoint that arguments, environment and configuration name. Nothing is sent yet.
    pub(super) fn new(cli: &Cli, args: &ClientArgs) -> Result<Self, Problem> {
        let signing = Signing::find(cli, &args.signing)?;
        let silence = args.timeout.map_or(SILENCE, Span::duration);
        if silence.is_zero() {
            return Err("--timeout takes at least one second".into());
        }
        let mut tcp = HttpConnector::new();
        tcp.enforce_http(false);
        tcp.set_connect_timeout(Some(CONNECTING.min(silence)));
        tcp.set_nodelay(true);
        let provider = rustls::crypto::ring::default_provider();
        let https = HttpsConnectorBuilder::new();
        let https = match signing.endpoint().scheme() {
            // Reading the system's certificates takes its time, and plain HTTP has no use for them.
            Scheme::Http => {
                let tls = rustls::ClientConfig::builder_with_provider(provider.into())
                    .with_safe_default_protocol_versions()?
                    .with_root_certificates(rustls::RootCertStore::empty())
                    .with_no_client_auth();
                https.with_tls_config(tls).https_or_http()
            }
            Scheme::Https => https
                .with_provider_and_native_roots(provider)
                .map_err(|error| format!("no certificates to trust on this system ({error}); install ca-certificates, or name a file in SSL_CERT_FILE"))?
                .https_only(),
        };
        let connector = https.enable_http1().wrap_connector(tcp);
        Ok(Self {
            silence,
            http: Client::builder(TokioExecutor::new()).build(connector),
            signing: Arc::new(signing),
        })
    }

    /// How long the server may be silent.
    pub(super) fn silence(&self) -> Duration {
        self.silence
    }

    /// Sends a request without a body. An answer that is not 2xx is a [`Refusal`].
    pub(super) async fn send(
        &self,
        method: Method,
        call: Call<'_>,
    ) -> Result<Response<Incoming>, ClientError> {
        self.send_body(method, call, Sent::Small(Bytes::new())).await
    }

    /// Sends a request with a body. The head of the answer must come in time, where the body is small; a streamed body is
    /// for its sender to watch.
    pub(super) async fn send_body(
        &self,
        method: Method,
        call: Call<'_>,
        body: Sent,
    ) -> Result<Response<Incoming>, ClientError> {
        let asked = Asked {
            method: &method,
            bucket: call.bucket,
            key: call.key,
            headers: call.headers,
            query: call.query,
        };
        let unsigned = || UNSIGNED_PAYLOAD.to_owned();
        let is_small = matches!(body, Sent::Small(_));
        let (payload, body, wanted) = match body {
            Sent::Small(bytes) => {
                let digest = hex::encode(Sha256::digest(&bytes));
                (digest, Either::Left(Full::new(bytes)), None)
            }
            Sent::Stream(pieces) => (unsigned(), Either::Right(pieces), None),
            Sent::Expected(pieces, wanted) => (unsigned(), Either::Right(pieces), Some(wanted)),
        };
        let signed = self.signing.sign(asked, &payload)?;
        let unaddressable = || ClientError::Address(self.authority());
        let uri: Uri = signed.url.parse().map_err(|_| unaddressable())?;
        let mut request = Request::builder()
            .method(method)
            .uri(uri)
            .body(body)
            .map_err(|_| unaddressable())?;
        *request.headers_mut() = signed.headers;
        if let Some(wanted) = wanted {
            // Not signed: a proxy may answer it by itself.
            let expect = HeaderValue::from_static("100-continue");
            request.headers_mut().insert(header::EXPECT, expect);
            hyper::ext::on_informational(&mut request, move |answer| {
                if answer.status() == StatusCode::CONTINUE {
                    wanted.notify_one();
                }
            });
        }
        let answer = self.http.request(request);
        let answer = match is_small {
            true => timeout(self.silence, answer)
                .await
                .map_err(|_| self.silent(self.silence))?,
            false => answer.await,
        };
        let response = answer.map_err(|error| {
            if error.is_connect() {
                ClientError::Unreachable(self.authority(), error::chain(&error))
            } else {
                ClientError::BrokenOff(self.authority(), error::chain(&error))
            }
        })?;
        if response.status().is_success() {
            return Ok(response);
        }
        let (parts, body) = response.into_parts();
        // An error whose text does not arrive is still that error.
        let text = self.text(body).await.unwrap_or_default();
        Err(ClientError::Refused(Refusal::read(
            &parts,
            &text,
            self.signing.region(),
        )))
    }

    /// An answer's body as text, where it is small enough.
    pub(super) async fn text(&self, body: Incoming) -> Result<String, ClientError> {
        let broken =
            |error: &(dyn Error + 'static)| ClientError::BrokenOff(self.authority(), error::chain(error));
        let collected = timeout(self.silence, Limited::new(body, MOST_TEXT).collect()).await;
        let bytes = collected
            .map_err(|_| self.silent(self.silence))?
            .map_err(|error| broken(error.as_ref()))?
            .to_bytes();
        String::from_utf8(bytes.into()).map_err(|error| broken(&error))
    }

    /// The error for a server that was silent for so long.
    pub(super) fn silent(&self, time: Duration) -> ClientError {
        ClientError::Silent(self.authority(), time.as_secs())
    }

    /// The region that requests are signed for.
    pub(super) fn region(&self) -> &Region {
        self.signing.region()
    }

    /// Host and port, which is what may be said of where requests go.
    pub(super) fn authority(&self) -> String {
        self.signing.endpoint().authority().to_owned()
    }
}

/// Runs a client command: a server that says no is exit code 1, and what it says goes to standard error with a hint.
pub(super) fn run(
    cli: &Cli,
    args: &ClientArgs,
    command: impl AsyncFnOnce(S3Client) -> Result<Outcome, Problem>,
) -> Result<Outcome, Problem> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let client = S3Client::new(cli, args)?;
    let done = runtime.block_on(async {
        tokio::select! {
            done = command(client) => done,
            // Ending here lets temporary files go.
            interrupted = tokio::signal::ctrl_c() => interrupted.map_err(Into::into).and(Err("interrupted".into())),
        }
    });
    // A read of standard input may still wait for its next line; the process does not wait for it.
    runtime.shutdown_background();
    match done {
        Err(problem) => match problem.downcast::<ClientError>().map(|error| *error) {
            Ok(ClientError::Refused(refusal)) => {
                eprintln!("postern: {refusal}");
                Ok(Outcome::No)
            }
            Ok(other) => Err(other.into()),
            Err(problem) => Err(problem),
        },
        outcome => outcome,
    }
}
