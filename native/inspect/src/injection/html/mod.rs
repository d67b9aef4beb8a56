//! Whether HTML that holds the value could run a script: libinjection's verdict over its tokens.
//!
//! Theory. A value is pasted into a page as text, as attributes of a tag, or into an attribute's quoted value, which it may
//! end. In each of these contexts it is read as HTML, and what runs scripts is looked for: tags, event handlers, URLs of
//! attributes that load, styles and declarations.

mod tokenizer;

use self::tokenizer::{Kind, State, Tokenizer};

/// What event handlers' names begin with behind "ON": WebKit's events, without those that begin with another one's name.
const EVENTS: &str = "\
    ABORT ACTIVATE ACTIVE ADDSOURCEBUFFER ADDSTREAM ADDTRACK AFTERPRINT ANIMATIONCANCEL ANIMATIONEND
    ANIMATIONITERATION ANIMATIONSTART AUDIOEND AUDIOPROCESS AUDIOSTART AUTOCOMPLETE BEFOREACTIVATE BEFORECOPY
    BEFORECUT BEFOREINPUT BEFORELOAD BEFOREPASTE BEFOREPRINT BEFOREUNLOAD BEGINEVENT BLOCKED BLUR BOUNDARY
    BUFFEREDAMOUNTLOW CACHED CANCEL CANPLAY CHANGE CHARGINGCHANGE CHARGINGTIMECHANGE CHECKING CLICK CLOSE COMPLETE
    COMPOSITIONEND COMPOSITIONSTART COMPOSITIONUPDATE CONNECT CONTEXTMENU CONTROLLERCHANGE COPY CUECHANGE CUT
    DATAAVAILABLE DATACHANNEL DBLCLICK DEVICECHANGE DEVICEMOTION DEVICEORIENTATION DISCHARGINGTIMECHANGE DISCONNECT
    DOMACTIVATE DOMCHARACTERDATAMODIFIED DOMCONTENTLOADED DOMFOCUSIN DOMFOCUSOUT DOMNODEINSERTED DOMNODEREMOVED
    DOMSUBTREEMODIFIED DOWNLOADING DRAG DROP DURATIONCHANGE EMPTIED ENCRYPTED END ENTER ERROR EXIT FETCH FINISH
    FOCUS FORMCHANGE FORMINPUT GAMEPADCONNECTED GAMEPADDISCONNECTED GESTURECHANGE GESTUREEND GESTURESCROLLEND
    GESTURESCROLLSTART GESTURESCROLLUPDATE GESTURESTART GESTURETAP GOTPOINTERCAPTURE HASHCHANGE ICECANDIDATE
    ICECONNECTIONSTATECHANGE ICEGATHERINGSTATECHANGE INACTIVE INPUT INSTALL INVALID KEYDOWN KEYPRESS
    KEYSTATUSESCHANGE KEYUP LANGUAGECHANGE LEAVEPICTUREINPICTURE LEVELCHANGE LOAD LOSTPOINTERCAPTURE MARK
    MERCHANTVALIDATION MESSAGE MOUSEDOWN MOUSEENTER MOUSELEAVE MOUSEMOVE MOUSEOUT MOUSEOVER MOUSEUP MOUSEWHEEL MUTE
    NEGOTIATIONNEEDED NEXTTRACK NOMATCH NOUPDATE OBSOLETE OFFLINE ONLINE OPEN ORIENTATIONCHANGE OVERCONSTRAINED
    OVERFLOWCHANGED PAGEHIDE PAGESHOW PASTE PAUSE PAYERDETAILCHANGE PAYMENTAUTHORIZED PAYMENTMETHODCHANGE
    PAYMENTMETHODSELECTED PLAY POINTERCANCEL POINTERDOWN POINTERENTER POINTERLEAVE POINTERLOCKCHANGE
    POINTERLOCKERROR POINTERMOVE POINTEROUT POINTEROVER POINTERUP POPSTATE PREVIOUSTRACK PROCESSORERROR PROGRESS
    PROPERTYCHANGE RATECHANGE READYSTATECHANGE REJECTIONHANDLED REMOVE RESET RESIZE RESOURCETIMINGBUFFERFULL RESULT
    RESUME SCROLL SEARCH SECURITYPOLICYVIOLATION SEEKED SEEKING SELECT SHIPPINGADDRESSCHANGE SHIPPINGCONTACTSELECTED
    SHIPPINGMETHODSELECTED SHIPPINGOPTIONCHANGE SHOW SIGNALINGSTATECHANGE SLOTCHANGE SOUNDEND SOUNDSTART SOURCECLOSE
    SOURCEENDED SOURCEOPEN SPEECHEND SPEECHSTART SQUEEZE STALLED START STATECHANGE STOP STORAGE SUBMIT SUCCESS
    SUSPEND TEXTINPUT TIMEOUT TIMEUPDATE TOGGLE TONECHANGE TOUCHCANCEL TOUCHEND TOUCHFORCECHANGE TOUCHMOVE
    TOUCHSTART TRACK TRANSITIONCANCEL TRANSITIONEND TRANSITIONRUN TRANSITIONSTART UNCAPTUREDERROR UNHANDLEDREJECTION
    UNLOAD UNMUTE UPDATE UPGRADENEEDED VALIDATEMERCHANT VERSIONCHANGE VISIBILITYCHANGE VOLUMECHANGE WAITING
    WEBGLCONTEXTCHANGED WEBGLCONTEXTCREATIONERROR WEBGLCONTEXTLOST WEBGLCONTEXTRESTORED WEBKITANIMATIONEND
    WEBKITANIMATIONITERATION WEBKITANIMATIONSTART WEBKITBEFORETEXTINSERTED WEBKITBEGINFULLSCREEN
    WEBKITCURRENTPLAYBACKTARGETISWIRELESSCHANGED WEBKITENDFULLSCREEN WEBKITFULLSCREENCHANGE WEBKITFULLSCREENERROR
    WEBKITKEYADDED WEBKITKEYERROR WEBKITKEYMESSAGE WEBKITMOUSEFORCECHANGED WEBKITMOUSEFORCEDOWN WEBKITMOUSEFORCEUP
    WEBKITMOUSEFORCEWILLBEGIN WEBKITNEEDKEY WEBKITNETWORKINFOCHANGE WEBKITPLAYBACKTARGETAVAILABILITYCHANGED
    WEBKITPRESENTATIONMODECHANGED WEBKITREGIONOVERSETCHANGE WEBKITREMOVESOURCEBUFFER WEBKITSOURCECLOSE
    WEBKITSOURCEENDED WEBKITSOURCEOPEN WEBKITSPEECHCHANGE WEBKITTRANSITIONEND WEBKITWILLREVEALBOTTOM
    WEBKITWILLREVEALLEFT WEBKITWILLREVEALRIGHT WEBKITWILLREVEALTOP WHEEL WRITE ZOOM";

/// Tags that run or load.
const TAGS: [&str; 20] = [
    "APPLET", "BASE", "COMMENT", "EMBED", "FRAME", "FRAMESET", "HANDLER", "IFRAME", "IMPORT", "ISINDEX", "LINK",
    "LISTENER", "META", "NOSCRIPT", "OBJECT", "SCRIPT", "STYLE", "VMLFRAME", "XML", "XSS",
];

/// Attributes whose value is a URL that is loaded.
const URLS: [&str; 15] = [
    "ACTION",
    "BY",
    "BACKGROUND",
    "DYNSRC",
    "FORMACTION",
    "FOLDER",
    "FROM",
    "HANDLER",
    "HREF",
    "LOWSRC",
    "POSTER",
    "SRC",
    "TO",
    "VALUES",
    "XLINK:HREF",
];

/// Attributes that run or style whatever they say.
const EVIL: [&str; 4] = ["DATAFORMATAS", "DATASRC", "FILTER", "STYLE"];

/// What an attribute makes of its value.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Attribute {
    Harmless,
    Evil,
    Url,
    /// The value is the name of another attribute.
    Name,
}

/// Whether any context would run a script of the value.
pub(super) fn is_xss(value: &[u8]) -> bool {
    // Tags, comments and declarations begin with "<"; a value of an attribute stands behind "=".
    if memchr::memchr2(b'<', b'=', value).is_none() {
        return false;
    }
    let contexts = [
        (State::Data, None),
        (State::BeforeName, None),
        (State::InQuotes(b'\''), Some(b'\'')),
        (State::InQuotes(b'"'), Some(b'"')),
        (State::InQuotes(b'`'), Some(b'`')),
    ];
    // Without the quote, a quoted value does not end in the value, which is then no more than that.
    let mut possible = contexts
        .into_iter()
        .filter(|(_, quote)| quote.is_none_or(|quote| value.contains(&quote)));
    possible.any(|(context, _)| is_xss_in(value, context))
}

fn is_xss_in(value: &[u8], context: State) -> bool {
    let mut attribute = Attribute::Harmless;
    for (kind, text) in Tokenizer::new(value, context) {
        let is_evil = match kind {
            Kind::Doctype => true,
            Kind::Tag => is_evil_tag(text),
            Kind::Comment => is_evil_comment(text),
            Kind::AttributeValue => is_evil_value(attribute, text),
            Kind::AttributeName | Kind::Other => false,
        };
        if is_evil {
            return true;
        }
        attribute = if kind == Kind::AttributeName {
            attribute_of(text)
        } else {
            Attribute::Harmless
        };
    }
    false
}

fn is_evil_tag(name: &[u8]) -> bool {
    let is_family = |family: &[u8]| name.get(..3).is_some_and(|start| start.eq_ignore_ascii_case(family));
    name.len() >= 3 && (is_one_of(&TAGS, name) || is_family(b"SVG") || is_family(b"XSL"))
}

fn attribute_of(name: &[u8]) -> Attribute {
    let starts = |prefix: &str, text: &[u8]| {
        text.get(..prefix.len())
            .is_some_and(|start| start.eq_ignore_ascii_case(prefix.as_bytes()))
    };
    if name.len() < 2 {
        return Attribute::Harmless;
    }
    if name.len() >= 5 {
        let is_event = starts("ON", name) && EVENTS.split_ascii_whitespace().any(|event| starts(event, &name[2..]));
        // Name spaces can make tags of any kind.
        if is_event || starts("XMLNS", name) || starts("XLINK", name) {
            return Attribute::Evil;
        }
    }
    if is_one_of(&URLS, name) {
        Attribute::Url
    } else if is_one_of(&EVIL, name) {
        Attribute::Evil
    } else if is_one_of(&["ATTRIBUTENAME"], name) {
        Attribute::Name
    } else {
        Attribute::Harmless
    }
}

fn is_evil_value(attribute: Attribute, value: &[u8]) -> bool {
    match attribute {
        Attribute::Harmless => false,
        Attribute::Evil => true,
        Attribute::Url => is_evil_url(value),
        Attribute::Name => attribute_of(value) != Attribute::Harmless,
    }
}

/// Internet Explorer ends tags at backticks, reads conditions and imports in comments; entities can be anything.
fn is_evil_comment(text: &[u8]) -> bool {
    let starts = |prefix: &[u8]| text.len() > prefix.len() && text[..prefix.len()].eq_ignore_ascii_case(prefix);
    let has_word = |word: &[u8]| text.get(..6).is_some_and(|start| start.eq_ignore_ascii_case(word));
    text.contains(&b'`') || starts(b"[IF") || starts(b"XML") || has_word(b"IMPORT") || has_word(b"ENTITY")
}

/// Whether the name is one of the words in any case; NUL bytes in it do not count.
fn is_one_of(words: &[&str], name: &[u8]) -> bool {
    let is_word = |word: &&str| {
        let mut letters = name.iter().filter(|byte| **byte != 0);
        word.bytes()
            .all(|letter| letters.next().is_some_and(|byte| byte.to_ascii_uppercase() == letter))
            && letters.next().is_none()
    };
    words.iter().any(is_word)
}

fn is_evil_url(url: &[u8]) -> bool {
    let start = url
        .iter()
        .position(|byte| matches!(byte, 33..=126))
        .unwrap_or(url.len());
    ["DATA", "VIEW-SOURCE", "JAVA", "VBSCRIPT"]
        .iter()
        .any(|scheme| starts_decoded(scheme, &url[start..]))
}

/// Whether the text, its references decoded, begins with the upper-case prefix; leading controls, NUL and line feeds are
/// passed over.
fn starts_decoded(prefix: &str, mut text: &[u8]) -> bool {
    let mut wanted = prefix.bytes().peekable();
    let mut is_first = true;
    while wanted.peek().is_some() && !text.is_empty() {
        let (character, length) = character(text);
        text = &text[length..];
        if is_first && character <= 32 || matches!(character, 0 | 10) {
            continue;
        }
        is_first = false;
        // As C's conversion to `char` has it, only the lowest byte counts.
        let byte = character.to_le_bytes()[0];
        let upper = if character < 128 {
            byte.to_ascii_uppercase()
        } else {
            byte
        };
        if wanted.next() != Some(upper) {
            return false;
        }
    }
    wanted.peek().is_none()
}

/// Largest number in a reference; one beyond it is none.
const MAX_REFERENCE: u32 = 0x10_00ff;

/// The first character of the text, which is not empty, and its length: a numeric reference is one character.
fn character(text: &[u8]) -> (u32, usize) {
    let (digits, start, radix) = match text {
        [b'&', b'#', b'x' | b'X', digits @ ..] => (digits, 3, 16),
        [b'&', b'#', digits @ ..] => (digits, 2, 10),
        _ => return (u32::from(text[0]), 1),
    };
    let mut number = 0;
    let mut length = 0;
    for digit in digits.iter().map_while(|&digit| char::from(digit).to_digit(radix)) {
        number = number * radix + digit;
        length += 1;
        if length > 1 && number > MAX_REFERENCE {
            return (u32::from(b'&'), 1);
        }
    }
    if length == 0 {
        return (u32::from(b'&'), 1);
    }
    (number, start + length + usize::from(digits.get(length) == Some(&b';')))
}
