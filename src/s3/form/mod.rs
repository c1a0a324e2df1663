//! Uploads by a browser's form: `POST` to a bucket, `multipart/form-data`, the file behind every other field.
//! <https://docs.aws.amazon.com/AmazonS3/latest/userguide/HTTPPOSTForms.html>
//!
//! Bytes go into a [`FormDecoder`], which gives the [`Form`] once the file begins and then the file's content; a [`PostPolicy`] says whether
//! the form is one that its signer wanted; [`PostObject`] is what it asks for.

mod decode;
mod fields;
mod policy;

pub use decode::{FileDecoder, FormDecoder, FormEvent};
pub use fields::{PostObject, Success};
pub use policy::PostPolicy;

pub(super) use decode::not_a_form;

use super::{ErrorCode, S3Error, is_reserved};

/// The fields before the file, and the file's name.
///
/// ```compile_fail
/// fn log(form: &postern::s3::Form) { println!("{form:?}"); }
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct Form {
    /// Names in lower case, values with `${filename}` replaced, in the order in which they came; no name comes twice.
    fields: Vec<(String, String)>,
}

impl Form {
    /// Takes what was decoded. Names count in any case.
    ///
    /// Errors: `InvalidArgument` for a field that comes twice, and for one whose name is reserved.
    fn new(fields: Vec<(String, String)>, file_name: &str) -> Result<Self, S3Error> {
        let mut form = Self { fields: Vec::new() };
        for (name, value) in fields {
            let name = name.to_ascii_lowercase();
            if is_reserved(&name) {
                return Err(S3Error::reserved_argument(&name, &value));
            }
            if form.field(&name).is_some() {
                return Err(S3Error::invalid_argument(
                    "Bucket POST must contain each field only once.",
                    &name,
                    "",
                ));
            }
            form.fields.push((name, value.replace("${filename}", file_name)));
        }
        Ok(form)
    }

    /// A field's value, by its name in lower case.
    pub fn field(&self, name: &str) -> Option<&str> {
        let found = self.fields.iter().find(|(own, _)| own == name);
        found.map(|(_, value)| value.as_str())
    }

    /// A field that must be there.
    pub fn required(&self, name: &str) -> Result<&str, S3Error> {
        self.field(name).ok_or_else(|| {
            S3Error::new(ErrorCode::InvalidArgument)
                .message(format!(
                    "Bucket POST must contain a field named '{name}'.  If it is specified, please check the order of the fields."
                ))
                .with("ArgumentName", name)
                .with("ArgumentValue", "")
        })
    }
}
