//! The certificate: signed anew at each run. Its key stays, so that a running gateway never sees one that does not fit the other.

use rcgen::{
    CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa, KeyPair, KeyUsagePurpose,
};
use time::OffsetDateTime;
use x509_parser::prelude::{FromDer, X509Certificate};
use zeroize::Zeroizing;

use super::{
    Places, Problem,
    authority::{self, Authority},
    files::{self, Over, Readers, foreign},
    names::Name,
};

/// What an earlier run left.
pub(super) struct Earlier {
    pub(super) key: KeyPair,
    pub(super) names: Vec<Name>,
}

/// What an earlier run left, where there was one. Anything else that lies there is left alone.
pub(super) fn read(places: &Places, authority: Option<&Authority>) -> Result<Option<Earlier>, Problem> {
    let (path, key_path) = (&places.certificate, &places.key);
    match (files::read_certificate(path)?, files::read_key(key_path)?) {
        (None, None) => Ok(None),
        (Some(_), None) => Err(foreign(path, "its key, key.pem, is not beside it")),
        (None, Some(_)) => Err(foreign(key_path, "its certificate, cert.pem, is not beside it")),
        (Some(der), Some(key)) => {
            let (_, certificate) = X509Certificate::from_der(&der)?;
            if !authority.is_some_and(|authority| authority.has_signed(&certificate)) {
                return Err(foreign(path, "it was not signed by the authority in ca.pem"));
            }
            if certificate.public_key().subject_public_key.data != key.public_key_raw() {
                return Err(foreign(key_path, "it is not the key of cert.pem"));
            }
            let names = certificate.subject_alternative_name()?;
            let names = names.map_or(&[][..], |found| &found.value.general_names);
            let names = names.iter().filter_map(Name::read).collect();
            Ok(Some(Earlier { key, names }))
        }
    }
}

/// Signs a certificate for these names, valid from a little before `now` until then, and writes it. Without a key it makes one.
pub(super) fn write(
    places: &Places,
    authority: &Authority,
    key: Option<KeyPair>,
    names: &[Name],
    (now, until): (OffsetDateTime, OffsetDateTime),
) -> Result<(), Problem> {
    let mut params = CertificateParams::default();
    params.distinguished_name = DistinguishedName::new();
    params
        .distinguished_name
        .push(DnType::CommonName, "postern development certificate");
    params.serial_number = Some(authority::serial()?);
    params.not_before = now - authority::EARLIER;
    params.not_after = until;
    params.subject_alt_names = names.iter().map(Name::alternative).collect::<Result<_, _>>()?;
    params.is_ca = IsCa::ExplicitNoCa;
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    params.use_authority_key_identifier_extension = true;
    let (key, over) = match key {
        Some(key) => (key, Over::Ours),
        None => (KeyPair::generate()?, Over::Nothing),
    };
    let made = params.signed_by(&key, authority.issuer())?;
    if over == Over::Nothing {
        let text = Zeroizing::new(key.serialize_pem());
        files::write(&places.key, &text, Readers::Owner, over)?;
    }
    files::write(&places.certificate, &made.pem(), Readers::Everybody, over)
}
