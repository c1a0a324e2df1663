//! Other keys: the right secret, damaged on its way into the client's configuration; another signer's; one for another day or region.

use percent_encoding::percent_decode_str;
use time::{Date, Duration, Month};
use zeroize::Zeroizing;

use super::OtherKey;
use crate::{
    explain::{Cause, Explainer},
    policy::Key,
    sigv4::{TrialScope, trial_key},
};

/// Of so many other keys the secrets are tried.
const MOST_OTHERS: usize = 1_000;

/// How a secret is damaged, and how to damage it likewise.
type Damage = (&'static str, fn(&str) -> String);

const DAMAGES: &[Damage] = &[
    ("with a line end behind it", |secret| format!("{secret}\n")),
    ("with a line end (\\r\\n) behind it", |secret| {
        format!("{secret}\r\n")
    }),
    ("with a space behind it", |secret| format!("{secret} ")),
    ("with a space in front of it", |secret| format!(" {secret}")),
    ("with spaces around it", |secret| format!(" {secret} ")),
    ("in double quotes", |secret| format!("\"{secret}\"")),
    ("in single quotes", |secret| format!("'{secret}'")),
    ("with a carriage return behind it", |secret| format!("{secret}\r")),
    ("with a tab behind it", |secret| format!("{secret}\t")),
    ("with a comma behind it", |secret| format!("{secret},")),
    ("with a semicolon behind it", |secret| format!("{secret};")),
    ("with its / and + percent-encoded", |secret| {
        secret.replace('/', "%2F").replace('+', "%2B").replace('=', "%3D")
    }),
    ("with its / percent-encoded", |secret| secret.replace('/', "%2F")),
    ("with its + percent-encoded", |secret| secret.replace('+', "%2B")),
    ("with its + taken for spaces", |secret| secret.replace('+', " ")),
    ("percent-decoded once too often", |secret| {
        percent_decode_str(secret).decode_utf8_lossy().into_owned()
    }),
    ("with its / escaped as \\/", |secret| secret.replace('/', "\\/")),
    ("cut at its #", |secret| {
        secret.split('#').next().unwrap_or(secret).to_owned()
    }),
    ("cut at its $", |secret| {
        secret.split('$').next().unwrap_or(secret).to_owned()
    }),
    ("in lower case", str::to_lowercase),
    ("in upper case", str::to_uppercase),
    ("without its last character", |secret| {
        let mut secret = secret.to_owned();
        secret.pop();
        secret
    }),
    ("without its first character", |secret| {
        secret.chars().skip(1).collect()
    }),
    ("empty", |_| String::new()),
];

/// Every other key to try, the likeliest first.
pub(in crate::explain) fn keys(
    explainer: &Explainer<'_>,
    key: &Key<'_>,
    scope: &TrialScope,
    most: usize,
) -> Vec<OtherKey> {
    let secret = key.secret_access_key().expose();
    let mut found = Vec::with_capacity(64);
    let mut other = |cause: Cause, start: &Zeroizing<String>, derived_for: &TrialScope| {
        let key = trial_key(start.as_bytes(), derived_for);
        // The string to sign names the scope too: as the credential does, or as the key was derived.
        for scope in [scope, derived_for] {
            found.push(OtherKey {
                cause: cause.clone(),
                key: key.clone(),
                scope: scope.clone(),
            });
            if scope == derived_for {
                break;
            }
        }
    };
    let start = |secret: &str| Zeroizing::new(format!("AWS4{secret}"));
    for (how, damage) in DAMAGES {
        let damaged = Zeroizing::new(damage(secret));
        if *damaged != secret {
            other(Cause::SecretDamaged { how }, &start(&damaged), scope);
        }
    }
    let id = key.access_key_id().as_str();
    other(
        Cause::SecretDamaged {
            how: "in place of which the access key id was used",
        },
        &start(id),
        scope,
    );
    other(Cause::SecretPrefix, &Zeroizing::new(secret.to_owned()), scope);
    for scope in other_scopes(explainer, scope) {
        let cause = Cause::KeyScope {
            date: scope.date.clone(),
            region: scope.region.clone(),
        };
        other(cause, &start(secret), &scope);
    }
    let others = explainer
        .snapshot
        .signers()
        .flat_map(|signer| explainer.snapshot.keys_of(signer));
    for third in others
        .filter(|third| third.access_key_id() != key.access_key_id())
        .take(MOST_OTHERS.min(most))
    {
        let cause = Cause::OtherSecret {
            signer: third.signer().name().to_owned(),
        };
        other(cause, &start(third.secret_access_key().expose()), scope);
    }
    found
}

fn other_scopes(explainer: &Explainer<'_>, scope: &TrialScope) -> Vec<TrialScope> {
    let mut scopes = Vec::new();
    for days in [-1, 1] {
        if let Some(date) = shifted(&scope.date, days) {
            scopes.push(TrialScope {
                date,
                region: scope.region.clone(),
            });
        }
    }
    let configured = explainer.settings.regions.iter().map(|region| region.as_str());
    for region in configured.chain([
        "us-east-1",
        "us-west-2",
        "eu-west-1",
        "eu-central-1",
        "auto",
        "default",
        "",
        "local",
        "minio",
    ]) {
        if region != scope.region {
            scopes.push(TrialScope {
                date: scope.date.clone(),
                region: region.to_owned(),
            });
        }
    }
    scopes
}

/// `yyyyMMdd`, so many days later.
fn shifted(date: &str, days: i64) -> Option<String> {
    let number = |range: std::ops::Range<usize>| date.get(range)?.parse::<u16>().ok();
    let month = Month::try_from(u8::try_from(number(4..6)?).ok()?).ok()?;
    let day = u8::try_from(number(6..8)?).ok()?;
    let date = Date::from_calendar_date(i32::from(number(0..4)?), month, day).ok()?;
    let date = date.checked_add(Duration::days(days))?;
    Some(format!(
        "{:04}{:02}{:02}",
        date.year(),
        u8::from(date.month()),
        date.day()
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_shift_over_the_ends_of_years() {
        assert_eq!(shifted("20261231", 1).as_deref(), Some("20270101"));
        assert_eq!(shifted("20240301", -1).as_deref(), Some("20240229"));
        assert_eq!(shifted("2024", 1), None);
    }
}
