//! A curl command, as people paste it and as browsers copy it: the request that it sends. Options that change no request are passed over.

use base64::{Engine, prelude::BASE64_STANDARD};

use crate::{cli::Problem, explain::Question};

/// Options that take a value and change nothing that is signed.
const WITH_VALUE: &[&str] = &[
    "-o",
    "--output",
    "-m",
    "--max-time",
    "--connect-timeout",
    "--retry",
    "-w",
    "--write-out",
    "--cacert",
    "-E",
    "--cert",
    "--key",
    "-x",
    "--proxy",
    "-D",
    "--dump-header",
    "--resolve",
    "--connect-to",
    "-c",
    "--cookie-jar",
    "-K",
    "--config",
    "--limit-rate",
    "-C",
    "--continue-at",
    "--ciphers",
    "--interface",
    "--max-redirs",
    "--retry-delay",
    "--tls-max",
];

/// Is it one?
pub(super) fn is_command(text: &str) -> bool {
    text.trim_start()
        .trim_start_matches("$ ")
        .split_whitespace()
        .next()
        .is_some_and(|word| word == "curl" || (word.ends_with("/curl") && !word.contains("://")))
}

/// The request that it sends.
pub(super) fn question(text: &str) -> Result<Question, Problem> {
    let text = text.trim_start().trim_start_matches("$ ");
    let words = shlex::split(text).ok_or("the curl command has a quote that does not end")?;
    let mut question = Question::default();
    let mut method = None;
    let (mut has_body, mut has_upload, mut as_query) = (false, false, false);
    let mut words = words.into_iter().skip(1);
    while let Some(word) = words.next() {
        let (option, joined) = split(&word);
        let mut value = || {
            joined
                .clone()
                .or_else(|| words.next())
                .ok_or_else(|| format!("curl's {option} wants a value"))
        };
        match option.as_str() {
            "-X" | "--request" => method = Some(value()?.to_ascii_uppercase()),
            "-H" | "--header" => {
                let header = value()?;
                if let Some((name, header)) = header.split_once(':') {
                    let (name, header) = (name.trim().to_owned(), header.trim().to_owned());
                    match name.eq_ignore_ascii_case("host") {
                        true => question.host = Some(header),
                        // curl leaves a header without a value out.
                        false if header.is_empty() => {}
                        false => question.headers.push((name, header)),
                    }
                }
            }
            "-A" | "--user-agent" => question.headers.push(("user-agent".to_owned(), value()?)),
            "-e" | "--referer" => question.headers.push(("referer".to_owned(), value()?)),
            "-b" | "--cookie" => question.headers.push(("cookie".to_owned(), value()?)),
            "-r" | "--range" => question
                .headers
                .push(("range".to_owned(), format!("bytes={}", value()?))),
            "-u" | "--user" => question.headers.push((
                "authorization".to_owned(),
                format!("Basic {}", BASE64_STANDARD.encode(value()?)),
            )),
            "--oauth2-bearer" => question
                .headers
                .push(("authorization".to_owned(), format!("Bearer {}", value()?))),
            "-I" | "--head" => method = method.or(Some("HEAD".to_owned())),
            "-G" | "--get" => as_query = true,
            "-T" | "--upload-file" => {
                value()?;
                has_upload = true;
            }
            "-d" | "--data" | "--data-raw" | "--data-binary" | "--data-ascii" | "--data-urlencode"
            | "--json" => {
                value()?;
                has_body = true;
                if option == "--json" {
                    question
                        .headers
                        .push(("content-type".to_owned(), "application/json".to_owned()));
                }
            }
            "-F" | "--form" => {
                value()?;
                has_body = true;
                question
                    .headers
                    .push(("content-type".to_owned(), "multipart/form-data".to_owned()));
            }
            "--url" => question.url = value()?,
            option if WITH_VALUE.contains(&option) => {
                value()?;
            }
            option if option.starts_with('-') => {}
            _ => question.url = word,
        }
    }
    if question.url.is_empty() {
        return Err("the curl command names no URL".into());
    }
    let has_type = question
        .headers
        .iter()
        .any(|(name, _)| name.eq_ignore_ascii_case("content-type"));
    if has_body && !as_query && !has_type {
        question.headers.push((
            "content-type".to_owned(),
            "application/x-www-form-urlencoded".to_owned(),
        ));
    }
    let usual = match (has_upload, has_body && !as_query) {
        (true, _) => "PUT",
        (false, true) => "POST",
        (false, false) => "GET",
    };
    question.method = Some(method.unwrap_or_else(|| usual.to_owned()));
    Ok(question)
}

/// `--name=value` and `-Xvalue` hold their value.
fn split(word: &str) -> (String, Option<String>) {
    if word.starts_with("--") {
        return match word.split_once('=') {
            Some((option, value)) => (option.to_owned(), Some(value.to_owned())),
            None => (word.to_owned(), None),
        };
    }
    match word.split_at_checked(2) {
        Some((
            option @ ("-X" | "-H" | "-u" | "-d" | "-F" | "-T" | "-A" | "-e" | "-b" | "-r" | "-o"),
            value,
        )) if !value.is_empty() => (option.to_owned(), Some(value.to_owned())),
        // Several letters in one word: those without a value, and perhaps one for HEAD.
        Some((option, letters)) if option.starts_with('-') && word.contains('I') && !letters.is_empty() => {
            ("-I".to_owned(), None)
        }
        _ => (word.to_owned(), None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_say_method_headers_and_url() {
        for (command, method, url, headers) in [
            (
                "curl 'http://h/b/k?a=1&b=2'",
                "GET",
                "http://h/b/k?a=1&b=2",
                vec![],
            ),
            ("$ curl -sSfL -o out http://h/b", "GET", "http://h/b", vec![]),
            ("curl -I http://h/b", "HEAD", "http://h/b", vec![]),
            ("curl -sI http://h/b", "HEAD", "http://h/b", vec![]),
            (
                "/usr/bin/curl -T file \\\n  'http://h/b'",
                "PUT",
                "http://h/b",
                vec![],
            ),
            (
                "curl -XPUT --data-binary @f -H 'Content-Type: text/plain' http://h/b",
                "PUT",
                "http://h/b",
                vec![("Content-Type", "text/plain")],
            ),
            (
                "curl --request DELETE --url=http://h/b",
                "DELETE",
                "http://h/b",
                vec![],
            ),
            (
                "curl -d a=b http://h/b",
                "POST",
                "http://h/b",
                vec![("content-type", "application/x-www-form-urlencoded")],
            ),
            (
                "curl -u me:secret http://h/b --compressed",
                "GET",
                "http://h/b",
                vec![("authorization", "Basic bWU6c2VjcmV0")],
            ),
            (
                "curl -r 0-9 http://h/b -H 'Accept:'",
                "GET",
                "http://h/b",
                vec![("range", "bytes=0-9")],
            ),
        ] {
            assert!(is_command(command), "{command}");
            let question = question(command).unwrap();
            let found: Vec<_> = question
                .headers
                .iter()
                .map(|(name, value)| (name.as_str(), value.as_str()))
                .collect();
            assert_eq!(
                (question.method.as_deref(), question.url.as_str(), found),
                (Some(method), url, headers),
                "{command}"
            );
        }
        assert!(!is_command("http://h/curl"));
        assert_eq!(
            question("curl -H 'Host: a:1' http://b/").unwrap().host.as_deref(),
            Some("a:1")
        );
    }

    #[test]
    fn what_is_no_command_is_told() {
        for (command, says) in [
            ("curl 'http://h", "a quote that does not end"),
            ("curl -X", "-X wants a value"),
            ("curl -s", "names no URL"),
        ] {
            let said = question(command).err().unwrap().to_string();
            assert!(said.contains(says), "{said}");
        }
    }
}
