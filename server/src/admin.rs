//! Who may do what changes the database for everybody.

use std::str::FromStr;

use subtle::ConstantTimeEq;

use crate::limits::ADMIN_TOKEN_BYTES_MIN;

/// The secret that an administrator presents. Empty for none.
#[derive(Clone, PartialEq, Eq)]
pub struct AdminToken(String);

impl AdminToken {
    /// The token in a file, without the blanks around it.
    ///
    /// # Errors
    /// If the file cannot be read, or the token is too short.
    pub fn read(path: &str) -> Result<Self, String> {
        let text = std::fs::read_to_string(path).map_err(|error| format!("{path}: {error}"))?;
        text.parse()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether it is this one, in a time that says nothing of where they differ.
    pub fn is(&self, presented: &str) -> bool {
        !self.is_empty() && bool::from(self.0.as_bytes().ct_eq(presented.as_bytes()))
    }
}

impl FromStr for AdminToken {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let token = text.trim();
        if (1..ADMIN_TOKEN_BYTES_MIN).contains(&token.len()) {
            return Err(format!(
                "it must have {ADMIN_TOKEN_BYTES_MIN} characters or more, such as `openssl rand -hex 16` makes"
            ));
        }
        Ok(Self(token.to_owned()))
    }
}

/// It is a secret.
impl std::fmt::Debug for AdminToken {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("AdminToken")
    }
}

#[cfg(test)]
mod tests {
    use super::AdminToken;

    #[test]
    fn only_the_same_token_is_it() {
        let token: AdminToken = " 0123456789abcdef\n".parse().unwrap();
        assert!(token.is("0123456789abcdef"));
        for wrong in [
            "",
            "0123456789abcdeF",
            "0123456789abcde",
            "0123456789abcdef0",
        ] {
            assert!(!token.is(wrong), "{wrong}");
        }
        assert!("short".parse::<AdminToken>().unwrap_err().contains("16"));
        let none: AdminToken = "".parse().unwrap();
        assert!(none.is_empty() && !none.is(""));
        assert!(!format!("{token:?}").contains("0123"));
    }
}
