//! The certificates in force. Each handshake takes what is there at its moment; whoever renews them swaps all of them at once.

use std::{
    fmt,
    sync::{
        Arc, Mutex, PoisonError,
        mpsc::{Sender, channel},
    },
};

use arc_swap::ArcSwap;
use rustls::{
    server::{ClientHello, ResolvesServerCert},
    sign::CertifiedKey,
};
use time::OffsetDateTime;

use crate::clock::Clock;

use super::{
    super::{ServerError, TlsSettings},
    pair::Pair,
    renewal::{Notice, Renewal, Source, rfc3339},
    shown::Shown,
};

/// From so many days before a certificate's last one the log warns of it.
pub(super) const SOON: i64 = 14;

/// A handle on the certificates of the public listener. A copy is another handle on the same.
#[derive(Clone)]
pub struct Certificates {
    pub(super) state: Arc<State>,
    notices: Sender<Notice>,
    clock: Clock,
}

/// What handshakes, renewal and operators share.
pub(super) struct State {
    pub(super) shown: ArcSwap<Shown>,
    pub(super) renewing: Mutex<Renewing>,
}

/// How renewing goes.
#[derive(Clone, Default)]
pub(super) struct Renewing {
    /// What is wrong with the files as they stand now.
    pub(super) problems: Vec<String>,
    /// How often files were not taken since the start.
    pub(super) failures: u64,
}

/// What is known of the certificates at one moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CertificateStatus {
    /// What is wrong with the files as they stand now, or with what is in force.
    pub problem: Option<String>,
    /// How often changed files were not taken since the start.
    pub reload_failures: u64,
    /// Those in force, in the order of the settings.
    pub in_force: Vec<InForce>,
}

/// One certificate that clients are shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InForce {
    /// Its first name.
    pub name: String,
    /// The last moment at which it is valid.
    pub not_after: OffsetDateTime,
}

impl Certificates {
    /// Reads all files; the renewal begins where it is started.
    pub(super) fn load(settings: &TlsSettings, clock: Clock) -> Result<(Self, Renewal), ServerError> {
        let (mut sources, mut pairs) = (Vec::new(), Vec::new());
        for (setting, files) in settings.pairs() {
            let (source, pair) = Source::read(files, setting)?;
            sources.push(source);
            pairs.push(Arc::new(pair));
        }
        let (notices, inbox) = channel();
        let state = Arc::new(State {
            shown: ArcSwap::from_pointee(Shown::new(pairs)),
            renewing: Mutex::default(),
        });
        let certificates = Self {
            state: state.clone(),
            notices: notices.clone(),
            clock: clock.clone(),
        };
        Ok((
            certificates,
            Renewal::new(sources, state, clock, (notices, inbox)),
        ))
    }

    /// What rustls asks at each handshake.
    pub(super) fn resolver(&self) -> Arc<dyn ResolvesServerCert> {
        Arc::new(Resolver(self.state.clone()))
    }

    /// Reads the files again, whatever they look like from outside. Returns at once.
    pub fn reload_now(&self) {
        // Where nobody listens, the listener has ended.
        _ = self.notices.send(Notice::ReloadNow);
    }

    /// How they stand.
    pub fn status(&self) -> CertificateStatus {
        let renewing = self
            .state
            .renewing
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone();
        let now = self.clock.now();
        let shown = self.state.shown.load();
        let invalid = shown.pairs().iter().filter(|pair| !pair.is_valid_at(now));
        let problems: Vec<String> = renewing
            .problems
            .into_iter()
            .chain(invalid.filter_map(|pair| remark(pair, now)))
            .collect();
        CertificateStatus {
            problem: (!problems.is_empty()).then(|| problems.join("; ")),
            reload_failures: renewing.failures,
            in_force: shown
                .pairs()
                .iter()
                .map(|pair| InForce {
                    name: pair.name.clone(),
                    not_after: pair.not_after,
                })
                .collect(),
        }
    }

    /// What to know of those in force: which have expired, or soon will have.
    pub(super) fn remarks(&self) -> Vec<String> {
        let now = self.clock.now();
        let shown = self.state.shown.load();
        shown
            .pairs()
            .iter()
            .filter_map(|pair| remark(pair, now))
            .collect()
    }
}

/// What an operator must know of a certificate at this moment, and do about it.
pub(super) fn remark(pair: &Pair, now: OffsetDateTime) -> Option<String> {
    let (name, until) = (&pair.name, rfc3339(pair.not_after));
    if now < pair.not_before {
        let from = rfc3339(pair.not_before);
        return Some(format!(
            "the certificate for {name} is not valid before {from}: clients refuse it; is the clock right?"
        ));
    }
    match pair.days_left(now) {
        days if days < 0 => Some(format!(
            "the certificate for {name} expired at {until}: clients refuse it; renew its files, they are taken without a restart"
        )),
        days if days < SOON => Some(format!(
            "the certificate for {name} expires in {days} days, at {until}; renew its files, they are taken without a restart"
        )),
        _ => None,
    }
}

struct Resolver(Arc<State>);

impl ResolvesServerCert for Resolver {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        let shown = self.0.shown.load();
        shown
            .choose(hello.server_name())
            .map(|pair| pair.certified.clone())
    }
}

impl fmt::Debug for Resolver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Resolver")
    }
}
