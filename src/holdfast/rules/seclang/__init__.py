"""Rules in SecLang, the language of ModSecurity and of the OWASP Core Rule Set, over the head of one request."""
