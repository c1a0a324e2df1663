//! What to know of a link that passes: where it is more, or lasts longer, than its signer may want, and where another server would not take it.

use http::{Method, header::CONTENT_TYPE};
use time::Duration;

use crate::{
    policy::Effect,
    types::{Query, Scheme},
    verdict::Permit,
};

use super::{
    Explainer, Told,
    question::Request,
    words::{instant, listed, span},
};

/// A link that lives for so long is as good as for ever to whom it leaks.
const LONG: Duration = Duration::days(6);

/// Everything there is to say.
pub(super) fn remarks(explainer: &Explainer<'_>, request: &Request, permit: &Permit) -> Vec<Told> {
    let Ok(query) = request.head.query() else {
        return Vec::new();
    };
    let verified = permit.verified();
    let is_link = query.has("X-Amz-Signature");
    let life = verified.expires_at() - verified.signed_at();
    let found = [
        empty_checksum(request, &query),
        is_link.then(|| long(life)).flatten(),
        plain_http(request),
        content_type(request, &query),
        ends_early(explainer, request, permit),
        repeated(&query),
        may_more(explainer, permit),
        metadata_in_query(&query),
        other_region(explainer, permit),
    ];
    found.into_iter().flatten().collect()
}

fn told(name: &str, what: String, fix: &str) -> Option<Told> {
    Some(Told {
        name: name.to_owned(),
        what,
        fix: fix.to_owned(),
    })
}

fn long(life: Duration) -> Option<Told> {
    let what = || {
        format!(
            "it lives for {}, and the most there is is seven days",
            span(life.whole_seconds())
        )
    };
    let fix =
        "sign for minutes or hours, and again when it is needed; presign.max_expires caps what is taken";
    (life >= LONG).then(|| told("LongLife", what(), fix)).flatten()
}

fn plain_http(request: &Request) -> Option<Told> {
    let host = request
        .head
        .authority()
        .rsplit_once(':')
        .map_or(request.head.authority(), |(host, _)| host);
    let host = host.trim_matches(['[', ']']);
    let is_local = host.eq_ignore_ascii_case("localhost")
        || host.ends_with(".localhost")
        || host
            .parse::<std::net::IpAddr>()
            .is_ok_and(|address| address.is_loopback());
    let what = "it goes over plain HTTP: whoever sees it pass can use it too".to_owned();
    let fix = "serve HTTPS ([server.tls], or a proxy in front), and sign for https://";
    (request.head.scheme() == Scheme::Http && !is_local)
        .then(|| told("PlainHttp", what, fix))
        .flatten()
}

fn content_type(request: &Request, query: &Query<'_>) -> Option<Told> {
    let signed = query.first("X-Amz-SignedHeaders").unwrap_or_default();
    let is_signed = signed
        .split(';')
        .any(|name| name.eq_ignore_ascii_case(CONTENT_TYPE.as_str()));
    let is_upload = request.head.method() == Method::PUT && query.has("X-Amz-Signature");
    let what = "the upload's Content-Type is not signed: whoever has the link can upload HTML or a program under this key".to_owned();
    let fix = "give ContentType when signing; whoever uploads must then send that type";
    (is_upload && !is_signed)
        .then(|| told("ContentTypeNotSigned", what, fix))
        .flatten()
}

/// Is it refused before it expires, for something that is known today?
fn ends_early(explainer: &Explainer<'_>, request: &Request, permit: &Permit) -> Option<Told> {
    let end = permit.verified().expires_at();
    let last = end.checked_sub(Duration::SECOND)?;
    if !request
        .head
        .query()
        .is_ok_and(|query| query.has("X-Amz-Signature"))
        || last <= explainer.now
    {
        return None;
    }
    let refusal = explainer.decide(request, last).outcome.err()?;
    let what = format!("it expires at {}, and stops before that: {refusal}", instant(end));
    told(
        "EndsEarly",
        what,
        "sign for as long as the policy lets it work, or change the condition",
    )
}

fn repeated(query: &Query<'_>) -> Option<Told> {
    let mut names: Vec<_> = query.iter().map(|parameter| parameter.name.as_ref()).collect();
    names.sort_unstable();
    let mut twice: Vec<_> = names
        .windows(2)
        .filter(|pair| pair.first() == pair.last())
        .filter_map(|pair| pair.first().copied())
        .collect();
    twice.dedup();
    let what = format!(
        "parameters stand in the query more than once, and the first of each counts: {}",
        listed(&twice)
    );
    let fix = "sign each parameter once: proxies and clients disagree about which copy counts";
    (!twice.is_empty())
        .then(|| told("RepeatedParameters", what, fix))
        .flatten()
}

fn may_more(explainer: &Explainer<'_>, permit: &Permit) -> Option<Told> {
    let name = permit.signer();
    let grant = explainer
        .snapshot
        .broad_grants()
        .find(|grant| grant.signer == name)?;
    let what = match (grant.every_action, grant.every_resource) {
        (true, true) => "every action on every resource",
        (true, false) => "every action",
        (false, _) => "its actions on every resource",
    };
    let what = format!(
        "its signer {name} may do far more than this link needs: {what} ({} {})",
        Effect::Allow,
        grant.statement
    );
    told(
        "BroadSigner",
        what,
        "sign links with a key of its own, which may do what links are for and no more",
    )
}

/// Checksums of nothing, as SDKs compute them when they sign an upload whose body they have not.
const OF_NOTHING: &[(&str, &str)] = &[
    ("x-amz-checksum-crc32", "AAAAAA=="),
    ("x-amz-checksum-crc32c", "AAAAAA=="),
    ("x-amz-checksum-crc64nvme", "AAAAAAAAAAA="),
    ("x-amz-checksum-sha1", "2jmj7l5rSw0yVb/vlWAYkK/YBwk="),
    (
        "x-amz-checksum-sha256",
        "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=",
    ),
];

fn empty_checksum(request: &Request, query: &Query<'_>) -> Option<Told> {
    let is_there = |(name, value): &&(&str, &str)| {
        query
            .iter()
            .any(|parameter| parameter.name.eq_ignore_ascii_case(name) && parameter.value == *value)
    };
    let (name, _) = OF_NOTHING.iter().find(is_there)?;
    let what = format!(
        "it carries the checksum of an empty body ({name}), which the SDK computed without the upload: AWS and postern pass it over, other servers refuse every upload for it"
    );
    let fix = "make the client with requestChecksumCalculation: 'WHEN_REQUIRED' (in boto3 Config(request_checksum_calculation='when_required')) and sign again";
    (request.head.method() == Method::PUT)
        .then(|| told("ChecksumOfEmptyBody", what, fix))
        .flatten()
}

fn metadata_in_query(query: &Query<'_>) -> Option<Told> {
    let metadata: Vec<_> = query
        .iter()
        .map(|parameter| parameter.name.as_ref())
        .filter(|name| name.to_ascii_lowercase().starts_with("x-amz-meta-"))
        .collect();
    let what = format!(
        "metadata in the query is signed and not kept here: {}",
        listed(&metadata)
    );
    let fix = "sign it as headers (unhoistableHeaders in the JavaScript SDK) and send them with the upload";
    (!metadata.is_empty())
        .then(|| told("MetadataInQuery", what, fix))
        .flatten()
}

/// What is taken here and not on AWS.
fn other_region(explainer: &Explainer<'_>, permit: &Permit) -> Option<Told> {
    let (given, own) = (permit.verified().region().as_str(), explainer.settings.region());
    let what = format!(
        "it is signed for the region {given}, which server.regions lets in beside {own}: AWS takes one region for a bucket"
    );
    let fix = "sign for the bucket's own region before the link is used on AWS";
    (given != own).then(|| told("OtherRegion", what, fix)).flatten()
}
