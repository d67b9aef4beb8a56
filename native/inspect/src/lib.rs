//! What the rules of a web application firewall ask of bytes: decode them, match them, recognise an injection. Knows no Python.
//!
//! Theory. SecLang, the language of the OWASP Core Rule Set, was written for ModSecurity, so what a word of it means is what
//! ModSecurity does. A client writes the bytes; whatever it writes, the answer must be there soon.
//!
//! Law 1: pure functions of their arguments. Nothing here knows a request, a rule or a clock.
//! Law 2: no input makes anything panic, and no input takes more than a bounded number of steps for each of its bytes.
//! Law 3: what is only probable says so in its name: a `Screen` may claim too much, never too little.

#![forbid(unsafe_code)]

pub mod injection;
pub mod meter;
pub mod pattern;
pub mod phrases;
pub mod schema;
pub mod screen;
pub mod transform;
