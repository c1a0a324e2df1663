//! The policy file joined with what it refers to. In go a [`PolicyFile`] and the contents of its [`References`]; out
//! comes everything that a snapshot is made of, or the one thing that is wrong. All or nothing: half a policy is none.

use std::{collections::HashMap, path::Path, sync::Arc};

use crate::types::{AccessKeyId, SecretKey};

use super::{
    document::{KeyEntry, PolicyFile, Secret},
    error::{Location, PolicyError, Problem},
    evaluate::Owner,
    json,
    reference::{Reference, References},
    revocation::RevokedLinks,
    signer::{Signer, StoredKey},
    statement::{Statement, parse_all},
    tree::Source,
    warning::{PolicyWarning, Warned},
};

/// A whole policy, ready for a [`Snapshot`](super::Snapshot). It holds secrets, so it cannot be printed.
pub struct Compiled {
    pub(super) signers: Vec<Signer>,
    pub(super) keys: Vec<StoredKey>,
    pub(super) by_id: HashMap<AccessKeyId, usize>,
    pub(super) revoked_links: RevokedLinks,
    /// What was understood and does nothing, in the order of the file and then of its documents.
    pub warnings: Vec<PolicyWarning>,
}

impl PolicyFile {
    /// Joins the file with the contents of what it refers to.
    ///
    /// # Errors
    /// A reference that was not read, a secret that is none, or what is wrong with a policy document, each with its place.
    pub fn compile(self, references: &References) -> Result<Compiled, PolicyError> {
        let mut documents = Documents {
            references,
            read: HashMap::new(),
            warnings: self.warnings,
        };
        let mut used = vec![false; self.policies.len()];
        for index in self.signers.iter().flat_map(|entry| &entry.policies) {
            used.get_mut(*index).into_iter().for_each(|used| *used = true);
        }
        let unused = self.policies.iter().zip(used).filter(|(_, used)| !used);
        documents.warnings.extend(unused.filter_map(|(statements, _)| {
            let statement = statements.first()?.reference().clone();
            Some(PolicyWarning {
                location: statement.location()?.clone(),
                statement: Some(statement),
                warned: Warned::Unused,
            })
        }));
        let (mut signers, mut keys) = (Vec::with_capacity(self.signers.len()), Vec::new());
        for entry in self.signers {
            let first = keys.len();
            for key in entry.keys {
                keys.push(stored(key, signers.len(), references)?);
            }
            let mut statements = vec![self.everyone.clone(), entry.statements];
            statements.extend(
                entry
                    .policies
                    .iter()
                    .filter_map(|index| self.policies.get(*index).cloned()),
            );
            for (path, location) in &entry.documents {
                statements.push(documents.statements(path, location)?);
            }
            statements.retain(|list| !list.is_empty());
            signers.push(Signer {
                name: entry.name,
                keys: first..keys.len(),
                statements,
                revocation: entry.revocation,
            });
        }
        let by_id = keys
            .iter()
            .enumerate()
            .map(|(index, key)| (key.id.clone(), index))
            .collect();
        Ok(Compiled {
            signers,
            keys,
            by_id,
            revoked_links: self.revoked_links,
            warnings: documents.warnings,
        })
    }
}

fn unreadable(reference: &Reference, location: &Location, reason: String) -> PolicyError {
    let problem = Problem::Unreadable {
        what: reference.described(),
        reason,
    };
    PolicyError {
        location: Box::new(location.clone()),
        problem: Box::new(problem),
    }
}

fn stored(key: KeyEntry, signer: usize, references: &References) -> Result<StoredKey, PolicyError> {
    let secret = match key.secret {
        Secret::Inline(secret) => secret,
        Secret::Elsewhere(reference, location) => {
            let content = references
                .content(&reference)
                .map_err(|reason| unreadable(&reference, &location, reason))?;
            // Editors end a file with a line end; a variable holds what it holds.
            let text = match &reference {
                Reference::SecretFile(_) => without_line_end(content),
                Reference::SecretEnvironment(_) | Reference::Document(_) => content,
            };
            SecretKey::parse(text.to_owned()).map_err(|error| PolicyError {
                location: Box::new(location),
                problem: Box::new(Problem::SecretAccessKey(error)),
            })?
        }
    };
    Ok(StoredKey {
        id: key.id,
        secret,
        signer,
        revoked: key.revoked,
    })
}

fn without_line_end(text: &str) -> &str {
    let text = text.strip_suffix('\n').unwrap_or(text);
    text.strip_suffix('\r').unwrap_or(text)
}

/// The policy documents: read once each, however many signers share them.
struct Documents<'r> {
    references: &'r References,
    read: HashMap<Reference, Arc<[Statement]>>,
    warnings: Vec<PolicyWarning>,
}

impl Documents<'_> {
    fn statements(&mut self, path: &Path, location: &Location) -> Result<Arc<[Statement]>, PolicyError> {
        let reference = Reference::Document(path.to_owned());
        if let Some(statements) = self.read.get(&reference) {
            return Ok(statements.clone());
        }
        let text = self
            .references
            .content(&reference)
            .map_err(|reason| unreadable(&reference, location, reason))?;
        let source = Source::new(&path.to_string_lossy(), text);
        let (version, tables) = json::parse_document(&source)?;
        if tables.is_empty() {
            self.warnings.push(PolicyWarning {
                location: source.location(0),
                statement: None,
                warned: Warned::NoStatements,
            });
        }
        let statements: Arc<[Statement]> =
            parse_all(&source, tables, version, &Owner::Document, &mut self.warnings)?.into();
        self.read.insert(reference, statements.clone());
        Ok(statements)
    }
}
