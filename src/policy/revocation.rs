//! What is revoked, besides what statements deny: a signer, one of its keys, all that it signed before an instant, one link. In go who signed,
//! with which key, which link and when; out comes the rule that revokes it, or none.

use std::{collections::HashMap, fmt, sync::Arc};

use time::{OffsetDateTime, format_description::well_known::Rfc3339};

use crate::types::{AccessKeyId, LinkId};

use super::error::Location;

/// What is revoked of one signer.
#[derive(Clone, Debug, Default)]
pub(super) struct SignerRevocation {
    /// All of it: `revoked = true`.
    pub(super) revoked: Option<Location>,
    /// What was signed before this: `signed_before`.
    pub(super) signed_before: Option<(OffsetDateTime, Location)>,
}

/// One `[[revoked_url]]`.
#[derive(Clone, Debug)]
pub(super) struct RevokedLink {
    pub(super) note: Option<Arc<str>>,
    /// From when on the rule no longer counts, because the link has expired anyway.
    pub(super) until: Option<OffsetDateTime>,
    pub(super) location: Location,
}

/// Every revoked link, by its name.
pub(super) type RevokedLinks = HashMap<LinkId, RevokedLink>;

/// A signature that holds, and what it says.
#[derive(Clone, Copy, Debug)]
pub struct Signed {
    /// The link's name.
    pub link_id: LinkId,
    /// When it was signed, as was signed.
    pub signed_at: OffsetDateTime,
}

/// The rule that revokes a request, as people find it: `policy.toml line 12: signer alice is revoked`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RevocationReference {
    location: Location,
    what: What,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum What {
    Signer(Arc<str>),
    Key(AccessKeyId),
    SignedBefore(Arc<str>, OffsetDateTime),
    Link(LinkId, Option<Arc<str>>),
}

impl RevocationReference {
    /// A short fixed name of the kind of rule, for logs.
    pub fn name(&self) -> &'static str {
        match self.what {
            What::Signer(_) => "SignerRevoked",
            What::Key(_) => "KeyRevoked",
            What::SignedBefore(..) => "SignedBeforeRevocation",
            What::Link(..) => "LinkRevoked",
        }
    }

    /// The signer, where the rule revokes all of it.
    pub fn signer(&self) -> Option<&str> {
        match &self.what {
            What::Signer(name) => Some(name),
            What::Key(_) | What::SignedBefore(..) | What::Link(..) => None,
        }
    }

    /// Where the rule stands.
    pub fn location(&self) -> &Location {
        &self.location
    }
}

impl fmt::Display for RevocationReference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} line {}: ", self.location.file, self.location.line)?;
        match &self.what {
            What::Signer(name) => write!(f, "signer {} is revoked", name.escape_debug()),
            What::Key(id) => write!(f, "the key {id} is revoked"),
            What::SignedBefore(name, at) => {
                let at = at.format(&Rfc3339).unwrap_or_default();
                write!(
                    f,
                    "what signer {} signed before {at} is revoked",
                    name.escape_debug()
                )
            }
            What::Link(link, note) => {
                write!(f, "the link {link} is revoked")?;
                note.as_ref()
                    .map_or(Ok(()), |note| write!(f, " ({})", note.escape_debug()))
            }
        }
    }
}

/// A signer's own rules, and then those of its keys.
pub(super) fn rules_of<'s>(
    name: &'s Arc<str>,
    signer: &'s SignerRevocation,
    keys: impl Iterator<Item = (&'s AccessKeyId, Option<&'s Location>)>,
) -> Vec<RevocationReference> {
    let whole = signer
        .revoked
        .as_ref()
        .map(|location| rule(location, What::Signer(name.clone())));
    let before = signer
        .signed_before
        .as_ref()
        .map(|(before, location)| rule(location, What::SignedBefore(name.clone(), *before)));
    let keys = keys.filter_map(|(id, location)| Some(rule(location?, What::Key(id.clone()))));
    whole.into_iter().chain(before).chain(keys).collect()
}

/// The rule about a link.
pub(super) fn rule_of_link(id: LinkId, link: &RevokedLink) -> RevocationReference {
    rule(&link.location, What::Link(id, link.note.clone()))
}

fn rule(location: &Location, what: What) -> RevocationReference {
    RevocationReference {
        location: location.clone(),
        what,
    }
}

/// The rule that revokes, the widest first.
pub(super) fn revoked(
    (name, signer): (&Arc<str>, &SignerRevocation),
    (id, key): (&AccessKeyId, Option<&Location>),
    links: &RevokedLinks,
    signed: Signed,
    now: OffsetDateTime,
) -> Option<RevocationReference> {
    if let Some(location) = &signer.revoked {
        return Some(rule(location, What::Signer(name.clone())));
    }
    if let Some(location) = key {
        return Some(rule(location, What::Key(id.clone())));
    }
    if let Some((before, location)) = &signer.signed_before
        && signed.signed_at < *before
    {
        return Some(rule(location, What::SignedBefore(name.clone(), *before)));
    }
    let link = links.get(&signed.link_id)?;
    let over = link.until.is_some_and(|until| now >= until);
    (!over).then(|| rule_of_link(signed.link_id, link))
}

#[cfg(test)]
mod tests {
    use time::macros::datetime;

    use super::{super::testing::snapshot, *};

    const LINK: &str = "66687aadf862bd776c8fc18b8e9f8e20089714856ee233b3902a591d0d5f2925";
    const NOON: OffsetDateTime = datetime!(2026-11-24 12:00 UTC);

    /// What is said of alice's second key, of a link signed at noon.
    fn rule(signer: &str, key: &str, top: &str, now: OffsetDateTime) -> Option<String> {
        let text = format!(
            "[[signer]]\nname = 'alice'\n{signer}\n[[signer.key]]\naccess_key_id = 'FIRST'\nsecret_access_key = 'a'\nrevoked = true\n\
             [[signer.key]]\naccess_key_id = 'SECOND'\nsecret_access_key = 'b'\n{key}\n{top}\n"
        );
        let snapshot = snapshot(&text);
        let signed = Signed {
            link_id: LinkId::parse(LINK).unwrap(),
            signed_at: NOON,
        };
        let key = snapshot.key("SECOND").unwrap();
        snapshot
            .revoked(&key, signed, now)
            .map(|rule| format!("{}: {rule}", rule.name()))
    }

    #[test]
    fn each_selector_revokes_what_it_names_and_nothing_else() {
        let link = |more: &str| format!("[[revoked_url]]\nsha256 = '{LINK}'\n{more}\n");
        let other = format!("[[revoked_url]]\nsha256 = '{}'\n", "0".repeat(64));
        for (signer, key, top, expected) in [
            ("", "", "", None),
            ("revoked = false", "revoked = false", other.as_str(), None),
            (
                "revoked = true",
                "",
                "",
                Some("SignerRevoked: policy.toml line 3: signer alice is revoked"),
            ),
            (
                "",
                "revoked = true",
                "",
                Some("KeyRevoked: policy.toml line 11: the key SECOND is revoked"),
            ),
            ("signed_before = 2026-11-24T12:00:00Z", "", "", None),
            (
                "signed_before = 2026-11-24T12:00:01Z",
                "",
                "",
                Some(
                    "SignedBeforeRevocation: policy.toml line 3: what signer alice signed before 2026-11-24T12:00:01Z is revoked",
                ),
            ),
            (
                "signed_before = '2026-11-24T13:00:01+01:00'",
                "",
                "",
                Some(
                    "SignedBeforeRevocation: policy.toml line 3: what signer alice signed before 2026-11-24T13:00:01+01:00 is revoked",
                ),
            ),
            (
                "",
                "",
                &link("note = 'in a chat'"),
                Some(&format!(
                    "LinkRevoked: policy.toml line 13: the link {LINK} is revoked (in a chat)"
                )),
            ),
            ("", "", &link("until = 2026-11-24T12:00:00Z"), None),
            (
                "",
                "",
                &link("until = 2026-11-24T12:00:01Z"),
                Some(&format!(
                    "LinkRevoked: policy.toml line 13: the link {LINK} is revoked"
                )),
            ),
        ] {
            assert_eq!(
                rule(signer, key, top, NOON).as_deref(),
                expected,
                "{signer} {key} {top}"
            );
        }
    }

    #[test]
    fn every_rule_is_listed_signers_first() {
        let text = format!(
            "[[revoked_url]]\nsha256 = '{LINK}'\n[[signer]]\nname = 'alice'\naccess_key_id = 'A'\nsecret_access_key = 'a'\n\
             signed_before = 2026-11-24T12:00:00Z\n[[signer]]\nname = 'bob'\n[[signer.key]]\naccess_key_id = 'B'\nsecret_access_key = 'b'\n\
             revoked = true\n"
        );
        let rules: Vec<_> = snapshot(&text)
            .revocations()
            .iter()
            .map(RevocationReference::name)
            .collect();
        assert_eq!(rules, ["SignedBeforeRevocation", "KeyRevoked", "LinkRevoked"]);
    }
}
