//! Conditions held against requests: IAM's rules, row by row.

use super::{
    super::testing::{decide_in, snapshot},
    *,
};
use crate::policy::{Decision, PolicyFile};

const HEAD: &str = "[[signer]]\nname = \"alice\"\naccess_key_id = \"A\"\nsecret_access_key = \"x\"\n\
    [[signer.statement]]\nEffect = \"Allow\"\nAction = \"*\"\nResource = \"*\"\n";

/// `aws:SourceIp=203.0.113.7 …`
fn context(given: &str) -> GivenContext {
    let mut context = GivenContext::default();
    for pair in given.split(' ').filter(|pair| !pair.is_empty()) {
        let (key, value) = pair.split_once('=').unwrap();
        context.add(ConditionKey::parse(key).unwrap(), value.to_owned());
    }
    context
}

fn holds(condition: &str, given: &str) -> bool {
    let policy = format!("{HEAD}Condition = {{ {condition} }}\n");
    let decision = decide_in(
        &snapshot(&policy),
        "alice",
        "s3:GetObject",
        "arn:aws:s3:::bkt/k",
        &context(given),
    );
    decision != Decision::Undecided && decision.is_allowed()
}

#[test]
fn every_operator_compares_as_iam_says() {
    for (condition, given, expected) in [
        ("StringEquals = { 's3:prefix' = 'a*' }", "s3:prefix=a*", true),
        ("StringEquals = { 's3:prefix' = 'a*' }", "s3:prefix=ab", false),
        ("StringEquals = { 's3:prefix' = 'a' }", "s3:prefix=A", false),
        (
            "StringEquals = { 's3:prefix' = ['', 'home/'] }",
            "s3:prefix=",
            true,
        ),
        (
            "StringEquals = { 's3:prefix' = ['', 'home/'] }",
            "s3:prefix=home/",
            true,
        ),
        ("StringEquals = { 's3:prefix' = ['', 'home/'] }", "", false),
        (
            "StringNotEquals = { 's3:prefix' = ['a', 'b'] }",
            "s3:prefix=b",
            false,
        ),
        (
            "StringNotEquals = { 's3:prefix' = ['a', 'b'] }",
            "s3:prefix=c",
            true,
        ),
        ("StringNotEquals = { 's3:prefix' = 'a' }", "", true),
        (
            "StringEqualsIgnoreCase = { 's3:prefix' = 'Été' }",
            "s3:prefix=éTÉ",
            true,
        ),
        (
            "StringEqualsIgnoreCase = { 's3:prefix' = 'ΟΔΟΣ' }",
            "s3:prefix=οδος",
            true,
        ),
        (
            "StringEqualsIgnoreCase = { 's3:prefix' = 'ΟΔΟΣ/${aws:username}' }",
            "s3:prefix=οδοσ/Σς aws:username=σΣ",
            true,
        ),
        (
            "StringNotEqualsIgnoreCase = { 's3:prefix' = 'A' }",
            "s3:prefix=a",
            false,
        ),
        (
            "StringLike = { 's3:prefix' = 'home/?/*' }",
            "s3:prefix=home/x/y",
            true,
        ),
        ("StringLike = { 's3:prefix' = 'home/*' }", "s3:prefix=home", false),
        (
            "StringNotLike = { 's3:prefix' = 'home/*' }",
            "s3:prefix=home/x",
            false,
        ),
        (
            "StringLike = { 's3:prefix' = 'home/${aws:username}/*' }",
            "s3:prefix=home/al/x aws:username=al",
            true,
        ),
        (
            "StringLike = { 's3:prefix' = 'home/${aws:username}/*' }",
            "s3:prefix=home/bo/x aws:username=al",
            false,
        ),
        (
            "StringLike = { 's3:prefix' = 'home/${aws:username}/*' }",
            "s3:prefix=home/x/x aws:username=*",
            false,
        ),
        ("NumericEquals = { 's3:max-keys' = 10 }", "s3:max-keys=10", true),
        (
            "NumericEquals = { 's3:max-keys' = '10' }",
            "s3:max-keys=10.0",
            true,
        ),
        (
            "NumericNotEquals = { 's3:max-keys' = 10 }",
            "s3:max-keys=11",
            true,
        ),
        (
            "NumericLessThan = { 's3:signatureAge' = 600000 }",
            "s3:signatureAge=599999",
            true,
        ),
        (
            "NumericLessThan = { 's3:signatureAge' = 600000 }",
            "s3:signatureAge=600000",
            false,
        ),
        (
            "NumericLessThanEquals = { 's3:max-keys' = 10 }",
            "s3:max-keys=10",
            true,
        ),
        (
            "NumericGreaterThan = { 's3:max-keys' = 10 }",
            "s3:max-keys=10",
            false,
        ),
        (
            "NumericGreaterThanEquals = { 's3:max-keys' = 10 }",
            "s3:max-keys=10",
            true,
        ),
        (
            "NumericGreaterThan = { 's3:max-keys' = 10 }",
            "s3:max-keys=many",
            false,
        ),
        (
            "NumericLessThan = { 's3:TlsVersion' = 1.2 }",
            "s3:TlsVersion=1.2",
            false,
        ),
        (
            "NumericLessThan = { 'aws:EpochTime' = 2000000000 }",
            "aws:EpochTime=1999999999",
            true,
        ),
        (
            "DateGreaterThan = { 'aws:CurrentTime' = 2026-11-24T12:00:00Z }",
            "aws:CurrentTime=2026-11-24T12:00:01Z",
            true,
        ),
        (
            "DateLessThan = { 'aws:CurrentTime' = '2026-11-24T13:00:00+01:00' }",
            "aws:CurrentTime=2026-11-24T11:59:59Z",
            true,
        ),
        (
            "DateLessThan = { 'aws:CurrentTime' = '2026-11-24' }",
            "aws:CurrentTime=2026-11-24T00:00:00Z",
            false,
        ),
        (
            "DateLessThanEquals = { 'aws:CurrentTime' = '1764000000' }",
            "aws:CurrentTime=2025-11-24T16:00:00Z",
            true,
        ),
        (
            "DateEquals = { 'aws:EpochTime' = '2025-11-24T16:00:00Z' }",
            "aws:EpochTime=1764000000",
            true,
        ),
        (
            "DateNotEquals = { 'aws:EpochTime' = 1 }",
            "aws:EpochTime=1",
            false,
        ),
        (
            "DateGreaterThanEquals = { 'aws:EpochTime' = 1 }",
            "aws:EpochTime=x",
            false,
        ),
        (
            "Bool = { 'aws:SecureTransport' = true }",
            "aws:SecureTransport=true",
            true,
        ),
        (
            "Bool = { 'aws:SecureTransport' = 'False' }",
            "aws:SecureTransport=false",
            true,
        ),
        ("Bool = { 'aws:SecureTransport' = true }", "", false),
        (
            "IpAddress = { 'aws:SourceIp' = '203.0.113.0/24' }",
            "aws:SourceIp=203.0.113.255",
            true,
        ),
        (
            "IpAddress = { 'aws:SourceIp' = '203.0.113.0/24' }",
            "aws:SourceIp=203.0.114.0",
            false,
        ),
        (
            "IpAddress = { 'aws:SourceIp' = '203.0.113.7' }",
            "aws:SourceIp=203.0.113.7",
            true,
        ),
        (
            "IpAddress = { 'aws:SourceIp' = '203.0.113.7' }",
            "aws:SourceIp=::ffff:203.0.113.7",
            true,
        ),
        (
            "IpAddress = { 'aws:SourceIp' = ['10.0.0.0/8', '2001:DB8:1234:5678::/64'] }",
            "aws:SourceIp=2001:db8:1234:5678::1",
            true,
        ),
        (
            "IpAddress = { 'aws:SourceIp' = '::ffff:127.0.0.0/104' }",
            "aws:SourceIp=127.1.2.3",
            true,
        ),
        (
            "IpAddress = { 'aws:SourceIp' = '::ffff:127.0.0.0/104' }",
            "aws:SourceIp=128.0.0.1",
            false,
        ),
        (
            "NotIpAddress = { 'aws:SourceIp' = '::ffff:127.0.0.1' }",
            "aws:SourceIp=127.0.0.1",
            false,
        ),
        (
            "NotIpAddress = { 'aws:SourceIp' = ['10.0.0.0/8', '192.168.0.0/16'] }",
            "aws:SourceIp=10.1.1.1",
            false,
        ),
        (
            "NotIpAddress = { 'aws:SourceIp' = '10.0.0.0/8' }",
            "aws:SourceIp=11.1.1.1",
            true,
        ),
        (
            "ArnLike = { 'aws:PrincipalArn' = 'arn:aws:iam::*:user/a*' }",
            "aws:PrincipalArn=arn:aws:iam::000000000000:user/alice",
            true,
        ),
        (
            "ArnEquals = { 'aws:PrincipalArn' = 'arn:*:iam::0*0:user/${aws:username}' }",
            "aws:PrincipalArn=arn:aws:iam::000:user/al aws:username=al",
            true,
        ),
        (
            "ArnLike = { 'aws:PrincipalArn' = 'arn:*:user/a:b:c:d' }",
            "aws:PrincipalArn=arn:aws:iam::000:user/al",
            false,
        ),
        (
            "ArnNotLike = { 'aws:PrincipalArn' = 'arn:aws:iam::*:user/a*' }",
            "aws:PrincipalArn=arn:aws:iam::0:user/bob",
            true,
        ),
        (
            "ArnNotEquals = { 'aws:PrincipalArn' = 'arn:aws:iam::*:user/a*' }",
            "",
            true,
        ),
        ("Null = { 'aws:Referer' = true }", "", true),
        ("Null = { 'aws:Referer' = true }", "aws:Referer=x", false),
        ("Null = { 'aws:Referer' = false }", "aws:Referer=", true),
        (
            "StringEquals = { 's3:ExistingObjectTag/Class' = 'open' }",
            "s3:ExistingObjectTag/Class=open",
            true,
        ),
        (
            "StringEquals = { 's3:ExistingObjectTag/ΟΔΟΣ' = 'open' }",
            "s3:ExistingObjectTag/ΟΔΟΣ=open",
            true,
        ),
        (
            "NumericLessThan = { 's3:ExistingObjectTag/level' = 3 }",
            "s3:ExistingObjectTag/level=2",
            true,
        ),
        (
            "DateLessThan = { 's3:ExistingObjectTag/until' = '2026-11-24' }",
            "s3:ExistingObjectTag/until=2025",
            false,
        ),
        (
            "DateLessThan = { 's3:ExistingObjectTag/until' = '2026-11-24' }",
            "s3:ExistingObjectTag/until=20251124",
            false,
        ),
    ] {
        assert_eq!(holds(condition, given), expected, "{condition} of {given}");
    }
}

#[test]
fn all_operators_and_keys_must_hold_and_if_exists_forgives_what_is_not_there() {
    for (condition, given, expected) in [
        (
            "Bool = { 'aws:SecureTransport' = true }, IpAddress = { 'aws:SourceIp' = '10.0.0.0/8' }",
            "aws:SecureTransport=true aws:SourceIp=10.1.1.1",
            true,
        ),
        (
            "Bool = { 'aws:SecureTransport' = true }, IpAddress = { 'aws:SourceIp' = '10.0.0.0/8' }",
            "aws:SecureTransport=false aws:SourceIp=10.1.1.1",
            false,
        ),
        (
            "StringEquals = { 's3:prefix' = 'a', 's3:delimiter' = '/' }",
            "s3:prefix=a s3:delimiter=/",
            true,
        ),
        (
            "StringEquals = { 's3:prefix' = 'a', 's3:delimiter' = '/' }",
            "s3:prefix=a",
            false,
        ),
        ("StringEqualsIfExists = { 's3:prefix' = 'a' }", "", true),
        (
            "StringEqualsIfExists = { 's3:prefix' = 'a' }",
            "s3:prefix=b",
            false,
        ),
        ("NumericLessThanIfExists = { 's3:TlsVersion' = 1.2 }", "", true),
        (
            "BoolIfExists = { 'aws:SecureTransport' = false }",
            "aws:SecureTransport=true",
            false,
        ),
    ] {
        assert_eq!(holds(condition, given), expected, "{condition} of {given}");
    }
}

/// <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_condition-single-vs-multi-valued-context-keys.html>
#[test]
fn of_several_values_any_or_all_must_hold() {
    const ONE: &str = "s3:RequestObjectTagKeys=environment";
    const BOTH: &str = "s3:RequestObjectTagKeys=environment s3:RequestObjectTagKeys=webserver";
    const OTHER: &str = "s3:RequestObjectTagKeys=environment s3:RequestObjectTagKeys=costcenter";
    for (operator, given, expected) in [
        ("ForAllValues:StringEquals", ONE, true),
        ("ForAllValues:StringEquals", BOTH, true),
        ("ForAllValues:StringEquals", OTHER, false),
        ("ForAllValues:StringEquals", "", true),
        ("ForAnyValue:StringEquals", OTHER, true),
        ("ForAnyValue:StringEquals", "s3:RequestObjectTagKeys=x", false),
        ("ForAnyValue:StringEquals", "", false),
        ("ForAnyValue:StringEqualsIfExists", "", false),
        ("ForAnyValue:StringNotEqualsIfExists", "", false),
        ("ForAllValues:StringEqualsIfExists", "", true),
        ("ForAllValues:StringNotEquals", "s3:RequestObjectTagKeys=x", true),
        ("ForAllValues:StringNotEquals", OTHER, false),
        ("ForAllValues:StringNotEquals", "", true),
        ("ForAnyValue:StringNotEquals", OTHER, true),
        ("ForAnyValue:StringNotEquals", BOTH, false),
        ("ForAnyValue:StringNotEquals", "", false),
    ] {
        let condition =
            format!("'{operator}' = {{ 's3:RequestObjectTagKeys' = ['environment', 'webserver'] }}");
        assert_eq!(holds(&condition, given), expected, "{operator} of {given}");
    }
    assert!(holds("Null = { 's3:RequestObjectTagKeys' = true }", ""));
}

#[test]
fn what_is_not_known_yet_decides_only_where_it_matters() {
    struct Unopened;
    impl Context for Unopened {
        fn fact(&self, key: &ConditionKey) -> Fact<'_> {
            match key {
                ConditionKey::ExistingObjectTag(_) => Fact::Unknown,
                _ => Fact::Absent,
            }
        }
    }
    let tagged = "Condition = { StringEquals = { 's3:ExistingObjectTag/a' = 'b' } }\n";
    let never = "Condition = { StringEquals = { 's3:ExistingObjectTag/a' = 'b', 's3:prefix' = 'x' } }\n";
    let deny = "[[signer.statement]]\nEffect = \"Deny\"\nAction = \"*\"\nResource = \"*\"\n";
    let bucket = crate::types::BucketName::parse("bkt").unwrap();
    let decide = |text: &str| {
        let snapshot = snapshot(text);
        let signer = snapshot.signer("alice").unwrap();
        let (action, resource) = (
            crate::types::Action::ListBucket,
            crate::types::Resource::Bucket(&bucket),
        );
        snapshot.evaluate(signer, action, resource, &Unopened)
    };
    let undecided = |text: &str| decide(text) == Decision::Undecided;
    assert!(undecided(&format!("{HEAD}{tagged}")));
    assert!(undecided(&format!("{HEAD}{deny}{tagged}")));
    assert!(!undecided(&format!("{HEAD}{never}")) && !decide(&format!("{HEAD}{never}")).is_allowed());
    assert!(decide(&format!("{HEAD}{deny}{never}")).is_allowed());
    assert!(!undecided(&format!("{HEAD}{tagged}{deny}")));
}

#[test]
fn what_could_never_hold_is_an_error_at_load() {
    for condition in [
        "",
        "StringEqual = { 's3:prefix' = 'a' }",
        "StringEquals = { 's3:prefixes' = 'a' }",
        "StringEquals = { 'aws:MultiFactorAuthAge' = '1' }",
        "StringEquals = { 's3:prefix' = [] }",
        "StringEquals = { 's3:prefix' = ['a', ['b']] }",
        "StringEquals = { 's3:prefix' = { a = 'b' } }",
        "StringEquals = 'a'",
        "StringEquals = { 's3:RequestObjectTagKeys' = 'a' }",
        "StringLike = { 's3:prefix' = '${aws:usrname}' }",
        "StringLike = { 's3:prefix' = '${' }",
        "NumericEquals = { 's3:max-keys' = 'ten' }",
        "NumericEquals = { 's3:max-keys' = 'inf' }",
        "NumericEquals = { 's3:max-keys' = true }",
        "NumericEquals = { 's3:prefix' = 1 }",
        "DateLessThan = { 'aws:CurrentTime' = 'tomorrow' }",
        "DateLessThan = { 'aws:CurrentTime' = 2026-11-24T12:00:00 }",
        "DateLessThan = { 'aws:CurrentTime' = 2026 }",
        "DateLessThan = { 'aws:CurrentTime' = '20261124' }",
        "DateGreaterThan = { 's3:ExistingObjectTag/until' = '2026' }",
        "NumericLessThan = { 'aws:EpochTime' = 2026 }",
        "NumericLessThan = { 'aws:EpochTime' = '+2026' }",
        "NumericLessThan = { 'aws:EpochTime' = '2026.0' }",
        "NumericLessThan = { 'aws:EpochTime' = '2.026e3' }",
        "NumericLessThan = { 'aws:EpochTime' = '20261124.0' }",
        "DateLessThan = { 'aws:CurrentTime' = '+2026' }",
        "DateLessThan = { 'aws:CurrentTime' = '2026.0' }",
        "DateLessThan = { 'aws:CurrentTime' = '+20261124' }",
        "DateLessThan = { 'aws:username' = '2026-11-24' }",
        "Bool = { 'aws:SecureTransport' = 'yes' }",
        "Bool = { 'aws:SourceIp' = 'true' }",
        "IpAddress = { 'aws:SourceIp' = '203.0.113.0/33' }",
        "IpAddress = { 'aws:SourceIp' = '203.0.113.*' }",
        "IpAddress = { 'aws:SourceIp' = '010.0.0.0/8' }",
        "IpAddress = { 'aws:SourceIp' = '010.0.0.1' }",
        "IpAddress = { 'aws:SourceIp' = '10.0.0.0/08' }",
        "IpAddress = { 'aws:username' = '203.0.113.7' }",
        "ArnLike = { 'aws:PrincipalArn' = 'arn:aws' }",
        "ArnLike = { 'aws:username' = 'arn:aws:iam::*:user/alice' }",
        "Null = { 'aws:Referer' = 'maybe' }",
        "NullIfExists = { 'aws:Referer' = true }",
    ] {
        let text = format!("{HEAD}Condition = {{ {condition} }}\n");
        assert!(PolicyFile::parse(&text, "policy.toml").is_err(), "{condition}");
    }
}
