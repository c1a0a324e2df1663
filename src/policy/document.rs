//! The policy file. In goes the text of `policy.toml`; out come signers, their keys and statements, and what the file refers to. All that
//! the text alone can show to be wrong is an error here, with its line. The whole of it is ours, so there is no AWS to be stricter than;
//! inside a statement see [`statement`](super::statement).

use std::{collections::HashMap, path::PathBuf, sync::Arc};

use crate::types::{AccessKeyId, LinkId, SecretKey};

use super::{
    error::{Location, PolicyError, Problem},
    evaluate::Owner,
    reference::Reference,
    revocation::{RevokedLink, RevokedLinks, SignerRevocation},
    statement::{Statement, Version, parse_all},
    tree::{Source, Table, Text, parse_toml},
    warning::PolicyWarning,
    words::nearest,
};

/// The most bytes that a policy file or a policy document may have.
pub const MAX_POLICY_BYTES: usize = 16 << 20;

/// A policy file, read but not yet joined with what it refers to. It holds secrets, so it cannot be printed.
pub struct PolicyFile {
    pub(super) signers: Vec<SignerEntry>,
    pub(super) policies: Policies,
    pub(super) everyone: Arc<[Statement]>,
    pub(super) revoked_links: RevokedLinks,
    pub(super) warnings: Vec<PolicyWarning>,
}

pub(super) struct SignerEntry {
    pub(super) name: Arc<str>,
    pub(super) keys: Vec<KeyEntry>,
    pub(super) statements: Arc<[Statement]>,
    /// Indices of shared policies.
    pub(super) policies: Vec<usize>,
    pub(super) documents: Vec<(PathBuf, Location)>,
    pub(super) revocation: SignerRevocation,
}

pub(super) struct KeyEntry {
    pub(super) id: AccessKeyId,
    pub(super) secret: Secret,
    /// Where it says that the key is revoked.
    pub(super) revoked: Option<Location>,
}

pub(super) enum Secret {
    Inline(SecretKey),
    Elsewhere(Reference, Location),
}

const SECRET_FIELDS: [&str; 3] = [
    "secret_access_key",
    "secret_access_key_file",
    "secret_access_key_env",
];
/// Fields of a key that a signer of one key has itself.
const INLINE_KEY_FIELDS: [&str; 4] = [
    "access_key_id",
    "secret_access_key",
    "secret_access_key_file",
    "secret_access_key_env",
];
const KEY_FIELDS: &[&str] = &[
    "access_key_id",
    "secret_access_key",
    "secret_access_key_file",
    "secret_access_key_env",
    "revoked",
];
const SIGNER_FIELDS: &[&str] = &[
    "name",
    "access_key_id",
    "secret_access_key",
    "secret_access_key_file",
    "secret_access_key_env",
    "key",
    "statement",
    "policies",
    "policy_documents",
    "revoked",
    "signed_before",
];

impl PolicyFile {
    /// Reads the text of a policy file; `file_name` is what errors and decisions call it.
    ///
    /// # Errors
    /// The first thing wrong with it, with its place. Neither a line nor a value that may be a secret is quoted.
    pub fn parse(text: &str, file_name: &str) -> Result<Self, PolicyError> {
        if text.len() > MAX_POLICY_BYTES {
            return Err(Source::new(file_name, "").error(0, Problem::TooLarge));
        }
        let source = Source::new(file_name, text);
        let mut file = parse_toml(&source)?;
        file.knows(
            &source,
            "a policy file",
            &["signer", "policy", "statement", "revoked_url"],
        )?;
        let mut reading = Reading {
            source: &source,
            warnings: Vec::new(),
        };
        let (names, policies) = reading.policies(&mut file)?;
        let signers = reading.signers(&mut file, &names)?;
        let revoked_links = reading.revoked_links(&mut file)?;
        let everyone = reading.statements(&mut file, "[[statement]] tables", &Owner::Everyone)?;
        Ok(Self {
            signers,
            policies,
            everyone,
            revoked_links,
            warnings: reading.warnings,
        })
    }

    /// What the file refers to, in its order and each once: what [`compile`](Self::compile) needs to be given.
    pub fn references(&self) -> Vec<Reference> {
        let mut references: Vec<Reference> = Vec::new();
        let mut seen = std::collections::HashSet::new();
        let mut add = |reference: Reference| {
            if seen.insert(reference.clone()) {
                references.push(reference);
            }
        };
        for signer in &self.signers {
            for key in &signer.keys {
                match &key.secret {
                    Secret::Inline(_) => {}
                    Secret::Elsewhere(reference, _) => add(reference.clone()),
                }
            }
            signer
                .documents
                .iter()
                .for_each(|(path, _)| add(Reference::Document(path.clone())));
        }
        references
    }
}

/// One pass over a file, and the warnings on the way.
struct Reading<'s, 't> {
    source: &'s Source<'t>,
    warnings: Vec<PolicyWarning>,
}

type PolicyNames = HashMap<Arc<str>, (usize, Location)>;
type Policies = Vec<Arc<[Statement]>>;

impl Reading<'_, '_> {
    fn policies(&mut self, file: &mut Table) -> Result<(PolicyNames, Policies), PolicyError> {
        let mut names = PolicyNames::new();
        let mut policies = Vec::new();
        for mut table in self.tables(file, "policy", "[[policy]] tables")? {
            table.knows(self.source, "a policy", &["name", "statement"])?;
            let (name, at) = self.name(&mut table, "this policy")?;
            if let Some((_, first)) = names.get(&name) {
                return Err(self.repeated("policy", &name, at, first));
            }
            let statements = self.statements(
                &mut table,
                "[[policy.statement]] tables",
                &Owner::Policy(name.clone()),
            )?;
            names.insert(name, (policies.len(), self.source.location(at)));
            policies.push(statements);
        }
        Ok((names, policies))
    }

    fn signers(&mut self, file: &mut Table, policies: &PolicyNames) -> Result<Vec<SignerEntry>, PolicyError> {
        if file.at("signer").is_none() {
            return Err(self.source.error(0, Problem::NoSigner));
        }
        let mut names = HashMap::new();
        let mut ids = HashMap::new();
        let mut signers = Vec::new();
        for mut table in self.tables(file, "signer", "[[signer]] tables")? {
            table.knows(self.source, "a signer", SIGNER_FIELDS)?;
            let (name, at) = self.name(&mut table, "this signer")?;
            if let Some(first) = names.insert(name.clone(), self.source.location(at)) {
                return Err(self.repeated("signer", &name, at, &first));
            }
            let revocation = self.revocation(&mut table)?;
            signers.push(SignerEntry {
                revocation,
                keys: self.keys(&mut table, &mut ids)?,
                statements: self.statements(
                    &mut table,
                    "[[signer.statement]] tables",
                    &Owner::Signer(name.clone()),
                )?,
                policies: self.shared(&mut table, policies)?,
                documents: self.documents(&mut table)?,
                name,
            });
        }
        Ok(signers)
    }

    fn keys(
        &self,
        signer: &mut Table,
        ids: &mut HashMap<AccessKeyId, Location>,
    ) -> Result<Vec<KeyEntry>, PolicyError> {
        let inline = INLINE_KEY_FIELDS
            .into_iter()
            .find(|field| signer.at(field).is_some());
        let Some(at) = signer.at("key") else {
            return Ok(vec![self.key(signer, "this signer", ids, None)?]);
        };
        if let Some(first) = inline {
            return Err(self.source.error(at, Problem::Both { first, second: "key" }));
        }
        let tables = self.tables(signer, "key", "[[signer.key]] tables")?;
        if tables.is_empty() {
            let remedy = "a signer has one key or more";
            return Err(self
                .source
                .error(at, Problem::EmptyValue { field: "key", remedy }));
        }
        let key = |mut table: Table| {
            table.knows(self.source, "a key", KEY_FIELDS)?;
            let revoked = self.revoked(&mut table)?;
            self.key(&mut table, "this key", ids, revoked)
        };
        tables.into_iter().map(key).collect()
    }

    fn key(
        &self,
        table: &mut Table,
        place: &'static str,
        ids: &mut HashMap<AccessKeyId, Location>,
        revoked: Option<Location>,
    ) -> Result<KeyEntry, PolicyError> {
        let source = self.source;
        let text = table
            .require(source, "access_key_id", place)?
            .text(source, "access_key_id")?;
        let id =
            AccessKeyId::parse(&text.text).map_err(|e| source.error(text.at, Problem::AccessKeyId(e)))?;
        if let Some(first) = ids.insert(id.clone(), source.location(text.at)) {
            return Err(source.error(
                text.at,
                Problem::RepeatedAccessKeyId {
                    first: Box::new(first),
                },
            ));
        }
        Ok(KeyEntry {
            id,
            secret: self.secret(table, place)?,
            revoked,
        })
    }

    /// Where `revoked = true` stands. `false` is the same as nothing.
    fn revoked(&self, table: &mut Table) -> Result<Option<Location>, PolicyError> {
        let at = table.at("revoked");
        let revoked = match table.take("revoked") {
            Some(node) => node.boolean(self.source, "revoked")?,
            None => false,
        };
        Ok(at.filter(|_| revoked).map(|at| self.source.location(at)))
    }

    fn revocation(&self, signer: &mut Table) -> Result<SignerRevocation, PolicyError> {
        let field = "signed_before";
        let at = signer.at(field);
        let instant = signer.take(field).map(|node| node.instant(self.source, field));
        let signed_before = instant.transpose()?.zip(at);
        Ok(SignerRevocation {
            revoked: self.revoked(signer)?,
            signed_before: signed_before.map(|(instant, at)| (instant, self.source.location(at))),
        })
    }

    fn revoked_links(&self, file: &mut Table) -> Result<RevokedLinks, PolicyError> {
        let source = self.source;
        let mut links = RevokedLinks::new();
        for mut table in self.tables(file, "revoked_url", "[[revoked_url]] tables")? {
            table.knows(source, "a revoked URL", &["sha256", "note", "until"])?;
            let place = "this revoked URL";
            let name = table.require(source, "sha256", place)?.text(source, "sha256")?;
            let id = LinkId::parse(&name.text).ok_or_else(|| source.error(name.at, Problem::LinkId))?;
            let until = table.take("until").map(|node| node.instant(source, "until"));
            let link = RevokedLink {
                note: table.take_text(source, "note")?.map(|note| note.text.into()),
                until: until.transpose()?,
                location: source.location(name.at),
            };
            if let Some(first) = links.insert(id, link) {
                let first = Box::new(first.location);
                return Err(source.error(name.at, Problem::RepeatedLink { first }));
            }
        }
        Ok(links)
    }

    fn secret(&self, table: &mut Table, place: &'static str) -> Result<Secret, PolicyError> {
        let source = self.source;
        let mut found = SECRET_FIELDS
            .into_iter()
            .filter_map(|field| Some((field, table.at(field)?)));
        let field = match (found.next(), found.next()) {
            (Some((field, _)), None) => field,
            (Some((first, _)), Some((second, at))) => {
                return Err(source.error(at, Problem::Both { first, second }));
            }
            (None, _) => {
                let field = "secret_access_key (or secret_access_key_file, or secret_access_key_env)";
                return Err(source.error(table.at, Problem::Missing { field, place }));
            }
        };
        let text = table.require(source, field, place)?.text(source, field)?;
        let elsewhere = |reference| Ok(Secret::Elsewhere(reference, source.location(text.at)));
        match field {
            "secret_access_key_file" => elsewhere(Reference::SecretFile(self.path(&text, field)?)),
            "secret_access_key_env" if is_variable_name(&text.text) => {
                elsewhere(Reference::SecretEnvironment(text.text.clone()))
            }
            "secret_access_key_env" => Err(source.error(text.at, Problem::VariableName)),
            _ => {
                let secret = SecretKey::parse(text.text);
                secret
                    .map(Secret::Inline)
                    .map_err(|e| source.error(text.at, Problem::SecretAccessKey(e)))
            }
        }
    }

    fn shared(&self, signer: &mut Table, policies: &PolicyNames) -> Result<Vec<usize>, PolicyError> {
        let index = |name: Text| match policies.get(name.text.as_str()) {
            Some((index, _)) => Ok(*index),
            None => {
                let nearest = nearest(&name.text, policies.keys().map(|known| &**known)).map(str::to_owned);
                Err(self.source.error(
                    name.at,
                    Problem::UnknownPolicy {
                        name: name.text,
                        nearest,
                    },
                ))
            }
        };
        self.texts(signer, "policies")?.into_iter().map(index).collect()
    }

    fn documents(&self, signer: &mut Table) -> Result<Vec<(PathBuf, Location)>, PolicyError> {
        let field = "policy_documents";
        let document = |text: Text| Ok((self.path(&text, field)?, self.source.location(text.at)));
        self.texts(signer, field)?.into_iter().map(document).collect()
    }

    fn statements(
        &mut self,
        table: &mut Table,
        expected: &'static str,
        owner: &Owner,
    ) -> Result<Arc<[Statement]>, PolicyError> {
        let tables = self.tables(table, "statement", expected)?;
        parse_all(self.source, tables, Version::V2012, owner, &mut self.warnings).map(Into::into)
    }

    fn tables(
        &self,
        table: &mut Table,
        field: &'static str,
        expected: &'static str,
    ) -> Result<Vec<Table>, PolicyError> {
        let node = table.take(field);
        node.map_or(Ok(Vec::new()), |node| {
            node.tables(self.source, field, expected, false)
        })
    }

    fn texts(&self, table: &mut Table, field: &'static str) -> Result<Vec<Text>, PolicyError> {
        table
            .take(field)
            .map_or(Ok(Vec::new()), |node| node.texts(self.source, field, false))
    }

    fn name(&self, table: &mut Table, place: &'static str) -> Result<(Arc<str>, usize), PolicyError> {
        let Text { at, text } = table
            .require(self.source, "name", place)?
            .text(self.source, "name")?;
        if !(1..=128).contains(&text.len()) || text.chars().any(char::is_control) {
            return Err(self.source.error(at, Problem::Name { field: "name" }));
        }
        Ok((text.into(), at))
    }

    fn path(&self, text: &Text, field: &'static str) -> Result<PathBuf, PolicyError> {
        if text.text.is_empty() {
            let remedy = "name a file";
            return Err(self.source.error(text.at, Problem::EmptyValue { field, remedy }));
        }
        Ok(PathBuf::from(&text.text))
    }

    fn repeated(&self, kind: &'static str, name: &str, at: usize, first: &Location) -> PolicyError {
        let problem = Problem::RepeatedName {
            kind,
            name: name.to_owned(),
            first: Box::new(first.clone()),
        };
        self.source.error(at, problem)
    }
}

fn is_variable_name(text: &str) -> bool {
    !text.starts_with(|c: char| c.is_ascii_digit())
        && (1..=128).contains(&text.len())
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
}
