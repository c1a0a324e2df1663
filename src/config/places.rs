//! Where a setting was written: by line and column of the file, or by the name of a variable. An error names it.

use std::collections::HashMap;

use toml::de::{DeTable, DeValue};

/// The places of all settings that were written; of the others the file's name is known.
pub(super) struct Places {
    name: String,
    written: HashMap<String, String>,
}

impl Places {
    /// Finds every setting in a file's text. A text that does not parse has none.
    pub(super) fn of_file(text: &str, name: &str) -> Self {
        let mut places = Self {
            name: name.to_owned(),
            written: HashMap::new(),
        };
        if let Ok(table) = DeTable::parse(text) {
            places.add(text, "", table.get_ref());
        }
        places
    }

    fn add(&mut self, text: &str, section: &str, table: &DeTable<'_>) {
        for (key, value) in table {
            let dotted = format!("{section}{}", key.get_ref());
            match value.get_ref() {
                DeValue::Table(inner) => self.add(text, &format!("{dotted}."), inner),
                DeValue::String(_)
                | DeValue::Integer(_)
                | DeValue::Float(_)
                | DeValue::Boolean(_)
                | DeValue::Datetime(_)
                | DeValue::Array(_) => {
                    let place = place(text, &self.name, value.span().start);
                    self.written.insert(dotted, place);
                }
            }
        }
    }

    /// A variable has overwritten a setting.
    pub(super) fn overwrite(&mut self, dotted: String, variable: &str) {
        self.written.insert(dotted, format!("the variable {variable}"));
    }

    /// Where a setting (`server.listen`) was written.
    pub(super) fn of(&self, dotted: &str) -> &str {
        self.written.get(dotted).unwrap_or(&self.name)
    }
}

/// A byte offset as `name:line:column`, both from 1.
pub(super) fn place(text: &str, name: &str, offset: usize) -> String {
    let before = text.get(..offset).unwrap_or_default();
    let line = before.matches('\n').count().saturating_add(1);
    let last = before.rsplit('\n').next().unwrap_or_default();
    format!("{name}:{line}:{}", last.chars().count().saturating_add(1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_setting_has_the_place_of_its_value_and_a_variable_wins() {
        let text = "[server]\nlisten = 'x'\ntls.certificate = 'c'\n[presign]\n  max_expires = '8d'\n";
        let mut places = Places::of_file(text, "f");
        places.overwrite("server.listen".to_owned(), "POSTERN_SERVER__LISTEN");
        for (key, place) in [
            ("server.listen", "the variable POSTERN_SERVER__LISTEN"),
            ("server.tls.certificate", "f:3:19"),
            ("presign.max_expires", "f:5:17"),
            ("admin.listen", "f"),
        ] {
            assert_eq!(places.of(key), place, "{key}");
        }
    }
}
