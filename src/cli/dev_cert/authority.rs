//! The authority: made once, kept, and held against what it is asked to sign.

use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer,
    KeyPair, KeyUsagePurpose, NameConstraints, SerialNumber,
};
use rustls::pki_types::CertificateDer;
use time::{Duration, OffsetDateTime};
use x509_parser::prelude::{FromDer, X509Certificate};
use zeroize::Zeroizing;

use super::{
    Places, Problem,
    files::{self, Over, Readers, foreign},
    names::{Name, Permitted},
    rfc3339,
};

/// What the subject of every authority of ours begins with; behind it stands what tells it from others.
const CALLED: &str = "postern development authority";
const LIFE: Duration = Duration::days(3650);
/// Clocks differ: what is made is valid from an hour before.
pub(super) const EARLIER: Duration = Duration::HOUR;

/// An authority, with its key.
pub(super) struct Authority {
    der: CertificateDer<'static>,
    issuer: Issuer<'static, KeyPair>,
    permitted: Vec<Permitted>,
    not_after: OffsetDateTime,
}

impl Authority {
    /// That of an earlier run, where there is one.
    pub(super) fn read(places: &Places) -> Result<Option<Self>, Problem> {
        let (path, key_path) = (&places.authority, &places.authority_key);
        match (files::read_certificate(path)?, files::read_key(key_path)?) {
            (None, None) => Ok(None),
            (Some(_), None) => Err(foreign(path, "its key, ca-key.pem, is not beside it")),
            (None, Some(_)) => Err(foreign(key_path, "its certificate, ca.pem, is not beside it")),
            (Some(der), Some(key)) => Self::of(der, key, places).map(Some),
        }
    }

    fn of(der: CertificateDer<'static>, key: KeyPair, places: &Places) -> Result<Self, Problem> {
        let (permitted, not_after) = {
            let (_, certificate) = X509Certificate::from_der(&der)?;
            let mut names = certificate.subject().iter_common_name();
            let ours = names.any(|name| name.as_str().is_ok_and(|name| name.starts_with(CALLED)));
            let constraints = certificate.name_constraints()?;
            let permitted = constraints.and_then(|found| found.value.permitted_subtrees.as_ref());
            let Some(permitted) = permitted.filter(|_| ours && certificate.is_ca()) else {
                return Err(foreign(
                    &places.authority,
                    "it is no authority that this command made",
                ));
            };
            if certificate.public_key().subject_public_key.data != key.public_key_raw() {
                return Err(foreign(&places.authority_key, "it is not the key of ca.pem"));
            }
            let permitted: Vec<_> = permitted
                .iter()
                .filter_map(|subtree| Permitted::read(&subtree.base))
                .collect();
            (permitted, certificate.validity().not_after.to_datetime())
        };
        Ok(Self {
            issuer: Issuer::from_ca_cert_der(&der, key)?,
            der,
            permitted,
            not_after,
        })
    }

    /// Makes one for these names and all below them, and writes its files, over those of an earlier one where it is `replacing` that.
    pub(super) fn make(
        places: &Places,
        names: &[Name],
        replacing: bool,
        now: OffsetDateTime,
    ) -> Result<Self, Problem> {
        let permitted = Permitted::for_names(names);
        let mut params = CertificateParams::default();
        params.distinguished_name = DistinguishedName::new();
        let mark = getrandom::u32()?;
        params
            .distinguished_name
            .push(DnType::CommonName, format!("{CALLED} {mark:08x}"));
        params.serial_number = Some(serial()?);
        params.not_before = now - EARLIER;
        params.not_after = now + LIFE;
        params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        // For servers alone: without this it could sign code and mail, to which the constraints say nothing.
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        params.name_constraints = Some(NameConstraints {
            permitted_subtrees: permitted.iter().map(Permitted::subtree).collect(),
            excluded_subtrees: Vec::new(),
        });
        let key = KeyPair::generate()?;
        let made = params.self_signed(&key)?;
        let over = match replacing {
            true => Over::Ours,
            false => Over::Nothing,
        };
        let text = Zeroizing::new(key.serialize_pem());
        files::write(&places.authority_key, &text, Readers::Owner, over)?;
        files::write(&places.authority, &made.pem(), Readers::Everybody, over)?;
        Ok(Self {
            der: made.der().clone(),
            not_after: params.not_after,
            issuer: Issuer::new(params, key),
            permitted,
        })
    }

    /// May it sign for all of these at this moment?
    pub(super) fn may_sign(&self, names: &[Name], now: OffsetDateTime) -> Result<(), Problem> {
        let anew = "make a new one with --new-ca, and let clients trust that";
        if now >= self.not_after {
            let until = rfc3339(self.not_after);
            return Err(format!("the authority expired at {until}; {anew}").into());
        }
        let covered = |name: &&Name| self.permitted.iter().any(|permitted| permitted.covers(name));
        let Some(name) = names.iter().find(|name| !covered(name)) else {
            return Ok(());
        };
        let permitted: Vec<String> = self.permitted.iter().map(ToString::to_string).collect();
        let permitted = permitted.join(", ");
        Err(format!("the authority was made for {permitted}, and cannot sign for {name}; {anew}").into())
    }

    pub(super) fn permitted(&self) -> &[Permitted] {
        &self.permitted
    }

    pub(super) fn not_after(&self) -> OffsetDateTime {
        self.not_after
    }

    pub(super) fn issuer(&self) -> &Issuer<'static, KeyPair> {
        &self.issuer
    }

    /// Has it signed this certificate?
    pub(super) fn has_signed(&self, certificate: &X509Certificate<'_>) -> bool {
        let parsed = X509Certificate::from_der(&self.der);
        parsed.is_ok_and(|(_, own)| certificate.verify_signature(Some(own.public_key())).is_ok())
    }
}

/// A number that no other certificate has.
pub(super) fn serial() -> Result<SerialNumber, getrandom::Error> {
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes)?;
    // Positive and of full length: <https://www.rfc-editor.org/rfc/rfc5280#section-4.1.2.2>
    bytes = (u128::from_be_bytes(bytes) >> 1 | 1 << 126).to_be_bytes();
    Ok(SerialNumber::from_slice(&bytes))
}
